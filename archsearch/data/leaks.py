"""What samples share that should not be on two sides of a split: pixels, nearly all pixels, a group."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset, Samples
from archsearch.data.findings import DataFinding, Kind, examples, number
from archsearch.data.loaded import digest_of
from archsearch.data.near_duplicates import near_clusters
from archsearch.space.data_words import PARTS

MEMBERS = 3  # named of a set of duplicates


@dataclass(frozen=True, slots=True)
class Places:
    """Where each sample is, and what it is called.

    Attributes
    ----------
    names : sequence of str
    parts : array of int64, shape (samples,)
        The split, an index into ``PARTS``; -1 for none.
    labels : sequence of str
        The class.
    """

    names: Sequence[str]
    parts: NDArray[np.int64]
    labels: Sequence[str]

    @classmethod
    def of(cls, dataset: Dataset) -> "Places":
        """Those of `dataset`; samples without names are numbered."""
        parts = np.full(len(dataset.y), -1)
        for index, part in enumerate(PARTS):
            parts[getattr(dataset.split, part)] = index
        names = dataset.names or [f"sample {index}" for index in range(len(dataset.y))]
        return cls(names, parts, [dataset.shape.classes[label] for label in dataset.y])

    def called(self, sample: int) -> str:
        """The name, with the part where the name does not begin with it."""
        name, part = self.names[sample], PARTS[self.parts[sample]]
        return name if name.startswith(f"{part}/") else f"{name} ({part})"

    def crosses(self, samples: Iterable[int]) -> bool:
        """Whether they are in more than one split."""
        return len({int(self.parts[sample]) for sample in samples}) > 1

    def contradicts(self, samples: Iterable[int]) -> bool:
        """Whether they have more than one label."""
        return len({self.labels[sample] for sample in samples}) > 1

    def arranged(self, samples: Iterable[int]) -> tuple[int, ...]:
        """By part and name, the first of each part before the second of any: a few show a crossing."""
        seen: Counter[int] = Counter()
        ranked = []
        for sample in sorted(map(int, samples), key=lambda sample: (self.parts[sample], self.names[sample])):
            part = int(self.parts[sample])
            ranked.append((seen[part], part, sample))
            seen[part] += 1
        return tuple(sample for _, _, sample in sorted(ranked, key=lambda item: item[:2]))


def duplicates(places: Places, dataset: Dataset, allow_leaks: bool) -> list[DataFinding]:
    """Identical and nearly identical samples, within splits and across them."""
    indices = np.flatnonzero(places.parts >= 0)
    same = exact_clusters(dataset.x, indices)
    exact = [cluster for cluster in same if len(cluster) > 1]
    copies = {int(cluster[0]): cluster for cluster in same}
    near = [
        _representatives(places, [copies[int(sample)] for sample in cluster])
        for cluster in near_clusters(dataset.x, np.array(list(copies), np.int64), dataset.shape.input_shape)
    ]
    thing = "image" if len(dataset.shape.input_shape) == 3 else "row"
    nearly = "nearly identical images (re-encoded, resized or mirrored)"
    return [
        *_duplicate_finding(places, Kind.EXACT_LEAK, exact, f"identical {thing}s", " = ", not allow_leaks),
        *_duplicate_finding(places, Kind.EXACT_DUPLICATE, exact, f"identical {thing}s", " = ", False),
        *_duplicate_finding(places, Kind.NEAR_LEAK, near, nearly, " ≈ ", False),
        *_duplicate_finding(places, Kind.NEAR_DUPLICATE, near, nearly, " ≈ ", False),
    ]


def exact_clusters(x: Samples, indices: NDArray[np.int64]) -> list[list[int]]:
    """The samples at `indices` in sets of the same stored numbers; most are sets of one."""
    found: dict[bytes, list[int]] = defaultdict(list)
    for index in indices.tolist():
        found[digest_of(x.stored[index].tobytes())].append(index)
    return list(found.values())


def _representatives(places: Places, clusters: list[list[int]]) -> list[int]:
    """One sample of each set of exact duplicates, from different parts where they are in different ones."""
    chosen: list[int] = []
    # Sets that leave no choice first, so that those that leave one can show what crosses.
    arranged = sorted(map(places.arranged, clusters), key=lambda one: list(map(places.called, one)))
    for cluster in sorted(arranged, key=places.crosses):
        taken = {int(places.parts[sample]) for sample in chosen}
        chosen.append(next((one for one in cluster if places.parts[one] not in taken), cluster[0]))
    return chosen


def _duplicate_finding(
    places: Places, kind: Kind, clusters: Sequence[Sequence[int]], things: str, sign: str, is_error: bool
) -> list[DataFinding]:
    is_leak = kind in (Kind.EXACT_LEAK, Kind.NEAR_LEAK)
    arranged = [places.arranged(cluster) for cluster in clusters if places.crosses(cluster) == is_leak]
    if not arranged:
        return []
    contradicting = sum(map(places.contradicts, arranged))
    # The worst first, since only a few are named in the sentence.
    arranged.sort(key=lambda cluster: (not places.contradicts(cluster), list(map(places.called, cluster))))
    unit = "pair" if all(len(cluster) == 2 for cluster in arranged) else "set"
    where = "across splits" if is_leak else "within a split"
    labels = f", {contradicting} of them with labels that contradict each other" if contradicting else ""
    named = examples([_chain(places, cluster, sign) for cluster in arranged], "; ")
    sentence = f"{number(len(arranged), unit)} of {things} {where}{labels}: {named}."
    samples = tuple(tuple(map(places.called, cluster)) for cluster in arranged)
    return [DataFinding(kind, sentence, is_error, samples)]


def _chain(places: Places, cluster: Sequence[int], sign: str) -> str:
    shown = [places.called(one) for one in cluster[:MEMBERS]]
    if places.contradicts(cluster):
        shown = [f"{name} [{places.labels[one]}]" for name, one in zip(shown, cluster, strict=False)]
    if len(cluster) > MEMBERS:
        shown.append(f"{len(cluster) - MEMBERS} more")
    return sign.join(shown)


def crossing_groups(places: Places, dataset: Dataset, allow_leaks: bool) -> list[DataFinding]:
    """Groups that are in more than one split."""
    if dataset.groups is None:
        return []
    members: dict[str, list[int]] = defaultdict(list)
    for sample in np.flatnonzero(places.parts >= 0).tolist():
        if dataset.groups[sample]:
            members[str(dataset.groups[sample])].append(sample)
    crossing = {group: places.arranged(members[group]) for group in sorted(members)}
    crossing = {group: samples for group, samples in crossing.items() if places.crosses(samples)}
    if not crossing:
        return []
    described = []
    for group, samples in crossing.items():
        counts = Counter(PARTS[places.parts[sample]] for sample in samples)
        where = ", ".join(f"{counts[part]} in {part}" for part in PARTS if counts[part])
        described.append(f"{group} ({where})")
    verb = "is" if len(crossing) == 1 else "are"
    sentence = f"{number(len(crossing), 'group')} {verb} in more than one split: {examples(described)}."
    names = tuple(tuple(map(places.called, samples)) for samples in crossing.values())
    return [DataFinding(Kind.GROUP_LEAK, sentence, not allow_leaks, names)]

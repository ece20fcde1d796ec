"""Which images probably belong together, read off their file names: the proposal of `archsearch init`.

Names such as ``person12_bacteria_31.jpeg`` and ``person12_virus_7.jpeg`` begin alike up to a number that few
images share: the number of a patient, of a scene, of a film. It is a guess, and the starter says so.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

# What a guess needs, each chosen on real folders of images: a number that stands for a group takes at least
# this many values,
FEWEST_VALUES = 5
# at least this share of the names fits the pattern, which has at most this many alternatives,
LEAST_COVERED = 0.9
MOST_ALTERNATIVES = 4
# and at least this share of the images has another one of its group beside it, in its class and split.
LEAST_SHARED = 0.05

_DATE = re.compile(r"(19|20)\d{2}(\d{4})?")
# A letter right behind digits makes them part of a word, or of a hexadecimal number.
_NUMBER = re.compile(r"\d+(?![\da-zA-Z])")


@dataclass(frozen=True, slots=True)
class NameGroups:
    """A regular expression whose first group is the name of an image's group.

    Attributes
    ----------
    pattern : str
    example : tuple of str
        File names of one group.
    groups : int
        Different names of groups.
    crossing : mapping of (str, str) to int
        How many names of groups occur in both of two splits; only pairs that share some.
    """

    pattern: str
    example: tuple[str, ...]
    groups: int
    crossing: Mapping[tuple[str, str], int]


def name_groups(names: Mapping[tuple[str, str], Sequence[str]]) -> NameGroups | None:
    """Guess a pattern from file names; None where they don't suggest one.

    Parameters
    ----------
    names : mapping of (split, class) to sequence of str
        File names without their folders; the split is empty where none is given.
    """
    # A name in two folders of a class, or with two endings, says no more than once.
    once = {part: sorted({_stem(name): name for name in inside}.values()) for part, inside in names.items()}
    stems = {_stem(name) for inside in once.values() for name in inside}
    alternatives = _shared(sorted(_alternatives(sorted(stems), "")), once)
    if not 0 < len(alternatives) <= MOST_ALTERNATIVES:
        return None
    pattern = _either(alternatives)
    found = {part: _by_group(pattern, inside) for part, inside in once.items()}
    total = sum(map(len, once.values()))
    groups = [group for part in found.values() for group in part.values()]
    covered = sum(map(len, groups))
    shared = sum(len(group) for group in groups if len(group) > 1)
    if covered < LEAST_COVERED * total or shared < LEAST_SHARED * total:
        return None
    by_split: dict[str, set[str]] = {}
    for (split, _), part in found.items():
        by_split.setdefault(split, set()).update(part)
    return NameGroups(
        pattern=pattern,
        example=tuple(max(groups, key=len)[:2]),
        groups=len(set().union(*by_split.values())),
        crossing=_crossing(by_split),
    )


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _either(alternatives: Sequence[str]) -> str:
    return f"({'|'.join(alternatives)})"


def _shared(alternatives: Sequence[str], names: Mapping[tuple[str, str], Sequence[str]]) -> list[str]:
    """Those of which some number stands in several names; the others only count."""
    if not alternatives:
        return []
    parts = (_by_group(_either(alternatives), inside) for inside in names.values())
    shared = {group for part in parts for group, inside in part.items() if len(inside) > 1}
    return [each for each in alternatives if any(re.fullmatch(each, group) for group in shared)]


def _alternatives(stems: Sequence[str], literal: str) -> Iterator[str]:
    """Patterns of names that all begin with `literal`, each up to the first number that varies."""
    heads: dict[str, dict[str, list[str]]] = {}
    for stem in stems:
        if found := _NUMBER.search(stem, len(literal)):
            heads.setdefault(stem[: found.start()], {}).setdefault(found[0], []).append(stem)
    for head, by_number in heads.items():
        if len(by_number) >= FEWEST_VALUES:
            if not all(map(_DATE.fullmatch, by_number)):
                yield f"{_escaped(head)}\\d+"
            continue
        for number, inside in by_number.items():
            yield from _alternatives(inside, head + number)


def _escaped(text: str) -> str:
    """`re.escape` without the backslashes that only verbose patterns need."""
    return re.sub(r"\\([-_ #&~])", r"\1", re.escape(text))


def _by_group(pattern: str, names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        if found := re.search(pattern, name):
            groups.setdefault(found[1], []).append(name)
    return groups


def _crossing(by_split: Mapping[str, set[str]]) -> dict[tuple[str, str], int]:
    shared = {pair: len(by_split[pair[0]] & by_split[pair[1]]) for pair in combinations(by_split, 2)}
    return {pair: number for pair, number in shared.items() if number}

"""The text of a starter space: pure, from what was found in a folder of images to commented YAML."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archsearch.commands.name_groups import NameGroups
from archsearch.report.words import count, listing

SCHEMA_FILE = "archsearch.schema.json"

# Images are proposed no larger than this, so that the first trainings take seconds, not hours.
LARGEST_SIDE = 128
# From this ratio of the largest class to the smallest, class weights are proposed rather than mentioned.
IMBALANCED = 1.5
# Every pooling halves the image: a block more is proposed while this many pixels are left of a side.
LEAST_SIDE_LEFT = 6
MOST_BLOCKS = 4

_PLAIN = re.compile(r"(?:\.{0,2}/)*[A-Za-z_][A-Za-z0-9_./-]*")
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Folder:
    """What was found in a folder of images.

    Attributes
    ----------
    path : str
        As the starter should name it.
    counts : mapping of str to mapping of str to int
        Images by split, then by class; the split is empty where none is given.
    classes : tuple of str
    size : tuple of two int
        Height and width, the most common ones of the images looked at.
    is_grey : bool
    groups : NameGroups or None
    ignored : mapping of str to int
        Other files than images, by their endings in lower case.
    """

    path: str
    counts: Mapping[str, Mapping[str, int]]
    classes: tuple[str, ...]
    size: tuple[int, int]
    is_grey: bool
    groups: NameGroups | None
    ignored: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_split(self) -> bool:
        """Whether the splits are given."""
        return "" not in self.counts

    @property
    def total(self) -> int:
        """Images in all."""
        return sum(sum(classes.values()) for classes in self.counts.values())

    @property
    def to_train(self) -> Mapping[str, int]:
        """Images of each class in the training set, or in all where no split is given."""
        return Counter(self.counts["train" if self.is_split else ""])

    @property
    def imbalance(self) -> float:
        """Images of the largest class for one of the smallest."""
        numbers = self.to_train.values()
        return max(numbers) / max(1, min(numbers))

    @property
    def proposed_size(self) -> tuple[int, int]:
        """`size`, made smaller where it is larger than `LARGEST_SIDE`, with the same proportions."""
        shrink = min(1.0, LARGEST_SIDE / max(self.size))
        height, width = (max(1, round(side * shrink)) for side in self.size)
        return height, width

    @property
    def across(self) -> tuple[str, ...]:
        """The given splits that share no group's name with one before them."""
        kept: list[str] = []
        for split in sorted(self.counts, key=("train", "val", "test", "").index):
            crossing = self.groups.crossing if self.groups else {}
            if split == "test" and any("test" in pair for pair in crossing):
                continue
            kept.append(split)
        return tuple(kept)


def starter(name: str, file: str, folder: Folder | None) -> str:
    """A search space as commented YAML.

    Parameters
    ----------
    name : str
        Of the search; what a name can't have is left out.
    file : str
        The starter's own path, for the commands in its comments.
    folder : Folder or None
        The images it is fitted to; None writes a space on the bundled digits.
    """
    data = _digits() if folder is None else _images(folder)
    side = 8 if folder is None else min(folder.proposed_size)
    parts = [_head(file, folder), [f"name: {_text(_name(name))}"], data, _families(side), _rest()]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _head(file: str, folder: Folder | None) -> list[str]:
    what = (
        "the bundled handwritten digits"
        if folder is None
        else f"{folder.total:,} images of {len(folder.classes)} classes in {_comment(folder.path)}"
    )
    file = _comment(file)
    return [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        "# The line above lets editors complete and check the words; the schema lies beside this file.",
        "#",
        f"# A search space for {what}: a start, to be changed.",
        f"#   archsearch check --data {file}   what it spans, and whether the data can be trusted",
        f"#   archsearch run {file}            search it; the same command goes on after an interruption",
    ]


def _digits() -> list[str]:
    return [
        "data: digits               # for your own: data: {image_folder: PATH}, or archsearch init PATH",
    ]


def _images(folder: Folder) -> list[str]:
    lines = ["data:", f"  image_folder: {_text(folder.path)}"]
    if folder.is_split:
        lines += ["  # Its splits are used as they are given."]
        if missing := [part for part in ("val", "test") if part not in folder.counts]:
            lines += [f"  # There is no {listing(missing)}: taken from train, by class and by groups."]
            lines += _shares(missing)
    else:
        lines += ["  # No splits are given: made by class and by groups, always the same for the same seed."]
        lines += [*_shares(["val", "test"]), "  split_seed: 0"]
    return [*lines, *_pixels(folder), *_groups(folder), *_weights(folder)]


def _shares(parts: list[str]) -> list[str]:
    words = {"val": "  validation: 0.2          # share of the images", "test": "  test: 0.2"}
    return [words[part] for part in parts]


def _pixels(folder: Folder) -> Iterator[str]:
    (height, width), (proposed_height, proposed_width) = folder.size, folder.proposed_size
    why = f"height, width; most images have {height}×{width}"
    if folder.proposed_size != folder.size:
        why += ": small first, for speed"
    yield f"  image_size: [{proposed_height}, {proposed_width}]   # {why}"
    if folder.is_grey:
        yield "  color: grayscale         # the images looked at are grey"
    else:
        yield "  color: rgb"


def _groups(folder: Folder) -> Iterator[str]:
    found = folder.groups
    if found is None:
        yield "  # Images that belong together (of one patient, one film) must not be in two splits."
        yield "  # Where file names tell which they are, say how:"
        yield "  # groups: '(patient\\d+)'"
        return
    pattern = "'" + found.pattern.replace("'", "''") + "'"
    yield "  # A guess from the file names, to be confirmed: images whose names begin alike belong together"
    yield f"  # (one patient, one film), such as {' and '.join(map(_comment, found.example))}."
    if not folder.is_split or not found.crossing:
        yield f"  groups: {pattern}"
        return
    for (one, other), number in found.crossing.items():
        yield f"  # {count(number, 'name')} of such groups {_occur(number)} in both {one} and {other}."
    if folder.across != tuple(folder.counts):
        yield "  # `across` names the splits that share one numbering. Does it begin anew in test? If instead"
        yield "  # the same patients are there, remove `across`: the audit then lists them as leaks."
        yield f"  groups: {{pattern: {pattern}, across: [{', '.join(folder.across)}]}}"
    else:
        yield "  # If these are the same patients, scores on val will flatter: the audit refuses that."
        yield f"  groups: {pattern}"


def _occur(number: int) -> str:
    return "occurs" if number == 1 else "occur"


def _weights(folder: Folder) -> Iterator[str]:
    numbers = sorted(folder.to_train.items(), key=lambda pair: pair[1])
    (rarest, fewest), (commonest, most) = numbers[0], numbers[-1]
    if folder.imbalance >= IMBALANCED:
        counts = f"{_comment(rarest)} {fewest:,}, {_comment(commonest)} {most:,}"
        yield f"  class_weights: balanced  # the classes differ in size: {counts}"
    else:
        yield "  # class_weights: balanced  # not needed: the classes are about equally large"


def _families(side: int) -> list[str]:
    blocks = max(1, min(MOST_BLOCKS, (side // LEAST_SIDE_LEFT).bit_length()))
    return [
        "# Each family gets the same number of trials. A word has one value, a list, or a range {low, high}.",
        "families:",
        "  dense:                     # stacks of fully connected layers",
        "    ordering: [falling, rising, diamond]   # how the widths go",
        "    depth: {low: 1, high: 4}",
        "    narrowest: [16, 32]",
        "    widest: [64, 128, 256]",
        "    dropout: [0.0, 0.2, 0.5]",
        "    batch_norm: [true, false]",
        "  cnn:                       # convolutional blocks, a bridge to vectors, a dense head",
        f"    blocks: {{low: 1, high: {blocks}}}" if blocks > 1 else "    blocks: 1",
        "    filters: {first: [8, 16], growth: [1, 2]}",
        "    kernel: [3, 5]",
        "    pooling: [max, average]",
        "    dropout: [0.0, 0.2]",
        "    bridge: [flatten, global_average]",
        "    dense: {ordering: falling, depth: 1, narrowest: 32, widest: [32, 64], dropout: [0.0, 0.5]}",
    ]


def _rest() -> list[str]:
    return [
        "training:",
        "  epochs: 20",
        "  batch_size: 32",
        "  optimizer: adam",
        "  learning_rate: {low: 3e-4, high: 3e-3, log: true}",
        "  early_stopping: {patience: 5}   # epochs without a lower validation loss; off: train to the end",
        "",
        "search:",
        "  trials: 24",
        "  seed: 0",
        "",
        "execution: {workers: auto}   # trainings at once: one on each GPU, else by cores and memory",
    ]


def _name(text: str) -> str:
    return _NO_NAME.sub("-", text).strip("-._")[:80] or "search"


def _text(text: str) -> str:
    """A YAML scalar that is read as this text: plain where that is safe, else quoted as JSON quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in ("true", "false", "null"):
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _comment(text: str) -> str:
    """Text that can't end a comment's line."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())

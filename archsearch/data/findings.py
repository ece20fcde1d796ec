"""Findings of the audit as values and as sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

EXAMPLES = 5  # named in a sentence


class Kind(StrEnum):
    """What a finding is about; stable, for programs."""

    UNREADABLE = "unreadable_file"
    EXACT_LEAK = "exact_leak"
    GROUP_LEAK = "group_leak"
    NEAR_LEAK = "near_leak"
    EXACT_DUPLICATE = "exact_duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    SMALL_VALIDATION = "small_validation_set"
    MISSING_CLASS = "missing_class"
    IMBALANCE = "class_imbalance"
    SHIFT = "class_shift"


@dataclass(frozen=True, slots=True)
class DataFinding:
    """One kind of fault, with everything it was found in.

    Attributes
    ----------
    kind : Kind
    sentence : str
        Names up to five examples.
    is_error : bool
        Whether to refuse to search.
    samples : tuple of tuples of str
        All samples by name: a tuple for each set of duplicates, each group or each file. Empty where the
        finding is about counts.
    """

    kind: Kind
    sentence: str
    is_error: bool = False
    samples: tuple[tuple[str, ...], ...] = ()


def examples(items: Sequence[str], separator: str = ", ") -> str:
    """The first few of `items`, and how many more there are."""
    shown = separator.join(items[:EXAMPLES])
    rest = len(items) - EXAMPLES
    return f"{shown}{separator}and {rest} more" if rest > 0 else shown


def number(count: int, thing: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"

"""What a source gives, before it is split."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Samples
from archsearch.space.data_words import Part

# Float32 samples larger than this share of the memory are streamed: each worker holds the training part,
# the framework may hold it once more, and there may be several workers.
STREAMED_SHARE = 1 / 8

# Bytes of an array on disk that are looked at in one go.
BLOCK_BYTES = 16 * 1024**2

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """Samples and labels of a source.

    Attributes
    ----------
    samples : Samples
    labels : array of int64, shape (samples,)
        Indices of `classes`.
    classes : tuple of str
    names : sequence of str
    given : mapping of str to array of int64
        The samples of the splits that the source gives; empty where it gives none.
    groups : array of str, shape (samples,), or None
    unreadable, notes : tuple of str
    digest : str
        Of the samples, where it is known already.
    firsts : array of int64, shape (samples,), or None
        The first sample with the same numbers as each, where that is known already.
    """

    samples: Samples
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    names: Sequence[str]
    given: Mapping[Part, NDArray[np.int64]] = field(default_factory=dict)
    groups: NDArray[np.str_] | None = None
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    digest: str = ""
    firsts: NDArray[np.int64] | None = None


def in_blocks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Successive rows of `array`, of which each copy fits into memory even where the whole does not."""
    rows = max(1, BLOCK_BYTES * len(array) // max(1, array.nbytes))
    return (array[start : start + rows] for start in range(0, len(array), rows))


def digest_of(numbers: bytes) -> bytes:
    """What stands for the numbers of a sample when samples are compared."""
    return hashlib.blake2b(numbers, digest_size=16).digest()


def first_samples(x: Samples) -> NDArray[np.int64]:
    """The first sample with the same stored numbers as each, shape (len(x),)."""
    firsts: dict[bytes, int] = {}
    rows = (digest_of(row.tobytes()) for row in x.stored)
    return np.array([firsts.setdefault(row, number) for number, row in enumerate(rows)], np.int64)


def needs_streaming(shape: tuple[int, ...]) -> bool:
    """Whether an array of `shape` in float32 is too large a share of this machine's memory."""
    return 4 * float(np.prod(shape, dtype=np.float64)) > STREAMED_SHARE * memory()


def memory() -> int:
    """Bytes of memory that this process may use: the machine's, or its control group's if that has fewer."""
    import os

    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in map(Path, _CGROUP_LIMITS):
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        limits += [int(text)] if text.isdecimal() else []
    return min(limits)

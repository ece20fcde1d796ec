"""A data set as training, references and the audit take it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsearch.data.shapes import DataShape
from archsearch.data.splits import Split


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples as they are stored; what takes some of them gets float32.

    Attributes
    ----------
    stored : array, shape (samples, *input_shape)
        Numbers of any kind; on disk (a ``numpy.memmap``) where they would not fit into memory as float32.
    scale : float
        What a stored number is multiplied by.
    is_streamed : bool
        Whether training should take batches one by one rather than everything at once.
    """

    stored: NDArray[Any]
    scale: float = 1.0
    is_streamed: bool = False

    def __len__(self) -> int:
        return len(self.stored)

    def take(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """The samples at `indices`, scaled, shape (len(indices), *input_shape)."""
        taken = self.stored[indices].astype(np.float32)
        return taken if self.scale == 1.0 else taken * np.float32(self.scale)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Samples, labels and their split.

    Attributes
    ----------
    shape : DataShape
    x : Samples
        Images scaled to [0, 1].
    y : array of int64, shape (samples,)
        Class indices.
    split : Split
    fingerprint : str
        Of samples, labels and split.
    class_weights : mapping of int to float, or None
        What the training loss of each class is multiplied by; judged losses are never weighted.
    names : sequence of str
        What to call each sample: its file below the folder, or its row.
    groups : array of str, shape (samples,), or None
        Samples of one group (a patient, say) may not be on two sides of a split; an empty text is a group
        of its own.
    unreadable : tuple of str
        ``name: why`` of files that could not be read and were left out.
    notes : tuple of str
        What was converted on the way, a sentence each.
    """

    shape: DataShape
    x: Samples
    y: NDArray[np.int64]
    split: Split
    fingerprint: str
    class_weights: Mapping[int, float] | None = None
    names: Sequence[str] = ()
    groups: NDArray[np.str_] | None = None
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

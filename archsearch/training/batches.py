"""Batches that are read when they are needed, for samples that do not fit into memory."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset


class Stream(keras.utils.PyDataset):  # type: ignore[misc]
    """A data set's training part, batch by batch; every sample once an epoch, the last batch may be smaller.

    Parameters
    ----------
    dataset : Dataset
    batch_size : int
    seed : int
        The order of an epoch's samples follows from it and the epoch's number.
    """

    def __init__(self, dataset: Dataset, batch_size: int, seed: int) -> None:
        super().__init__()
        self._dataset = dataset
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0
        self._shuffle()

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._order) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        start = index * self._batch_size
        # Sorted, so that a file is read from front to back; the order within a batch changes nothing.
        rows = np.sort(self._order[start : start + self._batch_size])
        return self._dataset.x.take(rows), self._dataset.y[rows]

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        random: Any = np.random.default_rng((self._seed, self._epoch))
        self._order = random.permutation(self._dataset.split.train)

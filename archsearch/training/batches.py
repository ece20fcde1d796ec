"""The order of an epoch's samples, and samples that are read when they are needed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset


def epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order of `count` samples in an epoch, which is counted from 0; it follows from nothing else."""
    return np.random.default_rng((seed, epoch)).permutation(count)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some successive batches of an epoch.

    Attributes
    ----------
    x : array of float32, shape (samples, *input_shape)
        In the order in which they are stored.
    y : array of int64, shape (samples,)
    order : array of int64, shape (samples,)
        In which they are trained on.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    order: NDArray[np.int64]


def blocks(dataset: Dataset, order: NDArray[np.int64], samples: int) -> Iterator[Block]:
    """The training part in `order`, at most so many `samples` at once; the next ones are read ahead."""
    rows = dataset.split.train[order]
    with ThreadPoolExecutor(1) as reader:
        starts = range(0, len(rows), samples)
        coming = [reader.submit(_block, dataset, rows[:samples])]
        for start in starts:
            block = coming.pop().result()
            if start + samples < len(rows):
                following = rows[start + samples : start + 2 * samples]
                coming.append(reader.submit(_block, dataset, following))
            yield block


class Stream(keras.utils.PyDataset):  # type: ignore[misc]
    """A data set's training part for ``fit``, batch by batch: the same batches as from memory.

    Parameters
    ----------
    dataset : Dataset
    batch_size : int
    seed : int
        The order of an epoch's samples follows from it and the epoch's number.
    epoch : int
        The first one, counted from 0.
    """

    def __init__(self, dataset: Dataset, batch_size: int, seed: int, epoch: int = 0) -> None:
        super().__init__()
        self._dataset = dataset
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = epoch
        self._shuffle()

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._rows) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        start = index * self._batch_size
        block = _block(self._dataset, self._rows[start : start + self._batch_size])
        return block.x[block.order], block.y[block.order]

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        train = self._dataset.split.train
        self._rows: Any = train[epoch_order(self._seed, self._epoch, len(train))]


def _block(dataset: Dataset, rows: NDArray[np.int64]) -> Block:
    # Read from front to back, as files like to be read.
    forwards = np.argsort(rows)
    read = rows[forwards]
    return Block(dataset.x.take(read), dataset.y[read], np.argsort(forwards))

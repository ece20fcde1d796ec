"""The data a space can name."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset, Samples
from archsearch.data.shapes import data_shape
from archsearch.data.splits import split
from archsearch.errors import DataError
from archsearch.space.data_words import Data


def load(data: Data) -> Dataset:
    """Load `data` and split them.

    Raises
    ------
    DataError
        If the splits asked for leave too few samples of a class.
    """
    x, y = {"digits": _digits}[data.source]()
    try:
        parts = split(y, data.validation, data.test, data.split_seed)
    except ValueError as error:
        raise DataError(f"data: {data.source} can't be split as asked: {error}") from None
    digest = hashlib.sha256()
    for array in (x, y, *parts):
        digest.update(np.ascontiguousarray(array).tobytes())
    return Dataset(data_shape(data), Samples(x), y, parts, digest.hexdigest()[:16])


def _digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = digits.images[..., np.newaxis] / 16
    return images.astype(np.float32), digits.target.astype(np.int64)

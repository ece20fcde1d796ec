"""Data sets that tests of the audit make by hand."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from archsearch.data.dataset import Dataset, Samples
from archsearch.data.shapes import DataShape
from archsearch.data.splits import Split


def dataset(
    x: NDArray,
    parts: Sequence[str],
    labels: Sequence[int] | None = None,
    classes: Sequence[str] = ("cat", "dog"),
    **others,
) -> Dataset:
    """A data set of samples with the part that each belongs to; labels alternate unless they are given."""
    where = np.array(parts)
    y = np.arange(len(x)) % len(classes) if labels is None else np.array(labels)
    train, val, test = (np.flatnonzero(where == part) for part in ("train", "val", "test"))
    split = Split(train, val, test, train, np.zeros(len(val), np.bool_))
    others.setdefault("names", tuple(f"{number:04d}.png" for number in range(len(x))))
    shape = DataShape(tuple(x.shape[1:]), tuple(classes))
    scale = 1 / 255 if x.dtype == np.uint8 else 1.0
    return Dataset(shape, Samples(x, scale), y.astype(np.int64), split, "made", **others)


def textures(count: int, side: int = 48, seed: int = 0) -> NDArray[np.uint8]:
    """Grey images whose amplitudes fall with frequency as those of photographs do, (count, side, side, 1)."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(side)[:, np.newaxis], np.fft.rfftfreq(side))
    frequency[0, 0] = 1
    noise = np.fft.rfft2(random.normal(size=(count, side, side))) / frequency
    images = np.fft.irfft2(noise, s=(side, side))
    low, high = images.min((1, 2), keepdims=True), images.max((1, 2), keepdims=True)
    return ((images - low) / (high - low) * 255).round().astype(np.uint8)[..., np.newaxis]


def reencoded(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """The image after JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0]).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))[..., np.newaxis]


def resized(image: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """The image after it was resized to a share of its side and back."""
    side = image.shape[0]
    small = Image.fromarray(image[..., 0]).resize((round(side * share),) * 2, Image.Resampling.BILINEAR)
    return np.asarray(small.resize((side, side), Image.Resampling.BILINEAR))[..., np.newaxis]

"""Sources that are arrays: NumPy archives, Keras' data sets, the user's function, the bundled digits."""

import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from archsearch.data.dataset import Samples
from archsearch.data.loaded import Loaded, needs_streaming
from archsearch.data.shapes import SHAPES
from archsearch.errors import DataError, Refused
from archsearch.space.data_words import PARTS, Data, Part
from archsearch.usercode import describe_error, load_object

Array = NDArray[Any]

KEYS = "x_train and y_train (x_val, y_val, x_test, y_test), or x and y"

# What NumPy and zipfile raise for files that are damaged, encrypted or something else.
_UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)

# Names of the same thing in archives that are going round; the first of each is the documented one.
_SAMPLES: dict[str, tuple[str, ...]] = {
    "": ("x", "images", "data"),
    "train": ("x_train", "train_images", "train_x"),
    "val": ("x_val", "val_images", "val_x", "x_valid", "x_validation"),
    "test": ("x_test", "test_images", "test_x"),
}
_LABELS: dict[str, tuple[str, ...]] = {
    "": ("y", "labels", "target"),
    "train": ("y_train", "train_labels", "train_y"),
    "val": ("y_val", "val_labels", "val_y", "y_valid", "y_validation"),
    "test": ("y_test", "test_labels", "test_y"),
}


def load_digits() -> Loaded:
    """The 1,797 handwritten digits that come with scikit-learn."""
    from sklearn.datasets import load_digits as load

    digits = load()
    images = (digits.images[..., np.newaxis] / 16).astype(np.float32)
    names = [f"x[{number}]" for number in range(len(images))]
    return Loaded(Samples(images), digits.target.astype(np.int64), SHAPES["digits"].classes, names)


def load_keras(data: Data) -> Loaded:
    """One of Keras' built-in data sets, downloaded by Keras if its cache does not have it.

    Raises
    ------
    DataError
        If it is not in the cache and can't be downloaded.
    """
    import keras

    name = str(data.source)
    try:
        train, test = getattr(keras.datasets, name).load_data()
    except Exception as error:  # whatever its download and its reading of old pickles raise
        folder = Path(os.environ.get("KERAS_HOME") or "~/.keras") / "datasets"
        raise DataError(
            f"data: {name} is not (or not whole) in Keras' cache, {folder}, and can't be downloaded: "
            f"{' '.join(str(error).split())}"
        ) from None
    arrays = {"x_train": train[0], "y_train": train[1], "x_test": test[0], "y_test": test[1]}
    return _loaded(arrays, name, data, SHAPES[name].classes)


def load_archive(data: Data, folder: Path) -> Loaded:
    """An ``.npz`` file.

    Raises
    ------
    DataError
        If it can't be read, holds pickled objects, or its arrays are not samples and labels.
    """
    path, where = _archive(data, folder)
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = _names(archive.files, where)
            arrays = {key: archive[key] for pair in names.values() for key in pair}
    except _UNREADABLE as error:
        raise DataError(f"{where}: can't be read: {_cause(error)}") from None
    return _loaded(arrays, where, data)


def archive_shape(data: Data, folder: Path) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Input shape and classes of an ``.npz`` file, from its headers and labels.

    Raises
    ------
    DataError
        As `load_archive`.
    """
    path, where = _archive(data, folder)
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = _names(archive.files, where)
            labels = {key: archive[key] for _, key in names.values()}
        with zipfile.ZipFile(path) as zipped:
            samples = next(iter(names.values()))[0]
            shape = _header(zipped, samples)
    except _UNREADABLE as error:
        raise DataError(f"{where}: can't be read: {_cause(error)}") from None
    classes, _ = _classes(
        {key: _flat_labels(array, f"{where}: {key}") for key, array in labels.items()}, where
    )
    return _input_shape(shape, f"{where}: {samples}"), classes


def called(data: Data, folder: Path) -> Loaded:
    """What the user's function returns.

    Raises
    ------
    DataError
        If it can't be imported, raises, or returns something other than samples and labels.
    """
    assert data.python is not None
    where = f"data: python: {data.python}"
    try:
        function = load_object(data.python, folder)
    except Refused as error:
        raise DataError(f"data: python: {error}") from None
    if not callable(function):
        raise DataError(f"{where}: {type(function).__name__} is no function")
    try:
        returned = function()
    except (Exception, SystemExit) as error:
        raise DataError(f"{where} raised {describe_error(error, folder)}") from None
    return _loaded(_mapping(returned, where), where, data)


def _mapping(returned: Any, where: str) -> dict[str, Array]:
    """What a function returned, under the names of an archive."""
    if isinstance(returned, Mapping):
        return {str(key): np.asarray(value) for key, value in returned.items()}
    is_sequence = isinstance(returned, tuple | list)
    if is_sequence and len(returned) == 2 and not any(isinstance(part, tuple) for part in returned):
        return {"x": np.asarray(returned[0]), "y": np.asarray(returned[1])}
    pairs = is_sequence and all(isinstance(part, tuple | list) and len(part) == 2 for part in returned)
    if pairs and len(returned) in (2, 3):
        parts = PARTS if len(returned) == 3 else ("train", "test")
        return {
            f"{letter}_{part}": np.asarray(array)
            for part, pair in zip(parts, returned, strict=True)
            for letter, array in zip("xy", pair, strict=True)
        }
    raise DataError(
        f"{where} returned {type(returned).__name__}; it must return (x, y), "
        f"((x, y), (x_val, y_val), (x_test, y_test)) or a mapping with the keys {KEYS}"
    )


def _archive(data: Data, folder: Path) -> tuple[Path, str]:
    path = folder / Path(str(data.npz)).expanduser()
    where = f"data: npz: {data.npz}"
    if not path.is_file():
        raise DataError(f"{where}: no such file")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{where}: not a NumPy archive (.npz); numpy.savez writes one")
    return path, where


def _cause(error: Exception) -> str:
    if "allow_pickle" in str(error):
        return "it holds pickled Python objects, which could run code; save arrays of numbers or of text"
    return " ".join(str(error).split()) or type(error).__name__


def _header(zipped: zipfile.ZipFile, key: str) -> tuple[int, ...]:
    with zipped.open(f"{key}.npy") as file:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("allow_pickle")
    return tuple(shape)


def _names(found: Any, where: str) -> dict[str, tuple[str, str]]:
    """The keys of samples and labels of each part; the part ``""`` is everything, still to be split."""
    lower = {str(key).lower(): str(key) for key in found}
    names = {}
    for part in ("", *PARTS):
        samples = next((lower[key] for key in _SAMPLES[part] if key in lower), None)
        labels = next((lower[key] for key in _LABELS[part] if key in lower), None)
        if samples and labels:
            names[part] = (samples, labels)
        elif samples or labels:
            there, lacks = (samples, _LABELS[part][0]) if samples else (labels, _SAMPLES[part][0])
            raise DataError(f"{where}: {there} without {lacks}")
    if "train" in names:
        names.pop("", None)
    elif set(names) != {""}:
        raise DataError(f"{where}: has {', '.join(map(str, found)) or 'nothing'}; it needs {KEYS}")
    return names


def _loaded(
    arrays: Mapping[str, Array], where: str, data: Data, classes: tuple[str, ...] | None = None
) -> Loaded:
    names = _names(arrays, where)
    if data.test == "none":
        names.pop("test", None)
    samples, notes = _samples([arrays[x] for x, _ in names.values()], [x for x, _ in names.values()], where)
    flat = {y: _flat_labels(arrays[y], f"{where}: {y}") for _, y in names.values()}
    for (x, y), array in zip(names.values(), flat.values(), strict=True):
        if len(arrays[x]) != len(array):
            raise DataError(f"{where}: {len(arrays[x])} samples in {x}, but {len(array)} labels in {y}")
    known, indices = _classes(flat, where)
    if classes is not None and len(known) == len(classes):
        known = classes
    starts = np.cumsum([0, *map(len, indices)])
    given: dict[Part, NDArray[np.int64]] = {
        part: np.arange(starts[number], starts[number + 1])
        for number, name in enumerate(names)
        for part in PARTS
        if part == name
    }
    titles = [
        f"{x}[{row}]"
        for (x, _), labels in zip(names.values(), indices, strict=True)
        for row in range(len(labels))
    ]
    return Loaded(samples, np.concatenate(indices), known, titles, given, notes=notes)


def _samples(parts: list[Array], keys: list[str], where: str) -> tuple[Samples, tuple[str, ...]]:
    shapes = [_input_shape(part.shape, f"{where}: {key}") for part, key in zip(parts, keys, strict=True)]
    for part, key, shape in zip(parts, keys, shapes, strict=True):
        if shape != shapes[0]:
            raise DataError(f"{where}: samples of shape {shape} in {key}, but {shapes[0]} in {keys[0]}")
        if part.dtype.kind not in "buif":
            raise DataError(f"{where}: {key} holds {part.dtype}, not numbers")
        if part.dtype.kind == "f" and not np.isfinite(part).all():
            broken = int((~np.isfinite(part)).sum())
            raise DataError(f"{where}: {key} holds {broken} numbers that are not finite (NaN or infinite)")
    stored = np.concatenate([part.reshape(len(part), *shapes[0]) for part in parts])
    is_streamed = needs_streaming(stored.shape)
    if stored.dtype == np.uint8 and stored.ndim > 2:
        return Samples(stored, 1 / 255, is_streamed), ()
    small = stored.astype(np.float32) if stored.dtype == np.float64 else stored
    return Samples(small, 1.0, is_streamed), ()


def _input_shape(shape: tuple[int, ...], where: str) -> tuple[int, ...]:
    """One sample's shape: images get a channel axis."""
    if len(shape) not in (2, 3, 4):
        raise DataError(
            f"{where} has the shape {shape}; it must be (samples, features), (samples, height, width) or "
            "(samples, height, width, channels)"
        )
    if 0 in shape:
        raise DataError(f"{where} has the shape {shape}: it is empty")
    return (*shape[1:], 1) if len(shape) == 3 else shape[1:]


def _flat_labels(labels: Array, where: str) -> Array:
    """One label for each sample: columns are squeezed, one-hot rows become their class."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "buif":
        if ((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all():
            hot: Array = labels.argmax(axis=1)
            return hot
        raise DataError(
            f"{where}: rows of several numbers that are not one-hot: each sample must have one class"
        )
    if labels.ndim != 1:
        raise DataError(f"{where} has the shape {labels.shape}; it must be one label for each sample")
    if labels.dtype.kind == "f" and np.array_equal(labels, np.floor(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind not in "buiUO":
        raise DataError(f"{where} holds {labels.dtype}; labels are whole numbers from 0 or text")
    return labels.astype(np.str_) if labels.dtype.kind == "O" else labels


def _classes(labels: Mapping[str, Array], where: str) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """Class names and class indices of each array of labels."""
    everything = np.concatenate(list(labels.values()))
    if everything.dtype.kind == "U":
        names, indices = np.unique(everything, return_inverse=True)
        classes = tuple(map(str, names))
    else:
        indices = everything.astype(np.int64)
        if indices.min() < 0:
            raise DataError(
                f"{where}: the label {indices.min()} is out of range: labels are 0, 1, 2 … or text"
            )
        if indices.max() >= len(indices):
            raise DataError(
                f"{where}: the label {indices.max()} is out of range: {len(indices)} samples have fewer "
                "classes; number them 0, 1, 2 … or name them"
            )
        counts = np.bincount(indices)
        if (counts == 0).any():
            absent = ", ".join(map(str, np.flatnonzero(counts == 0)[:5]))
            raise DataError(
                f"{where}: labels go up to {len(counts) - 1}, but no sample has {absent}: out of range, "
                "or a class without samples; number the classes 0, 1, 2 … or name them"
            )
        classes = tuple(map(str, range(len(counts))))
    if len(classes) < 2:
        raise DataError(f"{where}: one class only, {classes[0]}; there must be at least two")
    ends = np.cumsum([len(part) for part in labels.values()])[:-1]
    return classes, [part.astype(np.int64) for part in np.split(indices, ends)]

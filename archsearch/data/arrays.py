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
from archsearch.data.loaded import Loaded, in_blocks, needs_streaming
from archsearch.data.shapes import SHAPES
from archsearch.errors import DataError, Refused
from archsearch.home import expanded
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
            names = _names(archive.files, where, data)
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
            names = _names(archive.files, where, data)
            labels = {key: archive[key] for _, key in names.values()}
        with zipfile.ZipFile(path) as zipped:
            shapes = {key: _header(zipped, key) for key, _ in names.values()}
    except _UNREADABLE as error:
        raise DataError(f"{where}: can't be read: {_cause(error)}") from None
    input_shape = _input_shape(shapes, where)
    return input_shape, _classes(_flat(names, shapes, labels, where), where)[0]


# What the user's function returned when its shape was asked for, until it is loaded.
_kept: dict[tuple[str | None, Path, bool], Loaded] = {}


def called_shape(data: Data, folder: Path) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Input shape and classes of what the user's function returns, which is kept for `load_called`.

    Raises
    ------
    DataError
        As `load_called`.
    """
    key = _key(data, folder)
    if key not in _kept:
        _kept.clear()
        _kept[key] = _called(data, folder)
    return _kept[key].samples.stored.shape[1:], _kept[key].classes


def load_called(data: Data, folder: Path) -> Loaded:
    """What the user's function returns.

    Raises
    ------
    DataError
        If it can't be imported, raises, or returns something other than samples and labels.
    """
    return _kept.pop(_key(data, folder), None) or _called(data, folder)


def _key(data: Data, folder: Path) -> tuple[str | None, Path, bool]:
    return data.python, folder.resolve(), data.test == "none"


def _called(data: Data, folder: Path) -> Loaded:
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
        return {str(key): _array(value, f"{where}: {key}") for key, value in returned.items()}
    is_sequence = isinstance(returned, tuple | list)
    if is_sequence and len(returned) == 2 and not any(isinstance(part, tuple) for part in returned):
        return {key: _array(value, f"{where}: {key}") for key, value in zip("xy", returned, strict=True)}
    pairs = is_sequence and all(isinstance(part, tuple | list) and len(part) == 2 for part in returned)
    if pairs and len(returned) in (2, 3):
        parts = PARTS if len(returned) == 3 else ("train", "test")
        return {
            f"{letter}_{part}": _array(array, f"{where}: {letter}_{part}")
            for part, pair in zip(parts, returned, strict=True)
            for letter, array in zip("xy", pair, strict=True)
        }
    raise DataError(
        f"{where} returned {type(returned).__name__}; it must return (x, y), "
        f"((x, y), (x_val, y_val), (x_test, y_test)) or a mapping with the keys {KEYS}"
    )


def _archive(data: Data, folder: Path) -> tuple[Path, str]:
    path = folder / expanded(str(data.npz))
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


def _names(found: Any, where: str, data: Data) -> dict[str, tuple[str, str]]:
    """The keys of samples and labels of each part; the part ``""`` is everything, still to be split.

    A test set that the space goes without is left out.
    """
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
    if data.test == "none":
        names.pop("test", None)
    return names


def _array(value: Any, where: str) -> Array:
    if isinstance(value, np.memmap):
        return value
    try:
        array = np.asarray(value)
        # Of texts with a NaN among them NumPy makes texts, one of them "nan".
        return np.asarray(value, object) if array.dtype.kind == "U" and isinstance(value, list) else array
    except Exception as error:  # lists of different lengths, and whatever a class of the user's raises
        raise DataError(f"{where} can't be made an array: {' '.join(str(error).split())}") from None


def _loaded(
    arrays: Mapping[str, Array], where: str, data: Data, classes: tuple[str, ...] | None = None
) -> Loaded:
    names = _names(arrays, where, data)
    samples, notes = _samples({key: arrays[key] for key, _ in names.values()}, where)
    flat = _flat(names, {key: array.shape for key, array in arrays.items()}, arrays, where)
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


def _samples(parts: Mapping[str, Array], where: str) -> tuple[Samples, tuple[str, ...]]:
    shape = _input_shape({key: part.shape for key, part in parts.items()}, where)
    for key, part in parts.items():
        if part.dtype.kind not in "buif":
            raise DataError(f"{where}: {key} holds {part.dtype}, not numbers")
        blocks = in_blocks(part) if part.dtype.kind == "f" else ()
        broken = sum(int((~np.isfinite(block)).sum()) for block in blocks)
        if broken:
            raise DataError(f"{where}: {key} holds {broken} numbers that are not finite (NaN or infinite)")
    shaped = [part.reshape(len(part), *shape) for part in parts.values()]
    stored = shaped[0] if len(shaped) == 1 else np.concatenate(shaped)
    is_streamed = needs_streaming(stored.shape)
    if stored.dtype == np.uint8 and stored.ndim > 2:
        return Samples(stored, 1 / 255, is_streamed), ()
    # What is on disk stays there.
    is_small = stored.dtype != np.float64 or isinstance(stored, np.memmap)
    samples = Samples(stored if is_small else stored.astype(np.float32), 1.0, is_streamed)
    if stored.ndim > 2 and stored.max() > 1:
        values = f"values from {stored.min():g} to {stored.max():g}"
        return samples, (f"{values} are taken as they are; networks learn images best scaled to 0…1",)
    return samples, ()


def _input_shape(shapes: Mapping[str, tuple[int, ...]], where: str) -> tuple[int, ...]:
    """The shape of a sample, the same in arrays of these shapes."""
    found = {key: _sample_shape(shape, f"{where}: {key}") for key, shape in shapes.items()}
    first = next(iter(found))
    for key, shape in found.items():
        if shape != found[first]:
            raise DataError(f"{where}: samples of shape {shape} in {key}, but {found[first]} in {first}")
    return found[first]


def _sample_shape(shape: tuple[int, ...], where: str) -> tuple[int, ...]:
    """One sample's shape: images get a channel axis."""
    if len(shape) not in (2, 3, 4):
        raise DataError(
            f"{where} has the shape {shape}; it must be (samples, features), (samples, height, width) or "
            "(samples, height, width, channels)"
        )
    if 0 in shape:
        raise DataError(f"{where} has the shape {shape}: it is empty")
    return (*shape[1:], 1) if len(shape) == 3 else shape[1:]


def _flat(
    names: Mapping[str, tuple[str, str]],
    shapes: Mapping[str, tuple[int, ...]],
    labels: Mapping[str, Array],
    where: str,
) -> dict[str, Array]:
    """The labels of each part, one for each of its samples."""
    flat = {y: _flat_labels(labels[y], f"{where}: {y}") for _, y in names.values()}
    for x, y in names.values():
        if shapes[x][0] != len(flat[y]):
            raise DataError(f"{where}: {shapes[x][0]} samples in {x}, but {len(flat[y])} labels in {y}")
    return flat


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
    if labels.dtype.kind in "fO":
        import pandas as pd

        if missing := int(pd.isna(labels).sum()):
            raise DataError(f"{where}: {missing} of {len(labels)} samples have no label (None or NaN)")
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

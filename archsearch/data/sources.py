"""Loading the data a space names."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset, Samples
from archsearch.data.loaded import Loaded
from archsearch.data.shapes import DataShape
from archsearch.data.splits import Split, TooFewGroups, split
from archsearch.data.weights import class_weights, require_known_classes
from archsearch.errors import DataError
from archsearch.space.data_words import PARTS, TABLES, Data


def load(data: Data, folder: Path = Path()) -> Dataset:
    """Load `data` and split them.

    Parameters
    ----------
    data : Data
    folder : path
        Where relative paths and the user's modules are looked up.

    Raises
    ------
    DataError
        If the source can't be read as its word asks, or if the splits leave too few samples of a class.
    """
    loaded = _read(data, folder)
    require_known_classes(data.class_weights, loaded.classes)
    _require_every_class(data, loaded)
    parts = _split(data, loaded)
    samples, notes = loaded.samples, loaded.notes
    if data.kind in TABLES:
        from archsearch.data.tables import standardised

        samples = standardised(samples, parts.train)
        notes = (*notes, "features were standardised with the training set's means and deviations")
    return Dataset(
        shape=DataShape(samples.stored.shape[1:], loaded.classes),
        x=samples,
        y=loaded.labels,
        split=parts,
        fingerprint=_fingerprint(samples, loaded, parts),
        class_weights=class_weights(data.class_weights, loaded.labels[parts.train], loaded.classes),
        names=loaded.names,
        groups=loaded.groups,
        unreadable=loaded.unreadable,
        notes=(*notes, *_unused_words(data, loaded)),
    )


def _read(data: Data, folder: Path) -> Loaded:
    # Each source has libraries that the others do without.
    if data.image_folder is not None:
        from archsearch.data.images import load_folder

        return load_folder(data, folder)
    if data.kind in TABLES:
        from archsearch.data.tables import load_table

        return load_table(data, folder)
    from archsearch.data import arrays

    if data.npz is not None:
        return arrays.load_archive(data, folder)
    if data.python is not None:
        return arrays.called(data, folder)
    return arrays.load_digits() if data.source == "digits" else arrays.load_keras(data)


def _require_every_class(data: Data, loaded: Loaded) -> None:
    if not loaded.given:
        _require_counts(data, loaded, np.arange(len(loaded.labels)), 2 if data.test == "none" else 3)
    for part, indices in loaded.given.items():
        counts = np.bincount(loaded.labels[indices], minlength=len(loaded.classes))
        missing = [name for name, count in zip(loaded.classes, counts, strict=True) if not count]
        if missing:
            raise DataError(
                f"data: {data.origin}: the {part} split has no readable sample of {', '.join(missing)}; "
                "every split needs every class"
            )
    if loaded.given and "test" not in loaded.given and not _may_lack_test(data):
        found = " and ".join(part for part in PARTS if part in loaded.given)
        raise DataError(
            f"data: {data.origin}: it gives {found}, but no test set; write test: 0.2 to split one off "
            "train, or test: none to go without"
        )
    if loaded.given:
        needed = 1 + ("val" not in loaded.given) + ("test" not in loaded.given and data.test != "none")
        _require_counts(data, loaded, loaded.given["train"], needed)


def _may_lack_test(data: Data) -> bool:
    return data.test == "none" or "test" in data.model_fields_set


def _require_counts(data: Data, loaded: Loaded, indices: NDArray[np.int64], needed: int) -> None:
    counts = np.bincount(loaded.labels[indices], minlength=len(loaded.classes))
    number = int(counts.argmin())
    if counts[number] < needed:
        raise DataError(
            f"data: {data.origin} can't be split as asked: the class {loaded.classes[number]} has "
            f"{counts[number]} samples, and {needed} parts need one each"
        )


def _split(data: Data, loaded: Loaded) -> Split:
    test = None if data.test == "none" else data.test
    try:
        return split(loaded.labels, data.validation, test, data.split_seed, loaded.given, loaded.groups)
    except TooFewGroups as error:
        raise DataError(
            f"data: {data.origin} can't be split as asked: the class {loaded.classes[error.label]} has "
            f"too few groups ({error.groups}) for every part to get one"
        ) from None
    except ValueError as error:
        raise DataError(
            f"data: {data.origin} can't be split as asked: {error} ({len(loaded.labels)} samples of "
            f"{len(loaded.classes)} classes, validation: {data.validation}, test: {data.test})"
        ) from None


def _unused_words(data: Data, loaded: Loaded) -> Iterator[str]:
    for word, part in (("validation", "val"), ("test", "test")):
        said = getattr(data, word)
        if part in loaded.given and said != Data.model_fields[word].default:
            yield f"{word}: {said} is not used: the data bring their own {part} split"


def _fingerprint(samples: Samples, loaded: Loaded, parts: Split) -> str:
    digest = hashlib.sha256()
    if loaded.digest:
        digest.update(loaded.digest.encode())
    else:
        digest.update(np.ascontiguousarray(samples.stored).tobytes())
    for array in (loaded.labels, *parts):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]

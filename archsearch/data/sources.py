"""Loading the data a space names."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset, Samples
from archsearch.data.loaded import Loaded, first_samples, in_blocks
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
        return arrays.load_called(data, folder)
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
                f"every split needs every class{_unreadable(loaded, missing)}"
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
            f"{_unreadable(loaded, [loaded.classes[number]])}"
        )


def _unreadable(loaded: Loaded, classes: Sequence[str]) -> str:
    """What to add where those classes have files that could not be read."""
    files = [text for text in loaded.unreadable if set(classes) & set(text.split("/"))]
    return f" ({len(files)} files of it could not be read, such as {files[0]})" if files else ""


def _split(data: Data, loaded: Loaded) -> Split:
    test = None if data.test == "none" else data.test
    is_given = "val" in loaded.given and (test is None or "test" in loaded.given)
    # Whose samples may leak is asked for them as they are.
    groups = loaded.groups if is_given or data.allow_leaks else _with_copies(loaded)
    try:
        return split(loaded.labels, data.validation, test, data.split_seed, loaded.given, groups)
    except TooFewGroups as error:
        raise DataError(
            f"data: {data.origin} can't be split as asked: the class {loaded.classes[error.label]} has "
            f"{_too_few(error.groups, loaded, groups)}"
        ) from None
    except ValueError as error:
        raise DataError(
            f"data: {data.origin} can't be split as asked: {error} ({len(loaded.labels)} samples of "
            f"{len(loaded.classes)} classes, validation: {data.validation}, test: {data.test})"
        ) from None


def _too_few(count: int, loaded: Loaded, groups: NDArray[np.str_] | None) -> str:
    things = "different samples" if loaded.groups is None else "groups"
    hint = "" if groups is loaded.groups else "; with allow_leaks: true identical samples may be in several"
    return f"too few {things} ({count}) for every part to get one{hint}"


def _with_copies(loaded: Loaded) -> NDArray[np.str_] | None:
    """The groups, after those that share identical samples were made one: copies on two sides are a leak."""
    firsts = first_samples(loaded.samples) if loaded.firsts is None else loaded.firsts
    count = len(firsts)
    shared_out = firsts[loaded.given.get("train", np.arange(count))]
    if len(np.unique(shared_out)) == len(shared_out):
        return loaded.groups
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    mates = np.arange(count)
    if loaded.groups is not None:
        _, starts, of = np.unique(loaded.groups, return_index=True, return_inverse=True)
        mates = np.where(loaded.groups == "", mates, starts[of])
    rows = np.tile(np.arange(count), 2)
    links = coo_array((np.ones(2 * count, np.bool_), (rows, np.concatenate([firsts, mates]))), (count, count))
    together: NDArray[np.str_] = connected_components(links, directed=False)[1].astype(np.str_)
    return together


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
        for block in in_blocks(samples.stored):
            digest.update(np.ascontiguousarray(block).data)
    for array in (loaded.labels, *parts):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]

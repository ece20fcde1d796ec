"""Tables of numbers: CSV and Parquet files, one row for each sample."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Samples
from archsearch.data.loaded import Loaded
from archsearch.errors import DataError
from archsearch.space.data_words import Data

if TYPE_CHECKING:
    import pandas as pd


def table_shape(data: Data, folder: Path) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """``(features,)`` and the classes of a table, from its header and its label column.

    Raises
    ------
    DataError
        If there is no such file or column, or if labels are missing.
    """
    path, where = _table(data, folder)
    features = _features(data, _columns(data, path, where), where)
    labels = _read(data, path, where, [str(data.label)])[str(data.label)]
    return (len(features),), _classes(labels, where)[0]


def load_table(data: Data, folder: Path) -> Loaded:
    """Features, as they are, and labels of a table.

    Raises
    ------
    DataError
        As `table_shape`; if a feature is no number, or if values are missing.
    """
    path, where = _table(data, folder)
    features = _features(data, _columns(data, path, where), where)
    grouped = data.groups.column if data.groups is not None else None
    label = str(data.label)
    wanted = [*features, label, *([grouped] if grouped and grouped != label else [])]
    frame = _read(data, path, where, wanted)
    classes, indices = _classes(frame[label], where)
    x = _numbers(frame[features], where)
    groups = None
    if grouped is not None:
        column = frame[grouped]
        groups = np.where(column.isna(), "", column.astype(str)).astype(np.str_)
    names = [f"row {number}" for number in range(1, len(frame) + 1)]
    return Loaded(Samples(x), indices, classes, names, groups=groups)


def standardised(loaded: Samples, train: NDArray[np.int64]) -> Samples:
    """Features less their mean in the training part, in units of their deviation there."""
    values = loaded.stored
    mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
    # A feature that is constant in training says nothing, and must not become infinite elsewhere.
    deviation[deviation <= np.finfo(np.float32).eps * np.abs(mean)] = 1.0
    return Samples(((values - mean) / deviation).astype(np.float32))


def _table(data: Data, folder: Path) -> tuple[Path, str]:
    path, where = folder / Path(data.origin).expanduser(), f"data: {data.kind}: {data.origin}"
    if not path.is_file():
        raise DataError(f"{where}: no such file")
    return path, where


def _columns(data: Data, path: Path, where: str) -> list[str]:
    if data.kind == "csv":
        return [str(name) for name in _read(data, path, where, None).columns]
    import pyarrow.parquet  # type: ignore[import-untyped]

    try:
        return [str(name) for name in pyarrow.parquet.read_schema(path).names]
    except Exception as error:
        raise DataError(f"{where}: can't be read as parquet: {' '.join(str(error).split())}") from None


def _read(data: Data, path: Path, where: str, columns: list[str] | None) -> "pd.DataFrame":
    """Some columns of the table; None is the header of a CSV file."""
    import pandas as pd

    try:
        if data.kind == "parquet":
            return pd.read_parquet(path, columns=columns)
        return pd.read_csv(path, nrows=0) if columns is None else pd.read_csv(path, usecols=columns)
    except Exception as error:  # pandas and pyarrow raise nearly anything for damaged files
        raise DataError(f"{where}: can't be read as {data.kind}: {' '.join(str(error).split())}") from None


def _features(data: Data, columns: list[str], where: str) -> list[str]:
    grouped = data.groups.column if data.groups is not None else None
    named = {
        "label": [str(data.label)],
        "groups": [grouped] if grouped else [],
        "drop": list(data.drop or ()),
    }
    for word, names in named.items():
        missing = [name for name in names if name not in columns]
        if missing:
            shown = ", ".join(columns[:20]) + (", …" if len(columns) > 20 else "")
            raise DataError(f"{where}: {word}: no column {', '.join(missing)}; the columns are {shown}")
    taken = [name for names in named.values() for name in names]
    features = [name for name in columns if name not in taken]
    if not features:
        raise DataError(f"{where}: no columns are left as features beside {', '.join(taken)}")
    return features


def _numbers(frame: "pd.DataFrame", where: str) -> NDArray[np.float64]:
    import pandas as pd

    missing = {str(name): int(count) for name, count in frame.isna().sum().items() if count}
    if missing:
        shown = ", ".join(f"{name} ({count})" for name, count in missing.items())
        raise DataError(
            f"{where}: values are missing in {shown} of {len(frame)} rows; fill them, leave those rows out, "
            "or list the columns under drop"
        )
    text = [str(name) for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    if text:
        raise DataError(
            f"{where}: columns that hold no numbers: {', '.join(text)}; turn them into numbers, or list them "
            f"under drop: [{', '.join(text)}]"
        )
    x = frame.to_numpy(np.float64)
    if not np.isfinite(x).all():
        broken = [str(name) for name, bad in zip(frame, ~np.isfinite(x).all(axis=0), strict=True) if bad]
        raise DataError(f"{where}: infinite numbers in {', '.join(broken)}")
    return x


def _classes(labels: "pd.Series", where: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Sorted class names, numbers by size and text by letter, and each row's class."""
    import pandas as pd

    if not len(labels):
        raise DataError(f"{where}: the table has no rows")
    if labels.isna().any():
        first = int(labels.isna().to_numpy().argmax()) + 1
        raise DataError(
            f"{where}: {int(labels.isna().sum())} rows have no {labels.name}, the first is row {first}"
        )
    if pd.api.types.is_float_dtype(labels):
        if (labels % 1 != 0).any():
            raise DataError(
                f"{where}: label: {labels.name} holds fractions; classes are whole numbers or text"
            )
        labels = labels.astype("int64")
    is_text = not (pd.api.types.is_integer_dtype(labels) or pd.api.types.is_bool_dtype(labels))
    values = labels.astype(str).to_numpy(dtype=object).astype(np.str_) if is_text else labels.to_numpy()
    names, indices = np.unique(values, return_inverse=True)
    if len(names) < 2:
        raise DataError(f"{where}: label: one class only, {names[0]}; there must be at least two")
    return tuple(map(str, names)), indices.astype(np.int64)

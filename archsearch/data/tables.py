"""Tables of numbers: CSV and Parquet files, one row for each sample."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Samples
from archsearch.data.loaded import Loaded
from archsearch.errors import DataError
from archsearch.home import expanded
from archsearch.space.data_words import Data

if TYPE_CHECKING:
    import pandas as pd

# What pandas calls a column without a heading.
_NAMELESS = re.compile(r"Unnamed: \d+")


def load_table(data: Data, folder: Path) -> Loaded:
    """Features, as they are, and labels of a table.

    Raises
    ------
    DataError
        If there is no such file or column, if rows have more fields than the header, if a feature is no
        number, or if values are missing.
    """
    path, where = folder / expanded(data.origin), f"data: {data.kind}: {data.origin}"
    if not path.is_file():
        raise DataError(f"{where}: no such file")
    frame = _read(data, path, where)
    features = _features(data, list(frame.columns), where)
    classes, indices = _classes(frame[str(data.label)], where)
    x = _numbers(frame[features], where)
    groups = None
    if data.groups is not None:
        column = frame[data.groups.column]
        groups = np.where(column.isna(), "", column.astype(str)).astype(np.str_)
    names = [f"row {number}" for number in range(1, len(frame) + 1)]
    return Loaded(Samples(x), indices, classes, names, groups=groups, notes=_notes(features))


def standardised(loaded: Samples, train: NDArray[np.int64]) -> Samples:
    """Features less their mean in the training part, in units of their deviation there."""
    values = loaded.stored
    mean, deviation = values[train].mean(axis=0), values[train].std(axis=0)
    # A feature that is constant in training says nothing, and must not become infinite elsewhere.
    deviation[deviation <= np.finfo(np.float32).eps * np.abs(mean)] = 1.0
    return Samples(((values - mean) / deviation).astype(np.float32))


def _read(data: Data, path: Path, where: str) -> "pd.DataFrame":
    """The whole table: of some columns only, pandas would not see that a row has too many fields."""
    import pandas as pd

    try:
        if data.kind == "parquet":
            # An index that was saved along numbers the rows; it is no column.
            frame = pd.read_parquet(path).reset_index(drop=True)
            names = frame.columns.to_series()
        else:
            # In pieces, a column of numbers and texts would hold both.
            frame = pd.read_csv(path, low_memory=False)
            # pandas gives columns of one name different ones.
            names = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0].dropna()
    except Exception as error:  # pandas and pyarrow raise nearly anything for damaged files
        raise DataError(f"{where}: can't be read as {data.kind}: {' '.join(str(error).split())}") from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise DataError(
            f"{where}: line 2 has more fields than the header: give a column of row names a heading, and "
            "look for commas within numbers and at the ends of lines"
        )
    twice = [str(name) for name in names[names.duplicated()].unique()]
    if twice:
        raise DataError(f"{where}: more than one column is called {', '.join(twice)}")
    return frame.rename(columns=str)


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


def _notes(features: list[str]) -> tuple[str, ...]:
    return tuple(
        f"the column {name} has no heading in the file and is a feature; if it numbers the rows, write "
        f'drop: ["{name}"]'
        for name in features
        if _NAMELESS.fullmatch(name)
    )


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
    return x + 0.0  # -0 becomes 0: rows of either are identical


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

"""Columns that a program holds, such as Keras' ``History.history``, as a table."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from archsearch.errors import DataError
from archsearch.histories.table import KNOWN, listed

if TYPE_CHECKING:
    import pandas as pd


def columns_frame(source: str, columns: Mapping[Any, Any]) -> "pd.DataFrame":
    """A row for each place of the lists; without a list of epochs these are 1, 2, 3 ….

    Parameters
    ----------
    source : str
        For messages.
    columns : mapping of str to list
        Of equal lengths; a single value holds for all rows. What is not known by name is left aside.

    Raises
    ------
    DataError
        If the lists differ in length, or there are none.
    """
    import pandas as pd

    cells = {str(name): _cells(value) if name in KNOWN else None for name, value in columns.items()}
    lengths = {name: len(value) for name, value in cells.items() if isinstance(value, list)}
    if not lengths:
        raise DataError(
            f"{source}: no list called loss or val_loss; the names are {listed(list(cells)) or 'none'}"
        )
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(
            f"{source}: the lists differ in length ({said}); give null or NaN for epochs at which a loss was "
            "not measured"
        )
    rows = max(lengths.values())
    whole = {name: value if name in lengths else [value] * rows for name, value in cells.items()}
    return numbered(pd.DataFrame({name: pd.Series(value, dtype=object) for name, value in whole.items()}))


def numbered(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The frame with the epochs 1, 2, 3 … where it has none."""
    if "epoch" not in frame:
        frame.insert(0, "epoch", range(1, len(frame) + 1))
    return frame


def _cells(value: Any) -> Any:
    """A list of what holds several values, arrays too; else the value."""
    is_single = isinstance(value, str | bytes) or getattr(value, "ndim", 1) == 0
    return list(value) if isinstance(value, Iterable) and not is_single else value

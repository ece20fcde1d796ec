"""Columns of loss curves as they were found, and their cells as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from archsearch.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

PER_EPOCH = {
    "train_loss": ("train_loss", "loss"),
    "val_loss": ("val_loss",),
    "train_loss_eval": ("train_loss_eval",),
    "learning_rate": ("learning_rate", "lr"),
    "val_accuracy": ("val_accuracy", "val_acc"),
}
"""Fields of `Curves` with the columns that hold them, the first one found counts. Besides archsearch's own
names these are Keras', whose callbacks shorten learning rate and accuracy in older versions."""

NUMBERS = ("prior_entropy", "val_loss_spread", "reference_loss", "best_val_loss")
COUNTS = ("n_val", "planned_epochs", "classes_predicted")
YES_OR_NO = ("early_stopped", "dropout")
PER_CURVE = (*NUMBERS, *COUNTS, *YES_OR_NO)
"""Fields of `Context` that a column of the same name can hold."""

KNOWN = ("curve", "epoch", *(name for names in PER_EPOCH.values() for name in names), *PER_CURVE)
"""Every column that is read; others are left aside."""

ALSO_CALLED = {"step": "epoch"}
"""What other programs call a column; it counts where there is none of the right name."""

ABSENT = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NULL", "null", "None")
"""What programs write where there is no number; Keras' CSVLogger writes NA."""

_YES_OR_NO = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Loss curves in columns, one row per epoch.

    Attributes
    ----------
    source : str
        Where they are from, as messages name it.
    frame : DataFrame
        Its index is each row's position in the source, from 0.
    first_line : int or None
        Line of position 0 in a text file; None where there are no lines.
    notes : tuple of str
        What is to be said of every curve in it.
    """

    source: str
    frame: "pd.DataFrame"
    first_line: int | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, source: str, frame: "pd.DataFrame") -> "Table":
        """The table of a frame, whose index may hold columns; one that only numbers the rows is none."""
        columns = frame.reset_index(drop=all(name is None for name in frame.index.names))
        return cls(source, columns.set_axis(known_names([str(name) for name in columns]), axis=1))

    @property
    def unit(self) -> str:
        """What is counted in it: ``"line"`` or ``"row"``."""
        return "row" if self.first_line is None else "line"

    def place(self, row: int) -> str:
        """``curves.csv:7``, which editors make a link of, or ``curves.parquet: row 6``."""
        number = self.number(row)
        return f"{self.source}: row {number}" if self.first_line is None else f"{self.source}:{number}"

    def number(self, row: int) -> int:
        """Number of the line or row, as people count, of the frame's row at a position."""
        return int(self.frame.index[row]) + (1 if self.first_line is None else self.first_line)

    def numbers(self, column: str) -> FloatArray:
        """A column's cells; NaN where there is none.

        Raises
        ------
        DataError
            If a cell is neither a number nor empty; with its place and text.
        """
        import pandas as pd

        cells = self.frame[column]
        if pd.api.types.is_numeric_dtype(cells):  # True for truth values too
            return cells.to_numpy(dtype=np.float64, na_value=np.nan)
        numbers = np.empty(len(cells))
        for row, cell in enumerate(cells):
            number = as_number(cell, words=column in YES_OR_NO)
            if number is None:
                raise DataError(f"{self.place(row)}: column {column} holds {shown(cell)}, which is no number")
            numbers[row] = number
        return numbers


def as_number(cell: Any, *, words: bool = False) -> float | None:
    """A cell's number; NaN if it is empty, None if it holds something else.

    With `words`, true and yes are 1, false and no are 0.
    """
    if cell is None:
        return float("nan")
    if isinstance(cell, str):
        cell = cell.strip()
        if cell in ABSENT:
            return float("nan")
        cell = _YES_OR_NO.get(cell.lower(), cell) if words else cell
    try:
        return None if getattr(cell, "ndim", 0) else float(cell)
    except (TypeError, ValueError, OverflowError):
        # pandas' own mark of an empty cell refuses to be a number.
        return float("nan") if type(cell).__name__ in ("NAType", "NaTType") else None


def shown(value: object) -> str:
    """What was received, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]} …"


def plain(name: str) -> str:
    """A name as it is, or in quotes where it holds what would steer a terminal."""
    return name if name.isprintable() else shown(name)


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names in a row, the first of many."""
    return ", ".join(map(plain, names[:most])) + (", …" if len(names) > most else "")


def known_names(names: Sequence[str]) -> list[str]:
    """Names of columns with those that are known written as we write them, whatever their case."""
    plainly = [name.strip() for name in names]
    folded = [name.lower() if name.lower() in (*KNOWN, *ALSO_CALLED) else name for name in plainly]
    # A column of exactly that name counts before one that is only written like it.
    known = [own if new != own and new in plainly else new for own, new in zip(plainly, folded, strict=True)]
    return [own if ALSO_CALLED.get(own, own) in known else ALSO_CALLED[own] for own in known]


def refuse_twice_named(where: str, names: Sequence[str]) -> None:
    """Refuse columns of one name: nobody knows which is meant."""
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{where}: more than one column is called {listed(twice)}")

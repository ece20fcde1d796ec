"""From columns to curves: the one way by which files, histories and tables are understood."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from archsearch.diagnosis import Context, Curves
from archsearch.errors import DataError
from archsearch.histories.context import check_epochs, context_value
from archsearch.histories.epochs import Epochs, IntArray
from archsearch.histories.table import (
    PER_CURVE,
    PER_EPOCH,
    FloatArray,
    Table,
    listed,
    plain,
    refuse_twice_named,
    shown,
)
from archsearch.histories.values import RecordedCurve

if TYPE_CHECKING:
    import pandas as pd

LOSSES = ("train_loss", "val_loss")


@dataclass(frozen=True, slots=True)
class Recordings:
    """What a source holds.

    Attributes
    ----------
    curves : tuple of RecordedCurve
        In the order of their first rows.
    faults : tuple of str
        Why further curves of it can't be judged, a line each.
    """

    curves: tuple[RecordedCurve, ...]
    faults: tuple[str, ...] = ()


def recordings(table: Table, name: str) -> Recordings:
    """The curves of a table; one that can't be used doesn't keep the others from being judged.

    Rows without a column `epoch` are one epoch each, in their order.

    Parameters
    ----------
    table : Table
        With the columns `epoch`, `train_loss` or `loss`, and `val_loss`; `curve` says which row belongs to
        which curve; those of `PER_EPOCH` and `PER_CURVE` are read where they are there. Rows in any order.
    name : str
        Of the curve, where there is no column `curve`.

    Raises
    ------
    DataError
        If a column is missing, a cell holds no number, or a row doesn't say its curve and epoch.
    """
    columns = _columns(table)
    if "epoch" not in columns:
        table = replace(table, notes=(*table.notes, "There is no column epoch: each row is taken for one."))
    curves, faults = [], []
    for one, rows in _rows_by_curve(table, name, columns.get("epoch")):
        try:
            curves.append(_curve(table, one, rows, columns))
        except DataError as error:
            faults.append(str(error))
    return Recordings(tuple(curves), tuple(faults))


def _columns(table: Table) -> dict[str, FloatArray]:
    """Epochs and whatever else is known, by the names of `Curves` and `Context`."""
    names = [str(name) for name in table.frame]
    refuse_twice_named(table.source, names)
    found = {field: field for field in ("epoch", *PER_CURVE) if field in names}
    for field, possible in PER_EPOCH.items():
        if there := [name for name in possible if name in names]:
            found[field] = there[0]
    needed = {"train_loss": "train_loss or loss", "val_loss": "val_loss"}
    missing = [f"no column {words}" for field, words in needed.items() if field not in found]
    if missing:
        raise DataError(f"{table.source}: {', '.join(missing)}; the columns are {listed(names)}")
    if table.frame.empty:
        raise DataError(f"{table.source}: no rows below the columns {listed(names)}")
    return {field: table.numbers(name) for field, name in found.items()}


def _rows_by_curve(table: Table, name: str, epochs: FloatArray | None) -> Iterator[tuple[str, IntArray]]:
    """Each curve's name with its rows in the order of their epochs; curves in that of their first rows."""
    import pandas as pd

    if epochs is None:
        epochs = np.zeros(len(table.frame))
    _check_epochs(table, epochs)
    if "curve" not in table.frame:
        yield name, np.argsort(epochs, kind="stable")
        return
    codes, names = pd.factorize(_names(table))
    order = np.lexsort((epochs, codes))
    yield from zip(names, np.split(order, np.flatnonzero(np.diff(codes[order])) + 1), strict=True)


def _check_epochs(table: Table, epochs: FloatArray) -> None:
    with np.errstate(invalid="ignore"):  # the remainder of infinity
        odd = ~(np.isfinite(epochs) & (epochs >= 0) & (epochs < 2**53) & (epochs % 1 == 0))
    if odd.any():
        row = int(odd.argmax())
        held = "is empty" if np.isnan(epochs[row]) else f"holds {epochs[row]:g}"
        raise DataError(f"{table.place(row)}: column epoch {held}; epochs are whole numbers from 0 or 1 up")


def _names(table: Table) -> "pd.Series[str]":
    """The cells of the column `curve` as texts."""
    import pandas as pd

    cells = table.frame["curve"]
    if not pd.api.types.is_string_dtype(cells):
        for row, cell in enumerate(cells):
            if hasattr(cell, "__len__") and not isinstance(cell, str):
                raise DataError(f"{table.place(row)}: column curve holds {shown(cell)}, which is no name")
    nameless = (cells.isna() | (cells.astype(str) == "")).to_numpy()
    if nameless.any():
        raise DataError(f"{table.place(int(nameless.argmax()))}: column curve is empty")
    return cells.astype(str)


def _curve(table: Table, name: str, rows: IntArray, columns: Mapping[str, FloatArray]) -> RecordedCurve:
    where = f"{table.source}: curve {plain(name)}"
    epochs = _epochs(table, where, rows, columns.get("epoch"))
    series = {field: epochs.spread(columns[field][rows]) for field in PER_EPOCH if field in columns}
    _refuse_empty(where, series)
    notes = [*table.notes, *epochs.notes()]
    if (np.diff(rows) < 0).any():
        notes.append("Rows were out of order and are sorted by epoch.")
    series, remarks = _usable(series)
    known = [field for field in PER_CURVE if field in columns]
    context = Context(**{field: _constant(table, field, rows, columns[field]) for field in known})
    if context.planned_epochs is not None:
        context = replace(context, planned_epochs=epochs.planned(context.planned_epochs))
    try:
        check_epochs(context, len(series["val_loss"]))
    except ValueError as error:
        raise DataError(f"{where}: {error}") from None
    return RecordedCurve(name, Curves(**series), context, (*notes, *remarks))


def _epochs(table: Table, where: str, rows: IntArray, numbers: FloatArray | None) -> Epochs:
    """The epochs of a curve's rows, each once and most of them there."""
    if numbers is None:
        return Epochs.of(np.arange(1, len(rows) + 1))
    ordered = numbers[rows].astype(np.int64)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(again):
        again = np.unique(again)
        lines = sorted(table.number(row) for row in rows[ordered == again[0]])
        others = f" (and {len(again) - 1} of the other epochs likewise)" if len(again) > 1 else ""
        raise DataError(
            f"{where}: epoch {again[0]} is there {len(lines)} times, in {table.unit}s "
            f"{listed([str(line) for line in lines], most=5)}{others}: keep one row of each, or tell "
            "trainings apart by a column curve"
        )
    epochs = Epochs.of(ordered)
    if epochs.are_mostly_missing:
        raise DataError(
            f"{where}: {len(rows)} rows for the epochs {epochs.first} to {epochs.last}: more are missing "
            "than are there; if the numbers count batches, number the epochs instead"
        )
    return epochs


def _refuse_empty(where: str, series: Mapping[str, FloatArray]) -> None:
    """Two losses without any number are a training that failed at once; one of them was not recorded."""
    missing = {field: np.isnan(series[field]) for field in LOSSES}
    empty = [field for field, rows in missing.items() if rows.all()]
    if len(empty) == 1:
        raise DataError(f"{where}: {empty[0]} has no number in any row: it must be recorded to be judged")
    if not empty and np.logical_or(*missing.values()).all():
        raise DataError(f"{where}: no row has both losses: they must be recorded at the same epochs")


def _usable(series: dict[str, FloatArray]) -> tuple[dict[str, FloatArray], list[str]]:
    """The series without what says nothing, and the sentences about them."""
    notes = []
    end = _measured_end(series["train_loss"], series["val_loss"])
    if end < len(series["val_loss"]):
        notes.append("Epochs after the last measured val_loss are left out: it was not measured at each.")
        series = {field: values[:end] for field, values in series.items()}
    series = {
        field: values for field, values in series.items() if field in LOSSES or not np.isnan(values).all()
    }
    if "val_accuracy" in series and np.nanmax(series["val_accuracy"]) > 1:
        notes.append("val_accuracy exceeds 1, so it is no share, and is left aside.")
        del series["val_accuracy"]
    negative = [field for field in LOSSES if (series[field] < 0).any()]
    if negative:
        notes.append(f"There are negative numbers in {' and '.join(negative)}: judged as they are.")
    return series, notes


def _measured_end(train: FloatArray, val: FloatArray) -> int:
    """Epochs up to the last validation where that was done at each second, third, … epoch.

    Else all: empty cells at the end of the validation loss say that it was no number.
    """
    measured = np.flatnonzero(~np.isnan(val))
    if len(measured) < 2 or measured[-1] == len(val) - 1:
        return len(val)
    gaps, end = np.diff(measured), int(measured[-1]) + 1
    is_regular = (gaps == gaps[0]).all()
    is_between = is_regular and len(val) - end < gaps[0] and np.isfinite(train[end:]).all()
    return end if is_between else len(val)


def _constant(table: Table, field: str, rows: IntArray, values: FloatArray) -> Any:
    """What a column says of a whole curve; None where it is empty."""
    ordered = np.sort(rows)
    known = ordered[~np.isnan(values[ordered])]
    if not len(known):
        return None
    if field == "best_val_loss":  # many programs log the best so far
        return float(values[known].min())
    first = known[0]
    others = known[values[known] != values[first]]
    if len(others):
        other = others[0]
        raise DataError(
            f"{table.place(other)}: column {field} holds {values[other]:g}, but {values[first]:g} at "
            f"{table.unit} {table.number(first)} of the same curve"
        )
    try:
        return context_value(field, float(values[first]))
    except ValueError as error:
        raise DataError(f"{table.place(first)}: {error}") from None

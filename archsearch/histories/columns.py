"""Columns that a program holds, such as Keras' ``History.history``, as a table."""

from collections.abc import Iterable, Mapping
from typing import Any

from archsearch.errors import DataError
from archsearch.histories.table import KNOWN, Table, known_names, listed, refuse_twice_named

VALIDATION = ("val_loss", "val_accuracy", "val_acc")
"""What Keras lists for validated epochs only."""


def columns_table(source: str, columns: Mapping[Any, Any]) -> Table:
    """A row for each place of the lists; without a list of epochs these are 1, 2, 3 ….

    Parameters
    ----------
    source : str
        For messages.
    columns : mapping of str to list
        Of equal lengths, but those of validation may be shorter where that was done at each second, third, …
        epoch. A single value holds for all rows. What is not known by name is left aside.

    Raises
    ------
    DataError
        If the lists differ in length, or there are none.
    """
    import pandas as pd

    names = known_names([str(name) for name in columns])
    refuse_twice_named(source, names)
    cells = {
        name: _cells(value) if name in KNOWN else None
        for name, value in zip(names, columns.values(), strict=True)
    }
    lists = {name: value for name, value in cells.items() if isinstance(value, list)}
    if not lists:
        raise DataError(f"{source}: no list called loss or val_loss; the names are {listed(names) or 'none'}")
    every = _validated_every(lists)
    if every:
        rows = max(map(len, lists.values()))
        lists |= {name: _at_each(every, lists[name], rows) for name in VALIDATION if name in lists}
    lengths = {name: len(value) for name, value in lists.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise DataError(
            f"{source}: the lists differ in length ({said}); give null or NaN for epochs at which a loss was "
            "not measured"
        )
    rows = max(lengths.values())
    whole = {name: lists.get(name, [value] * rows) for name, value in cells.items()}
    frame = pd.DataFrame({name: pd.Series(value, dtype=object) for name, value in whole.items()})
    if "epoch" not in frame:
        frame.insert(0, "epoch", range(1, rows + 1))
    note = f"Validation lists are shorter: taken for one validation in {every} epochs."
    return Table(source, frame, notes=(note,) if every else ())


def _validated_every(lists: Mapping[str, list[Any]]) -> int | None:
    """After how many epochs each validation was done, if the lists' lengths leave but one answer."""
    shorter = {len(value) for name, value in lists.items() if name in VALIDATION}
    longer = {len(value) for name, value in lists.items() if name not in VALIDATION}
    if len(shorter) != 1 or len(longer) != 1:
        return None
    # Keras counts from the very first epoch: where a later fit validated is not known.
    (validated,), (epochs,) = shorter, longer
    if validated < 2 or lists.get("epoch", [0])[0] not in (0, 1):
        return None
    possible = [every for every in range(2, epochs + 1) if epochs // every == validated]
    return possible[0] if len(possible) == 1 else None


def _at_each(every: int, values: list[Any], rows: int) -> list[Any]:
    spread: list[Any] = [None] * rows
    spread[every - 1 :: every] = values
    return spread


def _cells(value: Any) -> Any:
    """A list of what holds several values, arrays too; else the value."""
    is_single = isinstance(value, str | bytes) or getattr(value, "ndim", 1) == 0
    return list(value) if isinstance(value, Iterable) and not is_single else value

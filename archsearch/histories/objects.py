"""Histories that a Python program holds: Keras' own, dictionaries, data frames, curves, a file's path."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from archsearch.diagnosis import Context, Curves
from archsearch.errors import DataError
from archsearch.histories.columns import columns_table
from archsearch.histories.context import with_words
from archsearch.histories.curves import Recordings, recordings
from archsearch.histories.files import read_file
from archsearch.histories.table import Table, listed
from archsearch.histories.values import RecordedCurve

NAME = "history"


def recorded(history: object, **context: Any) -> RecordedCurve:
    """One training's curves, whatever holds them.

    Parameters
    ----------
    history : Keras History, mapping of str to list, pandas DataFrame, Curves, str or path
        A file or a frame must hold one curve only.
    **context
        Fields of `Context`; they count before what `history` says of them.

    Raises
    ------
    DataError
        If it is none of these, or can't be judged; with what was received.
    """
    curve = _recorded(history)
    known = with_words(curve.context, context, epochs=np.size(curve.curves.train_loss))
    return RecordedCurve(curve.name, curve.curves, known, curve.notes)


def _recorded(history: object) -> RecordedCurve:
    if isinstance(history, Curves):
        return RecordedCurve(NAME, history, Context())
    if isinstance(history, str | os.PathLike):
        return _only(str(history), read_file(Path(history)))
    logs = getattr(history, "history", history)
    if isinstance(logs, Mapping):
        columns = {**logs, **_keras_extras(history)}
        return _only(NAME, recordings(columns_table(NAME, columns), NAME))
    import pandas as pd

    if isinstance(history, pd.DataFrame):
        return _only(NAME, recordings(Table.of(NAME, history), NAME))
    raise DataError(
        f"diagnose: got a {type(history).__name__}; give a Keras History, a mapping of lists such as "
        "History.history, a pandas DataFrame, archsearch.diagnosis.Curves, or the path of a file"
    )


def _keras_extras(history: object) -> dict[str, Any]:
    """What Keras' History knows besides: the numbers of the epochs, and how many were planned."""
    params, epochs = getattr(history, "params", None), getattr(history, "epoch", None)
    extras = {"planned_epochs": params["epochs"]} if params and "epochs" in params else {}
    return {**extras, "epoch": epochs} if epochs else extras


def _only(source: str, found: Recordings) -> RecordedCurve:
    if found.faults:
        raise DataError("\n".join(found.faults))
    if len(found.curves) > 1:
        names = listed([curve.name for curve in found.curves], most=5)
        raise DataError(f"{source}: holds {len(found.curves)} curves, {names}; diagnose takes one at a time")
    return found.curves[0]

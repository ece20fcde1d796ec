"""A verdict at the end of any Keras training."""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import keras

from archsearch.diagnosis import Context, Curves, Diagnosis, Verdict, diagnose
from archsearch.histories.context import with_words
from archsearch.histories.table import PER_EPOCH
from archsearch.ranking import deciding
from archsearch.report.words import confidence, listing


class DiagnosisCallback(keras.callbacks.Callback):  # type: ignore[misc]
    """Prints the verdict on a training when ``fit`` ends, from its losses alone: nothing is measured besides.

    Each ``fit`` is judged by itself. Whatever is wrong with a training or with its judging, ``fit`` ends as
    it would without.

    Parameters
    ----------
    print_fn : callable, optional
        Takes each line in place of ``print``.
    **context
        What is known besides, by the names of `archsearch.diagnosis.Context`: `n_val`, `prior_entropy`,
        `reference_loss` and so on. It counts before what the training itself tells.

    Attributes
    ----------
    diagnosis : Diagnosis or None
        Of the last ``fit``; None before one has ended.

    Raises
    ------
    archsearch.errors.DataError
        If a word of `context` is unknown or can't have such a value.
    """

    def __init__(self, print_fn: Callable[[str], Any] = print, **context: Any) -> None:
        super().__init__()
        self.diagnosis: Diagnosis | None = None
        self._print = print_fn
        self._context = with_words(Context(), context)
        self._first = 0
        self._epochs: list[dict[str, float]] = []

    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        """Begin anew."""
        self.diagnosis, self._epochs = None, []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Note where ``fit`` begins to count: at its `initial_epoch`."""
        if not self._epochs:
            self._first = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Keep the epoch's numbers."""
        numbers = {name: _number(value) for name, value in (logs or {}).items()}
        # Callbacks that change the rate say which one the epoch had; else it is the optimizer's.
        rate = _number(getattr(getattr(self.model, "optimizer", None), "learning_rate", None))
        self._epochs.append({**({} if math.isnan(rate) else {"learning_rate": rate}), **numbers})

    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002
        """Judge, and print the verdict."""
        try:
            diagnosis = diagnose(*self._recorded())
            if not self._has("val_loss"):
                diagnosis = replace(diagnosis, missing=("val_loss",))
            self.diagnosis = diagnosis
            for line in _lines(diagnosis):
                self._print(line)
        except Exception as error:  # a trained model is worth more than a verdict on it
            with suppress(Exception):  # nor is it lost where nothing can be printed
                self._print(f"archsearch: no verdict ({type(error).__name__}: {error})")

    def _has(self, name: str) -> bool:
        return any(name in epoch for epoch in self._epochs)

    def _recorded(self) -> tuple[Curves, Context]:
        """Curves up to the last epoch that was validated or failed, and what the training tells besides."""
        ends = [
            number
            for number, epoch in enumerate(self._epochs, 1)
            if "val_loss" in epoch or not math.isfinite(epoch.get("loss", math.nan))
        ]
        epochs = self._epochs[: max(ends)] if ends and self._has("val_loss") else []
        columns = {field: _column(epochs, names) for field, names in PER_EPOCH.items()}
        curves = Curves(
            **{"train_loss": [], "val_loss": []}
            | {field: column for field, column in columns.items() if column is not None}
        )
        planned = (self.params or {}).get("epochs")
        told: dict[str, Any] = {
            "planned_epochs": planned - self._first if planned else None,
            "early_stopped": self._early_stopped(planned),
            "dropout": _has_dropout(self.model),
        }
        unsaid = {name: value for name, value in told.items() if getattr(self._context, name) is None}
        return curves, replace(self._context, **unsaid)

    def _early_stopped(self, planned: int | None) -> bool | None:
        """Whether the training ended before its time and after its best epoch, and not by a failure.

        Callbacks don't see each other, but whichever stopped a training that no longer got better, it had
        settled; one that was stopped while at its best was stopped for something else.
        """
        losses = [epoch["val_loss"] for epoch in self._epochs if "val_loss" in epoch]
        if planned is None or not losses:
            return None
        is_finite = math.isfinite(losses[-1]) and math.isfinite(self._epochs[-1].get("loss", math.nan))
        return self._first + len(self._epochs) < planned and is_finite and losses[-1] > min(losses)


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    said = f"archsearch: {_words(diagnosis.verdict)}"
    if diagnosis.confidence:  # that of an inconclusive verdict is 0
        said += f", confidence {confidence(diagnosis.confidence)}"
    if diagnosis.delivered is not diagnosis.verdict:
        said += f"; the weights of its best epoch are {_words(diagnosis.delivered)}"
    yield said
    if "val_loss" in diagnosis.missing:
        yield "  There is no validation loss: give fit validation_data or validation_split."
        return
    yield f"  {deciding(diagnosis).message}"
    if diagnosis.flags:
        yield f"  Flags: {', '.join(diagnosis.flags)}."
    if diagnosis.missing:
        yield f"  Not known, and of use: {listing(diagnosis.missing)}."


def _words(verdict: Verdict) -> str:
    return verdict.value.replace("_", " ")


def _column(epochs: list[dict[str, float]], names: tuple[str, ...]) -> list[float] | None:
    """One number per epoch under the first of the names that any epoch has; NaN where it is missing."""
    name = next((name for name in names if any(name in epoch for epoch in epochs)), None)
    return None if name is None else [epoch.get(name, math.nan) for epoch in epochs]


def _number(value: Any) -> float:
    """A log's value; NaN where it is no number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _has_dropout(model: Any) -> bool | None:
    """True if a layer drops out; None where none is seen, since layers inside others may."""
    rates = (layer.rate for layer in _layers(model) if "Dropout" in type(layer).__name__)
    return True if any(rate > 0 for rate in rates) else None


def _layers(model: Any) -> Iterator[Any]:
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers(layer)

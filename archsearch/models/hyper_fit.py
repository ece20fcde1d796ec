"""A HyperModel's own ``fit(hp, model, …)``: rehearsed without training, so that all it asks for is known."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras

from archsearch.errors import SpaceError
from archsearch.models.hyper_tuner import keras_tuner

# What Keras' own fit does where it is not told.
KERAS_BATCH_SIZE = 32
KERAS_EPOCHS = 1

_REFUSED_WORD = re.compile(r"(?:multiple values for|unexpected) (?:keyword )?argument '(\w+)'")


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """How a HyperModel's ``fit`` trains.

    Attributes
    ----------
    words : tuple of str
        Those of the offered words that it takes.
    epochs : int or None
        Over all its calls of ``model.fit``; None where it never calls it: a training loop of its own.
    batch_size : int or None
        Of the first call; None likewise.
    """

    words: tuple[str, ...]
    epochs: int | None
    batch_size: int | None


def has_own_fit(hypermodel: Any) -> bool:
    """Whether the HyperModel trains its models in a way of its own."""
    return type(hypermodel).fit is not keras_tuner.HyperModel.fit


def rehearse_fit(
    hypermodel: Any, hp: Any, model: Any, x: Any, y: Any, offered: Mapping[str, Any]
) -> Rehearsed:
    """Have a HyperModel's ``fit`` ask for its hyperparameters, without training.

    ``model.fit`` returns at once, with a made-up history of constant losses; what ``fit`` asks for after a
    fault over that history stays unknown. A training loop of its own trains `model`: use another one after.

    HyperModels write ``model.fit(*args, batch_size=hp.Choice(…), **kwargs)``, and then must not be given
    ``batch_size``, or name the few words they take: so a word that is refused is left out. Only the callbacks
    must be taken: without them nothing is measured.

    Parameters
    ----------
    hypermodel : keras_tuner.HyperModel
    hp : AskedHyperParameters
    model : keras.Model
    x, y : array
        A few samples and labels.
    offered : mapping
        Words of ``keras.Model.fit`` beside the callbacks.

    Raises
    ------
    SpaceError
        If it trains no epoch that a callback hears of.
    Exception
        Whatever it raises before it trains.
    """
    heard = _Heard()
    words = {**offered, "callbacks": [heard]}
    while True:
        calls: list[tuple[int, int]] = []
        try:
            _with_stub(hypermodel, hp, model, x, y, words, calls)
        except Exception as error:
            refused = _REFUSED_WORD.search(str(error)) if isinstance(error, TypeError) else None
            if refused and refused[1] in words:
                if refused[1] == "callbacks":
                    raise TypeError(f"fit must pass on the callbacks it is given: {error}") from None
                del words[refused[1]]
                continue
            if not calls:
                raise
        epochs = sum(epochs for epochs, _ in calls)
        if not epochs and not heard.epochs:
            raise SpaceError(
                "fit trains without an epoch that can be measured: it must call model.fit with the callbacks "
                "it is given, or their on_epoch_end after each epoch of a loop of its own"
            )
        return Rehearsed(tuple(words), epochs, calls[0][1]) if calls else Rehearsed(tuple(words), None, None)


class _Heard(keras.callbacks.Callback):  # type: ignore[misc]
    """Counts the epochs that it is told of."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        self.epochs += 1


def _with_stub(
    hypermodel: Any,
    hp: Any,
    model: Any,
    x: Any,
    y: Any,
    words: Mapping[str, Any],
    calls: list[tuple[int, int]],
) -> None:
    signature = inspect.signature(keras.Model.fit)

    def stub(*args: Any, **given: Any) -> Any:
        bound = signature.bind(model, *args, **given).arguments
        if words["callbacks"][0] not in (bound.get("callbacks") or ()):
            raise ValueError("fit must pass on the callbacks it is given to model.fit")
        epochs = bound.get("epochs", KERAS_EPOCHS) - bound.get("initial_epoch", 0)
        calls.append((epochs, bound.get("batch_size") or KERAS_BATCH_SIZE))
        return _history(model, epochs)

    model.fit = stub
    try:
        hypermodel.fit(hp, model, x, y, **words)
    finally:
        del model.fit


def _history(model: Any, epochs: int) -> Any:
    history = keras.callbacks.History()
    history.set_model(model)
    history.on_train_begin()
    for epoch in range(epochs):
        history.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 1.0, "accuracy": 0.5, "val_accuracy": 0.5})
    return history

"""A user's HyperModel prepared for training: compiled, its labels in the form its loss takes."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from archsearch.architecture import HyperModelArchitecture
from archsearch.data.dataset import Dataset
from archsearch.models import compile_model
from archsearch.models.compile import JIT_COMPILE
from archsearch.models.hyper_fit import has_own_fit, rehearse_fit
from archsearch.models.hyper_outputs import labels_for, probabilities_model
from archsearch.models.hypermodels import AskedHyperParameters, built_model, load_hypermodel
from archsearch.records import Recipe
from archsearch.training.batches import Stream
from archsearch.training.environment import environment
from archsearch.training.measure import EpochGauge, epoch_record
from archsearch.training.watch import PLATEAU_FACTOR, PLATEAU_PATIENCE, Best, Watch
from archsearch.training.weights import class_weight_for


def prepared_hypermodel(
    architecture: HyperModelArchitecture,
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    arguments: Mapping[str, Any],
    seed: int,
) -> tuple[Any, Any, Callable[..., Any]]:
    """Build the model anew from its recorded values.

    Parameters
    ----------
    architecture : HyperModelArchitecture
    recipe : Recipe
        What a model is compiled with that is not compiled yet.
    dataset : Dataset
    folder : Path
        Where the user's module is looked up.
    arguments : mapping
        Of the HyperModel's class.
    seed : int
        Of the initial weights.

    Returns
    -------
    model : keras.Model
        Compiled; what is trained.
    judged : keras.Model
        Functional, from samples to probabilities, with the same weights.
    fit : callable
        With the parameters of ``keras.Model.fit``, labels as class indices.
    """
    shape = dataset.shape
    hypermodel = load_hypermodel(
        architecture.hypermodel, arguments, folder, shape.input_shape, len(shape.classes)
    )

    def built() -> tuple[Any, AskedHyperParameters]:
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        hp = AskedHyperParameters(dict(architecture.values), suggest=None)
        model = built_model(hypermodel, hp)
        probabilities = probabilities_model(model, shape.input_shape)
        if not model.compiled:
            steps = math.ceil(len(dataset.split.train) / recipe.batch_size)
            compile_model(probabilities, recipe, steps)
            model.compile(probabilities.optimizer, probabilities.loss, jit_compile=probabilities.jit_compile)
        return model, hp

    if not has_own_fit(hypermodel):
        model, _ = built()
        return model, probabilities_model(model, shape.input_shape), _plain_fit(model, dataset)
    # The rehearsal may change weights: it has a model of its own.
    words = _taken_words(hypermodel, *built(), recipe, dataset)
    model, hp = built()
    fit = _own_fit(hypermodel, hp, model, words, dataset)
    return model, probabilities_model(model, shape.input_shape), fit


class HyperModelTraining:
    """Trains what a user's HyperModel builds, by Keras' ``fit`` or its own: built anew for each seed.

    Parameters
    ----------
    architecture : HyperModelArchitecture
    recipe : Recipe
    dataset : Dataset
    folder : Path
        Where the user's module is looked up.
    arguments : mapping
        Of the HyperModel's class.
    """

    def __init__(
        self,
        architecture: HyperModelArchitecture,
        recipe: Recipe,
        dataset: Dataset,
        folder: Path,
        arguments: Mapping[str, Any],
    ) -> None:
        self._architecture, self._recipe, self._dataset = architecture, recipe, dataset
        self._folder, self._arguments = folder, arguments
        self._model: Any = None
        self._judged: Any = None
        self.environment: dict[str, Any] = environment(recipe.precision, JIT_COMPILE)

    def train(self, watch: Watch) -> None:
        """Train with the seed of `watch`; class weights enter the loss, never what is measured."""
        recipe, dataset = self._recipe, self._dataset
        self._model, self._judged, fit = prepared_hypermodel(
            self._architecture, recipe, dataset, self._folder, self._arguments, watch.seed
        )
        self.environment = environment(self._model.dtype_policy.name, bool(self._model.jit_compile))
        watching = _Watching(watch, self._model, self._judged, dataset)
        words = {
            "epochs": recipe.epochs,
            # The watch comes first: it measures the validation loss that the others look at.
            "callbacks": [watching, *_schedule(recipe)],
            "class_weight": class_weight_for(recipe, dataset),
            "verbose": 0,
        }
        with suppress(TrainingEnded):
            if dataset.x.is_streamed:
                fit(Stream(dataset, recipe.batch_size, watch.seed), shuffle=False, **words)
            else:
                samples = dataset.split.train
                fit(dataset.x.take(samples), dataset.y[samples], batch_size=recipe.batch_size, **words)
        if not watch.epochs:
            raise RuntimeError("fit has ended without an epoch: it must train, and call its callbacks")

    def save(self, weights: list[Any], path: Path) -> None:
        """Save the model with these weights."""
        self._model.set_weights(weights)
        keras.Model(self._judged.input, self._judged.output).save(path)

    def forget(self, seed: int) -> None:
        """There is nothing to remove."""


class TrainingEnded(Exception):
    """Raised through a training that does not look at ``stop_training``."""


class _Watching(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures each epoch of a ``fit`` for a `Watch`, and ends it when the watch says so."""

    def __init__(self, watch: Watch, model: Any, judged: Any, dataset: Dataset) -> None:
        super().__init__()
        self.set_model(model)
        self._watch = watch
        self._val_half = dataset.split.val_half
        self._gauge = EpochGauge(judged, dataset)
        self._begin_epoch()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        if self._watch.has_ended:
            raise TrainingEnded  # the next fit of a HyperModel that trains in several
        self._begin_epoch()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - counted from 0 by each fit
        watch = self._watch
        if watch.has_ended:
            raise TrainingEnded  # in a training loop of a HyperModel's own
        logs = {} if logs is None else logs
        train, val = self._gauge.measure()
        train_loss = float(logs.get("loss", train.losses.mean()))  # a loop of one's own may not say
        number = len(watch.epochs) + 1
        record = epoch_record(number, train_loss, train, val, self._val_half, self._rate, self._started)
        logs["val_loss"] = record.val_loss  # for callbacks after this one
        weights = self.model.get_weights() if watch.is_best(record) else None
        watch.take(record, Best(float(val.losses.std()), val.probabilities, weights) if weights else None)
        if watch.has_ended:
            self.model.stop_training = True
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._started = time.perf_counter()
        self._rate = float(self.model.optimizer.learning_rate)


def _schedule(recipe: Recipe) -> list[Any]:
    """The callback that lowers the learning rate, where the recipe's schedule is one."""
    if recipe.schedule != "plateau":
        return []
    # A loss that is lower at all is lower: early stopping counts the same way.
    return [
        keras.callbacks.ReduceLROnPlateau(
            "val_loss", PLATEAU_FACTOR, PLATEAU_PATIENCE, mode="min", min_delta=0.0
        )
    ]


def _plain_fit(model: Any, dataset: Dataset) -> Callable[..., Any]:
    classes = len(dataset.shape.classes)

    def fit(x: Any, y: Any = None, **words: Any) -> Any:
        if y is None:
            return model.fit(_Relabelled(x, model, classes), **words)
        return model.fit(x, labels_for(model, y, classes), **words)

    return fit


def _own_fit(
    hypermodel: Any, hp: Any, model: Any, taken: tuple[str, ...], dataset: Dataset
) -> Callable[..., Any]:
    """The HyperModel's ``fit``; it is given arrays, also where other models' samples are streamed."""
    classes = len(dataset.shape.classes)

    def part(samples: NDArray[np.int64]) -> tuple[Any, Any]:
        return dataset.x.take(samples), labels_for(model, dataset.y[samples], classes)

    def fit(*_: Any, **words: Any) -> Any:
        offered = _offered(words) | {"validation_data": part(dataset.split.val)}
        given = {word: value for word, value in offered.items() if word in taken}
        return hypermodel.fit(hp, model, *part(dataset.split.train), **given)

    return fit


def _taken_words(hypermodel: Any, model: Any, hp: Any, recipe: Recipe, dataset: Dataset) -> tuple[str, ...]:
    """Those of the words on offer that the HyperModel's ``fit`` takes."""
    classes = len(dataset.shape.classes)
    few = dataset.split.val[:classes]
    x, y = dataset.x.take(few), labels_for(model, dataset.y[few], classes)
    words = {
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "verbose": 0,
        "class_weight": class_weight_for(recipe, dataset),
        "validation_data": (x, y),
    }
    return rehearse_fit(hypermodel, hp, model, x, y, _offered(words)).words


def _offered(words: Mapping[str, Any]) -> dict[str, Any]:
    """Without class weights where there are none: a ``fit`` may have no such word."""
    return {word: value for word, value in words.items() if word != "class_weight" or value is not None}


class _Relabelled(keras.utils.PyDataset):  # type: ignore[misc]
    """Streamed batches with their labels in the form that a model's loss takes."""

    def __init__(self, stream: Any, model: Any, classes: int) -> None:
        super().__init__()
        self._stream, self._model, self._classes = stream, model, classes

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return int(self._stream.num_batches)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        x, y = self._stream[index]
        return x, labels_for(self._model, y, self._classes)

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        self._stream.on_epoch_end()

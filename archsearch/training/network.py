"""An architecture as a compiled model that is trained with one seed after the other."""

import math
import random
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from archsearch.architecture import Architecture
from archsearch.data.dataset import Dataset
from archsearch.models import build, compile_model, reinitialise
from archsearch.models.compile import JIT_COMPILE
from archsearch.records import Recipe
from archsearch.training.batches import Stream, blocks, epoch_order
from archsearch.training.compiled import ON_TENSORFLOW, compiled_epoch, on_device
from archsearch.training.environment import environment
from archsearch.training.measure import EpochGauge
from archsearch.training.weights import class_weight_for, sample_weights

# Training data of at most so many numbers stay on the device (1 GiB); of others it has two blocks of 64 MiB.
RESIDENT_NUMBERS = 2**28
BLOCK_NUMBERS = 2**24


class Network:
    """A model of archsearch's own: built and traced once, initialised anew for each seed.

    What it is after an epoch follows from its seed alone, whatever was trained before.

    Parameters
    ----------
    architecture : Architecture
    recipe : Recipe
    dataset : Dataset
    seed : int
        The first one.
    """

    def __init__(self, architecture: Architecture, recipe: Recipe, dataset: Dataset, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        shape = dataset.shape
        classes = len(shape.classes)
        steps = math.ceil(len(dataset.split.train) / recipe.batch_size)
        self._architecture, self._recipe, self._classes = architecture, recipe, classes
        self.model = build(architecture, shape.input_shape, classes, recipe.augmentation, recipe.precision)
        compile_model(self.model, recipe, steps, fused=ON_TENSORFLOW)
        self._optimizer = self.model.optimizer
        self._optimizer.build(self.model.trainable_variables)
        self._at_start = [keras.ops.convert_to_numpy(each) for each in self._optimizer.variables]
        self.gauge = EpochGauge(self.model, dataset)
        epochs = _CompiledEpochs if ON_TENSORFLOW else _FittedEpochs
        self._epochs: Any = epochs(self.model, recipe, dataset)
        # Without the optimizer's state, which would make a file three times as large.
        self.saved = keras.Model(self.model.input, self.model.output)
        self.environment = environment(recipe.precision, JIT_COMPILE, self._epochs.steps_per_execution)

    def restart(self, seed: int) -> None:
        """Be as if built with `seed`: weights, dropout's and augmentation's random states, optimizer."""
        # All that Keras' layers draw their seeds from. ``keras.utils.set_random_seed`` would make TensorFlow
        # forget its optimised programs, too: half a second to two, at the next epoch.
        random.seed(seed)
        recipe = self._recipe
        reinitialise(self.model, self._architecture, self._classes, recipe.augmentation, recipe.precision)
        for variable, value in zip(self._optimizer.variables, self._at_start, strict=True):
            variable.assign(value)

    def train_epoch(self, seed: int, epoch: int) -> float:
        """Train an epoch, counted from 0; the mean loss that Keras reports for it."""
        self.model.reset_metrics()
        return float(self._epochs.train(seed, epoch))

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return float(self._optimizer.learning_rate)

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._optimizer.learning_rate = rate

    @property
    def state(self) -> list[NDArray[Any]]:
        """All that the next epoch depends on."""
        return [keras.ops.convert_to_numpy(each) for each in self._variables]

    @state.setter
    def state(self, values: list[NDArray[Any]]) -> None:
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)

    @property
    def _variables(self) -> list[Any]:
        return [*self.model.variables, *self._optimizer.variables]


def is_resident(dataset: Dataset) -> bool:
    """Whether the training part, whole, stays on the device."""
    numbers = len(dataset.split.train) * math.prod(dataset.shape.input_shape)
    return not dataset.x.is_streamed and numbers <= RESIDENT_NUMBERS


class _CompiledEpochs:
    """Epochs in single compiled calls, of data that stay on the device or come in blocks."""

    def __init__(self, model: Any, recipe: Recipe, dataset: Dataset) -> None:
        self._dataset = dataset
        self._weights = class_weight_for(recipe, dataset)
        self._train = compiled_epoch(model, recipe.batch_size, self._weights is not None)
        samples = dataset.split.train
        numbers = math.prod(dataset.shape.input_shape)
        stays = is_resident(dataset)
        self._resident = self._data(dataset.x.take(samples), dataset.y[samples]) if stays else None
        batches = math.ceil(len(samples) / recipe.batch_size)
        fitting = max(1, BLOCK_NUMBERS // (numbers * recipe.batch_size))
        self.steps_per_execution = batches if stays else min(batches, fitting)
        self._block = self.steps_per_execution * recipe.batch_size

    def train(self, seed: int, epoch: int) -> Any:
        order = epoch_order(seed, epoch, len(self._dataset.split.train))
        if self._resident:
            return self._train(on_device(order), *self._resident)
        loss = math.nan
        for block in blocks(self._dataset, order, self._block):
            loss = self._train(on_device(block.order), *self._data(block.x, block.y))
        return loss

    def _data(self, x: NDArray[np.float32], y: NDArray[np.int64]) -> list[Any]:
        weights = [sample_weights(self._weights, y)] if self._weights else []
        return [on_device(part) for part in (x, y, *weights)]


class _FittedEpochs:
    """Epochs by Keras' own ``fit``, for backends that have no loop here."""

    steps_per_execution = 1

    def __init__(self, model: Any, recipe: Recipe, dataset: Dataset) -> None:
        self._model, self._recipe, self._dataset = model, recipe, dataset
        self._class_weight = class_weight_for(recipe, dataset)

    def train(self, seed: int, epoch: int) -> Any:
        dataset, size = self._dataset, self._recipe.batch_size
        words = {"shuffle": False, "class_weight": self._class_weight, "verbose": 0}
        if dataset.x.is_streamed:
            history = self._model.fit(Stream(dataset, size, seed, epoch), **words)
        else:
            samples = dataset.split.train
            rows = samples[epoch_order(seed, epoch, len(samples))]
            history = self._model.fit(dataset.x.take(rows), dataset.y[rows], batch_size=size, **words)
        return history.history["loss"][0]

"""An epoch of several trainings of one model, and its measurement, as one program of JAX.

Measured with two cores on the digits, 20 epochs of 17 steps with 8 seeds, batch normalisation and dropout: of
a dense stack 32·64·128 the seeds side by side (``vmap``) took half the time of one after the other within the
program; of a small convolutional network they took longer, as XLA has no fast convolution on a CPU whose
kernels differ from sample to sample. Compiling took three times as long with LLVM's usual optimisation, and
the program ran no faster: products and convolutions are not LLVM's.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from jax import lax
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset
from archsearch.records import Recipe
from archsearch.training.measure import BATCH, NUMBERS, Measurement, sample_losses
from archsearch.training.weights import class_weight_for, sample_weights

OPTIONS_ON_CPU = {"xla_backend_optimization_level": 1}


class State(NamedTuple):
    """All that the next epoch depends on; of several seeds they lie along the first axis of each array.

    Attributes
    ----------
    trainable, non_trainable, optimizer : list of arrays
        Values of the variables of model and optimizer.
    """

    trainable: list[Any]
    non_trainable: list[Any]
    optimizer: list[Any]


class SeedEpoch(NamedTuple):
    """An epoch of one seed.

    Attributes
    ----------
    loss : float
        As Keras reports it.
    learning_rate : float
        Of its first step.
    measurement : Measurement
        At its end.
    """

    loss: float
    learning_rate: float
    measurement: Measurement


def state_of(model: Any) -> State:
    """The present state of a compiled model whose optimizer is built."""
    groups = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
    return State(*([variable.value for variable in group] for group in groups))


def stacked(states: list[State]) -> State:
    """The states of several seeds as one."""
    return jax.tree.map(lambda *each: jnp.stack(each), *states)  # type: ignore[no-any-return]


class SeedsProgram:
    """Trains one model from several states at once, an epoch at a time, and measures it.

    Every step is Keras' own ``train_step``: penalties, weights of classes and scaled losses enter as in
    ``fit``. The model's variables keep their values.

    Parameters
    ----------
    model : keras.Model
        Compiled, its optimizer built.
    recipe : Recipe
    dataset : Dataset
        Its training part is trained on, from the device's memory; it is measured on `train_eval` and `val`.

    Attributes
    ----------
    steps : int
        In an epoch.
    """

    def __init__(self, model: Any, recipe: Recipe, dataset: Dataset) -> None:
        train = dataset.split.train
        samples = np.concatenate([dataset.split.train_eval, dataset.split.val])
        class_weight = class_weight_for(recipe, dataset)
        weights = [sample_weights(class_weight, dataset.y[train])] if class_weight else []
        self.steps = math.ceil(len(train) / recipe.batch_size)
        self._data = [jnp.asarray(part) for part in (dataset.x.take(train), dataset.y[train], *weights)]
        self._labels = dataset.y[samples]
        self._measured = [jnp.asarray(part) for part in _in_batches(dataset, samples)]
        on_cpu = jax.default_backend() == "cpu"
        has_kernels = any(len(variable.shape) == 4 for variable in model.trainable_variables)
        over_seeds = _one_after_the_other if on_cpu and has_kernels else _side_by_side
        epoch = over_seeds(partial(_epoch, model, recipe.batch_size))
        self._program = jax.jit(epoch, compiler_options=OPTIONS_ON_CPU if on_cpu else None)

    def train_epoch(self, state: State, orders: NDArray[np.int64]) -> tuple[State, list[SeedEpoch]]:
        """Train an epoch and measure.

        Parameters
        ----------
        state : State
            Of all seeds.
        orders : array of int64, shape (seeds, training samples)
            In which each seed takes the samples of the training part.

        Returns
        -------
        State
            After the epoch.
        list of SeedEpoch
            One per seed.
        """
        state, *results = self._program(state, orders.astype(np.int32), self._data, self._measured)
        seeds, count = len(orders), len(self._labels)
        losses, rates, sample_losses, outputs = map(np.asarray, results)
        sample_losses = sample_losses.reshape(seeds, -1)[:, :count]
        outputs = outputs.reshape(seeds, -1, outputs.shape[-1])[:, :count]
        return state, [
            SeedEpoch(float(loss), float(rate), Measurement.of(each, given, self._labels))
            for loss, rate, each, given in zip(losses, rates, sample_losses, outputs, strict=True)
        ]


def _in_batches(dataset: Dataset, samples: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Samples and labels, shapes (batches, size, ...), the last batch filled up with copies of a sample."""
    fitting = max(1, NUMBERS // math.prod(dataset.shape.input_shape))
    batches = -(-len(samples) // min(BATCH, fitting))
    size = -(-len(samples) // batches)
    padded = np.concatenate([samples, np.repeat(samples[:1], batches * size - len(samples))])
    rows = padded.reshape(batches, size)
    return dataset.x.take(rows), dataset.y[rows]


def _epoch(
    model: Any, batch_size: int, state: State, order: Any, data: list[Any], measured: list[Any]
) -> tuple[State, Any, Any, Any, Any]:
    """Of one seed: the state after the epoch, its loss, its learning rate, losses and outputs per sample."""
    rate = _learning_rate(model.optimizer, state.optimizer)

    def step(carried: Any, rows: Any) -> tuple[Any, Any]:
        logs, carried = model.train_step(carried, tuple(part[rows] for part in data))
        return carried, logs["loss"]

    def measure(batch: list[Any]) -> tuple[Any, Any]:
        x, labels = batch
        outputs, _ = model.stateless_call(trainable, non_trainable, x, training=False)
        return sample_losses(labels, outputs), outputs

    # What `reset_metrics` does, so that the loss is this epoch's.
    carried: Any = (*state, [jnp.zeros_like(variable.value) for variable in model.metrics_variables])
    whole = len(order) // batch_size * batch_size
    for rows in (order[:whole].reshape(-1, batch_size), order[whole:][None]):  # a smaller batch at the end
        if rows.size:
            carried, losses = lax.scan(step, carried, rows)
    trainable, non_trainable, optimizer, _ = carried
    return State(trainable, non_trainable, optimizer), losses[-1], rate, *lax.map(measure, measured)


def _learning_rate(optimizer: Any, values: list[Any]) -> Any:
    """Of the next step of an optimizer whose variables have these values."""
    with keras.StatelessScope(state_mapping=list(zip(optimizer.variables, values, strict=True))):
        return keras.ops.convert_to_tensor(optimizer.learning_rate)


def _side_by_side(epoch: Callable[..., Any]) -> Callable[..., Any]:
    return jax.vmap(epoch, in_axes=(0, 0, None, None))  # type: ignore[no-any-return]


def _one_after_the_other(epoch: Callable[..., Any]) -> Callable[..., Any]:
    def of_all(state: State, orders: Any, *data: Any) -> Any:
        return lax.map(lambda seed: epoch(*seed, *data), (state, orders))

    return of_all

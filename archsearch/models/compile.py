"""A `Recipe`'s optimizer, schedule and loss for a ``keras.Model``."""

from typing import Any

import keras
from keras import optimizers

from archsearch.models.fused import FusedAdam, FusedAdamW
from archsearch.records import Recipe

# Under TensorFlow XLA made small networks on a CPU four to six times slower; Keras' default depends on the
# device. Under JAX nothing but XLA compiles: without it every operation is a call of its own.
JIT_COMPILE = keras.backend.backend() == "jax"


def compile_model(
    model: Any, recipe: Recipe, steps_per_epoch: int, metrics: tuple[str, ...] = (), *, fused: bool = False
) -> None:
    """Compile `model` in place.

    Parameters
    ----------
    model : keras.Model
        From samples to probabilities; with one output, to the probability of class 1 of two.
    recipe : Recipe
        Its plateau schedule is not part of a compiled model: see `archsearch.training.watch`.
    steps_per_epoch : int
        Batches in an epoch.
    metrics : tuple of str
        Keras' names of what is reported besides the loss.
    fused : bool
        Whether Adam steps by TensorFlow's own kernel: for a model that is never saved with its optimizer,
        whose file would not load without archsearch.
    """
    optimizer = _optimizer(recipe, _learning_rate(recipe, steps_per_epoch), fused)
    if recipe.precision == "mixed_float16":
        # Keras wraps by itself only where its global policy says so; without it small gradients become 0.
        optimizer = optimizers.LossScaleOptimizer(optimizer)
    loss = loss_for(model.output.shape[-1])
    model.compile(optimizer, loss, metrics=list(metrics) or None, jit_compile=JIT_COMPILE)


def loss_for(outputs: int) -> str:
    """Keras' name of the cross-entropy between class indices and probabilities of `outputs` outputs."""
    return "binary_crossentropy" if outputs == 1 else "sparse_categorical_crossentropy"


def _learning_rate(recipe: Recipe, steps_per_epoch: int) -> Any:
    if recipe.schedule == "cosine":
        return optimizers.schedules.CosineDecay(recipe.learning_rate, recipe.epochs * steps_per_epoch)
    return recipe.learning_rate


def _optimizer(recipe: Recipe, learning_rate: Any, fused: bool) -> Any:
    adam, adamw = (FusedAdam, FusedAdamW) if fused else (optimizers.Adam, optimizers.AdamW)
    match recipe.optimizer:
        case "adam":
            return adam(learning_rate)
        case "adamw":
            return adamw(learning_rate, weight_decay=recipe.weight_decay)
        case "sgd":
            return optimizers.SGD(learning_rate, momentum=recipe.momentum)
        case "rmsprop":
            return optimizers.RMSprop(learning_rate)
    raise ValueError(f"{recipe.optimizer}: no optimizer of a recipe")

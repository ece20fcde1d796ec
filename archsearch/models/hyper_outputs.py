"""What a model of unknown making takes and gives: checked, as labels for its loss, as probabilities."""

import re
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from archsearch.errors import SpaceError

# Sums of probabilities in float16 are off by no more than this.
SUM_TOLERANCE = 0.02


def probabilities_model(model: Any, input_shape: tuple[int, ...]) -> Any:
    """`model` as a functional model from samples to probabilities; they share their weights.

    Where the loss it was compiled with takes logits, a softmax (or a sigmoid, for one output) follows.

    Parameters
    ----------
    model : keras.Model
        Functional, sequential or subclassed.
    input_shape : tuple of int
        One sample.
    """
    if model.built and getattr(model, "inputs", None):
        inputs, outputs = model.inputs[0], model.outputs[0]
    else:
        inputs = keras.Input(input_shape)
        outputs = model(inputs)
    if takes_logits(model):
        activation = "sigmoid" if outputs.shape[-1] == 1 else "softmax"
        # In float32, whatever the model's precision: losses of nearly certain classes need it.
        outputs = keras.layers.Activation(activation, dtype="float32")(outputs)
    return keras.Model(inputs, outputs)


def takes_logits(model: Any) -> bool:
    """Whether the model was compiled with a loss that applies softmax or sigmoid itself."""
    return bool(model.compiled and getattr(model.loss, "from_logits", False))


def labels_for(model: Any, labels: NDArray[np.int64], classes: int) -> NDArray[Any]:
    """Class indices in the form that the model's loss takes.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    labels : array of int64, shape (samples,)
    classes : int

    Returns
    -------
    array
        The indices where the loss is a sparse one; 0.0 and 1.0, shape (samples, 1), where the model has one
        output; else one-hot, shape (samples, classes).
    """
    if _takes_indices(model.loss):
        return labels
    if model.output_shape[-1] == 1:
        return labels[:, None].astype(np.float32)
    return np.eye(classes, dtype=np.float32)[labels]


def _takes_indices(loss: Any) -> bool:
    names = (loss, getattr(loss, "name", ""), getattr(loss, "__name__", ""), type(loss).__name__)
    return any(isinstance(name, str) and "sparse" in name.lower() for name in names)


def require_usable(model: Any, input_shape: tuple[int, ...], classes: int) -> None:
    """Check that what a HyperModel built can be trained and judged on the data.

    Raises
    ------
    SpaceError
        If it is no model, does not take the data's samples, or does not give a probability (or logit) for
        each class.
    """
    if not isinstance(model, keras.Model):
        raise SpaceError(f"build must return a Keras model, not {_what(model)}")
    outputs = _outputs(model, input_shape)
    if isinstance(outputs, list | tuple | dict):
        raise SpaceError(f"the model has {len(outputs)} outputs; one, of class probabilities, can be judged")
    shape = tuple(outputs.shape[1:])
    if shape not in [(classes,), (1,)][: 1 + (classes == 2)]:
        wanted = "(2,) or (1,)" if classes == 2 else f"({classes},)"
        raise SpaceError(f"the model's output has the shape {shape}, the data's classes need {wanted}")
    if isinstance(model.loss, list | tuple | dict):
        raise SpaceError("the model is compiled with several losses; one can be judged")
    _require_probabilities(model, input_shape)
    _require_savable(model, input_shape)


def _outputs(model: Any, input_shape: tuple[int, ...]) -> Any:
    try:
        return model(keras.Input(input_shape))
    except Exception as error:
        own = getattr(model, "input_shape", None)
        why = f"it takes {own[1:]}" if isinstance(own, tuple) else _first_sentence(error)
        raise SpaceError(
            f"the model does not take the data's samples, of shape {input_shape}: {why}"
        ) from None


def _first_sentence(error: Exception) -> str:
    """Keras' message without its colours and its list of arguments."""
    text = re.sub(r"\x1b\[\d*m", "", str(error)).split("Arguments received")[0]
    return " ".join(text.split())[:300]


def _require_probabilities(model: Any, input_shape: tuple[int, ...]) -> None:
    """Check outputs on noise: a missing activation is seen there, and nowhere in a model's description."""
    noise = np.random.default_rng(0).random((8, *input_shape), dtype=np.float32)
    given = np.asarray(
        keras.ops.convert_to_numpy(probabilities_model(model, input_shape)(noise, training=False)), np.float32
    )
    if not np.isfinite(given).all():
        return  # a network may overflow on noise and yet train; epochs judge that
    sums = given.sum(axis=-1)
    is_one = given.shape[-1] == 1 or np.allclose(sums, 1, atol=SUM_TOLERANCE)
    if given.min() < 0 or given.max() > 1 or not is_one:
        raise SpaceError(
            "the model's outputs are no probabilities: end it with softmax (sigmoid for one output), or "
            "compile it with a loss that has from_logits=True"
        )


def _require_savable(model: Any, input_shape: tuple[int, ...]) -> None:
    """Check it before the training: its best weights are delivered as a file."""
    try:
        probabilities_model(model, input_shape).get_config()
    except (NotImplementedError, TypeError, ValueError) as error:
        raise SpaceError(f"the model can't be saved: {_first_sentence(error)}") from None


def _what(value: Any) -> str:
    return "None" if value is None else f"{type(value).__name__}"

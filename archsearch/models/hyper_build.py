"""One build of a HyperModel, with all that can be known of it before it is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from archsearch.architecture import Scalar
from archsearch.models.compile import loss_for
from archsearch.models.hyper_fit import Rehearsed, has_own_fit, rehearse_fit
from archsearch.models.hyper_outputs import labels_for, require_usable
from archsearch.models.hypermodels import AskedHyperParameters, built_model
from archsearch.suggest import Suggest

# Keras' loss where a HyperModel leaves the compiling to others.
REHEARSED_OPTIMIZER = "sgd"


@dataclass(frozen=True, slots=True)
class HyperBuild:
    """What was built.

    Attributes
    ----------
    hp : AskedHyperParameters
        With the values that were asked for, by ``fit`` too.
    parameters : int
        Weights of the model.
    optimizer : mapping or None
        Of the compiled model, by the fields of a `Recipe`: ``optimizer``, ``learning_rate``, ``momentum``,
        ``weight_decay``, ``precision``. None where it is not compiled.
    fit : Rehearsed or None
        None where the HyperModel has no ``fit`` of its own.
    """

    hp: AskedHyperParameters
    parameters: int
    optimizer: Mapping[str, Any] | None
    fit: Rehearsed | None


def try_build(
    hypermodel: Any,
    known: Mapping[str, Scalar],
    suggest: Suggest | None,
    input_shape: tuple[int, ...],
    classes: int,
    offered: Mapping[str, Any],
) -> HyperBuild:
    """Build a model, check it against the data, rehearse its training; the model itself is thrown away.

    Parameters
    ----------
    hypermodel : keras_tuner.HyperModel
    known : mapping of str to value
        Values that are not asked for.
    suggest : Suggest or None
        Who chooses the others; None for their defaults.
    input_shape : tuple of int
        One sample.
    classes : int
    offered : mapping
        Words of ``keras.Model.fit`` beside the callbacks and the data.

    Raises
    ------
    SpaceError
        If what it built can't be used.
    Exception
        Whatever the user's code raises.
    """
    keras.backend.clear_session()
    hp = AskedHyperParameters(known, suggest)
    model = built_model(hypermodel, hp)
    require_usable(model, input_shape, classes)
    optimizer = _optimizer(model) if model.compiled else None
    fit = None
    if has_own_fit(hypermodel):
        fit = _rehearsed(hypermodel, hp, model, input_shape, classes, offered)
    hp.require_known()
    return HyperBuild(hp, model.count_params(), optimizer, fit)


def _rehearsed(
    hypermodel: Any,
    hp: AskedHyperParameters,
    model: Any,
    input_shape: tuple[int, ...],
    classes: int,
    offered: Mapping[str, Any],
) -> Rehearsed:
    if not model.compiled:
        model.compile(REHEARSED_OPTIMIZER, loss_for(model.output_shape[-1]))
    x = np.random.default_rng(0).random((classes, *input_shape), dtype=np.float32)
    y = labels_for(model, np.arange(classes), classes)
    return rehearse_fit(hypermodel, hp, model, x, y, {**offered, "validation_data": (x, y)})


def _optimizer(model: Any) -> dict[str, Any]:
    """The compiled optimizer by the fields of a recipe."""
    optimizer = model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
    # Keras holds 0.001 as the float32 that prints so.
    rate = np.float32(keras.ops.convert_to_numpy(optimizer.learning_rate))
    return {
        "optimizer": type(optimizer).__name__.lower(),
        "learning_rate": float(str(rate)),
        "momentum": float(getattr(optimizer, "momentum", 0.0) or 0.0),
        "weight_decay": float(optimizer.weight_decay or 0.0),
        "precision": model.dtype_policy.name,
    }

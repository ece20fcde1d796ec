"""A family of a space as a KerasTuner ``HyperModel``, for KerasTuner's own tuners."""

import math
from typing import Any

from archsearch.errors import SpaceError
from archsearch.models import build, compile_model
from archsearch.models.hyper_tuner import keras_tuner
from archsearch.space.family_words import CnnFamily, DenseFamily, HyperModelFamily
from archsearch.space.sample import sample_architecture, sample_recipe
from archsearch.space.schema import SearchSpace
from archsearch.space.training_words import TrainingWords

# KerasTuner's usual objective is val_accuracy.
METRICS = ("accuracy",)


def family_hypermodel(
    space: SearchSpace, family: str, input_shape: tuple[int, ...] | None, classes: int | None
) -> "FamilyHyperModel":
    """See `SearchSpace.to_hypermodel`."""
    words = space.families.named.get(family)
    if words is None:
        there = ", ".join(space.families.named) or "none"
        raise SpaceError(f"to_hypermodel: the space has no family {family!r}; it has: {there}")
    if isinstance(words, HyperModelFamily):
        raise SpaceError(f"to_hypermodel: {family} is a HyperModel already: {words.hypermodel}")
    if input_shape is None or classes is None:
        # The one look forward in the order of rooms: only here does a space need to know its data's shape.
        from archsearch.data.shapes import data_shape

        shape = data_shape(space.data, space.folder)
        input_shape = shape.input_shape if input_shape is None else input_shape
        classes = len(shape.classes) if classes is None else classes
    return FamilyHyperModel(words, space.training, input_shape, classes)


class FamilyHyperModel(keras_tuner.HyperModel):  # type: ignore[misc]
    """Models of one family, compiled as the space's ``training`` says.

    Its hyperparameters have the names they have in archsearch: ``dense.depth``, ``training.learning_rate``.
    ``fit`` takes arrays, and trains with the space's batch size and epochs where the tuner's ``search`` does
    not say others. Early stopping and the schedule ``plateau`` are callbacks: give them to ``search``.

    Parameters
    ----------
    family : DenseFamily or CnnFamily
    training : TrainingWords
    input_shape : tuple of int
        One sample.
    classes : int
    """

    def __init__(
        self,
        family: DenseFamily | CnnFamily,
        training: TrainingWords,
        input_shape: tuple[int, ...],
        classes: int,
    ) -> None:
        super().__init__()
        self._family, self._training = family, training
        self._input_shape, self._classes = input_shape, classes

    def build(self, hp: Any) -> Any:
        """Sample a compiled model through `hp`; labels are class indices."""
        suggest = HyperParametersSuggest(hp)
        architecture = sample_architecture(self._family, suggest, self._input_shape)
        recipe = sample_recipe(self._training, suggest)
        model = build(architecture, self._input_shape, self._classes, recipe.augmentation, recipe.precision)
        compile_model(model, recipe, steps_per_epoch=1, metrics=METRICS)
        return model

    def fit(self, hp: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Train with the recipe's batch size and epochs, unless the words say others."""
        recipe = sample_recipe(self._training, HyperParametersSuggest(hp))
        words = {"epochs": recipe.epochs, "batch_size": recipe.batch_size} | kwargs
        if recipe.schedule == "cosine":
            # Only here is it known after how many steps the rate is to be 0.
            samples = len(args[0] if args else kwargs["x"])
            compile_model(model, recipe, math.ceil(samples / words["batch_size"]), METRICS)
        return model.fit(*args, **words)


class HyperParametersSuggest:
    """KerasTuner's hyperparameters as a `Suggest`.

    Parameters
    ----------
    hp : keras_tuner.HyperParameters
    """

    def __init__(self, hp: Any) -> None:
        self._hp = hp

    def categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        """One of `choices`; by their indices where KerasTuner takes no such values."""
        if set(choices) == {False, True} and all(isinstance(choice, bool) for choice in choices):
            return self._hp.Boolean(name, default=choices[0])
        kinds = {type(choice) for choice in choices}
        if len(kinds) == 1 and kinds <= {int, float, str}:
            return self._hp.Choice(name, list(choices))
        return choices[self._hp.Choice(name, list(range(len(choices))), ordered=False)]

    def integer(self, name: str, low: int, high: int, *, log: bool) -> int:
        """A whole number from `low` to `high`."""
        return int(self._hp.Int(name, low, high, sampling="log" if log else "linear"))

    def real(self, name: str, low: float, high: float, *, log: bool) -> float:
        """A number from `low` to `high`."""
        return float(self._hp.Float(name, low, high, sampling="log" if log else "linear"))

"""A user's KerasTuner ``HyperModel`` as a source of Keras models: KerasTuner's language without its engine.

KerasTuner's ``HyperParameters`` is the language in which a HyperModel says what may vary. Here the values
come from a `Suggest` (or from a record) instead of KerasTuner's oracles.
"""

import inspect
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsearch.architecture import Scalar
from archsearch.errors import SpaceError
from archsearch.models.hyper_tuner import keras_tuner, kinds
from archsearch.suggest import Suggest
from archsearch.usercode import describe_error, load_object

# Of a real number that is chosen: a finer one makes no other network.
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Declared:
    """A hyperparameter as a HyperModel declared it.

    Attributes
    ----------
    name : str
        With its name scopes, as KerasTuner writes it: ``"cnn/units"``.
    choices : str
        What it may be, in words: ``"8, 16, 32"``, ``"1e-04 to 1e-02, log"``.
    condition : str
        When it is active, ``"kind=mlp"``; empty for always.
    """

    name: str
    choices: str
    condition: str = ""


class AskedHyperParameters(keras_tuner.HyperParameters):  # type: ignore[misc]
    """Hyperparameters whose values are looked up, asked for or, with nobody to ask, their defaults.

    ``Int``, ``Float``, ``Choice``, ``Boolean`` and ``Fixed``, in name scopes and conditional scopes, all end
    in ``_register``, the one method that is overridden. A ``copy`` is KerasTuner's own: it has the values
    chosen so far, and what is declared on it takes its default – which is what KerasTuner does to a
    HyperModel that is not ``tunable``.

    Parameters
    ----------
    known : mapping of str to value
        Values that are not asked for.
    suggest : Suggest or None
        Who chooses the others; None for their defaults.
    """

    def __init__(self, known: Mapping[str, Scalar], suggest: Suggest | None) -> None:
        super().__init__()
        self._known = known
        self._suggest = suggest

    def _register(self, hyperparameter: Any, overwrite: bool = False) -> Any:
        name = hyperparameter.name
        if self.is_active(hyperparameter) and name not in self.values:
            if name in self._known:
                self.values[name] = _checked(hyperparameter, self._known[name])
            elif self._suggest is not None:
                self.values[name] = _plain(_asked(hyperparameter, self._suggest))
            else:
                self.values[name] = _plain(hyperparameter.default)
        return super()._register(hyperparameter, overwrite)

    @property
    def active(self) -> tuple[tuple[str, Scalar], ...]:
        """The active hyperparameters and their values, in the order in which they were asked for."""
        return tuple(self.values.items())

    @property
    def declared(self) -> tuple[Declared, ...]:
        """Every hyperparameter that was declared, inactive ones too."""
        return tuple(Declared(hp.name, _choices(hp), _condition(hp)) for hp in self.space)

    def require_known(self) -> None:
        """Check that every given value belongs to a hyperparameter.

        Raises
        ------
        SpaceError
            Naming those that don't.
        """
        strange = [name for name in self._known if name not in self.values]
        if strange:
            there = ", ".join(self.values) or "none"
            raise SpaceError(f"no active hyperparameter is named {', '.join(strange)}; there are: {there}")


def load_hypermodel(
    reference: str,
    arguments: Mapping[str, Any],
    folder: Path,
    input_shape: tuple[int, ...],
    classes: int,
) -> Any:
    """The HyperModel that a space names.

    Parameters
    ----------
    reference : str
        ``package.module:Name`` of a HyperModel class, of one made, or of a function ``build(hp)``.
    arguments : mapping
        Of the class. ``input_shape``, and ``classes`` or ``num_classes``, are filled in from the data where
        the class takes them and they are not given.
    folder : Path
        Where modules are looked for first.
    input_shape : tuple of int
        One sample.
    classes : int

    Returns
    -------
    keras_tuner.HyperModel

    Raises
    ------
    Refused
        If it can't be imported, made, or is none of the three.
    """
    named = load_object(reference, folder)
    if inspect.isclass(named):
        if not issubclass(named, keras_tuner.HyperModel):
            raise SpaceError(f"{reference}: the class is no keras_tuner.HyperModel")
        return _made(named, reference, arguments, folder, input_shape, classes)
    if arguments:
        kind = "HyperModel that is already made" if isinstance(named, keras_tuner.HyperModel) else "function"
        raise SpaceError(f"{reference}: a {kind} takes no arguments: {', '.join(arguments)}")
    if isinstance(named, keras_tuner.HyperModel):
        return named
    if callable(named):
        return _FromFunction(named)
    raise SpaceError(
        f"{reference}: neither a keras_tuner.HyperModel nor a function build(hp), but {type(named).__name__}"
    )


class _FromFunction(keras_tuner.HyperModel):  # type: ignore[misc]
    """A function ``build(hp)`` as a HyperModel."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def build(self, hp: Any) -> Any:
        return self.function(hp)


def built_model(hypermodel: Any, hp: AskedHyperParameters) -> Any:
    """What `hypermodel` builds, its hyperparameters declared as a tuner of KerasTuner would have them."""
    hypermodel.declare_hyperparameters(hp)
    return hypermodel.build(hp)


def _made(
    named: Any,
    reference: str,
    arguments: Mapping[str, Any],
    folder: Path,
    input_shape: tuple[int, ...],
    classes: int,
) -> Any:
    of_data = {"input_shape": input_shape, "classes": classes, "num_classes": classes}
    taken = inspect.signature(named).parameters
    filled = {word: value for word, value in of_data.items() if word in taken} | dict(arguments)
    try:
        inspect.signature(named).bind(**filled)
    except TypeError as error:
        raise SpaceError(f"{reference}: {error}; give them as 'arguments' of the family") from None
    try:
        return named(**filled)
    except Exception as error:
        raise SpaceError(f"{reference}: making it raised {describe_error(error, folder)}") from None


def _asked(hp: Any, suggest: Suggest) -> Any:
    """Ask `suggest` for a value.

    A sampler takes numbers as steps on a scale: so an ordered choice, or a number with a step, is asked for
    by its index. A parameter is the same one to the sampler only with the same choices and condition, hence
    the long names: Optuna refuses two sets of choices under one.
    """
    name = " ".join(filter(None, [hp.name, _condition(hp) and f"if {_condition(hp)}", f"in {_choices(hp)}"]))
    if isinstance(hp, kinds.Fixed):
        return hp.value
    if isinstance(hp, kinds.Boolean):
        return suggest.categorical(name, (False, True))
    if isinstance(hp, kinds.Choice):
        values = tuple(dict.fromkeys(hp.values))
        if not hp.ordered:
            return suggest.categorical(name, values) if len(values) > 1 else values[0]
        return sorted(values)[_index(suggest, name, len(values))]
    if hp.min_value == hp.max_value:
        return hp.min_value
    if isinstance(hp, kinds.Int) and hp.step == 1 and hp.sampling == "linear":
        return suggest.integer(name, hp.min_value, hp.max_value, log=False)
    if hp.step is not None:
        count = len(tuple(hp.values))
        return hp.prob_to_value((_index(suggest, name, count) + 0.5) / count)
    if hp.sampling == "reverse_log":
        # KerasTuner's own scale; at 1 its integers would end one above their maximum.
        value = min(hp.prob_to_value(suggest.real(name, 0.0, 1.0, log=False)), hp.max_value)
    else:
        ask = suggest.integer if isinstance(hp, kinds.Int) else suggest.real
        value = ask(name, hp.min_value, hp.max_value, log=hp.sampling == "log")
    return value if isinstance(hp, kinds.Int) else _rounded(value, hp.min_value, hp.max_value)


def _rounded(value: float, low: float, high: float) -> float:
    """`value` to four digits of itself or of the range, whichever are finer: a line of values stays short."""
    finest = min(abs(value) or math.inf, high - low)
    rounded = round(value, DIGITS - 1 - math.floor(math.log10(finest)))
    return float(min(max(low, rounded), high))


def _index(suggest: Suggest, name: str, count: int) -> int:
    return suggest.integer(name, 0, count - 1, log=False) if count > 1 else 0


def _checked(hp: Any, value: Scalar) -> Scalar:
    """A given value as the hyperparameter's own kind.

    Raises
    ------
    SpaceError
        If the hyperparameter can't be that.
    """
    if isinstance(hp, kinds.Float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not _allows(hp, value):
        raise SpaceError(f"{hp.name} can't be {json.dumps(value)}: it is {_choices(hp)}")
    return value


def _allows(hp: Any, value: Scalar) -> bool:
    if isinstance(hp, kinds.Int | kinds.Float):
        kind = int if isinstance(hp, kinds.Int) else float
        return type(value) is kind and hp.min_value <= value <= hp.max_value
    return any(type(value) is type(_plain(choice)) and value == choice for choice in hp.values)


def _plain(value: Any) -> Scalar:
    """A value as one of Python's own types: NumPy's numbers count as theirs, but are no JSON."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"a hyperparameter's value must be a bool, int, float or str, not {value!r}")


def _choices(hp: Any) -> str:
    """What a hyperparameter may be, in words."""
    if not isinstance(hp, kinds.Int | kinds.Float):
        return ", ".join(json.dumps(_plain(value)) for value in hp.values)
    words = [f"{hp.min_value!r} to {hp.max_value!r}"]
    if hp.step is not None and not (isinstance(hp, kinds.Int) and hp.step == 1):
        words.append(f"step {hp.step!r}")
    if hp.sampling != "linear":
        words.append(hp.sampling)
    return ", ".join(words)


def _condition(hp: Any) -> str:
    return " and ".join(f"{c.name}={'|'.join(map(str, c.values))}" for c in hp.conditions)

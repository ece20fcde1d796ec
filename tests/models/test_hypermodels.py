"""Users' HyperModels: what they may be, and how their hyperparameters are asked for."""

import importlib
import math
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

pytest.importorskip("keras_tuner")

import hypermodels_of_a_user as user
import keras_tuner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archsearch.errors import Refused
from archsearch.models.hyper_build import try_build
from archsearch.models.hyper_outputs import labels_for, probabilities_model
from archsearch.models.hypermodels import AskedHyperParameters, load_hypermodel
from archsearch.suggest import RandomSuggest

HERE = Path(user.__file__).parent
OFFERED = {"epochs": 5, "batch_size": 64, "verbose": 0}


def tried(hypermodel: Any, known: dict | None = None, suggest: Any = None) -> Any:
    return try_build(hypermodel, known or {}, suggest, user.SHAPE, user.CLASSES, OFFERED)


def values_of(hypermodel: Any, known: dict | None = None, suggest: Any = None) -> dict:
    return dict(tried(hypermodel, known, suggest).hp.active)


class Noted:
    """A `Suggest` that notes what it is asked, and takes the lowest, the highest, or a share between."""

    def __init__(self, share: float = 0.0) -> None:
        self.share = share
        self.asked: dict[str, tuple] = {}

    def categorical(self, name: str, choices: tuple) -> Any:
        self.asked[name] = ("categorical", choices)
        return choices[min(len(choices) - 1, int(self.share * len(choices)))]

    def integer(self, name: str, low: int, high: int, *, log: bool) -> int:
        self.asked[name] = ("integer", low, high, log)
        return round(low + self.share * (high - low))

    def real(self, name: str, low: float, high: float, *, log: bool) -> float:
        self.asked[name] = ("real", low, high, log)
        return low + self.share * (high - low)


def declared(share: float = 0.0) -> tuple[dict, dict]:
    """What `EveryKind` asks a `Noted`, by the hyperparameter's own name, and its values."""
    hp, noted = AskedHyperParameters({}, Noted(share)), Noted()
    hp._suggest = noted = Noted(share)
    user.EveryKind().build(hp)
    return {name.split(" ")[0]: asked for name, asked in noted.asked.items()}, dict(hp.active)


def test_every_kind_of_hyperparameter_is_asked_for_on_its_scale() -> None:
    asked, _ = declared()
    assert asked == {
        "units": ("integer", 4, 64, True),
        "plain": ("integer", -3, 3, False),
        "stepped": ("integer", 0, 2, False),
        "doubled": ("integer", 0, 4, False),
        "reversed": ("real", 0.0, 1.0, False),
        "reversed_step": ("integer", 0, 6, False),
        "share": ("real", 0.0, 1.0, False),
        "tenths": ("integer", 0, 4, False),
        "magnitude": ("real", 1e-4, 1e-1, True),
        "decades": ("integer", 0, 4, False),
        "near_one": ("real", 0.0, 1.0, False),
        "floats": ("integer", 0, 2, False),
        "words": ("categorical", ("b", "a")),
        "unordered": ("categorical", (3, 1, 2)),
        "flag": ("categorical", (False, True)),
    }


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (
            0.0,
            {"stepped": 6, "doubled": 2, "reversed": 1, "reversed_step": 64, "floats": 0.001, "words": "b"},
        ),
        (
            1.0,
            {"stepped": 12, "doubled": 32, "reversed": 100, "reversed_step": 1, "floats": 0.1, "words": "a"},
        ),
        (0.0, {"tenths": 0.0, "decades": 1e-3, "near_one": 0.1, "alone": "only", "fixed": 7, "flag": False}),
        (1.0, {"tenths": 1.0, "decades": 10.0, "near_one": 1.0, "unordered": 2, "fixed": 7, "flag": True}),
    ],
)
def test_both_ends_of_a_scale_are_the_hyperparameters_own(share: float, expected: dict) -> None:
    _, values = declared(share)
    for name, value in expected.items():
        assert values[name] == pytest.approx(value), name
        assert type(values[name]) is type(value), name


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_sampled_values_are_ones_that_kerastuner_could_have_sampled(seed: int) -> None:
    hp = AskedHyperParameters({}, RandomSuggest(seed))
    _declare_every_kind(hp)
    for one in hp.space:
        value = hp.values[one.name]
        if getattr(one, "step", None) is not None:
            assert any(math.isclose(value, int(v) if type(value) is int else v) for v in one.values), one
        elif hasattr(one, "min_value"):
            assert one.min_value <= value <= one.max_value
            assert len(repr(value)) <= 10
        else:
            assert value in one.values


def _declare_every_kind(hp: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(user, "dense", lambda _: None)
        patch.setattr(user, "compiled", lambda _: None)
        user.EveryKind().build(hp)


def test_without_anybody_to_ask_the_values_are_the_defaults() -> None:
    assert values_of(user.EveryKind()) | {
        "floats": 0.01,
        "flag": True,
        "units": 4,
        "words": "b",
    } == values_of(user.EveryKind())


def test_known_values_are_not_asked_for() -> None:
    noted = Noted(1.0)
    values = values_of(user.Stack(), {"units": 32}, noted)
    assert values["units"] == 32
    assert not [name for name in noted.asked if name.startswith("units")]


def test_recorded_values_build_the_same_model_again() -> None:
    first = tried(user.Scoped(), suggest=RandomSuggest(5))
    again = tried(user.Scoped(), dict(first.hp.active))
    assert (again.hp.active, again.parameters) == (first.hp.active, first.parameters)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"units": 65}, "units can't be 65: it is 16 to 64, step 16"),
        ({"units": "many"}, 'units can\'t be "many"'),
        ({"units": True}, "units can't be true"),
        ({"activation": "gelu"}, 'activation can\'t be "gelu": it is "relu", "tanh"'),
        ({"unit": 32}, "no active hyperparameter is named unit; there are: units, activation, rate"),
    ],
)
def test_a_known_value_that_no_hyperparameter_can_have_is_refused(known: dict, said: str) -> None:
    with pytest.raises(Refused) as refused:
        tried(user.Stack(), known)
    assert said in str(refused.value)


def test_a_whole_number_is_a_float_where_the_hyperparameter_is_one() -> None:
    assert values_of(user.EveryKind(), {"share": 1})["share"] == 1.0


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"kind": "mlp"}, {"kind": "mlp", "units": 16, "head/units": 8}),
        ({"kind": "cnn"}, {"kind": "cnn", "units": 6, "pools": True, "size": 3, "head/units": 8}),
        ({"kind": "cnn", "pools": False}, {"kind": "cnn", "pools": False, "units": 6, "head/units": 8}),
    ],
)
def test_only_active_hyperparameters_have_values(known: dict, expected: dict) -> None:
    assert values_of(user.Scoped(), known, Noted(1.0)) == expected


def test_one_name_under_two_conditions_is_two_parameters_to_the_sampler() -> None:
    noted = Noted()
    for kind in ("mlp", "cnn"):
        values_of(user.Scoped(), {"kind": kind}, noted)
    units = [name for name in noted.asked if name.startswith("units ")]
    assert units == ["units if kind=mlp in 8, 16", "units if kind=cnn in 2, 4, 6"]


def test_what_is_declared_on_a_copy_takes_its_default() -> None:
    assert values_of(user.Frozen(), suggest=Noted(1.0)) == {"outer": 2}


def test_what_is_declared_before_the_build_holds_in_it() -> None:
    assert values_of(user.Declares(), suggest=Noted(0.0))["activation"] == "tanh"


@pytest.mark.parametrize("name", ["Stack", "function"])
def test_a_class_and_a_function_are_hypermodels(name: str) -> None:
    hypermodel = load_hypermodel(f"hypermodels_of_a_user:{name}", {}, HERE, user.SHAPE, user.CLASSES)
    assert values_of(hypermodel) == {"units": 16, "activation": "relu", "rate": 0.001}


def test_a_hypermodel_that_is_made_already_is_taken_as_it_is() -> None:
    hypermodel = load_hypermodel("hypermodels_of_a_user:made", {}, HERE, user.SHAPE, user.CLASSES)
    assert hypermodel is user.made


def test_a_class_is_told_the_datas_shape_and_its_own_arguments() -> None:
    made = load_hypermodel("hypermodels_of_a_user:ForData", {"width": 9}, HERE, (5, 5, 3), 4)
    assert (made.width, made.input_shape, made.num_classes) == (9, (5, 5, 3), 4)


def test_an_argument_goes_before_what_the_data_say() -> None:
    arguments = {"width": 9, "num_classes": 7}
    assert load_hypermodel("hypermodels_of_a_user:ForData", arguments, HERE, (5, 5, 3), 4).num_classes == 7


@pytest.mark.parametrize(
    ("reference", "arguments", "said"),
    [
        ("no_such_module:Net", {}, "no module named 'no_such_module'"),
        ("hypermodels_of_a_user:Net", {}, "has no 'Net'"),
        ("hypermodels_of_a_user:ForData", {}, "missing a required argument: 'width'"),
        ("hypermodels_of_a_user:ForData", {"wide": 3}, "'wid"),
        ("hypermodels_of_a_user:made", {"width": 3}, "takes no arguments: width"),
        ("hypermodels_of_a_user:UserModel", {}, "is no keras_tuner.HyperModel"),
        ("hypermodels_of_a_user:nothing", {}, "neither a keras_tuner.HyperModel nor a function"),
    ],
)
def test_what_is_no_hypermodel_is_refused(reference: str, arguments: dict, said: str) -> None:
    with pytest.raises(Refused) as refused:
        load_hypermodel(reference, arguments, HERE, user.SHAPE, user.CLASSES)
    assert said in str(refused.value)
    assert reference in str(refused.value)


@pytest.mark.parametrize(
    ("hypermodel", "said"),
    [
        (user.GivesNothing(), "build must return a Keras model, not None"),
        (user.OtherShape(), "does not take the data's samples, of shape (8, 8, 1): it takes (16, 16, 3)"),
        (user.OtherClasses(), "the shape (7,), the data's classes need (10,)"),
        (user.TwoOutputs(), "the model has 2 outputs"),
        (user.NoSoftmax(), "no probabilities: end it with softmax"),
    ],
)
def test_a_model_that_cant_be_judged_on_the_data_is_refused(hypermodel: Any, said: str) -> None:
    with pytest.raises(Refused) as refused:
        tried(hypermodel)
    assert said in str(refused.value)


def test_the_parameters_and_the_optimizer_are_the_models_own() -> None:
    build = tried(user.ForData(3, user.SHAPE, user.CLASSES))
    assert build.parameters == 64 * 3 + 3 + 3 * 10 + 10
    assert build.optimizer == {
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "momentum": 0.5,
        "weight_decay": 0.0,
        "precision": "float32",
    }


@pytest.mark.parametrize("hypermodel", [user.Uncompiled(), user.Subclassed()])
def test_models_of_every_making_are_built(hypermodel: Any) -> None:
    assert tried(hypermodel).parameters > 0


def test_a_fit_that_chooses_its_batch_size_is_rehearsed() -> None:
    build = tried(user.OwnFit(), suggest=Noted(1.0))
    assert dict(build.hp.active)["batch_size"] == 64
    assert build.fit.batch_size == 64
    assert set(build.fit.words) == {"epochs", "verbose", "callbacks", "validation_data"}


def test_a_fit_in_two_phases_is_rehearsed_to_its_end() -> None:
    build = tried(user.TwoPhases(), suggest=Noted(1.0))
    values = dict(build.hp.active)
    assert (values["warm_up"], values["second_rate"]) == (2, pytest.approx(1e-3))
    assert build.fit.epochs == 2 + 3


def test_a_training_loop_of_ones_own_is_rehearsed_on_noise() -> None:
    build = tried(user.OwnLoop(), suggest=Noted(0.0))
    assert dict(build.hp.active)["batch"] == 32
    assert (build.fit.epochs, build.fit.batch_size) == (None, None)


def test_a_fit_that_drops_its_callbacks_is_refused() -> None:
    with pytest.raises(ValueError, match="must pass on the callbacks"):
        tried(user.DropsCallbacks())


def test_a_loop_of_ones_own_that_calls_no_callback_is_refused() -> None:
    with pytest.raises(Refused, match="fit trains without an epoch that can be measured"):
        tried(user.Silent())


@pytest.mark.parametrize(
    ("low", "high", "value", "expected"),
    [
        (1e-3, 1e-2, 0.008001392980763833, 0.008001),
        (1e-4, 1e-1, 0.00012345678, 0.0001235),
        (0, 1, 0.0, 0.0),
        (0.12352, 1.0, 0.12352, 0.12352),
        (0.0, 0.87654321, 0.8765432, 0.8765),
        (0.99990, 0.99999, 0.9999412345, 0.99994123),
        (-2.0, 2.0, -1.23456, -1.235),
        (0.0, 5e6, 1234567.8, 1235000.0),
    ],
)
def test_a_chosen_real_number_is_short_and_within_its_bounds(
    low: float, high: float, value: float, expected: float
) -> None:
    class Fixed(Noted):
        def real(self, *_: Any, **__: Any) -> float:
            return value

    hp = AskedHyperParameters({}, Fixed())
    assert hp.Float("rate", low, high) == expected


def test_logits_become_probabilities() -> None:
    model = user.Logits().build(keras_tuner.HyperParameters())
    noise = np.random.default_rng(0).random((4, *user.SHAPE), dtype=np.float32)
    given_, logits = probabilities_model(model, user.SHAPE)(noise), model(noise)
    np.testing.assert_allclose(given_, keras.ops.softmax(logits), rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "outputs", "expected"),
    [
        ("sparse_categorical_crossentropy", 3, [2, 0]),
        (keras.losses.SparseCategoricalCrossentropy(), 3, [2, 0]),
        ("categorical_crossentropy", 3, [[0, 0, 1], [1, 0, 0]]),
        (keras.losses.CategoricalFocalCrossentropy(), 3, [[0, 0, 1], [1, 0, 0]]),
        ("mse", 3, [[0, 0, 1], [1, 0, 0]]),
        ("binary_crossentropy", 1, [[1], [0]]),
        ("categorical_crossentropy", 2, [[0, 1], [1, 0]]),
    ],
)
def test_labels_have_the_form_that_the_loss_takes(loss: Any, outputs: int, expected: list) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(outputs)])
    model.compile("sgd", loss)
    labels = np.array([outputs - 1 if outputs > 1 else 1, 0])
    assert labels_for(model, labels, max(outputs, 2)).tolist() == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["HyperResNet", "HyperXception"])
def test_kerastuners_own_networks_build_for_small_images(name: str) -> None:
    shape, classes = (32, 32, 3), 5
    hypermodel = load_hypermodel(f"keras_tuner.applications:{name}", {}, HERE, shape, classes)
    build = try_build(hypermodel, {}, Noted(0.0), shape, classes, OFFERED)
    assert build.parameters > 100_000
    assert "learning_rate" in dict(build.hp.active)


def test_without_kerastuner_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    monkeypatch.delitem(sys.modules, "archsearch.models.hyper_tuner")
    with pytest.raises(Refused, match=r"pip install '\.\[keras-tuner\]'"):
        importlib.import_module("archsearch.models.hyper_tuner")

"""Trainings of what a user's HyperModel builds."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from answers import at_once

pytest.importorskip("keras_tuner")

import hypermodels_of_a_user as user

from archsearch.architecture import HyperModelArchitecture
from archsearch.data.sources import load
from archsearch.records import Ending, EpochRecord, Recipe, Status, Training, TrainingRun
from archsearch.space.data_words import Data
from archsearch.training import train

pytestmark = pytest.mark.slow

FOLDER = Path(user.__file__).parent
DIGITS = load(Data(source="digits"))
RECIPE = Recipe(3, 64, "adam", 0.003, None)
PRUNED = Ending(Status.PRUNED, "worse than others")


def trained(
    name: str,
    path: Path,
    values: dict | None = None,
    recipe: Recipe = RECIPE,
    on_epoch: Callable[[int, EpochRecord], Ending | None] = lambda *_: None,
    dataset: Any = DIGITS,
    arguments: dict | None = None,
) -> TrainingRun:
    reference = f"hypermodels_of_a_user:{name}"
    architecture = HyperModelArchitecture("mine", reference, tuple((values or {}).items()))
    training = Training(0, architecture, recipe, (1,))
    (run,) = train(training, dataset, at_once(on_epoch), path, FOLDER, arguments)
    return run


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Stack", {"units": 32, "rate": 0.01}),
        ("Scoped", {"kind": "cnn", "units": 4, "pools": True, "size": 2, "head/units": 8}),
        ("Logits", {"units": 16}),
        ("Uncompiled", {"units": 24}),
        ("Subclassed", {"units": 8}),
        ("made", {}),
    ],
)
def test_what_a_hypermodel_builds_is_trained_and_judged_by_its_probabilities(
    name: str, values: dict, tmp_path: Path
) -> None:
    run = trained(name, tmp_path, values)
    assert run.status is Status.COMPLETED, run.reason
    assert len(run.epochs) == 3
    assert run.probabilities is not None
    np.testing.assert_allclose(run.probabilities.sum(axis=1), 1, atol=1e-5)
    assert run.model is not None
    model = keras.models.load_model(tmp_path / run.model)
    x, y = DIGITS.x.take(DIGITS.split.val), DIGITS.y[DIGITS.split.val]
    saved = keras.ops.convert_to_numpy(model(x, training=False))
    losses = -np.log(saved[np.arange(len(y)), y])
    assert run.delivered is not None
    assert run.delivered.val_loss == pytest.approx(losses.mean(), rel=1e-4)


def test_the_same_seed_trains_the_same_weights(tmp_path: Path) -> None:
    first, again = (trained("OwnFit", tmp_path, {"units": 16, "batch_size": 64}) for _ in range(2))
    assert [e.val_loss for e in first.epochs] == [e.val_loss for e in again.epochs]


def test_a_fit_of_ones_own_has_its_own_batch_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, keras_fit = [], keras.Model.fit

    @functools.wraps(keras_fit)
    def noting(self: Any, *args: Any, **words: Any) -> Any:
        seen.append((words["batch_size"], words["epochs"]))
        return keras_fit(self, *args, **words)

    monkeypatch.setattr(keras.Model, "fit", noting)
    run = trained("OwnFit", tmp_path, {"units": 16, "batch_size": 16})
    assert run.status is Status.COMPLETED, run.reason
    assert seen == [(16, 3)]


def test_epochs_of_two_phases_count_on(tmp_path: Path) -> None:
    run = trained("TwoPhases", tmp_path, {"warm_up": 2, "second_rate": 1e-4})
    assert run.status is Status.COMPLETED, run.reason
    assert [epoch.epoch for epoch in run.epochs] == [1, 2, 3, 4, 5]
    assert run.epochs[-1].learning_rate == pytest.approx(1e-4)


def test_a_pruned_first_phase_ends_the_training(tmp_path: Path) -> None:
    run = trained(
        "TwoPhases", tmp_path, {"warm_up": 2}, on_epoch=lambda _, epoch: PRUNED if epoch.epoch == 2 else None
    )
    assert (run.status, len(run.epochs)) == (Status.PRUNED, 2)


def test_a_training_loop_of_ones_own_is_measured(tmp_path: Path) -> None:
    run = trained("OwnLoop", tmp_path, {"batch": 64})
    assert run.status is Status.COMPLETED, run.reason
    assert len(run.epochs) == 2
    assert run.epochs[1].train_loss == run.epochs[1].train_loss_eval


def test_a_training_loop_of_ones_own_can_be_pruned(tmp_path: Path) -> None:
    run = trained("OwnLoop", tmp_path, {"batch": 64}, on_epoch=lambda *_: PRUNED)
    assert (run.status, len(run.epochs)) == (Status.PRUNED, 1)


def test_a_training_without_an_epoch_has_failed_and_says_so(tmp_path: Path) -> None:
    run = trained("GivesUp", tmp_path)
    assert run.status is Status.FAILED
    assert "fit has ended without an epoch" in run.reason


@pytest.fixture
def policy() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.usefixtures("policy")
def test_the_precision_on_record_is_the_models_own(tmp_path: Path) -> None:
    run = trained("Mixed", tmp_path)
    assert run.status is Status.COMPLETED, run.reason
    assert run.environment["precision"] == "mixed_float16"


def test_class_weights_enter_a_hypermodels_loss_alone(tmp_path: Path) -> None:
    weighted = replace(DIGITS, class_weights=dict.fromkeys(range(10), 10.0))
    plain, heavy = (
        trained("Stack", tmp_path, dataset=d, recipe=replace(RECIPE, epochs=1)) for d in (DIGITS, weighted)
    )
    assert heavy.epochs[0].train_loss > 5 * plain.epochs[0].train_loss
    assert heavy.epochs[0].val_loss < 2 * plain.epochs[0].val_loss


def test_streamed_samples_train_a_hypermodel(tmp_path: Path) -> None:
    streamed = replace(DIGITS, x=replace(DIGITS.x, is_streamed=True))
    for name in ("Logits", "OwnFit"):
        run = trained(name, tmp_path, dataset=streamed)
        assert run.status is Status.COMPLETED, run.reason


def test_a_build_that_raises_is_a_failed_training_that_says_so(tmp_path: Path) -> None:
    run = trained("Raises", tmp_path)
    assert run.status is Status.FAILED
    assert "no such backbone" in run.reason

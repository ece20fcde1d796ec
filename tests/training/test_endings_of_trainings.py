import dataclasses
import errno
import math
from pathlib import Path

import keras
import numpy as np
import pytest
from answers import at_once, late

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.records import Ending, Recipe, Status, Training
from archsearch.training import network, train

pytestmark = pytest.mark.slow

SMALL = Architecture("dense", (DenseBlock(16, 0.2),))
RECIPE = Recipe(epochs=3, batch_size=64, optimizer="adam", learning_rate=3e-3, patience=None)


def told_at(epoch, status=Status.PRUNED):
    """Ends the training with that epoch."""
    return lambda _, record: Ending(status, f"told at epoch {epoch}") if record.epoch >= epoch else None


def trained(digits, models, on_epoch=lambda *_: None, seed=0, architecture=SMALL, answered=at_once, **recipe):
    training = Training(0, architecture, dataclasses.replace(RECIPE, **recipe), (seed,))
    (run,) = train(training, digits, answered(on_epoch), models, Path())
    return run


def curves(run):
    return [(e.train_loss, e.train_loss_eval, e.val_loss, e.val_loss_halves) for e in run.epochs]


def test_a_seed_gives_its_curves_again_and_another_seed_others(digits, tmp_path):
    first, again, other = (trained(digits, tmp_path, seed=seed) for seed in (5, 5, 6))
    assert np.array(curves(first)[0][:3]) == pytest.approx(np.array(curves(again)[0][:3]), rel=1e-6)
    assert first.delivered.val_loss == pytest.approx(again.delivered.val_loss, rel=1e-4)
    assert first.delivered.val_loss != pytest.approx(other.delivered.val_loss, rel=1e-4)


def test_a_training_to_its_planned_end_is_completed_and_saved(digits, tmp_path):
    told = []
    run = trained(digits, tmp_path, lambda _, epoch: told.append(epoch))
    assert (run.status, run.reason, run.early_stopped) == (Status.COMPLETED, "", False)
    assert tuple(told) == run.epochs
    assert len(run.epochs) == 3
    assert [path.name for path in tmp_path.iterdir()] == [run.model]


@pytest.fixture(scope="module")
def stopped(digits, tmp_path_factory):
    """A training ended by its patience, and the folder of its model."""
    folder = tmp_path_factory.mktemp("stopped")
    return trained(digits, folder, epochs=40, learning_rate=0.1, patience=2), folder


def test_training_stops_after_epochs_of_patience_and_delivers_the_best(stopped):
    run, _ = stopped
    losses = [epoch.val_loss for epoch in run.epochs]
    assert run.status is Status.COMPLETED, run.reason
    assert run.early_stopped
    assert run.delivered_epoch == 1 + int(np.argmin(losses))
    assert len(losses) == run.delivered_epoch + 2 < 40
    assert run.delivered.val_loss == min(losses)


def test_the_model_saved_is_that_of_the_delivered_epoch_not_the_last(stopped, digits):
    run, folder = stopped
    model = keras.saving.load_model(folder / run.model)
    predicted = model.predict(digits.x.take(digits.split.val), verbose=0)
    assert predicted == pytest.approx(run.probabilities, abs=1e-5)


def test_patience_that_ends_with_the_last_epoch_stops_nothing_early(digits, tmp_path):
    run = trained(digits, tmp_path, epochs=2, optimizer="sgd", learning_rate=1e-30, patience=1)
    assert len(run.epochs) == 2
    assert not run.early_stopped


def test_a_training_told_that_it_is_pruned_ends_and_saves_nothing(digits, tmp_path):
    run = trained(digits, tmp_path, told_at(2))
    assert (run.status, run.reason, len(run.epochs)) == (Status.PRUNED, "told at epoch 2", 2)
    assert run.model is None
    assert list(tmp_path.iterdir()) == []


def test_a_training_told_that_it_is_stopped_delivers_its_best_weights(digits, tmp_path):
    run = trained(digits, tmp_path, told_at(4, Status.STOPPED), epochs=40, learning_rate=0.3)
    losses = [epoch.val_loss for epoch in run.epochs]
    assert (run.status, run.reason, len(losses)) == (Status.STOPPED, "told at epoch 4", 4)
    assert not run.early_stopped
    assert run.delivered.val_loss == min(losses)
    model = keras.saving.load_model(tmp_path / run.model)
    predicted = model.predict(digits.x.take(digits.split.val), verbose=0)
    assert predicted == pytest.approx(run.probabilities, abs=1e-5)


def test_a_loss_that_is_no_number_ends_the_training_as_diverged(digits, tmp_path):
    architecture = Architecture("dense", (DenseBlock(32), DenseBlock(32), DenseBlock(32)))
    run = trained(digits, tmp_path, architecture=architecture, optimizer="sgd", learning_rate=1e20)
    assert run.status is Status.DIVERGED
    assert "no finite number at epoch 1" in run.reason
    assert "train loss nan" in run.reason
    assert len(run.epochs) == 1
    assert math.isnan(run.epochs[0].auc)
    assert (run.model, run.delivered_epoch, run.probabilities) == (None, None, None)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("no such\n  layer"), Status.FAILED),
        (SystemExit("no licence"), Status.FAILED),
        (MemoryError("too large"), Status.OUT_OF_MEMORY),
        (RuntimeError("RESOURCE_EXHAUSTED: OOM when allocating"), Status.OUT_OF_MEMORY),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_while_building_is_an_outcome_with_its_reason(
    monkeypatch, digits, tmp_path, error, status
):
    def fails(*_):
        raise error

    monkeypatch.setattr(network, "build", fails)
    run = trained(digits, tmp_path)
    assert run.status is status
    assert run.reason == f"{type(error).__name__}: {' '.join(str(error).split())}"
    assert run.epochs == ()


def test_an_exception_while_training_is_an_outcome_that_keeps_the_epochs_before(digits, tmp_path):
    def fails_at_two(_, epoch):
        if epoch.epoch == 2:
            raise OSError("the driver is gone")

    run = trained(digits, tmp_path, fails_at_two)
    assert run.status is Status.FAILED
    assert run.reason == "OSError: the driver is gone"
    assert [epoch.epoch for epoch in run.epochs] == [1, 2]
    assert run.model is None


def test_labels_of_the_wrong_shape_fail_with_a_reason_and_no_exception(digits, tmp_path):
    wrong = dataclasses.replace(digits, y=np.stack([digits.y, digits.y], axis=1))
    run = trained(wrong, tmp_path)
    assert run.status is Status.FAILED
    assert run.reason


def test_a_network_that_pools_an_image_away_fails_with_a_reason(digits, tmp_path):
    architecture = Architecture("cnn", (), (ConvBlock(2),) * 4)
    run = trained(digits, tmp_path, architecture=architecture)
    assert run.status is Status.FAILED
    assert "ValueError" in run.reason


def test_a_model_that_can_not_be_saved_is_a_failed_training(digits, tmp_path):
    (tmp_path / "models").write_text("a file where the folder should be")
    run = trained(digits, tmp_path / "models")
    assert run.status is Status.FAILED
    assert run.model is None


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_raises_instead_of_being_held_against_the_architecture_and_is_not_filled_further(
    digits, tmp_path, monkeypatch, number
):
    def full(_, path):
        path.write_text("half of a model")
        raise OSError(number, "No room")

    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(OSError, match="No room"):
        trained(digits, tmp_path, epochs=1)
    assert list(tmp_path.iterdir()) == []


def test_early_stopping_at_the_epoch_of_pruning_keeps_the_training(digits, tmp_path):
    words = {"epochs": 40, "optimizer": "sgd", "learning_rate": 1e-30, "patience": 2}
    run = trained(digits, tmp_path, told_at(3), **words)
    assert (run.status, run.early_stopped, len(run.epochs)) == (Status.COMPLETED, True, 3)
    assert run.model is not None


@pytest.mark.parametrize(
    ("on_epoch", "recipe"),
    [
        (lambda *_: None, {}),
        (told_at(1), {}),
        (told_at(2, Status.STOPPED), {"epochs": 9}),
        (told_at(3, Status.STOPPED), {}),
        (told_at(2), {"epochs": 9, "optimizer": "sgd", "learning_rate": 1e-30, "patience": 1}),
        (lambda *_: None, {"epochs": 9, "optimizer": "sgd", "learning_rate": 1e20}),
    ],
    ids=["none", "pruned", "stopped", "at the last epoch", "early stopped", "diverged"],
)
def test_a_late_answer_ends_a_training_as_one_at_once(digits, tmp_path, on_epoch, recipe):
    prompt, tardy = (
        trained(digits, tmp_path / answered.__name__, on_epoch, answered=answered, **recipe)
        for answered in (at_once, late)
    )
    for of in ("status", "reason", "early_stopped", "delivered_epoch", "model"):
        assert getattr(tardy, of) == getattr(prompt, of), of
    assert repr(curves(tardy)) == repr(curves(prompt))
    if prompt.model:
        models = (keras.saving.load_model(tmp_path / name / prompt.model) for name in ("at_once", "late"))
        for ours, theirs in zip(*(model.get_weights() for model in models), strict=True):
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(("ending", "status"), [(2, Status.STOPPED), (9, Status.FAILED)])
def test_what_fails_after_the_epoch_that_was_the_last_is_no_failure(
    digits, tmp_path, monkeypatch, ending, status
):
    train_epoch = network.Network.train_epoch

    def fails_at_three(self, seed, epoch):
        if epoch == 2:
            raise RuntimeError("the third epoch")
        return train_epoch(self, seed, epoch)

    monkeypatch.setattr(network.Network, "train_epoch", fails_at_three)
    run = trained(digits, tmp_path, told_at(ending, Status.STOPPED), answered=late, epochs=9)
    assert (run.status, len(run.epochs)) == (status, 2)


def test_a_seed_after_one_that_ended_late_is_trained_as_ever(digits, tmp_path):
    training = Training(0, SMALL, dataclasses.replace(RECIPE, epochs=4), (5, 6))

    def first_ends_at_two(seed, epoch):
        return Ending(Status.STOPPED, "settled") if (seed, epoch.epoch) == (5, 2) else None

    prompt, tardy = (
        list(train(training, digits, answered(first_ends_at_two), tmp_path / answered.__name__, Path()))
        for answered in (at_once, late)
    )
    assert [len(run.epochs) for run in tardy] == [2, 4]
    assert list(map(curves, tardy)) == list(map(curves, prompt))

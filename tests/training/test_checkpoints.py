"""A training that was cut off goes on after its last checkpoint, as if it had never been."""

import errno
from pathlib import Path

import numpy as np
import pytest
from answers import at_once, late

from archsearch.architecture import Architecture, DenseBlock
from archsearch.records import Ending, Recipe, Status, Training
from archsearch.training import train

pytestmark = pytest.mark.slow

NETWORK = Architecture("dense", (DenseBlock(32, 0.5, "relu", True), DenseBlock(16, l2=1e-3)))
# The rate is far too high and the loss goes up and down, so that the schedule has something to do.
RECIPE = Recipe(12, 64, "adam", 0.5, None, schedule="plateau")
NAME = "trial-0-seed-2.checkpoint"


class Cut(BaseException):
    """The end of a process."""


def trained(digits, models, on_epoch=lambda *_: None, recipe=RECIPE, seconds=0.0, answered=at_once):
    training = Training(0, NETWORK, recipe, (2,))
    (run,) = train(training, digits, answered(on_epoch), models, Path(), checkpoint_seconds=seconds)
    return run


def cut_off(digits, models, at=9):
    """What was told of a training that ended with an epoch's measurement, its checkpoint not yet written."""
    told = []

    def listening(_, epoch):
        told.append(epoch)
        if epoch.epoch == at:
            raise Cut

    with pytest.raises(Cut):
        trained(digits, models, listening)
    return told


def curves(run):
    return [(e.train_loss, e.train_loss_eval, e.val_loss, e.auc, e.learning_rate) for e in run.epochs]


@pytest.fixture(scope="module")
def whole(digits, tmp_path_factory):
    return trained(digits, tmp_path_factory.mktemp("whole"))


def test_a_training_gone_on_with_equals_the_uninterrupted_one(digits, tmp_path, whole):
    before = cut_off(digits, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    told = []
    run = trained(digits, tmp_path, lambda _, epoch: told.append(epoch))
    assert told[:8] == before[:8]  # times included: they are not trained again
    assert tuple(told) == run.epochs
    assert curves(run) == curves(whole)
    assert (run.delivered_epoch, run.val_loss_spread) == (whole.delivered_epoch, whole.val_loss_spread)
    assert np.array_equal(run.probabilities, whole.probabilities)
    assert run.seconds > sum(epoch.seconds for epoch in run.epochs)
    assert [path.name for path in tmp_path.iterdir()] == [run.model]


@pytest.mark.parametrize("fault", ["damaged", "shortened", "another recipe"])
def test_a_checkpoint_that_can_not_be_used_is_ignored(fault, digits, tmp_path, whole):
    cut_off(digits, tmp_path, at=3)
    path = tmp_path / NAME
    content = path.read_bytes()
    if fault == "damaged":
        path.write_bytes(content[:2000] + b"damage" + content[2006:])
    elif fault == "shortened":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.unlink()
        with pytest.raises(Cut):
            trained(digits, tmp_path, _cuts, Recipe(12, 32, "sgd", 0.5, None))
    run = trained(digits, tmp_path)
    assert curves(run) == curves(whole)
    assert [path.name for path in tmp_path.iterdir()] == [run.model]


def _cuts(_, epoch):
    if epoch.epoch == 2:
        raise Cut


def test_answers_to_epochs_that_are_told_again_are_obeyed(digits, tmp_path):
    cut_off(digits, tmp_path)
    told = []

    def prunes(_, epoch):
        told.append(epoch)
        return Ending(Status.PRUNED, "worse than others") if epoch.epoch == 4 else None

    run = trained(digits, tmp_path, prunes)
    assert (run.status, len(run.epochs), len(told)) == (Status.PRUNED, 4, 4)
    assert list(tmp_path.iterdir()) == []


def test_a_training_of_long_epochs_that_diverges_at_once_has_diverged_however_late_the_answer(
    digits, tmp_path
):
    hopeless = Recipe(12, 64, "sgd", 1e20, None)
    run = trained(digits, tmp_path, recipe=hopeless, answered=late)
    assert (run.status, len(run.epochs)) == (Status.DIVERGED, 1), run.reason
    assert list(tmp_path.iterdir()) == []


def test_a_training_of_short_epochs_leaves_no_checkpoint(digits, tmp_path):
    seen = []
    trained(digits, tmp_path, lambda *_: seen.extend(tmp_path.iterdir()), seconds=60.0)
    assert seen == []


def test_a_disk_too_full_for_a_checkpoint_is_not_held_against_the_training(digits, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        trained(digits, tmp_path)
    assert list(tmp_path.iterdir()) == []

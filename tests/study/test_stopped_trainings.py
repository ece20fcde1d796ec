"""The pruner ``diagnosis``: trainings whose verdict is settled are stopped, judged and ranked."""

import math
import threading
from dataclasses import replace

import numpy as np
import pytest
from made_up import DATA, RECIPE, Scripted, curve, epoch, recorded, space, trial

from archsearch.architecture import HyperModelArchitecture
from archsearch.data.sources import load
from archsearch.diagnosis import diagnose_trials
from archsearch.execution import Setup, local_executor, slots_for
from archsearch.ranking import rank
from archsearch.records import Status
from archsearch.study import Search
from archsearch.study.stopping import rate_may_drop, stopped

EPOCHS = 40
DIAGNOSIS = {"training": {"epochs": EPOCHS}, "search": {"pruner": "diagnosis"}}


def overfitting(training):
    """Validation losses that turn up for good after the twelfth epoch."""
    lowest = 0.3 + training.recipe.learning_rate
    return [lowest + 2 * math.exp(-n / 3) + 0.05 * max(0, n - 12) for n in range(1, EPOCHS + 1)]


class Memorising(Scripted):
    """Its train losses go on falling whatever the validation losses do."""

    def _next(self, training):
        event = super()._next(training)
        if not hasattr(event, "epoch"):
            run = replace(event.run, epochs=tuple(map(memorised, event.run.epochs)))
            return replace(event, run=run)
        return replace(event, epoch=memorised(event.epoch))


def memorised(record):
    train = 0.05 + 2 * math.exp(-record.epoch / 8)
    return replace(record, train_loss=train, train_loss_eval=train)


def searched(record, of, total, curves=overfitting, stop=None):
    record.begin_session("archsearch run made-up.yaml", 1, total)
    heard = []

    def notify(event):
        heard.append(event)
        if stop and len(heard) == stop[0]:
            stop[1].set()

    search = Search(of, record, Memorising(curves=curves), notify)
    search.run(total, None, stop[1] if stop else threading.Event())
    return record.trials()[0]


def test_an_overfitting_training_is_stopped_judged_and_ranked_by_its_best_weights(tmp_path):
    with recorded(tmp_path, space(**DIAGNOSIS)) as record:
        (trial_,) = searched(record, space(**DIAGNOSIS), 1)
        (run,) = trial_.runs
        assert (trial_.status, run.status) == (Status.STOPPED, Status.STOPPED)
        assert run.reason.startswith("overfit beyond repair since epoch ")
        assert 12 < len(run.epochs) < EPOCHS
        assert (trial_.verdict, trial_.delivered) == ("overfit", "good")
        assert trial_.score == pytest.approx(min(record.val_loss for record in run.epochs))
        (proposal,) = record.proposals(trial_.family)
        assert (proposal.state, proposal.value) == ("COMPLETE", trial_.score)


def test_a_stopped_seed_does_not_end_its_trial(tmp_path):
    of = space(**DIAGNOSIS | {"training": {"epochs": EPOCHS, "seeds": 3}})
    with recorded(tmp_path, of) as record:
        (trial_,) = searched(record, of, 1)
    assert [run.status for run in trial_.runs] == [Status.STOPPED] * 3
    assert trial_.status is Status.STOPPED
    assert trial_.score is not None


def test_named_architectures_are_stopped_too_and_only_under_diagnosis(tmp_path):
    for pruner, status in (("diagnosis", Status.STOPPED), ("none", Status.COMPLETED)):
        words = {"training": {"epochs": EPOCHS}, "search": {"pruner": pruner}}
        of = space(**words, architectures={"one": {"dense": [8]}})
        with recorded(tmp_path / pruner, of) as record:
            assert searched(record, of, 1)[0].status is status


def test_a_loss_that_still_falls_is_trained_to_its_end_however_bad(tmp_path):
    def falling(training):
        return [3 - n / EPOCHS for n in range(1, EPOCHS + 1)] if training.trial == 3 else curve(training)

    of = space(**DIAGNOSIS)
    with recorded(tmp_path, of) as record:
        worst = searched(record, of, 4, falling)[3]
    assert (worst.status, len(worst.runs[0].epochs)) == (Status.COMPLETED, EPOCHS)


@pytest.mark.parametrize("stop_at", [5, 30, 60])
def test_a_search_cut_short_stops_where_the_undisturbed_one_did(tmp_path, stop_at):
    of = space(**DIAGNOSIS)
    with recorded(tmp_path / "undisturbed", of) as undisturbed, recorded(tmp_path / "cut", of) as cut:
        expected = searched(undisturbed, of, 4)
        searched(cut, of, 4, stop=(stop_at, threading.Event()))
        again = searched(cut, of, 4)
    assert {trial_.status for trial_ in expected} == {Status.STOPPED}
    assert [(t.architecture, t.score, t.runs[0].epochs, t.runs[0].reason) for t in again] == [
        (t.architecture, t.score, t.runs[0].epochs, t.runs[0].reason) for t in expected
    ]


@pytest.mark.parametrize(
    ("schedule", "rate", "may_drop"),
    [
        ("constant", 1e-3, False),
        ("cosine", 1e-3, True),
        ("cosine", 1e-9, True),
        ("plateau", 1e-3, True),
        ("plateau", 1.1e-5, True),
        ("plateau", 0.9e-5, False),
    ],
)
def test_whether_the_rate_may_drop_follows_from_the_schedule_and_the_rate(schedule, rate, may_drop):
    trained = replace(trial(0), recipe=replace(RECIPE, schedule=schedule))
    assert rate_may_drop(trained, replace(epoch(5, 0.4), learning_rate=rate)) is may_drop


def test_of_a_hypermodel_a_drop_of_the_rate_is_always_held_possible():
    mine = replace(trial(0), architecture=HyperModelArchitecture("mine", "mine:Model", ()))
    assert rate_may_drop(mine, epoch(5, 0.4))


def test_settled_curves_are_stopped_under_a_constant_rate_and_not_under_a_cosine():
    chance = np.random.default_rng(0).normal(scale=1e-3, size=50)
    records = [epoch(n + 1, 0.3 + 2 * math.exp(-n / 3) + chance[n]) for n in range(50)]
    constant = replace(trial(0), recipe=replace(RECIPE, epochs=60))
    ending = stopped(constant, records, DATA)
    assert ending.status is Status.STOPPED
    assert ending.reason == "settled: 10 more epochs would lower the validation loss by less than 1 %"
    assert (
        stopped(replace(constant, recipe=replace(constant.recipe, schedule="cosine")), records, DATA) is None
    )


@pytest.mark.slow
def test_a_network_that_memorises_shuffled_digits_is_stopped_and_its_best_weights_are_delivered(tmp_path):
    import keras
    from sklearn.datasets import load_digits

    digits = load_digits()
    labels = np.random.default_rng(0).permutation(digits.target)
    np.savez(tmp_path / "shuffled.npz", x=(digits.images * 16).astype(np.uint8), y=labels)
    of = space(
        data={"npz": str(tmp_path / "shuffled.npz")},
        families={},
        architectures={"wide": {"dense": [128]}},
        training={"epochs": 60, "learning_rate": 0.003, "batch_size": 64},
        search={"pruner": "diagnosis"},
        execution={"workers": 1},
    )
    dataset = load(of.data)
    setup = Setup(of.data, dataset.fingerprint, tmp_path, tmp_path / "models")
    pool = local_executor(setup, of.execution, slots_for(of.execution), tmp_path / "logs")
    try:
        with recorded(tmp_path, of) as record:
            record.begin_session("archsearch run shuffled.yaml", 1, 1)
            Search(of, record, pool, lambda _: None).run(1, None, threading.Event())
            (trial_,) = record.trials()[0]
    finally:
        pool.close()
    (run,) = trial_.runs
    assert (trial_.status, trial_.verdict) == (Status.STOPPED, "overfit")
    assert run.reason.startswith("overfit beyond repair since epoch ")
    assert len(run.epochs) < 60
    assert [each.trial.number for each in rank([trial_], diagnose_trials([trial_], DATA))] == [0]
    assert run.delivered.val_loss == min(record.val_loss for record in run.epochs)
    model = keras.saving.load_model(tmp_path / "models" / run.model)
    predicted = model.predict(dataset.x.take(dataset.split.val), verbose=0)
    assert predicted == pytest.approx(run.probabilities, abs=1e-5)

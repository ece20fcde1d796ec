"""Which trials a search makes: whole grids, constraints, seeds, budgets, candidates from elsewhere."""

import itertools
import shutil
import threading
from collections import Counter
from pathlib import Path

import pytest
from made_up import DATA, Scripted, curve, recorded, space

from archsearch.architecture import HyperModelArchitecture
from archsearch.errors import SpaceError
from archsearch.execution import RunEnded
from archsearch.records import Status, TrainingRun
from archsearch.space import SearchSpace
from archsearch.study import (
    Candidate,
    Outcome,
    Record,
    Search,
    TrialEnded,
    family,
    space_sampler,
)
from archsearch.study.proposals import is_picked

WIDTHS = [8, 16, 24, 32, 40]
GRID = {"dense": {"ordering": ["rising", "falling"], "depth": [1, 2], "narrowest": WIDTHS, "widest": 64}}
"""Twenty combinations; one block has the width 64 whatever else is chosen: eleven architectures."""
DIGITS_RECORD = Path(__file__).parents[1] / "recorded" / "digits.sqlite"


def search(record, of, total, executor=None, notify=lambda _: None, sample=None, stop_at=None):
    """Run a search over `record`, to its end or up to the end of trial `stop_at`."""
    executor, stop = executor or Scripted(), threading.Event()

    def hear(event):
        notify(event)
        if isinstance(event, TrialEnded) and event.trial.number == stop_at:
            stop.set()

    record.begin_session("archsearch run made-up.yaml", executor.capacity, total)
    outcome = Search(of, record, executor, hear, sample).run(total, None, stop)
    return outcome, executor


def tried(executor):
    return [(training.architecture, training.recipe) for training in executor.submitted]


@pytest.fixture
def record(tmp_path):
    with recorded(tmp_path, space()) as record:
        yield record


@pytest.mark.parametrize("sampler", ["grid", "tpe", "random"])
def test_a_small_space_is_tried_whole_before_it_is_exhausted(record, sampler):
    of = space(families=GRID, training={"batch_size": [16, 32]}, search={"sampler": sampler})
    outcome, executor = search(record, of, 60, Scripted(2))
    assert outcome is Outcome.FINISHED
    assert len(executor.submitted) == len(set(tried(executor))) == 2 * 11


def test_a_grid_is_tried_in_an_order_of_its_seed_and_without_a_proposal_in_vain(tmp_path):
    orders = []
    for seed in (0, 0, 1):
        of = space(families=GRID, training={}, search={"sampler": "grid", "seed": seed})
        with recorded(tmp_path / str(len(orders)), of) as record:
            _, executor = search(record, of, 60)
            assert len(record.proposals("dense")) == 11
        orders.append([training.architecture for training in executor.submitted])
    assert orders[0] == orders[1] != orders[2]
    assert set(orders[0]) == set(orders[2])


def test_a_grid_too_large_to_list_is_searched_too(record):
    dense = {"depth": {"low": 1, "high": 60}, "narrowest": {"low": 8, "high": 900}, "widest": 1_000}
    of = space(families={"dense": dense}, search={"sampler": "grid"}, training={"batch_size": [8, 16, 32]})
    _, executor = search(record, of, 6)
    assert len(set(tried(executor))) == 6


def test_without_a_sampler_only_named_architectures_are_tried(record):
    named = {"one": {"dense": [8]}, "two": {"dense": [16]}}
    of = space(search={"sampler": "none"}, architectures=named)
    outcome, executor = search(record, of, 10)
    assert outcome is Outcome.FINISHED
    assert [t.architecture.dense[0].width for t in executor.submitted] == [8, 16]


@pytest.mark.parametrize("sampler", ["tpe", "random", "cma-es"])
def test_what_has_too_many_parameters_is_never_trained_and_no_trial(record, sampler):
    dense = {"depth": {"low": 1, "high": 6}, "narrowest": 8, "widest": {"low": 8, "high": 300}}
    of = space(
        families={"dense": dense},
        search={"sampler": sampler},
        training={"learning_rate": {"low": 1e-3, "high": 1e-2}},
        constraints={"parameters": 10_000},
    )
    _, executor = search(record, of, 20)
    assert len(executor.submitted) == 20
    assert all(trial.parameters <= 10_000 for trial in record.trials()[0])
    in_vain = [p for p in record.proposals("dense") if p.trial is None]
    assert in_vain
    assert {(p.state, p.value) for p in in_vain} == {("PRUNED", None)}


def test_a_family_of_which_all_is_too_large_leaves_the_other_its_share(record):
    l2 = {"low": 0.0, "high": 0.1}
    wide = {"dense": {"depth": 1, "narrowest": 8, "widest": {"low": 200, "high": 900}, "l2": l2}}
    cnn = {"cnn": {"blocks": [1, 2, 3], "filters": {"first": [4, 8, 16]}, "bridge": "global_average"}}
    of = space(families=wide | cnn, constraints={"parameters": 7_000}, search={"sampler": "random"})
    outcome, executor = search(record, of, 8)
    assert outcome is Outcome.FINISHED
    assert Counter(t.architecture.family for t in executor.submitted) == {"cnn": 4}
    assert len(record.proposals("dense")) == 200


@pytest.mark.parametrize("l2", [0.0, {"low": 0.0, "high": 0.1}])
def test_a_search_in_which_nothing_can_be_tried_is_refused_with_the_constraint_each_time(record, l2):
    dense = {"dense": {"depth": 1, "narrowest": 8, "widest": {"low": 200, "high": 220}, "l2": l2}}
    of = space(families=dense, constraints={"parameters": 7_000}, search={"sampler": "random"})
    for total in (4, 8):
        with pytest.raises(SpaceError, match=r"families.dense: .* within constraints.parameters \(7,000\)"):
            search(record, of, total)
        assert (record.trials()[0], len(record.proposals("dense"))) == ((), 200)


FEW = {"depth": {"low": 1, "high": 8}, "narrowest": [8, 16, 32, 64], "widest": [64, 128, 256, 512, 1_024]}
"""With at most 3,000 weights: about one in a hundred."""


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_little_that_a_constraint_leaves_is_found_beside_ranges_of_real_numbers(record, sampler):
    of = space(families={"dense": FEW}, search={"sampler": sampler}, constraints={"parameters": 3_000})
    outcome, executor = search(record, of, 12)
    assert outcome is Outcome.FINISHED
    assert len(set(tried(executor))) == 12
    assert all(trial.parameters <= 3_000 for trial in record.trials()[0])


@pytest.mark.parametrize("sampler", ["tpe", "cma-es", "random"])
def test_picks_beside_real_numbers_are_gone_on_with_as_without_an_interruption(
    tmp_path, monkeypatch, sampler
):
    monkeypatch.setattr(family, "TOO_LARGE_UNTIL_PICKED", 10)
    of = space(families={"dense": FEW}, search={"sampler": sampler}, constraints={"parameters": 2_400})
    proposals = []
    for name, stops in {"whole": [None], "parts": [0, 3, 4, None]}.items():
        with recorded(tmp_path / name, of) as record:
            for stop_at in stops:
                search(record, of, 9, stop_at=stop_at)
            assert any(map(is_picked, record.proposals("dense")))
            proposals.append([(p.trial, p.params, p.state, p.value) for p in record.proposals("dense")])
    assert proposals[0] == proposals[1]


def test_real_numbers_that_decide_nothing_do_not_keep_a_search_going(record):
    dense = {"depth": 1, "narrowest": 8, "widest": [8, 16]}
    training = {"optimizer": "adam", "momentum": {"low": 0.0, "high": 0.9}}
    of = space(families={"dense": dense}, training=training, search={"sampler": "random"})
    outcome, executor = search(record, of, 20)
    assert (outcome, len(executor.submitted)) == (Outcome.FINISHED, 2)


def test_a_real_number_that_decides_the_size_is_drawn_again_until_it_is_small_enough(record):
    filters = {"first": [4, 500], "growth": {"low": 1.0, "high": 4.0}}
    cnn = {"blocks": 3, "filters": filters, "bridge": "global_average", "kernel": 3}
    of = space(families={"cnn": cnn}, search={"sampler": "random"}, constraints={"parameters": 900})
    _, executor = search(record, of, 8)
    assert len(executor.submitted) == 8


def test_a_search_says_which_family_has_nothing_more(record):
    of = space(families=GRID | {"cnn": space().families.cnn.model_dump(exclude_unset=True)}, training={})
    record.begin_session("archsearch run made-up.yaml", 1, 60)
    looked_at = Search(of, record, Scripted(), lambda _: None)
    assert looked_at.exhausted == {}
    looked_at.run(60, None, threading.Event())
    assert looked_at.exhausted == {
        "dense": "nothing new was found",
        "cnn": "nothing new was found",
    }


@pytest.mark.parametrize(("budget", "spent"), [("epochs", (2, 10)), ("seconds", (2.0, 5.0))])
def test_the_epochs_of_a_training_that_took_its_worker_with_it_count_now_and_later(record, budget, spent):
    class Dying(Scripted):
        def _next(self, training):
            event = super()._next(training)
            if isinstance(event, RunEnded) and training.trial == 1:
                return RunEnded(1, TrainingRun(0, Status.FAILED, reason="the worker process was killed"))
            return event

    of = space(search={"budget": budget, "pruner": "none"})
    record.begin_session("archsearch run made-up.yaml", 1, 2)
    executor = Dying(curves=lambda training: curve(training)[: 2 if training.trial == 0 else 10])
    live = Search(of, record, executor, lambda _: None)
    live.run(2, None, threading.Event())
    later = Search(of, record, Scripted(), lambda _: None)
    for search_ in (live, later):
        assert search_._planner._budget.spent == dict(zip(("dense", "cnn"), spent, strict=True))


def test_a_finite_space_finds_the_little_that_a_constraint_leaves(record):
    dense = {"dense": {"depth": 1, "narrowest": 8, "widest": {"low": 8, "high": 1_000}}}
    of = space(families=dense, training={}, search={"sampler": "random"}, constraints={"parameters": 610})
    _, executor = search(record, of, 20)
    assert [t.architecture.dense[0].width for t in executor.submitted] == [8]


def test_every_seed_is_trained_and_the_score_is_their_mean(record):
    of = space(training={"seeds": 3}, search={"seed": 5, "pruner": "none"})
    search(record, of, 4)
    for trial in record.trials()[0]:
        assert [run.seed for run in trial.runs] == [5, 6, 7]
        scores = [min(epoch.val_loss for epoch in run.epochs) for run in trial.runs]
        assert trial.score == pytest.approx(sum(scores) / 3)


def test_only_the_first_seed_is_pruned_and_a_pruned_one_is_the_last(record):
    search(record, space(training={"seeds": 2, "epochs": 20}), 40)
    trials, _ = record.trials()
    pruned = [t for t in trials if t.status is Status.PRUNED]
    assert pruned
    assert all([run.status for run in t.runs] == [Status.PRUNED] for t in pruned)
    assert all([len(run.epochs) for run in t.runs] == [20, 20] for t in trials if t not in pruned)


def test_a_seed_that_fails_is_the_trial_s_last(record):
    played = itertools.count()
    executor = Scripted(ending=lambda _: [Status.COMPLETED, Status.FAILED][next(played) % 2])
    search(record, space(training={"seeds": 3}, search={"pruner": "none"}), 3, executor)
    for trial in record.trials()[0]:
        assert (trial.status, trial.score, len(trial.runs)) == (Status.FAILED, None, 2)


@pytest.mark.parametrize("budget", ["trials", "epochs", "seconds"])
def test_families_stay_equal_in_what_the_budget_counts(record, budget):
    spent = Counter({"dense": 0.0, "cnn": 0.0})

    def curves(training):
        return curve(training)[: 2 if training.architecture.family == "dense" else 10]

    def notify(event):
        if isinstance(event, TrialEnded):
            spent[event.trial.family] += 1 if budget == "trials" else len(event.trial.runs[0].epochs)
            # Of the one that is trained meanwhile only an average was known when this one was chosen.
            assert abs(spent["dense"] - spent["cnn"]) <= 2 * 10

    search(record, space(search={"budget": budget, "pruner": "none"}), 24, Scripted(curves=curves), notify)
    trials = Counter(trial.family for trial in record.trials()[0])
    assert trials == ({"dense": 12, "cnn": 12} if budget == "trials" else {"dense": 20, "cnn": 4})


def test_named_architectures_are_no_part_of_a_budget(record):
    named = {"one": {"dense": [8]}, "two": {"dense": [16]}}
    _, executor = search(record, space(architectures=named, search={"budget": "epochs"}), 6)
    assert [t.architecture.family for t in executor.submitted] == ["dense", "dense", "dense", "cnn"] + [
        t.architecture.family for t in executor.submitted[4:]
    ]


def test_candidates_may_come_from_elsewhere(record):
    def sample(family, suggest):
        if family == "cnn":
            return space_sampler(of, DATA)(family, suggest)
        units = suggest.integer("units", 1, 1_000, log=False)
        architecture = HyperModelArchitecture("dense", "mine:Model", (("units", units),))
        recipe = space_sampler(of, DATA)("cnn", suggest).recipe
        return Candidate(architecture, recipe, units)

    of = space(constraints={"parameters": 900}, search={"sampler": "random"})
    search(record, of, 10, sample=sample)
    trials = record.trials()[0]
    mine = [t for t in trials if isinstance(t.architecture, HyperModelArchitecture)]
    assert len(mine) == 5
    assert all(t.parameters == t.params["units"] <= 900 for t in mine)


def test_a_record_of_version_0_1_is_read_and_gone_on_with(tmp_path):
    path = tmp_path / "record.sqlite"
    shutil.copy(DIGITS_RECORD, path)
    with Record.open(path) as record:
        trials, _ = record.trials()
        assert {trial.recipe.schedule for trial in trials} == {"constant"}
        assert {trial.recipe.precision for trial in trials} == {"float32"}
        assert all(trial.architecture.parameters((8, 8, 1), 10) == trial.parameters for trial in trials)
        assert record.snapshot().data.warnings == ()
        before = [trial.architecture for trial in trials]
        of = SearchSpace.from_mapping(record.header().space)
        search(record, of, len(trials) + 2)
        after = [trial.architecture for trial in record.trials()[0]]
    assert (after[: len(before)], len(after)) == (before, len(before) + 2)

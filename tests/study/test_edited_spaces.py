"""A search goes on with an edited space: nothing trained is lost or repeated."""

import threading
from collections import Counter

import pytest
from made_up import Scripted, recorded, space

from archsearch.errors import SearchConflict
from archsearch.records import Status
from archsearch.study import Outcome, Record, Search, TrialEnded
from archsearch.study.edited import go_on_with

DENSE = {"depth": {"low": 1, "high": 6}, "narrowest": [8, 16], "widest": [64, 128, 256]}
CNN = {"blocks": [1, 2, 3], "filters": {"first": [4, 8, 16]}, "kernel": [3, 5]}
WIDER = DENSE | {"depth": {"low": 1, "high": 12}, "widest": [64, 128, 256, 512]}
ONE = {"families": {"dense": DENSE}}
BOTH = {"families": {"dense": WIDER, "cnn": CNN}}


class Killed(Exception):
    pass


def search(record, of, total, *, executor=None, killed_after=None):
    """Run or go on, as `archsearch run --continue` does; what was said to have changed."""
    executor, ended = executor or Scripted(), []

    def notify(event):
        ended.extend([event] if isinstance(event, TrialEnded) else [])
        if killed_after is not None and len(ended) == killed_after:
            raise Killed

    record.begin_session("archsearch run made-up.yaml", executor.capacity, total)
    edit = go_on_with(record, of, continue_=True)
    try:
        outcome = Search(of, record, executor, notify).run(total, None, threading.Event())
    except Killed:
        return edit
    assert outcome is Outcome.FINISHED
    return edit


def trials(record):
    return record.trials()[0]


def trained(trials):
    return [(t.number, t.architecture, t.recipe, t.status, t.score, t.params, repr(t.runs)) for t in trials]


def tried(record):
    return [(trial.architecture, trial.recipe) for trial in trials(record)]


@pytest.fixture
def record(tmp_path):
    with recorded(tmp_path, space(**ONE)) as record:
        yield record


@pytest.mark.parametrize(
    ("sampler", "budget"), [("tpe", "trials"), ("random", "epochs"), ("cma-es", "trials")]
)
def test_a_widened_range_a_new_family_and_a_named_stack_are_searched_without_repeating_a_training(
    record, sampler, budget
):
    words = {"search": {"sampler": sampler, "budget": budget, "pruner": "none"}}
    search(record, space(**words, **ONE), 9)
    before = trials(record)
    assert {trial.family for trial in before} == {"dense"}
    # CMA-ES wants ranges of numbers.
    both = {"dense": WIDER, "cnn": CNN | {"dropout": {"low": 0.0, "high": 0.5}}}
    edit = search(record, space(**words, families=both, architectures={"mine": "dense 24·24"}), 22)
    assert not edit.refused
    assert "families.dense.depth: 1 to 6 → 1 to 12" in edit.allowed
    assert {"families.cnn: new", "architectures.mine: new"} <= set(edit.allowed)
    after = trials(record)
    assert trained(after[:9]) == trained(before)
    assert len(after) == len(set(tried(record))) == 22
    assert after[9].name == "mine", "named architectures are next"
    assert Counter(trial.family for trial in after[10:]) == {"dense": 6, "cnn": 6}
    assert record.header().space["families"]["cnn"]
    change = record.changes()[-1]
    assert (change.trial, change.words) == (9, edit.words)
    assert record.snapshot().changes == record.changes()


def test_wider_values_are_tried_after_the_edit(record):
    search(record, space(**ONE), 10)
    search(record, space(families={"dense": WIDER}), 40)
    new = [trial.params for trial in trials(record)[10:]]
    assert any(params["dense.depth"] > 6 or params["dense.widest"] == 512 for params in new)


def test_what_lies_outside_of_a_narrowed_space_stays_and_is_not_tried_again(record):
    search(record, space(**ONE), 15)
    before = trials(record)
    narrow = DENSE | {"depth": {"low": 1, "high": 3}, "narrowest": 8}
    search(record, space(families={"dense": narrow}), 30)
    after = trials(record)
    assert trained(after[:15]) == trained(before)
    assert any(trial.params["dense.depth"] > 3 for trial in before)
    assert all(trial.params["dense.depth"] <= 3 for trial in after[15:])
    assert [p.number for p in record.proposals("dense")] == list(range(len(record.proposals("dense"))))


def test_several_edits_follow_each_other_and_lead_back_to_a_former_space(record):
    first, second = space(**ONE), space(**BOTH)
    totals = {5: first, 9: second, 13: first, 17: second}
    for total, of in totals.items():
        search(record, of, total)
    assert len(set(tried(record))) == 17
    assert [change.trial for change in record.changes()] == [5, 9, 13]
    assert record.changes()[0].words[-1] == "families.cnn: new"
    assert record.changes()[1].words[-1] == "families.cnn: removed"
    families = [trial.family for trial in trials(record)]
    assert set(families[:5] + families[9:13]) == {"dense"}
    assert Counter(families[5:9]) == Counter(families[13:]) == {"dense": 2, "cnn": 2}


def test_the_same_space_again_is_no_edit(record):
    search(record, space(**ONE), 3)
    assert not search(record, space(**ONE), 6).words
    assert record.changes() == ()


@pytest.mark.parametrize(
    ("sampler", "pruner"), [("tpe", "median"), ("random", "hyperband"), ("cma-es", "none")]
)
def test_an_edited_search_that_is_interrupted_makes_the_trials_of_the_undisturbed_one(
    tmp_path, sampler, pruner
):
    words = {"sampler": sampler, "pruner": pruner}
    wider = {"dense": DENSE | {"depth": {"low": 1, "high": 9}}}
    chosen = []
    for name, kills in {"undisturbed": [None], "killed": [1, 5, None]}.items():
        with recorded(tmp_path / name, space(search=words, **ONE)) as record:
            search(record, space(search=words, **ONE), 14)
            for kill in kills:
                search(record, space(search=words, families=wider), 28, killed_after=kill)
            chosen.append([(t.architecture, t.recipe, t.status, t.score) for t in trials(record)])
    assert chosen[0] == chosen[1]


def test_what_waits_is_proposed_again_and_what_runs_goes_on(record):
    search(record, space(**ONE), 20, executor=Scripted(2), killed_after=4)
    running = [trial for trial in trials(record) if trial.status is Status.RUNNING]
    waiting = record.queued()
    assert running
    assert waiting
    executor = Scripted(2)
    search(record, space(**BOTH, architectures={"mine": "dense 24·24"}), 20, executor=executor)
    assert [t.architecture for t in executor.submitted[: len(running)]] == [t.architecture for t in running]
    assert executor.submitted[len(running)].architecture.dense[0].width == 24
    assert len(set(tried(record))) == len(trials(record)) == 20
    assert [trial.number for trial in trials(record)] == list(range(20))
    assert all(proposal.state != "RUNNING" for proposal in record.proposals("dense"))


def test_a_training_under_way_of_a_family_that_is_removed_is_skipped(tmp_path):
    with recorded(tmp_path, space(**BOTH)) as record:
        search(record, space(**BOTH), 20, executor=Scripted(4), killed_after=2)
        running = {t.number: t.family for t in trials(record) if t.status is Status.RUNNING}
        assert set(running.values()) == {"dense", "cnn"}
        search(record, space(families={"cnn": CNN}), 12)
        by_number = {trial.number: trial for trial in trials(record)}
        for number, family in running.items():
            is_skipped = by_number[number].status is Status.SKIPPED
            assert is_skipped == (family == "dense")
            if is_skipped:
                (run,) = by_number[number].runs
                assert run.reason == "families.dense was removed from the space"
        # Once the family is back, nothing waits for what was skipped.
        search(record, space(**BOTH), 20)
        assert len(trials(record)) == 20


def test_a_family_that_held_nothing_new_is_searched_again_once_it_is_widened(tmp_path):
    few = {"depth": 1, "narrowest": 8, "widest": [16, 24], "l2": 0.0}
    plain = {"families": {"dense": few | {"widest": 16}}, "training": {}, "search": {"sampler": "random"}}
    with recorded(tmp_path, space(**plain)) as record:
        sizes = []
        for edit in ({"widest": 16}, {}, {"l2": {"low": 0.0, "high": 0.1}, "widest": [16, 24, 32]}):
            search(record, space(**plain | {"families": {"dense": few | edit}}), 8)
            sizes.append(len(trials(record)))
    assert sizes == [1, 2, 8]


def test_what_another_constraint_kept_out_is_tried_once_it_is_loosened(tmp_path):
    words = {"families": {"dense": DENSE | {"narrowest": 8}}, "search": {"sampler": "tpe"}}
    with recorded(tmp_path, space(**words, constraints={"parameters": 6_000})) as record:
        search(record, space(**words, constraints={"parameters": 6_000}), 12)
        assert any(proposal.trial is None for proposal in record.proposals("dense"))
        search(record, space(**words), 30)
        assert any(trial.parameters > 6_000 for trial in trials(record)[12:])
        search(record, space(**words, constraints={"parameters": 5_000}), 36)
        assert all(trial.parameters <= 5_000 for trial in trials(record)[30:])
        assert len(set(tried(record))) == 36


def test_a_space_that_another_process_edited_meanwhile_is_not_gone_on_with(record):
    search(record, space(**ONE), 2)
    for edited, continue_ in ((space(**BOTH), False), (space(**ONE, data="mnist"), True)):
        with pytest.raises(SearchConflict, match="made-up-1 was edited by another process"):
            go_on_with(record, edited, continue_=continue_)
    assert record.changes() == ()


def test_a_record_of_an_edited_space_is_read_as_it_stands_now(record):
    search(record, space(**ONE), 2)
    search(record, space(**BOTH), 4)
    with Record.open(record.path, read_only=True) as again:
        header = again.header()
    assert (header.fingerprint, header.identity) == (space(**BOTH).fingerprint, space(**BOTH).identity)
    assert header.space_text == space(**BOTH).text
    assert (header.uid, header.created_at) == ("uid of made-up-1", 1_000.0)

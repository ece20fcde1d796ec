"""A search goes on with an edited space: nothing trained is lost or repeated."""

import threading
from collections import Counter

import pytest
from made_up import DATA, RECIPE, Scripted, recorded, space, trial

from archsearch.architecture import HyperModelArchitecture
from archsearch.errors import SearchConflict
from archsearch.records import Status
from archsearch.study import Candidate, Outcome, Record, Search, TrialEnded, family, space_sampler
from archsearch.study.edited import go_on_with
from archsearch.study.proposals import broken_constraint
from archsearch.study.values import Mirrored

DENSE = {"depth": {"low": 1, "high": 6}, "narrowest": [8, 16], "widest": [64, 128, 256]}
CNN = {"blocks": [1, 2, 3], "filters": {"first": [4, 8, 16]}, "kernel": [3, 5]}
WIDER = DENSE | {"depth": {"low": 1, "high": 12}, "widest": [64, 128, 256, 512]}
ONE = {"families": {"dense": DENSE}}
BOTH = {"families": {"dense": WIDER, "cnn": CNN}}


class Killed(Exception):
    pass


class Unhurried(Scripted):
    """Plays while every worker is busy and as many trials wait: what runs then is no race."""

    def __init__(self, record, capacity, slow):
        super().__init__(capacity, slow=slow)
        self._record = record

    def poll(self, timeout):
        is_full = len(self._trainings) == len(self._record.queued()) == self.capacity
        return super().poll(timeout) if is_full else ()


def search(record, of, total, *, executor=None, killed_after=None, sample=None):
    """Run or go on, as `archsearch run --continue` does; what was said to have changed."""
    executor, ended = executor or Scripted(), []

    def notify(event):
        ended.extend([event] if isinstance(event, TrialEnded) else [])
        if killed_after is not None and len(ended) == killed_after:
            raise Killed

    record.begin_session("archsearch run made-up.yaml", executor.capacity, total)
    edit = go_on_with(record, of, continue_=True)
    try:
        outcome = Search(of, record, executor, notify, sample).run(total, None, threading.Event())
    except Killed:
        return edit
    assert outcome is Outcome.FINISHED
    return edit


def trials(record):
    return record.trials()[0]


def trained(trials):
    return [(t.number, t.architecture, t.recipe, t.status, t.score, t.params, repr(t.runs)) for t in trials]


def memory(record, of, of_family="dense"):
    """The trial and the state of each proposal of a family, as its sampler remembers them."""
    proposals = Search(of, record, Scripted(), lambda _: None)._planner._families[of_family].proposals
    of_trial = [proposal.trial for proposal in record.proposals(of_family)]
    return list(zip(of_trial, [trial.state.name for trial in proposals._trials], strict=True))


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
    unhurried = Unhurried(record, 2, slow=lambda training: training.trial == 0)
    search(record, space(**ONE), 20, executor=unhurried, killed_after=4)
    running = [trial for trial in trials(record) if trial.status is Status.RUNNING]
    assert [trial.number for trial in running] == [0, 5]
    assert [trial.number for trial in record.queued()] == [6]
    executor = Scripted(2)
    search(record, space(**BOTH, architectures={"mine": "dense 24·24"}), 20, executor=executor)
    assert [t.architecture for t in executor.submitted[: len(running)]] == [t.architecture for t in running]
    assert executor.submitted[len(running)].architecture.dense[0].width == 24
    assert len(set(tried(record))) == len(trials(record)) == 20
    assert [trial.number for trial in trials(record)] == list(range(20))
    assert all(proposal.state != "RUNNING" for proposal in record.proposals("dense"))


def test_a_training_under_way_of_a_family_that_is_removed_is_skipped(tmp_path):
    with recorded(tmp_path, space(**BOTH)) as record:
        unhurried = Unhurried(record, 4, slow=lambda training: training.trial >= 2)
        search(record, space(**BOTH), 20, executor=unhurried, killed_after=2)
        running = {t.number: t.family for t in trials(record) if t.status is Status.RUNNING}
        assert list(running) == [2, 3, 4, 5]
        assert set(running.values()) == {"dense", "cnn"}
        search(record, space(families={"cnn": CNN}), 12)
        by_number = {trial.number: trial for trial in trials(record)}
        for number, of_family in running.items():
            is_skipped = by_number[number].status is Status.SKIPPED
            assert is_skipped == (of_family == "dense")
            if is_skipped:
                (run,) = by_number[number].runs
                assert run.reason == "families.dense was removed from the space"
        # Once the family is back, nothing waits for what was skipped.
        search(record, space(**BOTH), 20)
        assert len(trials(record)) == 20
        assert "RUNNING" not in [state for _, state in memory(record, space(**BOTH))]


@pytest.mark.parametrize("training", [{}, {"momentum": {"low": 0.0, "high": 0.9}}], ids=["fixed", "drawn"])
def test_a_family_that_held_nothing_new_is_searched_again_once_it_is_widened(tmp_path, monkeypatch, training):
    # A momentum that no optimizer uses is drawn again and again, until the family is given up.
    monkeypatch.setattr(family, "MOST_MISSED_PICKS", 20)
    few = {"ordering": "falling", "depth": 1, "narrowest": 8, "widest": 16, "l2": 0.0}
    edits = [{}, {"widest": [16, 24]}, {"widest": [16, 24, 32], "l2": {"low": 0.0, "high": 0.1}}]
    spaces = [
        space(families={"dense": few | edit}, training=training, search={"sampler": "random"})
        for edit in edits
    ]
    with recorded(tmp_path, spaces[0]) as record:
        for of, count in zip(spaces, (1, 2, 8), strict=True):
            search(record, of, 8)
            assert len(trials(record)) == count


def test_what_another_constraint_kept_out_is_tried_once_it_is_loosened(tmp_path):
    words = {"families": {"dense": DENSE | {"narrowest": 8}}, "search": {"sampler": "tpe"}}
    few, all_, fewer = (space(**words, constraints={"parameters": n}) for n in (6_000, None, 5_000))
    with recorded(tmp_path, few) as record:
        search(record, few, 12)
        rejected = [p.number for p in record.proposals("dense") if broken_constraint(p)]
        assert rejected
        search(record, all_, 24)
        assert any(trial.parameters > 6_000 for trial in trials(record)[12:])
        assert {memory(record, all_)[number][1] for number in rejected} == {"FAIL"}
        search(record, fewer, 30)
        assert all(trial.parameters <= 5_000 for trial in trials(record)[24:])
        too_large = {trial.number for trial in trials(record) if trial.parameters > 5_000}
        assert too_large
        learnt = {trial for trial, state in memory(record, fewer) if state == "COMPLETE"}
        assert learnt
        assert not learnt & too_large
        assert len(set(tried(record))) == 30


def test_what_was_learnt_of_a_hypermodel_stays_whatever_else_is_edited(tmp_path):
    def sample(of_family, suggest):
        if of_family == "dense":
            return space_sampler(both, DATA)(of_family, suggest)
        kind = suggest.categorical("kind", ("a", "b"))
        values = (("kind", kind), ("units", suggest.integer(f"units of {kind}", 1, 100, log=False)))
        return Candidate(HyperModelArchitecture("mine", "module:Mine", values), RECIPE, 10)

    mine = {"mine": {"hypermodel": "module:Mine"}}
    alone, both = space(families=mine), space(families=mine | {"dense": DENSE})
    with recorded(tmp_path, alone) as record:
        search(record, alone, 6, sample=sample)
        search(record, both, 12, sample=sample)
        states = [state for _, state in memory(record, both, "mine")]
        assert set(states) <= {"COMPLETE", "PRUNED"}
        assert Counter(trial.family for trial in trials(record)[6:]) == {"dense": 3, "mine": 3}
        assert len(set(tried(record))) == 12


def test_a_space_that_another_process_edited_meanwhile_is_not_gone_on_with(record):
    search(record, space(**ONE), 2)
    for edited, continue_ in ((space(**BOTH), False), (space(**ONE, data="mnist"), True)):
        with pytest.raises(SearchConflict, match="made-up-1 was edited by another process"):
            go_on_with(record, edited, continue_=continue_)
    assert record.changes() == ()


@pytest.mark.parametrize(
    "words", [{"search": {"hours": 3.0, "gpu_hours": 5.0, "trials": 9}}, {"execution": {"workers": 2}}]
)
def test_words_that_are_no_edit_are_recorded_as_they_are_now_and_change_nothing(record, words):
    record.queue(trial(0), ())
    record.set_mirrored(Mirrored("sqlite:///mlflow.db", "1", record.revision(), is_closed=True))
    queued = record.queued()
    present = space(**ONE, **words)
    edit = go_on_with(record, present, continue_=False)
    header = record.header()
    assert edit.words == record.changes() == ()
    assert record.queued() == queued
    for part, said in words.items():
        assert said.items() <= header.space[part].items()
    assert header.space_text == present.text
    assert header.fingerprint == present.fingerprint
    assert not record.mirrored().is_closed


def test_a_space_that_says_the_same_is_not_recorded_again(record):
    go_on_with(record, space(**ONE), continue_=False)
    before = record._db.total_changes
    go_on_with(record, space(**ONE), continue_=False)
    assert record._db.total_changes == before


def test_a_record_of_an_edited_space_is_read_as_it_stands_now(record):
    search(record, space(**ONE), 2)
    search(record, space(**BOTH), 4)
    with Record.open(record.path, read_only=True) as again:
        header = again.header()
    assert (header.fingerprint, header.identity) == (space(**BOTH).fingerprint, space(**BOTH).identity)
    assert header.space_text == space(**BOTH).text
    assert (header.uid, header.created_at) == ("uid of made-up-1", 1_000.0)

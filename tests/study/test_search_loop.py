import math
import threading
import time
from collections import Counter
from dataclasses import replace

import pytest
from made_up import DATA, Scripted, curve, recorded, space

from archsearch.architecture import Architecture, DenseBlock
from archsearch.execution import RunEnded
from archsearch.records import Status
from archsearch.study import (
    EpochMeasured,
    Outcome,
    Record,
    Search,
    SearchStarted,
    TrialEnded,
    TrialStarted,
    space_sampler,
)
from archsearch.study.failures import MOST_FAILURES
from archsearch.study.steering import Add, Mailbox, Skip

NAMED = {"second": {"dense": [8]}, "first": {"conv": [4]}}
SMALL = {"dense": {"ordering": "rising", "depth": [1, 2], "narrowest": 8, "widest": [8, 16]}}
"""Four architectures in all."""
RANGES = {
    "dense": {"depth": {"low": 1, "high": 6}, "narrowest": {"low": 8, "high": 32}, "widest": 64},
    "cnn": {"blocks": [1, 2], "filters": {"first": {"low": 4, "high": 16}}, "kernel": {"low": 2, "high": 5}},
}


class Observer:
    """Hears every event; sets `stop` at the event of that number."""

    def __init__(self, stop_at=None):
        self.events = []
        self.stop = threading.Event()
        self._stop_at = stop_at

    def __call__(self, event):
        self.events.append(event)
        if len(self.events) == self._stop_at:
            self.stop.set()

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def search(record, of, total, executor=None, stop_at=None, deadline=None):
    """Run a search over `record`; its outcome, the executor, and what was heard."""
    executor, heard = executor or Scripted(), Observer(stop_at)
    record.begin_session("archsearch run made-up.yaml", executor.capacity, total)
    left = None if deadline is None else lambda: deadline - time.monotonic()
    outcome = Search(of, record, executor, heard).run(total, left, heard.stop)
    return outcome, executor, heard


def told(trials):
    """What of trials must not depend on when they were trained."""
    return [
        (t.number, t.name, t.architecture, t.recipe, t.status, t.score, t.verdict, t.params, losses(t))
        for t in trials
    ]


def losses(trial):
    return [(run.seed, run.status, [epoch.val_loss for epoch in run.epochs]) for run in trial.runs]


@pytest.fixture
def record(tmp_path):
    with recorded(tmp_path, space()) as record:
        yield record


@pytest.mark.parametrize("capacity", [1, 3])
def test_families_stay_within_one_trial_of_each_other_at_every_moment(record, capacity):
    _, _, heard = search(record, space(), 11, Scripted(capacity))
    counts = Counter({"dense": 0, "cnn": 0})
    for event in heard.of(TrialStarted):
        counts[event.trial.family] += 1
        assert abs(counts["dense"] - counts["cnn"]) <= 1
    assert counts.total() == 11


def test_a_finished_search_has_its_total_and_never_more_at_once_than_fit(record):
    outcome, executor, heard = search(record, space(), 7, Scripted(3))
    assert outcome is Outcome.FINISHED
    assert len(executor.submitted) == 7
    trials, _ = record.trials()
    assert [t.number for t in trials] == list(range(7))
    assert all(t.status in (Status.COMPLETED, Status.PRUNED) for t in trials)
    assert [type(heard.events[0]), heard.events[0].total] == [SearchStarted, 7]
    assert len(heard.of(TrialEnded)) == 7
    assert len(heard.of(EpochMeasured)) == sum(len(t.runs[0].epochs) for t in trials)


def test_named_architectures_come_first_in_their_order_with_the_named_recipe(record):
    of = space(architectures=NAMED)
    search(record, of, 5)
    trials, _ = record.trials()
    assert [t.name for t in trials] == ["second", "first", None, None, None]
    assert [t.params for t in trials[:2]] == [{}, {}]
    assert trials[0].recipe.learning_rate == pytest.approx(1e-3)
    assert record.proposals("dense")[0].trial == 2


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_named_architectures_are_never_pruned_however_bad(record, pruner):
    def curves(training):
        return [9.0] * 10 if training.trial < 2 else curve(training)

    executor = Scripted(3, curves, slow=lambda training: training.trial < 2)
    search(record, space(architectures=NAMED, search={"pruner": pruner}), 40, executor)
    trials, _ = record.trials()
    assert [t.status for t in trials[:2]] == [Status.COMPLETED] * 2
    pruned = [t for t in trials if t.status is Status.PRUNED]
    assert pruned
    assert all(5 <= len(t.runs[0].epochs) < 10 for t in pruned)
    assert all((t.score, t.verdict) == (None, "not_judged") for t in pruned)


def test_the_total_of_a_space_with_named_architectures_only_is_their_number(record):
    of = space(families={}, architectures=NAMED)
    outcome, executor, _ = search(record, of, 10)
    assert outcome is Outcome.FINISHED
    assert len(executor.submitted) == 2


@pytest.mark.parametrize("capacity", [1, 3])
def test_nothing_is_trained_twice_and_a_small_space_ends_when_it_is_used_up(record, capacity):
    of = space(families=SMALL, training={"epochs": 6})
    outcome, executor, _ = search(record, of, 20, Scripted(capacity))
    assert outcome is Outcome.FINISHED
    assert len(executor.submitted) == len({(t.architecture, t.recipe) for t in executor.submitted}) == 4
    scores = {t.number: t.score for t in record.trials()[0]}
    repeats = [p for p in record.proposals("dense") if p.trial is None]
    assert repeats
    assert {p.value for p in repeats} <= {None, *scores.values()}


def test_a_named_architecture_is_not_proposed_again(record):
    of = space(families=SMALL, training={"epochs": 6}, architectures={"small": {"dense": [8, 16]}})
    _, executor, _ = search(record, of, 20)
    widths = [tuple(block.width for block in t.architecture.dense) for t in executor.submitted]
    assert widths.count((8, 16)) == 1


def test_a_family_used_up_leaves_the_other_its_own_share(record):
    cnn = {"blocks": [1, 2, 3], "filters": {"first": [4, 8, 16]}}
    of = space(families=SMALL | {"cnn": cnn}, training={"epochs": 6})
    outcome, executor, _ = search(record, of, 18)
    assert outcome is Outcome.FINISHED
    assert Counter(t.architecture.family for t in executor.submitted) == {"dense": 4, "cnn": 9}


@pytest.mark.parametrize(
    "words",
    [
        {"search": {"pruner": "median"}},
        {"search": {"pruner": "hyperband"}, "architectures": NAMED},
        {"search": {"sampler": "random"}, "families": SMALL, "training": {"epochs": 6}},
        {"search": {"sampler": "cma-es", "budget": "epochs"}, "families": RANGES},
        {"search": {"sampler": "grid", "pruner": "patient"}, "families": SMALL, "training": {"epochs": 6}},
        {"search": {"budget": "epochs", "pruner": "hyperband"}, "training": {"epochs": [8, 16], "seeds": 2}},
        {"families": SMALL, "training": {"epochs": 6}},
        {"search": {"budget": "seconds"}, "constraints": {"parameters": 9_000}},
    ],
    ids=[
        "median",
        "hyperband-and-named",
        "used-up",
        "cma-es",
        "grid",
        "seeds-and-epochs",
        "used-up-by-tpe",
        "constraint",
    ],
)
@pytest.mark.parametrize("stop_at", [1, 2, 7, 60])
def test_a_search_cut_short_goes_on_to_the_trials_of_the_undisturbed_one(tmp_path, words, stop_at):
    of = space(**words)
    with recorded(tmp_path / "undisturbed", of) as undisturbed, recorded(tmp_path / "cut", of) as cut:
        search(undisturbed, of, 20)
        outcome, _, heard = search(cut, of, 20, stop_at=stop_at)
        assert (outcome is Outcome.INTERRUPTED) == (len(heard.events) >= stop_at)
        outcome, _, heard = search(cut, of, 20)
        assert outcome is Outcome.FINISHED
        assert told(cut.trials()[0]) == told(undisturbed.trials()[0])
        ended_before = {t.number for t in heard.events[0].ended}
        assert ended_before.isdisjoint(event.trial.number for event in heard.of(TrialEnded))


def test_an_interrupted_search_leaves_what_runs_for_the_next_time(record):
    outcome, _, heard = search(record, space(), 20, Scripted(2), stop_at=9)
    assert outcome is Outcome.INTERRUPTED
    ended = {event.trial.number for event in heard.of(TrialEnded)}
    running = [t.number for t in record.trials()[0] if t.status is Status.RUNNING]
    # One or two: the second proposal may still have been on its way.
    assert running == [e.trial.number for e in heard.of(TrialStarted) if e.trial.number not in ended]
    assert running
    _, executor, _ = search(record, space(), 20, Scripted(2))
    assert [t.trial for t in executor.submitted[: len(running)]] == running
    assert all(t.status is not Status.RUNNING for t in record.trials()[0])


def test_a_larger_total_extends_a_search_to_what_it_would_have_been(tmp_path):
    """But for a sampler that learns: it knows one more trial, which had ended before the total was raised."""
    of = space(search={"sampler": "random"})
    with recorded(tmp_path / "at-once", of) as at_once, recorded(tmp_path / "extended", of) as extended:
        search(at_once, of, 12)
        search(extended, of, 6)
        search(extended, of, 12)
        assert told(extended.trials()[0]) == told(at_once.trials()[0])


def test_a_finished_search_trains_nothing_more(record):
    search(record, space(), 4)
    revision = record.revision()
    outcome, executor, _ = search(record, space(), 4)
    assert outcome is Outcome.FINISHED
    assert executor.submitted == []
    assert record.revision() == revision


def test_a_deadline_that_has_passed_starts_nothing(record):
    outcome, executor, _ = search(record, space(), 4, deadline=time.monotonic())
    assert outcome is Outcome.HOURS_REACHED
    assert executor.submitted == []


def test_a_deadline_ends_a_search_in_the_middle(record):
    def slowly(training):
        time.sleep(0.05)
        return curve(training)

    outcome, executor, _ = search(record, space(), 50, Scripted(1, slowly), deadline=time.monotonic() + 1)
    assert outcome is Outcome.HOURS_REACHED
    assert 0 < len(executor.submitted) < 50


@pytest.mark.parametrize("status", [Status.FAILED, Status.OUT_OF_MEMORY, Status.DIVERGED])
def test_a_search_of_failures_only_goes_through_and_says_so(record, status):
    executor = Scripted(2, curves=lambda _: [], ending=lambda _: status)
    outcome, executor, _ = search(record, space(), 5, executor)
    assert outcome is Outcome.ALL_FAILED
    assert len(executor.submitted) == 5
    assert all((t.status, t.score) == (status, None) for t in record.trials()[0])


def test_one_failure_does_not_end_a_search(record):
    def ending(training):
        return Status.FAILED if training.trial == 1 else Status.COMPLETED

    outcome, _, _ = search(record, space(), 4, Scripted(ending=ending))
    assert outcome is Outcome.FINISHED
    assert [t.status for t in record.trials()[0]].count(Status.FAILED) == 1


def test_losses_that_are_no_numbers_are_recorded_and_the_search_goes_on(record):
    def curves(training):
        return [1.0, math.nan] if training.trial % 2 else curve(training)

    def ending(training):
        return Status.DIVERGED if training.trial % 2 else Status.COMPLETED

    outcome, _, _ = search(record, space(), 12, Scripted(curves=curves, ending=ending))
    assert outcome is Outcome.FINISHED
    diverged = [t for t in record.trials()[0] if t.status is Status.DIVERGED]
    assert len(diverged) == 6
    assert all(t.verdict == "diverged" and math.isnan(t.runs[0].epochs[1].val_loss) for t in diverged)


def test_what_the_sampler_was_told_is_recorded(record):
    search(record, space(), 30)
    trials = {t.number: t for t in record.trials()[0]}
    proposals = record.proposals("dense") + record.proposals("cnn")
    assert {p.trial for p in proposals} == set(trials)
    for proposal in proposals:
        trial = trials[proposal.trial]
        completed = trial.status is Status.COMPLETED
        assert proposal.state == ("COMPLETE" if completed else "PRUNED")
        assert proposal.value == (trial.score if completed else trial.runs[0].epochs[-1].val_loss)
        assert trial.params == proposal.params
    assert {p.state for p in proposals} == {"COMPLETE", "PRUNED"}


def test_events_are_heard_after_they_are_recorded(record):
    def check(event):
        with Record.open(record.path, read_only=True) as reader:
            trials, _ = reader.trials()
        match event:
            case TrialStarted(trial):
                assert trials[trial.number].status is Status.RUNNING
            case EpochMeasured(trial, epoch):
                assert trials[trial.number].runs[0].epochs[-1] == epoch
            case TrialEnded(trial):
                assert trials[trial.number].status is trial.status
                assert trials[trial.number].verdict == trial.verdict

    assert Search(space(), record, Scripted(), check).run(3, None, threading.Event()) is Outcome.FINISHED


def test_a_training_at_its_last_epoch_is_not_thrown_away(record):
    def curves(training):
        return [1.0] * 9 + [1.0 + training.trial]

    search(record, space(search={"pruner": "median"}), 20, Scripted(curves=curves))
    assert {trial.status for trial in record.trials()[0]} == {Status.COMPLETED}


def test_a_named_architecture_that_still_trains_is_not_proposed_beside_it(record):
    words = {"dense": {"depth": 1, "narrowest": 8, "widest": [8, 16]}}
    of = space(families=words, architectures={"eight": {"dense": [8]}}, training={"epochs": 10})
    _, executor, _ = search(record, of, 3, Scripted(2, slow=lambda training: training.trial == 0))
    widths = [training.architecture.dense[0].width for training in executor.submitted]
    assert sorted(widths) == [8, 16]


@pytest.mark.parametrize("end", ["resumed", "interrupted at once"])
def test_what_older_rules_judged_is_judged_once_when_the_search_goes_on(record, judged, end):
    search(record, space(), 8)
    older = {
        key: replace(each, diagnosis=replace(each.diagnosis, rules_version=0))
        for key, each in record.judgements().items()
    }
    record.put_judgements([], older)
    judged.clear()
    search(record, space(), 14, stop_at=1 if end == "interrupted at once" else None)
    new = len(record.judgements()) - len(older)
    # Without what it is measured by first, then with it.
    assert len(judged) == 2 * (len(older) + new)
    assert all(judgement.is_current for judgement in record.judgements().values())


def test_trials_of_a_record_without_judgements_have_their_verdict_when_the_search_goes_on(record):
    search(record, space(), 6)
    trials = record.trials()[0]
    record._db.execute("DELETE FROM judgements")
    record._db.execute("UPDATE trials SET confidence = NULL, verdict = 'underfit'")
    _, _, heard = search(record, space(), 6)
    assert [(t.verdict, t.confidence) for t in heard.events[0].ended] == [
        (t.verdict, t.confidence) for t in record.trials()[0]
    ]
    assert [t.verdict for t in record.trials()[0]] == [t.verdict for t in trials]


class Killed(BaseException):
    pass


def killed_at_write(record, number):
    """Have the process die before its so-manieth write to the record."""
    writing, count = record._writing, iter(range(number))

    def dying():
        if next(count, None) is None:
            raise Killed
        return writing()

    record._writing = dying


def faulty(training):
    """Losses of which some are no numbers."""
    losses = curve(training)
    return [*losses[:4], math.nan] if training.trial % 5 == 3 else losses


def failing(training):
    return {2: Status.DIVERGED, 3: Status.DIVERGED}.get(training.trial % 5, Status.COMPLETED)


WISHES = (Skip(5), Add(Architecture("dense", (DenseBlock(17, 0.0),)), "mine"))


@pytest.mark.parametrize(
    ("words", "script", "wishes"),
    [
        ({"search": {"pruner": "median"}, "families": RANGES}, {}, ()),
        ({"search": {"pruner": "hyperband", "budget": "epochs"}, "families": RANGES}, {}, ()),
        ({"search": {"pruner": "median"}}, {"curves": faulty, "ending": failing}, ()),
        ({"search": {"pruner": "diagnosis"}, "architectures": NAMED}, {}, WISHES),
        ({"families": SMALL, "training": {"epochs": 3, "seeds": 3}}, {}, ()),
    ],
    ids=["median", "hyperband", "failures", "wishes", "seeds"],
)
def test_a_search_killed_between_any_two_writes_goes_on_to_the_trials_of_the_undisturbed_one(
    tmp_path, words, script, wishes
):
    of = space(**words)
    with recorded(tmp_path / "undisturbed", of) as record:
        leave(record, wishes)
        search(record, of, 16, Scripted(**script))
        expected, proposed = told(record.trials()[0]), proposals(record)
    with recorded(tmp_path / "killed", of) as record:
        path = record.path
        leave(record, wishes)
    trained = Counter()
    for writes in (7, 1, 13, 2, 29, 3, 47, 5, 71, 11, 4, 6, 8, 9, 10, 12, 14, 15, 10_000):
        record = Record.open(path)
        killed_at_write(record, writes)
        executor = Scripted(**script)
        try:
            search(record, of, 16, executor)
        except Killed:
            pass
        finally:
            record._db.close()
        with Record.open(path, read_only=True) as record:
            ended = {t.number for t in record.trials()[0] if t.status.has_ended}
        trained.update(t.trial for t in executor.submitted if t.trial in ended)
    with Record.open(path, read_only=True) as record:
        assert repr(told(record.trials()[0])) == repr(expected)  # a NaN is not equal to itself
        assert repr(proposals(record)) == repr(proposed)
        assert not record.queued()
    assert set(trained.values()) <= {1}
    assert not Mailbox(path.parent / "requests").take()


def leave(record, wishes):
    for wish in wishes:
        Mailbox(record.path.parent / "requests").send(wish)


def proposals(record):
    return [
        (p.trial, p.params, p.state, p.value) for name in ("dense", "cnn") for p in record.proposals(name)
    ]


def test_a_trial_is_proposed_knowing_all_but_the_one_that_is_trained_meanwhile(record):
    """However quick the trainings are, and however slow the sampler."""
    known = {}

    def slow(family, suggest):
        time.sleep(0.02)
        known[len(known)] = sum(trial.status.has_ended for trial in record_of_moment())
        return sample(family, suggest)

    of = space(families=RANGES)
    sample = space_sampler(of, DATA)

    def record_of_moment():
        with Record.open(record.path, read_only=True) as reading:
            return reading.trials(with_runs=False)[0]

    record.begin_session("", 1, 6)
    heard = Observer()
    Search(of, record, Scripted(curves=lambda _: [1.0]), heard, sample=slow).run(6, None, heard.stop)
    assert known == {0: 0, 1: 0, 2: 1, 3: 2, 4: 3, 5: 4}


@pytest.mark.parametrize("status", [Status.OUT_OF_MEMORY, Status.DIVERGED, Status.TIMED_OUT, Status.FAILED])
def test_the_sampler_learns_to_avoid_what_can_not_be_trained(tmp_path, status):
    words = {"dense": {"depth": {"low": 1, "high": 6}, "narrowest": 8, "widest": {"low": 64, "high": 1024}}}
    of = space(families=words)

    def is_too_large(training):
        return max(block.width for block in training.architecture.dense) > 300

    played = Scripted(
        curves=lambda training: [] if is_too_large(training) else [0.5],
        ending=lambda training: status if is_too_large(training) else Status.COMPLETED,
    )
    with recorded(tmp_path, of) as record:
        search(record, of, 60, played)
    first, last = played.submitted[:10], played.submitted[30:]
    assert sum(map(is_too_large, first)) / len(first) > 0.5  # drawn at random
    assert sum(map(is_too_large, last)) / len(last) < 0.2


def test_a_search_is_given_up_when_its_last_trials_fail_for_one_reason_and_goes_on_when_asked_again(record):
    broken = Scripted(
        curves=lambda training: curve(training) if training.trial < 4 else [],
        ending=lambda training: Status.COMPLETED if training.trial < 4 else Status.FAILED,
    )
    outcome, *_ = search(record, space(), 40, broken)
    assert outcome is Outcome.GIVEN_UP
    assert sum(trial.status.has_ended for trial in record.trials()[0]) == 4 + MOST_FAILURES
    outcome, mended, _ = search(record, space(), 40)
    assert outcome is Outcome.FINISHED
    assert len(mended.submitted) == 40 - 4 - MOST_FAILURES


def test_only_the_weights_of_the_best_trials_are_kept(tmp_path):
    of = space(execution={"keep": 3}, search={"pruner": "none"})
    with recorded(tmp_path, of) as record:
        models = tmp_path / "models"
        models.mkdir()

        class Saving(Scripted):
            def submit(self, training):
                (models / f"{training.trial}.keras").touch()
                return super().submit(training)

            def poll(self, timeout):
                return [
                    replace(event, run=replace(event.run, model=f"{event.trial}.keras"))
                    if isinstance(event, RunEnded)
                    else event
                    for event in super().poll(timeout)
                ]

        search(record, of, 12, Saving())
        trials = record.trials()[0]
    best = {t.number for t in sorted(trials, key=lambda t: t.score)[:3]}
    kept = {t.number for t in trials if t.runs[0].model}
    assert best <= kept
    assert len(kept) <= 6
    assert {path.name for path in models.iterdir()} == {f"{number}.keras" for number in kept}


def test_no_trial_is_started_that_can_not_end_in_time(record):
    slow = Scripted(capacity=1)  # ten seconds a training, by what it says
    outcome, *_ = search(record, space(), 40, slow, deadline=time.monotonic() + 5)
    assert outcome is Outcome.HOURS_REACHED
    # Of the first of each family nothing was known.
    assert [training.architecture.family for training in slow.submitted] == ["dense", "cnn"]
    outcome, *_ = search(record, space(), 3, deadline=time.monotonic() + 60)
    assert outcome is Outcome.FINISHED


def test_a_trial_is_skipped_at_its_next_epoch_and_a_waiting_one_at_once(record):
    mailbox = Mailbox(record.path.parent / "requests")
    observer = Observer()

    def asking(event):
        observer(event)
        if isinstance(event, EpochMeasured) and (event.trial.number, event.epoch.epoch) == (2, 4):
            mailbox.send(Skip(2))
            mailbox.send(Skip(record.queued()[0].number))
            mailbox.send(Skip(1))  # has ended
            mailbox.send(Skip(99))

    class Unhurried(Scripted):
        def poll(self, timeout):
            # Trial 2 goes on while the next one waits.
            is_early = 2 in self._trainings and not record.queued()
            return () if is_early else super().poll(timeout)

    record.begin_session("", 1, 6)
    played = Unhurried()
    Search(space(), record, played, asking).run(6, None, observer.stop)
    trials = record.trials()[0]
    assert [t.status for t in trials].count(Status.SKIPPED) == 2
    assert trials[2].status is trials[3].status is Status.SKIPPED
    assert len(trials[2].runs[0].epochs) in (4, 5)
    assert 3 not in [training.trial for training in played.submitted]
    assert trials[2].score is None
    assert mailbox.take() == []


def test_what_a_person_adds_is_trained_next_on_top_of_the_total(record):
    mailbox = Mailbox(record.path.parent / "requests")
    wanted = Architecture("dense", (DenseBlock(17, 0.1), DenseBlock(5, 0.0)))
    mailbox.send(Add(wanted, "mine"))
    _, played, _ = search(record, space(), 4)
    assert played.submitted[0].architecture == wanted
    trials = record.trials()[0]
    assert len(trials) == 5
    assert [t.by_hand for t in trials].count(True) == 1
    assert mailbox.take() == []
    mailbox.send(Add(wanted, "again"))
    _, played, _ = search(record, space(), 5)
    assert len(played.submitted) == 1
    assert len(record.trials()[0]) == 6


def test_seeds_that_ended_before_an_interruption_are_not_trained_again(tmp_path):
    of = space(training={"epochs": 3, "seeds": 4})
    with recorded(tmp_path, of) as record:
        killed = Scripted()
        search(record, of, 2, killed, stop_at=2 + 3 + 3 + 1)  # in the third seed
        _, resumed, _ = search(record, of, 2)
        trials = record.trials()[0]
    assert resumed.submitted[0].seeds == (2, 3)
    assert [run.seed for run in trials[0].runs] == [0, 1, 2, 3]
    assert all(len(run.epochs) == 3 for run in trials[0].runs)

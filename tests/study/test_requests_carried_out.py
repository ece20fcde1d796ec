"""What becomes of requests that can't be carried out, or not yet: the search goes on, none is lost."""

import threading

import pytest
from made_up import DATA, Scripted, recorded, space

from archsearch.architecture import Architecture, DenseBlock, HyperModelArchitecture
from archsearch.errors import SpaceError
from archsearch.execution.builds import BuildStopped
from archsearch.records import Status
from archsearch.study import Outcome, Search, space_completer
from archsearch.study.steering import Add, Mailbox, Skip

WANTED = Architecture("dense", (DenseBlock(17, 0.1),))
MINE = HyperModelArchitecture("mine", "package.module:Name", (("units", 64),))


@pytest.fixture
def record(tmp_path):
    with recorded(tmp_path, space()) as record:
        yield record


@pytest.fixture
def mailbox(record):
    return Mailbox(record.path.parent / "requests")


def search(record, complete=None, total=3):
    """Run a search over `record`: its outcome, and what was trained."""
    played = Scripted()
    record.begin_session("archsearch run made-up.yaml", 1, total)
    of = Search(space(), record, played, lambda _: None, complete=complete)
    return of.run(total, None, threading.Event()), played.submitted


def failing_with(error):
    """Completes as the space does, but for a user's HyperModel."""

    def complete(architecture):
        if isinstance(architecture, HyperModelArchitecture):
            raise error
        return space_completer(space(), DATA)(architecture)

    return complete


def test_what_can_no_longer_be_built_is_dropped_and_the_search_goes_on(record, mailbox):
    mailbox.send(Add(MINE))
    mailbox.send(Add(WANTED))
    outcome, submitted = search(record, failing_with(SpaceError("mine: no such module")))
    assert outcome is Outcome.FINISHED
    assert submitted[0].architecture == WANTED
    assert len(record.trials()[0]) == 4
    assert mailbox.take() == []


def test_a_build_that_is_given_up_leaves_the_request_for_the_next_time(record, mailbox):
    mailbox.send(Add(MINE))
    search(record, failing_with(BuildStopped()))
    assert [request for _, request in mailbox.take()] == [Add(MINE)]


def test_a_request_that_was_recorded_but_not_removed_is_not_carried_out_twice(record, mailbox):
    for name in ("once", "and again"):
        mailbox.send(Add(WANTED, name))
    _, submitted = search(record)
    assert [training.architecture for training in submitted].count(WANTED) == 1
    mailbox.send(Add(WANTED))
    mailbox.send(Skip(0))
    before = record.trials(with_runs=False)[0]
    assert search(record)[1] == []
    assert record.trials(with_runs=False)[0] == before
    assert mailbox.take() == []


def test_a_trial_added_by_hand_can_be_skipped(record, mailbox):
    mailbox.send(Add(WANTED))
    mailbox.send(Skip(0))
    outcome, submitted = search(record)
    trials = record.trials()[0]
    assert outcome is Outcome.FINISHED
    assert len(trials) == 4
    assert (trials[0].by_hand, trials[0].status) == (True, Status.SKIPPED)
    assert WANTED not in [training.architecture for training in submitted]

"""Trainings in the search's own process are those of a worker process."""

import time

import pytest
from real_workers import DIGITS, answered, events, setup_in, training, workers

from archsearch.errors import DataError
from archsearch.execution import EpochEnded, local_executor
from archsearch.execution.local import InProcess
from archsearch.records import Ending, Status
from archsearch.space.execution_words import Execution

pytestmark = pytest.mark.slow


@pytest.fixture
def here(tmp_path):
    executor = local_executor(setup_in(tmp_path), Execution(workers=0), (), tmp_path / "logs")
    assert isinstance(executor, InProcess)
    yield executor
    executor.close()


def losses(runs):
    return [[(epoch.train_loss, epoch.val_loss) for epoch in event.run.epochs] for event in runs]


def test_losses_are_the_same_as_in_a_worker(here, tmp_path):
    wanted = training(0, epochs=2, seeds=(3, 4))
    assert (here.capacity, here.submit(wanted)) == (1, "this process")
    epochs, ended = answered(here, 2)
    assert [event.run.status for event in ended] == [Status.COMPLETED] * 2
    assert [(event.seed, event.epoch.epoch) for event in epochs] == [(3, 1), (3, 2), (4, 1), (4, 2)]
    pool = workers(tmp_path, 1)
    try:
        pool.submit(wanted)
        _, of_worker = answered(pool, 2)
    finally:
        pool.close()
    assert losses(ended) == losses(of_worker)


def test_a_training_ends_as_it_is_told_and_the_next_one_starts(here):
    here.submit(training(0, epochs=20))
    pruned = Ending(Status.PRUNED, "worse than others")
    _, (ended,) = answered(here, 1, ending=lambda _: pruned)
    assert (ended.run.status, ended.run.reason) == (pruned.status, pruned.reason)
    here.submit(training(1, epochs=1))
    assert answered(here, 1)[1][0].run.status is Status.COMPLETED


def test_closing_in_the_middle_of_a_training_takes_less_than_a_second_and_leaves_no_thread(here):
    here.submit(training(0, epochs=1000))
    (epoch,) = events(here, lambda seen: seen)
    assert isinstance(epoch, EpochEnded)
    begun = time.monotonic()
    here.close()
    assert time.monotonic() - begun < 1
    here._thread.join(30)  # it may still be freeing memory
    assert not here._thread.is_alive()


def test_other_data_than_the_search_began_with_end_it(tmp_path):
    executor = InProcess(setup_in(tmp_path, fingerprint="of other samples"))
    try:
        with pytest.raises(DataError, match=f"data: {DIGITS.origin} gave other samples"):
            events(executor, lambda seen: seen)
    finally:
        executor.close()

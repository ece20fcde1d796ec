"""Trainings in the search's own process are those of a worker process."""

import time
from dataclasses import replace

import pytest
from real_workers import DIGITS, answered, events, setup_in, training, workers

from archsearch.errors import ArchsearchError, DataError, Refused
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


def test_answers_that_come_later_than_the_next_epoch_are_those_of_their_training(here):
    pruned = Ending(Status.PRUNED, "worse than others")

    def slow(event):
        time.sleep(0.3)
        return pruned if (event.trial, event.epoch.epoch) == (0, 2) else None

    here.submit(training(0, epochs=20))
    epochs, (ended,) = answered(here, 1, ending=slow)
    assert (ended.run.status, len(ended.run.epochs), len(epochs)) == (Status.PRUNED, 2, 2)
    here.submit(training(1, epochs=2, seeds=(3, 4)))
    epochs, ended = answered(here, 2, ending=slow)
    assert [event.run.status for event in ended] == [Status.COMPLETED] * 2
    assert [(event.seed, event.epoch.epoch) for event in epochs] == [(3, 1), (3, 2), (4, 1), (4, 2)]


def test_closing_in_the_middle_of_a_training_takes_less_than_a_second_and_leaves_no_thread(here):
    here.submit(training(0, epochs=1000))
    (epoch,) = events(here, lambda seen: seen)
    assert isinstance(epoch, EpochEnded)
    begun = time.monotonic()
    here.close()
    assert time.monotonic() - begun < 1
    here._thread.join(30)  # it may still be freeing memory
    assert not here._thread.is_alive()


def test_user_code_that_ends_its_process_has_failed_and_the_search_goes_on(here):
    pytest.importorskip("keras_tuner")
    here.submit(training(0, hypermodel="Quits"))
    _, (ended,) = answered(here, 1)
    assert (ended.run.status, ended.run.reason) == (Status.FAILED, "SystemExit: no licence")
    here.submit(training(1, epochs=1))
    assert answered(here, 1)[1][0].run.status is Status.COMPLETED


def test_whatever_ends_the_thread_of_the_trainings_ends_the_search(tmp_path, monkeypatch):
    def ends(*_):
        raise SystemExit(7)

    monkeypatch.setattr("archsearch.execution.local.serve", ends)
    with pytest.raises(ArchsearchError, match="this process can't train: SystemExit: 7"):
        events(InProcess(setup_in(tmp_path)), lambda seen: seen, seconds=5)


def test_without_gpus_they_are_hidden_from_the_searchs_own_process(tmp_path, monkeypatch):
    import tensorflow as tf

    def is_late(devices, kind):
        assert (devices, kind) == ([], "GPU")
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_visible_devices", is_late)
    executor = local_executor(setup_in(tmp_path), Execution(workers=0, gpus=0), (), tmp_path / "logs")
    with pytest.raises(Refused, match="computes on a GPU already"):
        events(executor, lambda seen: seen, seconds=30)


def test_without_a_gpu_nothing_is_trained_where_one_was_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    executor = InProcess(replace(setup_in(tmp_path), gpus_asked="--gpus is 1"))
    told = (
        r"^--gpus is 1; TensorFlow sees no GPU \(CUDA_VISIBLE_DEVICES=7\): it needs a driver, whose "
        r"nvidia-smi lists one, and archsearch with its extra 'gpu'; --gpus 0 trains on the CPU$"
    )
    try:
        executor.submit(training(0, epochs=1))
        with pytest.raises(Refused, match=told):
            events(executor, lambda seen: seen)
    finally:
        executor.close()


def test_other_data_than_the_search_began_with_end_it(tmp_path):
    executor = InProcess(setup_in(tmp_path, fingerprint="of other samples"))
    try:
        with pytest.raises(DataError, match=f"data: {DIGITS.origin} gave other samples"):
            events(executor, lambda seen: seen)
    finally:
        executor.close()

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from real_workers import LIMITS, answered, events, training, worker_of, workers

from archsearch.errors import ArchsearchError, DataError
from archsearch.execution import EpochEnded
from archsearch.execution.devices import Gpu
from archsearch.records import Ending, Status

PRUNED = Ending(Status.PRUNED, "worse than others")


@pytest.fixture(scope="module")
def remarks():
    return []


@pytest.fixture(scope="module")
def pool(tmp_path_factory, remarks):
    folder = tmp_path_factory.mktemp("pool")
    pool = workers(folder, 2, gpu=Gpu("7", "GPU 7"), remark=remarks.append)
    yield pool
    pool.close()


@pytest.mark.slow
def test_as_many_trainings_run_at_once_as_there_are_workers_and_wait_for_answers(pool):
    assert pool.capacity == 2
    pool.submit(training(0))
    pool.submit(training(1))
    first = events(pool, lambda seen: len(seen) == 2)
    assert {event.trial for event in first} == {0, 1}
    assert all(isinstance(event, EpochEnded) and event.epoch.epoch == 1 for event in first)
    assert pool.poll(1) == []
    for event in first:
        pool.answer(event.trial, event.seed, None)
    epochs, ended = answered(pool, 2)
    assert sorted((event.trial, event.epoch.epoch) for event in epochs) == [(0, 2), (1, 2)]
    assert [event.run.status for event in ended] == [Status.COMPLETED] * 2
    assert {event.run.model for event in ended} == {"trial-0-seed-0.keras", "trial-1-seed-0.keras"}
    models = pool._workers[0]._setup.models
    assert all((models / event.run.model).is_file() for event in ended)


@pytest.mark.slow
def test_workers_that_do_not_see_the_gpu_they_were_given_train_on_the_cpu_which_is_said_once(pool, remarks):
    pool.submit(training(40, epochs=1))
    pool.submit(training(41, epochs=1))
    _, ended = answered(pool, 2)
    assert [event.run.environment["device"] for event in ended] == ["cpu", "cpu"]
    (said,) = remarks
    assert said.startswith("trainings run on the CPU: TensorFlow sees no GPU (CUDA_VISIBLE_DEVICES")


@pytest.mark.slow
def test_a_training_told_that_it_is_pruned_ends_so(pool):
    pool.submit(training(2, epochs=20))
    epochs, (ended,) = answered(pool, 1, ending=lambda event: PRUNED if event.epoch.epoch == 2 else None)
    assert len(epochs) == 2
    assert (ended.run.status, ended.run.reason) == (PRUNED.status, PRUNED.reason)
    assert ended.run.epochs == tuple(event.epoch for event in epochs)


@pytest.mark.slow
def test_a_training_with_two_seeds_runs_once_for_each(pool):
    pool.submit(training(3, epochs=1, seeds=(4, 5)))
    epochs, ended = answered(pool, 2)
    assert [event.seed for event in epochs] == [4, 5]
    assert [event.run.seed for event in ended] == [4, 5]
    assert [event.run.model for event in ended] == ["trial-3-seed-4.keras", "trial-3-seed-5.keras"]
    pool.submit(training(4, epochs=1))
    assert answered(pool, 1)[1][0].trial == 4


@pytest.mark.slow
def test_a_pruned_first_seed_leaves_the_others_untrained_and_the_worker_free(pool):
    pool.submit(training(20, epochs=20, seeds=(4, 5, 6)))
    epochs, (ended,) = answered(pool, 1, ending=lambda _: PRUNED)
    assert [(event.seed, event.epoch.epoch) for event in epochs] == [(4, 1)]
    assert (ended.run.seed, ended.run.status) == (4, Status.PRUNED)
    pool.submit(training(21, epochs=1))
    pool.submit(training(22, epochs=1))
    assert {event.trial for event in answered(pool, 2)[1]} == {21, 22}


@pytest.mark.slow
def test_a_failed_second_seed_leaves_the_third_untrained(pool):
    pool.submit(training(23, epochs=1, seeds=(4, 5, 6)))
    events(pool, lambda seen: seen)
    pool.answer(23, 4, None)
    seen = events(pool, lambda seen: len(seen) == 2)
    assert [type(event).__name__ for event in seen] == ["RunEnded", "EpochEnded"]
    assert (seen[0].run.status, seen[1].seed) == (Status.COMPLETED, 5)
    victim = worker_of(pool, 23)
    os.kill(victim.child.process.pid, signal.SIGKILL)
    (ended,) = events(pool, lambda seen: seen)
    assert (ended.run.seed, ended.run.status) == (5, Status.FAILED)
    assert pool.poll(2) == []
    pool.submit(training(24, epochs=1))
    pool.submit(training(25, epochs=1))
    assert {event.trial for event in answered(pool, 2)[1]} == {24, 25}


@pytest.mark.slow
def test_a_killed_worker_fails_its_training_by_name_of_the_signal_and_is_replaced(pool):
    pool.submit(training(5, epochs=20))
    pool.submit(training(6))
    events(pool, lambda seen: {event.trial for event in seen} == {5, 6})
    victim = worker_of(pool, 5)
    os.kill(victim.child.process.pid, signal.SIGKILL)
    pool.answer(6, 0, None)
    _, ended = answered(pool, 2)
    by_trial = {event.trial: event.run for event in ended}
    assert by_trial[5].status is Status.FAILED
    assert by_trial[5].reason.startswith("the worker process was killed by SIGKILL")
    assert by_trial[6].status is Status.COMPLETED
    pool.submit(training(7, epochs=1))
    pool.submit(training(8, epochs=1))
    _, ended = answered(pool, 2)
    assert [event.run.status for event in ended] == [Status.COMPLETED] * 2


@pytest.mark.slow
def test_a_worker_ends_by_itself_in_the_middle_of_a_training_when_its_driver_is_gone(pool):
    pool.submit(training(9, epochs=1000))
    events(pool, lambda seen: seen)
    pool.answer(9, 0, None)
    worker = worker_of(pool, 9)
    worker.child._held.close()
    assert worker.child.process.wait(timeout=120) == -signal.SIGKILL
    worker.replace()


@pytest.mark.slow
def test_closing_leaves_no_process_even_in_the_middle_of_a_training(pool):
    """Comes last: the pool of this file's tests is closed here."""
    pool.submit(training(10, epochs=1000))
    events(pool, lambda seen: seen)
    pool.answer(10, 0, None)
    pool.close()
    for worker in pool._workers:
        assert worker.child.process.returncode == -signal.SIGKILL
        with pytest.raises(ProcessLookupError):
            os.kill(worker.child.process.pid, 0)


@pytest.mark.slow
def test_a_worker_that_can_not_start_says_why_it_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    pool = workers(tmp_path, 1)
    try:
        with pytest.raises(ArchsearchError, match=r"could not start: ended with exit code 1 .*worker-0"):
            events(pool, lambda seen: seen)
    finally:
        pool.close()


@pytest.mark.slow
def test_a_worker_is_replaced_after_so_many_trainings_and_none_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr("archsearch.execution.wear.MOST_MODELS", 1)
    pool = workers(tmp_path, 1)
    try:
        processes = []
        for number in range(2):
            pool.submit(training(number, epochs=1, seeds=(0, 1)))
            processes.append(pool._workers[0].child.process)
            _, ended = answered(pool, 2)
            assert [(event.trial, event.run.status) for event in ended] == [(number, Status.COMPLETED)] * 2
        assert processes[0].returncode == -signal.SIGKILL
        assert processes[1].poll() is None
    finally:
        pool.close()


@pytest.mark.slow
def test_a_killed_worker_is_noticed_though_what_it_forked_lives_on_and_that_is_ended(tmp_path):
    pytest.importorskip("keras_tuner")
    pool = workers(tmp_path, 1, folder=Path(__file__).parent.parent)
    worker = pool._workers[0].child.process.pid
    try:
        pool.submit(training(0, epochs=20, hypermodel="hypermodels_of_a_user:Forks"))
        (epoch,) = events(pool, lambda seen: seen)
        assert isinstance(epoch, EpochEnded)
        forks = psutil.Process(worker).children()
        assert forks
        os.kill(worker, signal.SIGKILL)
        (ended,) = events(pool, lambda seen: seen)
        assert ended.run.reason.startswith("the worker process was killed by SIGKILL")
        _, alive = psutil.wait_procs(forks, timeout=120)
        assert not alive
    finally:
        pool.close()


@pytest.mark.slow
def test_a_worker_that_loads_other_samples_than_the_search_began_with_ends_it(tmp_path):
    pool = workers(tmp_path, 1, fingerprint="of other samples")
    try:
        with pytest.raises(DataError, match="data: digits gave other samples in a worker than in the search"):
            events(pool, lambda seen: seen)
    finally:
        pool.close()


@pytest.mark.slow
def test_a_start_that_is_silent_has_patience_and_is_tried_once_more(tmp_path, monkeypatch):
    program = tmp_path / "silent"
    program.write_text(f"#!/bin/sh\necho start >> {tmp_path}/starts\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    pool = workers(tmp_path, 1, limits=replace(LIMITS, silent_seconds=0.1))
    try:
        with pytest.raises(ArchsearchError, match=r"could not start: no sign of life .* for 1 seconds"):
            events(pool, lambda seen: seen)
    finally:
        pool.close()
    assert (tmp_path / "starts").read_text() == "start\n" * 2

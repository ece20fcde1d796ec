"""What hurts one worker ends its training, with the reason, and leaves the others untouched."""

import os
import signal
from dataclasses import replace

import pytest

pytest.importorskip("keras_tuner")

from real_workers import LIMITS, answered, events, training, worker_of, workers

from archsearch.execution import EpochEnded, machine
from archsearch.records import Status

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool(tmp_path_factory):
    pool = workers(tmp_path_factory.mktemp("limits"), 2)
    yield pool
    pool.close()


def limit(pool, trial, **bounds):
    """Bound the worker that has a trial more than the other."""
    worker_of(pool, trial)._limits = replace(LIMITS, **bounds)


def hurt(pool, trial, hypermodel, epochs=5, **bounds):
    """How a trial ends with one worker, while another one is trained to its end with the other."""
    pool.submit(training(trial, epochs=epochs, hypermodel=hypermodel))
    pool.submit(training(trial + 1, epochs=3))
    limit(pool, trial, **bounds)
    _, ended = answered(pool, 2)
    for worker in pool._workers:
        worker._limits = LIMITS
    runs = {event.trial: event.run for event in ended}
    assert (runs[trial + 1].status, len(runs[trial + 1].epochs)) == (Status.COMPLETED, 3)
    return runs[trial]


def test_a_model_that_allocates_without_end_is_out_of_memory(pool):
    gib = 1024**3
    run = hurt(pool, 0, "Allocates", memory=int(1.5 * gib))
    assert run.status is Status.OUT_OF_MEMORY
    assert run.reason.endswith("GiB of memory; a worker may have 1.50 GiB (execution.memory)")


def test_a_model_that_hangs_has_timed_out(pool):
    run = hurt(pool, 2, "Hangs", epoch_seconds=3.0)
    assert run.status is Status.TIMED_OUT
    assert run.reason == "an epoch was not done after 0.05 minutes (execution.minutes_per_epoch)"


def test_a_trial_that_takes_longer_than_a_trial_may_has_timed_out(pool):
    run = hurt(pool, 4, None, epochs=100_000, trial_seconds=3.6)
    assert run.status is Status.TIMED_OUT
    assert run.reason == "not done after 0.001 hours (execution.hours_per_trial)"


def test_a_model_that_crashes_its_process_has_failed_by_name_of_the_signal_and_leaves_no_files(pool):
    models = pool._workers[0]._setup.models
    names = ["trial-6-seed-0.checkpoint", "unfinished-trial-6-seed-0.keras", "trial-66-seed-0.checkpoint"]
    models.mkdir(exist_ok=True)
    for name in names:
        (models / name).touch()
    run = hurt(pool, 6, "Crashes")
    assert run.status is Status.FAILED
    assert run.reason.startswith("the worker process was killed by SIGSEGV")
    assert "port.cc" not in run.reason
    assert [(models / name).exists() for name in names] == [False, False, True]


def test_a_model_of_nan_from_the_third_epoch_has_diverged_there(pool):
    run = hurt(pool, 8, "NanFromThirdEpoch")
    assert run.status is Status.DIVERGED
    assert len(run.epochs) == 3
    assert "epoch 3" in run.reason


def test_a_process_that_stands_still_gives_no_sign_of_life_and_has_timed_out(pool):
    pool.submit(training(10, epochs=20))
    pool.submit(training(11, epochs=3))
    (first, *_) = events(pool, lambda seen: {event.trial for event in seen} == {10, 11})
    assert isinstance(first, EpochEnded)
    os.kill(worker_of(pool, 10).child.process.pid, signal.SIGSTOP)
    limit(pool, 10, silent_seconds=3.0)
    pool.answer(11, 0, None)
    _, ended = answered(pool, 2)
    runs = {event.trial: event.run for event in ended}
    assert runs[11].status is Status.COMPLETED
    assert runs[10].status is Status.TIMED_OUT
    assert runs[10].reason == "no sign of life from its process for 3 seconds"


def test_an_hour_in_which_the_machine_slept_does_not_count(pool):
    pool.submit(training(12, epochs=3))
    limit(pool, 12, epoch_seconds=60.0, silent_seconds=60.0)
    events(pool, lambda seen: seen)
    pool.answer(12, 0, None)
    pool._looked_at -= 3600
    _, (ended,) = answered(pool, 1)
    assert ended.run.status is Status.COMPLETED


def test_a_process_that_the_kernel_killed_for_want_of_memory_is_out_of_memory(pool, tmp_path, monkeypatch):
    """The kill is real, the kernel's counter is not."""
    counter = tmp_path / "proc" / "vmstat"
    counter.parent.mkdir()
    counter.write_text("oom_kill 3\n")
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    pool.submit(training(13, epochs=20))
    events(pool, lambda seen: seen)
    counter.write_text("oom_kill 4\n")
    os.kill(worker_of(pool, 13).child.process.pid, signal.SIGKILL)
    (ended,) = events(pool, lambda seen: seen)
    assert ended.run.status is Status.OUT_OF_MEMORY
    assert ended.run.reason == "the kernel killed its process for want of memory"

"""What a worker may take, from the words of a space."""

import pytest

from archsearch.execution.limits import Limits, Use
from archsearch.execution.machine import GIB, free_memory
from archsearch.records import Status
from archsearch.space.execution_words import Execution

LIMITS = Limits.of(Execution(memory=2.0, minutes_per_epoch=10, hours_per_trial=0.5), workers=2)


def test_limits_are_those_of_the_words():
    assert Limits(2 * GIB, 600.0, 1800.0) == LIMITS


def test_without_words_the_free_memory_is_shared_out_and_an_epoch_has_an_hour():
    limits = Limits.of(Execution(), workers=4)
    assert limits.memory == pytest.approx(0.8 * free_memory() / 4, rel=0.2)
    assert (limits.epoch_seconds, limits.trial_seconds) == (3600.0, None)


@pytest.mark.parametrize(
    ("use", "status", "reason"),
    [
        (Use(memory=2 * GIB, epoch_seconds=600, trial_seconds=1800, silent_seconds=60), None, ""),
        (
            Use(memory=3 * GIB),
            Status.OUT_OF_MEMORY,
            "its process took 3.00 GiB of memory; a worker may have 2.00 GiB (execution.memory)",
        ),
        (
            Use(epoch_seconds=601),
            Status.TIMED_OUT,
            "an epoch was not done after 10 minutes (execution.minutes_per_epoch)",
        ),
        (
            Use(trial_seconds=1801),
            Status.TIMED_OUT,
            "not done after 0.5 hours (execution.hours_per_trial)",
        ),
        (Use(silent_seconds=61), Status.TIMED_OUT, "no sign of life from its process for 60 seconds"),
    ],
)
def test_a_broken_limit_ends_a_training_with_its_reason(use, status, reason):
    ending = LIMITS.broken_by(use)
    assert (ending.status, ending.reason) == (status, reason) if ending else (status is None)

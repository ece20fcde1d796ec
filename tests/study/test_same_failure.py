"""When a search gives up: the last trials all failed, all for the same reason."""

import pytest
from made_up import trial

from archsearch.records import Status, TrainingRun
from archsearch.study.failures import MOST_FAILURES, same_failure

WHY = "ResourceExhaustedError: OOM when allocating tensor with shape[{n},1024] on device:GPU:{n}"


def failed(count=MOST_FAILURES, reason=WHY, status=Status.OUT_OF_MEMORY):
    return [trial(n, status, runs=(TrainingRun(0, status, reason=reason.format(n=n)),)) for n in range(count)]


def completed(number=99):
    return trial(number, Status.COMPLETED, runs=(TrainingRun(0, Status.COMPLETED),))


def test_the_same_failure_again_and_again_is_said_in_words():
    said = same_failure(failed())
    assert said == (
        f"the last {MOST_FAILURES} trials all failed for the same reason (out of memory: "
        "ResourceExhaustedError: OOM when allocating tensor with shape[9,1024] on device:GPU:9)"
    )


def test_only_the_last_count():
    assert same_failure([completed(), *failed()])
    assert same_failure(failed(MOST_FAILURES - 1)) is None
    assert same_failure([*failed(), completed()]) is None
    assert same_failure([]) is None


@pytest.mark.parametrize(
    "reason",
    [
        "exit code -{n}",
        "ValueError: shape (64, {n}) (/home/me/search-{n}/models.py:1{n})",
        r"OSError: C:\data\{n}.png is truncated",
        "killed by the kernel at 0x7f{n}e0",
        "no answer for {n}.5 s",
        "dense_{n} has\n{n} faults",
    ],
)
def test_numbers_paths_and_addresses_make_no_other_reason(reason):
    assert same_failure(failed(reason=reason))


def test_shapes_of_more_axes_make_no_other_reason():
    shapes = ["(8,)", "(8, 8)", "(8, 8, 3)"]
    trials = failed()
    varied = [
        trial(n, t.status, runs=(TrainingRun(0, t.status, reason=f"no room for {shapes[n % 3]}"),))
        for n, t in enumerate(trials)
    ]
    assert same_failure(varied)


def test_another_reason_or_another_status_is_another_failure():
    assert same_failure([*failed(), *failed(1, reason="KeyError: 'x'")]) is None
    assert same_failure([*failed(), *failed(1, status=Status.FAILED)]) is None


@pytest.mark.parametrize("status", [Status.PRUNED, Status.SKIPPED, Status.STOPPED])
def test_what_was_ended_on_purpose_is_no_failure(status):
    assert same_failure(failed(status=status)) is None


def test_the_reason_is_that_of_the_training_that_ended_the_trial():
    fine = TrainingRun(0, Status.COMPLETED)
    trials = [
        trial(n, Status.FAILED, runs=(fine, TrainingRun(1, Status.FAILED, reason="KeyError: 'x'.")))
        for n in range(MOST_FAILURES)
    ]
    assert same_failure(trials).endswith("(failed: KeyError: 'x')")


def test_a_failure_without_trainings_has_its_status_for_a_reason():
    trials = [trial(n, Status.TIMED_OUT) for n in range(MOST_FAILURES)]
    assert same_failure(trials).endswith("(timed out)")

"""What a trial is expected to take, from those that ended."""

from dataclasses import replace

import pytest
from made_up import RECIPE, epoch, trial

from archsearch.architecture import Architecture, ConvBlock
from archsearch.records import Status, TrainingRun
from archsearch.study.costs import expected_seconds


def ended(
    number=0,
    *,
    epochs=10,
    each=0.5,
    besides=2.0,
    parameters=1_000,
    batch=32,
    seeds=1,
    status=Status.COMPLETED,
):
    """A trial of that many epochs, each of so many seconds, and so many seconds of other things."""
    records = tuple(replace(epoch(n, 1.0), seconds=each) for n in range(1, epochs + 1))
    took = besides / seeds + each * epochs
    runs = tuple(TrainingRun(seed, status, records, seconds=took) for seed in range(seeds))
    recipe = replace(RECIPE, batch_size=batch)
    return replace(trial(number, status), runs=runs, recipe=recipe, parameters=parameters)


def asked(parameters=1_000, batch=32, planned=10):
    recipe = replace(RECIPE, batch_size=batch, epochs=planned)
    return replace(trial(99, Status.QUEUED), recipe=recipe, parameters=parameters)


def test_nothing_is_known_without_an_epoch_of_the_family():
    convolutional = Architecture("cnn", conv=(ConvBlock(4),))
    failed = ended(status=Status.FAILED, epochs=0)
    assert expected_seconds(asked(), [], 1) is None
    assert expected_seconds(asked(), [failed, trial(1)], 1) is None
    assert expected_seconds(replace(asked(), architecture=convolutional), [ended()], 1) is None


def test_the_same_again_takes_as_long():
    assert expected_seconds(asked(), [ended()], 1) == pytest.approx(2.0 + 10 * 0.5)


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_every_seed_that_is_left_counts(seeds):
    assert expected_seconds(asked(), [ended(seeds=5)], seeds) == pytest.approx(2.0 + seeds * 5.0)


def test_planned_epochs_count_by_the_share_that_was_trained_of_others():
    pruned = [ended(n, epochs=2, status=Status.PRUNED) for n in range(3)]
    assert expected_seconds(asked(planned=20), [*pruned, ended(3)], 1) == pytest.approx(
        2.0 + 20 * 0.5 * (0.2 * 3 + 1.0) / 4
    )


def test_the_nearest_in_size_decide():
    small = [ended(n, each=0.1, parameters=1_000 + n) for n in range(3)]
    large = [ended(n, each=9.0, parameters=100_000 + n) for n in range(3, 6)]
    assert expected_seconds(asked(1_000), [*small, *large], 1) == pytest.approx(2 + 10 * 0.1, rel=0.01)
    assert expected_seconds(asked(100_000), [*small, *large], 1) == pytest.approx(2 + 10 * 9, rel=0.01)


def test_one_that_shared_its_processor_does_not_decide():
    others = [ended(0), ended(1, each=60.0), ended(2)]
    assert expected_seconds(asked(), others, 1) == pytest.approx(7.0)


def test_the_same_batch_size_counts_before_the_same_size():
    others = [ended(0, each=0.1, batch=128), ended(1, each=0.4, batch=32, parameters=2_000)]
    assert expected_seconds(asked(2_000, batch=32), others, 1) == pytest.approx(2 + 10 * 0.4)


@pytest.mark.parametrize(
    ("parameters", "batch", "each"),
    [(1_000_000, 32, 0.5), (100, 32, 0.05), (1_000, 64, 0.25), (1_000, 1, 0.5), (100, 320, 0.005)],
    ids=["larger", "smaller", "fewer batches", "more batches", "smaller, fewer batches"],
)
def test_sizes_never_seen_are_expected_to_take_no_more_than_they_must(parameters, batch, each):
    expected = expected_seconds(asked(parameters, batch), [ended()], 1)
    assert expected == pytest.approx(2.0 + 10 * each)


def test_the_first_epoch_with_its_tracing_is_no_measure_of_the_others():
    slow_start = ended(epochs=10)
    (run,) = slow_start.runs
    first = replace(run.epochs[0], seconds=8.0)
    run = replace(run, epochs=(first, *run.epochs[1:]), seconds=run.seconds + 7.5)
    expected = expected_seconds(asked(planned=100), [replace(slow_start, runs=(run,))], 1)
    assert expected == pytest.approx(2.0 + 7.5 + 100 * 0.5)


@pytest.mark.parametrize("status", [Status.SKIPPED, Status.TIMED_OUT, Status.FAILED, Status.OUT_OF_MEMORY])
def test_what_was_broken_off_says_nothing_of_others(status):
    odd = [ended(n, epochs=1, each=500.0, besides=3_600.0, status=status) for n in range(1, 9)]
    assert expected_seconds(asked(), odd, 1) is None
    assert expected_seconds(asked(), [ended(), *odd], 1) == pytest.approx(7.0)

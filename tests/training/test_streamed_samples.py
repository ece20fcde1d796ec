import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from archsearch.architecture import Architecture, DenseBlock
from archsearch.data.dataset import Samples
from archsearch.models import build
from archsearch.records import Status
from archsearch.training import measure, network
from archsearch.training.batches import Stream, blocks, epoch_order

SMALL = Architecture("dense", (DenseBlock(16),))


@pytest.fixture
def streamed(digits, tmp_path):
    """The digits in a file, whole numbers scaled as they are read."""
    path = tmp_path / "digits.npy"
    np.save(path, (digits.x.stored * 16).astype(np.uint8))
    return dataclasses.replace(digits, x=Samples(np.load(path, mmap_mode="r"), 1 / 16, is_streamed=True))


def numbered(count):
    """Samples that are their own numbers, so that batches can be told apart."""
    numbers = np.arange(count, dtype=np.float32)[:, None]
    split = SimpleNamespace(train=np.arange(0, count, 2))
    return SimpleNamespace(x=Samples(numbers, is_streamed=True), y=np.arange(count), split=split)


def epoch_of(stream):
    return [stream[number] for number in range(stream.num_batches)]


def test_a_stream_has_every_sample_of_the_training_part_once_an_epoch_with_its_label():
    stream = Stream(numbered(50), batch_size=8, seed=0)
    for _ in range(3):
        batches = epoch_of(stream)
        assert [len(x) for x, _ in batches] == [8, 8, 8, 1]
        assert sorted(np.concatenate([y for _, y in batches])) == list(range(0, 50, 2))
        assert all((x[:, 0] == y).all() for x, y in batches)
        stream.on_epoch_end()


def test_a_streams_order_follows_from_its_seed_and_differs_from_epoch_to_epoch():
    streams = [Stream(numbered(50), 8, seed) for seed in (1, 1, 2)]

    def order(stream):
        return [tuple(y) for _, y in epoch_of(stream)]

    assert order(streams[0]) == order(streams[1]) != order(streams[2])
    first = order(streams[0])
    streams[0].on_epoch_end()
    assert order(streams[0]) != first


def test_blocks_have_every_sample_once_in_the_order_given_and_are_read_forwards():
    dataset = numbered(50)
    order = epoch_order(seed=0, epoch=1, count=25)
    found = list(blocks(dataset, order, samples=8))
    assert [len(block.x) for block in found] == [8, 8, 8, 1]
    assert all((np.diff(block.x[:, 0]) > 0).all() for block in found)
    assert all((block.x[:, 0] == block.y).all() for block in found)
    trained = np.concatenate([block.y[block.order] for block in found])
    assert (trained == dataset.split.train[order]).all()


def test_a_stream_has_the_batches_that_the_order_of_its_epoch_says():
    dataset = numbered(50)
    stream = Stream(dataset, batch_size=8, seed=3, epoch=2)
    labels = np.concatenate([y for _, y in epoch_of(stream)])
    assert (labels == dataset.split.train[epoch_order(3, 2, 25)]).all()


@pytest.mark.slow
def test_streamed_samples_are_measured_as_those_in_memory_are(streamed, digits, monkeypatch):
    monkeypatch.setattr(measure, "BATCH", 100)
    model = build(SMALL, digits.shape.input_shape, 10)
    gauges = [measure.Gauge(model, dataset, digits.split.val) for dataset in (streamed, digits)]
    assert gauges[0].measure().losses == pytest.approx(gauges[1].measure().losses, rel=1e-6)


@pytest.mark.slow
def test_no_more_than_a_block_of_streamed_samples_is_taken_at_once(
    streamed, tmp_path, trained_once, monkeypatch
):
    taken = []
    take = Samples.take

    def counting(samples, rows):
        taken.append(len(rows))
        return take(samples, rows)

    monkeypatch.setattr(Samples, "take", counting)
    monkeypatch.setattr(measure, "BATCH", 50)
    monkeypatch.setattr(network, "BLOCK_NUMBERS", 3 * 64 * 64)
    run = trained_once(SMALL, streamed, tmp_path, epochs=1)
    assert run.status is Status.COMPLETED, run.reason
    assert max(taken) == 3 * 64


@pytest.mark.slow
def test_streamed_training_is_weighted_by_class_as_any(streamed, tmp_path, trained_once):
    weighted = dataclasses.replace(streamed, class_weights=dict.fromkeys(range(10), 2.0))
    words = {"optimizer": "sgd", "learning_rate": 1e-30, "epochs": 1}
    plain, twice = (trained_once(SMALL, dataset, tmp_path, **words) for dataset in (streamed, weighted))
    assert twice.epochs[0].train_loss == pytest.approx(2 * plain.epochs[0].train_loss, rel=1e-5)
    assert twice.epochs[0].val_loss == pytest.approx(plain.epochs[0].val_loss, rel=1e-6)

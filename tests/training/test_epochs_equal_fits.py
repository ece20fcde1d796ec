"""The compiled epochs do what Keras' ``fit`` does, with the same samples in the same order."""

from dataclasses import replace

import keras
import pytest

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.data.dataset import Samples
from archsearch.models import build, compile_model
from archsearch.records import Augmentation, Recipe, Status
from archsearch.training import batches, network

pytestmark = pytest.mark.slow

DENSE = Architecture("dense", (DenseBlock(32, 0.5, "tanh", True, 1e-2), DenseBlock(16, 0.2)))
CNN = Architecture("cnn", (DenseBlock(16, 0.5),), (ConvBlock(8, 3, dropout=0.2, batch_norm=True, l2=1e-2),))
RECIPE = Recipe(3, 64, "adam", 3e-3, None)
WEIGHTS = {0: 3.0, 7: 0.2}


def losses_of_fit(architecture, recipe, dataset, seed):
    """What Keras itself reports for each epoch, and the weights after the last."""
    samples, shape = dataset.split.train, dataset.shape
    classes = len(shape.classes)
    keras.utils.set_random_seed(seed)
    model = build(architecture, shape.input_shape, classes, recipe.augmentation, recipe.precision)
    compile_model(model, recipe, -(-len(samples) // recipe.batch_size))
    losses = []
    for epoch in range(recipe.epochs):
        rows = samples[batches.epoch_order(seed, epoch, len(samples))]
        words = {"class_weight": dataset.class_weights, "shuffle": False, "verbose": 0}
        history = model.fit(dataset.x.take(rows), dataset.y[rows], batch_size=recipe.batch_size, **words)
        losses += history.history["loss"]
    return losses, model.get_weights()


CASES = {
    "dense": (DENSE, {}, None),
    "weighted cnn": (CNN, {"schedule": "cosine"}, WEIGHTS),
    "mixed precision": (DENSE, {"precision": "mixed_float16"}, None),
    "augmented": (DENSE, {"augmentation": Augmentation("both", 0.1, 0.1, 0.1), "optimizer": "sgd"}, WEIGHTS),
}


@pytest.mark.parametrize("case", CASES)
def test_losses_of_epochs_equal_those_of_fit_in_the_same_order(case, digits, tmp_path, trained_once):
    architecture, words, weights = CASES[case]
    dataset = replace(digits, class_weights=weights)
    assert len(digits.split.train) % RECIPE.batch_size  # the last batch is smaller
    expected, _ = losses_of_fit(architecture, replace(RECIPE, **words), dataset, seed=3)
    run = trained_once(architecture, dataset, tmp_path, seed=3, **words)
    assert run.status is Status.COMPLETED, run.reason
    # A rounding at the last digit of a 16-bit number is a thousandth.
    rel = 1e-2 if "precision" in words else 1e-5
    assert [epoch.train_loss for epoch in run.epochs] == pytest.approx(expected, rel=rel)


def test_two_classes_train_as_in_fit(parity, tmp_path, trained_once):
    expected, _ = losses_of_fit(DENSE, RECIPE, parity, seed=1)
    run = trained_once(DENSE, parity, tmp_path, seed=1)
    assert [epoch.train_loss for epoch in run.epochs] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("is_streamed", [True, False])
def test_data_in_blocks_train_as_data_on_the_device(is_streamed, digits, tmp_path, trained_once, monkeypatch):
    plain = trained_once(DENSE, digits, tmp_path)
    monkeypatch.setattr(network, "RESIDENT_NUMBERS", 0)
    monkeypatch.setattr(network, "BLOCK_NUMBERS", 3 * 64 * 64)
    samples = Samples(digits.x.stored, is_streamed=is_streamed)
    blocks = trained_once(DENSE, replace(digits, x=samples), tmp_path)
    assert blocks.environment["steps_per_execution"] == 3
    for each in ("train_loss", "val_loss"):
        losses = [[getattr(epoch, each) for epoch in run.epochs] for run in (plain, blocks)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)

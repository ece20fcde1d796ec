from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from answers import at_once

from archsearch.data.dataset import Dataset, Samples
from archsearch.data.shapes import DataShape
from archsearch.data.splits import Split


def dataset_of(x, y, classes):
    """Three fifths to train on, one to validate, one to test, in turn."""
    rows = np.arange(len(y))
    train, val, test = rows[rows % 5 < 3], rows[rows % 5 == 3], rows[rows % 5 == 4]
    parts = Split(train, val, test, rows[rows % 5 == 0], np.arange(len(val)) % 2 == 0)
    shape = DataShape(x.shape[1:], tuple(map(str, range(classes))))
    return Dataset(shape, Samples(x.astype(np.float32)), y.astype(np.int64), parts, "made up")


@pytest.fixture(scope="session")
def digits():
    from sklearn.datasets import load_digits

    loaded = load_digits()
    return dataset_of(loaded.images[..., np.newaxis] / 16, loaded.target, 10)


@pytest.fixture(scope="session")
def parity(digits):
    """The digits, told apart as even and odd."""
    shape = replace(digits.shape, classes=("even", "odd"))
    return replace(digits, y=digits.y % 2, shape=shape)


@pytest.fixture(scope="session")
def trained_once():
    """Train one architecture with one seed, every epoch answered with `on_epoch`."""
    from archsearch.records import Recipe, Training
    from archsearch.training import train

    recipe = Recipe(epochs=3, batch_size=64, optimizer="adam", learning_rate=3e-3, patience=None)

    def trained(architecture, dataset, models, on_epoch=lambda *_: None, seed=0, **words):
        training = Training(0, architecture, replace(recipe, **words), (seed,))
        (run,) = train(training, dataset, at_once(on_epoch), models, Path())
        return run

    return trained

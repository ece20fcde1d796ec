"""Trainings on JAX for `test_seeds_together`: ``python seeds_on_jax.py FOLDER`` pickles what comes of them.

In a process of its own: Keras reads only once on which backend it is to run.
"""

import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from answers import at_once
from conftest import dataset_of
from sklearn.datasets import load_digits

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.data.dataset import Dataset
from archsearch.records import Augmentation, Ending, EpochRecord, Recipe, Status, Training, TrainingRun
from archsearch.training import train
from archsearch.training.jax_program import SeedsProgram
from archsearch.training.own import OwnTraining
from archsearch.training.together import SeedsTogether
from archsearch.training.watch import Watch

Answer = Callable[[int, EpochRecord], Ending | None]

SEEDS = (3, 5, 4)
ADAM = Recipe(epochs=4, batch_size=72, optimizer="adam", learning_rate=3e-3, patience=None)
PLAIN = Architecture("dense", dense=(DenseBlock(16),))
DENSE = Architecture("dense", dense=(DenseBlock(24, dropout=0.2, batch_norm=True, l2=1e-3),))
CNN = Architecture("cnn", conv=(ConvBlock(4, dropout=0.1, batch_norm=True, l2=1e-3),))


def none(_seed: int, _epoch: EpochRecord) -> None:
    return None


def alone(training: Training, dataset: Dataset) -> Iterator[TrainingRun]:
    """Each seed by Keras' own ``fit``, as a training with one seed is done, until one has no result."""
    subject = OwnTraining(training, dataset, Path(), checkpoint_seconds=3600)
    for seed in training.seeds:
        watch = Watch(seed, training.recipe, partial(at_once(none), seed))
        subject.train(watch)
        yield watch.run(None, 0.0, {})


def ending(training: Training, dataset: Dataset, folder: Path, answers: dict[tuple[int, int], Ending]):
    """Runs and what was told, where some epochs are answered with an ending."""
    told: list[tuple[int, int]] = []

    def answer(seed: int, epoch: EpochRecord) -> Ending | None:
        told.append((seed, epoch.epoch))
        return answers.get(told[-1])

    return list(train(training, dataset, at_once(answer), folder, Path())), told


def with_a_nan(training: Training, dataset: Dataset) -> list[TrainingRun]:
    """The second seed loses its numbers after its second epoch."""

    def answer(seed: int, epoch: EpochRecord) -> None:
        if (seed, epoch.epoch) == (SEEDS[1], 2):
            kernel = subject._state.trainable[0]
            subject._state.trainable[0] = kernel.at[1].set(np.nan)

    watches = [Watch(seed, training.recipe, partial(at_once(answer), seed)) for seed in training.seeds]
    subject = SeedsTogether(training, dataset, watches)
    for watch in watches:
        subject.train(watch)
    return [watch.run(None, 0.0, {}) for watch in watches]


def too_large_together(training: Training, dataset: Dataset, folder: Path) -> list[TrainingRun]:
    """The GPU has no room for the program of all seeds."""

    def train_epoch(*_: object) -> None:
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 7 bytes.")

    with patch.object(SeedsProgram, "train_epoch", train_epoch):
        return list(train(training, dataset, at_once(none), folder, Path()))


def main(folder: Path) -> None:
    loaded = load_digits()
    images = loaded.images[:360, ..., np.newaxis] / 16
    digits = dataset_of(images, loaded.target[:360], 10)
    threes = dataset_of(images, loaded.target[:360] % 3 == 0, 2)
    guesses = dataset_of(images, np.random.default_rng(0).integers(0, 2, 360), 2)
    # What can't be learned gets worse soon, and smoothly: a rate is lowered, and trainings stop early. Of 216
    # samples the last batch has 24; elsewhere, to compile less, all have 72.
    hopeless = replace(ADAM, batch_size=64, epochs=16, learning_rate=1e-2, schedule="plateau", patience=8)
    flipped = replace(ADAM, augmentation=Augmentation("horizontal", contrast=0.1), schedule="cosine")
    weighted = replace(flipped, class_weights="balanced", precision="mixed_float16")
    equal = {
        "dense": (DENSE, hopeless, guesses),
        "cnn": (CNN, weighted, threes),
        "plain": (PLAIN, ADAM, digits),
    }
    results = {}
    for trial, (name, (architecture, recipe, dataset)) in enumerate(equal.items()):
        training = Training(trial, architecture, recipe, SEEDS)
        together = list(train(training, dataset, at_once(none), folder, Path()))
        results[name] = together, list(alone(training, dataset))
    short = Training(9, PLAIN, ADAM, SEEDS)
    worse = Ending(Status.PRUNED, "worse than others")
    results["first pruned"] = ending(short, digits, folder, {(SEEDS[0], 2): worse})
    results["second pruned"] = ending(short, digits, folder, {(SEEDS[1], 2): worse})
    results["nan"] = with_a_nan(short, digits)
    lost = replace(short, recipe=replace(short.recipe, learning_rate=1e30))
    results["all nan"] = ending(lost, digits, folder, {})
    results["too large together"] = too_large_together(short, digits, folder)
    (folder / "results.pickle").write_bytes(pickle.dumps(results))
    np.save(folder / "validation.npy", digits.x.take(digits.split.val))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

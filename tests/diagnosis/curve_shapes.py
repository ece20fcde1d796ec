"""Curves of known shape and the trials that could have left them."""

from dataclasses import replace

import numpy as np

from archsearch.architecture import Architecture, DenseBlock
from archsearch.diagnosis import Context, Curves
from archsearch.records import DataSummary, EpochRecord, Recipe, Reference, Status, TrainingRun, TrialResult

PRIOR = float(np.log(2))
KNOWN = Context(
    prior_entropy=PRIOR,
    n_val=2000,
    reference_loss=0.2,
    early_stopped=False,
    planned_epochs=60,
    dropout=False,
    classes_predicted=2,
)
DATA = DataSummary("made", (8, 8, 1), ("no", "yes"), 4000, 2000, 2000, 2000, PRIOR, "0" * 16)
LINEAR = Reference(
    "linear model", train_loss_eval=0.22, val_loss=0.3, val_accuracy=0.9, parameters=65, seconds=0.1
)
FREQUENCIES = Reference("class frequencies", PRIOR, PRIOR, 0.5, 0, 0.0)


def settling(epochs=60, level=0.2, start=0.7, pace=8.0):
    """Falls from `start` and settles at `level`; `pace` is how many such falls the run would hold."""
    return level + (start - level) * np.exp(-np.arange(epochs) * pace / epochs)


def noise(epochs=60, seed=0, size=0.005):
    return size * np.random.default_rng(seed).normal(size=epochs)


def good(epochs=60, seed=0):
    train = settling(epochs, 0.2) + noise(epochs, seed, 0.001)
    val = settling(epochs, 0.22) + noise(epochs, seed + 1)
    return Curves(train, val, train, learning_rate=np.full(epochs, 1e-3))


def overfit(epochs=60, seed=0, rise=0.15):
    """Validation loss turns up after a third of the run, train loss goes on to zero."""
    time = np.arange(epochs) / epochs
    after = np.clip(time - 1 / 3, 0, None)
    train = settling(epochs, 0.25, pace=20) - 0.3 * after + noise(epochs, seed, 0.001)
    val = settling(epochs, 0.27, pace=20) + 1.5 * rise * after + noise(epochs, seed + 1)
    return Curves(train, val, train)


def underfit(epochs=60, seed=0):
    train = settling(epochs, 0.5) + noise(epochs, seed, 0.001)
    return Curves(train, settling(epochs, 0.51) + noise(epochs, seed + 1), train)


def still_falling(epochs=60, seed=0):
    train = np.linspace(0.7, 0.35, epochs) + noise(epochs, seed, 0.001)
    return Curves(train, np.linspace(0.7, 0.36, epochs) + noise(epochs, seed + 1), train)


def not_learning(epochs=60, seed=0):
    train = PRIOR + noise(epochs, seed, 0.002)
    return Curves(train, PRIOR + noise(epochs, seed + 1), train)


def jumping(epochs=60, seed=0):
    """Random factors on both losses to the end."""
    factors = np.exp(0.4 * np.random.default_rng(seed).normal(size=epochs))
    return Curves(
        settling(epochs, 0.2) * factors, settling(epochs, 0.22) * factors, settling(epochs, 0.2) * factors
    )


def blown_up(epochs=60, seed=0):
    climb = 0.05 * np.clip(np.arange(epochs) - epochs // 2, 0, None)
    train = settling(epochs, 0.2) + climb + noise(epochs, seed, 0.001)
    return Curves(train, settling(epochs, 0.22) + climb + noise(epochs, seed + 1), train)


SHAPES = {
    "good": good,
    "overfit": overfit,
    "underfit": underfit,
    "not_converged": still_falling,
    "not_learning": not_learning,
    "unstable": jumping,
    "diverged": blown_up,
}


def run_of(curves, halves=None, seed=0, **changes):
    val = np.asarray(curves.val_loss, dtype=float)
    train = np.asarray(curves.train_loss, dtype=float)
    inference = train if curves.train_loss_eval is None else np.asarray(curves.train_loss_eval, dtype=float)
    halves = np.stack([val, val], axis=1) if halves is None else np.asarray(halves)
    epochs = tuple(
        EpochRecord(
            index + 1, train[index], inference[index], val[index], tuple(halves[index]),
            0.9, 0.9, 0.9, 0.9, 0.9, 1e-3, 0.1, 0.0,
        )
        for index in range(len(val))
    )  # fmt: skip
    delivered = int(np.nanargmin(val)) + 1 if np.isfinite(val).any() else None
    run = TrainingRun(
        seed, Status.COMPLETED, epochs, delivered_epoch=delivered, val_loss_spread=0.4, seconds=1.0
    )
    return replace(run, **changes)


def trial_of(number, curves=None, runs=None, status=Status.COMPLETED, **changes):
    if runs is None:
        runs = () if curves is None else (run_of(curves, status=status),)
    trial = TrialResult(
        number=number,
        name=None,
        architecture=Architecture("dense", dense=(DenseBlock(16 + number),)),
        recipe=Recipe(60, 32, "adam", 1e-3, None),
        status=status,
        runs=runs,
        parameters=1000 + number,
    )
    return replace(trial, **changes)

"""Record real trainings whose fault is known by its cause: ``known_faults.parquet``, test data.

Small Keras networks are trained on scikit-learn's bundled digits, or on images of one's own, each with a
fault put in on purpose, or with none. No rule has labelled these curves: `EXPECTED` names the verdicts that a
cause allows. Architecture, optimizer, batch size, split and seed are drawn anew for each training.

The recorded file was made by ``record_known_faults.py known_faults.parquet`` in this folder. Other data:
``--data NAME.npz`` with ``x``, (samples, height, width, channels) in [0, 1], and ``y``, (samples,).

`train_loss` is what Keras reports: a mean over the epoch, with dropout and penalties. `train_loss_eval` and
`val_loss` are the cross-entropy alone, in inference mode, at the epoch's end; the former on a fixed
stratified part of the training set, as large as the validation set where there is as much.
"""

import argparse
import math
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fault_setups import EXPECTED, Setup, setup_of
from scipy.special import log_softmax
from scipy.stats import entropy
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

# Their cause did not act as it should: seen in the pictures of their curves, before any verdict on them.
NOT_ACTED = {
    "digits-healthy-3",  # had not settled
    "digits-noisy_lr-1",  # its units saturated at the seventh epoch: flat from there
    "digits-dropout_0.9-6",  # had not settled
}
MEASURED = ["train_loss", "val_loss", "train_loss_eval", "val_accuracy", "learning_rate"]


def samples(s: Setup, y: Any) -> tuple[Any, Any, Any, Any]:
    """Indices for training, measuring the train loss and validating; and the labels, with their faults."""
    rng = np.random.default_rng(s.seed)
    chosen = rng.permutation(len(y))
    if s.skewed:
        chosen = chosen[rng.random(len(y)) < 0.75 ** y[chosen]]
    train, val = train_test_split(chosen, test_size=s.val_share, stratify=y[chosen], random_state=s.seed)
    parts = {"train": train, "val": val[: s.n_val]}
    if s.per_class:
        parts["train"] = np.concatenate([train[y[train] == label][: s.per_class] for label in np.unique(y)])
    y = y.copy()
    for name in s.shuffled:
        y[parts[name]] = rng.permutation(y[parts[name]])
    train, val = parts["train"], parts["val"]
    n_eval = max(len(val), len(np.unique(y)))
    if n_eval > len(train) - len(np.unique(y)):
        return train, train, val, y
    measured, _ = train_test_split(train, train_size=n_eval, stratify=y[train], random_state=s.seed)
    return train, measured, val, y


def network(s: Setup, shape: tuple[int, ...], classes: int) -> Any:
    """A compiled network that answers logits."""
    from keras import Input, Sequential, initializers, layers, losses, optimizers, regularizers

    penalty = regularizers.L2(s.l2) if s.l2 else None
    # Inputs are small: a bias of -20 silences a rectified unit for good.
    bias = initializers.Constant(-20.0 if s.dead else 0.0)
    words = {"activation": s.activation, "kernel_regularizer": penalty, "bias_initializer": bias}
    stack: list[Any] = [Input(shape)]
    if s.family == "cnn":
        for level in range(min(s.depth, 2)):
            stack += [layers.Conv2D(8 * (level + 1), 3, padding="same", **words), layers.MaxPooling2D()]
            stack.append(layers.Dropout(s.dropout))
    stack.append(layers.Flatten())
    for _ in range(1 if s.family == "cnn" else s.depth):
        stack += [layers.Dense(s.width, **words), layers.Dropout(s.dropout)]
    model = Sequential([*stack, layers.Dense(classes, kernel_regularizer=penalty)])
    momentum = {"momentum": 0.9} if s.optimizer == "sgd" else {}
    optimizer = {"class_name": s.optimizer, "config": {"learning_rate": s.rate, **momentum}}
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizers.get(optimizer), loss, jit_compile=False, steps_per_execution=32)
    return model


def record(job: tuple[str, int, str | None]) -> pd.DataFrame:
    """Train run `number` of `cause` on the data at a path; one row for each epoch."""
    import keras  # only where it trains, in processes of their own

    cause, number, path = job
    dataset, x, y = images(path)
    s = setup_of(cause, number)
    train, measured, val, y = samples(s, y)
    x = x * 0 if s.zero_inputs else x
    judged = np.concatenate([measured, val])
    keras.backend.clear_session()
    keras.utils.set_random_seed(s.seed)
    model = network(s, x.shape[1:], int(y.max()) + 1)
    rows: list[tuple[float, ...]] = []

    def measure(_: int, logs: dict[str, float]) -> None:
        logits = model.predict_on_batch(x[judged]).astype(float)
        losses = -np.take_along_axis(log_softmax(logits, axis=1), y[judged, None], axis=1)
        train_loss_eval, val_loss = losses[: len(measured)].mean(), losses[len(measured) :].mean()
        hits = logits[len(measured) :].argmax(axis=1) == y[val]
        logs["val_loss"] = float(val_loss)  # for the callbacks after this one
        accuracy = hits.mean() if np.isfinite(val_loss) else math.nan
        rate = float(model.optimizer.learning_rate)
        rows.append((logs["loss"], val_loss, train_loss_eval, accuracy, rate))

    callbacks = [
        keras.callbacks.LambdaCallback(on_epoch_end=measure),
        *[keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=5, min_delta=0.01)] * s.plateau,
        *([keras.callbacks.EarlyStopping(patience=s.patience)] if s.patience else []),
        *[keras.callbacks.TerminateOnNaN()] * (number % 2),  # half of them train on with losses that are none
    ]
    model.fit(x[train], y[train], s.batch, s.epochs, verbose=0, callbacks=callbacks)
    columns = {
        "curve": f"{dataset}-{cause}-{number}",
        "cause": cause,
        "dataset": dataset,
        "seed": s.seed,
        "epoch": np.arange(1, len(rows) + 1, dtype="int32"),
        **dict(zip(MEASURED, np.array(rows, "float32").T, strict=True)),
        "prior_entropy": np.float32(entropy(np.bincount(y[train]))),
        "n_val": len(val),
        "early_stopped": s.patience is not None and len(rows) < s.epochs,
        "planned_epochs": s.epochs,
        "dropout": s.dropout > 0,
        "expected": EXPECTED[cause],
    }
    return pd.DataFrame(columns)


def images(path: str | None) -> tuple[str, Any, Any]:
    """A data set's name, samples and labels."""
    if path is None:
        x, y = load_digits(return_X_y=True)
        return "digits", (x / 16).reshape(-1, 8, 8, 1).astype("float32"), y
    with np.load(path) as arrays:
        return Path(path).stem, arrays["x"].astype("float32"), arrays["y"].astype(int)


def main() -> None:
    """Train every cause and write the curves."""
    parser = argparse.ArgumentParser(description="Record trainings whose fault is known.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", help="images of your own, as .npz (default: scikit-learn's digits)")
    parser.add_argument("--runs", type=int, default=8, help="of each cause")
    parser.add_argument("--cause", action="append", choices=list(EXPECTED), help="only this (repeatable)")
    options = parser.parse_args()
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    causes = options.cause or list(EXPECTED)
    jobs = [(cause, number, options.data) for number in range(options.runs) for cause in causes]
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=40) as pool:
        curves = pd.concat(pool.imap(record, jobs), ignore_index=True)
    curves = curves[~curves["curve"].isin(NOT_ACTED)]
    curves.to_parquet(options.out, index=False, compression="zstd", compression_level=19)


if __name__ == "__main__":
    main()

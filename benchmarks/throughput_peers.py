"""The peers of `throughput.py`: the same 24 trainings by KerasTuner, by Optuna, and by hand.

``python benchmarks/throughput_peers.py kerastuner|optuna|limit`` in an empty folder, where it leaves what it
stores. Each is written as its users write it; the limit as fast as TensorFlow on two cores is known to be.
"""

import multiprocessing
import os
import random
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

EPOCHS, SEEDS, BATCH_SIZE, LEARNING_RATE = 20, 4, 64, 1e-3

Stack = tuple[tuple[int, float], ...]
"""Widths and dropout rates, from the input to the output."""

STACKS: dict[str, Stack] = {
    "diamond-split": (
        *((width, 0.2) for width in (32, 64, 128, 256, 512, 1024)),
        *((width, 0.5) for width in (1024, 512, 256, 128, 64)),
    ),
    "diamond-02": tuple((width, 0.2) for width in (32, 64, 128, 256, 512, 1024, 512, 256, 128, 64)),
    "doubled-final": tuple((width, 0.5) for width in (32, 64, 64, 128, 128, 256, 256, 512, 512, 1024)),
    "rising-02": tuple((width, 0.2) for width in (32, 64, 128, 256, 512, 1024)),
    "falling-05": tuple((width, 0.5) for width in (1024, 512, 256, 128, 64)),
    "rising-05": tuple((width, 0.5) for width in (32, 64, 128, 256, 512)),
}
"""Six of the eight stacks of the bundled notebook_stacks, with batch normalisation; the largest first."""

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def digits() -> Arrays:
    """Training and validation samples and labels, as many as archsearch has by default."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32").reshape(-1, 8, 8, 1)
    x, _, y, _ = train_test_split(x, y, test_size=359, stratify=y, random_state=0)
    x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=359, stratify=y, random_state=0)
    return x_train, y_train, x_val, y_val


def network(stack: Stack) -> Any:
    import keras
    from keras import layers

    inputs = keras.Input((8, 8, 1))
    outputs = layers.Flatten()(inputs)
    for width, dropout in stack:
        outputs = layers.Dense(width, "relu")(outputs)
        outputs = layers.BatchNormalization()(outputs)
        outputs = layers.Dropout(dropout)(outputs)
    return keras.Model(inputs, layers.Dense(10, "softmax")(outputs))


def compiled(stack: Stack) -> Any:
    import keras

    model = network(stack)
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss, metrics=["accuracy"])
    return model


def kerastuner() -> None:
    import keras_tuner

    def build(hp: Any) -> Any:
        return compiled(STACKS[hp.Choice("stack", list(STACKS))])

    x_train, y_train, x_val, y_val = digits()
    tuner = keras_tuner.GridSearch(
        build, "val_loss", max_trials=len(STACKS), executions_per_trial=SEEDS, directory="kerastuner"
    )
    tuner.search(
        x_train, y_train, validation_data=(x_val, y_val), epochs=EPOCHS, batch_size=BATCH_SIZE, verbose=0
    )
    print("best:", tuner.get_best_hyperparameters()[0].values)


def optuna() -> None:
    import keras
    import mlflow
    import optuna

    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment("stacks")
    mlflow.tensorflow.autolog()
    x_train, y_train, x_val, y_val = digits()

    def objective(trial: Any) -> float:
        stack = trial.suggest_categorical("stack", list(STACKS))
        seed = trial.suggest_categorical("seed", list(range(SEEDS)))
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        with mlflow.start_run():
            mlflow.log_params(trial.params)
            history = compiled(STACKS[stack]).fit(
                x_train,
                y_train,
                validation_data=(x_val, y_val),
                epochs=EPOCHS,
                batch_size=BATCH_SIZE,
                verbose=0,
            )
        return min(history.history["val_loss"])

    sampler = optuna.samplers.GridSampler({"stack": list(STACKS), "seed": list(range(SEEDS))})
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=len(STACKS) * SEEDS)
    print("best:", study.best_params)


def limit() -> None:
    """Two processes of one thread each, which take stack after stack: nothing but training and measuring."""
    one_thread = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
    os.environ |= one_thread
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawned) as pool:
        for name, losses, seconds in pool.map(train_by_hand, STACKS):
            print(f"{name}: lowest validation loss {np.min(losses):.4f}, {seconds:.1f} s", flush=True)


def train_by_hand(name: str) -> tuple[str, np.ndarray, float]:
    """Validation losses of all seeds and epochs, shape (seeds, epochs), and the seconds they took."""
    started = time.perf_counter()
    import tensorflow as tf

    arrays = digits()
    model = network(STACKS[name])
    optimizer = FusedAdam(model.trainable_variables)
    epoch = epoch_function(model, optimizer, arrays)
    measured = np.empty((SEEDS, EPOCHS))
    for seed in range(SEEDS):
        random.seed(seed)  # Keras' initializers draw from it; TensorFlow's seed would have it optimise again
        reinitialise(model)
        optimizer.reset()
        for number in range(EPOCHS):
            order = np.random.default_rng((seed, number)).permutation(len(arrays[0]))
            _, _, val_losses = epoch(tf.constant(order))
            measured[seed, number] = val_losses.numpy().mean()
    return name, measured, time.perf_counter() - started


class FusedAdam:
    """Adam with TensorFlow's own kernel, one operation a weight; the same numbers as Keras' Adam."""

    def __init__(self, weights: Sequence[Any]) -> None:
        import tensorflow as tf

        self._moments = [[tf.Variable(tf.zeros(weight.shape)) for weight in weights] for _ in range(2)]
        self._powers = tf.Variable([1.0, 1.0])

    def reset(self) -> None:
        """Forget all steps."""
        import tensorflow as tf

        self._powers.assign([1.0, 1.0])
        for variable in (*self._moments[0], *self._moments[1]):
            variable.assign(tf.zeros(variable.shape))

    def apply(self, gradients: Sequence[Any], weights: Sequence[Any]) -> None:
        """Make a step."""
        import tensorflow as tf

        powers = self._powers.assign(self._powers * [0.9, 0.999])
        for weight, m, v, gradient in zip(weights, *self._moments, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=weight.value.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=LEARNING_RATE,
                beta1=0.9,
                beta2=0.999,
                epsilon=1e-7,
                grad=gradient,
            )


def reinitialise(model: Any) -> None:
    """Draw new weights for the same model, so that what was traced for it serves again."""
    for layer in model.layers:
        for name in ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"):
            variable = getattr(layer, name, None)
            if variable is not None:
                # An initializer draws the same numbers each time: a new one of its kind draws others.
                used = getattr(layer, f"{name}_initializer")
                variable.assign(type(used).from_config(used.get_config())(variable.shape))


def epoch_function(model: Any, optimizer: FusedAdam, arrays: Arrays) -> Any:
    """An epoch as one program: all batches in the given order, then losses in inference mode.

    Train and validation losses are measured in one call, and the smaller last batch goes through the same
    loop: each would be traced once more.
    """
    import tensorflow as tf

    x_train, y_train, x_val, y_val = map(tf.constant, arrays)
    x_measured = tf.concat([x_train[: len(y_val)], x_val], 0)
    y_measured = tf.concat([y_train[: len(y_val)], y_val], 0)
    count = len(y_train)
    weights = model.trainable_variables
    crossentropy = tf.keras.losses.sparse_categorical_crossentropy

    @tf.function(input_signature=[tf.TensorSpec((count,), tf.int64)])
    def epoch(order: Any) -> Any:
        total = tf.constant(0.0)
        for start in tf.range(0, count, BATCH_SIZE):
            rows = order[start : start + BATCH_SIZE]
            with tf.GradientTape() as tape:
                probabilities = model(tf.gather(x_train, rows), training=True)
                loss = tf.reduce_mean(crossentropy(tf.gather(y_train, rows), probabilities))
            optimizer.apply(tape.gradient(loss, weights), weights)
            total += loss * tf.cast(tf.size(rows), tf.float32)
        train_losses, val_losses = tf.split(crossentropy(y_measured, model(x_measured)), 2)
        return total / count, train_losses, val_losses

    return epoch


SIDES = {"kerastuner": kerastuner, "optuna": optuna, "limit": limit}


def main(words: Sequence[str]) -> None:
    SIDES[words[0]]()


if __name__ == "__main__":
    main(sys.argv[1:])

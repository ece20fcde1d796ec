"""HyperModels that hurt whatever process trains them, for tests."""
# ruff: noqa: ARG002 - the words are KerasTuner's

import ctypes
import sys
import time

import keras
import keras_tuner
import numpy as np

SHAPE, CLASSES = (8, 8, 1), 10
PIECE_BYTES = 16 * 1024**2


def stack(*layers):
    """A compiled network with `layers` before its head."""
    head = [keras.layers.Flatten(), keras.layers.Dense(CLASSES, "softmax")]
    model = keras.Sequential([keras.Input(SHAPE), *layers, *head])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


class Does(keras.layers.Layer):
    """Does something in ``call`` once it is trained, not while it is built."""

    def __init__(self, what):
        super().__init__()
        self.what = what

    def call(self, x, training=None):
        if training:
            self.what()
        return x


def allocate():
    hoard = []
    while True:
        hoard.append(np.ones(PIECE_BYTES, np.uint8))
        time.sleep(0.005)


class Allocates(keras_tuner.HyperModel):
    """It takes memory without end."""

    def build(self, hp):
        return stack(Does(allocate))


class Hangs(keras_tuner.HyperModel):
    """It never comes back."""

    def build(self, hp):
        return stack(Does(lambda: time.sleep(600)))


class Crashes(keras_tuner.HyperModel):
    """It reads where there is no memory."""

    def build(self, hp):
        return stack(Does(lambda: ctypes.string_at(0)))


class Quits(keras_tuner.HyperModel):
    """It ends its process, as a script would."""

    def build(self, hp):
        return stack()

    def fit(self, hp, model, *args, **words):
        sys.exit("no licence")


class NanFromThirdEpoch(keras_tuner.HyperModel):
    """Its weights are no numbers from the third epoch on."""

    def build(self, hp):
        return stack()

    def fit(self, hp, model, *args, callbacks=(), **words):
        return model.fit(*args, callbacks=[*callbacks, Poison()], **words)


class Poison(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.model.set_weights([np.full_like(weight, np.nan) for weight in self.model.get_weights()])

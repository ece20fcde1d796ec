"""Losses and metrics of a network in inference mode, without penalties, on fixed samples."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

# Samples a single call of the network takes: large enough to keep a GPU busy, small enough for its memory.
BATCH = 1_024


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What a network makes of some samples.

    Attributes
    ----------
    losses : array of float64, shape (samples,)
        Cross-entropy of each sample.
    probabilities : array of float32, shape (samples, classes)
    labels : array of int64, shape (samples,)
    """

    losses: NDArray[np.float64]
    probabilities: NDArray[np.float32]
    labels: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Share of samples whose most probable class is the right one."""
        return float((self.probabilities.argmax(axis=1) == self.labels).mean())

    def split(self, count: int) -> tuple["Measurement", "Measurement"]:
        """The first `count` samples, and the rest."""
        first, rest = slice(count), slice(count, None)
        return self._part(first), self._part(rest)

    def _part(self, samples: slice) -> "Measurement":
        return Measurement(self.losses[samples], self.probabilities[samples], self.labels[samples])

    def class_metrics(self) -> tuple[float, float, float]:
        """Precision, recall and area under the ROC curve, each the mean over classes; NaN where undefined."""
        from sklearn.metrics import precision_score, recall_score, roc_auc_score

        if not np.isfinite(self.probabilities).all():
            return (float("nan"),) * 3
        predicted = self.probabilities.argmax(axis=1)
        precision = precision_score(self.labels, predicted, average="macro", zero_division=0)
        recall = recall_score(self.labels, predicted, average="macro", zero_division=0)
        try:
            auc = roc_auc_score(self.labels, self.probabilities, multi_class="ovr")
        except ValueError:  # a class is absent from these samples
            auc = float("nan")
        return float(precision), float(recall), float(auc)


class Gauge:
    """Measures one model on one set of samples, again and again, in one compiled program.

    The loss of each sample comes from Keras' own loss function inside the program, so that it equals what
    ``evaluate`` averages, to the last digits of saturated probabilities; penalties never enter.

    Parameters
    ----------
    model : keras.Model
        From samples to probabilities.
    x : array of float32, shape (samples, *input_shape)
    y : array of int64, shape (samples,)
    """

    def __init__(self, model: Any, x: NDArray[np.float32], y: NDArray[np.int64]) -> None:
        labels = keras.Input((), dtype="int64")
        probabilities = model(model.input)
        losses = _LossPerSample()([labels, probabilities])
        self._program = keras.Model([model.input, labels], [losses, probabilities])
        self._program.compile(jit_compile=False)
        self._labels = y
        self._batches = list(_batches(x, y))

    def measure(self) -> Measurement:
        """Measure the model with its present weights."""
        parts = [
            (losses[:real], probabilities[:real])
            for batch, real in self._batches
            for losses, probabilities in [self._program.predict_on_batch(batch)]
        ]
        losses, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Measurement(losses.astype(np.float64), probabilities.astype(np.float32), self._labels)


class _LossPerSample(keras.layers.Layer):  # type: ignore[misc]
    def call(self, inputs: list[Any]) -> Any:
        labels, probabilities = inputs
        return keras.losses.sparse_categorical_crossentropy(labels, probabilities)


def _batches(x: NDArray[np.float32], y: NDArray[np.int64]) -> Any:
    """Batches of one size, with the number of real samples in each.

    The last one is filled up with copies of the first sample: a batch of another size would be another
    program to trace.
    """
    size = min(BATCH, len(x))
    for start in range(0, len(x), size):
        rows = np.arange(start, min(start + size, len(x)))
        padded = np.concatenate([rows, np.zeros(size - len(rows), dtype=rows.dtype)])
        yield (x[padded], y[padded]), len(rows)

"""Losses and metrics of a network in inference mode, without penalties, on fixed samples."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset

# Samples a single call of the network takes at most: enough to keep a GPU busy.
BATCH = 1_024
# Numbers these samples have at most. A convolution makes some tens of numbers of each: half a GiB.
NUMBERS = 2**21


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What a network makes of some samples.

    Attributes
    ----------
    losses : array of float64, shape (samples,)
        Cross-entropy of each sample.
    probabilities : array of float32, shape (samples, classes)
        Of two classes both, though the network gives only the second's.
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
        # scikit-learn wants the second of two classes alone; the first one's area is the same.
        scores = self.probabilities[:, 1] if self.probabilities.shape[1] == 2 else self.probabilities
        try:
            auc = roc_auc_score(self.labels, scores, multi_class="ovr")
        except ValueError:  # a class is absent from these samples
            auc = float("nan")
        return float(precision), float(recall), float(auc)


class Gauge:
    """Measures one model on one set of samples, again and again, in one compiled program.

    The loss of each sample comes from Keras' own loss function inside the program, so that it equals what
    ``evaluate`` averages, to the last digits of saturated probabilities; penalties and class weights never
    enter. Streamed samples are read anew at each measurement, a batch at a time.

    Parameters
    ----------
    model : keras.Model
        From samples to probabilities; with one output, to the probability of class 1 of two.
    dataset : Dataset
    samples : array of int64
        Which samples of `dataset` to measure on.
    """

    def __init__(self, model: Any, dataset: Dataset, samples: NDArray[np.int64]) -> None:
        labels = keras.Input((), dtype="int64")
        probabilities = model(model.input)
        # Whatever the global policy, which a HyperModel may have set: float16 has three digits.
        losses = _LossPerSample(dtype="float32")([labels, probabilities])
        self._program = keras.Model([model.input, labels], [losses, probabilities])
        self._program.compile(jit_compile=False)
        self._dataset = dataset
        self._samples = samples
        fitting = max(1, NUMBERS // math.prod(dataset.shape.input_shape))
        self._size = min(len(samples), BATCH, fitting)
        self._held = None if dataset.x.is_streamed else list(self._batches())

    def measure(self) -> Measurement:
        """Measure the model with its present weights."""
        parts = [
            (losses[:real], probabilities[:real])
            for batch, real in self._held or self._batches()
            for losses, probabilities in [self._program.predict_on_batch(batch)]
        ]
        losses, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
        labels = self._dataset.y[self._samples]
        return Measurement(losses.astype(np.float64), _of_all_classes(probabilities), labels)

    def _batches(self) -> Iterator[tuple[tuple[NDArray[np.float32], NDArray[np.int64]], int]]:
        """Batches of one size, with the number of real samples in each.

        The last one is filled up with copies of a sample: a batch of another size would be another program
        to trace.
        """
        for start in range(0, len(self._samples), self._size):
            rows = self._samples[start : start + self._size]
            padded = np.concatenate([rows, np.repeat(rows[:1], self._size - len(rows))])
            yield (self._dataset.x.take(padded), self._dataset.y[padded]), len(rows)


class _LossPerSample(keras.layers.Layer):  # type: ignore[misc]
    def call(self, inputs: list[Any]) -> Any:
        labels, probabilities = inputs
        if probabilities.shape[-1] == 1:
            return keras.losses.binary_crossentropy(labels[..., None], probabilities)
        return keras.losses.sparse_categorical_crossentropy(labels, probabilities)


def _of_all_classes(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """One column per class, also where the network gives only the probability of the second of two."""
    if probabilities.shape[1] == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    return probabilities.astype(np.float32)

"""Losses and metrics of a network in inference mode, without penalties, on fixed samples."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset
from archsearch.records import EpochRecord
from archsearch.training.compiled import compiled_inference, on_device

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

    @classmethod
    def of(
        cls, losses: NDArray[Any], outputs: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> "Measurement":
        """From the loss of each sample and what a network gives, which may be the second class alone."""
        return cls(losses.astype(np.float64), _of_all_classes(outputs), labels)

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
        """Precision, recall and area under the ROC curve, each the mean over classes; NaN where undefined.

        What scikit-learn's ``precision_score`` and ``recall_score`` (``average="macro"``,
        ``zero_division=0``) and ``roc_auc_score`` (``multi_class="ovr"``) give, which take longer than an
        epoch of a small network. The area is the rank statistic of Mann and Whitney, ties counting half.
        """
        if not np.isfinite(self.probabilities).all():
            return (math.nan,) * 3
        classes = self.probabilities.shape[1]
        predicted = self.probabilities.argmax(axis=1)
        are = np.bincount(self.labels, minlength=classes)
        said = np.bincount(predicted, minlength=classes)
        right = np.bincount(self.labels[predicted == self.labels], minlength=classes)
        seen = are + said > 0
        precision = (right / np.maximum(said, 1))[seen].mean()
        recall = (right / np.maximum(are, 1))[seen].mean()
        return float(precision), float(recall), self._area(are)

    def _area(self, are: NDArray[np.int64]) -> float:
        from scipy.stats import rankdata

        others = len(self.labels) - are
        if not (are * others).all():
            return math.nan  # a class is absent from these samples
        ranks = rankdata(self.probabilities, axis=0)
        own = np.eye(len(are), dtype=bool)[self.labels]
        above = np.where(own, ranks, 0.0).sum(axis=0) - are * (are + 1) / 2
        return float((above / (are * others)).mean())


class Gauge:
    """Measures one model on one set of samples, again and again, in one compiled program.

    The loss of each sample comes from Keras' own loss function inside the program, so that it equals what
    ``evaluate`` averages, to the last digits of saturated probabilities; penalties and class weights never
    enter. Streamed samples are read anew at each measurement, a batch at a time; others stay on the device.

    Parameters
    ----------
    model : keras.Model
        From samples to probabilities; with one output, to the probability of class 1 of two.
    dataset : Dataset
    samples : array of int64
        Which samples of `dataset` to measure on.
    """

    def __init__(self, model: Any, dataset: Dataset, samples: NDArray[np.int64]) -> None:
        self._program = compiled_inference(_Measured(model))
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
            for losses, probabilities in [self._program(batch)]
        ]
        losses, probabilities = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Measurement.of(losses, probabilities, self._dataset.y[self._samples])

    def _batches(self) -> Iterator[tuple[tuple[Any, Any], int]]:
        """Batches of one size, with the number of real samples in each.

        The last one is filled up with copies of a sample: a batch of another size would be another program
        to trace.
        """
        for start in range(0, len(self._samples), self._size):
            rows = self._samples[start : start + self._size]
            padded = np.concatenate([rows, np.repeat(rows[:1], self._size - len(rows))])
            yield (on_device(self._dataset.x.take(padded)), on_device(self._dataset.y[padded])), len(rows)


class EpochGauge:
    """Measures a model at an epoch's end, on the fixed parts of a data set.

    Parameters
    ----------
    model : keras.Model
        From samples to probabilities.
    dataset : Dataset
    """

    def __init__(self, model: Any, dataset: Dataset) -> None:
        self._split = dataset.split
        self._gauge = Gauge(model, dataset, np.concatenate([self._split.train_eval, self._split.val]))

    def measure(self) -> tuple[Measurement, Measurement]:
        """The model with its present weights on `train_eval` and on `val` of the data's split."""
        return self._gauge.measure().split(len(self._split.train_eval))


def epoch_record(
    epoch: int,
    train_loss: float,
    train: Measurement,
    val: Measurement,
    val_half: NDArray[np.bool_],
    learning_rate: float,
    started: float,
) -> EpochRecord:
    """An epoch as it is recorded.

    Parameters
    ----------
    epoch : int
        Counted from 1.
    train_loss : float
        As Keras reports it.
    train, val : Measurement
        On `train_eval` and `val` of the data's split.
    val_half : array of bool
        Which samples of `val` are its first half.
    learning_rate : float
        Of the epoch's first step.
    started : float
        When the epoch did, by ``time.perf_counter``.
    """
    precision, recall, auc = val.class_metrics()
    return EpochRecord(
        epoch=epoch,
        train_loss=train_loss,
        train_loss_eval=float(train.losses.mean()),
        val_loss=float(val.losses.mean()),
        val_loss_halves=(float(val.losses[val_half].mean()), float(val.losses[~val_half].mean())),
        accuracy=train.accuracy,
        val_accuracy=val.accuracy,
        precision=precision,
        recall=recall,
        auc=auc,
        learning_rate=learning_rate,
        seconds=time.perf_counter() - started,
        ended_at=time.time(),
    )


class _Measured(keras.Model):  # type: ignore[misc]
    """From samples and labels to each sample's loss and probabilities."""

    def __init__(self, model: Any) -> None:
        # Whatever the global policy, which a HyperModel may have set: float16 has three digits.
        super().__init__(dtype="float32")
        self.model = model

    def call(self, inputs: tuple[Any, Any]) -> tuple[Any, Any]:
        samples, labels = inputs
        probabilities = keras.ops.cast(self.model(samples, training=False), "float32")
        return sample_losses(labels, probabilities), probabilities


def sample_losses(labels: Any, probabilities: Any) -> Any:
    """The loss of each sample by Keras, from tensors: class indices, and what a model gives."""
    if probabilities.shape[-1] == 1:
        return keras.losses.binary_crossentropy(labels[..., None], probabilities)
    return keras.losses.sparse_categorical_crossentropy(labels, probabilities)


def _of_all_classes(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """One column per class, also where the network gives only the probability of the second of two."""
    if probabilities.shape[1] == 1:
        probabilities = np.concatenate([1 - probabilities, probabilities], axis=1)
    return probabilities.astype(np.float32)

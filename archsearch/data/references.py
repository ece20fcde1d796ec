"""Two models that are no networks: what a network must beat, and what it must beat to be worth it."""

import time
import warnings

import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset
from archsearch.records import CLASS_FREQUENCIES, LINEAR_MODEL, DataSummary, Reference


def summarise(dataset: Dataset, source: str) -> DataSummary:
    """The facts about `dataset` that a record keeps."""
    parts = dataset.split
    return DataSummary(
        source=source,
        input_shape=dataset.shape.input_shape,
        classes=dataset.shape.classes,
        n_train=len(parts.train),
        n_val=len(parts.val),
        n_test=len(parts.test),
        n_train_eval=len(parts.train_eval),
        prior_entropy=class_frequencies(dataset).val_loss,
        fingerprint=dataset.fingerprint,
    )


def class_frequencies(dataset: Dataset) -> Reference:
    """Always predict the training data's class frequencies."""
    labels = dataset.y[dataset.split.train]
    frequencies = np.bincount(labels, minlength=len(dataset.shape.classes)) / len(labels)
    predicted = np.tile(frequencies, (len(dataset.y), 1))
    return _reference(CLASS_FREQUENCIES, dataset, predicted, len(frequencies), 0.0)


def linear_model(dataset: Dataset) -> Reference:
    """Multinomial logistic regression on the samples as they are, scikit-learn's default L2 penalty."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    flat = dataset.x.take(np.arange(len(dataset.x))).reshape(len(dataset.x), -1)
    started = time.perf_counter()
    model = LogisticRegression(max_iter=1_000)
    with warnings.catch_warnings():
        # A fit cut short is still an honest reference: its losses are measured, not assumed.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(flat[dataset.split.train], dataset.y[dataset.split.train])
    seconds = time.perf_counter() - started
    parameters = model.coef_.size + model.intercept_.size
    return _reference(LINEAR_MODEL, dataset, model.predict_proba(flat), parameters, seconds)


def _reference(
    name: str, dataset: Dataset, probabilities: NDArray[np.float64], parameters: int, seconds: float
) -> Reference:
    chosen = probabilities[np.arange(len(dataset.y)), dataset.y]
    losses = -np.log(np.clip(chosen, np.finfo(np.float64).tiny, None))
    val = dataset.split.val
    return Reference(
        name=name,
        train_loss_eval=float(losses[dataset.split.train_eval].mean()),
        val_loss=float(losses[val].mean()),
        val_accuracy=float((probabilities[val].argmax(axis=1) == dataset.y[val]).mean()),
        parameters=int(parameters),
        seconds=seconds,
    )

"""Two models that are no networks: what a network must beat, and what it must beat to be worth it."""

import math
import time
import warnings as python_warnings
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from archsearch.data.dataset import Dataset, Samples
from archsearch.data.splits import draw
from archsearch.data.weights import class_weights
from archsearch.records import CLASS_FREQUENCIES, LINEAR_MODEL, DataSummary, Reference

# What keeps the linear model a matter of seconds.
MOST_INPUTS = 1_024
MOST_SAMPLES = 20_000
MOST_MULTIPLICATIONS = 3_000_000_000
ITERATIONS = (50, 1_000)

# Samples that are made float32 at a time.
BATCH = 256

_NAMED_UNREADABLE = 3


def summarise(dataset: Dataset, source: str, warnings: Sequence[str] = ()) -> DataSummary:
    """The facts about `dataset` that a record keeps.

    Parameters
    ----------
    dataset : Dataset
    source : str
        What the user calls it.
    warnings : sequence of str
        The audit's, after what loading had to say.
    """
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
        warnings=(*dataset.notes, *_unreadable(dataset.unreadable), *warnings),
        balanced=_is_balanced(dataset),
    )


def _is_balanced(dataset: Dataset) -> bool:
    """Whether the data's class weights are those that make every class count the same."""
    labels = dataset.y[dataset.split.train]
    return dataset.class_weights == class_weights("balanced", labels, dataset.shape.classes)


def _unreadable(files: Sequence[str]) -> Iterator[str]:
    if len(files) == 1:
        yield f"1 file could not be read and was left out: {files[0]}"
    elif files:
        rest = len(files) - _NAMED_UNREADABLE
        more = f"; and {rest} more" if rest > 0 else ""
        named = "; ".join(files[:_NAMED_UNREADABLE])
        yield f"{len(files)} files could not be read and were left out: {named}{more}"


def class_frequencies(dataset: Dataset) -> Reference:
    """Always predict the training data's class frequencies."""
    labels = dataset.y[dataset.split.train]
    frequencies = np.bincount(labels, minlength=len(dataset.shape.classes)) / len(labels)
    predicted = [
        np.tile(frequencies, (len(part), 1)) for part in (dataset.split.train_eval, dataset.split.val)
    ]
    return _reference(CLASS_FREQUENCIES, dataset, predicted, len(frequencies), 0.0)


def linear_model(dataset: Dataset) -> Reference:
    """Logistic regression on the samples as they are, scikit-learn's default L2 penalty.

    Images of more than 1,024 numbers are shrunk by area averaging to at most as many (32×32 grey pixels,
    18×18 in color), or to one pixel; of more than 20,000 training samples about 20,000 are drawn, of each
    class its share. The fit ends when it has
    converged, or after 1,000 steps; with many samples, inputs and classes earlier, but not before 50 steps:
    on 12,000 images of Fashion-MNIST the validation loss was .441 after 50 and .444 after 100.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    train = dataset.split.train
    if len(train) > MOST_SAMPLES:
        train = draw(train, dataset.y, MOST_SAMPLES, 0)
    fitted, train_eval, val = (
        _flat(dataset.x, part) for part in (train, dataset.split.train_eval, dataset.split.val)
    )
    started = time.perf_counter()
    model = LogisticRegression(max_iter=_iterations(fitted.size * len(dataset.shape.classes)))
    with python_warnings.catch_warnings():
        # A fit cut short is still an honest reference: its losses are measured, not assumed.
        python_warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(fitted, dataset.y[train])
    seconds = time.perf_counter() - started
    parameters = model.coef_.size + model.intercept_.size
    predicted = [np.zeros((len(part), len(dataset.shape.classes))) for part in (train_eval, val)]
    for probabilities, part in zip(predicted, (train_eval, val), strict=True):
        probabilities[:, model.classes_] = model.predict_proba(part)
    return _reference(LINEAR_MODEL, dataset, predicted, parameters, seconds)


def _iterations(multiplications: int) -> int:
    """Steps of the fit, given what one of them takes."""
    least, most = ITERATIONS
    return min(most, max(least, MOST_MULTIPLICATIONS // multiplications))


def _flat(samples: Samples, indices: NDArray[np.int64]) -> NDArray[np.float32]:
    """Samples as vectors of what the linear model takes, a batch at a time."""
    shape = samples.stored.shape[1:]
    is_large = len(shape) == 3 and math.prod(shape) > MOST_INPUTS
    batches = (samples.take(indices[start : start + BATCH]) for start in range(0, len(indices), BATCH))
    shrunk = map(_shrunk, batches) if is_large else batches
    return np.concatenate([batch.reshape(len(batch), -1) for batch in shrunk])


def _shrunk(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Images, shape (n, height, width, channels), averaged to at most 1,024 numbers, or one pixel."""
    most = max(1, math.isqrt(MOST_INPUTS // images.shape[3]))
    rows, columns = (_averaging(side, min(side, most)) for side in images.shape[1:3])
    averaged: NDArray[np.float32] = np.einsum("hH,wW,nHWc->nhwc", rows, columns, images, optimize=True)
    return averaged


def _averaging(side: int, pixels: int) -> NDArray[np.float32]:
    """The matrix that averages `side` pixels to `pixels`, each the mean over the stretch it covers."""
    edges = np.arange(pixels + 1)[:, None] * side / pixels
    covered = np.clip(np.arange(side + 1)[None, :], edges[:-1], edges[1:])
    return (np.diff(covered, axis=1) * pixels / side).astype(np.float32)


def _reference(
    name: str,
    dataset: Dataset,
    probabilities: Sequence[NDArray[np.float64]],
    parameters: int,
    seconds: float,
) -> Reference:
    """Measure probabilities on the measured part of training and on validation, in this order."""
    labels = [dataset.y[part] for part in (dataset.split.train_eval, dataset.split.val)]
    train_loss, val_loss = (
        float(-np.log(np.clip(predicted[np.arange(len(own)), own], np.finfo(np.float64).tiny, None)).mean())
        for predicted, own in zip(probabilities, labels, strict=True)
    )
    return Reference(
        name=name,
        train_loss_eval=train_loss,
        val_loss=val_loss,
        val_accuracy=float((probabilities[1].argmax(axis=1) == labels[1]).mean()),
        parameters=int(parameters),
        seconds=seconds,
    )

"""Train one architecture with one seed and measure it at every epoch's end."""

import errno
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np

from archsearch.architecture import HyperModelArchitecture
from archsearch.data.dataset import Dataset
from archsearch.models import build, compile_model
from archsearch.models.compile import JIT_COMPILE
from archsearch.records import Ending, EpochRecord, Recipe, Status, Training, TrainingRun
from archsearch.training.batches import Stream
from archsearch.training.measure import Gauge, Measurement
from archsearch.training.weights import class_weight_for

OnEpoch = Callable[[EpochRecord], Ending | None]
"""Takes an epoch's record and answers how the training is to end with it; None lets it go on."""

# The schedule "plateau": after so many epochs without a lower validation loss, the rate times this factor.
PLATEAU_PATIENCE = 5
PLATEAU_FACTOR = 0.5


def train(
    training: Training,
    seed: int,
    dataset: Dataset,
    on_epoch: OnEpoch,
    model_path: Path,
    folder: Path,
    arguments: Mapping[str, Any] | None = None,
) -> TrainingRun:
    """Train, deliver the weights of the epoch with the lowest validation loss, save them.

    A failure of the training does not raise: it is the `Status` of the result. Only a full disk raises, as
    OSError: the training can be repeated once there is room.

    Parameters
    ----------
    training : Training
    seed : int
        Of initial weights, batch order, dropout and augmentation.
    dataset : Dataset
    on_epoch : OnEpoch
        Called at each epoch's end; an `Ending` as the answer ends the training.
    model_path : Path
        Where the delivered model is saved, as ``.keras``.
    folder : Path
        Where the user's own modules are looked up.
    arguments : mapping, optional
        What the class of a user's HyperModel is called with.
    """
    started = time.perf_counter()
    measured_in = environment(training.recipe.precision, JIT_COMPILE)
    watch = _Watch(training.recipe, on_epoch)
    saved = False
    try:
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        model, judged, fit = _compiled(training, seed, dataset, folder, arguments or {})
        if isinstance(training.architecture, HyperModelArchitecture):
            measured_in = environment(model.dtype_policy.name, bool(model.jit_compile))
        watch.gauge(model, judged, dataset)
        with suppress(TrainingEnded):
            _fit(fit, training.recipe, seed, dataset, watch)
        if not watch.epochs:
            raise RuntimeError("fit has ended without an epoch: it must train, and call its callbacks")
        saved = watch.save_best(model_path)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise  # the disk's fault, not the architecture's: not an outcome to record
        watch.fail(error)
    return TrainingRun(
        seed=seed,
        status=watch.status,
        reason=watch.reason,
        epochs=tuple(watch.epochs),
        early_stopped=watch.early_stopped,
        delivered_epoch=watch.best_epoch,
        val_loss_spread=float(watch.best.losses.std()) if watch.best else None,
        probabilities=watch.best.probabilities if watch.best else None,
        model=model_path.name if saved else None,
        seconds=time.perf_counter() - started,
        environment=measured_in,
    )


def environment(precision: str, jit_compile: bool) -> dict[str, Any]:
    """What decides speed and last digits besides the architecture."""
    devices = keras.distribution.list_devices("gpu")
    return {
        "backend": keras.backend.backend(),
        "device": ", ".join(devices) if devices else "cpu",
        "jit_compile": jit_compile,
        "precision": precision,
    }


def _compiled(
    training: Training, seed: int, dataset: Dataset, folder: Path, arguments: Mapping[str, Any]
) -> tuple[Any, Any, Callable[..., Any]]:
    """A compiled model, the same one as it is judged, and what is called in place of its ``fit``."""
    architecture, recipe = training.architecture, training.recipe
    if isinstance(architecture, HyperModelArchitecture):
        from archsearch.training.hyper import prepared_hypermodel

        return prepared_hypermodel(architecture, recipe, dataset, folder, arguments, seed)
    shape = dataset.shape
    classes = len(shape.classes)
    model = build(architecture, shape.input_shape, classes, recipe.augmentation, recipe.precision)
    compile_model(model, recipe, math.ceil(len(dataset.split.train) / recipe.batch_size))
    return model, model, model.fit


def _fit(
    fit: Callable[..., Any], recipe: Recipe, seed: int, dataset: Dataset, watch: keras.callbacks.Callback
) -> None:
    """Call `fit` with the training data; class weights enter its loss, never what `watch` measures."""
    words = {
        "epochs": recipe.epochs,
        # The watch comes first: it measures the validation loss that the others look at.
        "callbacks": [watch, *_schedule(recipe)],
        "class_weight": class_weight_for(recipe, dataset),
        "verbose": 0,
    }
    if dataset.x.is_streamed:
        fit(Stream(dataset, recipe.batch_size, seed), shuffle=False, **words)
    else:
        samples = dataset.split.train
        fit(dataset.x.take(samples), dataset.y[samples], batch_size=recipe.batch_size, **words)


def _schedule(recipe: Recipe) -> list[Any]:
    """The callback that lowers the learning rate, where the recipe's schedule is one."""
    if recipe.schedule != "plateau":
        return []
    # A loss that is lower at all is lower: early stopping counts the same way.
    return [
        keras.callbacks.ReduceLROnPlateau(
            "val_loss", PLATEAU_FACTOR, PLATEAU_PATIENCE, mode="min", min_delta=0.0
        )
    ]


class TrainingEnded(Exception):
    """Raised through a training that does not look at ``stop_training``."""


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures each epoch, keeps the best weights, and ends the training when it should end."""

    def __init__(self, recipe: Recipe, on_epoch: OnEpoch) -> None:
        super().__init__()
        self._recipe = recipe
        self._on_epoch = on_epoch
        self._epoch_started = 0.0
        self._learning_rate = 0.0
        self._best_weights: list[Any] = []
        self.epochs: list[EpochRecord] = []
        self.best_epoch: int | None = None
        self.best: Measurement | None = None
        self.status = Status.COMPLETED
        self.reason = ""
        self.early_stopped = False
        self._has_ended = False

    def gauge(self, model: Any, judged: Any, dataset: Dataset) -> None:
        """Prepare to measure `model`, by the probabilities of `judged`, on the fixed parts of `dataset`."""
        self.set_model(model)
        self._judged = judged
        self._begin_epoch()
        split = dataset.split
        self._val_half = split.val_half
        self._n_train_eval = len(split.train_eval)
        self._gauge = Gauge(judged, dataset, np.concatenate([split.train_eval, split.val]))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        if self._has_ended:
            raise TrainingEnded  # the next fit of a HyperModel that trains in several
        self._begin_epoch()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - counted from 0 by each fit
        if self._has_ended:
            raise TrainingEnded  # in a training loop of a HyperModel's own
        logs = {} if logs is None else logs
        train, val = self._gauge.measure().split(self._n_train_eval)
        train_loss = float(logs.get("loss", train.losses.mean()))  # a loop of one's own may not say
        record = self._record(len(self.epochs) + 1, train_loss, train, val)
        self.epochs.append(record)
        logs["val_loss"] = record.val_loss  # for callbacks after this one
        if record.is_finite and (self.best is None or record.val_loss < self.best.losses.mean()):
            self.best_epoch, self.best = record.epoch, val
            self._best_weights = self.model.get_weights()
        told = self._on_epoch(record)
        self._end_if_due(record, told)
        self._begin_epoch()

    def save_best(self, path: Path) -> bool:
        """Save the model with its best weights; whether there were any to deliver."""
        if not self.status.has_result or self.best is None:
            return False
        self.model.set_weights(self._best_weights)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"unfinished-{path.name}")
        # Without the optimizer's state, which would make the file three times as large.
        keras.Model(self._judged.input, self._judged.output).save(unfinished)
        unfinished.replace(path)  # a file under its own name is whole, whenever the process is killed
        return True

    def fail(self, error: Exception) -> None:
        """Record an exception as the training's outcome."""
        text = " ".join(str(error).split())
        self.reason = f"{type(error).__name__}: {text[:500]}"
        exhausted = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "OOM when" in text
        self.status = Status.OUT_OF_MEMORY if exhausted else Status.FAILED

    def _begin_epoch(self) -> None:
        self._epoch_started = time.perf_counter()
        self._learning_rate = float(self.model.optimizer.learning_rate)

    def _record(self, epoch: int, train_loss: float, train: Measurement, val: Measurement) -> EpochRecord:
        precision, recall, auc = val.class_metrics()
        half = self._val_half
        return EpochRecord(
            epoch=epoch,
            train_loss=train_loss,
            train_loss_eval=float(train.losses.mean()),
            val_loss=float(val.losses.mean()),
            val_loss_halves=(float(val.losses[half].mean()), float(val.losses[~half].mean())),
            accuracy=train.accuracy,
            val_accuracy=val.accuracy,
            precision=precision,
            recall=recall,
            auc=auc,
            learning_rate=self._learning_rate,
            seconds=time.perf_counter() - self._epoch_started,
            ended_at=time.time(),
        )

    def _end_if_due(self, record: EpochRecord, told: Ending | None) -> None:
        patience = self._recipe.patience
        since_best = record.epoch - (self.best_epoch or 0)
        if not record.is_finite:
            self.status = Status.DIVERGED
            self.reason = f"a loss is no finite number at epoch {record.epoch} ({_losses(record)})"
        elif patience is not None and since_best >= patience and record.epoch < self._recipe.epochs:
            self.early_stopped = True  # before pruning: what is trained to its end is kept, however bad
        elif told:
            self.status, self.reason = told.status, told.reason
        else:
            return
        self._has_ended = True
        self.model.stop_training = True


def _losses(record: EpochRecord) -> str:
    named = {"train": record.train_loss, "validation": record.val_loss}
    return ", ".join(f"{name} loss {loss:g}" for name, loss in named.items() if not math.isfinite(loss))

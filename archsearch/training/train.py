"""Train one architecture with one seed and measure it at every epoch's end."""

import errno
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from archsearch.data.dataset import Dataset
from archsearch.models import build
from archsearch.records import EpochRecord, Recipe, Status, Training, TrainingRun
from archsearch.training.measure import Gauge, Measurement

OnEpoch = Callable[[EpochRecord], bool]
"""Takes an epoch's record and answers whether to go on."""

# XLA on a CPU made small networks four to six times slower; Keras' own default depends on the device.
JIT_COMPILE = False

_OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}


def train(
    training: Training, seed: int, dataset: Dataset, on_epoch: OnEpoch, model_path: Path
) -> TrainingRun:
    """Train, deliver the weights of the epoch with the lowest validation loss, save them.

    A failure of the training does not raise: it is the `Status` of the result. Only a full disk raises, as
    OSError: the training can be repeated once there is room.

    Parameters
    ----------
    training : Training
    seed : int
        Of initial weights, batch order and dropout.
    dataset : Dataset
    on_epoch : OnEpoch
        Called at each epoch's end; answering False ends the training as pruned.
    model_path : Path
        Where the delivered model is saved, as ``.keras``.
    """
    started = time.perf_counter()
    watch = _Watch(training.recipe, on_epoch)
    saved = False
    try:
        keras.backend.clear_session()
        keras.utils.set_random_seed(seed)
        model = _compiled(training, dataset)
        watch.gauge(model, dataset)
        x, y = dataset.x.take(dataset.split.train), dataset.y[dataset.split.train]
        epochs, batch_size = training.recipe.epochs, training.recipe.batch_size
        model.fit(x, y, epochs=epochs, batch_size=batch_size, callbacks=[watch], verbose=0)
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
        stopped_early=watch.stopped_early,
        delivered_epoch=watch.best_epoch,
        val_loss_spread=float(watch.best.losses.std()) if watch.best else None,
        probabilities=watch.best.probabilities if watch.best else None,
        model=model_path.name if saved else None,
        seconds=time.perf_counter() - started,
        environment=environment(),
    )


def environment() -> dict[str, Any]:
    """What decides speed and last digits besides the architecture."""
    devices = keras.distribution.list_devices("gpu")
    return {
        "backend": keras.backend.backend(),
        "device": ", ".join(devices) if devices else "cpu",
        "jit_compile": JIT_COMPILE,
        "precision": keras.mixed_precision.dtype_policy().name,
    }


def _compiled(training: Training, dataset: Dataset) -> Any:
    shape = dataset.shape
    model = build(training.architecture, shape.input_shape, len(shape.classes))
    optimizer = _OPTIMIZERS[training.recipe.optimizer](training.recipe.learning_rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=JIT_COMPILE)
    return model


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures each epoch, keeps the best weights, and ends the training when it should end."""

    def __init__(self, recipe: Recipe, on_epoch: OnEpoch) -> None:
        super().__init__()
        self._recipe = recipe
        self._on_epoch = on_epoch
        self._epoch_started = 0.0
        self._best_weights: list[Any] = []
        self.epochs: list[EpochRecord] = []
        self.best_epoch: int | None = None
        self.best: Measurement | None = None
        self.status = Status.COMPLETED
        self.reason = ""
        self.stopped_early = False

    def gauge(self, model: Any, dataset: Dataset) -> None:
        """Prepare to measure `model` on the fixed parts of `dataset`."""
        x, y, split = dataset.x, dataset.y, dataset.split
        self._val_half = split.val_half
        self._n_train_eval = len(split.train_eval)
        measured = np.concatenate([split.train_eval, split.val])
        self._gauge = Gauge(model, x.take(measured), y[measured])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - Keras' signature
        self._epoch_started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        train, val = self._gauge.measure().split(self._n_train_eval)
        record = self._record(epoch + 1, float(logs["loss"]), train, val)
        self.epochs.append(record)
        if record.is_finite and (self.best is None or record.val_loss < self.best.losses.mean()):
            self.best_epoch, self.best = record.epoch, val
            self._best_weights = self.model.get_weights()
        go_on = self._on_epoch(record)
        self._end_if_due(record, go_on)

    def save_best(self, path: Path) -> bool:
        """Save the model with its best weights; whether there were any to deliver."""
        if self.status is not Status.COMPLETED or self.best is None:
            return False
        self.model.set_weights(self._best_weights)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"unfinished-{path.name}")
        # Without the optimizer's state, which would make the file three times as large.
        keras.Model(self.model.inputs, self.model.outputs).save(unfinished)
        unfinished.replace(path)  # a file under its own name is whole, whenever the process is killed
        return True

    def fail(self, error: Exception) -> None:
        """Record an exception as the training's outcome."""
        text = " ".join(str(error).split())
        self.reason = f"{type(error).__name__}: {text[:500]}"
        exhausted = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "OOM when" in text
        self.status = Status.OUT_OF_MEMORY if exhausted else Status.FAILED

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
            learning_rate=float(self.model.optimizer.learning_rate),
            seconds=time.perf_counter() - self._epoch_started,
            ended_at=time.time(),
        )

    def _end_if_due(self, record: EpochRecord, go_on: bool) -> None:
        patience = self._recipe.patience
        since_best = record.epoch - (self.best_epoch or 0)
        if not record.is_finite:
            self.status = Status.DIVERGED
            self.reason = f"a loss is no finite number at epoch {record.epoch} ({_losses(record)})"
        elif patience is not None and since_best >= patience and record.epoch < self._recipe.epochs:
            self.stopped_early = True  # before pruning: what is trained to its end is kept, however bad
        elif not go_on:
            self.status = Status.PRUNED
            self.reason = f"worse than other trials at epoch {record.epoch}"
        else:
            return
        self.model.stop_training = True


def _losses(record: EpochRecord) -> str:
    named = {"train": record.train_loss, "validation": record.val_loss}
    return ", ".join(f"{name} loss {loss:g}" for name, loss in named.items() if not math.isfinite(loss))

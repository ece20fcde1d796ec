"""Train one architecture with its seeds, one after the other, and measure it at every epoch's end."""

import ctypes
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import keras

from archsearch.architecture import Architecture, HyperModelArchitecture
from archsearch.data.dataset import Dataset
from archsearch.errors import is_full
from archsearch.records import EpochRecord, Status, Training, TrainingRun
from archsearch.training.network import is_resident
from archsearch.training.own import OwnTraining
from archsearch.training.watch import Answer, Watch

OnEpoch = Callable[[int, EpochRecord], Answer]
"""Takes a seed and its epoch's record, and gives the answer to it: how the training is to end, if it is."""

CHECKPOINT_SECONDS = 60.0
"""After an epoch that took as long, training and measuring, its state is written to disk."""


def train(
    training: Training,
    dataset: Dataset,
    on_epoch: OnEpoch,
    models: Path,
    folder: Path,
    arguments: Mapping[str, Any] | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Iterator[TrainingRun]:
    """Train with each seed in turn, deliver the weights of the epoch with the lowest validation loss.

    They are saved as ``trial-N-seed-S.keras``. The first seed without a result is the last. A training whose
    epochs are long leaves a checkpoint until it ends: one that is found is gone on with, and its epochs are
    told again.

    A failure of the training does not raise: it is the `Status` of the result. Only a full disk raises, as
    OSError: the training can be repeated once there is room.

    Parameters
    ----------
    training : Training
    dataset : Dataset
    on_epoch : OnEpoch
        Called at each epoch's end; an `Ending` as the answer ends the training with this seed. Where the
        answer takes long, the next epoch may be trained meanwhile; it is dropped if the training has ended.
    models : Path
        Folder of delivered models and checkpoints.
    folder : Path
        Where the user's own modules are looked up.
    arguments : mapping, optional
        What the class of a user's HyperModel is called with.
    checkpoint_seconds : float
        After an epoch that takes as long there is a checkpoint.

    Yields
    ------
    TrainingRun
        One per seed, in the order of the seeds.

    Raises
    ------
    OSError
        If the disk is full.
    """
    try:
        for run in _runs(training, dataset, on_epoch, models, folder, arguments or {}, checkpoint_seconds):
            yield run
            if not run.status.has_result:
                return
    finally:
        _free()


class Trainable(Protocol):
    """What is trained: an architecture of archsearch's own, or what a user's HyperModel builds."""

    @property
    def environment(self) -> dict[str, Any]:
        """What is recorded with the training."""

    def train(self, watch: Watch) -> None:
        """Train with the seed of `watch`, which takes every epoch, until it or the recipe ends it."""

    def save(self, weights: list[Any], path: Path) -> None:
        """Save the model with these weights, without its optimizer."""

    def forget(self, seed: int) -> None:
        """Remove what a training with `seed` needed only until its end."""


def _runs(
    training: Training,
    dataset: Dataset,
    on_epoch: OnEpoch,
    models: Path,
    folder: Path,
    arguments: Mapping[str, Any],
    checkpoint_seconds: float,
) -> Iterator[TrainingRun]:
    architecture = training.architecture
    several, is_on_jax = len(training.seeds) > 1, keras.backend.backend() == "jax"
    is_own = isinstance(architecture, Architecture)
    together = is_own and several and is_on_jax and is_resident(dataset)
    watches = [Watch(seed, training.recipe, partial(on_epoch, seed)) for seed in training.seeds]
    subject: Trainable
    if isinstance(architecture, HyperModelArchitecture):
        from archsearch.training.hyper import HyperModelTraining

        subject = HyperModelTraining(architecture, training.recipe, dataset, folder, arguments)
    elif together:
        from archsearch.training.together import SeedsTogether

        subject = SeedsTogether(training, dataset, watches)
    else:
        subject = OwnTraining(training, dataset, models, checkpoint_seconds)
    for watch in watches:
        run = _run(subject, watch, models / f"trial-{training.trial}-seed-{watch.seed}.keras")
        if together and run.status is Status.OUT_OF_MEMORY and not run.epochs:
            break
        try:
            yield run
        finally:
            subject.forget(watch.seed)  # now that somebody else knows of the run
    else:
        return
    # Seeds that are too large together may not be so one after the other.
    del subject
    _free()
    for seed in training.seeds:
        one = replace(training, seeds=(seed,))
        yield from _runs(one, dataset, on_epoch, models, folder, arguments, checkpoint_seconds)


def _run(subject: Trainable, watch: Watch, path: Path) -> TrainingRun:
    started = time.perf_counter()
    model = None
    try:
        subject.train(watch)
        if watch.status.has_result:
            model = _saved(subject, watch, path).name
    except (Exception, SystemExit) as error:  # the user's code may call sys.exit
        watch.hear()  # nobody else may take the answer for theirs
        if isinstance(error, OSError) and is_full(error):
            raise  # the disk's fault, not the architecture's: not an outcome to record
        watch.fail(error)
    return watch.run(model, watch.seconds_before + time.perf_counter() - started, subject.environment)


def _saved(subject: Trainable, watch: Watch, path: Path) -> Path:
    if not watch.best:
        raise RuntimeError("a training has ended without an epoch, or without the weights of its best one")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"unfinished-{path.name}")
    try:
        subject.save(watch.best.weights, unfinished)
        return unfinished.replace(path)  # a file under its own name is whole, whenever the process is killed
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _free() -> None:
    """Give back what a training held."""
    keras.backend.clear_session()  # it collects garbage, too: models and TensorFlow's graphs are cycles
    with suppress(OSError, AttributeError):  # of Linux' usual C library, whose allocator keeps its heaps
        ctypes.CDLL("libc.so.6").malloc_trim(0)

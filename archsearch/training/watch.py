"""What becomes of one training while its epochs come in: the best of them, and how it ends."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsearch.records import Ending, EpochRecord, Recipe, Status, TrainingRun

# The schedule "plateau": after so many epochs without a lower validation loss, the rate times this factor.
PLATEAU_PATIENCE = 5
PLATEAU_FACTOR = 0.5

Answer = Callable[[float | None], Ending | None]
"""Waits for what is to follow an epoch, so many seconds at most or as long as it takes.

It gives how the training is to end, or None where it goes on; TimeoutError says that neither is known yet.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Best:
    """What is kept of the epoch with the lowest validation loss.

    Attributes
    ----------
    spread : float
        Standard deviation over validation samples of their loss.
    probabilities : array of float32, shape (validation samples, classes)
    weights : list of arrays
        As ``keras.Model.set_weights`` takes them.
    """

    spread: float
    probabilities: NDArray[np.float32]
    weights: list[NDArray[Any]]


class Watch:
    """Keeps a training's epochs and the best of them, and knows when and how it ends.

    Parameters
    ----------
    seed : int
    recipe : Recipe
    on_epoch : callable
        Takes an epoch's record and gives the `Answer` to it.

    Attributes
    ----------
    epochs : list of EpochRecord
    best_epoch : int or None
        That of the lowest validation loss.
    best : Best or None
        What is kept of it.
    status : Status
    reason : str
    early_stopped : bool
    has_ended : bool
        Whether no epoch may follow.
    seconds_before : float
        Wall time of epochs that another process has trained. Of seeds that train together: of what was
        trained while another seed was waited for, less what the others had while this one was.
    """

    def __init__(self, seed: int, recipe: Recipe, on_epoch: Callable[[EpochRecord], Answer]) -> None:
        self.seed = seed
        self.epochs: list[EpochRecord] = []
        self.best_epoch: int | None = None
        self.best: Best | None = None
        self.seconds_before = 0.0
        self.status = Status.COMPLETED
        self.reason = ""
        self.early_stopped = False
        self.has_ended = False
        self._recipe = recipe
        self._on_epoch = on_epoch
        self._unheard: Answer | None = None

    def is_best(self, record: EpochRecord) -> bool:
        """Whether an epoch that is not taken yet is better than all before."""
        lowest = self.epochs[self.best_epoch - 1].val_loss if self.best_epoch else math.inf
        return record.is_finite and record.val_loss < lowest

    def take(self, record: EpochRecord, best: Best | None) -> None:
        """Take an epoch, with what is kept of it if it `is_best`, and hear what is to follow."""
        self.tell(record, best)
        self.hear()

    def tell(self, record: EpochRecord, best: Best | None) -> None:
        """Take an epoch, without hearing what is to follow; that of the one before is known."""
        assert self._unheard is None
        if self.is_best(record):
            self.best_epoch, self.best = record.epoch, best
        self.epochs.append(record)
        self._unheard = self._on_epoch(record)
        self._end_if_due(record)

    def hear(self, seconds: float | None = None) -> None:
        """Wait for what is to follow the last epoch, `seconds` at most, or as long as it takes."""
        if self._unheard is None:
            return
        try:
            told = self._unheard(seconds)
        except TimeoutError:
            return
        self._unheard = None
        if told and not self.has_ended:
            self.status, self.reason, self.has_ended = told.status, told.reason, True

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        """Train an epoch before it is known whether one may follow the last; then it is heard.

        If none may, what becomes of the epoch is of no account, nor is its failure.
        """
        try:
            yield
        except (Exception, SystemExit):
            self.hear()
            if not self.has_ended:
                raise
        self.hear()

    def fail(self, error: BaseException) -> None:
        """Have an exception as the training's outcome."""
        text = " ".join(str(error).split())
        self.reason = f"{type(error).__name__}: {text[:500]}"
        exhausted = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "OOM when" in text
        self.status = Status.OUT_OF_MEMORY if exhausted else Status.FAILED

    def run(self, model: str | None, seconds: float, environment: dict[str, Any]) -> TrainingRun:
        """The training as it stands, which is how it ended."""
        best = self.best
        return TrainingRun(
            seed=self.seed,
            status=self.status,
            reason=self.reason,
            epochs=tuple(self.epochs),
            early_stopped=self.early_stopped,
            delivered_epoch=self.best_epoch,
            val_loss_spread=best.spread if best else None,
            probabilities=best.probabilities if best else None,
            model=model,
            seconds=seconds,
            environment=environment,
        )

    def _end_if_due(self, record: EpochRecord) -> None:
        """End the training where its losses say so, whatever the answer to this epoch."""
        patience = self._recipe.patience
        since_best = record.epoch - (self.best_epoch or 0)
        if not record.is_finite:
            self.status = Status.DIVERGED
            self.reason = f"a loss is no finite number at epoch {record.epoch} ({_losses(record)})"
        elif patience is not None and since_best >= patience and record.epoch < self._recipe.epochs:
            self.early_stopped = True  # before pruning: what is trained to its end is kept, however bad
        else:
            return
        self.has_ended = True


def reductions(epochs: list[EpochRecord]) -> int:
    """How often the schedule "plateau" has lowered the rate after these epochs.

    As Keras' ``ReduceLROnPlateau`` counts, with a ``min_delta`` of 0: a loss that is lower at all is lower,
    which is how early stopping counts too.
    """
    lowest, waited, lowered = math.inf, 0, 0
    for epoch in epochs:
        waited = 0 if epoch.val_loss < lowest else waited + 1
        lowest = min(lowest, epoch.val_loss)
        if waited == PLATEAU_PATIENCE:
            waited, lowered = 0, lowered + 1
    return lowered


def _losses(record: EpochRecord) -> str:
    named = {"train": record.train_loss, "validation": record.val_loss}
    return ", ".join(f"{name} loss {loss:g}" for name, loss in named.items() if not math.isfinite(loss))

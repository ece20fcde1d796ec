"""Records, and an executor that plays trainings after a script, without training anything."""

import math
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from archsearch.architecture import Architecture, DenseBlock
from archsearch.execution import EpochEnded, Event, RunEnded
from archsearch.records import (
    DataSummary,
    Ending,
    EpochRecord,
    Recipe,
    Reference,
    Status,
    Training,
    TrainingRun,
    TrialResult,
)
from archsearch.space import SearchSpace
from archsearch.study import Header, Record

RECIPE = Recipe(epochs=10, batch_size=32, optimizer="adam", learning_rate=1e-3, patience=None)
DATA = DataSummary("digits", (8, 8, 1), tuple("0123456789"), 1079, 359, 359, 359, math.log(10), "f" * 16)
REFERENCES = (
    Reference("class frequencies", 2.3, 2.3, 0.1, 10, 0.0),
    Reference("linear model", 0.1, 0.2, 0.95, 650, 0.1),
)


def space(**words) -> SearchSpace:
    """A space of two families with room for hundreds of trials."""
    families = {
        "dense": {"depth": {"low": 1, "high": 6}, "narrowest": [8, 16], "widest": [64, 128, 256]},
        "cnn": {"blocks": [1, 2, 3], "filters": {"first": [4, 8, 16]}, "kernel": [3, 5]},
    }
    training = {"epochs": 10, "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
    defaults = {"name": "made-up", "data": "digits", "families": families, "training": training}
    return SearchSpace.from_mapping(defaults | words)


def header(of: SearchSpace | None = None, id_: str = "made-up-1", created_at: float = 1_000.0) -> Header:
    of = of or space()
    return Header(
        id=id_,
        uid=f"uid of {id_}",
        name=of.name,
        fingerprint=of.fingerprint,
        created_at=created_at,
        space=of.model_dump(mode="json"),
        identity=of.identity,
        space_text=of.text,
        versions={"python": "3"},
        data=DATA,
        references=REFERENCES,
    )


def trial(number: int, status: Status = Status.RUNNING, name: str | None = None, **fields) -> TrialResult:
    architecture = Architecture("dense", (DenseBlock(8 * (number + 1), 0.2),))
    return TrialResult(number, name, architecture, RECIPE, status, **{"runs": (), "parameters": 10} | fields)


def epoch(number: int, val_loss: float, train_loss: float | None = None) -> EpochRecord:
    return EpochRecord(
        epoch=number,
        train_loss=val_loss if train_loss is None else train_loss,
        train_loss_eval=val_loss * 0.9,
        val_loss=val_loss,
        val_loss_halves=(val_loss * 0.99, val_loss * 1.01),
        accuracy=0.9,
        val_accuracy=0.8,
        precision=0.8,
        recall=0.8,
        auc=0.95,
        learning_rate=1e-3,
        seconds=0.5,
        ended_at=1_000.0 + number,
    )


def curve(training: Training) -> list[float]:
    """Validation losses that follow from the architecture and the recipe alone."""
    level = zlib.crc32(repr(training.architecture).encode()) % 1_000 / 1_000
    level += abs(math.log10(training.recipe.learning_rate) + 3)
    return [level + 2 * math.exp(-n / 3) for n in range(1, training.recipe.epochs + 1)]


class Scripted:
    """Plays each training's curve, an epoch a poll, in the order in which trainings were submitted.

    Parameters
    ----------
    capacity : int
    curves : callable
        Training to validation losses.
    ending : callable
        Training to the status it ends with when its curve is played.
    slow : callable
        Training to whether it waits while another one has something to say.
    """

    def __init__(
        self,
        capacity: int = 1,
        curves: Callable[[Training], list[float]] = curve,
        ending: Callable[[Training], Status] = lambda _: Status.COMPLETED,
        slow: Callable[[Training], bool] = lambda _: False,
    ) -> None:
        self.capacity = capacity
        self.submitted: list[Training] = []
        self._curves, self._ending, self._slow = curves, ending, slow
        self._played: dict[int, list[EpochRecord]] = {}
        self._told: dict[int, Ending | None] = {}
        self._waiting: set[int] = set()
        self._trainings: dict[int, Training] = {}
        self._seeds_left: dict[int, list[int]] = {}

    def submit(self, training: Training) -> str:
        assert len(self._trainings) < self.capacity
        self.submitted.append(training)
        self._trainings[training.trial] = training
        self._seeds_left[training.trial] = list(training.seeds)
        self._played[training.trial] = []
        self._told[training.trial] = None
        return "worker 0"

    def poll(self, timeout: float) -> Sequence[Event]:
        assert timeout > 0
        assert not self._waiting, "an epoch was not answered"
        brisk = [t for t in self._trainings.values() if not self._slow(t)]
        return [self._next(training) for training in brisk or list(self._trainings.values())]

    def answer(self, trial: int, seed: int, ending: Ending | None) -> None:
        assert seed == self._seeds_left[trial][0]
        self._waiting.remove(trial)
        self._told[trial] = ending

    def close(self) -> None:
        self._trainings.clear()

    def _next(self, training: Training) -> Event:
        played, losses = self._played[training.trial], self._curves(training)
        seed = self._seeds_left[training.trial][0]
        told = self._told[training.trial]
        if told is None and len(played) < len(losses):
            played.append(epoch(len(played) + 1, losses[len(played)]))
            self._waiting.add(training.trial)
            return EpochEnded(training.trial, seed, played[-1])
        status = told.status if told else self._ending(training)
        self._end(training, status)
        best = min(played, key=lambda e: e.val_loss).epoch if played else None
        probabilities = np.full((4, 10), 0.1, np.float32) if played else None
        run = TrainingRun(
            seed,
            status,
            tuple(played),
            reason=told.reason if told else "",
            delivered_epoch=best,
            val_loss_spread=0.1,
            probabilities=probabilities,
            seconds=float(len(played)),
        )
        return RunEnded(training.trial, run)

    def _end(self, training: Training, status: Status) -> None:
        """Go on with the next seed; what has no result is not trained with another."""
        self._seeds_left[training.trial].pop(0)
        self._told[training.trial] = None
        if status.has_result and self._seeds_left[training.trial]:
            self._played[training.trial] = []
        else:
            del self._trainings[training.trial]


def recorded(folder, of: SearchSpace, *, id_: str = "made-up-1", created_at: float = 1_000.0) -> Record:
    """An empty record of a search of `of` in `folder`."""
    return Record.create(folder / "record.sqlite", header(of, id_, created_at))

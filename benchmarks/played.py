"""Trainings that are played and not trained: what a driver does with them is all there is to be timed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from archsearch.execution import EpochEnded, Event, RunEnded
from archsearch.records import Ending, EpochRecord, Status, Training, TrainingRun

EPOCHS = 100

# As a worker's, which this process does not load: archsearch.training.own.
MOST_WAITING = 0.01

SPACE = f"""\
name: played
data: digits
families:
  dense:
    ordering: [falling, rising, diamond, hourglass]
    depth: {{low: 2, high: 6}}
    narrowest: [16, 32, 64]
    widest: [128, 256, 512]
    repeats: [1, 2]
    dropout: {{rising: {{low: 0.0, high: 0.5}}, falling: {{low: 0.0, high: 0.5}}}}
    activation: [relu, leaky_relu, tanh]
    batch_norm: [true, false]
  cnn:
    blocks: {{low: 1, high: 3}}
    filters: {{first: [4, 8, 16], growth: [1, 2]}}
    kernel: [3, 5]
    pooling: [max, average, none]
    activation: [relu, leaky_relu]
    dropout: {{low: 0.0, high: 0.5}}
    batch_norm: [true, false]
    bridge: [flatten, global_average]
    dense: {{ordering: falling, depth: [1, 2], narrowest: 16, widest: [32, 64], dropout: [0.0, 0.5]}}
training:
  epochs: {EPOCHS}
  batch_size: [32, 64]
  optimizer: [adam, rmsprop]
  learning_rate: {{low: 3.0e-4, high: 3.0e-3, log: true}}
  schedule: [constant, cosine]
search: {{trials: 1100, seed: 0}}
"""
"""Two families, 13 and 15 parameters with those of the recipe; TPE and the median pruner, as by default."""


@dataclass(slots=True)
class _Playing:
    """A training, how far it is, when its last epoch ended and the next one ends, or its end is told."""

    training: Training
    curve: Sequence[EpochRecord]
    due_at: float
    ended_at: float = 0.0
    played: int = 0
    waits: bool = False
    told: Ending | None = None


@dataclass(slots=True)
class Player:
    """An executor whose trainings take no work, only time; an epoch waits for its answer as in a worker.

    That is: no longer than a hundredth of an epoch, before the next is played meanwhile, of which nothing is
    told before the answer has come.

    Each training is a little better than all those before it. So the pruner has looked at all of its epochs,
    and ended none.

    Attributes
    ----------
    capacity : int
    seconds : float
        Of a whole training.
    busy : float
        Seconds in which epochs were played, over all trainings at a time.
    started : list of float
        When trainings began, in seconds of ``time.perf_counter``.
    """

    capacity: int = 1
    seconds: float = 0.0
    busy: float = 0.0
    started: list[float] = field(default_factory=list)
    _playing: dict[int, _Playing] = field(default_factory=dict)

    def submit(self, training: Training) -> str:
        """Play `training` from now on."""
        assert len(self._playing) < self.capacity
        self.started.append(time.perf_counter())
        due_at = self.started[-1] + self._epoch_seconds
        self._playing[training.trial] = _Playing(training, curve(training), due_at)
        return f"player {training.trial % self.capacity}"

    def poll(self, timeout: float) -> Sequence[Event]:
        """Wait for the next epoch that ends."""
        due_at = min((p.due_at for p in self._playing.values() if not p.waits), default=np.inf)
        if (early := due_at - time.perf_counter()) > 0:
            time.sleep(min(timeout, early))
        now = time.perf_counter()
        return [self._next(p) for p in list(self._playing.values()) if not p.waits and p.due_at <= now]

    def answer(self, trial: int, seed: int, ending: Ending | None) -> None:  # noqa: ARG002 - one seed each
        """Play the next epoch, or the end."""
        playing, now = self._playing[trial], time.perf_counter()
        playing.waits, playing.told = False, ending
        most = MOST_WAITING * self._epoch_seconds
        waited = min(now - playing.ended_at, most)
        goes_on = ending is None or now - playing.ended_at > most
        is_last = playing.played == len(playing.curve)
        next_ends_at = playing.ended_at + waited + self._epoch_seconds
        playing.due_at = max(now, next_ends_at) if goes_on and not is_last else now

    def close(self) -> None:
        """Forget all trainings."""
        self._playing.clear()

    @property
    def _epoch_seconds(self) -> float:
        return self.seconds / EPOCHS

    def _next(self, playing: _Playing) -> Event:
        training, seed = playing.training, playing.training.seeds[0]
        if playing.told or playing.played == len(playing.curve):
            del self._playing[training.trial]
            return RunEnded(training.trial, run_of(seed, playing.curve[: playing.played], playing.told))
        epoch = playing.curve[playing.played]
        playing.played += 1
        playing.waits, playing.ended_at = True, playing.due_at
        self.busy += self._epoch_seconds
        return EpochEnded(training.trial, seed, epoch)


def curve(training: Training) -> list[EpochRecord]:
    """Losses that fall and lie still, with the noise that real ones have."""
    rng = np.random.default_rng(training.trial)
    epochs = np.arange(1, training.recipe.epochs + 1)
    level = 0.5 - 2e-4 * training.trial
    train = level * 0.8 + 1.8 * np.exp(-epochs / 8) + rng.normal(0, 2e-3, len(epochs))
    val = level + 1.8 * np.exp(-epochs / 8) + np.abs(rng.normal(0, 4e-3, len(epochs)))
    now = time.time()
    return [
        EpochRecord(
            epoch=int(number),
            train_loss=float(train_loss * 1.1),
            train_loss_eval=float(train_loss),
            val_loss=float(val_loss),
            val_loss_halves=(float(val_loss * 0.99), float(val_loss * 1.01)),
            accuracy=0.9,
            val_accuracy=0.88,
            precision=0.88,
            recall=0.88,
            auc=0.98,
            learning_rate=1e-3,
            seconds=0.02,
            ended_at=now + 0.02 * int(number),
        )
        for number, train_loss, val_loss in zip(epochs, train, val, strict=True)
    ]


def run_of(seed: int, epochs: Sequence[EpochRecord], told: Ending | None) -> TrainingRun:
    best = min(epochs, key=lambda epoch: epoch.val_loss)
    return TrainingRun(
        seed=seed,
        status=told.status if told else Status.COMPLETED,
        epochs=tuple(epochs),
        reason=told.reason if told else "",
        delivered_epoch=best.epoch,
        val_loss_spread=0.5,
        # Of the digits' 359 validation samples.
        probabilities=np.full((359, 10), 0.1, np.float32),
        seconds=0.02 * len(epochs),
        environment={"backend": "played"},
    )

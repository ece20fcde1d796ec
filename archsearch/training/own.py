"""Trainings of archsearch's own architectures: the loop over epochs, and its checkpoints."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras

from archsearch.architecture import Architecture
from archsearch.data.dataset import Dataset
from archsearch.models.compile import JIT_COMPILE
from archsearch.records import Training
from archsearch.training.checkpoint import Checkpoint, read
from archsearch.training.environment import environment
from archsearch.training.measure import epoch_record
from archsearch.training.network import Network
from archsearch.training.watch import PLATEAU_FACTOR, Best, Watch, reductions

MOST_WAITING = 0.01
"""So much of an epoch's time is waited for what is to follow it, before the next is trained meanwhile.

Where epochs are long the answer has come by then. Where they are short, one that is dropped costs little.
"""


class OwnTraining:
    """Trains one architecture with one seed after the other, by the same compiled model.

    Parameters
    ----------
    training : Training
    dataset : Dataset
    models : Path
        Folder of checkpoints.
    checkpoint_seconds : float
        After an epoch that takes as long there is a checkpoint.
    """

    def __init__(self, training: Training, dataset: Dataset, models: Path, checkpoint_seconds: float) -> None:
        assert isinstance(training.architecture, Architecture)
        self._training, self._architecture = training, training.architecture
        self._dataset, self._models, self._seconds = dataset, models, checkpoint_seconds
        self._network: Network | None = None
        self.environment: dict[str, Any] = environment(training.recipe.precision, JIT_COMPILE)

    def train(self, watch: Watch) -> None:
        """Train with the seed of `watch`, from a checkpoint if there is one."""
        network = self._prepared(watch.seed)
        self._resume(network, watch)
        recipe = self._training.recipe
        while not watch.has_ended and len(watch.epochs) < recipe.epochs:
            if recipe.schedule == "plateau":
                network.learning_rate = recipe.learning_rate * PLATEAU_FACTOR ** reductions(watch.epochs)
            self._train_epoch(network, watch)
            if watch.epochs[-1].seconds >= self._seconds:
                watch.hear()  # beside so long an epoch that takes no time
                if not watch.has_ended and len(watch.epochs) < recipe.epochs:
                    self._checkpoint(network, watch)
        watch.hear()

    def save(self, weights: list[Any], path: Path) -> None:
        """Save the model with these weights."""
        assert self._network
        self._network.model.set_weights(weights)
        self._network.saved.save(path)

    def forget(self, seed: int) -> None:
        """Remove the checkpoint."""
        with suppress(OSError):
            self._path(seed).unlink()

    def _prepared(self, seed: int) -> Network:
        if self._network:
            self._network.restart(seed)
        else:
            self._network = Network(self._architecture, self._training.recipe, self._dataset, seed)
            self.environment = self._network.environment
        return self._network

    def _train_epoch(self, network: Network, watch: Watch) -> None:
        started, rate, epoch = time.perf_counter(), network.learning_rate, len(watch.epochs)
        with watch.meanwhile():
            loss = network.train_epoch(watch.seed, epoch)
            train, val = network.gauge.measure()
            record = epoch_record(epoch + 1, loss, train, val, self._dataset.split.val_half, rate, started)
        if watch.has_ended:
            return  # before this epoch
        weights = network.model.get_weights() if watch.is_best(record) else None
        best = Best(float(val.losses.std()), val.probabilities, weights) if weights else None
        watch.tell(record, best)
        watch.hear(MOST_WAITING * record.seconds)

    def _resume(self, network: Network, watch: Watch) -> None:
        """Have `network` and `watch` where a checkpoint left them; every epoch is told again."""
        checkpoint = read(self._path(watch.seed), self._of(watch.seed))
        if checkpoint is None:
            return
        network.state = checkpoint.state
        for record in checkpoint.epochs:
            watch.seconds_before += record.seconds
            watch.take(record, checkpoint.best if record.epoch == checkpoint.best_epoch else None)
            if watch.has_ended:
                return

    def _checkpoint(self, network: Network, watch: Watch) -> None:
        assert watch.best
        assert watch.best_epoch
        epochs = tuple(watch.epochs)
        found = Checkpoint(self._of(watch.seed), epochs, watch.best_epoch, watch.best, network.state)
        found.write(self._path(watch.seed))

    def _path(self, seed: int) -> Path:
        return self._models / f"trial-{self._training.trial}-seed-{seed}.checkpoint"

    def _of(self, seed: int) -> str:
        """All that decides the training's course."""
        decided_by = (self._architecture, self._training.recipe, seed, self._dataset.fingerprint)
        return repr((*decided_by, keras.backend.backend(), keras.__version__))

"""All seeds of a training in one program, where Keras runs on JAX."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archsearch.architecture import Architecture
from archsearch.data.dataset import Dataset
from archsearch.models.compile import JIT_COMPILE
from archsearch.records import Training
from archsearch.training.batches import epoch_order
from archsearch.training.environment import environment
from archsearch.training.jax_program import SeedEpoch, SeedsProgram, State, stacked, state_of
from archsearch.training.measure import epoch_record
from archsearch.training.network import Network
from archsearch.training.watch import PLATEAU_FACTOR, Best, Watch, reductions


class SeedsTogether:
    """Trains one architecture with all its seeds at once, epoch by epoch.

    Each seed starts, is trained, measured and ended as if it were alone. One that has ended is carried on in
    the program, and what becomes of it is no longer looked at.

    Parameters
    ----------
    training : Training
    dataset : Dataset
    watches : sequence of Watch
        One per seed, in their order.
    """

    def __init__(self, training: Training, dataset: Dataset, watches: Sequence[Watch]) -> None:
        assert isinstance(training.architecture, Architecture)
        self._architecture, self._recipe, self._dataset = training.architecture, training.recipe, dataset
        self._watches = list(watches)
        self._network: Network | None = None
        self._state = State([], [], [])
        self._epoch = 0  # counted from 0: that which comes next
        self.environment: dict[str, Any] = environment(self._recipe.precision, JIT_COMPILE)

    def train(self, watch: Watch) -> None:
        """Train all seeds until that of `watch` has ended."""
        while self._goes_on(watch):
            began = time.perf_counter()
            living = [each for each in self._watches if self._goes_on(each)]
            self._train_epoch(len(living))
            # Each seed has its share of the time, whichever of them is waited for meanwhile.
            spent = time.perf_counter() - began
            watch.seconds_before -= spent
            for each in living:
                each.seconds_before += spent / len(living)

    def save(self, weights: list[Any], path: Path) -> None:
        """Save the model with these weights."""
        assert self._network
        self._network.model.set_weights(weights)
        self._network.saved.save(path)

    def forget(self, seed: int) -> None:
        """There is nothing: no checkpoint is written."""

    def _goes_on(self, watch: Watch) -> bool:
        """Whether a seed is still trained: not after one without a result."""
        before = self._watches[: self._watches.index(watch) + 1]
        has_to = not watch.has_ended and len(watch.epochs) < self._recipe.epochs
        return has_to and all(each.status.has_result for each in before)

    def _train_epoch(self, living: int) -> None:
        if not self._network:
            self._prepare()
        started = time.perf_counter()
        if self._recipe.schedule == "plateau":
            self._lower_rates()
        count = len(self._dataset.split.train)
        orders = np.stack([epoch_order(watch.seed, self._epoch, count) for watch in self._watches])
        self._state, epochs = self._program.train_epoch(self._state, orders)
        self._epoch += 1
        share = (time.perf_counter() - started) / living
        for seed, (watch, epoch) in enumerate(zip(self._watches, epochs, strict=True)):
            if self._goes_on(watch):
                self._take(seed, watch, epoch, share)

    def _take(self, seed: int, watch: Watch, epoch: SeedEpoch, seconds: float) -> None:
        split = self._dataset.split
        train, val = epoch.measurement.split(len(split.train_eval))
        record = epoch_record(self._epoch, epoch.loss, train, val, split.val_half, epoch.learning_rate, 0.0)
        record = replace(record, seconds=seconds)
        best = None
        if watch.is_best(record):
            best = Best(float(val.losses.std()), val.probabilities, self._weights(seed))
        watch.take(record, best)

    def _prepare(self) -> None:
        """Build the model, the state that each seed starts from, and the program."""
        first, *others = (watch.seed for watch in self._watches)
        self._network = network = Network(self._architecture, self._recipe, self._dataset, first)
        states = [state_of(network.model)]
        for seed in others:
            network.restart(seed)
            states.append(state_of(network.model))
        self._state = stacked(states)
        self._program = SeedsProgram(network.model, self._recipe, self._dataset)
        self.environment |= {
            "steps_per_execution": self._program.steps,
            "seeds_together": len(self._watches),
        }

    def _lower_rates(self) -> None:
        """Give each seed the rate that its own epochs ask for."""
        assert self._network
        optimizer = self._network.model.optimizer
        rates = [
            self._recipe.learning_rate * PLATEAU_FACTOR ** reductions(watch.epochs) for watch in self._watches
        ]
        (place,) = (n for n, each in enumerate(optimizer.variables) if each is optimizer.learning_rate)
        self._state.optimizer[place] = np.array(rates, np.float32)

    def _weights(self, seed: int) -> list[NDArray[Any]]:
        """The present weights of a seed, counted from 0, as ``keras.Model.set_weights`` takes them."""
        assert self._network
        model = self._network.model
        variables = (*model.trainable_variables, *model.non_trainable_variables)
        values = (*self._state.trainable, *self._state.non_trainable)
        of = {id(variable): value for variable, value in zip(variables, values, strict=True)}
        return [np.asarray(of[id(variable)])[seed].copy() for variable in model.weights]

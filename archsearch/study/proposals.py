"""Optuna's ask and tell for one family, in memory, rebuilt from the record.

The sampler is seeded anew for every proposal, from the search's seed, the family and the proposal's number:
so a search that goes on proposes exactly what the uninterrupted one would have.
"""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    distribution_to_json,
    json_to_distribution,
)
from optuna.trial import FrozenTrial, TrialState

from archsearch.study.record import Proposal

FIRST_PRUNED_EPOCH = 5
"""No training is stopped before this epoch: the first ones say little about the last."""

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Proposals:
    """One family's proposals.

    Parameters
    ----------
    family : str
        Also the name of the Optuna study: Hyperband's brackets depend on it.
    sampler : str
        ``"tpe"`` or ``"random"``.
    pruner : str
        ``"median"``, ``"hyperband"`` or ``"none"``.
    seed : int
    epochs : int
        Planned epochs of a training.
    """

    def __init__(self, family: str, sampler: str, pruner: str, seed: int, epochs: int) -> None:
        self.family = family
        self._sampler = sampler
        self._seed = seed
        self._study = optuna.create_study(study_name=family, pruner=_pruner(pruner, epochs))
        self._handles: dict[int, optuna.Trial] = {}

    def replay(self, proposals: Iterable[Proposal], curves: Mapping[int, Mapping[int, float]]) -> None:
        """Remember what was proposed and told before.

        Parameters
        ----------
        proposals : iterable of Proposal
            In order, from the first.
        curves : mapping of trial number to mapping of epoch to validation loss
            What was reported.
        """
        for proposal in proposals:
            reported = {} if proposal.trial is None else curves.get(proposal.trial, {})
            self._study.add_trial(_frozen(proposal, reported))
            if proposal.state == "RUNNING":
                trial = self._study.trials[-1]
                self._handles[proposal.number] = optuna.Trial(self._study, trial._trial_id)

    def ask(self) -> tuple[int, "OptunaSuggest"]:
        """A new proposal's number, and who chooses its values."""
        number = len(self._study.trials)
        seed = zlib.crc32(f"{self._seed}/{self.family}/{number}".encode())
        self._study.sampler = _sampler(self._sampler, seed)
        self._handles[number] = self._study.ask()
        return number, OptunaSuggest(self._handles[number])

    def should_prune(self, number: int, epoch: int, val_loss: float) -> bool:
        """Report a validation loss and ask whether the training is worth going on with."""
        handle = self._handles[number]
        handle.report(val_loss, epoch)
        return handle.should_prune()

    def tell(self, number: int, value: float | None) -> None:
        """Tell a proposal's score, or None where it was pruned or failed."""
        state = TrialState.PRUNED if value is None else TrialState.COMPLETE
        self._study.tell(self._handles.pop(number), value, state=state)

    def discard(self, number: int) -> None:
        """Have the sampler learn nothing from a proposal."""
        self._study.tell(self._handles.pop(number), state=TrialState.FAIL)

    def proposal(self, number: int, trial: int | None) -> Proposal:
        """A proposal as it is recorded."""
        frozen = self._study.trials[number]
        return Proposal(
            family=self.family,
            number=number,
            trial=trial,
            params=frozen.params,
            distributions={name: distribution_to_json(d) for name, d in frozen.distributions.items()},
            system_attrs=frozen.system_attrs,
            state=frozen.state.name,
            value=frozen.value,
        )


class OptunaSuggest:
    """An Optuna trial as a `Suggest`."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        """One of `choices`."""
        return self._trial.suggest_categorical(name, choices)

    def integer(self, name: str, low: int, high: int, *, log: bool) -> int:
        """A whole number from `low` to `high`."""
        return self._trial.suggest_int(name, low, high, log=log)

    def real(self, name: str, low: float, high: float, *, log: bool) -> float:
        """A number from `low` to `high`."""
        return self._trial.suggest_float(name, low, high, log=log)


def _sampler(kind: str, seed: int) -> optuna.samplers.BaseSampler:
    if kind == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


def _pruner(kind: str, epochs: int) -> optuna.pruners.BasePruner:
    if kind == "none" or epochs <= FIRST_PRUNED_EPOCH:
        return optuna.pruners.NopPruner()
    if kind == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=FIRST_PRUNED_EPOCH, max_resource=epochs)
    return optuna.pruners.MedianPruner(n_warmup_steps=FIRST_PRUNED_EPOCH)


def _frozen(proposal: Proposal, reported: Mapping[int, float]) -> FrozenTrial:
    distributions: dict[str, BaseDistribution] = {
        name: json_to_distribution(text) for name, text in proposal.distributions.items()
    }
    is_running = proposal.state == "RUNNING"
    trial = optuna.trial.create_trial(
        state=TrialState[proposal.state],
        value=proposal.value,
        params=dict(proposal.params),
        distributions=distributions,
        system_attrs=dict(proposal.system_attrs),
        intermediate_values={} if is_running else dict(reported),
    )
    return trial

"""Optuna's ask and tell for one family, in memory, rebuilt from the record.

The sampler is seeded anew for every proposal, from the search's seed, the family and the proposal's number:
so a search that goes on proposes exactly what the uninterrupted one would have.
"""

import warnings
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import Any

import optuna
from optuna.distributions import distribution_to_json
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from archsearch.study.past import Distributions, distribution_of, forgotten, remembered
from archsearch.study.values import Proposal

FIRST_PRUNED_EPOCH = 5
"""No training is stopped before this epoch: the first ones say little about the last."""

PATIENCE = 3
"""What has had a lower validation loss within so many epochs, and one more, is not stopped by ``patient``.

Optuna counts so. With 3 it can stop at `FIRST_PRUNED_EPOCH`, as the other pruners do.
"""

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Constraint(StrEnum):
    """What a rejected proposal breaks, by the name under which Optuna keeps it."""

    PARAMETERS = "excess"
    BUILDABLE = "unbuildable"
    TRAINABLE = "untrainable"


class Proposals:
    """One family's proposals.

    Parameters
    ----------
    family : str
        Also the name of the Optuna study: Hyperband's brackets depend on it.
    sampler : str
        ``"tpe"``, ``"random"``, ``"grid"`` or ``"cma-es"``. The values of a grid are chosen by who asks
        (`ask` with `fixed`).
    pruner : str
        ``"median"``, ``"hyperband"`` or ``"patient"``; ``"none"`` and ``"diagnosis"`` compare nothing.
    seed : int
    epochs : int
        The most planned epochs of a training.
    conditional : bool
        Whether parameters depend on the values of others, so that not all are asked for each time.
    """

    def __init__(
        self, family: str, sampler: str, pruner: str, seed: int, epochs: int, *, conditional: bool = False
    ) -> None:
        self.family = family
        self._kind = sampler
        self._conditional = conditional
        self._seed = seed
        self._study = optuna.create_study(study_name=family, pruner=_pruner(pruner, epochs))
        self._handles: dict[int, optuna.Trial] = {}
        self._forgotten: dict[int, Proposal] = {}

    def replay(
        self,
        proposals: Iterable[Proposal],
        curves: Mapping[int, Mapping[int, float]],
        asked: Distributions | None = None,
        outdated: Collection[int] = (),
    ) -> None:
        """Remember what was proposed and told before; of what lies outside of the space, only the number.

        Parameters
        ----------
        proposals : iterable of Proposal
            In order, from the first.
        curves : mapping of trial number to mapping of epoch to validation loss
            What was reported.
        asked : mapping of str to distribution, optional
            All that is asked now, by name; None where it is not known beforehand.
        outdated : collection of int
            Numbers of proposals whose end says nothing of the space as it is now.
        """
        for proposal in proposals:
            known = proposal if asked is None else remembered(proposal, asked)
            if known is None or proposal.number in outdated:
                self._forgotten[proposal.number] = proposal
                known = forgotten(proposal)
            reported = {} if proposal.trial is None else curves.get(proposal.trial, {})
            self._study.add_trial(_frozen(known, reported))
            if proposal.state == "RUNNING":
                self._handles[proposal.number] = optuna.Trial(self._study, self._trials[-1]._trial_id)

    def ask(self, fixed: Mapping[str, Any] | None = None) -> tuple[int, "OptunaSuggest"]:
        """A new proposal's number, and who chooses its values.

        Parameters
        ----------
        fixed : mapping, optional
            Values that are chosen already, by the parameter's name; the sampler chooses the others.
        """
        number = len(self._trials)
        seed = zlib.crc32(f"{self._seed}/{self.family}/{number}".encode())
        self._study.sampler = _sampler(self._kind, seed, conditional=self._conditional)
        if fixed is not None:
            self._study.enqueue_trial(dict(fixed))
        self._handles[number] = self._study.ask()
        return number, OptunaSuggest(self._handles[number])

    @property
    def _trials(self) -> list[FrozenTrial]:
        """Optuna's own, which it copies unless told not to: that takes longer than all else."""
        return self._study.get_trials(deepcopy=False)

    def should_prune(self, number: int, epoch: int, val_loss: float) -> bool:
        """Report a validation loss and ask whether the training is worth going on with."""
        handle = self._handles[number]
        handle.report(val_loss, epoch)
        return handle.should_prune()

    def tell(self, number: int, value: float | None) -> None:
        """Tell a proposal's score, or None where it was pruned or failed."""
        self._tell(number, TrialState.PRUNED if value is None else TrialState.COMPLETE, value)

    def reject(self, number: int, constraint: Constraint, excess: float) -> None:
        """Have the sampler learn that a proposal breaks a constraint.

        Parameters
        ----------
        number : int
        constraint : Constraint
        excess : float
            By how much, above 0.
        """
        self._handles[number].set_constraint(constraint, excess)
        with _ignored(UserWarning):  # CMA-ES says that it does not use them: then it just draws again
            self._tell(number, TrialState.PRUNED)

    def discard(self, number: int) -> None:
        """Have the sampler learn nothing from a proposal."""
        self._tell(number, TrialState.FAIL)

    def _tell(self, number: int, state: TrialState, value: float | None = None) -> None:
        if number in self._forgotten:
            self._forgotten[number] = replace(self._forgotten[number], state=state.name, value=value)
            state, value = TrialState.FAIL, None
        self._study.tell(self._handles.pop(number), value, state=state)

    def proposal(self, number: int, trial: int | None) -> Proposal:
        """A proposal as it is recorded."""
        frozen = self._trials[number]
        if number in self._forgotten:
            return replace(self._forgotten[number], trial=trial, system_attrs=dict(frozen.system_attrs))
        return Proposal(
            family=self.family,
            number=number,
            trial=trial,
            params=dict(frozen.params),
            distributions={name: distribution_to_json(d) for name, d in frozen.distributions.items()},
            system_attrs=dict(frozen.system_attrs),
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


def broken_constraint(proposal: Proposal) -> Constraint | None:
    """What a rejected proposal breaks; None where it was not rejected."""
    return next((each for each in Constraint if f"constraints:{each}" in proposal.system_attrs), None)


def is_picked(proposal: Proposal) -> bool:
    """Whether values were chosen already when a proposal was asked for."""
    return "fixed_params" in proposal.system_attrs


def _sampler(kind: str, seed: int, *, conditional: bool) -> optuna.samplers.BaseSampler:
    if kind == "tpe":
        with _ignored(ExperimentalWarning):
            return optuna.samplers.TPESampler(seed=seed, group=conditional)
    if kind == "cma-es":
        return optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(kind: str, epochs: int) -> optuna.pruners.BasePruner:
    if kind in ("none", "diagnosis") or epochs <= FIRST_PRUNED_EPOCH:
        return optuna.pruners.NopPruner()
    if kind == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=FIRST_PRUNED_EPOCH, max_resource=epochs)
    median = optuna.pruners.MedianPruner(n_warmup_steps=FIRST_PRUNED_EPOCH)
    if kind == "median":
        return median
    with _ignored(ExperimentalWarning):
        return optuna.pruners.PatientPruner(median, patience=PATIENCE)


@contextmanager
def _ignored(category: type[Warning]) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


def _frozen(proposal: Proposal, reported: Mapping[int, float]) -> FrozenTrial:
    distributions = {name: distribution_of(text) for name, text in proposal.distributions.items()}
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

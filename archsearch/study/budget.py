"""Equal budgets for families: what each has spent, and whose turn it is."""

from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from archsearch.records import Status, TrainingRun

Kind = Literal["trials", "epochs", "seconds"]


class Budget:
    """What the families of a search have spent, in trials, epochs or seconds.

    Parameters
    ----------
    kind : str
        ``"trials"``: trials started; ``"epochs"``: epochs trained; ``"seconds"``: seconds of training.
    families : sequence of str
        In the order in which they are served where they have spent the same.
    """

    def __init__(self, kind: Kind, families: Sequence[str]) -> None:
        self._kind = kind
        self._families = tuple(families)
        self._family: dict[int, str] = {}
        self._costs: dict[int, float] = {}
        self._failed: set[int] = set()
        self._ended: set[int] = set()

    def start(self, trial: int, family: str) -> None:
        """A trial of `family` is planned."""
        self._family[trial] = family
        self._costs[trial] = 1.0 if self._kind == "trials" else 0.0

    def end(self, trial: int, status: Status, runs: Sequence[TrainingRun]) -> None:
        """A trial has ended: what it has cost is known now; one that was never planned here costs nothing."""
        if trial not in self._costs:
            return
        self._ended.add(trial)
        if self._kind == "epochs":
            self._costs[trial] = sum(len(run.epochs) for run in runs)
        elif self._kind == "seconds":
            self._costs[trial] = sum(run.seconds for run in runs)
        if status.is_failure and status is not Status.DIVERGED:
            self._failed.add(trial)

    @property
    def spent(self) -> dict[str, float]:
        """By family: trials, epochs or seconds.

        What has not ended counts as much as the others did on average: how far it is would depend on the
        moment. So does what failed at least: else a family that can't be trained would seem to spend nothing,
        and be given all trials.
        """
        worked = [self._costs[trial] for trial in self._ended - self._failed]
        typical = fmean(worked) if worked else 0.0
        spent = dict.fromkeys(self._families, 0.0)
        for trial, family in self._family.items():
            cost = self._costs[trial]
            is_known = trial in self._ended - self._failed
            spent[family] += cost if is_known else max(cost, typical)
        return spent

    def turns(self, trials: int) -> list[str]:
        """Families that may have the next trial, the one that has spent least first.

        Parameters
        ----------
        trials : int
            What the families are to have together, trials done included. Under ``"trials"`` each has an equal
            share of them; under the others it bounds their sum.
        """
        spent = self.spent
        started = dict.fromkeys(self._families, 0)
        for family in self._family.values():
            started[family] += 1
        order = sorted(self._families, key=lambda family: (spent[family], started[family]))
        if self._kind != "trials":
            return order
        share, extra = divmod(trials, max(1, len(self._families)))
        shares = {family: share + (n < extra) for n, family in enumerate(self._families)}
        return [family for family in order if started[family] < shares[family]]

"""What a user may say beside the space."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from archsearch.errors import Refused
from archsearch.space import SearchSpace


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may say beside the space.

    Attributes
    ----------
    trials : int or None
        The search's new total; None leaves it to the space.
    hours : float or None
        Wall time of this run at most.
    max_gpu_hours : float or None
        GPU-hours of this run at most.
    workers : int, str or None
        Trainings at once, or ``"auto"``; None leaves it to the space, and so with the next two.
    gpus : int, str or None
        GPUs to use, or ``"all"``.
    keep : int or None
        Trials whose weights are kept.
    store : Path
    new : bool
        Start another search even if this space has one.
    continue_ : bool
        Go on with a search of this name of which the space is an edit.
    tracking_uri : str or None
        None leaves it to ``MLFLOW_TRACKING_URI``, then to the store.
    tracking : str
        ``"now"``, or ``"later"``: don't need MLflow until the search has ended.
    reports : Path
        Folder of the report.
    command : str
        What repeats this search.
    """

    trials: int | None = None
    hours: float | None = None
    max_gpu_hours: float | None = None
    workers: int | str | None = None
    gpus: int | str | None = None
    keep: int | None = None
    store: Path = Path("mlruns")
    new: bool = False
    continue_: bool = False
    tracking_uri: str | None = None
    tracking: Literal["now", "later"] = "now"
    reports: Path = Path("reports")
    command: str = "archsearch.run(...)"

    def __post_init__(self) -> None:
        if self.trials is not None and (not isinstance(self.trials, int) or self.trials < 1):
            raise Refused(f"trials must be a whole number of at least 1, not {self.trials!r}")
        for name, value in (("hours", self.hours), ("max_gpu_hours", self.max_gpu_hours)):
            if value is not None and not _is_positive(value):
                raise Refused(f"{name} must be a number above 0, not {value!r}")
        if self.new and self.continue_:
            raise Refused("--new begins another search, --continue goes on with one: give one of them")
        if self.tracking not in ("now", "later"):
            raise Refused(f"tracking is 'now' or 'later', not {self.tracking!r}")

    def applied_to(self, space: SearchSpace) -> SearchSpace:
        """The space with the words of its ``execution`` that are said beside it.

        Raises
        ------
        SpaceError
        """
        words = {"workers": self.workers, "gpus": self.gpus, "keep": self.keep}
        given = {word: value for word, value in words.items() if value is not None}
        return space.executed_with(given) if given else space


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0

"""What a user may say beside the space."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from archsearch.errors import Refused


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may say beside the space.

    Attributes
    ----------
    trials : int or None
        The search's new total; None leaves it to the space.
    hours : float or None
        Wall time of this run at most.
    store : Path
    new : bool
        Start another search even if this space has one.
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
    store: Path = Path("mlruns")
    new: bool = False
    tracking_uri: str | None = None
    tracking: Literal["now", "later"] = "now"
    reports: Path = Path("reports")
    command: str = "archsearch.run(...)"

    def __post_init__(self) -> None:
        if self.trials is not None and (not isinstance(self.trials, int) or self.trials < 1):
            raise Refused(f"trials must be a whole number of at least 1, not {self.trials!r}")
        if self.hours is not None and not _is_positive(self.hours):
            raise Refused(f"hours must be a number above 0, not {self.hours!r}")
        if self.tracking not in ("now", "later"):
            raise Refused(f"tracking is 'now' or 'later', not {self.tracking!r}")


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0

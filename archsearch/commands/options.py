"""What a user may say beside the space."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from archsearch.errors import Refused
from archsearch.execution import Slot
from archsearch.execution.slots import GPUS_WORD
from archsearch.records import MOST_HOURS
from archsearch.schedule import amounts
from archsearch.space import SearchSpace
from archsearch.space.execution_words import Execution


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may say beside the space.

    Attributes
    ----------
    trials : int or None
        The search's new total; None leaves it to the space.
    hours : float or None
        Wall time of this run at most.
    until : datetime or None
        When this run ends at the latest; with its time zone.
    max_gpu_hours : float or None
        GPU-hours of this run at most.
    if_locked : str
        Where another process runs the search: ``"fail"``, ``"skip"`` it, or ``"wait"``.
    workers : int, str or None
        Trainings at once, or ``"auto"``; None leaves it to the space, and so with the next two.
    gpus : int, str or None
        GPUs to use, or ``"all"``.
    min_free_gpu_memory : float, str or None
        Only GPUs with so much free memory are used: ``8`` and ``"8GB"`` are 8 · 10⁹ bytes.
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
    until: datetime | None = None
    max_gpu_hours: float | None = None
    if_locked: Literal["fail", "skip", "wait"] = "fail"
    workers: int | str | None = None
    gpus: int | str | None = None
    min_free_gpu_memory: float | str | None = None
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
            if value is not None and not _is_hours(value):
                raise Refused(f"{name} must be a number above 0 and at most {MOST_HOURS:,}, not {value!r}")
        if self.new and self.continue_:
            raise Refused("--new begins another search, --continue goes on with one: give one of them")
        if self.tracking not in ("now", "later"):
            raise Refused(f"tracking is 'now' or 'later', not {self.tracking!r}")
        if self.if_locked not in ("fail", "skip", "wait"):
            raise Refused(f"if_locked is 'fail', 'skip' or 'wait', not {self.if_locked!r}")
        if self.min_free_gpu_memory is not None:
            memory_bytes(self.min_free_gpu_memory)

    @property
    def least_free(self) -> int | None:
        """Bytes that a GPU must have free to be used."""
        return None if self.min_free_gpu_memory is None else memory_bytes(self.min_free_gpu_memory)

    @property
    def gpus_word(self) -> str:
        """What says how many GPUs to use."""
        return GPUS_WORD if self.gpus is None else "--gpus"

    def gpus_asked(self, execution: Execution, slots: Sequence[Slot]) -> str:
        """That GPUs were asked for, in words; empty where the CPU will do.

        Parameters
        ----------
        execution : Execution
            Of the space, with these options applied to it.
        slots : sequence of Slot
            Of its workers. A bound on GPUs' memory asks for none where none is found.
        """
        if execution.gpus not in (0, "all"):
            return f"{self.gpus_word} is {execution.gpus}"
        if not any(slot.gpu for slot in slots):
            return ""
        if self.min_free_gpu_memory is not None:
            return f"--min-free-gpu-memory is {self.min_free_gpu_memory}"
        return f"execution.gpu_memory is {execution.gpu_memory:g}" if execution.gpu_memory else ""

    def applied_to(self, space: SearchSpace) -> SearchSpace:
        """The space with the words of its ``execution`` that are said beside it.

        Raises
        ------
        SpaceError
        """
        words = {"workers": self.workers, "gpus": self.gpus, "keep": self.keep}
        given = {word: value for word, value in words.items() if value is not None}
        return space.executed_with(given) if given else space


def memory_bytes(amount: float | str) -> int:
    """Bytes of an amount of memory, such as ``8``, ``"8GB"``, ``"7.5 GiB"``.

    Raises
    ------
    Refused
        If it is none.
    """
    try:
        return amounts.memory_bytes(amount)
    except ValueError as error:
        raise Refused(f"--min-free-gpu-memory {amount}: {error}") from None


def _is_hours(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value <= MOST_HOURS

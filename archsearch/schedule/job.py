"""A search that somebody else starts: what it runs, when, and within which bounds."""

import os
import re
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from archsearch.errors import Refused
from archsearch.space.execution_words import Execution

# A host's name of RFC 1123 without its dots: what every scheduler takes as a part of its own names.
LONGEST_NAME = 63
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")
NAMES = f"letters, digits and '-', at most {LONGEST_NAME}, the first and last no '-'"

# Line breaks would end a line of the scheduler's file; what is no UTF-8 could not be written to it.
_NOT_OF_A_LINE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Job:
    """A search as a scheduler starts it.

    Attributes
    ----------
    name : str
        The job's, unique among those of a user: letters, digits and ``-``, the first and last no ``-``.
    space : str
        Absolute path of the space's file, or the name of a bundled space.
    folder : Path
        Absolute: the job works here; a report goes to its ``reports``.
    store : Path
        Absolute.
    at : str or None
        When, as a cron expression of five fields in the scheduler's time, as
        `archsearch.schedule.expression.parse` writes it; None where it is started by hand.
    hours, max_gpu_hours : float or None
        Of each start.
    until : str or None
        As ``archsearch run --until`` takes it; of a job that starts again and again without a date.
    gpus : int or None
        GPUs to ask for; None: as many as the space's ``execution`` finds, or none where that must be said.
    min_free_gpu_memory : str or None
        As ``archsearch run --min-free-gpu-memory`` takes it.
    workers : int or None
    tracking_uri : str or None
        MLflow's; None leaves it to the store.
    execution : Execution
        Of the space: what a cluster is asked for where nothing here says it.

    Raises
    ------
    Refused
        If the name is none, or a path can't stand in one line of text.
    """

    name: str
    space: str
    folder: Path
    store: Path
    at: str | None = None
    hours: float | None = None
    max_gpu_hours: float | None = None
    until: str | None = None
    gpus: int | None = None
    min_free_gpu_memory: str | None = None
    workers: int | None = None
    tracking_uri: str | None = None
    execution: Execution = field(default_factory=Execution)

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise Refused(f"{self.name!r} can't be a job's name: {NAMES}")
        for word in (*program(), *self.words, str(self.folder)):
            if _NOT_OF_A_LINE.search(word):
                raise Refused(f"job {self.name}: {word!r} has a character that no scheduler's file can hold")

    @property
    def words(self) -> tuple[str, ...]:
        """The words of ``archsearch`` that run it: without the program itself."""
        bounds = {
            "--store": self.store,
            "--hours": self.hours,
            "--until": self.until,
            "--max-gpu-hours": self.max_gpu_hours,
            "--gpus": self.gpus,
            "--min-free-gpu-memory": self.min_free_gpu_memory,
            "--workers": self.workers,
            "--tracking-uri": self.tracking_uri,
        }
        given = [word for flag, value in bounds.items() if value is not None for word in (flag, _said(value))]
        return ("run", self.space, *given, "--tracking", "later", "--log-format", "json", "--json")

    @property
    def command(self) -> str:
        """A line for a shell: absolute paths, since schedulers have a ``PATH`` of their own."""
        return shlex.join((*program(), *self.words))


@dataclass(frozen=True, slots=True)
class File:
    """A file that a scheduler reads.

    Attributes
    ----------
    name : str
    text : str
    """

    name: str
    text: str


def program() -> tuple[str, ...]:
    """What runs archsearch, whatever the ``PATH``: this very installation."""
    installed = Path(sys.executable).with_name("archsearch")
    return (str(installed),) if os.access(installed, os.X_OK) else (sys.executable, "-m", "archsearch")


def is_name(name: str) -> bool:
    """Whether a job may be called that."""
    return len(name) <= LONGEST_NAME and _NAME.fullmatch(name) is not None


def name_from(search: str) -> str:
    """The name of a search's job: the search's, with what a job's can't have left out.

    Parameters
    ----------
    search : str
        The name of a space.
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", search).strip("-")[:LONGEST_NAME].strip("-")


def _said(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)

"""``jobs.yaml``: several searches, each with its time and its bounds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from archsearch.errors import SpaceError
from archsearch.resources import bundled_spaces
from archsearch.schedule.expression import parse
from archsearch.schedule.job import NAMES, Job, is_name
from archsearch.schedule.moments import moment
from archsearch.space.document import Document, Location, read_document
from archsearch.space.execution_words import MOST_WORKERS
from archsearch.space.faults import describe_faults
from archsearch.space.parameters import Words

_Model = TypeVar("_Model", bound=Words)


def _job_name(name: str) -> str:
    if not is_name(name):
        raise ValueError(f"can't be a job's name: {NAMES}")
    return name


def _some(jobs: dict[str, Any]) -> dict[str, Any]:
    if not jobs:
        raise ValueError("no job is in it")
    return jobs


def _number(value: Any) -> Any:
    # Refused here, for a space takes a word in place of this number, and messages would say so.
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"must be a whole number, not {value!r}")
    return value


def _moment(text: str) -> str:
    try:
        moment(text)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    return text  # a time without a date is another moment at each start


MEANT = "a file of jobs is a mapping with the word 'jobs:', a search space one of words such as 'data:'"

Name = Annotated[str, AfterValidator(_job_name)]
Text = Annotated[str, Field(min_length=1)]
Amount = Annotated[float, Field(gt=0)]
Number = Annotated[int, Field(ge=0), BeforeValidator(_number)]
Time = Annotated[str, AfterValidator(lambda text: parse(text).text)]
Moment = Annotated[str, AfterValidator(_moment)]


class JobWords(Words):
    """One job: what is not said is left to the space, or to ``archsearch run``."""

    space: Text = Field(description="A space's file, or the name of a bundled space.")
    at: Time | None = Field(default=None, description="When it starts, as a cron expression.")
    hours: Amount | None = Field(default=None, description="Of each start.")
    until: Moment | None = Field(default=None, description="As archsearch run --until takes it.")
    max_gpu_hours: Amount | None = Field(default=None, description="Of each start.")
    gpus: Number | None = Field(default=None, description="GPUs to use, and to ask for.")
    min_free_gpu_memory: Text | None = Field(
        default=None, description="Of each GPU; as archsearch run --min-free-gpu-memory takes it."
    )
    workers: Number | None = Field(default=None, le=MOST_WORKERS, description="Trainings at the same time.")
    store: Text | None = Field(default=None, description="Folder of records; by default mlruns.")
    tracking_uri: Text | None = Field(default=None, description="MLflow's tracking server.")


class JobsFile(Words):
    """What such a file may say; paths in it start from its folder."""

    jobs: Annotated[dict[Name, JobWords], AfterValidator(_some)]


class JobNames(Words):
    """What is read of such a file to take its jobs away."""

    jobs: Annotated[dict[Name, Any], AfterValidator(_some)]


def jobs_document(path: Path) -> Document | None:
    """The file, if it has the word ``jobs`` and so is no space.

    Raises
    ------
    SpaceError
        If it is no text, no YAML, or no mapping.
    """
    try:
        document = read_document(str(path), path.read_text(encoding="utf-8"), MEANT)
    except UnicodeDecodeError as error:
        raise SpaceError(f"{path}: not a text file in UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise SpaceError(f"{path}: can't be read: {error.strerror}") from None
    return document if "jobs" in document.value else None


def jobs_of(document: Document) -> tuple[Job, ...]:
    """The jobs of a file, in its order.

    Raises
    ------
    SpaceError
        With every fault found, a line each: ``file:line:column: path: what is wrong``.
    """
    folder = Path(document.name).absolute().parent
    words = _checked(document, JobsFile).jobs
    jobs = {name: _job(name, said, folder) for name, said in words.items()}
    missing = [
        (("jobs", name, "space"), f"jobs.{name}.space: no such file, nor a bundled space: {job.space}")
        for name, job in jobs.items()
        if job.space not in bundled_spaces() and not Path(job.space).is_file()
    ]
    if missing:
        raise _refused(document, missing)
    return tuple(jobs.values())


def names_of(document: Document) -> tuple[str, ...]:
    """The names of a file's jobs, in its order, whatever else it says.

    So a job whose time is over, or whose space is gone, can be taken away.

    Raises
    ------
    SpaceError
        As from `jobs_of`.
    """
    return tuple(_checked(document, JobNames).jobs)


def located_space(word: str, folder: Path) -> str:
    """A space as a job names it: an absolute path, or the name of a bundled space.

    Parameters
    ----------
    word : str
        As the user names it.
    folder : Path
        Absolute: from where a relative path starts.
    """
    path = folder / Path(word).expanduser()
    return word if word in bundled_spaces() and not path.is_file() else str(path)


def _checked(document: Document, model: type[_Model]) -> _Model:
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        raise _refused(document, describe_faults(error, model, document.value)) from None


def _job(name: str, said: JobWords, folder: Path) -> Job:
    job = Job(
        name=name,
        space=located_space(said.space, folder),
        folder=folder,
        store=folder / Path(said.store or "mlruns").expanduser(),
    )
    return replace(job, **said.model_dump(exclude={"space", "store"}))


def _refused(document: Document, faults: Sequence[tuple[Location, str]]) -> SpaceError:
    placed = sorted((document.place(location), message) for location, message in faults)
    return SpaceError(
        "\n".join(f"{document.name}:{line}:{column}: {message}" for (line, column), message in placed)
    )

"""``jobs.yaml``: several searches, each with its time and its bounds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, ValidationInfo

from archsearch.errors import Refused, SpaceError
from archsearch.home import expanded
from archsearch.records import MOST_HOURS
from archsearch.resources import bundled_spaces
from archsearch.schedule.amounts import memory_bytes
from archsearch.schedule.expression import parse
from archsearch.schedule.job import NAMES, Job, is_name
from archsearch.schedule.moments import moment, require_every_day
from archsearch.schedule.spans import require_another_time
from archsearch.space.document import Document, Location, read_document
from archsearch.space.execution_words import MOST_WORKERS
from archsearch.space.faults import describe_faults
from archsearch.space.parameters import Words

_Model = TypeVar("_Model", bound=Words)


@dataclass(frozen=True, slots=True)
class _Beside:
    """What the words of a file are checked by, beside each other.

    Attributes
    ----------
    folder : Path
        From where relative paths start.
    given : mapping of str to object
        What stands over the words.
    has_both_days : bool
        As `archsearch.schedule.expression.parse` has it.
    """

    folder: Path
    given: Mapping[str, Any]
    has_both_days: bool


def _beside(info: ValidationInfo) -> _Beside:
    assert isinstance(info.context, _Beside)
    return info.context


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


def _at_home(text: str) -> str:
    try:
        return expanded(text)
    except Refused as error:
        raise ValueError(str(error)) from None


def _space(word: str, info: ValidationInfo) -> str:
    space = located_space(word, _beside(info).folder)
    if Path(space).is_dir():
        raise ValueError(f"a folder, no space: {space}")
    if space not in bundled_spaces() and not Path(space).is_file():
        raise ValueError(f"no such file, nor a bundled space: {space}")
    return space


def _time(text: str, info: ValidationInfo) -> str:
    beside = _beside(info)
    try:
        return parse(text, has_both_days=beside.has_both_days or "at" in beside.given).text
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None


def _in_quotes(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f'YAML reads a number here, {value}; write the time in quotes, such as "06:00"')
    return value


def _moment(text: str, info: ValidationInfo) -> str:
    given = _beside(info).given
    # An `at` that is no time is said, too, but none of `info.data`.
    is_recurring = "at" in given or info.data.get("at", "") is not None
    try:
        moment(text)
        if is_recurring and "until" not in given:
            require_every_day(text)
            said = {**info.data, **given}
            if said.get("at") is not None:
                require_another_time(said["at"], text, said.get("hours"))
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    return text  # a time without a date is another moment at each start


def _store(text: str, info: ValidationInfo) -> str:
    store = _beside(info).folder / text
    if store.is_file():
        raise ValueError(f"a file, no folder: {store}")
    return str(store)


def _memory(text: str) -> str:
    try:
        memory_bytes(text)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    return text


MEANT = "a file of jobs is a mapping with the word 'jobs:', a search space one of words such as 'data:'"

Name = Annotated[str, AfterValidator(_job_name)]
Text = Annotated[str, Field(min_length=1)]
Hours = Annotated[float, Field(gt=0, le=MOST_HOURS)]
Number = Annotated[int, Field(ge=0), BeforeValidator(_number)]
Space = Annotated[str, Field(min_length=1), AfterValidator(_at_home), AfterValidator(_space)]
Time = Annotated[str, AfterValidator(_time)]
Moment = Annotated[str, BeforeValidator(_in_quotes), AfterValidator(_moment)]
Memory = Annotated[str, AfterValidator(_memory)]
Folder = Annotated[str, Field(min_length=1), AfterValidator(_at_home), AfterValidator(_store)]


class JobWords(Words):
    """One job: what is not said is left to the space, or to ``archsearch run``."""

    space: Space = Field(description="A space's file, or the name of a bundled space.")
    at: Time | None = Field(default=None, description="When it starts, as a cron expression.")
    hours: Hours | None = Field(default=None, description="Of each start.")
    until: Moment | None = Field(default=None, description="As archsearch run --until takes it.")
    max_gpu_hours: Hours | None = Field(default=None, description="Of each start.")
    gpus: Number | None = Field(default=None, description="GPUs to use, and to ask for.")
    min_free_gpu_memory: Memory | None = Field(
        default=None, description="Of each GPU; as archsearch run --min-free-gpu-memory takes it."
    )
    workers: Number | None = Field(default=None, le=MOST_WORKERS, description="Trainings at the same time.")
    store: Folder | None = Field(default=None, description="Folder of records; by default mlruns.")
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


def jobs_of(
    document: Document, given: Mapping[str, Any] | None = None, *, has_both_days: bool = True
) -> tuple[Job, ...]:
    """The jobs of a file, in its order.

    Parameters
    ----------
    document : Document
    given : mapping of str to object, optional
        Attributes of `Job`, over what the file says.
    has_both_days : bool
        Of the scheduler, as `archsearch.schedule.expression.parse` has it.

    Raises
    ------
    SpaceError
        With every fault found, a line each: ``file:line:column: path: what is wrong``.
    """
    beside = _Beside(Path(document.name).absolute().parent, given or {}, has_both_days)
    words = _checked(document, JobsFile, beside).jobs
    return tuple(replace(_job(name, said, beside.folder), **beside.given) for name, said in words.items())


def names_of(document: Document) -> tuple[str, ...]:
    """The names of a file's jobs, in its order, whatever else it says.

    So a job whose time is over, or whose space is gone, can be taken away.

    Raises
    ------
    SpaceError
        As from `jobs_of`.
    """
    return tuple(_checked(document, JobNames, None).jobs)


def located_space(word: str, folder: Path) -> str:
    """A space as a job names it: an absolute path, or the name of a bundled space.

    Parameters
    ----------
    word : str
        As the user names it, or the shell that has put a home folder in place of its ``~``.
    folder : Path
        Absolute: from where a relative path starts.
    """
    path = folder / word
    return word if word in bundled_spaces() and not path.is_file() else str(path)


def _checked(document: Document, model: type[_Model], beside: _Beside | None) -> _Model:
    try:
        return model.model_validate(document.value, context=beside)
    except ValidationError as error:
        raise _refused(document, describe_faults(error, model, document.value)) from None


def _job(name: str, said: JobWords, folder: Path) -> Job:
    job = Job(name, said.space, folder, store=folder / (said.store or "mlruns"))
    return replace(job, **said.model_dump(exclude={"space", "store"}))


def _refused(document: Document, faults: Sequence[tuple[Location, str]]) -> SpaceError:
    placed = sorted((document.place(location), message) for location, message in faults)
    return SpaceError(
        "\n".join(f"{document.name}:{line}:{column}: {message}" for (line, column), message in placed)
    )

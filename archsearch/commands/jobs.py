"""The jobs that a user names to ``archsearch schedule``: spaces, files of jobs, names."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from archsearch.commands.notes import say
from archsearch.commands.options import Options
from archsearch.commands.spaces import parse_space, read_space
from archsearch.commands.until import moment
from archsearch.errors import Refused, SpaceError
from archsearch.resources import bundled_spaces
from archsearch.schedule.expression import EVERY_NIGHT, parse
from archsearch.schedule.job import Job, name_from
from archsearch.schedule.jobs_file import jobs_document, jobs_of, located_space, names_of
from archsearch.schedule.moments import require_every_day
from archsearch.schedule.spans import long_span, require_another_time, zone_in_cluster
from archsearch.space import SearchSpace

Kind = Literal["cron", "systemd", "slurm", "kubernetes"]

# They start a job by themselves, and so have to know when.
_NEED_TIMES = ("cron", "systemd")

# They can start on days that match both the day of month and the day of week.
_HAVE_BOTH_DAYS = ("cron", "systemd")


def jobs_named(kind: Kind, named: Sequence[str], given: Mapping[str, Any]) -> tuple[Job, ...]:
    """The jobs of spaces and of files of jobs, each of them checked as ``archsearch run`` would.

    What is hardly meant is said on stderr.

    Parameters
    ----------
    kind : str
    named : sequence of str
        Spaces and files of jobs.
    given : mapping of str to object
        Attributes of `Job`, instead of those that a file says.

    Raises
    ------
    SpaceError, DataError
        If a space or a file of jobs is not valid; with every fault of such a file, then of all its spaces.
    Refused
        If one is given twice, two jobs have one name, one has no time and needs it, or a bound is none.
    """
    _require_once(named)
    if "at" in given:
        given = {**given, "at": _time(given["at"], kind)}
    jobs = [job for word in named for job in _jobs_in(word, given, kind)]
    first: dict[str, Job] = {}
    for job in jobs:
        other = first.setdefault(job.name, job)
        if other is not job:
            raise Refused(
                f"two jobs are called {job.name}, one of {other.space}, one of {job.space}; say another "
                "`name:` in a space, or name them in a file of jobs"
            )
        if job.at is None and kind in _NEED_TIMES:
            raise Refused(
                f"job {job.name}: {kind} has to know when it starts: --at {EVERY_NIGHT!r} is every night at "
                f'two (at: "{EVERY_NIGHT}" in a file of jobs)'
            )
    for remark in _remarks(kind, jobs):
        say(remark)
    return tuple(jobs)


def names_named(named: Sequence[str]) -> list[str]:
    """The names of jobs, each once, whatever else may be wrong with them.

    Parameters
    ----------
    named : sequence of str
        Spaces, files of jobs, or names of jobs.

    Raises
    ------
    SpaceError, DataError
        If a space or a file of jobs is not valid.
    """
    return list(dict.fromkeys(name for word in named for name in _names_in(word)))


def _time(text: str, kind: Kind) -> str:
    try:
        return parse(text, has_both_days=kind in _HAVE_BOTH_DAYS).text
    except ValueError as error:
        raise Refused(f"--at {text!r}: {error}") from None


def _jobs_in(word: str, given: Mapping[str, Any], kind: Kind) -> tuple[Job, ...]:
    # The data of a search in a cluster may be nowhere but there.
    read = parse_space if kind == "kubernetes" else read_space
    path = Path(word)
    document = jobs_document(path) if path.is_file() else None
    if document is not None:
        return _all_runnable(jobs_of(document, given, has_both_days=kind in _HAVE_BOTH_DAYS), read)
    space, folder = read(word), Path.cwd()
    words = {"store": folder / "mlruns", **given}
    return (_runnable(Job(name_from(space.name), located_space(word, folder), folder, **words), space),)


def _all_runnable(jobs: Sequence[Job], read: Callable[[str], SearchSpace]) -> tuple[Job, ...]:
    """The jobs of a file; all that is wrong with them is said at once.

    Raises
    ------
    Refused
    """
    runnable: list[Job] = []
    faults: dict[str, Refused] = {}  # of a space that several jobs search once
    for job in jobs:
        try:
            runnable.append(_runnable(job, read(job.space)))
        except Refused as error:
            faults.setdefault(str(error), error)
    if len(faults) > 1:
        raise SpaceError("\n".join(faults))
    for fault in faults.values():
        raise fault
    return tuple(runnable)


def _runnable(job: Job, space: SearchSpace) -> Job:
    """The job, with what its space says of where it runs; refused now is what would be at night.

    Raises
    ------
    Refused
    """
    try:
        Options(
            hours=job.hours,
            until=None if job.until is None else _until(job.until, job),
            max_gpu_hours=job.max_gpu_hours,
            workers=job.workers,
            gpus=job.gpus,
            min_free_gpu_memory=job.min_free_gpu_memory,
        ).applied_to(space)
    except Refused as error:
        raise Refused(f"job {job.name}: {error}") from None
    return replace(job, execution=space.execution)


def _until(text: str, job: Job) -> datetime:
    coming = moment(text)
    if job.at is not None:
        try:
            require_every_day(text)
            require_another_time(job.at, text, job.hours)
        except ValueError as error:
            raise Refused(f"--until {text!r}: {error}") from None
    return coming


def _require_once(named: Sequence[str]) -> None:
    for number, word in enumerate(named):
        if Path(word).resolve() in [Path(before).resolve() for before in named[:number]]:
            raise Refused(f"{word} is given twice; name it once")


def _remarks(kind: Kind, jobs: Sequence[Job]) -> Iterator[str]:
    """What was said and is hardly meant, a sentence each."""
    for job in jobs:
        if job.at is not None and job.until is not None:
            zone = zone_in_cluster(job.until) if kind == "kubernetes" else datetime.now().astimezone().tzinfo
            assert zone is not None
            if words := long_span(job.at, job.until, job.hours, zone):
                yield f"job {job.name}: {words}"
    first: dict[tuple[str, str, str | None], Job] = {}
    for job in jobs:
        other = first.setdefault((job.space, os.path.normpath(job.store), job.at), job)
        if other is not job:
            yield (
                f"jobs {other.name} and {job.name} have the same space, store and time, so they are one "
                "search: while one of them runs it, the other does nothing"
            )


def _names_in(word: str) -> list[str]:
    path = Path(word)
    document = jobs_document(path) if path.is_file() else None
    if document is not None:
        return list(names_of(document))
    is_space = path.is_file() or path.suffix in (".yaml", ".yml") or word in bundled_spaces()
    return [name_from(parse_space(word).name)] if is_space else [word]

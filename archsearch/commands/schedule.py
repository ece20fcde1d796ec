"""``archsearch schedule``: searches as jobs of a scheduler, printed or put in place."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from archsearch.commands.options import Options
from archsearch.commands.spaces import parse_space, read_space
from archsearch.commands.tables import console
from archsearch.commands.until import moment
from archsearch.errors import Refused
from archsearch.resources import bundled_spaces
from archsearch.schedule import cron, kubernetes, placing_cron, placing_systemd, slurm, systemd
from archsearch.schedule.expression import EVERY_NIGHT, parse
from archsearch.schedule.job import File, Job, name_from
from archsearch.schedule.jobs_file import jobs_document, jobs_of, located_space, names_of
from archsearch.space import SearchSpace

Kind = Literal["cron", "systemd", "slurm", "kubernetes"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where jobs of a kind are put: it starts them by itself, and so has to know when."""

    install: Callable[[Sequence[Job]], None]
    remove: Callable[[Sequence[str]], tuple[str, ...]]
    names: Callable[[], tuple[str, ...]]
    hints: Callable[[Job], Mapping[str, str]]


_PLACES: Mapping[str, _Place] = {
    "cron": _Place(
        placing_cron.install,
        placing_cron.remove,
        placing_cron.names,
        lambda job: {"log": str(cron.log(job))},
    ),
    "systemd": _Place(
        placing_systemd.install,
        placing_systemd.remove,
        placing_systemd.names,
        lambda job: {
            "log": f"journalctl --user -u {systemd.unit(job.name)}",
            "linger": "while you are not logged in it starts only after: loginctl enable-linger",
        },
    ),
}

# What is typed to have a scheduler take a file, and forget a job again.
_TAKEN: Mapping[str, str] = {"slurm": "sbatch", "kubernetes": "kubectl apply -f"}
_ENDED: Mapping[str, Callable[[str], str]] = {
    "slurm": lambda name: f"scancel --name={name}",
    "kubernetes": lambda name: f"kubectl delete cronjob {kubernetes.label(name)}",
}


def jobs_named(kind: Kind, named: Sequence[str], given: Mapping[str, Any]) -> tuple[Job, ...]:
    """The jobs of spaces and of files of jobs, each of them checked as ``archsearch run`` would.

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
        If a space or a file of jobs is not valid.
    Refused
        If two jobs have one name, one has no time and needs it, or a bound is none.
    """
    if "at" in given:
        given = {**given, "at": _time(given["at"])}
    # The data of a search in a cluster may be nowhere but there.
    read = parse_space if kind == "kubernetes" else read_space
    jobs = [job for word in named for job in _jobs_in(word, given, read)]
    first: dict[str, Job] = {}
    for job in jobs:
        other = first.setdefault(job.name, job)
        if other is not job:
            raise Refused(
                f"two jobs are called {job.name}, one of {other.space}, one of {job.space}; say another "
                "`name:` in a space, or name them in a file of jobs"
            )
        if job.at is None and kind in _PLACES:
            raise Refused(
                f"job {job.name}: {kind} has to know when it starts: --at {EVERY_NIGHT!r} is every night at "
                f'two (at: "{EVERY_NIGHT}" in a file of jobs)'
            )
    return tuple(jobs)


def text_of(kind: Kind, jobs: Sequence[Job], image: str | None) -> str:
    """What a scheduler reads: its file, or several, each below its name.

    Raises
    ------
    Refused
        If a job can't be one of this scheduler.
    """
    files = _files(kind, jobs, image)
    if len(files) == 1:
        return files[0].text
    return "\n".join(f"# ---- {file.name}\n{file.text}" for file in files)


def install(kind: Kind, jobs: Sequence[Job], image: str | None, command: Sequence[str]) -> None:
    """Put jobs in place, and say when each starts next.

    Parameters
    ----------
    kind : str
    jobs : sequence of Job
    image : str or None
    command : sequence of str
        What prints them.

    Raises
    ------
    Refused
        If the scheduler takes a file from the user's own hand, or can't be told here.
    StorageFull
    """
    if kind not in _PLACES:
        name = shlex.quote(_files(kind, jobs, image)[0].name)
        typed = f"{shlex.join(command)} > {name} && {_TAKEN[kind]} {name}"
        raise Refused(f"--install is for cron and systemd; for {kind} type: {typed}")
    _PLACES[kind].install(jobs)
    now, out = datetime.now(), console()
    for job in jobs:
        assert job.at is not None  # as required of these kinds
        starts = f"{job.at}, next at {parse(job.at).next_after(now):%Y-%m-%d %H:%M}"
        away = f"archsearch schedule {kind} {job.name} --remove"
        rows = {"placed": job.name, "starts": starts, **_PLACES[kind].hints(job), "take away": away}
        for word, value in rows.items():
            out.print(f"{word:<10} {value}", soft_wrap=True)


def remove(kind: Kind, named: Sequence[str]) -> None:
    """Take away what `install` has put in place; say so where there is nothing.

    Parameters
    ----------
    kind : str
    named : sequence of str
        Spaces, files of jobs, or names of jobs.

    Raises
    ------
    SpaceError, DataError
        If a space or a file of jobs is not valid.
    Refused
        If the scheduler takes jobs from the user's own hand, or can't be told here.
    """
    names = list(dict.fromkeys(name for word in named for name in _names_in(word)))
    if kind not in _PLACES:
        typed = [_ENDED[kind](name) for name in names]
        raise Refused(f"--remove is for cron and systemd; for {kind} type: {'; '.join(typed)}")
    place, out = _PLACES[kind], console()
    removed = place.remove(names)
    for name in removed:
        out.print(f"taken away {name}", soft_wrap=True)
    if missing := [name for name in names if name not in removed]:
        there = ", ".join(place.names()) or "none"
        out.print(f"{kind} has no job {', '.join(missing)} of archsearch; it has {there}", soft_wrap=True)


def _time(text: str) -> str:
    try:
        return parse(text).text
    except ValueError as error:
        raise Refused(f"--at {text!r}: {error}") from None


def _jobs_in(word: str, given: Mapping[str, Any], read: Callable[[str], SearchSpace]) -> list[Job]:
    path = Path(word)
    document = jobs_document(path) if path.is_file() else None
    if document is not None:
        jobs = [replace(job, **given) for job in jobs_of(document)]
        for job in jobs:
            _require_runnable(job, read(job.space))
        return jobs
    space, folder = read(word), Path.cwd()
    words = {"store": folder / "mlruns", **given}
    job = Job(name_from(space.name), located_space(word, folder), folder, **words)
    _require_runnable(job, space)
    return [job]


def _require_runnable(job: Job, space: SearchSpace) -> None:
    """Have now what ``archsearch run`` would refuse at night.

    Raises
    ------
    Refused
    """
    try:
        Options(
            hours=job.hours,
            until=None if job.until is None else moment(job.until),
            max_gpu_hours=job.max_gpu_hours,
            workers=job.workers,
            gpus=job.gpus,
            min_free_gpu_memory=job.min_free_gpu_memory,
        ).applied_to(space)
    except Refused as error:
        raise Refused(f"job {job.name}: {error}") from None


def _names_in(word: str) -> list[str]:
    path = Path(word)
    document = jobs_document(path) if path.is_file() else None
    if document is not None:
        return list(names_of(document))
    is_space = path.is_file() or path.suffix in (".yaml", ".yml") or word in bundled_spaces()
    return [name_from(parse_space(word).name)] if is_space else [word]


def _files(kind: Kind, jobs: Sequence[Job], image: str | None) -> tuple[File, ...]:
    match kind:
        case "cron":
            return cron.render(jobs)
        case "systemd":
            return systemd.render(jobs)
        case "slurm":
            return slurm.render(jobs)
        case "kubernetes":
            if image is None:
                raise Refused(
                    "kubernetes needs --image, a container with archsearch: the Dockerfile of its repository "
                    "makes one"
                )
            return kubernetes.render(jobs, image)

"""``archsearch schedule``: searches as jobs of a scheduler, printed or put in place."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from archsearch.commands.jobs import Kind, names_named
from archsearch.commands.tables import console
from archsearch.errors import Refused
from archsearch.schedule import cron, kubernetes, placing_cron, placing_systemd, slurm, systemd
from archsearch.schedule.expression import parse
from archsearch.schedule.job import File, Job


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
    """Take away what `install` has put in place; say which job is not there, which is no error.

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
    names = names_named(named)
    if kind not in _PLACES:
        typed = [_ENDED[kind](name) for name in names]
        raise Refused(f"--remove is for cron and systemd; for {kind} type: {'; '.join(typed)}")
    place, out = _PLACES[kind], console()
    removed = place.remove(names)
    for name in removed:
        out.print(f"taken away {name}", soft_wrap=True)
    if missing := [name for name in names if name not in removed]:
        there = ", ".join(place.names()) or "none"
        out.print(f"not installed in {kind}: {', '.join(missing)}; installed are: {there}", soft_wrap=True)


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

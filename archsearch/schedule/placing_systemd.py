"""Puts jobs into the user's systemd, and takes exactly those away again."""

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from archsearch.errors import Refused, unwritable
from archsearch.schedule.job import File, Job
from archsearch.schedule.systemd import mark, render, unit


def units_folder() -> Path:
    """Where systemd looks for units of the user's own: see systemd.unit(5)."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    # A relative one is to be ignored, says the XDG Base Directory Specification.
    base = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    return base / "systemd" / "user"


def install(jobs: Sequence[Job]) -> None:
    """Write the jobs' units, in place of those of the same names, and start their timers.

    Raises
    ------
    Refused
        If files of these names are somebody else's, or the user's systemd does not answer: then nothing is
        changed; or if it does not take the units.
    StorageFull
        If there is no room for the units: then they are as they were.
    """
    files = render(jobs)
    for job in jobs:
        _require_ours(job.name)
    _systemctl("daemon-reload")  # asked first: where it does not answer, nothing is written
    folder = units_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder, files)
    except OSError as error:
        raise unwritable(folder, error) from None
    _systemctl("daemon-reload")
    for job in jobs:
        _systemctl("enable", "--now", f"{unit(job.name)}.timer")


def remove(names: Iterable[str]) -> tuple[str, ...]:
    """Stop the timers of jobs and delete their units; a search that runs goes on to its end.

    Returns
    -------
    tuple of str
        Of `names`, those of which there were units.

    Raises
    ------
    Refused
        If files of these names are somebody else's, or the user's systemd does not answer: then nothing is
        changed.
    """
    found = tuple(name for name in names if any(path.exists() for path in _paths(name)))
    for name in found:
        _require_ours(name)
    for timer, service in map(_paths, found):
        if timer.exists():
            _systemctl("disable", "--now", timer.name)
            # When it was last started: else a later --install would make up at once for what was missed.
            _answer("clean", "--what=state", timer.name)  # an older systemctl can't
        timer.unlink(missing_ok=True)
        service.unlink(missing_ok=True)
    if found:
        _systemctl("daemon-reload")
    return found


def names() -> tuple[str, ...]:
    """The names of the jobs that have timers here."""
    first, last = unit(""), ".timer"
    timers = sorted(units_folder().glob(f"{first}*{last}"))
    found = (timer.name[len(first) : -len(last)] for timer in timers)
    return tuple(name for name in found if _is_ours(name, _paths(name)[0]))


def _write(folder: Path, files: Sequence[File]) -> None:
    """Write them beside those of their names, and replace none before all are whole."""
    drafts = {folder / f".{file.name}.{os.getpid()}": file for file in files}
    try:
        for draft, file in drafts.items():
            draft.write_text(file.text, encoding="utf-8")
        for draft, file in drafts.items():
            draft.replace(folder / file.name)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)


def _paths(name: str) -> tuple[Path, Path]:
    return units_folder() / f"{unit(name)}.timer", units_folder() / f"{unit(name)}.service"


def _require_ours(name: str) -> None:
    for path in _paths(name):
        if os.path.lexists(path) and not _is_ours(name, path):
            raise Refused(
                f"{path}: there already, and not written by archsearch schedule; rename the job (in a jobs "
                "file), or move that file away"
            )


def _is_ours(name: str, path: Path) -> bool:
    try:
        return path.read_text(encoding="utf-8", errors="replace").startswith(mark(name) + "\n")
    except OSError:
        return False


def _systemctl(*words: str) -> None:
    done = _answer(*words)
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise Refused(
            f"systemctl --user {' '.join(words)}: {said}. Your own systemd answers where you have logged in, "
            "not behind su or sudo; archsearch schedule cron needs none"
        )


def _answer(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["systemctl", "--user", *words], capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        raise Refused(
            f"systemctl can't be started ({error.strerror}): this machine has no systemd; "
            "archsearch schedule cron needs none"
        ) from None

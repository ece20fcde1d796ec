"""Puts jobs into the user's crontab, and takes exactly those away again."""

import os
import re
import subprocess
from collections.abc import Iterable, Sequence

from archsearch.errors import Refused
from archsearch.schedule.cron import begins, block, ends
from archsearch.schedule.job import Job

_BEGINS = re.compile(rf"^{begins('([A-Za-z0-9-]+)')}$", re.MULTILINE)


def install(jobs: Sequence[Job]) -> None:
    """Put the jobs' blocks into the crontab, in place of those of the same names.

    Raises
    ------
    Refused
        If the crontab can't be read or written, or a job is none that cron can start.
    """
    crontab = read()
    for job in jobs:
        crontab = with_block(crontab, job.name, block(job))
    _write(crontab)


def remove(names: Iterable[str]) -> tuple[str, ...]:
    """Take the blocks of those names out of the crontab.

    Returns
    -------
    tuple of str
        Those that were there.

    Raises
    ------
    Refused
        If the crontab can't be read or written.
    """
    before = read()
    found = tuple(name for name in names if name in _names(before))
    after = before
    for name in found:
        after = with_block(after, name, "")
    if found:
        _write(after)
    return found


def names() -> tuple[str, ...]:
    """The names of the jobs whose blocks stand in the crontab.

    Raises
    ------
    Refused
        If it can't be read.
    """
    return _names(read())


def with_block(crontab: str, name: str, text: str) -> str:
    """A crontab with a job's block replaced where it stands, else added at the end; all else as it was.

    Parameters
    ----------
    crontab : str
    name : str
        The job's.
    text : str
        The block, or nothing.

    Raises
    ------
    Refused
        If only one end of the block is still there.
    """
    first, last = re.escape(begins(name)), re.escape(ends(name))
    pattern = re.compile(rf"^{first}\n(?:(?!# >>> archsearch ).*\n)*?{last}(?:\n|\Z)", re.MULTILINE)
    head, *rest = pattern.split(crontab)
    remaining = head + "".join(rest)
    if re.search(rf"^(?:{first}|{last})$", remaining, re.MULTILINE):
        raise Refused(
            f"your crontab has only one of the lines {begins(name)!r} and {ends(name)!r}: delete "
            "by crontab -e what is left of that job"
        )
    if rest:
        return head + text + "".join(rest)
    missing_break = "\n" if text and head and not head.endswith("\n") else ""
    return head + missing_break + text


def read() -> str:
    """The user's crontab, empty where there is none.

    Raises
    ------
    Refused
        If it can't be read: then it must not be written either.
    """
    done = _crontab("-l")
    if done.returncode == 0:
        return _text(done.stdout)
    said = _text(done.stderr).strip()
    if "no crontab for" in said:
        return ""
    raise Refused(f"your crontab can't be read, and is left alone: {said or f'exit code {done.returncode}'}")


def _write(crontab: str) -> None:
    done = _crontab("-", crontab) if crontab else _crontab("-r")
    if done.returncode:
        said = _text(done.stderr).strip() or f"exit code {done.returncode}"
        raise Refused(f"your crontab can't be written, and is as it was: {said}")


def _crontab(option: str, text: str = "") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["crontab", option],
            # Bytes, so that what the user wrote comes back as it was, in whatever encoding.
            input=text.encode("utf-8", "surrogateescape"),
            capture_output=True,
            env={**os.environ, "LC_ALL": "C"},  # its messages in English
        )
    except OSError as error:
        raise Refused(
            f"crontab can't be started ({error.strerror}): is cron installed (apt-get install cron)? "
            "archsearch schedule systemd needs none"
        ) from None


def _text(said: bytes) -> str:
    return said.decode("utf-8", "surrogateescape")


def _names(crontab: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_BEGINS.findall(crontab)))

"""Jobs as lines of a user's crontab."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from archsearch.errors import ExitCode, Refused
from archsearch.schedule.job import File, Job, program

# The buffer of Vixie's cron and Debian's, MAX_COMMAND = 1000, less its end and its line break. The crontab of
# Debian 12 refuses what is longer ("command too long"); older ones cut it there without a word.
LONGEST_COMMAND = 998

# Of flock, where the last start still runs: no exit code of archsearch.
SKIPPED = 98

# --if-locked skip makes 0 of a search that is held when it starts. What is left are GPUs that others use, and
# a search that another process has taken over meanwhile.
BUSY = int(ExitCode.LOCKED)

# As archsearch logs what is no event; date fills in the time.
_NOTE = '{"event": "note", "time": "%FT%TZ", "search": null, "message": "skipped: the last start still runs"}'


def render(jobs: Sequence[Job]) -> tuple[File, ...]:
    """The crontab of some jobs: a marked block of comments and one line for each.

    Raises
    ------
    Refused
        If a job has no time, or cron can't hold its command.
    """
    return (File("crontab", "\n".join(map(block, jobs))),)


def block(job: Job) -> str:
    """What stands in the crontab for one job.

    No variable is set in it, neither ``SHELL=`` nor ``PATH=`` nor ``MAILTO=``: that would hold for every line
    below it, also for the user's own. cron's defaults (``/bin/sh``, ``/usr/bin:/bin``) are enough.

    Raises
    ------
    Refused
        If the job has no time, or cron can't hold its command.
    """
    if job.at is None:
        raise Refused(f"job {job.name}: cron needs its time")
    logged = log(job)
    return f"""\
{begins(job.name)}
# Written by archsearch schedule cron: --install replaces these lines, --remove takes them away.
# The time is this machine's. Paths are absolute: cron starts in your home folder, with PATH=/usr/bin:/bin.
# No SHELL=, PATH= or MAILTO= stands here: each would hold for all lines below, too.
# flock: while the last start still runs, this one is skipped, which date writes into the log. -n: no waiting;
# -E: the exit code that says so; -o: what a search leaves behind that was killed does not count as running.
# --if-locked skip: nor while somebody runs the same search by hand or on another machine.
# {logged} gets longer with each start; have logrotate rotate it, or delete it.
# echo: a failure is one line that cron mails to you, or to the MAILTO= above. {BUSY} is none: others
# use the GPUs, or another process has taken over the search, as the log says. \\%: to cron, "%" ends a line.
{job.at} {command(job)}
{ends(job.name)}
"""


def command(job: Job) -> str:
    """What cron gives to the shell, as it is written in a crontab.

    Raises
    ------
    Refused
        If a word has a backslash, which cron's programs read differently, or all of it is too long.
    """
    logged = log(job)
    run = (*program(), *job.words, "--if-locked", "skip")
    if any("\\" in word for word in (*run, str(job.folder))):
        raise Refused(f"job {job.name}: a crontab can't hold a backslash; rename what has one in its path")
    # The folder of logs once only, for the sake of the length.
    line = (
        f'cd {_quoted(job.folder)} && logs={_quoted(logged.parent)} && mkdir -p "$logs"'
        f' && {{ flock -n -o -E {SKIPPED} "$logs/{job.name}.lock" {shlex.join(run)}'
        f" || {{ code=$?; case $code in {SKIPPED}) date -u +'{_NOTE}';; {BUSY}) ;; *) false;; esac; }}; }}"
        f' >> "$logs/{logged.name}" 2>&1'
        f' || echo "archsearch {job.name}: exit code ${{code:-$?}}; see $logs/{logged.name}"'
    ).replace("%", r"\%")
    if len(line.encode()) > LONGEST_COMMAND:
        raise Refused(
            f"job {job.name}: its line for cron has {len(line.encode())} bytes, and cron takes at most "
            f"{LONGEST_COMMAND}; choose a shorter path for the space, the folder or the store"
        )
    return line


def log(job: Job) -> Path:
    """The file to which a job's output is added."""
    return job.store / "logs" / f"{job.name}.log"


def begins(name: str) -> str:
    """The line before all others of a job."""
    return f"# >>> archsearch {name} >>>"


def ends(name: str) -> str:
    """The line behind all others of a job."""
    return f"# <<< archsearch {name} <<<"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))

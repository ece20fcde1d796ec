"""Jobs as services and timers of a user's systemd."""

import re
from collections.abc import Iterator, Sequence

from archsearch.errors import ExitCode, Refused
from archsearch.schedule.expression import Expression, parse
from archsearch.schedule.job import File, Job, program

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")

# In systemd's order, with cron's numbers.
_WEEKDAYS = {1: "Mon", 2: "Tue", 3: "Wed", 4: "Thu", 5: "Fri", 6: "Sat", 0: "Sun"}
_SHORTEST_RANGE = 3


def render(jobs: Sequence[Job]) -> tuple[File, ...]:
    """A service and a timer for each job.

    Raises
    ------
    Refused
        If a job has no time.
    """
    return tuple(file for job in jobs for file in (_service(job), _timer(job)))


def unit(name: str) -> str:
    """The name of a job's units, without their endings."""
    return f"archsearch-{name}"


def mark(name: str) -> str:
    """The first line of a job's units, by which they are known as such."""
    return f"# archsearch schedule systemd: job {name}"


def _service(job: Job) -> File:
    restart = _RESTART if job.until is None else _NO_RESTART
    text = f"""\
{mark(job.name)}
# --install replaces this file, --remove takes it away. What you change goes to `systemctl --user edit`.
# Look at it: systemctl --user status {unit(job.name)}, journalctl --user -u {unit(job.name)}

[Unit]
Description=archsearch: search {job.name}

[Service]
# The service counts as started once the program runs: a start does not wait hours for the end of the search.
Type=exec
# Reports and relative paths start from here.
WorkingDirectory={_path(str(job.folder))}
# Absolute paths: systemd has a PATH of its own. --if-locked skip: nothing to do, and no error, while somebody
# runs the same search by hand or on another machine. systemd itself never starts it twice.
ExecStart={exec_start((*program(), *job.words, "--if-locked", "skip"))}
# SIGTERM has everything saved within 5 seconds, with exit code 75.
KillSignal=SIGTERM
# Only the search itself gets it, and ends its workers, which take no notice of it. But a program that code of
# yours has started would end in the middle of a training. What is left after the search is killed.
KillMode=mixed
# Then SIGKILL; nothing that was recorded is lost by it.
TimeoutStopSec=30
# A search that was stopped has not failed, nor one that others use the GPUs of, or have taken over.
SuccessExitStatus={ExitCode.INTERRUPTED:d} {ExitCode.LOCKED:d}
{restart}\
# A worker that the kernel kills for its memory is one failed trial; without this all would be stopped.
OOMPolicy=continue
# Whoever works at this machine goes first.
Nice=10
"""
    return File(f"{unit(job.name)}.service", text)


_RESTART = """\
# What was killed, or interrupted (75: a signal, a full disk), goes on by itself. Every other exit code has a
# reason that stays, and a start more would not help, or (99: others use the GPUs, or have taken the search
# over) is left to the timer's next start. 5 minutes: no hurry where a disk has to be tidied up.
Restart=on-abnormal
RestartForceExitStatus=75
RestartSec=5min
"""
_NO_RESTART = """\
# No restart of what was interrupted: after the time of --until, it would run to that of the next day. What is
# left goes on at the timer's next start.
Restart=no
"""


_MADE_UP = """\
# A start that was missed because the machine was off is made up for.
Persistent=true
"""
_NOT_MADE_UP = """\
# A start that was missed because the machine was off is left out: made up for after the time of --until, it
# would run to that of the next day.
Persistent=false
"""


def _timer(job: Job) -> File:
    if job.at is None:
        raise Refused(f"job {job.name}: a timer needs its time")
    times = "\n".join(f"OnCalendar={time}" for time in on_calendar(parse(job.at)))
    text = f"""\
{mark(job.name)}
# --install replaces this file, --remove takes it away. What you change goes to `systemctl --user edit`.
# Units of a user run while that user is logged in; for always, once: loginctl enable-linger

[Unit]
Description=archsearch: when to search {job.name}

[Timer]
# "{job.at}" of cron, in this machine's time zone. Several lines: each of them starts it.
{times}
{_MADE_UP if job.until is None else _NOT_MADE_UP}
[Install]
WantedBy=timers.target
"""
    return File(f"{unit(job.name)}.timer", text)


def on_calendar(expression: Expression) -> tuple[str, ...]:
    """What systemd calls the times of a cron expression: see ``CALENDAR EVENTS`` in systemd.time(7).

    systemd's weekdays and days of the month have to match both; where either is enough, as in cron, two lines
    say it.
    """
    clock = f"{_listed(expression.hours, range(24))}:{_listed(expression.minutes, range(60))}:00"
    months = _listed(expression.months, range(1, 13))
    days = _listed(expression.days, range(1, 32))
    weekdays = _named(expression.weekdays)
    pairs = [(weekdays, days)]
    if expression.either_day:
        pairs = [(weekdays, "*"), ("", days)]
    return tuple(" ".join(filter(None, (names, f"*-{months}-{day}", clock))) for names, day in pairs)


def exec_start(words: Sequence[str]) -> str:
    """A command line for ``ExecStart=``: see ``COMMAND LINES`` in systemd.service(5).

    Parameters
    ----------
    words : sequence of str
        The program's path, in which systemd looks for no variables, and the words behind it.

    Raises
    ------
    Refused
        If the path has quotes or a backslash: systemd starts no such program.
    """
    path, *rest = words
    if set(path) & set("\"'\\"):
        raise Refused(f"{path}: systemd starts no program with quotes or a backslash in its path")
    return " ".join([_word(path), *(_word(word).replace("$", "$$") for word in rest)])


def _word(word: str) -> str:
    escaped = word.replace("%", "%%").replace("\\", "\\\\").replace('"', r"\"")
    return escaped if _PLAIN.fullmatch(word) else f'"{escaped}"'


def _path(path: str) -> str:
    # Read as it stands to the end of its line, but a space or a backslash there would be none of it.
    return path.replace("%", "%%") + "/"


def _listed(values: frozenset[int], all_values: range) -> str:
    """Numbers as systemd lists them: ``*``, ``09..17``, ``00/15`` or ``08,12``."""
    ordered = sorted(values)
    if len(ordered) == len(all_values):
        return "*"
    step = ordered[1] - ordered[0] if len(ordered) >= _SHORTEST_RANGE else 0
    if step > 1 and ordered == list(range(ordered[0], all_values.stop, step)):
        return f"{ordered[0]:02}/{step}"
    return ",".join(_ranges([f"{value:02}" for value in all_values], [n in values for n in all_values]))


def _named(weekdays: frozenset[int]) -> str:
    if len(weekdays) == len(_WEEKDAYS):
        return ""
    return ",".join(_ranges(list(_WEEKDAYS.values()), [number in weekdays for number in _WEEKDAYS]))


def _ranges(names: Sequence[str], chosen: Sequence[bool]) -> Iterator[str]:
    """The chosen names, those of a row in short."""
    row: list[str] = []
    for name, is_chosen in [*zip(names, chosen, strict=True), ("", False)]:
        if is_chosen:
            row.append(name)
            continue
        yield from [f"{row[0]}..{row[-1]}"] if len(row) >= _SHORTEST_RANGE else row
        row = []

"""A real cron daemon starts, every minute, a search that takes about three.

``make test-schedulers`` runs this, in about seven minutes. All lines of the crontab are run by a shell of the
tests, which the crontab names as its ``SHELL``: it notes when each start began and ended, and how.
"""

import json
import shlex
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest
from own_crontab import crontab, set_crontab
from real_command import environment, run

from archsearch.records import Status, TrialResult
from archsearch.schedule.job import program
from archsearch.study import Record

NAME = "every-minute"
TRIALS = 12
SECONDS_OF_SEARCH = 170
LONGEST_WAIT = 1800

SPACE = """\
name: every-minute
data: digits
families:
  dense: {{depth: {{low: 1, high: 3}}, narrowest: 16, widest: [32, 64], dropout: [0.0, 0.3]}}
training: {{epochs: {epochs}, batch_size: 64}}
search: {{trials: {trials}, pruner: none, seed: 0}}
execution: {{workers: 1}}
"""

# What the line prints is what cron would mail: a failure.
SHELL = """\
#!/bin/sh
began=$(date +%s.%N)
mail=$(/bin/sh "$@" 2>&1)
code=$?
echo "$began $(date +%s.%N) $code $mail" >> {starts}
"""

# A user has lines of one's own, which stay as they are; the last one ends in a line break, as cron wants it.
OWN_LINES = """\
# Lines of my own.
MAILTO=""
SHELL={shell}

0 0 1 1 *   true
"""


@dataclass(frozen=True)
class Start:
    """One start by cron: when it began and ended in seconds since 1970, its exit code, and what it mails."""

    began: float
    ended: float
    code: int
    mail: str

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Observed:
    """What was to be seen until a minute after the line was taken out of the crontab."""

    starts: tuple[Start, ...]
    log: str
    trials: tuple[TrialResult, ...]
    sessions: int
    epochs: int
    most_searching: int
    before: bytes
    installed: bytes
    removed: bytes | None
    removed_at: float

    @property
    def searched(self) -> Start:
        """The start that searched."""
        return max(self.starts, key=lambda start: start.seconds)

    @property
    def beside(self) -> list[Start]:
        """Those that began while it searched."""
        return [start for start in self.starts if self.searched.began < start.began < self.searched.ended]

    @property
    def later(self) -> list[Start]:
        return [start for start in self.starts if start.began > self.searched.ended]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self._objects() if event.get("event") == kind]

    def results(self) -> list[dict[str, Any]]:
        """What ``--json`` printed at the end of a start."""
        return [result for result in self._objects() if "ranking" in result]

    def _objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def observed(cron: None, free_crontab: None, tmp_path_factory: pytest.TempPathFactory) -> Observed:  # noqa: ARG001
    folder = tmp_path_factory.mktemp("nights of 100 %")  # users have such folders
    starts, shell, space = folder / "starts", folder.parent / "noting-shell", folder / f"{NAME}.yaml"
    starts.touch()
    shell.write_text(SHELL.format(starts=shlex.quote(str(starts))))
    shell.chmod(0o755)
    epochs = epochs_in(SECONDS_OF_SEARCH / TRIALS, tmp_path_factory.mktemp("measured"))
    space.write_text(SPACE.format(epochs=epochs, trials=TRIALS))
    set_crontab(OWN_LINES.format(shell=shell).encode())
    before = crontab()
    schedule(folder, "--at", "* * * * *", "--install")
    installed = crontab()
    try:
        most = most_searching(space, starts)
    finally:
        schedule(folder, "--remove")
        for process in searching(space):  # none, unless something went wrong
            process.terminate()
    removed, removed_at = crontab(), time.time()
    time.sleep(65)
    (path,) = folder.glob("mlruns/searches/*/record.sqlite")
    with Record.open(path, read_only=True) as record:
        trials, sessions = record.trials()[0], len(record.sessions())
    log = (folder / "mlruns" / "logs" / f"{NAME}.log").read_text()
    assert before is not None
    assert installed is not None
    all_starts = tuple(read(starts))
    seen = Observed(all_starts, log, trials, sessions, epochs, most, before, installed, removed, removed_at)
    print(summary(seen))
    return seen


def epochs_in(seconds: float, folder: Path) -> int:
    """How many epochs a training has here in so many seconds."""
    (folder / "measured.yaml").write_text(SPACE.format(epochs=100, trials=2))
    done = run("run", "measured.yaml", "--quiet", cwd=folder, timeout=600)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("mlruns/searches/*/record.sqlite")
    with Record.open(path, read_only=True) as record:
        ends = [epoch.ended_at for trial in record.trials()[0] for epoch in trial.runs[0].epochs]
    return round(seconds / median(end - before for before, end in pairwise(ends)))


def schedule(folder: Path, *words: str) -> None:
    command = [*program(), "schedule", "cron", f"{NAME}.yaml", *words]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def most_searching(space: Path, starts: Path) -> int:
    """Wait until a search has ended and two more starts have come; the most processes that ever ran it."""
    most, deadline = 0, time.monotonic() + LONGEST_WAIT
    while time.monotonic() < deadline:
        most = max(most, len(searching(space)))
        all_starts = read(starts)
        assert not any(start.mail for start in all_starts), all_starts
        ends = [start.ended for start in all_starts if start.seconds > 60]
        if ends and sum(start.began > ends[0] for start in all_starts) >= 2:
            return most
        time.sleep(0.5)
    raise AssertionError(f"no search has ended in {LONGEST_WAIT} s: {read(starts)}")


def searching(space: Path) -> list[psutil.Process]:
    """The processes that run the search now, without their workers and the shells around them."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or [""]
        if "python" in Path(words[0]).name and {"run", str(space)} <= set(words):
            found.append(process)
    return found


def read(starts: Path) -> list[Start]:
    rows = [line.split(" ", 3) for line in starts.read_text().splitlines()]
    return sorted(
        (Start(float(began), float(ended), int(code), mail) for began, ended, code, mail in rows),
        key=lambda start: start.began,
    )


def summary(seen: Observed) -> str:
    lines = ["", "  began     took  exit code"]
    for start in seen.starts:
        clock = time.strftime("%H:%M:%S", time.localtime(start.began))
        lines.append(f"  {clock} {start.seconds:5.0f} s {start.code:4}  {start.mail}")
    lines.append(f"  {len(seen.trials)} trials of {seen.epochs} epochs in {seen.searched.seconds:.0f} s")
    lines.append(f"  {len(seen.beside)} starts beside them, {len(seen.later)} later")
    lines.append(f"  the log has {len(seen.log.splitlines())} lines, {len(seen.log) / 1e3:.0f} kB")
    return "\n".join(lines)


def test_one_process_searches_and_the_starts_beside_it_skip(observed: Observed) -> None:
    assert observed.most_searching == 1
    assert observed.sessions == 1
    assert observed.beside
    assert [(start.code, start.mail) for start in observed.beside] == [(0, "")] * len(observed.beside)
    assert max(start.seconds for start in observed.beside) < 30


def test_the_log_says_what_was_skipped(observed: Observed) -> None:
    said = [note["message"] for note in observed.events("note")]
    assert said == ["skipped: the last start still runs"] * len(observed.beside)


def test_the_search_completes(observed: Observed) -> None:
    assert (observed.searched.code, observed.searched.mail) == (0, "")
    assert [trial.status for trial in observed.trials] == [Status.COMPLETED] * TRIALS
    assert observed.results()[0]["status"] == "finished"


def test_nothing_is_trained_twice(observed: Observed) -> None:
    begun = Counter(event["trial"] for event in observed.events("trial_started"))
    assert begun == Counter(range(TRIALS))
    trained = Counter((event["trial"], event["epoch"]) for event in observed.events("epoch"))
    assert len(trained) == TRIALS * observed.epochs
    assert set(trained.values()) == {1}
    assert len({(trial.architecture, trial.recipe) for trial in observed.trials}) == TRIALS


def test_later_starts_find_nothing_to_do_and_are_no_failure(observed: Observed) -> None:
    assert len(observed.later) >= 2
    assert [(start.code, start.mail) for start in observed.later] == [(0, "")] * len(observed.later)
    assert [result["status"] for result in observed.results()[1:]] == ["nothing_to_do"] * len(observed.later)


def test_the_crontab_keeps_its_own_lines_and_loses_nothing_by_the_removal(observed: Observed) -> None:
    assert observed.installed.startswith(observed.before)
    assert observed.installed != observed.before
    assert observed.removed == observed.before


def test_what_was_taken_out_is_not_started_again(observed: Observed) -> None:
    assert not [start for start in observed.starts if start.began > observed.removed_at]


@pytest.mark.usefixtures("free_crontab")
def test_no_crontab_is_left_where_there_was_none(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.yaml").write_text(SPACE.format(epochs=1, trials=1))
    set_crontab(None)
    schedule(tmp_path, "--at", "0 2 * * *", "--install")
    assert crontab()
    schedule(tmp_path, "--remove")
    assert crontab() is None

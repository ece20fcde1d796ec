"""A search that is killed, interrupted or bounded goes on where it stood."""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from click.testing import Result
from real_command import IN_PROCESS, TINY_SPACE, UNTRACKED, command, environment, invoke

from archsearch.records import Status
from archsearch.study import Record

pytestmark = pytest.mark.slow

SPACE = TINY_SPACE.replace("epochs: 6", "epochs: 12").replace("trials: 4", "trials: 6")
TWO_WORKERS = SPACE.replace("workers: 1", "workers: 2")


@contextlib.contextmanager
def started(
    folder: Path, space: str, *words: str, most_bytes: int | None = None
) -> Iterator[subprocess.Popen]:
    """The real command at work, no file larger than that; killed at the end if it has not ended."""

    def limit_files() -> None:
        if most_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))

    (folder / "tiny.yaml").write_text(space)
    process = subprocess.Popen(
        command("run", "tiny.yaml", "--json", "--quiet", *words),
        cwd=folder,
        env=environment(PYTHONPATH=str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit_files,
    )
    try:
        with process:
            yield process
            process.kill()
    finally:
        process.kill()


def trials(folder: Path):
    (path,) = folder.glob("mlruns/searches/*/record.sqlite")
    with Record.open(path, read_only=True) as record:
        return record.trials()[0]


def session(folder: Path):
    (path,) = folder.glob("mlruns/searches/*/record.sqlite")
    with Record.open(path, read_only=True) as record:
        return record.sessions()[-1]


def ended(folder: Path) -> int:
    """How many trials have ended; none where there is no search yet."""
    if not list(folder.glob("mlruns/searches/*/record.sqlite")):
        return 0
    return sum(trial.status is not Status.RUNNING for trial in trials(folder))


def wait_for(state: Callable[[], bool], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 600
    while not state():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing in ten minutes"
        time.sleep(0.02)


def wait_until_have_ended(count: int, folder: Path, process: subprocess.Popen) -> None:
    wait_for(lambda: ended(folder) >= count, process)


def interrupt(process: subprocess.Popen, *numbers: signal.Signals) -> tuple[str, str]:
    """Send signals, one right after the other; what is printed to the process's end, in the time promised."""
    sent = time.monotonic()
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - sent < 5
    assert process.returncode == 75
    assert "Traceback" not in err
    return out, err


def hears_signals(process: subprocess.Popen) -> bool:
    """Whether signals have been handled since the process's own beginning, which is Python's."""
    (caught,) = (
        line.split()[1]
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        if line.startswith("SigCgt:")
    )
    return bool(int(caught, 16) >> (signal.SIGUSR1 - 1) & 1)


def again(folder: Path, *words: str) -> dict:
    """What the same command says in the process of the test, run to its end."""
    with contextlib.chdir(folder):
        done = invoke("run", "tiny.yaml", "--json", "--quiet", *IN_PROCESS, *words)
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def mlflow_runs(result: dict):
    from mlflow import MlflowClient

    return MlflowClient(result["tracking_uri"]).search_runs([result["experiment_id"]])


def children_by_trial(runs) -> dict[int, str]:
    children = [run for run in runs if run.data.tags["archsearch.trial"] != "all"]
    assert len(children) == len({run.data.tags["archsearch.trial"] for run in children})
    return {int(run.data.tags["archsearch.trial"]): run.info.status for run in children}


@dataclass(frozen=True)
class Killed:
    """A search whose driver was killed: what could be seen before, and what the same command made of it."""

    folder: Path
    driver: int
    children: list[int]
    second: Result
    report: Result
    listed: Result
    children_left: list[int]
    before: dict
    result: dict


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    folder = tmp_path_factory.mktemp("killed")
    with started(folder, TWO_WORKERS) as process:
        wait_until_have_ended(1, folder, process)
        children = _children(process.pid)
        process.send_signal(signal.SIGSTOP)  # else the search may end before it has been looked at
        with contextlib.chdir(folder):
            second, report, listed = invoke("run", "tiny.yaml"), invoke("report", "tiny"), invoke("list")
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = _alive_after(60, children)
    before = {trial.number: trial for trial in trials(folder) if trial.status is not Status.RUNNING}
    return Killed(folder, process.pid, children, second, report, listed, left, before, again(folder))


def test_a_second_process_is_refused_while_the_first_runs(killed: Killed) -> None:
    assert killed.second.exit_code == 99
    assert f"process {killed.driver}" in killed.second.stderr


def test_a_search_that_runs_is_listed_as_such_and_has_a_report(killed: Killed) -> None:
    assert killed.report.exit_code == 0
    assert "running" in killed.listed.stdout


def test_all_that_it_has_started_ends_when_the_driver_is_killed(killed: Killed) -> None:
    assert len(killed.children) == 3  # two workers, and what writes to MLflow
    assert killed.children_left == []


# MLflow's SQLite store trips a deprecation of SQLAlchemy 2.1 in its own queries.
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_a_killed_search_goes_on_and_trains_nothing_twice(killed: Killed) -> None:
    after = trials(killed.folder)
    assert len(killed.before) < 6
    assert [trial.number for trial in after] == list(range(6))
    assert all(trial.status in (Status.COMPLETED, Status.PRUNED) for trial in after)
    for number, trial in killed.before.items():
        assert after[number].runs[0].epochs == trial.runs[0].epochs
    for trial in after:
        epochs = [epoch.epoch for epoch in trial.runs[0].epochs]
        assert epochs == list(range(1, len(epochs) + 1))
    mirrored = children_by_trial(mlflow_runs(killed.result))
    assert sorted(mirrored) == list(range(6))
    assert "RUNNING" not in mirrored.values()


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")  # as above
def test_signals_stop_within_seconds_with_exit_code_75_and_mlflow_closed(tmp_path: Path) -> None:
    """Two signals come to all processes at once while they train, another one at the end of the search.

    That is while the report is written, or else while MLflow, which answers no more, is waited for.
    """
    with started(tmp_path, SPACE) as process:
        wait_until_have_ended(1, tmp_path, process)
        for worker in _children(process.pid):
            os.kill(worker, signal.SIGTERM)
        out, _ = interrupt(process, signal.SIGTERM, signal.SIGUSR1)
    assert json.loads(out.splitlines()[-1])["status"] == "interrupted"
    before = ended(tmp_path)
    assert before < 6
    with started(tmp_path, SPACE) as process:
        wait_until_have_ended(before + 1, tmp_path, process)
        os.kill(_mirroring(process.pid), signal.SIGSTOP)
        wait_for(lambda: session(tmp_path).status == "finished", process)
        interrupt(process, signal.SIGINT)
    result = again(tmp_path)
    assert result["status"] == "nothing_to_do"
    assert Path(result["report"]).is_file()
    assert all(trial.status in (Status.COMPLETED, Status.PRUNED) for trial in trials(tmp_path))
    # Closed at once where MLflow answered in time, else at the next start.
    assert all(run.info.status != "RUNNING" for run in mlflow_runs(result))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_at_the_start_stops_with_exit_code_75(tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path, SPACE) as process:
        wait_for(lambda: hears_signals(process), process)
        interrupt(process, number, signal.SIGTERM)


def test_a_signal_while_a_hypermodel_builds_stops_with_exit_code_75(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(600)\n")
    space = "name: slow\ndata: digits\nfamilies: {slow: {hypermodel: 'slow:Slow'}}\n"
    with started(tmp_path, space) as process:
        wait_for(lambda: bool(_children(process.pid)), process)
        (builder,) = _children(process.pid)
        interrupt(process, signal.SIGUSR1, signal.SIGTERM)
    assert _alive_after(60, [builder]) == []


def test_a_process_that_a_library_keeps_from_ending_ends_in_time_with_what_it_has_started() -> None:
    code = """
import hashlib, subprocess, sys
from archsearch.commands import interrupts
interrupts.LEAVE_SECONDS = 0.5
with interrupts.Interrupts(owns_process=True):
    print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000_000)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    child = int(process.stdout.readline())
    _, err = interrupt(process, signal.SIGTERM, signal.SIGTERM)
    assert "everything recorded is saved" in err
    assert _alive_after(60, [child]) == []


def test_a_full_disk_stops_a_search_which_goes_on_once_there_is_room(tmp_path: Path) -> None:
    space = SPACE.replace("trials: 6", "trials: 2")
    with started(tmp_path, space, *UNTRACKED, most_bytes=200_000) as process:
        _, err = process.communicate(timeout=600)
    assert process.returncode == 75
    assert "is the disk full? Everything up to now is saved" in err
    assert "Traceback" not in err
    before = {trial.number: trial for trial in trials(tmp_path) if trial.status is not Status.RUNNING}
    again(tmp_path, *UNTRACKED)
    after = trials(tmp_path)
    assert [trial.status for trial in after] == [Status.COMPLETED] * 2
    assert before.items() <= {trial.number: trial for trial in after}.items()


def test_hours_are_a_bound_that_the_same_command_goes_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(SPACE)
    # Its worker is not even ready when they are over.
    done = invoke("run", "tiny.yaml", "--hours", "0.0003", "--json", *UNTRACKED)
    result = json.loads(done.stdout.splitlines()[-1])
    assert (done.exit_code, result["status"]) == (0, "hours_reached")
    assert sum(result["trials"].values()) == 0
    assert "--hours (0.0003) are used up; the same command goes on" in done.stderr
    assert re.search("no trial (was started|has ended in this time)", done.stderr)


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def _mirroring(driver: int) -> int:
    """The process that writes to MLflow."""
    (found,) = (
        child.pid
        for child in psutil.Process(driver).children()
        if "archsearch.tracking.following" in child.cmdline()
    )
    return found


def _alive_after(seconds: float, processes: list[int]) -> list[int]:
    """Which of `processes` are still alive after so many seconds, waited for no longer than necessary."""
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in processes if _is_alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False

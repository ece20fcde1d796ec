"""A search that is killed, interrupted or bounded goes on where it stood."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_command import TINY_SPACE, command, environment, run

from archsearch.records import Status
from archsearch.study import Record

pytestmark = pytest.mark.slow

SPACE = TINY_SPACE.replace("epochs: 6", "epochs: 25").replace("trials: 4", "trials: 6")


@contextlib.contextmanager
def started(folder: Path, *words: str) -> Iterator[subprocess.Popen]:
    """The real command at work; killed at the end if it has not ended."""
    (folder / "tiny.yaml").write_text(SPACE)
    process = subprocess.Popen(
        command("run", "tiny.yaml", "--json", *words),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
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


def wait_until_some_have_ended(folder: Path, process: subprocess.Popen, count: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        found = list(folder.glob("mlruns/searches/*/record.sqlite"))
        if found and sum(trial.status is not Status.RUNNING for trial in trials(folder)) >= count:
            return
        time.sleep(0.1)
    raise AssertionError("no trial ended in two minutes")


def finish(folder: Path) -> dict:
    done = run("run", "tiny.yaml", "--json", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def mlflow_runs(result: dict):
    from mlflow import MlflowClient

    return MlflowClient(result["tracking_uri"]).search_runs([result["experiment_id"]])


def children_by_trial(runs) -> dict[int, str]:
    children = [run for run in runs if run.data.tags["archsearch.trial"] != "all"]
    assert len(children) == len({run.data.tags["archsearch.trial"] for run in children})
    return {int(run.data.tags["archsearch.trial"]): run.info.status for run in children}


# MLflow's SQLite store trips a deprecation of SQLAlchemy 2.1 in its own queries.
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_a_killed_search_goes_on_and_trains_nothing_twice(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        wait_until_some_have_ended(tmp_path, process, 2)
        process.send_signal(signal.SIGKILL)
    before = {trial.number: trial for trial in trials(tmp_path) if trial.status is not Status.RUNNING}
    result = finish(tmp_path)
    after = trials(tmp_path)
    assert [trial.number for trial in after] == list(range(6))
    assert all(trial.status in (Status.COMPLETED, Status.PRUNED) for trial in after)
    for number, trial in before.items():
        assert after[number].runs[0].epochs == trial.runs[0].epochs
    for trial in after:
        epochs = [epoch.epoch for epoch in trial.runs[0].epochs]
        assert epochs == list(range(1, len(epochs) + 1))
    mirrored = children_by_trial(mlflow_runs(result))
    assert sorted(mirrored) == list(range(6))
    assert "RUNNING" not in mirrored.values()


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")  # as above
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_within_seconds_with_exit_code_75_and_mlflow_closed(
    tmp_path: Path, number: signal.Signals
) -> None:
    with started(tmp_path, "--quiet") as process:
        wait_until_some_have_ended(tmp_path, process, 1)
        sent = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert time.monotonic() - sent < 10
    assert process.returncode == 75
    assert "Traceback" not in err
    result = json.loads(out.splitlines()[-1])
    assert result["status"] == "interrupted"
    again = finish(tmp_path)
    assert again["status"] == "finished"
    # Closed at once where MLflow answered in time, else at the next start.
    assert all(run.info.status != "RUNNING" for run in mlflow_runs(again))


def test_workers_end_when_the_driver_is_killed(tmp_path: Path) -> None:
    with started(tmp_path, "--quiet") as process:
        wait_until_some_have_ended(tmp_path, process, 1)
        workers = _children(process.pid)
        assert len(workers) == 2
    deadline = time.monotonic() + 10
    while any(_is_alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_hours_are_a_bound_that_the_same_command_goes_on_from(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(SPACE)
    done = run("run", "tiny.yaml", "--hours", "0.0003", "--json", cwd=tmp_path)
    result = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, result["status"]) == (0, "hours_reached")
    assert sum(result["trials"].values()) < 6


def test_a_second_process_is_refused_while_the_first_runs(tmp_path: Path) -> None:
    with started(tmp_path, "--quiet") as process:
        wait_until_some_have_ended(tmp_path, process, 1)
        second = run("run", "tiny.yaml", cwd=tmp_path)
        assert second.returncode == 99
        assert f"process {process.pid}" in second.stderr
        assert run("report", "tiny", cwd=tmp_path).returncode == 0
        assert "running" in run("list", cwd=tmp_path).stdout


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False

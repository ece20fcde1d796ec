"""The real command and real servers, for tests that use them."""

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from click.testing import CliRunner, Result

from archsearch.cli import main

TINY_SPACE = """\
name: tiny
data: digits
families:
  dense: {depth: {low: 1, high: 3}, narrowest: 16, widest: [32, 64], dropout: [0.0, 0.3]}
  cnn: {blocks: [1, 2], filters: {first: [4, 8]}, pooling: [max, average], dropout: [0.0, 0.2]}
training: {epochs: 6, batch_size: 64, learning_rate: {low: 1e-3, high: 1e-2, log: true}}
search: {trials: 4, seed: 0}
execution: {workers: 1}
"""

# For searches of which the promise is neither a process nor MLflow, each of which takes seconds to start.
IN_PROCESS = ("--workers", "0")
UNTRACKED = ("--tracking", "later", "--tracking-uri", "http://127.0.0.1:9")  # where nobody answers


def command(*words: str | Path) -> list[str]:
    """The real command, run by this Python."""
    return [sys.executable, "-m", "archsearch", *map(str, words)]


def environment(**changes: str) -> dict[str, str]:
    """The process's environment without what would lead a test astray."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    # MLflow's server would start a second one for jobs that no test has.
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return inherited | quiet | changes


def run(
    *words: str | Path, cwd: Path, timeout: float = 600, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run the real command to its end."""
    return subprocess.run(
        command(*words), cwd=cwd, env=environment(**changes), capture_output=True, text=True, timeout=timeout
    )


@contextlib.contextmanager
def started(*words: str | Path, cwd: Path, **changes: str) -> Iterator[subprocess.Popen[str]]:
    """The real command at work; killed at the end if it has not ended."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command(*words), cwd=cwd, env=environment(**changes), **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def invoke(*words: str | Path) -> Result:
    """Run the real command in this process, with what it has loaded by now.

    With `IN_PROCESS` it trains here, too: a process that does so begins with six seconds for TensorFlow.
    """
    return CliRunner().invoke(main, [str(word) for word in words], prog_name="archsearch")


@dataclass(frozen=True)
class Searched:
    """A finished search: where it ran and the JSON object it printed."""

    folder: Path
    result: dict
    stderr: str

    @property
    def record(self) -> Path:
        return self.folder / "mlruns" / "searches" / self.result["search"] / "record.sqlite"

    def copied(self, folder: Path) -> "Searched":
        """The same search in another folder, as if it had been run there."""
        paths = str(self.folder), str(folder)
        shutil.copytree(self.folder, folder)
        copy = replace(self, folder=folder, result=json.loads(json.dumps(self.result).replace(*paths)))
        with contextlib.closing(sqlite3.connect(folder / "mlruns" / "mlflow.db")) as db, db:
            for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
                db.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", paths)
        with contextlib.closing(sqlite3.connect(copy.record)) as db, db:
            db.execute("UPDATE search SET value = replace(value, ?, ?) WHERE key = 'mirrored'", paths)
        return copy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(words: list[str], port: int, cwd: Path) -> Iterator[str]:
    """A server process on `port`, once it answers; ended with all it started."""
    log = cwd / f"server-{port}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            words, cwd=cwd, env=environment(), stdout=out, stderr=out, start_new_session=True
        )
    uri = f"http://127.0.0.1:{port}"
    try:
        _wait_for(uri, process, log)
        yield uri
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=120)


def _wait_for(uri: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{uri}/health", timeout=2):
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.3)
    raise AssertionError(f"no answer from {uri}: {log.read_text()}")

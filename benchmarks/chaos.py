"""A search whose processes are killed at random instants, and the same search undisturbed.

    python benchmarks/chaos.py [--trials 40] [--kills 50] [--worker-kills 10] [--seed 0] [--mlflow URI]

SIGKILL hits the driver alone and the driver with all its workers in turn, at any instant from its start on;
the same command runs again and again until it ends by itself. With one worker the search must then be the
undisturbed one in all but times, process numbers and names of workers: trials, epochs, probabilities,
verdicts, proposals. A third search has its workers killed, one at a time, while the driver lives: a trial may
then have failed, but each is there once. Of each search MLflow has exactly one run per training, ended as it
did, and none that is open. MLflow is a real server; without a URI one is started.

Exit code 1 says that something differed.
"""

import argparse
import hashlib
import math
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import psutil

from archsearch.records import Status, TrainingRun, TrialResult
from archsearch.study import Record

SPACE = """\
name: chaos
data: digits
families:
  dense: {{depth: {{low: 1, high: 3}}, narrowest: [8, 16], widest: [32, 64], dropout: [0.0, 0.3]}}
training: {{epochs: 7, batch_size: 128, learning_rate: {{low: 1.0e-3, high: 1.0e-2, log: true}}}}
search: {{trials: {trials}, seed: 0, pruner: hyperband}}
execution: {{workers: 1}}
"""

ENDS = {Status.COMPLETED: "FINISHED", Status.PRUNED: "KILLED", Status.FAILED: "FAILED"}


@dataclass(frozen=True, slots=True)
class Searching:
    """A search in a folder of its own, by the real command.

    Attributes
    ----------
    folder : Path
    mlflow : str
        The server's address.
    """

    folder: Path
    mlflow: str

    @contextmanager
    def started(self) -> Iterator[subprocess.Popen[bytes]]:
        """The command at work, in a process group of its own."""
        words = [sys.executable, "-m", "archsearch", "run", "chaos.yaml", "--quiet"]
        with (self.folder / "printed").open("ab") as printed:
            process = subprocess.Popen(
                [*words, "--tracking-uri", self.mlflow],
                cwd=self.folder,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            kill_all(process)

    def finish(self) -> None:
        """Run the command to its end."""
        with self.started() as process:
            if process.wait():
                self.fail(process)

    def fail(self, process: subprocess.Popen[bytes]) -> NoReturn:
        """Leave with what the command has printed."""
        sys.exit(f"exit code {process.returncode}:\n{(self.folder / 'printed').read_text()}")

    @property
    def record(self) -> Path:
        """The record's path."""
        (path,) = self.folder.glob("mlruns/searches/*/record.sqlite")
        return path


def new_search(folder: Path, trials: int, mlflow: str) -> Searching:
    folder.mkdir()
    (folder / "chaos.yaml").write_text(SPACE.format(trials=trials))
    return Searching(folder, mlflow)


# -- killing -------------------------------------------------------------------------------------------------


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill the driver and all that it has started, the driver first: it may not see the others die."""
    below = children(process)
    process.kill()
    for child in below:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()


def kill_driver(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def disturb(search: Searching, kills: int, first: float, whole: float, rng: random.Random) -> Counter[str]:
    """Start the command and kill it, again and again; how often each kind of kill came before its end.

    The search takes `whole` seconds undisturbed and `first` until its first trial's end. The instants are
    such that about two thirds of its trials are trained between the kills, on average.
    """
    done: Counter[str] = Counter()
    share = 2 * (2 / 3) * (whole - first) / kills
    longest = first + (share + math.sqrt(share * (share + 4 * first))) / 2
    for number in range(kills):
        kill = (kill_all, kill_driver)[number % 2]
        with search.started() as process:
            with suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0, longest))
            done[kill.__name__ if process.returncode is None else "came too late"] += 1
            kill(process)
    return done


def disturb_workers(search: Searching, kills: int, rng: random.Random) -> int:
    """Run the command to its end while its workers are killed; how many were."""
    killed = 0
    while True:
        before = killed
        with search.started() as process:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(rng.uniform(2, 12))
                killed += killed < kills and kill_worker(process)
        if not process.returncode:
            return killed
        # A worker killed before it was ready may end the command: it might be a fault that stays.
        if killed == before:
            search.fail(process)


def kill_worker(process: subprocess.Popen[bytes]) -> bool:
    workers = [child for child in children(process) if is_worker(child)]
    with suppress(psutil.NoSuchProcess, IndexError):
        workers[0].kill()
        return True
    return False


def is_worker(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "archsearch.execution.worker" in process.cmdline()
    return False


# -- looking -------------------------------------------------------------------------------------------------


def lasting(path: Path) -> dict[str, str]:
    """All of a record that must not depend on who was killed when, in words."""
    with Record.open(path, read_only=True) as record:
        trials, judgements = record.trials()[0], record.judgements()
        said = {f"trial {trial.number}": repr(timeless(trial)) for trial in trials}
        said |= {f"judgement of trial {key[0]}": repr(value) for key, value in judgements.items()}
        said |= {f"proposal {each.number}": repr(each) for each in record.proposals("dense")}
        return said | {"waiting": repr(record.queued()), "total": str(record.total())}


def timeless(trial: TrialResult) -> tuple[Any, ...]:
    runs = []
    for run in trial.runs:
        epochs = tuple(replace(epoch, seconds=0.0, ended_at=0.0) for epoch in run.epochs)
        digest = hashlib.sha256(b"" if run.probabilities is None else run.probabilities.tobytes())
        runs.append((replace(run, epochs=epochs, seconds=0.0, probabilities=None), digest.hexdigest()))
    return replace(trial, runs=(), worker=None), *runs


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return [
        f"{name}:\n  undisturbed {one.get(name)}\n  disturbed   {other.get(name)}"
        for name in sorted(one.keys() | other.keys())
        if one.get(name) != other.get(name)
    ]


def faults(search: Searching, trials: int) -> list[str]:
    """What is wrong with a finished search, whatever became of its trials."""
    with Record.open(search.record, read_only=True) as record:
        recorded, mirrored, uid = record.trials()[0], record.mirrored(), record.header().uid
    found = []
    if [trial.number for trial in recorded] != list(range(trials)):
        found.append(f"trials {[trial.number for trial in recorded]}")
    found += [f"trial {trial.number} is {trial.status}" for trial in recorded if trial.status not in ENDS]
    if len({(trial.architecture, trial.recipe) for trial in recorded}) < trials:
        found.append("a training was repeated")
    assert mirrored is not None
    expected = Counter((trial.number, run.seed, ENDS[run.status]) for trial, run in trainings(recorded))
    there = Counter(mlflow_runs(search.mlflow, mirrored.experiment_id, uid))
    expected["all", "", "FINISHED"] += 1
    found += [f"MLflow lacks {run}" for run in expected - there]
    found += [f"MLflow has {run} besides" for run in there - expected]
    return found


def trainings(trials: tuple[TrialResult, ...]) -> list[tuple[TrialResult, TrainingRun]]:
    return [(trial, run) for trial in trials for run in trial.runs]


def mlflow_runs(uri: str, experiment: str, uid: str) -> Iterator[tuple[Any, Any, str]]:
    """Trial, seed and status of all runs of a search; of its own run, "all"."""
    from mlflow import MlflowClient

    for run in MlflowClient(uri).search_runs([experiment], f"tags.`archsearch.uid` = '{uid}'"):
        tags = run.data.tags
        if tags["archsearch.trial"] == "all":
            yield "all", "", run.info.status
        else:
            yield int(tags["archsearch.trial"]), int(tags["seed"]), run.info.status


# -- all of it -----------------------------------------------------------------------------------------------


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A real MLflow server, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"]
    words += ["--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    uri = f"http://127.0.0.1:{port}"
    try:
        while process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"{uri}/health", timeout=2):
                break
            time.sleep(0.3)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def main() -> int:
    parser = argparse.ArgumentParser(description="A search under fire beside the same one undisturbed.")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--worker-kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mlflow", metavar="URI")
    options = parser.parse_args()
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
    os.environ |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with tempfile.TemporaryDirectory() as passing:
        folder = Path(passing)
        if options.mlflow:
            return chaos(folder, options.mlflow, options)
        with server(folder) as uri:
            return chaos(folder, uri, options)


def chaos(folder: Path, mlflow: str, options: argparse.Namespace) -> int:
    rng = random.Random(options.seed)
    undisturbed = new_search(folder / "undisturbed", options.trials, mlflow)
    started = time.time()
    undisturbed.finish()
    whole = time.time() - started
    with Record.open(undisturbed.record, read_only=True) as record:
        first = record.trials()[0][0].runs[0].epochs[-1].ended_at - started
    print(f"undisturbed: {whole:.0f} s, {first:.1f} s until the first trial's end", flush=True)
    disturbed = new_search(folder / "disturbed", options.trials, mlflow)
    started = time.time()
    done = disturb(disturbed, options.kills, first, whole, rng)
    disturbed.finish()
    print(f"killed {dict(done)}: {time.time() - started:.0f} s", flush=True)
    found = faults(undisturbed, options.trials) + faults(disturbed, options.trials)
    found += differences(lasting(undisturbed.record), lasting(disturbed.record))
    if options.worker_kills:
        third = new_search(folder / "workers", options.trials, mlflow)
        print(f"killed {disturb_workers(third, options.worker_kills, rng)} workers", flush=True)
        found += faults(third, options.trials)
    print("\n".join(found) or "no difference")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

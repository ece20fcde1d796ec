"""Persistent worker processes on this machine."""

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from archsearch.errors import ArchsearchError, Refused, StorageFull
from archsearch.execution.executor import Event, RunEnded
from archsearch.execution.messages import Answer, DiskFull, Ready, Setup
from archsearch.records import Status, Training, TrainingRun
from archsearch.space.data_words import Data

LOG_TAIL = 600
MOST_FAILED_STARTS = 3


class WorkerPool:
    """Runs trainings in worker processes that load libraries and data once.

    Parameters
    ----------
    data : Data
        What the workers load.
    folder : Path
        What relative paths in `data` and the user's modules are looked up from.
    workers : int
        Processes; the machine's cores are shared out evenly between them.
    models : Path
        Folder for the delivered models.
    logs : Path
        Folder for what the workers print.
    arguments : mapping of str to mapping, optional
        What users' HyperModel classes are called with, by family.
    """

    def __init__(
        self,
        data: Data,
        folder: Path,
        workers: int,
        models: Path,
        logs: Path,
        arguments: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        require_backend()
        logs.mkdir(parents=True, exist_ok=True)
        self._setup = Setup(data, folder, models, arguments or {})
        threads = max(1, (os.cpu_count() or 1) // workers)
        self._workers = [_Worker(self._setup, threads, logs / f"worker-{n}.log") for n in range(workers)]

    @property
    def capacity(self) -> int:
        """How many trainings run at once."""
        return len(self._workers)

    def submit(self, training: Training) -> None:
        """Give `training` to a worker that has none, one that is ready before one that still starts."""
        idle = [worker for worker in self._workers if worker.training is None]
        min(idle, key=lambda worker: not worker.ready).start_training(training)

    def poll(self, timeout: float) -> Sequence[Event]:
        """Wait at most `timeout` seconds for something to happen."""
        by_pipe = {worker.pipe: worker for worker in self._workers}
        events: list[Event] = []
        for pipe in wait(list(by_pipe), timeout):
            events.extend(by_pipe[pipe].receive())  # type: ignore[index]
        return events

    def answer(self, trial: int, *, go_on: bool) -> None:
        """Tell the worker that trains `trial` whether to go on."""
        for worker in self._workers:
            if worker.training and worker.training.trial == trial:
                worker.send(Answer(go_on))

    def close(self) -> None:
        """Kill the workers; they hold nothing that is not recorded."""
        for worker in self._workers:
            worker.kill()


def require_backend() -> None:
    """Check that the library Keras is to run on is installed, without importing it.

    Raises
    ------
    Refused
        With the command that installs it.
    """
    chosen = os.environ.get("KERAS_BACKEND")
    backend = chosen or "tensorflow"
    if importlib.util.find_spec(backend) is not None:
        return
    if chosen and chosen != "tensorflow":
        raise Refused(
            f"KERAS_BACKEND is {chosen}, which is not installed: install it, or unset KERAS_BACKEND"
        )
    raise Refused(
        "TensorFlow is not installed: install archsearch with its extra 'cpu', or 'gpu' on a machine with an "
        "NVIDIA GPU (pip install '.[cpu]' in a checkout)"
    )


class _Worker:
    """One process, its pipe, and the training it has."""

    def __init__(self, setup: Setup, threads: int, log: Path) -> None:
        self._setup, self._threads, self._log = setup, threads, log
        self._has_been_ready = False
        self._failed_starts = 0
        self._spawn()

    def _spawn(self) -> None:
        self.training: Training | None = None
        self.ready = False
        self._seeds_left: list[int] = []
        self.pipe, far_end = Pipe()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "archsearch.execution.worker", str(far_end.fileno())],
                pass_fds=[far_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | _environment(self._threads),
                start_new_session=True,  # Ctrl-C is the driver's to handle
            )
        far_end.close()
        self.send(self._setup)

    def start_training(self, training: Training) -> None:
        self.training = training
        self._seeds_left = list(training.seeds)
        self.send(training)

    def send(self, message: Setup | Training | Answer) -> None:
        try:
            self.pipe.send(message)
        except OSError:
            # The process has just died: `receive` will find the pipe's end and say so.
            return

    def receive(self) -> list[Event]:
        try:
            message = self.pipe.recv()
        except (EOFError, OSError):
            return self._died()
        if isinstance(message, DiskFull):
            raise StorageFull(
                f"{message.path}: can't be written: the disk is full. Everything up to now is saved; "
                "repeat the command once there is room"
            )
        if isinstance(message, Ready):
            self.ready = self._has_been_ready = True
            return []
        if isinstance(message, RunEnded):
            self._seeds_left.remove(message.run.seed)
            if message.run.status is not Status.COMPLETED or not self._seeds_left:
                self.training = None
        return [message]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.pipe.close()

    def _died(self) -> list[Event]:
        """Replace the process; what it was training has failed."""
        code = self._process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        tail = " ".join(self._log.read_text(errors="replace")[-LOG_TAIL:].split())
        self._failed_starts = 0 if self.ready else self._failed_starts + 1
        # One that has trained before may have been short of memory for a moment.
        if self._failed_starts > (MOST_FAILED_STARTS if self._has_been_ready else 0):
            raise ArchsearchError(f"a worker process {how} before it could train ({self._log}): {tail}")
        training, seeds = self.training, self._seeds_left
        self.pipe.close()
        self._spawn()
        if training is None:
            return []
        reason = f"the worker process {how}" + (f"; it last printed: {tail}" if tail else "")
        return [RunEnded(training.trial, TrainingRun(seeds[0], Status.FAILED, reason=reason))]


def _environment(threads: int) -> dict[str, str]:
    count = str(threads)
    return {
        "OMP_NUM_THREADS": count,
        "TF_NUM_INTRAOP_THREADS": count,
        "TF_NUM_INTEROP_THREADS": count,
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # Several workers may share a GPU: none may take all of its memory at its start.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }

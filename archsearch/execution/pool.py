"""Persistent worker processes on this machine."""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from archsearch.errors import ArchsearchError, DataError, Refused, StorageFull
from archsearch.execution.child import Child, ChildEnded
from archsearch.execution.executor import Event, RunEnded
from archsearch.execution.messages import Answer, DiskFull, OtherData, Ready, Setup
from archsearch.records import Ending, Status, Training, TrainingRun
from archsearch.space.data_words import Data

MOST_FAILED_STARTS = 3

# TensorFlow keeps about 27 MiB of each training in a process: after so many they are more than 1 GiB.
MOST_TRAININGS = 50


class WorkerPool:
    """Runs trainings in worker processes that load libraries and data once.

    Parameters
    ----------
    data : Data
        What the workers load.
    fingerprint : str
        Of the data set that the search began with; a worker that loads another ends the search.
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
        fingerprint: str,
        folder: Path,
        workers: int,
        models: Path,
        logs: Path,
        arguments: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        require_backend()
        logs.mkdir(parents=True, exist_ok=True)
        self._setup = Setup(data, fingerprint, folder, models, arguments or {})
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
        wait([worker.child.pipe for worker in self._workers], timeout)
        return [event for worker in self._workers if worker.child.has_news() for event in worker.receive()]

    def answer(self, trial: int, ending: Ending | None) -> None:
        """Tell the worker that trains `trial` how to end its training; None lets it go on."""
        for worker in self._workers:
            if worker.training and worker.training.trial == trial:
                worker.child.send(Answer(ending))

    def close(self) -> None:
        """Kill the workers; they hold nothing that is not recorded."""
        for worker in self._workers:
            worker.child.kill()


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
    """One process at a time, and the training it has."""

    def __init__(self, setup: Setup, threads: int, log: Path) -> None:
        self._setup, self._threads, self._log = setup, threads, log
        self._has_been_ready = False
        self._failed_starts = 0
        self._spawn()

    def respawn(self) -> None:
        """Have another process in place of this one."""
        self.child.kill()
        self._spawn()

    def _spawn(self) -> None:
        self.training: Training | None = None
        self.ready = False
        self._seeds_left: list[int] = []
        self._trained = 0
        self.child = Child("archsearch.execution.worker", self._log.open("w+b"), _environment(self._threads))
        self.child.send(self._setup)

    def start_training(self, training: Training) -> None:
        if self._trained >= MOST_TRAININGS:
            self.respawn()
        self.training = training
        self._seeds_left = list(training.seeds)
        self.child.send(training)

    def receive(self) -> list[Event]:
        try:
            message = self.child.receive()
        except ChildEnded as ended:
            return self._died(ended)
        if isinstance(message, DiskFull):
            raise StorageFull(
                f"{message.path}: can't be written: the disk is full. Everything up to now is saved; "
                "repeat the command once there is room"
            )
        if isinstance(message, OtherData):
            raise DataError(
                f"data: {self._setup.data.origin} gave other samples in a worker than in the search: make it "
                "give the same each time (seed its random numbers)"
            )
        if isinstance(message, Ready):
            self.ready = self._has_been_ready = True
            return []
        if isinstance(message, RunEnded):
            self._trained += 1
            self._seeds_left.remove(message.run.seed)
            if not message.run.status.has_result or not self._seeds_left:
                self.training = None
        return [message]

    def _died(self, ended: ChildEnded) -> list[Event]:
        """Replace the process; what it was training has failed."""
        self._failed_starts = 0 if self.ready else self._failed_starts + 1
        # One that has trained before may have been short of memory for a moment.
        if self._failed_starts > (MOST_FAILED_STARTS if self._has_been_ready else 0):
            raise ArchsearchError(
                f"a worker process {ended.how} before it could train ({self._log}): {ended.printed}"
            )
        training, seeds = self.training, self._seeds_left
        self.respawn()
        if training is None:
            return []
        run = TrainingRun(seeds[0], Status.FAILED, reason=f"the worker process {ended}")
        return [RunEnded(training.trial, run)]


def _environment(threads: int) -> dict[str, str]:
    count = str(threads)
    return {
        "OMP_NUM_THREADS": count,
        "TF_NUM_INTRAOP_THREADS": count,
        "TF_NUM_INTEROP_THREADS": count,
        # Several workers may share a GPU: none may take all of its memory at its start.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }

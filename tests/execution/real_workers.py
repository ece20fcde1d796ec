"""Worker processes on the digits, and trainings for them."""

import time
from pathlib import Path

from archsearch.architecture import Architecture, DenseBlock, HyperModelArchitecture
from archsearch.data.sources import load
from archsearch.execution import EpochEnded, Setup, Slot
from archsearch.execution.limits import Limits
from archsearch.execution.machine import GIB
from archsearch.execution.pool import WorkerPool
from archsearch.records import Recipe, Training
from archsearch.space.data_words import Data

DIGITS = Data(source="digits")
FINGERPRINT = load(DIGITS).fingerprint
LIMITS = Limits(memory=4 * GIB, epoch_seconds=300)
ON_CPU = {"CUDA_VISIBLE_DEVICES": "-1", "OMP_NUM_THREADS": "1"}


HERE = Path(__file__).parent


def setup_in(tmp_path, fingerprint=FINGERPRINT, folder=HERE):
    return Setup(DIGITS, fingerprint, folder, tmp_path / "models")


def workers(tmp_path, count, limits=LIMITS, gpu=None, remark=lambda _: None, **words):
    """Workers on the CPU, whatever `gpu` they were given; `remark` is told what the user should know."""
    slots = [Slot(f"worker {number}", gpu, ON_CPU) for number in range(count)]
    return WorkerPool(setup_in(tmp_path, **words), slots, limits, tmp_path / "logs", remark)


def training(trial, epochs=2, seeds=(0,), hypermodel=None):
    """A tiny network, or a HyperModel of `harmful_hypermodels` or of another module."""
    recipe = Recipe(epochs, 128, "adam", 3e-3, None)
    architecture = Architecture("dense", (DenseBlock(8),))
    if hypermodel:
        reference = hypermodel if ":" in hypermodel else f"harmful_hypermodels:{hypermodel}"
        architecture = HyperModelArchitecture("mine", reference)
    return Training(trial, architecture, recipe, seeds)


def events(executor, until, seconds=300):
    """Everything that happens, epochs unanswered, until `until` of it is true."""
    seen, deadline = [], time.monotonic() + seconds
    while not until(seen):
        assert time.monotonic() < deadline, seen
        seen.extend(executor.poll(0.2))
    return seen


def answered(executor, runs, ending=lambda _: None):
    """Answer every epoch until `runs` trainings have ended; epochs and ended trainings."""
    epochs, ended = [], []
    deadline = time.monotonic() + 300
    while len(ended) < runs:
        assert time.monotonic() < deadline, (epochs, ended)
        for event in executor.poll(0.2):
            if isinstance(event, EpochEnded):
                epochs.append(event)
                executor.answer(event.trial, event.seed, ending(event))
            else:
                ended.append(event)
    return epochs, ended


def worker_of(pool, trial):
    """The pool's worker that has a trial."""
    return next(worker for worker in pool._workers if worker.training and worker.training.trial == trial)

"""Trainings an hour with 1, 2, 4 and 8 workers on one GPU, and what eight seeds in one JAX program cost.

    python benchmarks/gpu.py [--trainings 32] [--epochs 10]

Small CNNs on made-up images of 32×32 pixels, trained by the real command on the first GPU that is visible.
First all of them under TensorFlow, with more and more workers. Then a quarter of them under JAX with one
worker: with one seed each, and with eight seeds each in one program. Time runs from the start of the first
epoch to the end of the last. Figures are of the machine, whose cores feed the GPU: there is no limit.

Exit code 2 says that there is no GPU, or that trainings did not use it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import yaml
from environment import environment_line

from archsearch.execution.devices import visible_gpus
from archsearch.records import Status, TrainingRun
from archsearch.study import Record

WORKERS = (1, 2, 4, 8)
SEEDS = 8
IMAGES, SIDE, CLASSES = 10_000, 32, 10
REFUSED = 2

STACKS = tuple(
    f"conv {filters}·{2 * filters} {kernel}×{kernel} max → flatten → dense {width}"
    for filters, kernel, width in product((8, 16, 32, 64), (3, 5), (32, 64, 128, 256))
)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a search has trained: how many runs, each of one seed, and in how many seconds."""

    runs: int
    seconds: float

    @property
    def hourly(self) -> float:
        """Runs an hour at this pace."""
        return 3600 * self.runs / self.seconds


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trainings", type=int, choices=range(4, len(STACKS) + 1), default=32, metavar="N")
    parser.add_argument("--epochs", type=int, default=10)
    given = parser.parse_args()
    if not visible_gpus():
        refuse("no GPU here may be used: nvidia-smi lists none, or CUDA_VISIBLE_DEVICES hides it")
    print(environment_line("tensorflow", "jax", "keras"), flush=True)
    if shutil.which("nvidia-smi"):
        subprocess.run(["nvidia-smi", "-L"])
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with tempfile.TemporaryDirectory() as passing:
        folder = Path(passing)
        make_up_images(folder / "images.npz")
        by_workers(folder, given.trainings, given.epochs)
        by_seeds(folder, given.trainings // 4, given.epochs)
    return 0


def refuse(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(REFUSED)


def make_up_images(path: Path) -> None:
    """Noise, a little brighter with each class."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, IMAGES)
    images = rng.integers(0, 160, (IMAGES, SIDE, SIDE, 3), np.uint8)
    np.savez(path, x=images + labels.astype(np.uint8)[:, None, None, None] * 8, y=labels)


def by_workers(folder: Path, count: int, epochs: int) -> None:
    print(f"\n{count} trainings of {epochs} epochs, TensorFlow")
    print(f"{'workers':>7}{'an hour':>10}{'beside one':>12}")
    alone = 0.0
    for workers in WORKERS:
        words = space(STACKS[:count], epochs, execution={"workers": workers, "gpus": 1})
        hourly = trained(folder, words, "tensorflow").hourly
        alone = alone or hourly
        print(f"{workers:>7}{hourly:>10.0f}{hourly / alone:>11.2f}×", flush=True)


def by_seeds(folder: Path, count: int, epochs: int) -> None:
    print(f"\n{count} architectures of {epochs} epochs, JAX, one worker\n{'seeds':>7}{'seconds':>10}")
    seconds = []
    for seeds in (1, SEEDS):
        words = space(STACKS[:count], epochs, seeds, {"workers": 1, "gpus": 1})
        seconds.append(trained(folder, words, "jax").seconds)
        print(f"{seeds:>7}{seconds[-1]:>10.1f}", flush=True)
    print(f"{SEEDS} seeds in one program took {seconds[1] / seconds[0]:.2f} times as long as one")


def space(stacks: Sequence[str], epochs: int, seeds: int = 1, execution: Any = None) -> dict[str, Any]:
    """The words of a search that trains the stacks and nothing else."""
    return {
        "name": "stacks",
        "data": {"npz": "images.npz"},
        "architectures": {f"stack-{number}": stack for number, stack in enumerate(stacks)},
        "training": {"epochs": epochs, "seeds": seeds, "batch_size": 64, "early_stopping": "off"},
        "search": {"sampler": "none"},
        "execution": execution,
    }


def trained(folder: Path, words: dict[str, Any], backend: str) -> Trained:
    """Search by the real command, in a store of its own."""
    (folder / "stacks.yaml").write_text(yaml.safe_dump(words, sort_keys=False))
    with tempfile.TemporaryDirectory(dir=folder) as store:
        command = [sys.executable, "-m", "archsearch", "run", "stacks.yaml", "--quiet", "--store", store]
        environment = {**os.environ, "KERAS_BACKEND": backend}
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"archsearch ended with exit code {done.returncode} under {backend}")
        (path,) = Path(store).glob("searches/*/record.sqlite")
        with Record.open(path, read_only=True) as record:
            runs = [run for trial in record.trials()[0] for run in trial.runs]
    require_on_gpu(runs, backend)
    epochs = [epoch for run in runs for epoch in run.epochs]
    began = min(epoch.ended_at - epoch.seconds for epoch in epochs)
    return Trained(len(runs), max(epoch.ended_at for epoch in epochs) - began)


def require_on_gpu(runs: Sequence[TrainingRun], backend: str) -> None:
    """Check that all were trained to their end, and not on the CPU."""
    if any(run.environment["device"] == "cpu" for run in runs):
        refuse(f"{backend} does not see the GPU: trainings used the CPU; install its build for GPUs")
    if any(run.status is not Status.COMPLETED for run in runs):
        sys.exit(f"not all trainings completed: {sorted({str(run.status) for run in runs})}")


if __name__ == "__main__":
    sys.exit(main())

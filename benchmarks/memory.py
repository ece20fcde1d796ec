"""Resident memory of a search of 200 small trials, beside a plain Keras loop in one process.

Run it with the interpreter of the environment: ``.venv/bin/python benchmarks/memory.py [TRIALS]``.

Of archsearch it is that of all its processes together, driver, worker and whatever else they start, looked at
every half second; of the loop, that of its process. The loop clears Keras' session before each network.
"""

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from environment import environment_line

TRIALS, EARLY, FEW = 200, 20, 10
LIMIT = 1.2
SECONDS_BETWEEN = 0.5
MIB = 2**20

SPACE = """\
name: many
data: digits
families:
  dense: {depth: {low: 1, high: 4}, narrowest: [8, 16], widest: [32, 64], dropout: [0.0, 0.2]}
training: {epochs: 3, batch_size: 64, learning_rate: {low: 1e-3, high: 1e-2, log: true}}
search: {pruner: none, seed: 0}
execution: {workers: 1}
"""

LOOP = """
import numpy as np, psutil, keras, sys
from keras import layers
from sklearn.datasets import load_digits
x, y = load_digits(return_X_y=True)
x = (x / 16).astype("float32")
rng = np.random.default_rng(0)
for trial in range(1, int(sys.argv[1]) + 1):
    keras.backend.clear_session()
    stack = [layers.Dense(width, "relu") for width in rng.integers(8, 64, rng.integers(1, 5)).tolist()]
    model = keras.Sequential([keras.Input((64,)), *stack, layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x[:1079], y[:1079], validation_data=(x[1079:1438], y[1079:1438]),
              epochs=3, batch_size=64, verbose=0)
    print(trial, psutil.Process().memory_info().rss, flush=True)
"""


@dataclass(frozen=True, slots=True)
class Look:
    """Resident memory, in bytes, when so many trials had ended."""

    trials: int
    resident: int


def search(folder: Path, trials: int) -> Iterator[Look]:
    (folder / "many.yaml").write_text(SPACE)
    words = [sys.executable, "-m", "archsearch", "run", "many.yaml", "--quiet", "--trials", str(trials)]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            while process.poll() is None:
                yield Look(ended(folder), resident(psutil.Process(process.pid)))
                time.sleep(SECONDS_BETWEEN)
        finally:
            process.kill()
    if process.returncode:
        sys.exit(f"archsearch ended with exit code {process.returncode}")


def ended(folder: Path) -> int:
    for record in folder.glob("mlruns/searches/*/record.sqlite"):
        with closing(sqlite3.connect(f"{record.as_uri()}?mode=ro", uri=True, timeout=30)) as db:
            count = "SELECT count(*) FROM trials WHERE status NOT IN ('queued', 'running')"
            return int(db.execute(count).fetchone()[0])
    return 0


def resident(process: psutil.Process) -> int:
    """Of a process and all below it; pages that they share count for each."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
    return total


def loop(folder: Path, trials: int) -> Iterator[Look]:
    words = [sys.executable, "-c", LOOP, str(trials)]
    done = subprocess.run(words, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    for line in done.stdout.splitlines():
        yield Look(*map(int, line.split()))


def row(name: str, looks: list[Look], trials: int) -> float:
    """Print a side's row; resident memory at the end over that after 20 trials."""
    early = statistics.median(look.resident for look in looks if EARLY <= look.trials < EARLY + FEW)
    # After the last one the workers are gone.
    late = statistics.median(look.resident for look in looks if trials - FEW <= look.trials < trials)
    most = max(look.resident for look in looks if look.trials >= EARLY)
    print(f"{name:<14}", *(f"{value / MIB:>12,.0f}" for value in (early, late, most)), sep="", end="")
    print(f"{late / early:>12.2f}{most / early:>12.2f}", flush=True)
    return late / early


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trials", nargs="?", type=int, default=TRIALS)
    trials = parser.parse_args().trials
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
    print(environment_line("tensorflow", "keras", "mlflow"))
    print(f"{trials} trials; MiB resident, medians of trials {EARLY} to {EARLY + FEW} and of the last {FEW}")
    columns = (f"after {EARLY}", "at the end", "at most", "end/early", "most/early")
    print(" " * 14, *(f"{column:>12}" for column in columns), sep="")
    with tempfile.TemporaryDirectory() as passing:
        ratio = row("archsearch", list(search(Path(passing), trials)), trials)
        row("plain loop", list(loop(Path(passing), trials)), trials)
    print(f"limit of end/early for archsearch: {LIMIT}")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

"""How long the same command takes until it trains again, in a search that has 1,000 trials of 100 epochs.

Run it with the interpreter of the environment: ``.venv/bin/python benchmarks/resume.py``.

The real command makes the search with one trial; 999 more are played into its record, and brought to MLflow
by the command as well. Then it is started again for more: from its start to the start of the first epoch that
is trained, all imports and the data included. A signal ends it there. Beside it what nobody can do without:
the import of TensorFlow.
"""

import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from driver import fill_space, played
from environment import environment_line
from played import EPOCHS, SPACE, Player

from archsearch.study import Record

ROUNDS = 3
TRIALS = 1_000
LIMIT = 12.0
INTERRUPTED = 75


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "archsearch", "run", "played.yaml", "--quiet", *words]


def run(folder: Path, *words: str) -> float:
    started = time.perf_counter()
    subprocess.run(command(*words), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def resumed(folder: Path, record: Path) -> float:
    """Seconds from the command's start to that of its first epoch."""
    started = time.time()
    words = command("--trials", str(TRIALS + 50))
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            while (began := first_epoch(record, started)) is None:
                if process.poll() is not None:
                    sys.exit(f"archsearch ended with exit code {process.returncode} before it trained")
                time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            if process.wait(60) != INTERRUPTED:
                sys.exit(f"archsearch ended with exit code {process.returncode}, not {INTERRUPTED}")
        finally:
            process.kill()
    return began - started


def first_epoch(record: Path, after: float) -> float | None:
    """When the first epoch began of those that ended after a time."""
    with closing(sqlite3.connect(f"{record.as_uri()}?mode=ro", uri=True, timeout=30)) as db:
        query = "SELECT min(ended_at - seconds) FROM epochs WHERE trial >= ? AND ended_at > ?"
        (began,) = db.execute(query, (TRIALS, after)).fetchone()
        return began


def importing() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import tensorflow"], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> int:
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
    print(environment_line("tensorflow", "keras", "mlflow"))
    with tempfile.TemporaryDirectory() as passing:
        folder = Path(passing)
        (folder / "played.yaml").write_text(SPACE)
        run(folder, "--trials", "1")
        (path,) = folder.glob("mlruns/searches/*/record.sqlite")
        with Record.open(path) as record:
            filling = played(record, fill_space(), Player(), TRIALS)
        print(f"{TRIALS} trials x {EPOCHS} epochs played: {filling:.0f} s", flush=True)
        print(
            f"ranked, reported, brought to MLflow: {run(folder, '--trials', str(TRIALS)):.0f} s", flush=True
        )
        pairs = [(resumed(folder, path), importing()) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"until the first new training  {ours:6.1f} s (limit {LIMIT:.0f}); ", end="")
    print(f"import tensorflow {theirs:.1f} s; medians of {ROUNDS} rounds")
    return int(ours > LIMIT)


if __name__ == "__main__":
    sys.exit(main())

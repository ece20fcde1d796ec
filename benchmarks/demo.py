"""Where the wall time of the main job goes: ``archsearch run digits`` in a fresh folder, and once more.

Run it with the interpreter of the environment: ``.venv/bin/python benchmarks/demo.py [SPACE]``.

The driver works beside its worker processes. What it does between two waits (asking the sampler, recording,
diagnosing, showing progress) is timed by itself and recorded with the session: an upper bound of what the
workers can have waited for it. Judging all trials, the report and the last of MLflow come after the training.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from environment import environment_line

from archsearch.study import Record

LIMIT = 0.05


def run(space: str, folder: str) -> float:
    started = time.time()
    words = [sys.executable, "-m", "archsearch", "run", space, "--quiet"]
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.time() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("space", nargs="?", default="digits")
    space = parser.parse_args().space
    print(environment_line("tensorflow", "keras"), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        started = time.time()
        wall = run(space, folder)
        again = run(space, folder)
        (path,) = Path(folder).glob("mlruns/searches/*/record.sqlite")
        with Record.open(path, read_only=True) as record:
            trials, session = record.trials()[0], record.sessions()[0]
    epochs = [epoch for trial in trials for run_ in trial.runs for epoch in run_.epochs]
    trained = sum(run_.seconds for trial in trials for run_ in trial.runs)
    first = min(epoch.ended_at - epoch.seconds for epoch in epochs)
    last = max(epoch.ended_at for epoch in epochs)
    starting, training, ending = first - started, last - first, started + wall - last
    trainings = f"{len(trials)} trials, {len(epochs)} epochs, {trained:.1f} s of training"
    print(f"{trainings} in {session.workers} workers")
    print(f"wall time                                   {wall:7.1f} s")
    print(f"  until the first epoch (imports, data)     {starting:7.1f} s  {starting / wall:6.1%}")
    print(f"  training                                  {training:7.1f} s  {training / wall:6.1%}")
    print(f"    workers busy                            {trained / session.workers / training:16.1%}")
    print(f"    the driver's own work (limit {LIMIT:.0%})         {session.driver_seconds:7.1f} s  ", end="")
    print(f"{session.driver_seconds / training:6.1%}")
    print(f"  after the last epoch (judge, report, MLflow) {ending:4.1f} s  {ending / wall:6.1%}")
    print(f"the same command again                      {again:7.1f} s")


if __name__ == "__main__":
    main()

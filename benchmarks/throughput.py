"""24 trainings by archsearch, by KerasTuner, by Optuna with MLflow, and by hand.

    python benchmarks/throughput.py [--rounds N] [--only SIDE ...]

Six stacks of the digits, four seeds each, 20 epochs of batches of 64, with batch normalisation and dropout.
archsearch tracks, judges and reports everything; the limit trains and measures, and does nothing else. Each
side is one command in an empty folder, timed from its start to its exit; the sides of a round follow each
other. Ratios are of one round, the table shows the medians. Exit code 1 says that a limit is missed.

A machine that is busy with something else makes processor seconds the better figure of the two.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from environment import environment_line
from throughput_peers import BATCH_SIZE, EPOCHS, LEARNING_RATE, SEEDS, STACKS

from archsearch.records import Status
from archsearch.study import Record

SIDES = ("limit", "archsearch", "kerastuner", "optuna")

# What archsearch's wall time may be of each other side's.
LIMITS = {"kerastuner": 0.27, "optuna": 0.25, "limit": 1.2}

SPACE = {
    "name": "stacks",
    "data": "digits",
    "architectures": {
        name: {"dense": [{"width": width, "dropout": rate, "batch_norm": True} for width, rate in stack]}
        for name, stack in STACKS.items()
    },
    "training": {
        "epochs": EPOCHS,
        "seeds": SEEDS,
        "batch_size": BATCH_SIZE,
        "learning_rate": LEARNING_RATE,
        "early_stopping": "off",
    },
    "execution": {"workers": 2},
}


def command(side: str, folder: Path) -> list[str]:
    if side != "archsearch":
        return [sys.executable, str(Path(__file__).with_name("throughput_peers.py")), side]
    (folder / "stacks.yaml").write_text(yaml.safe_dump(SPACE, sort_keys=False))
    return [sys.executable, "-m", "archsearch", "run", "stacks.yaml", "--json", "--quiet"]


def timed(side: str) -> tuple[float, float]:
    """Wall and processor seconds of one side, all of its processes together."""
    with tempfile.TemporaryDirectory() as passing:
        folder = Path(passing)
        words, before = command(side, folder), processor_seconds()
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (folder / "printed").open("w+") as printed:
            started = time.perf_counter()
            done = subprocess.run(words, cwd=folder, env=environment, stdout=printed, stderr=printed)
            wall = time.perf_counter() - started
        if done.returncode:
            sys.exit(f"{side} ended with exit code {done.returncode}:\n{(folder / 'printed').read_text()}")
        if side == "archsearch":
            require_complete(folder)
        return wall, processor_seconds() - before


def processor_seconds() -> float:
    """Of all processes that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def require_complete(folder: Path) -> None:
    """Check that everything was trained, judged, tracked and reported."""
    from mlflow import MlflowClient

    result = json.loads((folder / "printed").read_text().splitlines()[-1])
    with Record.open(folder / f"mlruns/searches/{result['search']}/record.sqlite", read_only=True) as record:
        trials, judged = record.trials()[0], len(record.judgements())
    epochs = [len(run.epochs) for trial in trials for run in trial.runs]
    assert [trial.status for trial in trials] == [Status.COMPLETED] * len(STACKS)
    assert epochs == [EPOCHS] * len(STACKS) * SEEDS
    assert judged == len(epochs)
    runs = MlflowClient(result["tracking_uri"]).search_runs([result["experiment_id"]])
    assert len(runs) == len(epochs) + 1
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert (folder / result["report"]).is_file()


def main() -> int:
    parser = argparse.ArgumentParser(description="archsearch's throughput beside its peers'.")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=SIDES, default=SIDES, metavar="SIDE")
    options = parser.parse_args()
    print(environment_line("tensorflow", "keras", "keras-tuner", "optuna", "mlflow"), flush=True)
    rounds: list[dict[str, tuple[float, float]]] = []
    for number in range(options.rounds):
        rounds.append({})
        for side in options.only:
            load = os.getloadavg()[0]
            rounds[-1][side] = timed(side)
            wall, processor = rounds[-1][side]
            print(
                f"round {number + 1}: {side:<10} {wall:6.1f} s, {processor:6.1f} processor seconds "
                f"(load before it {load:.1f})",
                flush=True,
            )
    return report(rounds, options.only)


def report(rounds: list[dict[str, tuple[float, float]]], sides: list[str]) -> int:
    """Print the table; 1 if a limit is missed."""
    print(f"\n{'':<12}{'seconds':>9}{'processor':>11}{'archsearch is':>15}{'limit':>7}")
    missed = False
    for side in sides:
        wall, processor = (statistics.median(times[side][place] for times in rounds) for place in (0, 1))
        row = f"{side:<12}{wall:>9.1f}{processor:>11.1f}"
        if side in LIMITS and "archsearch" in sides:
            ratio = statistics.median(times["archsearch"][0] / times[side][0] for times in rounds)
            missed |= ratio > LIMITS[side]
            row += f"{ratio:>15.2f}{LIMITS[side]:>7.2f}"
        print(row)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

"""What the driver of a search costs at its 1,000th trial, and how long workers wait for it.

Run it with the interpreter of the environment: ``.venv/bin/python benchmarks/driver.py [SECONDS]``.

Trainings are played: a search of two families with 13 and 15 parameters and 100 epochs a trial is filled to
990 trials, proposed at random. Then TPE proposes 20 more, the median pruner looks at each epoch, all is
recorded and judged with its confidence, and mirrored to MLflow on SQLite by a process beside it. Two workers
with trials of two seconds follow, for SECONDS (60); they wait for the driver's answer at each epoch's end, 50
times a second.

Beside it the same 20 trials asked of KerasTuner's BayesianOptimization and told to it, 990 random ones before
them, and of Optuna on SQLite; neither gets epochs or tracks anything.
"""

import argparse
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from environment import environment_line
from played import EPOCHS, SPACE, Player

from archsearch.data.references import class_frequencies, linear_model, summarise
from archsearch.data.sources import load
from archsearch.space import SearchSpace
from archsearch.study import Header, Record, Search
from archsearch.tracking import Artifacts, Closing, Following, Tracking

FILLED, MEASURED = 990, 20
LIMIT, IDLE_LIMIT = 0.3, 0.05
WORKERS, TRIAL_SECONDS = 2, 2.0

# The searched parameters again, for the peers: names, and how many values each has.
CHOICES = {f"choice {number}": 2 + number % 3 for number in range(10)}
FLOATS = tuple(f"float {number}" for number in range(4))


@dataclass(frozen=True, slots=True)
class Waited:
    """Of workers: the share of time in which they had nothing to do, and the trials they did."""

    idle: float
    trials: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seconds", nargs="?", type=float, default=60.0, help="how long workers train")
    seconds = parser.parse_args().seconds
    print(environment_line("keras-tuner", "mlflow", "optuna"))
    with tempfile.TemporaryDirectory() as passing:
        folder = Path(passing)
        with new_record(folder / "record.sqlite", space()) as record:
            filling = played(record, fill_space(), Player(), FILLED)
            print(f"{FILLED} trials x {EPOCHS} epochs played: {filling:.0f} s", flush=True)
            searching, mirroring, waiting_for_it = driver_seconds(record, folder)
            waited = waiting(record, folder, seconds)
        peers = {
            "KerasTuner": kerastuner_seconds(folder),
            "Optuna on SQLite": optuna_seconds(folder),
        }
    ours = searching / MEASURED
    print(f"\nseconds a trial, trials {FILLED} to {FILLED + MEASURED}")
    print(f"  archsearch (limit {LIMIT})         {ours:6.3f}")
    print(f"    beside it, processor of MLflow {mirroring / MEASURED:6.3f}")
    print(f"    MLflow's rest, after the last  {waiting_for_it / MEASURED:6.3f}")
    for name, each in peers.items():
        print(f"  {name:<18} ask and tell  {each:6.3f}")
    print(f"{WORKERS} workers, {waited.trials} trials of {TRIAL_SECONDS:g} s: ", end="")
    print(f"idle {waited.idle:.1%} (limit {IDLE_LIMIT:.0%})")
    sys.exit(int(ours > LIMIT or waited.idle > IDLE_LIMIT))


def space() -> SearchSpace:
    return SearchSpace.from_mapping(yaml.safe_load(SPACE))


def fill_space() -> SearchSpace:
    """The same space, searched at random and without a pruner: TPE and the pruner then know 990 trials."""
    words = yaml.safe_load(SPACE)
    words["search"] |= {"sampler": "random", "pruner": "none"}
    return SearchSpace.from_mapping(words)


def new_record(path: Path, searched: SearchSpace) -> Record:
    dataset = load(searched.data, Path())
    header = Header(
        id="played-1",
        uid="played",
        name=searched.name,
        fingerprint=searched.fingerprint,
        created_at=time.time(),
        space=searched.model_dump(mode="json", exclude_none=True),
        identity=searched.identity,
        space_text=searched.text,
        versions={},
        data=summarise(dataset, searched.data.origin, ()),
        references=(class_frequencies(dataset), linear_model(dataset)),
    )
    return Record.create(path, header)


def played(
    record: Record, of: SearchSpace, player: Player, total: int, seconds: float | None = None
) -> float:
    """Play until there are `total` trials or a signal comes; the seconds it took, without the start."""
    record.begin_session("benchmarks/driver.py", player.capacity, total)
    search = Search(of, record, player, lambda _: None)
    stop = threading.Event()
    # No deadline: near one the driver starts no trial that would not end in time.
    if seconds is not None:
        threading.Timer(seconds, stop.set).start()
    started = time.perf_counter()
    outcome = search.run(total, None, stop)
    took = time.perf_counter() - started
    record.end_session(outcome, search.driver_seconds)
    return took


def mirrored(record: Record, folder: Path) -> Following:
    """A mirror that has brought MLflow into line, and goes on."""
    tracking = Tracking.choose(None, folder / "mlflow.db", folder / "artifacts")
    mirror = Following(tracking, record.snapshot(), record.path)
    while mirror.revision < record.revision():
        time.sleep(0.1)
        assert not mirror.fault, mirror.fault
    return mirror


def driver_seconds(record: Record, folder: Path) -> tuple[float, float, float]:
    """Seconds of some trials, processor seconds of the process that mirrors them, the wait for its end."""
    mirror = mirrored(record, folder)
    (process,) = psutil.Process().children()
    before = sum(process.cpu_times()[:2])
    searching = played(record, space(), Player(), FILLED + MEASURED)
    ended = processor_seconds_of_children()
    waited = closed(mirror)
    return searching, processor_seconds_of_children() - ended - before, waited


def processor_seconds_of_children() -> float:
    """Of those that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def closed(mirror: Following) -> float:
    started = time.perf_counter()
    assert mirror.finish(Closing("interrupted", None, Artifacts()), 120), mirror.fault
    return time.perf_counter() - started


def waiting(record: Record, folder: Path, seconds: float) -> Waited:
    """How long two workers with short trials wait for the driver, MLflow beside it."""
    mirror, before = mirrored(record, folder), len(record.trials(with_runs=False)[0])
    player = Player(WORKERS, TRIAL_SECONDS)
    played(record, space(), player, 10_000, seconds)
    # Until the first trial is asked for nobody could know what to train.
    took = time.perf_counter() - player.started[0]
    closed(mirror)
    trials = len(record.trials(with_runs=False)[0]) - before
    return Waited(1 - player.busy / (WORKERS * took), trials)


def kerastuner_seconds(folder: Path) -> float:
    import keras_tuner

    hyperparameters = keras_tuner.HyperParameters()
    for name, count in CHOICES.items():
        hyperparameters.Choice(name, list(range(count)))
    for name in FLOATS:
        hyperparameters.Float(name, 0.0, 1.0)
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(
        keras_tuner.Objective("val_loss", "min"),
        max_trials=FILLED + MEASURED,
        num_initial_points=FILLED,
        hyperparameters=hyperparameters,
    )
    oracle.verbose = 0
    oracle._set_project_dir(str(folder), "kerastuner")

    def one() -> None:
        trial = oracle.create_trial("tuner")
        values = trial.hyperparameters.values
        oracle.update_trial(trial.trial_id, {"val_loss": loss_of(values)})
        trial.status = "COMPLETED"
        oracle.end_trial(trial)

    return after_filling(one)


def optuna_seconds(folder: Path) -> float:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{folder}/optuna.db", sampler=optuna.samplers.RandomSampler()
    )

    def one() -> None:
        trial = study.ask()
        values: dict[str, Any] = {
            name: trial.suggest_categorical(name, list(range(count))) for name, count in CHOICES.items()
        }
        values |= {name: trial.suggest_float(name, 0.0, 1.0) for name in FLOATS}
        study.tell(trial, loss_of(values))

    def search_by_model() -> None:
        study.sampler = optuna.samplers.TPESampler()

    return after_filling(one, search_by_model)


def loss_of(values: dict[str, Any]) -> float:
    return float(sum(values.values()))


def after_filling(one: Callable[[], None], then: Callable[[], None] = lambda: None) -> float:
    """Seconds of a trial after the first 990, their median."""
    for _ in range(FILLED):
        one()
    then()
    seconds = []
    for _ in range(MEASURED):
        started = time.perf_counter()
        one()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()

"""How quick a store is after a year of nightly searches: whole processes, and a real MLflow server.

    python benchmarks/year.py [--searches 365] [--mirrored 365] [--rounds 5]

One search of 30 trials with 20 epochs each is played, recorded and judged as any. The nights are copies of
its record, with ids, times and files of their own. All have one name, so that MLflow has them in one
experiment. The latest of them, as many as ``--mirrored`` says, are brought to MLflow by archsearch itself.

Then the commands that look at many searches are timed beside the bare interpreter, and what MLflow's page
asks for: a hundred runs, the latest first, and those of the lowest loss. Exit code 1 says that a limit was
missed.
"""

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import yaml
from chaos import server
from driver import new_record, played
from environment import environment_line
from played import SPACE, Player

from archsearch.ranking import leader
from archsearch.space import SearchSpace
from archsearch.study import Place, Record, Store
from archsearch.study.kept import best
from archsearch.tracking import Artifacts, Mirror, Tracking

NAME, TRIALS, EPOCHS = "nightly", 30, 20
NIGHT, YEAR = 86_400.0, 365
KEPT, WEIGHTS_BYTES, LOG_BYTES = 10, 500_000, 20_000

# Seconds that each may take at the median.
LIMITS = {
    ("status",): 1.0,
    ("status", "--json"): 1.0,
    ("list",): 1.0,
    ("prune", "--older-than", "90d", "--dry-run"): 10.0,
}
PAGE_LIMIT = 2.0

# What MLflow's page asks for when an experiment is opened, and when its table is sorted.
PAGES = {
    "MLflow's run table, latest first": "attributes.start_time DESC",
    "MLflow's run table, lowest loss first": "metrics.`best_val_loss` ASC",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--searches", type=int, default=YEAR, metavar="N", help="nights")
    parser.add_argument("--mirrored", type=int, default=YEAR, metavar="N", help="of them in MLflow")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of which medians are taken")
    asked = parser.parse_args()
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    print(environment_line("mlflow", "click", "rich", "numpy"), flush=True)
    with tempfile.TemporaryDirectory() as passing:
        store = Store(Path(passing) / "mlruns")
        places = list(nights(store, play(Path(passing)), asked.searches))
        megabytes = sum(place.record.stat().st_size for place in places) / 1e6
        print(f"{len(places)} searches x {TRIALS} trials x {EPOCHS} epochs: {megabytes:.0f} MB", flush=True)
        started = time.perf_counter()
        experiment = mirror(store, places[len(places) - min(asked.mirrored, len(places)) :])
        print(f"{asked.mirrored} of them in MLflow: {time.perf_counter() - started:.0f} s", flush=True)
        print(f"\n{f'medians of {asked.rounds}':<44}{'seconds':>8}{'limit':>7}")
        timed = partial(report, rounds=asked.rounds)
        timed("the bare interpreter", partial(run, "-c", "pass"))
        missed = [
            timed(" ".join(words), partial(archsearch, *words, "--store", str(store.path)), limit=limit)
            for words, limit in LIMITS.items()
        ]
        with server(store.path) as uri:
            missed += [
                timed(label, partial(page, uri, experiment, order), limit=PAGE_LIMIT)
                for label, order in PAGES.items()
            ]
    return int(any(missed))


# -- a year --------------------------------------------------------------------------------------------------


def play(folder: Path) -> Place:
    """A search whose trainings are played; its best trials have weights, in name."""
    words = yaml.safe_load(SPACE)
    words |= {"name": NAME, "search": {"trials": TRIALS, "seed": 0, "hours": 6}}
    words["training"] |= {"epochs": EPOCHS}
    space = SearchSpace.from_mapping(words)
    place = Place(folder / f"{NAME}-{space.fingerprint}")
    with new_record(place.record, space) as record:
        played(record, space, Player(), TRIALS)
        models = [(f"trial-{n}-seed-0.keras", n) for n in best(record.summary().scored, KEPT)]
    with closing(sqlite3.connect(place.record)) as db, db:
        db.executemany("UPDATE runs SET model = ? WHERE trial = ?", models)
    return place


def nights(store: Store, search: Place, searches: int) -> Iterator[Place]:
    """As many nights' searches, the last one ended now."""
    store.prepare()
    for night in range(1, searches + 1):
        place = Place(store.path / "searches" / f"{search.id}-{night}")
        place.folder.mkdir()
        shutil.copyfile(search.record, place.record)
        with closing(sqlite3.connect(place.record)) as db, db:
            db.execute("PRAGMA synchronous = OFF")
            values = [(json.dumps(place.id), "id"), (json.dumps(f"night {night}"), "uid")]
            db.executemany("UPDATE search SET value = ? WHERE key = ?", values)
            ago = (searches - night) * NIGHT
            db.execute("UPDATE search SET value = value - ? WHERE key = 'created_at'", (ago,))
            db.execute("UPDATE sessions SET started_at = started_at - ?1, seen_at = seen_at - ?1", (ago,))
            db.execute("UPDATE epochs SET ended_at = ended_at - ?", (ago,))
            models = db.execute("SELECT model FROM runs WHERE model IS NOT NULL").fetchall()
        for name in (*(f"models/{model}" for (model,) in models), "logs/worker-0.log", "lock"):
            path = place.folder / name
            path.parent.mkdir(exist_ok=True)
            with path.open("wb") as file:  # of a size, but without content: it takes no room
                file.truncate({".keras": WEIGHTS_BYTES, ".log": LOG_BYTES}.get(path.suffix, 0))
        yield place


def mirror(store: Store, places: Sequence[Place]) -> str:
    """Bring searches to the store's own MLflow; the experiment's id."""
    tracking = Tracking.choose(None, store.database, store.artifacts)
    experiment = ""
    report_page = store.path.parent / f"{NAME}.html"
    report_page.write_bytes(b" " * WEIGHTS_BYTES)
    for place in places:
        with Record.open(place.record) as record:
            snapshot = record.snapshot()
            of = Mirror(tracking, snapshot)
            of.open()
            of.push(snapshot.trials)
            of.close(snapshot.status, leader(snapshot.trials), Artifacts(report=report_page))
            experiment = of.experiment_id
    return experiment


# -- what is timed -------------------------------------------------------------------------------------------


def report(label: str, what: Callable[[], None], rounds: int, limit: float | None = None) -> bool:
    """Print the median of the seconds that something takes; whether it misses its limit."""
    what()  # fills the file cache
    seconds = statistics.median(clocked(what) for _ in range(rounds))
    print(f"{label:<44}{seconds:>8.3f}{'' if limit is None else f'{limit:>7.1f}'}", flush=True)
    return limit is not None and seconds > limit


def clocked(what: Callable[[], None]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def archsearch(*words: str) -> None:
    run("-m", "archsearch", *words)


def run(*words: str) -> None:
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)


def page(uri: str, experiment: str, order: str) -> None:
    """The first page of the run table, as a browser asks for it."""
    question = {
        "experiment_ids": [experiment],
        "run_view_type": "ACTIVE_ONLY",
        "max_results": 100,
        "order_by": [order],
    }
    request = urllib.request.Request(
        f"{uri}/ajax-api/2.0/mlflow/runs/search",
        data=json.dumps(question).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        assert json.load(answer)["runs"]


if __name__ == "__main__":
    sys.exit(main())

"""``archsearch diagnose``: verdicts on curves that other programs recorded."""

import csv
import json
import math
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from archsearch.commands.tables import console, print_table, to_stdout
from archsearch.diagnosis import Diagnosis, diagnose
from archsearch.errors import DataError, TrackingError
from archsearch.histories import RecordedCurve, read_file
from archsearch.histories.table import listed, plain
from archsearch.ranking import deciding
from archsearch.report.words import NONE, count, listing

Format = Literal["table", "json", "csv"]
Advance = Callable[[int, int], None]

TABLE = ("verdict", "delivered", ">confidence", "curve", "why")
CSV = ("curve", "verdict", "delivered", "confidence", "flags", "missing", "message")
NAMED = 3
"""Curves that a note names; of more it says how many."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """Somebody's experiment in MLflow."""

    uri: str
    name: str
    train_metric: str
    val_metric: str
    tag: bool


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A recorded curve with its verdict."""

    recorded: RecordedCurve
    diagnosis: Diagnosis


def diagnose_all(paths: Sequence[Path], experiment: Experiment | None, form: Format) -> bool:
    """Judge and print every curve in files and in an experiment; on stderr, what could not be judged.

    Returns
    -------
    bool
        Whether everything could be read and judged, and tagged where that is asked for.
    """
    faults: list[str] = []
    notes: list[str] = []
    run_ids: list[str] = []
    curves = _from_files(paths, faults)
    if experiment is not None:
        run_ids, runs = _from_experiment(experiment, notes, faults)
        curves += runs
    with _bar("judging") as advance:
        all_judged = judged(curves, advance)
    faults += _bad_curves(all_judged)
    with to_stdout():
        {"table": show, "json": as_json, "csv": as_csv}[form](all_judged)
    if experiment is not None and experiment.tag and run_ids:
        notes += _tag(experiment, dict(zip(run_ids, all_judged[-len(run_ids) :], strict=True)), faults)
    for line in [*(f"archsearch: {note}" for note in [*_notes(curves), *notes]), *faults]:
        print(line, file=sys.stderr)
    return not faults


def judged(recorded: Sequence[RecordedCurve], advance: Advance | None = None) -> list[Judged]:
    """Each curve with its verdict, in the same order; `advance` takes how many are done, and of how many."""
    done = []
    for curve in recorded:
        done.append(Judged(curve, diagnose(curve.curves, curve.context)))
        if advance:
            advance(len(done), len(recorded))
    return done


def show(all_judged: Sequence[Judged]) -> None:
    """Print a table for people, and how many curves have which verdict."""
    if all_judged:
        print_table(TABLE, [_row(one) for one in all_judged], long="why", fold=True)
    if len(all_judged) > 1:
        verdicts = Counter(one.diagnosis.verdict for one in all_judged)
        said = listing([f"{number} {verdict}" for verdict, number in verdicts.most_common()])
        console().print(f"\n{count(len(all_judged), 'curve')}: {said}.")


def as_json(all_judged: Sequence[Judged]) -> None:
    """Print a JSON list, an object a line, in ASCII; numbers that JSON doesn't know are null."""
    lines = [json.dumps(_object(one), allow_nan=False) for one in all_judged]
    print("[" + ",\n ".join(lines) + "]")


def as_csv(all_judged: Sequence[Judged]) -> None:
    """Print CSV, a row a curve; flags and missing inputs are parted by semicolons."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV)
    for one in all_judged:
        diagnosis = one.diagnosis
        writer.writerow(
            [
                one.recorded.name,
                diagnosis.verdict,
                diagnosis.delivered,
                "" if diagnosis.confidence is None else f"{diagnosis.confidence:.3f}",
                ";".join(diagnosis.flags),
                ";".join(diagnosis.missing),
                deciding(diagnosis).message,
            ]
        )


def _row(one: Judged) -> list[str]:
    diagnosis = one.diagnosis
    why = deciding(diagnosis).message
    if diagnosis.flags:
        why += f" Flags: {', '.join(diagnosis.flags)}."
    return [
        diagnosis.verdict,
        "" if diagnosis.delivered is diagnosis.verdict else diagnosis.delivered,
        f"{diagnosis.confidence:.2f}" if diagnosis.confidence else NONE,
        plain(one.recorded.name),
        why,
    ]


def _object(one: Judged) -> dict[str, Any]:
    diagnosis = one.diagnosis
    return {
        "curve": one.recorded.name,
        "verdict": diagnosis.verdict,
        "delivered": diagnosis.delivered,
        "confidence": diagnosis.confidence,
        "flags": list(diagnosis.flags),
        "missing": list(diagnosis.missing),
        "findings": [
            {
                "code": finding.code,
                "outcome": finding.outcome,
                "evidence": {
                    name: float(number) if math.isfinite(number) else None
                    for name, number in finding.evidence.items()
                },
                "message": finding.message,
            }
            for finding in diagnosis.findings
        ],
    }


def _bad_curves(all_judged: Iterable[Judged]) -> Iterator[str]:
    """A sentence on each curve of one epoch only, or without any number."""
    for one in all_judged:
        train, val = one.recorded.curves.train_loss, one.recorded.curves.val_loss
        if np.size(val) <= 1 or not (np.isfinite(train) & np.isfinite(val)).any():
            yield f"archsearch: curve {plain(one.recorded.name)}: {deciding(one.diagnosis).message}"


def _from_files(paths: Sequence[Path], faults: list[str]) -> list[RecordedCurve]:
    """The curves of the files that can be read; why the others can't goes to `faults`."""
    curves: list[RecordedCurve] = []
    alike = Counter(path.name for path in paths)
    with _bar("reading") as advance:
        for number, path in enumerate(paths, 1):
            # Bytes in a path that are no text would not be printable.
            name = os.fsencode(path.name if alike[path.name] == 1 else path).decode(errors="replace")
            try:
                found = read_file(path, name)
            except DataError as error:
                faults.append(str(error))
            else:
                curves += found.curves
                faults += found.faults
            advance(number, len(paths))
    return curves


def _from_experiment(
    experiment: Experiment, notes: list[str], faults: list[str]
) -> tuple[list[str], list[RecordedCurve]]:
    """Ids and curves of an experiment's runs."""
    from archsearch.tracking.experiments import read_experiment

    with _bar("reading runs") as advance:
        try:
            runs = read_experiment(
                experiment.uri,
                experiment.name,
                experiment.train_metric,
                experiment.val_metric,
                on_skipped=notes.append,
                on_fault=lambda fault: faults.append(f"archsearch: {fault}"),
                on_progress=advance,
            )
        except TrackingError as error:
            faults.append(f"archsearch: {error}")
            return [], []
    return [run_id for run_id, _ in runs], [curve for _, curve in runs]


def _tag(experiment: Experiment, runs: dict[str, Judged], faults: list[str]) -> list[str]:
    """Write the verdicts to the runs; a sentence about it."""
    from archsearch.tracking.experiments import tag_runs

    try:
        tag_runs(experiment.uri, {run_id: one.diagnosis for run_id, one in runs.items()})
    except TrackingError as error:
        faults.append(f"archsearch: {error}")
        return []
    return [f"{count(len(runs), 'run')} of {experiment.name} tagged with verdict and confidence."]


def _notes(curves: Iterable[RecordedCurve]) -> Iterator[str]:
    """What is to be said of the input, each sentence once, with the curves it is about."""
    about = defaultdict(list)
    for curve in curves:
        for note in curve.notes:
            about[note].append(curve.name)
    for note, names in about.items():
        if len(names) == 1:
            yield f"curve {plain(names[0])}: {note}"
        else:
            yield f"{len(names)} curves ({listed(names, most=NAMED)}): {note}"


@contextmanager
def _bar(what: str) -> Iterator[Advance]:
    """A bar on stderr where that is a terminal, gone when done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    err = Console(stderr=True, emoji=False)
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)

"""The end of a run on a terminal: the ranking, why the first is first, and where everything is."""

import shlex
import shutil
import sys
import textwrap
from pathlib import Path

from archsearch.commands.result import NOTHING_TO_DO, SearchResult
from archsearch.commands.tables import console, print_table
from archsearch.ranking import Ranked
from archsearch.records import Reference
from archsearch.report.words import NONE, confidence, duration

SEEDS = "seeds agree"
COLUMNS = (
    ">rank",
    ">trial",
    "architecture",
    "verdict",
    ">confidence",
    SEEDS,
    ">score",
    ">val loss",
    ">gap",
    ">parameters",
    ">seconds",
)


def show(result: SearchResult, ui_command: str) -> None:
    """Print a run's result.

    Parameters
    ----------
    result : SearchResult
    ui_command : str
        The command that opens MLflow's user interface on the search.
    """
    snapshot, out = result.judged.snapshot, console()
    ranked = result.judged.ranked
    references = [_reference_row(reference) for reference in snapshot.references]
    if ranked:
        has_seeds = any(each.diagnosis.agreement for each in ranked)
        columns = [column for column in COLUMNS if has_seeds or column != SEEDS]
        rows = [[row[column] for column in columns] for row in [*map(_row, ranked), *references]]
        spare = [SEEDS, "confidence"] if has_seeds else ["confidence"]
        print_table(columns, rows, long="architecture", spare=spare, dim=len(references))
        out.print()
    for paragraph in [_status(result), result.why] if ranked else [_status(result)]:
        out.print("\n".join(textwrap.wrap(paragraph, min(out.width, 100))))
    out.print()
    later = f"not written yet: {_program()} report {result.search} writes it"
    places = {
        "report": str(_shortest(result.report)) if result.report else later,
        "best model": str(_shortest(result.best_model)) if result.best_model else "none",
        "MLflow": ui_command,
    }
    for name, place in places.items():
        out.print(f"{name:<11} {place}", soft_wrap=True)


def ui_command(result: SearchResult, store: Path, tracking_uri: str | None) -> str:
    """The command, or the address, that shows the search in MLflow."""
    if result.experiment_id is None:
        return "not mirrored yet: the same command does it"
    if result.tracking_uri.startswith(("http://", "https://")):
        return f"{result.tracking_uri.rstrip('/')}/#/experiments/{result.experiment_id}"
    words = [_program(), "ui"]
    if store != Path("mlruns"):
        words += ["--store", str(store)]
    if tracking_uri:
        words += ["--tracking-uri", tracking_uri]
    return shlex.join(words)


def _row(ranked: Ranked) -> dict[str, str]:
    trial, diagnosis = ranked.trial, ranked.diagnosis
    return {
        ">rank": str(ranked.rank),
        ">trial": str(trial.number),
        "architecture": trial.label,
        "verdict": str(diagnosis.verdict),
        ">confidence": confidence(diagnosis.confidence),
        SEEDS: diagnosis.agreement.words if diagnosis.agreement else NONE,
        ">score": f"{ranked.score:.4f}",
        ">val loss": f"{ranked.val_loss:.4f}",
        ">gap": f"{ranked.gap:z.4f}",
        ">parameters": str(trial.parameters),
        ">seconds": f"{trial.seconds:.1f}",
    }


def _reference_row(reference: Reference) -> dict[str, str]:
    return dict.fromkeys(COLUMNS, NONE) | {
        "architecture": reference.name,
        "verdict": "reference",
        ">val loss": f"{reference.val_loss:.4f}",
        ">gap": f"{reference.gap:z.4f}",
        ">parameters": str(reference.parameters),
        ">seconds": f"{reference.seconds:.1f}",
    }


def _status(result: SearchResult) -> str:
    snapshot = result.judged.snapshot
    ended = sum(result.counts.values())
    trials = f"{ended} of {snapshot.total} trials ({result.counts_text}) in {duration(snapshot.wall_seconds)}"
    how = {
        "finished": "complete",
        NOTHING_TO_DO: "complete already, nothing to do",
        "hours_reached": "stopped at the time limit",
        "interrupted": "interrupted, everything is saved; the same command goes on",
        "all_failed": "every trial failed; the report says why",
        "given_up": "given up, because the last trials all failed for the same reason",
    }[result.status]
    return f"search {result.search}: {how}: {trials}."


def _program() -> str:
    """What to type for archsearch: its name where the shell finds it, else its path."""
    beside = Path(sys.executable).with_name("archsearch")
    if shutil.which("archsearch") or not beside.is_file():
        return "archsearch"
    return str(_shortest(beside))


def _shortest(path: Path) -> Path:
    """Relative to the working directory where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path

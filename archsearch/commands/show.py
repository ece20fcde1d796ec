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
from archsearch.report.words import duration

COLUMNS = (
    ">rank",
    ">trial",
    "architecture",
    "verdict",
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
    rows = [_row(ranked) for ranked in result.judged.ranked]
    references = [_reference_row(reference) for reference in snapshot.references]
    if rows:
        print_table(COLUMNS, rows + references, long="architecture", dim=len(references))
        out.print()
    for paragraph in [_status(result), result.why] if rows else [_status(result)]:
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


def _row(ranked: Ranked) -> list[str]:
    trial = ranked.trial
    return [
        str(ranked.rank),
        str(trial.number),
        trial.label,
        str(ranked.diagnosis.verdict),
        f"{ranked.score:.4f}",
        f"{ranked.val_loss:.4f}",
        f"{ranked.gap:z.4f}",
        str(trial.parameters),
        f"{trial.seconds:.1f}",
    ]


def _reference_row(reference: Reference) -> list[str]:
    return [
        "–",
        "–",
        reference.name,
        "reference",
        "–",
        f"{reference.val_loss:.4f}",
        f"{reference.gap:z.4f}",
        str(reference.parameters),
        f"{reference.seconds:.1f}",
    ]


def _status(result: SearchResult) -> str:
    snapshot, counts = result.judged.snapshot, result.counts
    said = ", ".join(f"{count} {word}" for word, count in counts.items())
    ended = sum(counts.values())
    trials = f"{ended} of {snapshot.total} trials ({said}) in {duration(snapshot.wall_seconds)}"
    how = {
        "finished": "complete",
        NOTHING_TO_DO: "complete already, nothing to do",
        "hours_reached": "stopped at the time limit",
        "interrupted": "interrupted, everything is saved; the same command goes on",
        "all_failed": "every trial failed; the report says why",
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

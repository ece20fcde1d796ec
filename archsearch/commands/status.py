"""``archsearch status``: how every search of a store stands, for people and for health checks."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archsearch.commands.standing import Standing, State, iso, look, places_of, waiting, when
from archsearch.commands.tables import console, print_table
from archsearch.errors import ExitCode, StoreError
from archsearch.report.words import NONE, duration
from archsearch.study import Store

COLUMNS = (
    "search",
    "state",
    ">trials",
    ">hours",
    ">GPU hours",
    ">score",
    "verdict",
    "worked on",
    "remark",
)


@dataclass(frozen=True, slots=True)
class Health:
    """How the searches of a store stand.

    Attributes
    ----------
    standings : tuple of Standing
        The oldest search first.
    faults : tuple of str
        What could not be read, or was not found.
    """

    standings: tuple[Standing, ...]
    faults: tuple[str, ...]

    @property
    def exit_code(self) -> ExitCode:
        """The worst that was found, for a health check."""
        states = {standing.state for standing in self.standings}
        if self.faults:
            return ExitCode.REFUSED
        if State.FAILED in states:
            return ExitCode.ALL_FAILED
        return ExitCode.INTERRUPTED if State.RESUMABLE in states else ExitCode.FINISHED

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {"searches": list(map(_object, self.standings)), "faults": list(self.faults)}


def health_of(store: Store, searches: Sequence[str], since: float | None = None) -> Health:
    """Look at the searches of a store.

    Parameters
    ----------
    store : Store
    searches : sequence of str
        Those to look at; all if it is empty.
    since : float, optional
        Look only at those that a process has worked on in the last so many seconds: there is to be one.

    Raises
    ------
    SearchNotFound
    StoreError
        If there is no store, or it can't be read.
    """
    standings, faults = [], []
    for place in places_of(store, searches):
        try:
            standings.append(look(place))
        except StoreError as error:
            faults.append(str(error))
    if since is not None:
        earliest = time.time() - since
        standings = [each for each in standings if each.worked_at >= earliest]
        if not standings and not faults:
            faults.append(
                f"store {store.path}: no process has worked on a search in the time that --since says"
            )
    return Health(tuple(sorted(standings, key=lambda each: each.summary.created_at)), tuple(faults))


def show(health: Health, store: Store) -> None:
    """Print a row for each search."""
    if health.standings:
        rows = list(map(_row, health.standings))
        print_table(COLUMNS, rows, long="remark", spare=("GPU hours", "worked on"), fold=True)
    elif not health.faults:
        console().print(f"no searches in store {store.path}", soft_wrap=True)


def print_json(health: Health) -> None:
    """Print one line."""
    print(json.dumps(health.to_json(), allow_nan=False))


def _row(standing: Standing) -> list[str]:
    summary = standing.summary
    best = summary.best
    return [
        summary.id,
        standing.state.replace("_", " "),
        f"{summary.ended}/{summary.total}",
        _of_bound(summary.hours_used, summary.hours),
        _of_bound(summary.gpu_hours_used, summary.gpu_hours),
        f"{best.score:.4f}" if best and best.score is not None else NONE,
        best.verdict or NONE if best else NONE,
        when(standing.worked_at),
        _remark(standing),
    ]


def _of_bound(used: float, bound: float | None) -> str:
    return f"{used:.2f}" if bound is None else f"{used:.2f}/{bound:g}"


def _remark(standing: Standing) -> str:
    if standing.state is not State.RUNNING:
        return "; ".join(filter(None, (standing.reason, waiting(standing.added))))
    left = standing.seconds_left
    words = [str(standing.holder) if standing.holder else "a process that does not say which"]
    if left is not None:
        words.append(f"about {duration(left)} left, until {when(time.time() + left)}")
    return ", ".join(words)


def _object(standing: Standing) -> dict[str, Any]:
    summary, holder, left = standing.summary, standing.holder, standing.seconds_left
    return {
        "search": summary.id,
        "name": summary.name,
        "state": str(standing.state),
        "outcome": standing.outcome,
        "reason": standing.reason or None,
        "created_at": iso(summary.created_at),
        "worked_at": iso(standing.worked_at),
        "process": {"host": holder.host, "pid": holder.pid, "since": iso(holder.since)} if holder else None,
        "estimated_end": None if left is None else iso(time.time() + left),
        "trials": {"ended": summary.ended, "total": summary.total},
        "added": standing.added,
        "hours": {"used": summary.hours_used, "bound": summary.hours},
        "gpu_hours": {"used": summary.gpu_hours_used, "bound": summary.gpu_hours},
        "best": _best(standing),
        "command": summary.sessions[-1].command if summary.sessions else None,
    }


def _best(standing: Standing) -> dict[str, Any] | None:
    best = standing.summary.best
    if best is None:
        return None
    return {
        "trial": best.number,
        "architecture": best.label,
        "verdict": best.verdict,
        "confidence": best.confidence,
        "score": best.score if best.score is not None and math.isfinite(best.score) else None,
    }

"""``archsearch prune``: room on the disk, from searches that nobody has worked on for long."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archsearch.commands.standing import iso, places_of, when
from archsearch.commands.tables import console, print_table
from archsearch.errors import ExitCode, SearchLocked, StoreError, TrackingError
from archsearch.report.words import count, size
from archsearch.study import Place, Store, Summary
from archsearch.study.holding import holder_of
from archsearch.study.pruning import LOGS, delete, removable, remove, size_of
from archsearch.tracking import own_uri, stored_artifacts

ARTIFACTS = "artifacts"


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went of a search, or would.

    Attributes
    ----------
    search : str
    worked_at : float
        When a process last worked on it, in seconds since 1970-01-01 UTC.
    files : mapping of str to int
        How many of each kind.
    bytes : int
    """

    search: str
    worked_at: float
    files: Mapping[str, int]
    bytes: int


@dataclass(slots=True)
class Pruning:
    """What came of pruning a store.

    Attributes
    ----------
    is_dry : bool
        Whether nothing was removed.
    pruned : list of Pruned
    left_alone : dict of str to str
        Searches with the reasons.
    notes : list of str
        What was left besides.
    faults : list of str
        What could not be read or removed.
    """

    is_dry: bool
    pruned: list[Pruned] = field(default_factory=list)
    left_alone: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """Freed, or to be freed."""
        return sum(each.bytes for each in self.pruned)

    @property
    def exit_code(self) -> ExitCode:
        """2 where something could not be read or removed."""
        return ExitCode.REFUSED if self.faults else ExitCode.FINISHED

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints."""
        return {
            "dry_run": self.is_dry,
            "bytes": self.bytes,
            "searches": [
                {
                    "search": each.search,
                    "worked_at": iso(each.worked_at),
                    **each.files,
                    "bytes": each.bytes,
                }
                for each in self.pruned
            ],
            "left_alone": [{"search": search, "reason": why} for search, why in self.left_alone.items()],
            "notes": self.notes,
            "faults": self.faults,
        }


def prune(store: Store, searches: Sequence[str], older_than: float, keep: int, *, dry_run: bool) -> Pruning:
    """Remove weights, checkpoints, logs and artifacts of searches that no process has worked on for long.

    Records, with all curves and verdicts, and MLflow's runs stay. What is removed is found again after a
    kill, and what was removed is not missed: this can be repeated at any time.

    Parameters
    ----------
    store : Store
    searches : sequence of str
        Those to prune; all if it is empty.
    older_than : float
        Seconds for which no process has worked on them.
    keep : int
        Trials of each search whose weights are kept: the best in the ranking as it stands.
    dry_run : bool
        Remove nothing.

    Raises
    ------
    SearchNotFound
    StoreError
        If there is no store, or it can't be read.
    StorageFull
    """
    pruning, before = Pruning(dry_run), time.time() - older_than
    old: list[tuple[Place, Summary]] = []
    for place in places_of(store, searches):
        try:
            summary = place.summary()
        except StoreError as error:
            pruning.faults.append(str(error))
            continue
        if summary.worked_at > before:
            if searches:
                pruning.left_alone[place.id] = f"last worked on {when(summary.worked_at)}"
        elif place.is_held:
            pruning.left_alone[place.id] = _held(place)
        else:
            old.append((place, summary))
    artifacts = _artifacts(store, [summary for _, summary in old], pruning)
    for place, summary in old:
        try:
            _prune(place, artifacts.get(summary.uid, ()), keep, before, pruning)
        except SearchLocked:  # since it was looked at
            pruning.left_alone[place.id] = _held(place)
        except StoreError as error:
            pruning.faults.append(str(error))
    return pruning


def show(pruning: Pruning, store: Store) -> None:
    """Print a row for each search, the sum, and what was left alone."""
    out = console()
    if pruning.pruned:
        kinds = list(pruning.pruned[0].files)
        columns = ["search", "worked on", *(f">{kind}" for kind in kinds), ">size"]
        rows = [
            [each.search, when(each.worked_at), *map(str, each.files.values()), size(each.bytes)]
            for each in pruning.pruned
        ]
        print_table(columns, rows, long="search")
    searches = count(len(pruning.pruned), "search", "searches")
    if not pruning.pruned:
        words = f"nothing to remove in store {store.path}"
    elif pruning.is_dry:
        words = f"{size(pruning.bytes)} of {searches} would be freed; nothing was removed"
    else:
        words = f"freed {size(pruning.bytes)} of {searches}"
    out.print(words, soft_wrap=True)
    for search, why in pruning.left_alone.items():
        out.print(f"left alone: {search}: {why}", soft_wrap=True)
    for note in pruning.notes:
        out.print(note, soft_wrap=True)


def print_json(pruning: Pruning) -> None:
    """Print one line."""
    print(json.dumps(pruning.to_json(), ensure_ascii=False, allow_nan=False))


def _artifacts(
    store: Store, summaries: Iterable[Summary], pruning: Pruning
) -> Mapping[str, tuple[Path, ...]]:
    """What the store's own MLflow keeps, by the searches' uids; what another one keeps is noted."""
    own = own_uri(store.database)
    others = [each.mirrored.uri for each in summaries if each.mirrored and each.mirrored.uri != own]
    for uri in sorted(set(others)):
        searches = count(others.count(uri), "search", "searches")
        pruning.notes.append(f"left: what MLflow at {uri} keeps of {searches}, which is not the store's own")
    try:
        return stored_artifacts(store.database, store.artifacts)
    except TrackingError as error:
        pruning.faults.append(str(error))
        return {}


def _prune(place: Place, artifacts: tuple[Path, ...], keep: int, before: float, pruning: Pruning) -> None:
    summary, found = place.summary(), removable(place, keep)
    if summary.worked_at > before or (found.is_nothing and not artifacts):
        return
    kinds = {kind: len(files) for kind, files in found.files.items()} | {ARTIFACTS: len(artifacts)}
    if pruning.is_dry:
        freed = size_of(found.every_file) + size_of(artifacts)
    else:
        # First what no search misses, held or not: to hold one takes room, of which there may be none.
        freed, faults = delete((*artifacts, *found.files[LOGS]))
        if not found.is_nothing:
            more, others = _removed(place, keep)
            freed, faults = freed + more, faults + others
        pruning.faults += faults
    pruning.pruned.append(Pruned(place.id, summary.worked_at, kinds, freed))


def _removed(place: Place, keep: int) -> tuple[int, list[str]]:
    """Remove what can go of a search; bytes freed, and what could not be removed."""
    hold = place.lock()
    try:
        return remove(place, removable(place, keep))  # as it stands now: somebody may have run it
    finally:
        hold.release()


def _held(place: Place) -> str:
    holder = holder_of(place.folder)
    return f"{holder} runs it" if holder else "another process runs it"

"""``archsearch prune``: room on the disk, from searches that nobody has worked on for long."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from archsearch.commands.pruned import ARTIFACTS, Pruning
from archsearch.commands.standing import places_of, when
from archsearch.commands.tables import console, print_table
from archsearch.errors import TrackingError
from archsearch.report.words import count, size
from archsearch.study import Place, Store, Summary
from archsearch.study.holding import Sighting
from archsearch.study.pruning import CHECKPOINTS, LOGS, WEIGHTS, delete, removable, remove, size_of
from archsearch.tracking import own_uri, stored_artifacts


@dataclass(frozen=True, slots=True)
class _Old:
    """A search that no process has worked on for long, as it was found.

    Attributes
    ----------
    place : Place
    summary : Summary
    seen : Sighting
        Of its holder, should it have been killed: who wants to hold many such searches waits once for all.
    """

    place: Place
    summary: Summary
    seen: Sighting


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
    """
    pruning, before = Pruning(dry_run), time.time() - older_than
    old: list[_Old] = []
    for place in places_of(store, searches):
        with pruning.noting(place):
            summary = place.summary()
            if summary.worked_at > before:
                if searches:
                    pruning.left_alone[place.id] = f"last worked on {when(summary.worked_at)}"
            elif place.is_held:
                pruning.leave(place)
            else:
                old.append(_Old(place, summary, place.sight()))
    artifacts = _artifacts(store, [each.summary for each in old], pruning)
    # First what no search misses, of all: to hold one takes room, of which there may be none.
    more: list[_Old] = []
    for each in old:
        with pruning.noting(each.place):
            if _clear(each.place, artifacts.get(each.summary.uid, ()), keep, before, pruning):
                more.append(each)
    for each in more:
        with pruning.noting(each.place):
            _thin(each, keep, before, pruning)
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
    if pruning.pruned and pruning.is_dry:
        out.print(f"{size(pruning.bytes)} of {searches} would be freed; nothing was removed", soft_wrap=True)
    elif pruning.pruned:
        out.print(f"freed {size(pruning.bytes)} of {searches}", soft_wrap=True)
    elif not pruning.faults:  # which may have hidden something
        out.print(f"nothing to remove in store {store.path}", soft_wrap=True)
    for search, why in pruning.left_alone.items():
        out.print(f"left alone: {search}: {why}", soft_wrap=True)
    for note in pruning.notes:
        out.print(note, soft_wrap=True)


def print_json(pruning: Pruning) -> None:
    """Print one line."""
    print(json.dumps(pruning.to_json(), allow_nan=False))


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


def _clear(place: Place, artifacts: tuple[Path, ...], keep: int, before: float, pruning: Pruning) -> bool:
    """Remove logs and artifacts of a search, or count what would go; whether more is to be removed."""
    summary, found = place.summary(), removable(place, keep)
    files = {**found.files, ARTIFACTS: artifacts}
    if summary.worked_at > before:
        return False
    if place.is_held:  # asked last: whoever takes a search works for a while before its record says so
        pruning.leave(place)
        return False
    if found.refused:
        pruning.faults.append(found.refused)
    if pruning.is_dry:
        counts = {kind: len(paths) for kind, paths in files.items()}
        pruning.count(place, summary.worked_at, counts, sum(map(size_of, files.values())))
        return False
    spare = {kind: files[kind] for kind in (LOGS, ARTIFACTS)}
    with pruning.counting(place, summary.worked_at, spare):
        pruning.faults += delete(path for paths in spare.values() for path in paths)
    return found.needs_hold


def _thin(old: _Old, keep: int, before: float, pruning: Pruning) -> None:
    """Remove weights and checkpoints of a search."""
    place = old.place
    hold = place.lock(old.seen)
    try:
        summary, found = place.summary(), removable(place, keep)  # as it stands now: somebody may have run it
        if summary.worked_at > before:
            return
        files = {kind: found.files[kind] for kind in (WEIGHTS, CHECKPOINTS)}
        with pruning.counting(place, summary.worked_at, files):
            pruning.faults += remove(place, found)
    finally:
        hold.release()

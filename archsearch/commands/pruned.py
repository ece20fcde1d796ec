"""What went of searches when they were pruned, or would go."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archsearch.commands.standing import iso
from archsearch.errors import ExitCode, SearchLocked, StorageFull, StoreError
from archsearch.study import Place
from archsearch.study.holding import holder_of
from archsearch.study.pruning import CHECKPOINTS, LOGS, WEIGHTS, size_of

ARTIFACTS = "artifacts"
KINDS = (WEIGHTS, CHECKPOINTS, LOGS, ARTIFACTS)


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
    counted : dict of str to Pruned
        By search; of some nothing went.
    left_alone : dict of str to str
        Searches with the reasons.
    notes : list of str
        What was left besides.
    faults : list of str
        What could not be read or removed.
    is_full : bool
        Whether the disk had no room for what has to be written first.
    """

    is_dry: bool
    counted: dict[str, Pruned] = field(default_factory=dict)
    left_alone: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    is_full: bool = False

    @property
    def pruned(self) -> list[Pruned]:
        """What went of each search, or would."""
        return [each for each in self.counted.values() if any(each.files.values())]

    @property
    def bytes(self) -> int:
        """Freed, or to be freed."""
        return sum(each.bytes for each in self.pruned)

    @property
    def exit_code(self) -> ExitCode:
        """75 where the disk was full; 2 where something else could not be read or removed."""
        if self.is_full:
            return ExitCode.INTERRUPTED
        return ExitCode.REFUSED if self.faults else ExitCode.FINISHED

    def count(self, place: Place, worked_at: float, files: Mapping[str, int], freed: int) -> None:
        """Count files of a search, by kind, and the bytes that they took."""
        before = self.counted.get(place.id, Pruned(place.id, worked_at, {}, 0))
        sums = {kind: before.files.get(kind, 0) + files.get(kind, 0) for kind in KINDS}
        self.counted[place.id] = Pruned(place.id, worked_at, sums, before.bytes + freed)

    @contextmanager
    def counting(self, place: Place, worked_at: float, files: Mapping[str, Sequence[Path]]) -> Iterator[None]:
        """Count which of a search's files go meanwhile, whatever ends that."""
        every_file = [path for paths in files.values() for path in paths]
        size_before = size_of(every_file)
        try:
            yield
        finally:
            gone = {kind: sum(not path.exists() for path in paths) for kind, paths in files.items()}
            self.count(place, worked_at, gone, size_before - size_of(every_file))

    @contextmanager
    def noting(self, place: Place) -> Iterator[None]:
        """Note what keeps a search from being pruned, for the others to be pruned nevertheless."""
        try:
            yield
        except SearchLocked:  # since it was looked at
            self.leave(place)
        except (StorageFull, StoreError) as error:
            self.faults.append(str(error))
            self.is_full |= isinstance(error, StorageFull)

    def leave(self, place: Place) -> None:
        """Leave a search alone, since a process holds it."""
        holder = holder_of(place.folder)
        self.left_alone[place.id] = f"{holder} runs it" if holder else "another process runs it"

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

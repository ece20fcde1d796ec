"""What of an old search can go, so that disks don't fill over months: never its record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from archsearch.study.kept import best
from archsearch.study.record import Record
from archsearch.study.store import Place

WEIGHTS, CHECKPOINTS, LOGS = "weights", "checkpoints", "logs"


@dataclass(frozen=True, slots=True)
class Removable:
    """What of a search can go.

    Attributes
    ----------
    trials : tuple of int
        Those whose weights the record is to forget; their files may be gone already.
    files : mapping of str to tuple of Path
        By kind.
    refused : str
        What lies where nothing is removed, and what to do; empty where there is no such thing.
    """

    trials: tuple[int, ...]
    files: Mapping[str, tuple[Path, ...]]
    refused: str = ""

    @property
    def needs_hold(self) -> bool:
        """Whether more than logs can go: for that the search has to be held."""
        return bool(self.trials or self.files[WEIGHTS] or self.files[CHECKPOINTS])


def removable(place: Place, keep: int) -> Removable:
    """What of a search can go if the weights of its `keep` best trials are kept.

    Raises
    ------
    StoreError
        If its record can't be read.
    """
    with Record.open(place.record, read_only=True, check=False) as record:
        kept, models = best(record.summary().scored, keep), record.models()
    names = {name for trial in kept for name in models.get(trial, ())}
    weights = tuple(path for path in _files(place.models, "*.keras") if path.name not in names)
    checkpoints = _files(place.models, "*.checkpoint")
    # Of any name: where the folder is a link, they may be anybody's.
    logs = () if place.logs.is_symlink() else _files(place.logs, "*")
    if place.models.is_symlink():  # of other searches, too, perhaps: their names are the same in each
        linked = _linked(place, weights + checkpoints)
        return Removable((), {WEIGHTS: (), CHECKPOINTS: (), LOGS: logs}, linked)
    return Removable(
        tuple(sorted(models.keys() - kept)), {WEIGHTS: weights, CHECKPOINTS: checkpoints, LOGS: logs}
    )


def remove(place: Place, found: Removable) -> list[str]:
    """Remove weights and checkpoints of a search, which this process holds; as `delete`.

    Raises
    ------
    StoreError
    StorageFull
        If the record can't be written; the weights that it still names are left then.
    """
    faults = delete(found.files[CHECKPOINTS])  # which may make the room that the record needs
    if found.trials:
        # Before their weights: a file too many is harmless, one that is missing is not.
        with Record.open(place.record) as record:
            record.forget_models(found.trials)
    return faults + delete(found.files[WEIGHTS])


def delete(files: Iterable[Path]) -> list[str]:
    """Delete files; what could not be deleted, a line each."""
    faults = []
    for path in files:
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            faults.append(f"{path}: can't be removed: {error.strerror}")
    return faults


def size_of(files: Iterable[Path]) -> int:
    """Bytes that files take; one that is gone takes none."""
    return sum(path.lstat().st_size for path in files if path.exists())


def _linked(place: Place, files: Sequence[Path]) -> str:
    if not files:
        return ""
    return (
        f"{place.models}: a symbolic link; nothing is removed behind it, such as {files[0].name}: put the "
        "folder itself in its place (mount --bind where it is to lie on another disk)"
    )


def _files(folder: Path, pattern: str) -> tuple[Path, ...]:
    return tuple(path for path in sorted(folder.glob(pattern)) if path.is_file())

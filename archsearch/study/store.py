"""The store: a folder with the records of searches, their models, and MLflow's database and artifacts.

::

    mlruns/
        .gitignore
        logs/                   what jobs of cron print; made before archsearch starts
        mlflow.db               MLflow's tracking store
        artifacts/              MLflow's artifacts
        searches/digits-1f0c2a9b/
            record.sqlite       the search's record: the truth
            models/             delivered models, .keras
            logs/               what the worker processes print
            requests/           what people ask of the running search
            lock                locked by the process that runs the search
            holder.json         who that is, and its last sign of life (`archsearch.study.holding`)
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from archsearch.errors import SearchConflict, SearchNotFound, SpaceError, StoreError, unwritable, why_denied
from archsearch.records import SearchSnapshot
from archsearch.resources import bundled
from archsearch.study.holding import Hold, Sighting, is_held, sight, take
from archsearch.study.record import Record
from archsearch.study.summary import Summary
from archsearch.study.values import Header

if TYPE_CHECKING:
    from archsearch.space import Edit, SearchSpace

RECORD = "record.sqlite"

# Of jobs of cron (`archsearch.schedule.cron`): made before archsearch starts, and so before the store is.
LOGS = "logs"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one search keeps its files."""

    folder: Path

    @property
    def id(self) -> str:
        """The search's id: its folder's name."""
        return self.folder.name

    @property
    def record(self) -> Path:
        """The record's path."""
        return self.folder / RECORD

    @property
    def models(self) -> Path:
        """Folder of the delivered models."""
        return self.folder / "models"

    @property
    def logs(self) -> Path:
        """Folder of the workers' logs."""
        return self.folder / "logs"

    @property
    def requests(self) -> Path:
        """Folder of the requests to whoever runs the search (`archsearch.study.steering`)."""
        return self.folder / "requests"

    @property
    def is_held(self) -> bool:
        """Whether a process runs the search, here or on another machine."""
        return is_held(self.folder)

    def sight(self) -> Sighting:
        """Look at who holds the search, for `lock`."""
        return sight(self.folder)

    def lock(self, seen: Sighting | None = None) -> Hold:
        """Hold the search for this process, until `release` or the process's end; makes the folder.

        Where its holder was killed on another machine, or before this one was started anew, this waits for a
        sign of life: 11 s, or until so long after it was `seen`.

        Raises
        ------
        SearchLocked
            If another process holds it.
        StoreError
            If it can't be held here.
        StorageFull
        """
        return take(self.folder, seen=seen)

    def snapshot(self) -> SearchSnapshot:
        """The search as its record stands; one whose process was killed is interrupted."""
        with Record.open(self.record, read_only=True) as record:
            snapshot = record.snapshot()
        return replace(snapshot, status=self.standing(snapshot.status))

    def summary(self) -> Summary:
        """The search in short, as its record stands; the file is not searched for damage.

        Raises
        ------
        StoreError
            If it can't be read.
        """
        with Record.open(self.record, read_only=True, check=False) as record:
            return record.summary()

    def standing(self, status: str) -> str:
        """A recorded status as it is now: a process that was killed could not say that it ended."""
        return "interrupted" if status == "running" and not self.is_held else status


class Store:
    """A folder of searches.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def database(self) -> Path:
        """MLflow's database."""
        return self.path / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """Folder of MLflow's artifacts."""
        return self.path / "artifacts"

    def prepare(self) -> None:
        """Make the folder, if it is not there; one with nothing of others in it gets rules for git.

        Raises
        ------
        StoreError
            If it can't be written.
        StorageFull
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # Else the rules would hide what somebody has in it.
            if all(path.name == LOGS for path in self.path.iterdir()):
                shutil.copyfile(bundled("mlruns.gitignore"), self.path / ".gitignore")
            (self.path / "searches").mkdir(exist_ok=True)
        except OSError as error:
            raise unwritable(f"store {self.path}", error) from None
        if not os.access(self.path / "searches", os.W_OK):
            raise StoreError(f"store {self.path}: can't be written: {why_denied(self.path)}")

    def searches(self) -> list[Place]:
        """All searches, in the order of their ids.

        Raises
        ------
        StoreError
            If the folder can't be read.
        """
        folder = self.path / "searches"
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            if isinstance(error, FileNotFoundError | NotADirectoryError) and not folder.exists():
                return []
            raise StoreError(f"{folder}: can't be read: {error.strerror}") from None
        return [Place(path) for path in paths if (path / RECORD).is_file()]

    def find(self, search: str) -> Place:
        """The search with this id or record path, or the newest with this name.

        Raises
        ------
        SearchNotFound
        """
        path = Path(search)
        if path.is_file():
            return Place(path.absolute().parent)
        if (path / RECORD).is_file():
            return Place(path.absolute())
        exact = self._place(search)
        if exact.record.is_file():
            return exact
        if named := self._named(search):
            return named[0][0]
        ids = [place.id for place in self.searches()]
        known = f"; there are: {', '.join(ids)}" if ids else ", which has none yet"
        raise SearchNotFound(f"no search {search!r} in store {self.path}{known}")

    def place_for(self, space: "SearchSpace", *, new: bool, continue_: bool = False) -> Place:
        """Where `space`'s search is, or will be if there is none yet.

        Parameters
        ----------
        space : SearchSpace
        new : bool
            Start another search whatever there is.
        continue_ : bool
            Go on with the newest search of this name of which `space` is an edit.

        Raises
        ------
        SearchConflict
            If the name belongs to searches of other spaces.
        """
        fresh = f"{space.name}-{space.fingerprint}"
        if new:  # whatever there is, be it damaged
            names = chain([fresh], (f"{fresh}-{n}" for n in count(2)))
            return next(place for place in map(self._place, names) if not place.folder.exists())
        same_name = self._named(space.name)
        edits = [(place, edit_since(header, space)) for place, header in same_name]
        unchanged = [place for place, edit in edits if not edit.words]
        allowed = [(place, edit) for place, edit in edits if not edit.refused]
        if unchanged:
            return unchanged[0]
        if allowed and continue_:
            return allowed[0][0]
        if edits:
            raise SearchConflict(_conflict(space, *(allowed or edits)[0]))
        return self._place(fresh)

    def _named(self, name: str) -> list[tuple[Place, Header]]:
        """The searches of that name, the newest first."""
        found = []
        for place in self.searches():
            if place.id.startswith(f"{name}-"):
                with Record.open(place.record, read_only=True, check=False) as record:
                    header = record.header()
                if header.name == name:
                    found.append((place, header))
        return sorted(found, key=lambda pair: pair[1].created_at, reverse=True)

    def _place(self, id_: str) -> Place:
        return Place(self.path / "searches" / id_)


def edit_since(header: Header, space: "SearchSpace") -> "Edit":
    """What `space` changes of a recorded one; all of it is refused where that can't be read any more."""
    # Here, because whoever only looks at searches needs no language of spaces.
    from archsearch.space import Edit, SearchSpace, changed_words, edit_between

    if header.fingerprint == space.fingerprint:
        return Edit()
    try:
        recorded = SearchSpace.from_mapping(header.space)
    except SpaceError:  # a word of another version
        return Edit(refused=changed_words(header.identity, space.identity))
    return edit_between(recorded, space)


def _conflict(space: "SearchSpace", place: Place, edit: "Edit") -> str:
    if not edit.refused:
        return (
            f"the name {space.name!r} belongs to search {place.id}, of which this is an edited space:\n"
            f"{_lines(edit.allowed)}\n"
            "go on with --continue, or --new for another search"
        )
    others = f"what else differs may change:\n{_lines(edit.allowed)}\n" if edit.allowed else ""
    return (
        f"the name {space.name!r} belongs to search {place.id}, whose trainings can't be mixed with those "
        f"of a space that differs in\n{_lines(edit.refused)}\n{others}"
        "run it with --new to start another search of this name, or give the space another name"
    )


def _lines(words: Sequence[str]) -> str:
    return "\n".join(f"  {word}" for word in words)

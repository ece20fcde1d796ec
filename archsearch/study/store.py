"""The store: a folder with the records of searches, their models, and MLflow's database and artifacts.

::

    mlruns/
        .gitignore
        mlflow.db               MLflow's tracking store
        artifacts/              MLflow's artifacts
        searches/digits-1f0c2a9b/
            record.sqlite       the search's record: the truth
            models/             delivered models, .keras
            logs/               what the worker processes print
            requests/           what people ask of the running search
            lock                held by the process that runs the search
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock

from archsearch.errors import SearchConflict, SearchLocked, SearchNotFound, SpaceError, StoreError
from archsearch.records import SearchSnapshot
from archsearch.resources import bundled
from archsearch.space import SearchSpace, changed_words
from archsearch.study.record import Record
from archsearch.study.values import Header

RECORD = "record.sqlite"
LOCK_SECONDS = 0.5


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

    def lock(self) -> filelock.BaseFileLock:
        """Hold the search for this process, until `release` or the process's end; makes the folder.

        Raises
        ------
        SearchLocked
            If another process holds it.
        """
        lock = filelock.FileLock(self.folder / "lock")
        try:
            self.folder.mkdir(exist_ok=True)
            # Whoever only asks whether the search is held lets go of it at once.
            lock.acquire(timeout=LOCK_SECONDS)
        except filelock.Timeout:
            raise SearchLocked(f"search {self.id} is being run by another process{self._holder()}") from None
        except OSError as error:
            raise StoreError(f"{self.folder}: can't be written: {error.strerror}") from None
        return lock

    def snapshot(self) -> SearchSnapshot:
        """The search as its record stands; one whose process was killed is interrupted."""
        with Record.open(self.record, read_only=True) as record:
            snapshot = record.snapshot()
        return replace(snapshot, status=self.standing(snapshot.status))

    def standing(self, status: str) -> str:
        """A recorded status as it is now: a process that was killed could not say that it ended."""
        return "interrupted" if status == "running" and not self._is_held() else status

    def _is_held(self) -> bool:
        try:
            self.lock().release()
        except SearchLocked:
            return True
        except StoreError:  # a store that can only be read: nobody here runs a search in it
            return False
        return False

    def _holder(self) -> str:
        if not self.record.is_file():
            return ""
        with Record.open(self.record, read_only=True) as record:
            sessions = record.sessions()
        return f" (process {sessions[-1].pid} on {sessions[-1].host})" if sessions else ""


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
        """Make the folder, and its ignore rules, if they are not there.

        Raises
        ------
        StoreError
            If it can't be written.
        """
        try:
            (self.path / "searches").mkdir(parents=True, exist_ok=True)
            if not (self.path / ".gitignore").exists():
                shutil.copyfile(bundled("mlruns.gitignore"), self.path / ".gitignore")
        except OSError as error:
            raise StoreError(f"store {self.path}: can't be written: {error.strerror or error}") from None
        if not os.access(self.path / "searches", os.W_OK):
            raise StoreError(f"store {self.path}: can't be written: permission denied")

    def searches(self) -> list[Place]:
        """All searches, in the order of their ids."""
        return [Place(path.parent) for path in sorted((self.path / "searches").glob(f"*/{RECORD}"))]

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

    def place_for(self, space: SearchSpace, *, new: bool) -> Place:
        """Where `space`'s search is, or will be if there is none yet.

        Parameters
        ----------
        space : SearchSpace
        new : bool
            Start another search whatever there is.

        Raises
        ------
        SearchConflict
            If the name belongs to a search of another space.
        """
        same_name = self._named(space.name)
        fresh = f"{space.name}-{space.fingerprint}"
        if new:
            names = [fresh, *(f"{fresh}-{n}" for n in range(2, len(same_name) + 3))]
            return next(place for place in map(self._place, names) if not place.folder.exists())
        for place, header in same_name:
            if _recorded(header)[0] == space.fingerprint:
                return place
        if same_name:
            raise SearchConflict(_conflict(space, *same_name[0]))
        return self._place(fresh)

    def _named(self, name: str) -> list[tuple[Place, Header]]:
        """The searches of that name, the newest first."""
        found = []
        for place in self.searches():
            if place.id.startswith(f"{name}-"):
                with Record.open(place.record, read_only=True) as record:
                    header = record.header()
                if header.name == name:
                    found.append((place, header))
        return sorted(found, key=lambda pair: pair[1].created_at, reverse=True)

    def _place(self, id_: str) -> Place:
        return Place(self.path / "searches" / id_)


def _recorded(header: Header) -> tuple[str, Mapping[str, Any]]:
    """Fingerprint and identity of a recorded space, as this version takes it whichever recorded it."""
    try:
        space = SearchSpace.from_mapping(header.space)
    except SpaceError:  # a word of another version
        return header.fingerprint, header.identity
    return space.fingerprint, space.identity


def _conflict(space: SearchSpace, place: Place, header: Header) -> str:
    changes = changed_words(_recorded(header)[1], space.identity)
    return (
        f"the name {space.name!r} belongs to search {place.id}, which differs in\n"
        + "\n".join(f"  {change}" for change in changes)
        + "\nrun it with --new to start another search of this name, or give the space another name"
    )

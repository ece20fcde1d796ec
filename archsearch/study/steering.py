"""How other processes steer a running search: requests in a folder, which its driver takes up.

Each request is one JSON file, written beside its name and renamed: whoever reads finds it whole or not at
all. The driver alone writes the record, so a request stays in the folder until what it asks for is recorded.
A driver that is killed in between finds it again: a trial that has ended and an architecture that is a trial
already show that it was carried out.
"""

import contextlib
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsearch.architecture import AnyArchitecture, Architecture, architecture_from_json
from archsearch.errors import unwritable
from archsearch.notation import parse

ENDING = ".json"
SET_ASIDE = ".unreadable"


@dataclass(frozen=True, slots=True)
class Skip:
    """End a trial that runs or waits; it is recorded as skipped."""

    trial: int


@dataclass(frozen=True, slots=True)
class Add:
    """Train an architecture next, with the recipe that named architectures have.

    Attributes
    ----------
    architecture : Architecture or HyperModelArchitecture
        Of a HyperModel, with the values of all its hyperparameters.
    name : str or None
        What it is called in tables and reports.
    """

    architecture: AnyArchitecture
    name: str | None = None


Request = Skip | Add


class Mailbox:
    """The requests to one search.

    Parameters
    ----------
    folder : Path
        Made by the first request.
    read_only : bool
        Whether what holds no request is left where it is.
    """

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        self._folder, self._is_read_only = folder, read_only
        self._read: dict[str, Request] = {}
        self._unreadable: set[str] = set()

    def send(self, request: Request) -> None:
        """Leave a request for whoever runs the search, now or next.

        Raises
        ------
        StoreError
            If the folder can't be written.
        StorageFull
        """
        # Names sort by time; the rest keeps apart what is sent at the same instant.
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
        draft = self._folder / f"{name}.draft"
        try:
            self._folder.mkdir(exist_ok=True)
            draft.write_text(json.dumps(_to_json(request), ensure_ascii=False), encoding="utf-8")
            draft.replace(self._folder / f"{name}{ENDING}")
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise unwritable(self._folder, error) from None

    def take(self) -> list[tuple[str, Request]]:
        """All requests that have not been removed, oldest first, each with the name by which to remove it.

        Each file is read once. One that holds no request is set aside under another name.
        """
        try:
            names = sorted(path.name for path in self._folder.iterdir() if path.suffix == ENDING)
        except OSError:  # no request yet, or a store that is out of reach for a moment
            return []
        for name in names:
            if name not in self._read and name not in self._unreadable:
                self._open(name)
        return [(name, self._read[name]) for name in names if name in self._read]

    def added(self) -> list[Add]:
        """The architectures that wait to be taken up, oldest first."""
        return [request for _, request in self.take() if isinstance(request, Add)]

    def remove(self, name: str) -> None:
        """Forget a request: what it asked for is recorded, or is the case already."""
        with contextlib.suppress(OSError):
            (self._folder / name).unlink(missing_ok=True)
            self._read.pop(name, None)

    def _open(self, name: str) -> None:
        path = self._folder / name
        try:
            self._read[name] = _from_json(json.loads(path.read_text(encoding="utf-8")))
        except OSError:
            return  # removed, or out of reach for a moment
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._unreadable.add(name)  # in case that it can't be renamed
            if not self._is_read_only:
                with contextlib.suppress(OSError):
                    path.replace(path.with_name(name + SET_ASIDE))


def _to_json(request: Request) -> dict[str, Any]:
    if isinstance(request, Skip):
        return {"skip": request.trial}
    return {"add": request.architecture.to_json(), "name": request.name}


def _from_json(value: Mapping[str, Any]) -> Request:
    """The inverse of `_to_json`; raises one of several errors where it is no request."""
    if "skip" in value:
        if type(value["skip"]) is not int:
            raise ValueError("a trial is a whole number")
        return Skip(value["skip"])
    architecture, name = architecture_from_json(value["add"]), value["name"]
    if isinstance(architecture, Architecture) and parse(architecture.notation) != architecture:
        raise ValueError("no architecture that could be written in one line")
    if not isinstance(name, str | None):
        raise ValueError("a name is text")
    return Add(architecture, name)

"""Every error archsearch raises on purpose, and the exit code each one means.

::

    ArchsearchError
    ├── Refused              exit 2: nothing was trained
    │   ├── SpaceError       the search space (file, line and column in the text)
    │   ├── DataError        the data
    │   ├── StoreError       the store or a record in it
    │   ├── SearchConflict   the name is taken by a different search
    │   ├── SearchNotFound   no such search in the store
    │   └── TrackingError    the MLflow tracking server
    ├── StorageFull          exit 75: the disk is full, what was written is safe
    ├── GpusBusy             exit 99: other processes hold the memory of the GPUs
    └── SearchLocked         exit 99: another process holds the search, or has taken it over
        └── SearchSkipped    exit 0: and it was said that the search is left to it then

A training that fails is none of these: it is a recorded outcome (`archsearch.records.Status`).
"""

import errno
import os
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """What the process tells its caller; part of the interface."""

    FINISHED = 0
    DEFECT = 1
    REFUSED = 2
    NO_GOOD_MODEL = 3
    ALL_FAILED = 4
    INTERRUPTED = 75
    LOCKED = 99


class ArchsearchError(Exception):
    """Base of every error whose text is meant for the user; shown without a traceback."""

    exit_code: ExitCode = ExitCode.DEFECT


class Refused(ArchsearchError):
    """The request can't be carried out as given; nothing was trained."""

    exit_code = ExitCode.REFUSED


class SpaceError(Refused):
    """The search space is not readable or not valid."""


class DataError(Refused):
    """The data can't be used."""


class StoreError(Refused):
    """The store, or a record in it, can't be read or written."""


class SearchConflict(Refused):
    """The search's name belongs to a search of something else."""


class SearchNotFound(Refused):
    """No search in the store answers to that name, id or path."""


class TrackingError(Refused):
    """The MLflow tracking server does not answer or refuses."""


class StorageFull(ArchsearchError):
    """The disk is full: the search stops with everything recorded so far intact."""

    exit_code = ExitCode.INTERRUPTED


class GpusBusy(ArchsearchError):
    """The GPUs are large enough, but other processes hold too much of their memory now."""

    exit_code = ExitCode.LOCKED


class SearchLocked(ArchsearchError):
    """Another process is running this search."""

    exit_code = ExitCode.LOCKED


class SearchSkipped(SearchLocked):
    """Another process is running this search, and the user has said to leave it to that one.

    Attributes
    ----------
    search : str
        Its id.
    """

    exit_code = ExitCode.FINISHED

    def __init__(self, search: str, why: str) -> None:
        super().__init__(why)
        self.search = search


LOCKS_NEEDED = (
    "locks don't work on this file system; mount it with locks, or name a --store on a disk of this machine"
)

# The disk, the user's share of it, or the largest file that is allowed.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def is_full(error: OSError) -> bool:
    """Whether a file could not be written for want of room."""
    return error.errno in _FULL


def why_denied(folder: Path) -> str:
    """Why nothing can be written to a folder of which ``os.access`` says so."""
    is_read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
    return "read-only file system" if is_read_only else "permission denied"


def unwritable(what: object, error: OSError) -> StorageFull | StoreError:
    """What it means to the user that a file or folder can't be written.

    Parameters
    ----------
    what : object
        Its path, perhaps with a word before it.
    error : OSError
    """
    if is_full(error):
        return StorageFull(
            f"{what}: can't be written ({error.strerror}): is the disk full? Everything up to now is saved; "
            "repeat the command once there is room"
        )
    return StoreError(f"{what}: can't be written: {error.strerror or error}")

"""Who runs a search: one process at a time, on whichever machine.

Two files say so. ``lock`` is locked by whoever runs the search: the kernel lets go of it at the holder's end,
whatever ended it, and for all containers on one machine. ``holder.json`` is for machines that don't see each
other's locks: the holder writes into it every few seconds that it is alive, and removes it when it lets go.
"""

import errno
import fcntl
import json
import os
import socket
import threading
import time
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import filelock

from archsearch.errors import LOCKS_NEEDED, ArchsearchError, SearchLocked, StoreError, unwritable

LOCK = "lock"
HOLDER = "holder.json"

# What a file system answers that has no locks.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_LOCKED = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES})


@dataclass(frozen=True, slots=True)
class Pace:
    """How quickly things go, in seconds.

    Attributes
    ----------
    beat : float
        From one sign of life to the next.
    trust : float
        So long after its last one a holder on another machine counts as alive.
    patience : float
        How long a lock is tried for.
    """

    beat: float = 5.0
    trust: float = 60.0
    patience: float = 0.5

    @property
    def watch(self) -> float:
        """In this time a holder that is alive gives a sign."""
        return 2.2 * self.beat


PACE = Pace()


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a search.

    Attributes
    ----------
    host : str
    boot : str
        The id of its machine's last start. Names of hosts and numbers of processes prove nothing: in
        containers every process is the first.
    pid : int
    since : float
        When it took the search, by its clock.
    beats : int
        Signs of life.
    at : float
        When it gave the last one, by its clock.
    """

    host: str
    boot: str
    pid: int
    since: float
    beats: int
    at: float

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.since))
        return f"process {self.pid} on {self.host}, since {since}"

    def is_same(self, other: "Holder") -> bool:
        """Whether both are one process, perhaps at different times."""
        return (self.boot, self.pid, self.since) == (other.boot, other.pid, other.since)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen of a search's holder at one moment.

    Attributes
    ----------
    holder : Holder or None
    at : float
        In seconds of ``time.monotonic``.
    """

    holder: Holder | None
    at: float


class Hold:
    """A search held by this process, until `release` or the process's end.

    Parameters
    ----------
    lock : filelock.BaseFileLock
        Acquired.
    path : Path
        Of the holder's file.
    beat : float
        Seconds between two signs of life.

    Raises
    ------
    OSError
        If the first sign of life can't be written.
    """

    def __init__(self, lock: filelock.BaseFileLock, path: Path, beat: float) -> None:
        self._lock, self._path, self._beat = lock, path, beat
        now = time.time()
        self._holder = Holder(socket.gethostname(), _boot_id(), os.getpid(), now, 0, now)
        self._is_over = threading.Event()
        self._write()
        self._thread = threading.Thread(target=self._live, name="heartbeat", daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Let go of the search."""
        self._is_over.set()
        self._thread.join(self._beat)
        with suppress(OSError):
            if self._is_ours():
                self._path.unlink(missing_ok=True)
        self._lock.release()

    def _live(self) -> None:
        while not self._is_over.wait(self._beat):
            with suppress(OSError):  # such as a full disk: the next one may find room
                if not self._is_ours():
                    return  # the record tells the driver, who must not write either
                self._holder = replace(self._holder, beats=self._holder.beats + 1, at=time.time())
                self._write()

    def _is_ours(self) -> bool:
        holder = holder_of(self._path.parent)
        return holder is None or holder.is_same(self._holder)

    def _write(self) -> None:
        """Write beside the file and rename: it is never half written. A crash leaves one draft at most."""
        draft = self._path.with_name(f"{HOLDER}.{self._holder.boot[:8]}")
        try:
            draft.write_text(json.dumps(asdict(self._holder)), encoding="utf-8")
            draft.replace(self._path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def take(folder: Path, pace: Pace = PACE, *, seen: Sighting | None = None) -> Hold:
    """Take the search in `folder`, which is made; free it is where nobody runs it.

    A holder on this machine whose lock is gone is gone itself. For one on another machine only its signs of
    life speak. Whether the last one is recent is told by two clocks, which may differ or be set back: where
    they say that the holder is gone, or make no sense, this waits for another sign. It waits, too, where this
    machine itself was started anew since: another boot may as well be another machine of the same name, or a
    guest of this one, and no file system of this machine says that no other has it open.

    Parameters
    ----------
    folder : Path
    pace : Pace
    seen : Sighting, optional
        An earlier look at the holder, by `sight`: the waiting counts from then.

    Raises
    ------
    SearchLocked
        If another process holds it; says which.
    StoreError
        If the folder can't be written, or can't be locked.
    StorageFull
    """
    try:
        folder.mkdir(exist_ok=True)
        lock = _locked(folder, pace)
        try:
            _require_gone(folder, sight(folder), pace, seen)
            return Hold(lock, folder / HOLDER, pace.beat)
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise unwritable(folder, error) from None


def is_held(folder: Path, pace: Pace = PACE) -> bool:
    """Whether a process holds the search in `folder`, without getting into its way.

    One on another machine is told by its clock and this one alone.
    """
    if _is_locked(folder / LOCK):
        return True
    holder = holder_of(folder)
    return holder is not None and holder.boot != _boot_id() and abs(time.time() - holder.at) < pace.trust


def sight(folder: Path) -> Sighting:
    """Look at the holder of the search in `folder`."""
    return Sighting(holder_of(folder), time.monotonic())


def holder_of(folder: Path) -> Holder | None:
    """Who holds the search in `folder`, or ended without letting go of it; None if nobody does."""
    try:
        values = json.loads((folder / HOLDER).read_text(encoding="utf-8"))
        return Holder(**{name: values[name] for name in Holder.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _locked(folder: Path, pace: Pace) -> filelock.BaseFileLock:
    lock = filelock.FileLock(folder / LOCK)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of what is refused below
            # Whoever only asks whether the search is held is done at once.
            lock.acquire(timeout=pace.patience)
    except filelock.Timeout:
        raise _taken(folder, _by(folder, holder_of(folder), pace)) from None
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        raise _unlockable(folder, error) from None
    if isinstance(lock, filelock.SoftFileLock):  # what it falls back to would outlive this process
        lock.release()
        raise _unlockable(folder, "no flock")
    return lock


def _by(folder: Path, holder: Holder | None, pace: Pace) -> str:
    """Who has the lock; of a silent machine, whose lock the file server keeps for a while, what to do."""
    if holder is None:
        return ""
    silent = time.time() - holder.at
    if holder.boot == _boot_id() or silent <= pace.trust:
        return f" ({holder})"
    return (
        f" ({holder}; last heard of {silent:.0f} s ago). If that machine is gone, the search is free once "
        "the file server has let go of its lock; to go on before that, make sure that it is gone and delete "
        f"{folder / LOCK}"
    )


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:  # nobody has ever held it, or may from here
        return False
    try:
        # Shared, so that those who ask don't take each other for the holder, and let go of with the file.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _LOCKED
    finally:
        os.close(descriptor)
    return False


def _require_gone(folder: Path, found: Sighting, pace: Pace, seen: Sighting | None) -> None:
    holder = found.holder
    if holder is None or holder.boot == _boot_id():
        return
    age = time.time() - holder.at
    if 0 <= age < pace.trust:
        raise _taken(
            folder,
            f" ({holder}; last heard of {age:.0f} s ago); if it is gone, the search is free in "
            f"{pace.trust - age:.0f} s",
        )
    since = seen if seen and seen.holder == holder else found
    while time.monotonic() < since.at + pace.watch:
        time.sleep(pace.beat / 10)
        now = holder_of(folder)
        if now is None and not (folder / HOLDER).exists():
            return  # it has let go
        if now is not None and now != holder:
            raise _taken(folder, f" ({now}; its clock is another)" if age < 0 else f" ({now})")


def _taken(folder: Path, by: str) -> SearchLocked:
    return SearchLocked(f"search {folder.name} is being run by another process{by}")


def _unlockable(folder: Path, why: object) -> ArchsearchError:
    return StoreError(f"{folder / LOCK}: {why}: {LOCKS_NEEDED}")


def _boot_id() -> str:
    """Which start of which machine this is; where the kernel does not say, the host's name stands for it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return socket.gethostname()

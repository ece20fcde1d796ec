"""A Python process of archsearch's own: a pipe to it, a log of what it prints, and how it ended."""

import fcntl
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import IO, Any

import psutil

from archsearch.home import ensure_home

# What a user's code may import sends nothing home, unless the user says otherwise. The first is for all that
# keep to it, such as huggingface_hub.
NO_TELEMETRY = {"DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}

LOG_TAIL = 600

# So much of a log at most is looked through for it.
LOG_END = 64 * 1024

# What TensorFlow has to say of itself, by its logger and by that of Abseil, while all is well.
_CHATTER = re.compile(r"[IW]\d{4} |\d{4}-\d\d-\d\d \S+: [IW] |WARNING: All log messages before absl::")

# Who ends a job may send these to each of its processes: they are the driver's to handle.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)

END_SECONDS = 1.0

# What a process's reader puts last in its inbox.
_NO_MORE = object()


class ChildEnded(Exception):
    """The process is gone.

    Attributes
    ----------
    how : str
        ``"was killed by SIGKILL"``, ``"ended with exit code 1"``.
    printed : str
        The last it printed, on one line.
    """

    def __init__(self, code: int, printed: str) -> None:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        super().__init__(how + (f"; it last printed: {printed}" if printed else ""))
        self.how, self.printed = how, printed


class Child:
    """A process that runs a module with the numbers of its ends of two pipes as its arguments.

    One carries messages. The other carries nothing: it is closed when this process ends, however it ends, and
    the kernel then ends the child. What the child says is read in a thread, so that one which stands still in
    the middle of a message holds up nobody.

    Parameters
    ----------
    module : str
        Takes its messages from `connected`.
    log : binary file
        Open for reading and writing; closed with the process.
    environment : dict of str to str
        Variables besides the driver's own.
    news : threading.Event, optional
        Set when there is something to receive.
    """

    def __init__(
        self,
        module: str,
        log: IO[bytes],
        environment: dict[str, str],
        news: threading.Event | None = None,
    ) -> None:
        self._log = log
        ensure_home()
        self.pipe, far_end = Pipe()
        watched, self._held = Pipe(duplex=False)
        ends = (far_end.fileno(), watched.fileno())
        with far_end, watched, _blocked(STOPPING):
            self.process = subprocess.Popen(
                # -P: a user's file in the working folder must not stand for one of Python's modules.
                [sys.executable, "-P", "-m", module, *map(str, ends)],
                pass_fds=ends,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=NO_TELEMETRY | os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"} | environment,
                start_new_session=True,  # Ctrl-C is the driver's to handle
            )
        self._seen = psutil.Process(self.process.pid)
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(news or threading.Event(),), daemon=True)
        self._reader.start()

    def send(self, message: Any) -> None:
        """Send a message; where the process has just died, `receive` will say so."""
        with suppress(OSError):
            self.pipe.send(message)

    def receive(self, timeout: float = 0.0) -> Any:
        """The next message, waited for at most `timeout` seconds; None where there is none yet.

        Raises
        ------
        ChildEnded
            If there will be no other.
        """
        message = self._next(timeout)
        if message is None and self._has_ended():
            self.signal_end()  # a process that the user's code forked may keep the pipe open
            message = self._next(END_SECONDS) or _NO_MORE
        if message is _NO_MORE:
            raise self._ended()
        return message

    def kill(self) -> None:
        """End the process and what it started, if it has not ended by itself."""
        self.signal_end()
        # One that waits for a broken disk or GPU may end much later.
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        self._held.close()
        self._reader.join(END_SECONDS)
        if not self._reader.is_alive():  # else its number, by which it is read, must not become another's
            self.pipe.close()
        self._log.close()

    def signal_end(self) -> None:
        """Have the process end, without waiting for it."""
        # Once it has been waited for, its number may be that of others.
        if self.process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):  # only what has ended already is left
                os.killpg(self.process.pid, signal.SIGKILL)

    def _read(self, news: threading.Event) -> None:
        try:
            while True:
                self._inbox.put(self.pipe.recv())
                news.set()
        except (EOFError, OSError):
            pass
        finally:
            self._inbox.put(_NO_MORE)
            news.set()

    def _next(self, timeout: float) -> Any:
        try:
            return self._inbox.get(timeout=timeout)
        except queue.Empty:
            return None

    def _has_ended(self) -> bool:
        """Without waiting for it: so long nobody else has its number, by which what it started is ended."""
        try:
            return self.process.returncode is not None or self._seen.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def _ended(self) -> ChildEnded:
        deadline = time.monotonic() + END_SECONDS
        while not self._has_ended() and time.monotonic() < deadline:
            time.sleep(0.01)  # it has closed its pipe, so it is about to end
        self.signal_end()
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - LOG_END))
        return ChildEnded(self.process.wait(), last_printed(self._log.read().decode(errors="replace")))


def last_printed(log: str) -> str:
    """The end of a log, on one line, without what TensorFlow says of itself."""
    lines = [line for line in log.splitlines() if not _CHATTER.match(line)]
    return " ".join(" ".join(lines)[-LOG_TAIL:].split())


def connected(descriptor: int, watched: int) -> "tuple[Connection, queue.SimpleQueue[Any]]":
    """For the process itself: its end of the pipe, to send by, and what it is sent.

    The process leaves at once when the driver is gone, even in the middle of its work, with what it started.
    `descriptor` and `watched` are its arguments.
    """
    _end_with(watched)
    for number in STOPPING:
        signal.signal(number, _not_mine)
    os.register_at_fork(after_in_child=_hear_all)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    pipe = Connection(descriptor)
    # What the user's code starts is not to hold the pipe.
    os.set_inheritable(descriptor, False)
    os.register_at_fork(after_in_child=pipe.close)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, inbox), daemon=True).start()
    return pipe, inbox


def _end_with(watched: int) -> None:
    """Have the kernel end this process, and those it started, once the other end of a pipe is closed.

    It needs no thread of this process, which may not come to run: compiled code can keep Python's lock for
    hours. Where there is no such thing (it is Linux': fcntl(2), F_SETSIG), the thread that listens must do.
    """
    if hasattr(fcntl, "F_SETSIG") and os.getpgrp() == os.getpid():
        fcntl.fcntl(watched, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(watched, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(watched, fcntl.F_SETFL, fcntl.fcntl(watched, fcntl.F_GETFL) | os.O_ASYNC)
    os.set_inheritable(watched, False)


@contextmanager
def _blocked(signals: Iterable[signal.Signals]) -> Iterator[None]:
    """Have a process that is started meanwhile begin with these signals blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _not_mine(*_: object) -> None:
    """Not `SIG_IGN`, which a program that the user's code starts would inherit."""


def _hear_all() -> None:
    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)


def _listen(pipe: Connection, inbox: "queue.SimpleQueue[Any]") -> None:
    try:
        while True:
            inbox.put(pipe.recv())
    except (EOFError, OSError):
        leave()


def leave() -> None:
    """End this process, and those it started, at once."""
    # The group is the process's own, unless somebody has started it by hand.
    with suppress(ProcessLookupError):
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)

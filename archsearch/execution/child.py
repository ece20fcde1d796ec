"""A Python process of archsearch's own: a pipe to it, a log of what it prints, and how it ended."""

import os
import queue
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

LOG_TAIL = 600

# Who ends a job may send these to each of its processes: they are the driver's to handle.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

END_SECONDS = 1.0


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
    """A process that runs a module with the number of its end of the pipe as the only argument.

    Parameters
    ----------
    module : str
        Takes its messages from `connected`.
    log : binary file
        Open for reading and writing; closed with the process.
    environment : dict of str to str
        Variables besides the driver's own.
    """

    def __init__(self, module: str, log: IO[bytes], environment: dict[str, str]) -> None:
        self._log = log
        self.pipe, far_end = Pipe()
        with far_end, _blocked(STOPPING):
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(far_end.fileno())],
                pass_fds=[far_end.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"} | environment,
                start_new_session=True,  # Ctrl-C is the driver's to handle
            )
        self._seen = psutil.Process(self.process.pid)

    def send(self, message: Any) -> None:
        """Send a message; where the process has just died, `receive` will say so."""
        with suppress(OSError):
            self.pipe.send(message)

    def has_news(self, timeout: float = 0.0) -> bool:
        """Whether `receive` has something to say, waiting at most `timeout` seconds for it."""
        # Not the pipe alone: a process that the user's code forked may keep it open after the child's end.
        return self.pipe.poll(timeout) or self._has_ended()

    def receive(self) -> Any:
        """The next message, waited for.

        Raises
        ------
        ChildEnded
            If there will be no other.
        """
        try:
            # In this order: once the process has ended, all it sent is in the pipe.
            if not self._has_ended() or self.pipe.poll():
                return self.pipe.recv()
        except (EOFError, OSError):
            pass
        raise self._ended()

    def kill(self) -> None:
        """End the process and what it started, if it has not ended by itself."""
        self.signal_end()
        # One that waits for a broken disk or GPU may end much later.
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(END_SECONDS)
        self.pipe.close()
        self._log.close()

    def signal_end(self) -> None:
        """Have the process end, without waiting for it."""
        # Once it has been waited for, its number may be that of others.
        if self.process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):  # only what has ended already is left
                os.killpg(self.process.pid, signal.SIGKILL)

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
        self._log.seek(0)
        printed = " ".join(self._log.read().decode(errors="replace")[-LOG_TAIL:].split())
        return ChildEnded(self.process.wait(), printed)


def connected(descriptor: int) -> "tuple[Connection, queue.SimpleQueue[Any]]":
    """For the process itself: its end of the pipe, to send by, and what it is sent.

    The process leaves at once when the driver is gone, even in the middle of its work, with what it started.
    """
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

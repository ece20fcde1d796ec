"""How signals stop a search: at once, or when it is at a point where everything is saved."""

import atexit
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from archsearch.commands.lines import INTERRUPTED, PREFIX
from archsearch.errors import ExitCode

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)

# Who interrupts a process may kill it seconds later. GitHub Actions does so after 7.5; promised are 5, also
# where the machine is busy.
LEAVE_SECONDS = 4.0


def last_words() -> bytes:
    """What a process prints that is ended in the middle of something."""
    show_cursor = b"\x1b[?25h" if os.isatty(2) else b""  # progress bars hide it
    return show_cursor + f"{PREFIX}{INTERRUPTED}\n".encode()


class Interrupted(KeyboardInterrupt):
    """A signal has come.

    No KeyboardInterrupt itself: after one in a string of code that runs, as in the making of a dataclass,
    Python ends by SIGINT in place of its exit code, whoever has caught it.
    """


class Interrupts:
    """SIGINT, SIGTERM, SIGUSR1 and SIGHUP raise `Interrupted`; within `deferred` they set an event instead.

    Others that come while the process is leaving change nothing. Only the main thread can have signals;
    elsewhere the event is never set. SIGHUP comes where a terminal is closed; it stays ignored where
    ``nohup`` has said so.

    Parameters
    ----------
    owns_process : bool
        Whether the process is there for the search alone. Then it ends `LEAVE_SECONDS` after the first
        signal, whatever it does: a library, a disk or a server may keep it longer, and all is recorded.
    last_words : callable
        Gives what is then printed to stderr.
    """

    def __init__(self, *, owns_process: bool = False, last_words: Callable[[], bytes] = last_words) -> None:
        self._owns_process = owns_process
        self._last_words = last_words
        self._stop: threading.Event | None = None
        self._before: dict[int, Any] = {}
        self._alarm: int | None = None
        self._came_at: float | None = None

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            if self._owns_process:
                self._set_alarm()
            for number in SIGNALS:
                if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        is_leaving = self._owns_process and self._came_at is not None
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if is_leaving else handler)
        if is_leaving:
            # Python takes seconds to take itself down, in which it has no threads that could watch the time.
            atexit.register(_leave)
            return
        if self._alarm is not None:
            signal.set_wakeup_fd(-1)
            os.close(self._alarm)

    @contextmanager
    def deferred(self) -> Iterator[threading.Event]:
        """An event to look at, in place of the exception."""
        self._stop = threading.Event()
        try:
            yield self._stop
        finally:
            self._stop = None

    def _handle(self, *_: object) -> None:
        now = time.monotonic()
        if self._came_at is not None and now - self._came_at < LEAVE_SECONDS:
            return
        self._came_at = now
        if self._stop is None:
            raise Interrupted
        self._stop.set()

    def _set_alarm(self) -> None:
        """Have a thread see the signals, too: it does at once, even while the main thread is in a library."""
        waiting, self._alarm = os.pipe()
        os.set_blocking(self._alarm, False)
        signal.set_wakeup_fd(self._alarm, warn_on_full_buffer=False)
        watching = (waiting, self._last_words)
        threading.Thread(target=_leave_in_time, args=watching, name="alarm", daemon=True).start()


def _leave_in_time(signals: int, last_words: Callable[[], bytes]) -> None:
    """End the process some seconds after the first signal.

    Nothing is imported here: an exception in the middle of an import may leave Python's locks shut.
    """
    with open(signals, "rb", buffering=0) as came:
        while number := came.read(1):
            if number[0] in SIGNALS:
                break
        else:
            return
        time.sleep(LEAVE_SECONDS)
    with suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    with suppress(OSError, ValueError):
        if select.select([], [2], [], 0)[1]:  # else nobody reads them, and nothing may hold this up
            os.write(2, last_words())
    os._exit(ExitCode.INTERRUPTED)


def _leave() -> None:
    """End the process once all is said."""
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(ExitCode.INTERRUPTED)

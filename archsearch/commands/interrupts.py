"""How signals stop a search: at once, or when it is at a point where everything is saved."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupts:
    """SIGINT and SIGTERM raise KeyboardInterrupt; within `deferred` they set an event instead.

    Only the main thread can have signals; elsewhere the event is never set.
    """

    def __init__(self) -> None:
        self._stop: threading.Event | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def deferred(self) -> Iterator[threading.Event]:
        """An event to look at, in place of the exception."""
        self._stop = threading.Event()
        try:
            yield self._stop
        finally:
            self._stop = None

    def _handle(self, *_: object) -> None:
        if self._stop is None:
            raise KeyboardInterrupt
        self._stop.set()

"""The driver's hold on the process that mirrors its record."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from archsearch.errors import TrackingError
from archsearch.execution.child import Child, ChildEnded
from archsearch.records import SearchSnapshot
from archsearch.tracking.messages import Closed, Closing, Follow, Opened, Refusal
from archsearch.tracking.server import Tracking

# Who waits hears of the user's signals at least so often.
LOOK_SECONDS = 1.0

# On a busy machine MLflow takes half a minute to make its own database.
OPENING_SECONDS = 180.0


class OpeningStopped(Exception):
    """What was to be mirrored is over before MLflow was ready."""


class Following:
    """A mirror of a record that grows, kept by a process of its own until `finish`.

    Parameters
    ----------
    tracking : Tracking
    search : SearchSnapshot
    record : Path
    stops : callable, optional
        Looked at while MLflow is waited for: whether to give it up. By default nothing does.

    Attributes
    ----------
    experiment_id : str
    fault : str or None
        Why MLflow is behind; None while it is not.

    Raises
    ------
    TrackingError
        If MLflow refuses.
    OpeningStopped
        If `stops` says so before MLflow has answered.
    """

    def __init__(
        self,
        tracking: Tracking,
        search: SearchSnapshot,
        record: Path,
        stops: Callable[[], bool] = lambda: False,
    ) -> None:
        self.fault: str | None = None
        self._revision = 0
        self._is_over = False
        log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._child = Child("archsearch.tracking.following", log, {})
        try:
            self._child.send(Follow(tracking, replace(search, trials=()), record))
            self.experiment_id = self._opened(tracking, stops)
        except BaseException:
            self._child.kill()
            raise

    @property
    def revision(self) -> int:
        """Of the record, up to which MLflow has it."""
        self._hear(0.0)
        return self._revision

    def finish(self, closing: Closing, timeout: float) -> bool:
        """Stop, wait at most `timeout` seconds; whether MLflow has everything and its runs are ended."""
        deadline = time.monotonic() + timeout
        self._child.send(closing)
        try:
            while not self._is_over and (left := deadline - time.monotonic()) > 0:
                self._hear(min(left, LOOK_SECONDS))
            return self._is_over and self.fault is None
        finally:
            self._is_over = True
            self._child.kill()

    def _opened(self, tracking: Tracking, stops: Callable[[], bool]) -> str:
        answer: Any = None
        deadline = time.monotonic() + OPENING_SECONDS
        try:
            while answer is None:
                if stops():
                    raise OpeningStopped
                answer = self._child.receive(LOOK_SECONDS)
                if answer is None and time.monotonic() > deadline:
                    seconds = f"{OPENING_SECONDS:.0f} s"
                    raise TrackingError(f"MLflow at {tracking.uri} did not answer within {seconds}")
        except ChildEnded as ended:
            raise TrackingError(f"MLflow at {tracking.uri}: the process that writes to it {ended}") from None
        if isinstance(answer, Refusal):
            raise TrackingError(answer.reason)
        assert isinstance(answer, Opened)
        return answer.experiment_id

    def _hear(self, timeout: float) -> None:
        """Take what the process has said, waiting at most `timeout` seconds for the first of it."""
        try:
            while not self._is_over and (said := self._child.receive(timeout)) is not None:
                self._revision, self.fault = said.revision, said.fault
                self._is_over = isinstance(said, Closed)
                timeout = 0.0
        except ChildEnded as ended:
            self._is_over, self.fault = True, f"the process that writes to it {ended}"

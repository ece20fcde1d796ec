"""Mirror a record while it grows, beside the search and never in its way."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

from archsearch.records import TrialResult
from archsearch.study import Record
from archsearch.tracking.mirror import Artifacts, Mirror

SECONDS_BETWEEN = 2.0

# MLflow takes half the time for an epoch where many are logged at once. So the next push waits the longer the
# more there was to push, but not so long that its page would seem to stand still.
PAUSE_PER_SECOND = 10.0
MOST_SECONDS_BETWEEN = 30.0


@dataclass(frozen=True, slots=True)
class Closing:
    """How the search ended, for its run in MLflow."""

    status: str
    best: TrialResult | None
    artifacts: Artifacts


class MirrorThread(threading.Thread):
    """Follows a record through a connection of its own and pushes what has changed.

    A server that goes away harms nothing: what it missed is pushed when it is back, at the latest at the
    search's next start.

    Parameters
    ----------
    mirror : Mirror
        Open.
    record : Path
    """

    def __init__(self, mirror: Mirror, record: Path) -> None:
        super().__init__(name="mirror", daemon=True)
        self._mirror = mirror
        self._record = record
        self._wake = threading.Event()
        self._closing: Closing | None = None
        self.experiment_id = mirror.experiment_id
        self.revision = 0
        self.fault: Exception | None = None

    def run(self) -> None:
        """Push what has changed every few seconds; when told to stop, once more, and end the runs."""
        try:
            with Record.open(self._record, read_only=True) as record:
                pause = SECONDS_BETWEEN
                while not self._wake.wait(pause):
                    started = time.monotonic()
                    self._push(record)
                    took = time.monotonic() - started
                    pause = min(MOST_SECONDS_BETWEEN, max(SECONDS_BETWEEN, PAUSE_PER_SECOND * took))
                self._push(record)
            if self._closing and self.fault is None:
                self._mirror.close(self._closing.status, self._closing.best, self._closing.artifacts)
        except Exception as error:
            self.fault = error

    def finish(self, closing: Closing, timeout: float | None) -> bool:
        """Stop, wait at most `timeout` seconds; whether MLflow has everything and its runs are ended."""
        self._closing = closing
        self._wake.set()
        self.join(timeout)
        return not self.is_alive() and self.fault is None

    def _push(self, record: Record) -> None:
        try:
            trials, revision = record.trials(changed_after=self.revision)
            self._mirror.push(trials)
        except Exception as error:
            # Kept for the message at the end; the record has everything, and the next push tries again.
            self.fault = error
        else:
            self.revision, self.fault = revision, None

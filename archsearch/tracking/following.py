"""The process that mirrors a record while it grows, beside the search and never in its way.

It starts as ``python -m archsearch.tracking.following PIPE WATCHED``. In a thread of the driver, which shares
one lock with it, what MLflow computes would keep workers waiting for their answers.
"""

import os
import queue
import sys
import time
from collections.abc import Callable
from typing import Any

from archsearch.errors import TrackingError
from archsearch.execution.child import connected
from archsearch.study import Record
from archsearch.tracking.messages import Closed, Closing, Follow, Opened, Pushed, Refusal
from archsearch.tracking.mirror import Mirror
from archsearch.tracking.server import first_line

SECONDS_BETWEEN = 2.0

# MLflow takes half the time for an epoch where many are logged at once. So the next push waits the longer the
# more there was to push, but not so long that its page would seem to stand still.
PAUSE_PER_SECOND = 10.0
MOST_SECONDS_BETWEEN = 30.0

# Workers go first.
NICE = 5


def follow(order: Follow, inbox: "queue.SimpleQueue[Any]", send: Callable[[Any], None]) -> None:
    """Mirror a record until a `Closing` comes in, then once more, and end the runs.

    A server that goes away harms nothing: what it missed is pushed when it is back, at the latest at the
    search's next start.
    """
    mirror = Mirror(order.tracking, order.search)
    try:
        mirror.open()
    except TrackingError as error:
        send(Refusal(str(error)))
        return
    send(Opened(mirror.experiment_id))
    with Record.open(order.record, read_only=True) as record:
        revision, closing, pause = 0, None, SECONDS_BETWEEN
        while True:
            try:
                closing = inbox.get(timeout=pause)
            except queue.Empty:
                closing = None
            started = time.monotonic()
            pushed = _pushed(mirror, record, revision)
            if closing is not None:
                send(Closed(pushed.revision, pushed.fault or _closing_fault(mirror, closing)))
                return
            send(pushed)
            revision = pushed.revision
            took = time.monotonic() - started
            pause = min(MOST_SECONDS_BETWEEN, max(SECONDS_BETWEEN, PAUSE_PER_SECOND * took))


def _pushed(mirror: Mirror, record: Record, revision: int) -> Pushed:
    """Push what has changed since `revision`."""
    try:
        trials, now = record.trials(changed_after=revision)
        mirror.push(trials)
    except Exception as error:
        # Kept for the message at the end; the record has everything, and the next push tries again.
        return Pushed(revision, first_line(error))
    return Pushed(now, None)


def _closing_fault(mirror: Mirror, closing: Closing) -> str | None:
    try:
        mirror.close(closing.status, closing.best, closing.artifacts)
    except Exception as error:
        return first_line(error)
    return None


def main(descriptor: int, watched: int) -> None:
    """Follow the record that the first message names."""
    pipe, inbox = connected(descriptor, watched)
    os.nice(NICE)
    follow(inbox.get(), inbox, pipe.send)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

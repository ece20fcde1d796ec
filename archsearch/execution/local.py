"""The executors of this machine, and which of them a space asks for."""

import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from archsearch.errors import ArchsearchError
from archsearch.execution.backend import require_backend
from archsearch.execution.executor import EpochEnded, Event, Executor, RunEnded
from archsearch.execution.limits import Limits
from archsearch.execution.messages import Answer, Message, Setup, require_well
from archsearch.execution.pool import WorkerPool
from archsearch.execution.serving import Inbox, serve
from archsearch.execution.slots import Slot
from archsearch.home import ensure_home
from archsearch.records import Ending, Training
from archsearch.space.execution_words import Execution

CLOSING_SECONDS = 0.5


def local_executor(
    setup: Setup,
    execution: Execution,
    slots: Sequence[Slot],
    logs: Path,
    remark: Callable[[str], None] = lambda _: None,
) -> Executor:
    """Worker processes in `slots`; where there are none, this process.

    Parameters
    ----------
    setup : Setup
    execution : Execution
    slots : sequence of Slot
        Those of `execution`.
    logs : Path
        Folder for what the workers print.
    remark : callable, optional
        Told what the user should know of the workers.

    Raises
    ------
    Refused
        If the library Keras is to run on is not installed.
    """
    require_backend()
    if not slots:
        return InProcess(setup, on_cpu=execution.gpus == 0)
    return WorkerPool(setup, slots, Limits.of(execution, len(slots)), logs, remark)


class InProcess:
    """Runs one training at a time in a thread of this process, for debugging.

    Nothing bounds it: what crashes or hangs there takes the search with it. It computes on the devices and
    with the threads that this process has.

    Parameters
    ----------
    setup : Setup
    on_cpu : bool
        Whether to leave GPUs alone.
    """

    name = "this process"
    capacity = 1

    def __init__(self, setup: Setup, *, on_cpu: bool = False) -> None:
        self._setup, self._on_cpu = setup, on_cpu
        ensure_home()
        self._inbox: Inbox = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[Message | Exception] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def submit(self, training: Training) -> str:
        """Start a training."""
        self._inbox.put(training)
        return self.name

    def poll(self, timeout: float) -> Sequence[Event]:
        """Wait at most `timeout` seconds for something to happen."""
        try:
            message = self._outbox.get(timeout=timeout)
        except queue.Empty:
            return []
        if isinstance(message, Exception):
            raise message
        require_well(message, self._setup)
        return [message] if isinstance(message, EpochEnded | RunEnded) else []

    def answer(self, trial: int, seed: int, ending: Ending | None) -> None:  # noqa: ARG002 - there is one
        """Tell the training that waits how to end; None lets it go on."""
        self._inbox.put(Answer(seed, ending))

    def close(self) -> None:
        """End the training at its next epoch's end; where that is far, it ends with this process."""
        self._inbox.put(None)
        self._thread.join(CLOSING_SECONDS)

    def _serve(self) -> None:
        try:
            if self._on_cpu:
                from archsearch.training.devices import hide_gpus  # it loads Keras

                hide_gpus()
            serve(self._setup, self._inbox, self._outbox.put)
        except Exception as error:
            self._outbox.put(error)
        except BaseException as error:  # it ends a thread silently, and there is no other to train in
            self._outbox.put(ArchsearchError(f"{self.name} can't train: {type(error).__name__}: {error}"))

"""A worker process: takes trainings from its pipe, sends what happens back.

It starts as ``python -m archsearch.execution.worker PIPE WATCHED``, so that a search needs no ``__main__``
guard in scripts and works in notebooks. It knows neither the sampler, nor the record, nor MLflow.
"""

import gc
import queue
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from archsearch.execution.child import connected, leave
from archsearch.execution.messages import Alive, Message, Setup
from archsearch.execution.serving import serve

# Well below `limits.SILENT_SECONDS`.
ALIVE_SECONDS = 2.0

# The kernel that is short of memory takes a process with this before any other (proc_pid_oom_score_adj(5)).
FIRST_TO_GO = "1000"


def main(descriptor: int, watched: int) -> None:
    """Serve trainings until the pipe closes."""
    pipe, inbox = connected(descriptor, watched)
    outbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_send, args=(pipe, outbox), daemon=True).start()
    outbox.put(Alive())
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    setup = inbox.get()
    assert isinstance(setup, Setup)
    from archsearch.training.devices import cap_gpu_memory  # it loads Keras

    if setup.gpu_memory is not None:
        cap_gpu_memory(setup.gpu_memory)
    # Libraries stay: the collector, which Keras calls several times for each model, need not look at them.
    gc.freeze()
    serve(setup, inbox, outbox.put)


def _send(pipe: Connection, outbox: "queue.SimpleQueue[Message]") -> None:
    """Send what is put out, and signs of life in between; the training waits for neither."""
    try:
        while True:
            try:
                message = outbox.get(timeout=ALIVE_SECONDS)
            except queue.Empty:
                message = Alive()
            pipe.send(message)
    except OSError:
        leave()  # the driver is gone


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

"""What a worker does, in a process of its own or in the search's."""

import queue
from collections.abc import Callable

from archsearch.execution.executor import EpochEnded, RunEnded
from archsearch.execution.messages import Answer, DiskFull, Message, OtherData, Ready, Setup
from archsearch.records import Ending, EpochRecord, Training

Inbox = queue.SimpleQueue[Training | Answer | None]


def serve(setup: Setup, inbox: Inbox, send: Callable[[Message], None]) -> None:
    """Load the data, then train what comes in, until None comes in, be it for an answer.

    Parameters
    ----------
    setup : Setup
    inbox : queue
        Trainings; while one runs, the answers to its epochs.
    send : callable
        Takes what happens; must not wait for whoever reads it.
    """
    # Here, because they load Keras.
    from archsearch.data.sources import load
    from archsearch.training import train

    dataset = load(setup.data, setup.folder)
    send(Ready() if dataset.fingerprint == setup.fingerprint else OtherData())
    while isinstance(training := inbox.get(), Training):
        ask = _asking(training.trial, inbox, send)
        arguments = setup.arguments.get(training.architecture.family, {})
        try:
            for run in train(training, dataset, ask, setup.models, setup.folder, arguments):
                send(RunEnded(training.trial, run))
        except _Closed:
            return
        except OSError as error:
            send(DiskFull(error.filename or setup.models, error))


class _Closed(BaseException):
    """Ends a training that waits for an answer; none takes it for a failure of its own."""


def _asking(
    trial: int, inbox: Inbox, send: Callable[[Message], None]
) -> Callable[[int, EpochRecord], Ending | None]:
    def ask(seed: int, epoch: EpochRecord) -> Ending | None:
        send(EpochEnded(trial, seed, epoch))
        answer = inbox.get()
        if answer is None:
            raise _Closed
        assert isinstance(answer, Answer)
        assert answer.seed == seed
        return answer.ending

    return ask

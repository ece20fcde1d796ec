"""What a worker does, in a process of its own or in the search's."""

import queue
from collections.abc import Callable
from functools import partial

from archsearch.execution.executor import EpochEnded, RunEnded
from archsearch.execution.messages import Answer, DiskFull, Message, NoGpu, OtherData, Ready, Setup
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
    from archsearch.training.devices import accelerators

    dataset = load(setup.data, setup.folder)
    # Afterwards: to be asked, TensorFlow makes itself ready, and then takes no settings from the user's code.
    if not accelerators():
        send(NoGpu())
    send(Ready() if dataset.fingerprint == setup.fingerprint else OtherData())
    while (training := inbox.get()) is not None:
        assert isinstance(training, Training)
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
) -> Callable[[int, EpochRecord], Callable[[float | None], Ending | None]]:
    def hear(seed: int, seconds: float | None) -> Ending | None:
        try:
            answer = inbox.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        if answer is None:
            raise _Closed
        assert isinstance(answer, Answer)
        assert answer.seed == seed
        return answer.ending

    def ask(seed: int, epoch: EpochRecord) -> Callable[[float | None], Ending | None]:
        send(EpochEnded(trial, seed, epoch))
        return partial(hear, seed)

    return ask

"""A worker process: takes trainings from its pipe, sends what happens back.

It starts as ``python -m archsearch.execution.worker FILE_DESCRIPTOR``, so that a search needs no ``__main__``
guard in scripts and works in notebooks. It knows neither the sampler, nor the record, nor MLflow.
"""

import sys

from archsearch.execution.child import connected
from archsearch.execution.executor import EpochEnded, RunEnded
from archsearch.execution.messages import Answer, DiskFull, OtherData, Ready, Setup
from archsearch.records import Ending, EpochRecord, Training


def main(descriptor: int) -> None:
    """Serve trainings until the pipe closes."""
    pipe, inbox = connected(descriptor)
    setup = inbox.get()
    assert isinstance(setup, Setup)

    from archsearch.data.sources import load
    from archsearch.training import train

    dataset = load(setup.data, setup.folder)
    pipe.send(Ready() if dataset.fingerprint == setup.fingerprint else OtherData())
    while True:
        training = inbox.get()
        assert isinstance(training, Training)
        arguments = setup.arguments.get(training.architecture.family, {})
        for seed in training.seeds:

            def ask(epoch: EpochRecord, trial: int = training.trial, seed: int = seed) -> Ending | None:
                pipe.send(EpochEnded(trial, seed, epoch))
                answer = inbox.get()
                assert isinstance(answer, Answer)
                return answer.ending

            path = setup.models / f"trial-{training.trial}-seed-{seed}.keras"
            try:
                run = train(training, seed, dataset, ask, path, setup.folder, arguments)
            except OSError as error:
                pipe.send(DiskFull(str(error.filename or setup.models)))
                break
            pipe.send(RunEnded(training.trial, run))
            if not run.status.has_result:
                break


if __name__ == "__main__":
    main(int(sys.argv[1]))

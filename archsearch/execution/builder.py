"""The builder process: builds users' HyperModels so that the driver need not load Keras.

It starts as ``python -m archsearch.execution.builder PIPE WATCHED``, sees no GPU, and ends when its pipe
closes. Which values to build with it asks over the pipe, one after the other, because a HyperModel says only
while it builds what there is to choose.
"""

import gc
import queue
import sys
from multiprocessing.connection import Connection
from typing import Any

from archsearch.errors import Refused
from archsearch.execution.builds import Build, BuilderSetup, BuildFailed, Built, Hyperparameter, Question
from archsearch.execution.child import connected
from archsearch.usercode import describe_error


def main(descriptor: int, watched: int) -> None:
    """Serve builds until the pipe closes."""
    pipe, inbox = connected(descriptor, watched)
    setup = inbox.get()
    hypermodels: dict[str, Any] = {}
    while True:
        request = inbox.get()
        asking = _Asking(pipe, inbox) if request.asks else None
        pipe.send(_answer(setup, hypermodels, request, asking))


def _answer(
    setup: BuilderSetup, hypermodels: dict[str, Any], request: Build, asking: "_Asking | None"
) -> Built | BuildFailed:
    source = setup.sources[request.family]
    words = {"epochs": request.epochs, "batch_size": request.batch_size, "verbose": 0}
    shape, classes = setup.input_shape, setup.classes
    try:
        # Here, because it needs KerasTuner, which the user may not have.
        from archsearch.models.hyper_build import try_build
        from archsearch.models.hypermodels import load_hypermodel

        if request.family not in hypermodels:
            hypermodels[request.family] = load_hypermodel(
                source.hypermodel, source.arguments, setup.folder, shape, classes
            )
            # The collector, which Keras calls for each model, need not look at libraries.
            gc.freeze()
    except Refused as error:
        return BuildFailed(str(error))
    try:
        build = try_build(hypermodels[request.family], dict(request.known), asking, shape, classes, words)
    except Refused as error:
        return BuildFailed(f"{source.hypermodel}: {error}")
    except (Exception, SystemExit) as error:
        return BuildFailed(f"{source.hypermodel}: it raised {describe_error(error, setup.folder)}")
    return Built(
        values=build.hp.active,
        declared=tuple(Hyperparameter(hp.name, hp.choices, hp.condition) for hp in build.hp.declared),
        parameters=build.parameters,
        optimizer=build.optimizer,
        epochs=build.fit.epochs if build.fit else None,
        batch_size=build.fit.batch_size if build.fit else None,
    )


class _Asking:
    """A `Suggest` that asks the driver."""

    def __init__(self, pipe: Connection, inbox: "queue.SimpleQueue[Any]") -> None:
        self._pipe, self._inbox = pipe, inbox

    def categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        """One of `choices`."""
        return self._ask(Question("categorical", name, choices=choices))

    def integer(self, name: str, low: int, high: int, *, log: bool) -> int:
        """A whole number from `low` to `high`."""
        return int(self._ask(Question("integer", name, low=low, high=high, log=log)))

    def real(self, name: str, low: float, high: float, *, log: bool) -> float:
        """A number from `low` to `high`."""
        return float(self._ask(Question("real", name, low=low, high=high, log=log)))

    def _ask(self, question: Question) -> Any:
        self._pipe.send(question)
        return self._inbox.get()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

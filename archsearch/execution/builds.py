"""Users' HyperModels built by a process of their own: the driver never loads Keras."""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from archsearch.architecture import Scalar
from archsearch.execution.backend import require_backend
from archsearch.execution.child import Child, ChildEnded
from archsearch.suggest import Suggest

BUILD_SECONDS = 600.0
"""A build that takes longer has failed; HyperXception on two slow cores took a tenth of it."""

# TensorFlow keeps about 20 MiB of each model that is built in a process, even after clear_session.
MOST_BUILDS = 100

POLL_SECONDS = 0.2

# Models are only built: the GPUs are the workers'.
_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}


@dataclass(frozen=True, slots=True)
class HyperModelSource:
    """Where a family's HyperModel comes from: ``package.module:Name``, and the arguments of its class."""

    hypermodel: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BuilderSetup:
    """What the builder process must know before its first build.

    Attributes
    ----------
    sources : mapping of str to HyperModelSource
        By family.
    folder : Path
        Where the user's modules are looked for first.
    input_shape : tuple of int
        One sample.
    classes : int
    """

    sources: Mapping[str, HyperModelSource]
    folder: Path
    input_shape: tuple[int, ...]
    classes: int


@dataclass(frozen=True, slots=True)
class Build:
    """A request.

    Attributes
    ----------
    family : str
    known : tuple of (str, value)
        Values that are not asked for.
    asks : bool
        Whether to ask for the others, rather than take their defaults.
    epochs, batch_size : int
        What a ``fit`` of its own is offered.
    """

    family: str
    known: tuple[tuple[str, Scalar], ...]
    asks: bool
    epochs: int
    batch_size: int


@dataclass(frozen=True, slots=True)
class Question:
    """One call of a `Suggest`."""

    method: Literal["categorical", "integer", "real"]
    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """A hyperparameter as a HyperModel declared it: what it may be, and when it is active, in words."""

    name: str
    choices: str
    condition: str


@dataclass(frozen=True, slots=True)
class Built:
    """A model that can be trained on the data.

    Attributes
    ----------
    values : tuple of (str, value)
        The active hyperparameters, in the order in which they were asked for.
    declared : tuple of Hyperparameter
        All of them.
    parameters : int
        Weights of the model.
    optimizer : mapping or None
        What it was compiled with, by the fields of a `Recipe`; None where it is not compiled.
    epochs, batch_size : int or None
        What a ``fit`` of its own trains with; None where it has none, or trains in a loop of its own.
    """

    values: tuple[tuple[str, Scalar], ...]
    declared: tuple[Hyperparameter, ...]
    parameters: int
    optimizer: Mapping[str, Any] | None
    epochs: int | None
    batch_size: int | None


@dataclass(frozen=True, slots=True)
class BuildFailed:
    """Why there is no model, on one line."""

    reason: str


class BuildStopped(Exception):
    """The search is to stop; what was being built is given up."""


class Builder:
    """Builds HyperModels in a process of its own, started at the first build; close it at the end.

    Parameters
    ----------
    setup : BuilderSetup

    Attributes
    ----------
    stops : callable
        Looked at while a build is waited for: whether to give it up. By default nothing does.
    """

    def __init__(self, setup: BuilderSetup) -> None:
        self._setup = setup
        self._child: Child | None = None
        self._builds = 0
        self.stops: Callable[[], bool] = lambda: False

    def build(
        self,
        family: str,
        known: tuple[tuple[str, Scalar], ...],
        suggest: Suggest | None,
        epochs: int,
        batch_size: int,
    ) -> Built | BuildFailed:
        """Build a model of `family` with the `known` values of its hyperparameters.

        Parameters
        ----------
        family : str
        known : tuple of (str, value)
        suggest : Suggest or None
            Who chooses the other values; None for their defaults.
        epochs, batch_size : int
            What a ``fit`` of its own is offered.

        Raises
        ------
        BuildStopped
            If `stops` says so before the build is done.
        Refused
            If the library Keras is to run on can't be used.
        """
        child = self._started()
        child.send(Build(family, known, suggest is not None, epochs, batch_size))
        reference = self._setup.sources[family].hypermodel
        try:
            built = self._answered(child, suggest)
        except ChildEnded as ended:
            self.close()
            return BuildFailed(f"{reference}: the process that builds it {ended}")
        except BuildStopped:
            self.close()
            raise
        if built is None:
            self.close()
            return BuildFailed(f"{reference}: not built after {BUILD_SECONDS:.0f} seconds")
        return built

    def close(self) -> None:
        """End the process."""
        if self._child:
            self._child.kill()
            self._child = None

    def _started(self) -> Child:
        if self._builds == MOST_BUILDS:
            self.close()
        if self._child is None:
            require_backend()
            log = tempfile.TemporaryFile()  # noqa: SIM115 - the child's to close
            self._child = Child("archsearch.execution.builder", log, _ENVIRONMENT)
            self._child.send(self._setup)
            self._builds = 0
        self._builds += 1
        return self._child

    def _answered(self, child: Child, suggest: Suggest | None) -> Built | BuildFailed | None:
        """What the process makes of a build, its questions answered; None where it takes too long."""
        deadline = time.monotonic() + BUILD_SECONDS
        while time.monotonic() < deadline:
            if self.stops():
                raise BuildStopped
            message = child.receive(POLL_SECONDS)
            if message is None:
                continue
            if not isinstance(message, Question):
                assert isinstance(message, Built | BuildFailed)
                return message
            assert suggest is not None
            child.send(_chosen(suggest, message))
        return None


def _chosen(suggest: Suggest, question: Question) -> Any:
    if question.method == "categorical":
        return suggest.categorical(question.name, question.choices)
    if question.method == "integer":
        return suggest.integer(question.name, int(question.low), int(question.high), log=question.log)
    return suggest.real(question.name, question.low, question.high, log=question.log)

"""Users' HyperModels built by a process of their own: the driver never loads Keras."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Literal

from archsearch.architecture import Scalar
from archsearch.errors import ArchsearchError
from archsearch.suggest import Suggest

BUILD_SECONDS = 600.0
"""A build that takes longer has failed; HyperXception on two slow cores took a tenth of it."""

# TensorFlow keeps about 20 MiB of each model that is built in a process, even after clear_session.
MOST_BUILDS = 100

LOG_TAIL = 600


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


class Builder:
    """Builds HyperModels in a process of its own, started at the first build; close it at the end.

    Parameters
    ----------
    setup : BuilderSetup
    """

    def __init__(self, setup: BuilderSetup) -> None:
        self._setup = setup
        self._process: subprocess.Popen[bytes] | None = None
        self._builds = 0

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
        """
        if self._process is None or self._builds == MOST_BUILDS:
            self.close()
            self._start()
        self._builds += 1
        try:
            self._pipe.send(Build(family, known, suggest is not None, epochs, batch_size))
            while self._pipe.poll(BUILD_SECONDS):
                message = self._pipe.recv()
                if not isinstance(message, Question):
                    assert isinstance(message, Built | BuildFailed)
                    return message
                assert suggest is not None
                self._pipe.send(_chosen(suggest, message))
        except (EOFError, OSError):
            return BuildFailed(f"{self._reference(family)}: the process that builds it {self._ended()}")
        self.close()
        return BuildFailed(f"{self._reference(family)}: not built after {BUILD_SECONDS:.0f} seconds")

    def close(self) -> None:
        """End the process."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        self._pipe.close()
        self._log.close()

    def _reference(self, family: str) -> str:
        return self._setup.sources[family].hypermodel

    def _start(self) -> None:
        self._pipe, far_end = Pipe()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process is there
        self._process = subprocess.Popen(
            [sys.executable, "-m", "archsearch.execution.builder", str(far_end.fileno())],
            pass_fds=[far_end.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=os.environ | _environment(),
            start_new_session=True,  # Ctrl-C is the driver's to handle
        )
        self._builds = 0
        far_end.close()
        try:
            self._pipe.send(self._setup)
        except OSError as error:
            raise ArchsearchError(f"the process that builds HyperModels {self._ended()}") from error

    def _ended(self) -> str:
        """How the process ended, in words, and what it printed last."""
        assert self._process is not None
        code = self._process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._log.seek(0)
        tail = " ".join(self._log.read().decode(errors="replace")[-LOG_TAIL:].split())
        self.close()
        return how + (f"; it last printed: {tail}" if tail else "")


def _chosen(suggest: Suggest, question: Question) -> Any:
    if question.method == "categorical":
        return suggest.categorical(question.name, question.choices)
    if question.method == "integer":
        return suggest.integer(question.name, int(question.low), int(question.high), log=question.log)
    return suggest.real(question.name, question.low, question.high, log=question.log)


def _environment() -> dict[str, str]:
    return {
        # Models are only built: the GPUs are the workers'.
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }

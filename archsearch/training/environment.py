"""What decides a training's speed and last digits besides the architecture."""

import os
from typing import Any

import keras

from archsearch.training.devices import accelerators


def environment(precision: str, jit_compile: bool, steps_per_execution: int = 1) -> dict[str, Any]:
    """What is recorded with each training.

    Parameters
    ----------
    precision : str
        Of the hidden layers.
    jit_compile : bool
        Whether XLA compiles the steps.
    steps_per_execution : int
        Steps in one compiled call.
    """
    return {
        "backend": keras.backend.backend(),
        "device": ", ".join(accelerators()) or "cpu",
        "jit_compile": jit_compile,
        "precision": precision,
        "steps_per_execution": steps_per_execution,
        "threads": threads(),
    }


def threads() -> int:
    """Threads that this process computes with: those it was given, else one per core."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) else os.cpu_count() or 1

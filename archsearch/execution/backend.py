"""The library that Keras computes with, found without importing either."""

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

from archsearch.errors import Refused

VARIABLE = "KERAS_BACKEND"

# The libraries that archsearch trains with.
USABLE = ("tensorflow", "jax")


def backend() -> str:
    """The library's name, as Keras finds it: by ``KERAS_BACKEND``, else its own settings, else TensorFlow."""
    return os.environ.get(VARIABLE) or str(_settings().get("backend", USABLE[0]))


def require_backend() -> None:
    """Check that the library Keras is to run on is installed, without importing it.

    Raises
    ------
    Refused
        With the command that installs it.
    """
    name = backend()
    where = VARIABLE if os.environ.get(VARIABLE) else f"backend in {_settings_file()}"
    if name not in USABLE:
        raise Refused(
            f"{where} is {name}; archsearch trains with {' or '.join(USABLE)}: set {VARIABLE} to one of them"
        )
    if importlib.util.find_spec(name) is not None:
        return
    if name != USABLE[0]:
        raise Refused(
            f"{where} is {name}, which is not installed: install archsearch with its extra '{name}', "
            f"or set {VARIABLE} to {USABLE[0]}"
        )
    raise Refused(
        "TensorFlow is not installed: install archsearch with its extra 'cpu', or 'gpu' on a machine with an "
        "NVIDIA GPU (pip install '.[cpu]' in a checkout)"
    )


def _settings() -> dict[str, Any]:
    try:
        settings = json.loads(_settings_file().read_text())
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _settings_file() -> Path:
    """Where Keras has its settings (keras.config, "KERAS_HOME")."""
    home = os.path.expanduser("~")  # noqa: PTH111 - Path's raises where there is none
    base = Path(home if os.access(home, os.W_OK) else "/tmp")
    return Path(os.environ.get("KERAS_HOME", base / ".keras")) / "keras.json"

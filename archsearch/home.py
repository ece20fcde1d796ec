"""Home folders: one for libraries that want it, where the user has none, and those that a path names."""

import os
import tempfile
from pathlib import Path

from archsearch.errors import Refused


def ensure_home() -> None:
    """Have this process, and those that it starts, find a home folder.

    A container's user may have none: ``HOME`` is not set, and the system knows no user of that number. Then
    MLflow does not load, and Keras makes a folder called ``~``. So the folder of temporary files is taken, as
    Keras does where a home can't be written.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = tempfile.gettempdir()


def expanded(text: str) -> str:
    """A path as the user writes it, with the home folder in place of its ``~`` or ``~user``.

    Parameters
    ----------
    text : str

    Raises
    ------
    Refused
        If there is no such home folder.
    """
    path = os.path.expanduser(text)  # noqa: PTH111 - Path's makes another word of "./digits"
    if path.startswith("~"):
        raise Refused(
            f"{text}: no home folder is known of {path.split('/')[0]!r}; write the path without '~'"
        )
    return path

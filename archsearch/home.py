"""A home folder for libraries that want one, where the user has none."""

import os
import tempfile
from pathlib import Path


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

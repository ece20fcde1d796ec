"""Objects of the user's own code: imported only because a space names them."""

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

from archsearch.errors import Refused


def load_object(reference: str, folder: Path) -> Any:
    """Import what ``package.module:name`` names.

    Parameters
    ----------
    reference : str
    folder : path
        Where to look first. It stays first on ``sys.path``, for what that code imports later.

    Raises
    ------
    Refused
        If there is no such module or name in it, or if importing the module raises.
    """
    module_name, colon, name = reference.partition(":")
    if not (module_name and colon and name.isidentifier()):
        raise Refused(f"{reference}: write it as package.module:name")
    module = _import(module_name, reference, folder)
    if not hasattr(module, name):
        raise Refused(f"{reference}: {getattr(module, '__file__', module_name)} has no {name!r}")
    return getattr(module, name)


def _import(module_name: str, reference: str, folder: Path) -> Any:
    entry = str(folder.resolve())
    if sys.path[:1] != [entry]:
        sys.path.insert(0, entry)
    importlib.invalidate_caches()  # the file may be younger than Python's listing of the folder
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise Refused(
                f"{reference}: no module named {error.name!r} in {entry} or among the installed packages"
            ) from None
        raise _refusal(reference, error, folder) from None
    except (Exception, SystemExit) as error:
        raise _refusal(reference, error, folder) from None


def _refusal(reference: str, error: BaseException, folder: Path) -> Refused:
    return Refused(f"{reference}: importing it raised {describe_error(error, folder)}")


def describe_error(error: BaseException, folder: Path) -> str:
    """An error of the user's code on one line: ``ValueError: message (mine.py, line 12)``.

    The place is the innermost one in `folder`, else the innermost one.
    """
    lines = " ".join(str(error).split())
    text = f"{type(error).__name__}: {lines}" if lines else type(error).__name__
    if isinstance(error, SyntaxError):  # its text ends with its place already
        return text
    root = folder.resolve()
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    own = [(path, line) for path, line in frames if root in path.resolve().parents] or frames[-1:]
    if not own:
        return text
    path, line = own[-1]
    shown = path.resolve().relative_to(root) if root in path.resolve().parents else path
    return f"{text} ({shown}, line {line})"

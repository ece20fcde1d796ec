"""Objects of the user's own code: imported only because a space names them."""

import importlib
import os
import sys
import traceback
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from archsearch.errors import Refused

# What must not be imported a second time.
_STAYING = {*sys.stdlib_module_names, "__main__", "archsearch"}

# The folders whose code this process has run.
_entered: set[Path] = set()


def load_object(reference: str, folder: Path) -> Any:
    """Import what ``package.module:name`` names.

    Parameters
    ----------
    reference : str
    folder : path
        Where to look first. It stays first on ``sys.path``, for what that code imports later. A module of
        another folder that goes by the name of one in this folder is imported anew from here.

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
    entry = folder.resolve()
    sys.path[:] = [str(entry), *(path for path in sys.path if path != str(entry))]
    importlib.invalidate_caches()  # the file may be younger than Python's listing of the folder
    _forget_namesakes(module_name, entry)
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


def _forget_namesakes(module_name: str, entry: Path) -> None:
    """Drop loaded modules from elsewhere that go by the name of one in `entry`.

    That is the one asked for, and whatever other folders' code has imported from its own folder. Python's own
    modules stay.
    """
    files = {name: file for name in list(sys.modules) if (file := _file_of(name)) is not None}
    # As text: with Keras loaded there are thousands of them, and a path takes a hundred times as long.
    others = tuple(f"{other}{os.sep}" for other in _entered - {entry})
    _entered.add(entry)
    foreign = {name.partition(".")[0] for name, file in files.items() if file.startswith(others)}
    for top in {module_name.partition(".")[0], *foreign} - _STAYING:
        found = PathFinder.find_spec(top)
        if found is None:
            continue
        home = Path(next(iter(found.submodule_search_locations or [found.origin or ""])))
        loaded = [name for name in sys.modules if name == top or name.startswith(f"{top}.")]
        placed = [Path(files[name]) for name in loaded if name in files]
        if home.parent == entry and any(home not in (file, *file.parents) for file in placed):
            for name in loaded:
                del sys.modules[name]


def _file_of(name: str) -> str | None:
    return getattr(sys.modules.get(name), "__file__", None)


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

"""Finding the space that a user names."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from archsearch.data.shapes import data_shape
from archsearch.errors import SpaceError
from archsearch.resources import bundled_spaces
from archsearch.space import SearchSpace


def read_space(space: SearchSpace | Mapping[str, Any] | str | PathLike[str]) -> SearchSpace:
    """A space from a file's path, the name of a bundled space, a mapping, or as it is.

    Raises
    ------
    SpaceError
        If it is not found or not valid, or its named architectures don't fit its data.
    """
    parsed = _parsed(space)
    parsed.require_fit(data_shape(parsed.data).input_shape)
    return parsed


def _parsed(space: SearchSpace | Mapping[str, Any] | str | PathLike[str]) -> SearchSpace:
    if isinstance(space, SearchSpace):
        return space
    if isinstance(space, Mapping):
        return SearchSpace.from_mapping({"name": "search", **space})
    if not isinstance(space, str | PathLike):
        raise SpaceError(f"a space is a file, a name, a mapping or a SearchSpace, not {space!r}")
    path = Path(space)
    bundled = bundled_spaces()
    if str(space) in bundled and not path.is_file():
        return SearchSpace.from_yaml(bundled[str(space)])
    if path.exists() or path.suffix in (".yaml", ".yml"):
        return SearchSpace.from_yaml(path)
    raise SpaceError(f"{space}: no such file, nor a bundled space; bundled are: {', '.join(bundled)}")

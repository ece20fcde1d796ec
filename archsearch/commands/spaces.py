"""Finding the space that a user names."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsearch.errors import SpaceError
from archsearch.resources import bundled_spaces
from archsearch.space import SearchSpace

if TYPE_CHECKING:
    from os import PathLike


def read_space(space: "SearchSpace | Mapping[str, Any] | str | PathLike[str]") -> SearchSpace:
    """A space from a file's path, the name of a bundled space, a mapping, or as it is.

    Raises
    ------
    SpaceError
    """
    if isinstance(space, SearchSpace):
        return space
    if isinstance(space, Mapping):
        return SearchSpace.from_mapping({"name": "search", **space})
    path = Path(space)
    if path.exists() or path.suffix in (".yaml", ".yml"):
        return SearchSpace.from_yaml(path)
    bundled = bundled_spaces()
    if str(space) in bundled:
        return SearchSpace.from_yaml(bundled[str(space)])
    raise SpaceError(f"{space}: no such file, nor a bundled space; bundled are: {', '.join(bundled)}")

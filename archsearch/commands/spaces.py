"""``archsearch spaces``: the bundled spaces; and finding the space that a user names."""

import difflib
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import Any

from archsearch.commands.tables import console
from archsearch.data.shapes import data_shape
from archsearch.errors import DataError, Refused, SpaceError
from archsearch.resources import bundled_spaces
from archsearch.space import SearchSpace
from archsearch.space.data_words import Data
from archsearch.space.document import Location
from archsearch.space.parameters import Words
from archsearch.space.size import require_within


def list_spaces() -> None:
    """Print the bundled spaces, a line each: name and purpose."""
    out, bundled = console(), bundled_spaces()
    width = max(map(len, bundled)) + 2
    for name, path in bundled.items():
        line = f"{name:<{width}}{_purpose(path)}"
        out.print("\n".join(textwrap.wrap(line, out.width, subsequent_indent=" " * width)), soft_wrap=True)


def print_space(name: str) -> None:
    """Print a bundled space's file as it is.

    Raises
    ------
    SpaceError
        If there is none of that name.
    """
    bundled = bundled_spaces()
    if name not in bundled:
        raise SpaceError(f"{name}: no bundled space{_suggestion(name, list(bundled))}")
    console().print(bundled[name].read_text(encoding="utf-8"), end="", soft_wrap=True)


def read_space(space: SearchSpace | Mapping[str, Any] | str | PathLike[str]) -> SearchSpace:
    """A space from a file's path, the name of a bundled space, a mapping, or as it is.

    Raises
    ------
    SpaceError
        If it is not found or not valid, its named architectures don't fit its data, or nothing keeps its
        constraints.
    DataError
        If its data are not there, or not laid out as the space says.
    """
    parsed = parse_space(space)
    try:
        with placed(parsed):
            shape = data_shape(parsed.data, parsed.folder)
    except DataError:
        if _is_template(space, parsed):
            remedy = f"archsearch spaces {space} > my_space.yaml"
            raise SpaceError(f"{space}: a template, to be copied and changed: {remedy}") from None
        raise
    parsed.require_fit(shape.input_shape)
    require_within(parsed, shape.input_shape, len(shape.classes))
    return parsed


@contextmanager
def placed(space: SearchSpace) -> Iterator[None]:
    """Have faults of the data say where the space names them."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{space.place_of(_word_of(str(error), space.data))}{error}") from None


def _word_of(message: str, data: Data) -> Location:
    """The word that a fault of the data is about: the one it begins with, else the source."""
    _, first, second, *_ = [*message.split(": "), "", ""]
    if first not in data.model_fields_set:
        return "data", data.kind
    words = getattr(data, first)
    below = isinstance(words, Words) and second in words.model_fields_set
    return ("data", first, second) if below else ("data", first)


def _is_template(name: object, space: SearchSpace) -> bool:
    """Whether it is the bundled space of that name, on images that the user has to give."""
    path = bundled_spaces().get(str(name))
    is_bundled = path is not None and path.absolute().parent == space.folder
    return is_bundled and space.data.image_folder is not None


def parse_space(space: SearchSpace | Mapping[str, Any] | str | PathLike[str]) -> SearchSpace:
    """As `read_space`, without a look at the data: whether architectures fit them is not checked.

    Raises
    ------
    SpaceError
        If it is not found or not valid.
    """
    if isinstance(space, SearchSpace):
        return space
    if isinstance(space, Mapping):
        return SearchSpace.from_mapping({"name": "search", **space})
    if not isinstance(space, str | PathLike):
        raise SpaceError(f"a space is a file, a name, a mapping or a SearchSpace, not {space!r}")
    bundled = bundled_spaces()
    if not str(space).strip():
        raise SpaceError(f"the space's name is empty: name a file{_suggestion('', list(bundled))}")
    path = Path(space)
    if str(space) in bundled and not path.is_file():
        return SearchSpace.from_yaml(bundled[str(space)])
    if path.is_dir():
        raise SpaceError(f"{space}: a folder, no space; for images, archsearch init {space} writes one")
    if path.exists() or path.suffix in (".yaml", ".yml"):
        try:
            return SearchSpace.from_yaml(path)
        except SpaceError:
            _require_no_jobs(path)
            raise
    raise SpaceError(f"{space}: no such file, nor a bundled space{_suggestion(str(space), list(bundled))}")


def _require_no_jobs(path: Path) -> None:
    from archsearch.schedule.jobs_file import jobs_document

    with suppress(SpaceError):
        if jobs_document(path):
            raise Refused(f"{path}: a file of jobs, no space; archsearch schedule takes it")


def _suggestion(name: str, bundled: list[str]) -> str:
    nearest = difflib.get_close_matches(name, bundled, n=1, cutoff=0.75)
    return f"; did you mean {nearest[0]}?" if nearest else f"; bundled are: {', '.join(bundled)}"


def _purpose(path: Path) -> str:
    """The first line of a file, where that is a comment."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""

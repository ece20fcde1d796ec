"""A YAML text as plain values, with the line and column of every one of them.

Scalars follow YAML 1.2's core schema (``1e-3`` is a number, ``no`` is text), unlike PyYAML's own reading.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from archsearch.errors import SpaceError

Place = tuple[int, int]
Location = tuple[str | int, ...]

MEANT = "a search space is a mapping of words such as 'data:'"

_TAG = "tag:yaml.org,2002:"
_SCALARS = (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
)


@dataclass(frozen=True)
class Document:
    """The values of a YAML file and where each of them stands.

    Attributes
    ----------
    name : str
        What to call the file in messages.
    text : str
    value : object
        Dicts, lists and scalars.
    places : mapping of location to (line, column)
        Of every key and item, counted from 1.
    """

    name: str
    text: str
    value: Any
    places: dict[Location, Place]

    def place(self, location: Location) -> Place:
        """Line and column of the key or item at `location`, or of the nearest that encloses it."""
        while location not in self.places:
            location = location[:-1]
        return self.places[location]


def read_document(name: str, text: str, meant: str = MEANT) -> Document:
    """Parse `text`.

    Parameters
    ----------
    name : str
        What to call it in messages.
    text : str
    meant : str
        What is to be a mapping, as a sentence says where it is none.

    Raises
    ------
    SpaceError
        Where it is not YAML, a key stands twice or is no plain word, or the top level is no mapping.
    """
    places: dict[Location, Place] = {}
    try:
        node = yaml.compose(text, Loader=_Loader)
        value = None if node is None else _plain(node, (), places)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise SpaceError(f"{at}: {_in_words(error.problem or '')}") from None
    except yaml.reader.ReaderError as error:
        raise SpaceError(f"{name}: not a text file: {error.reason} at character {error.position}") from None
    except (ValueError, RecursionError) as error:
        raise SpaceError(f"{name}: not valid YAML: {error}") from None
    if not isinstance(value, dict):
        found = "an empty file" if value is None else f"a {type(value).__name__}"
        raise SpaceError(f"{name}:1:1: {meant}, not {found}")
    return Document(name, text, value, places)


def _in_words(problem: str) -> str:
    """PyYAML's most frequent complaints as a person would say them."""
    if "'\\t'" in problem:
        return "a tab: YAML is indented with spaces"
    if problem.startswith("expected <block end>"):
        return "this line is not indented like the lines it belongs to"
    if problem.startswith("mapping values are not allowed"):
        return "a ':' where none can be: is a line before it unfinished, or this one indented too far?"
    if "cannot start any token" in problem or problem.startswith("expected alphabetic or numeric character"):
        return "a text that begins with a character such as * or @ stands in quotes"
    if problem.startswith("expected '<document start>'"):
        return "another value begins here, but the first one has ended: a file holds one mapping of words"
    if problem.startswith("but found another document"):
        return "a second document begins here; a file holds one search space"
    return problem or "not valid YAML"


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own


for _kind, _pattern, _first in _SCALARS:
    _starts = ["" if c == "\0" else c for c in _first]
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(rf"^(?:{_pattern})$"), _starts)


def _plain(node: yaml.Node, location: Location, places: dict[Location, Place]) -> Any:
    places.setdefault(location, (node.start_mark.line + 1, node.start_mark.column + 1))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*location, n), places) for n, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = key_node.value
        if not isinstance(key_node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key is a plain word", problem_mark=key_node.start_mark)
        if key in result:
            first = places[(*location, key)][0]
            raise yaml.MarkedYAMLError(
                problem=f"'{key}' stands here a second time (first in line {first})",
                problem_mark=key_node.start_mark,
            )
        # A fault in a value is looked for under its key: the key's place serves both.
        places[(*location, key)] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        result[key] = _plain(value_node, (*location, key), places)
    return result


def _scalar(node: yaml.Node) -> Any:
    try:
        return _scalar_value(node)
    except ValueError as error:  # a tag, such as !!int, that the text does not fit
        raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None


def _scalar_value(node: yaml.Node) -> Any:
    text = str(node.value)
    match node.tag.removeprefix(_TAG):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            digits = text.replace("_", "")
            return int(digits, 0) if digits[:2] in ("0o", "0x") else int(digits)
        case "float":
            return float(text.lower().replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        case "str":
            return text
        case other:
            raise yaml.MarkedYAMLError(problem=f"the tag {other} is not known", problem_mark=node.start_mark)

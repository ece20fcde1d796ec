"""Validation errors in the user's words: the path in the file, what was received, what to write instead."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from archsearch.space.document import Location

_MUST_BE = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "dict_type": "a mapping of words",
    "model_type": "a mapping of words",
    "model_attributes_type": "a mapping of words",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "letters, digits, '.', '_' and '-', at most 80, the first a letter or digit",
}

_SHORT_FORM_FIELDS = ("width", "dropout", "filters", "kernel")


def describe_faults(
    error: ValidationError, model: type[BaseModel], value: Mapping[str, Any]
) -> list[tuple[Location, str]]:
    """Where each fault is in `value`, and a sentence about it that begins with that path."""
    described = []
    for fault in error.errors(include_url=False):
        location = _location(fault, value)
        path = ".".join(map(str, location))
        message = _sentence(fault, location, model)
        described.append((location, f"{path}: {message}" if path else message))
    return described


def _location(fault: ErrorDetails, value: Any) -> Location:
    """Where `value` has the fault: without the tags of unions and the fields of short forms."""
    known: Location = ()
    for part in fault["loc"]:
        is_key = isinstance(value, Mapping) and part in value
        is_item = isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)
        if is_key or is_item:
            value = value[part]
            known = (*known, part)
    return (*known, fault["loc"][-1]) if fault["type"] == "missing" else known


def _sentence(fault: ErrorDetails, location: Location, model: type[BaseModel]) -> str:
    kind, context, received = fault["type"], fault.get("ctx", {}), fault["input"]
    if kind == "missing":
        return "this word is missing"
    if kind == "extra_forbidden":
        return "unknown word" + _suggestion(str(location[-1]), _words_at(model, location))
    if kind == "union_tag_invalid":
        return f"takes one value or a list of them, no range, not {_shown(received)}"
    if kind == "too_short":
        return "the list is empty"
    if kind == "value_error":
        return str(context["error"])
    if kind not in _MUST_BE:
        return f"{fault['msg']}, not {_shown(received)}"
    sentence = f"must be {_MUST_BE[kind].format(**context)}, not {_shown(received)}"
    field = fault["loc"][-1]
    if field in _SHORT_FORM_FIELDS and field not in location:
        sentence = f"the {field} {sentence}"
    if kind == "literal_error" and isinstance(received, str):
        words = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
        sentence += _suggestion(received, words, otherwise="")
    return sentence


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _suggestion(word: str, known: list[str], otherwise: str | None = None) -> str:
    nearest = difflib.get_close_matches(word, known, n=1)
    if nearest:
        return f"; did you mean {nearest[0]}?"
    return f"; known here: {', '.join(known)}" if otherwise is None else otherwise


def _words_at(model: type[BaseModel], location: Location) -> list[str]:
    """The words known beside the last part of `location`."""
    models, is_name = [model], False
    for part in location[:-1]:
        if is_name:  # the user's own, even where it is spelt like a word
            is_name = False
            continue
        fields = [m.model_fields[part] for m in models if isinstance(part, str) and part in m.model_fields]
        is_name = any(get_origin(field.annotation) is dict for field in fields)
        models = [inner for field in fields for inner in _models_in(field.annotation)] or models
    return [name for m in models for name in m.model_fields]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)

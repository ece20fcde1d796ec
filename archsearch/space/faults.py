"""Validation errors in the user's words: the path in the file, what was received, what to write instead."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

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
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "letters, digits, '.', '_' and '-', at most 80, the first a letter or digit",
}

_NO_MAPPING = ("dict_type", "model_type", "model_attributes_type")
_NAMES_A_PART = (*_NO_MAPPING, "literal_error", "int_type", "int_from_float")

# What may stand there where the kind of fault names a part of it only, by the word whose value or item it is.
_INSTEAD = {
    "workers": "auto or a whole number",
    "gpus": "all or a whole number",
    "early_stopping": "off or {patience: 10}",
    "architectures": "blocks or one line of text",
}

_SHORT_FORM_FIELDS = ("width", "dropout", "filters", "kernel", "stride", "l2")

UNKNOWN_FAMILY = "unknown_family"
_LOCATED = "located"


def located(faults: Sequence[tuple[Location, str]]) -> PydanticCustomError:
    """What a validator of several words raises: faults with their paths below its own."""
    text = "; ".join(message for _, message in faults)
    return PydanticCustomError(_LOCATED, "{text}", {"text": text, "faults": list(faults)})


def describe_faults(
    error: ValidationError, model: type[BaseModel], value: Mapping[str, Any]
) -> list[tuple[Location, str]]:
    """Where each fault is in `value`, and a sentence about it that begins with that path."""
    described = []
    for fault in error.errors(include_url=False):
        location = _location(fault, value)
        misspelt = _misspelt(fault)
        if misspelt is not None:
            described.append(_described((*location, misspelt), "unknown word; did you mean hypermodel?"))
        elif fault["type"] == _LOCATED:
            described += [_described((*location, *below), said) for below, said in fault["ctx"]["faults"]]
        else:
            described.append(_described(location, _sentence(fault, location, model)))
    # The blocks of one line share its place, and may share a fault.
    return list(dict.fromkeys(described))


def _misspelt(fault: ErrorDetails) -> str | None:
    """The word of a family that was to be ``hypermodel``, if that is why the family is not known."""
    if fault["type"] != UNKNOWN_FAMILY or not isinstance(fault["input"], Mapping):
        return None
    return next(iter(difflib.get_close_matches("hypermodel", map(str, fault["input"]), n=1)), None)


def _described(location: Location, message: str) -> tuple[Location, str]:
    path = ".".join(map(str, location))
    return location, f"{path}: {message}" if path else message


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
    if kind == UNKNOWN_FAMILY:
        nearest = _suggestion(str(location[-1]), _words_at(model, location), otherwise="")
        name = f"unknown family {location[-1]!r}"
        return f"{name}{nearest or ';'} a family of your own has the word hypermodel"
    if kind in _NO_MAPPING and received is None:
        return f"is empty; {'' if _is_required(model, location) else 'leave it out or '}give it words"
    if kind in _NAMES_A_PART and (instead := _instead(location)):
        return f"must be {instead}, not {_shown(received)}"
    if kind == "too_short":
        return "the list is empty"
    if kind == "string_too_short":
        return "is empty: give it a name"
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_pattern_mismatch" and location[-1] == "hypermodel":
        return f"must be package.module:ClassName, not {_shown(received)}"
    if kind not in _MUST_BE:
        return f"{fault['msg']}, not {_shown(received)}"
    has_items = kind in _NO_MAPPING and isinstance(received, list) and received
    found = "a list" if has_items else _shown(received)
    sentence = f"must be {_MUST_BE[kind].format(**context)}, not {found}"
    field = fault["loc"][-1]
    if field in _SHORT_FORM_FIELDS and field not in location:
        sentence = f"the {field} {sentence}"
    if kind == "literal_error" and isinstance(received, str):
        words = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
        sentence += _suggestion(received, words, otherwise="")
    return sentence


def _is_required(model: type[BaseModel], location: Location) -> bool:
    return len(location) == 1 and model.model_fields[str(location[0])].is_required()


def _instead(location: Location) -> str:
    if location[0] == "architectures":
        return _INSTEAD["architectures"] if len(location) == 2 else ""
    word = location[-2] if isinstance(location[-1], int) else location[-1]
    return _INSTEAD.get(str(word), "")


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
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
        found = [annotation for m in models if (annotation := _annotation(m, part)) is not None]
        is_name = any(get_origin(annotation) is dict for annotation in found)
        models = [inner for annotation in found for inner in _models_in(annotation)] or models
    return [name for m in models for name in m.model_fields]


def _annotation(model: type[BaseModel], part: str | int) -> Any:
    """The type of a word; a name that is no word may be the user's own."""
    if part in model.model_fields:
        return model.model_fields[str(part)].annotation
    if model.model_config.get("extra") != "allow":
        return None
    (of_name,) = get_args(model.__annotations__["__pydantic_extra__"])[1:]
    return of_name


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)

"""The space language as a JSON Schema, for editors that complete and check YAML."""

from typing import Any

from archsearch.space.schema import SearchSpace

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_REFERENCE = "#/$defs/"


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a file's values as YAML 1.2 reads them.

    What concerns several words at once, such as a grid over a continuous range, is not in it.
    """
    generated = SearchSpace.model_json_schema()
    parts = generated.pop("$defs")
    schema = _friendly(generated, parts)
    # A file that gives no name is named by its stem.
    schema["required"].remove("name")
    kept = {name: _friendly(part, parts) for name, part in parts.items() if not _is_range(name)}
    return {
        "$schema": DIALECT,
        **schema,
        "title": "archsearch search space",
        "description": "What to search, on which data, and how.",
        "$defs": kept,
    }


def _is_range(name: str) -> bool:
    return name.startswith("Range_")


def _friendly(value: Any, parts: dict[str, Any]) -> Any:
    """Without generated titles and empty values, ranges written out, alternatives as ``anyOf``."""
    if isinstance(value, list):
        return [_friendly(item, parts) for item in value]
    if not isinstance(value, dict):
        return value
    target = value.get("$ref", "").removeprefix(_REFERENCE)
    if _is_range(target):
        return _friendly(parts[target], parts)
    result: dict[str, Any] = {}
    for word, item in value.items():
        if word == "properties":
            result[word] = {name: _friendly(property_, parts) for name, property_ in item.items()}
        elif word == "default":
            if item is not None and not isinstance(item, dict):
                result[word] = item
        elif word in ("oneOf", "anyOf"):
            # More than one may match: what a line of text names is only known from the rest of the file.
            result["anyOf"] = _flat([_friendly(each, parts) for each in item if each != {"type": "null"}])
        elif word == "description":
            result[word] = " ".join(item.split())
        elif word not in ("title", "discriminator"):
            result[word] = _friendly(item, parts)
    if len(result.get("anyOf", ())) == 1:
        result = {**result.pop("anyOf")[0], **result}
    return result


def _flat(alternatives: list[Any]) -> list[Any]:
    """Alternatives of alternatives as one list, each once."""
    flat: list[Any] = []
    for each in alternatives:
        for inner in each["anyOf"] if each.keys() == {"anyOf"} else [each]:
            if inner not in flat:
                flat.append(inner)
    return flat

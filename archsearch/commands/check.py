"""``archsearch check``: whether a space is valid, what it spans, and samples of it."""

import textwrap
from collections.abc import Iterator
from typing import Any

from archsearch.architecture import Architecture
from archsearch.commands.tables import console, print_table
from archsearch.data.shapes import data_shape
from archsearch.space import SearchSpace, sample_space
from archsearch.space.parameters import Range, Words

SAMPLES = 3


def show_space(space: SearchSpace, origin: str) -> None:
    """Print what `space` spans, and some of its architectures with their parameter counts."""
    shape = data_shape(space.data)
    out = console()
    out.print(f"{origin}: a valid search space, {space.name!r}, search id {space.name}-{space.fingerprint}")
    out.print()
    size = "×".join(map(str, shape.input_shape))
    out.print(f"data          {space.data.source}: {size}, {len(shape.classes)} classes")
    families = space.families.named.items()
    search = space.search.model_copy(update={"trials": space.trials})
    rest = (("training", space.training), ("search", search), ("execution", space.execution))
    for name, words in (*families, *rest):
        line = f"{name:<13} {'; '.join(_words(words))}"
        out.print("\n".join(textwrap.wrap(line, out.width, subsequent_indent=" " * 14)))
    if space.architectures:
        out.print(f"architectures {len(space.architectures)} named")
    out.print()
    samples = _architectures(space, shape.input_shape)
    rows = [
        [name, architecture.notation, str(architecture.parameters(shape.input_shape, len(shape.classes)))]
        for name, architecture in samples
    ]
    print_table(("name", "architecture", ">parameters"), rows, flexible="architecture")


def _architectures(space: SearchSpace, input_shape: tuple[int, ...]) -> list[tuple[str, Architecture]]:
    """All that are named, or else three samples."""
    if space.architectures:
        return [(name, words.build()) for name, words in space.architectures.items()]
    return [("sample", a) for a in sample_space(space, input_shape, SAMPLES, space.search.seed)]


def _words(words: Words, prefix: str = "") -> Iterator[str]:
    for name in type(words).model_fields:
        value = getattr(words, name)
        if isinstance(value, Words) and not isinstance(value, Range):
            yield from _words(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name} {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, Range):
        return f"{value.low:g} to {value.high:g}" + (" (log)" if value.log else "")
    if isinstance(value, tuple):
        return ", ".join(map(_value, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)

"""``archsearch check``: whether a space is valid, what it spans, and samples of it."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archsearch.architecture import Architecture, outputs_for
from archsearch.commands.tables import console, print_table
from archsearch.data.shapes import DataShape, data_shape
from archsearch.space import SearchSpace, sample_space
from archsearch.space.parameters import Range, Words
from archsearch.space.size import SAMPLES, Extreme, SpaceSize, space_size

SHOWN = 3

# Words that are worth reading even where the space leaves them out.
ALWAYS = frozenset(
    ("epochs", "batch_size", "optimizer", "learning_rate", "trials", "sampler", "pruner", "workers")
)


def show_space(space: SearchSpace, origin: str, store: Path) -> None:
    """Print what `space` spans, some of its architectures, and how long a search of it takes.

    Parameters
    ----------
    space : SearchSpace
    origin : str
        What the user called it.
    store : Path
        Where earlier searches of it are looked for.
    """
    shape = data_shape(space.data, space.folder)
    out = console()
    out.print(
        f"{origin}: a valid search space, {space.name!r}, search id {space.name}-{space.fingerprint}",
        soft_wrap=True,
    )
    out.print()
    lines = [("data", _data(space, shape)), *_spanned(space)]
    lines += _sizes(space, space_size(space, shape.input_shape, len(shape.classes)), shape)
    if draft := _draft(space, store):
        lines.append(("time", draft))
    for name, text in lines:
        line = f"{name:<13} {text}"
        # Architectures stay in one piece, to be copied.
        folded = (
            [line] if _is_architecture(name) else textwrap.wrap(line, out.width, subsequent_indent=" " * 14)
        )
        out.print("\n".join(folded), soft_wrap=True)
    out.print()
    rows = [
        [name, one.notation, f"{one.parameters(shape.input_shape, outputs_for(len(shape.classes))):,}"]
        for name, one in _architectures(space, shape.input_shape)
    ]
    if rows:
        print_table(("name", "architecture", ">parameters"), rows, long="architecture")


def _data(space: SearchSpace, shape: DataShape) -> str:
    size = "×".join(map(str, shape.input_shape))
    return f"{space.data.origin}: {size}, {len(shape.classes)} classes"


def _spanned(space: SearchSpace) -> Iterator[tuple[str, str]]:
    """The words, part by part: those that the space says, that are searched, or that everybody asks for."""
    search = space.search.model_copy(update={"trials": space.trials})
    rest = (("training", space.training), ("search", search), ("execution", space.execution))
    for name, words in (*space.families.named.items(), *rest):
        yield name, "; ".join(_words(words))
    if space.constraints.parameters is not None:
        yield "constraints", f"parameters at most {space.constraints.parameters:,}"


def _sizes(space: SearchSpace, size: SpaceSize, shape: DataShape) -> Iterator[tuple[str, str]]:
    named = f", {len(space.architectures)} of them named" if space.architectures else ""
    left_out = "; what HyperModels make is not counted" if size.is_partial else ""
    recipes = _counted(size.recipes.text, "recipe")
    yield "size", f"{_counted(size.architectures.text, 'architecture')}{named}, {recipes}{left_out}"
    for name, extreme in (("smallest", size.smallest), ("largest", size.largest)):
        if extreme:
            yield name, f"{_number_of(extreme.amount, 'parameter')}: {extreme.architecture.notation}"
    for name, extreme in (("least memory", size.least_memory), ("most memory", size.most_memory)):
        if extreme:
            yield name, f"{_memory(extreme)}: {extreme.architecture.notation}"
    if size.samples:
        different = len(set(sample_space(space, shape.input_shape, size.samples, space.search.seed)))
        limit = space.constraints.parameters
        broken = "" if limit is None else f"; {size.too_large} of them are too large for the constraints"
        yield "samples", f"{size.samples} drawn at random, {different} different{broken}"


def _counted(text: str, noun: str) -> str:
    return f"{noun}s {text}" if text == "continuous" else f"{text} {noun if text == '1' else noun + 's'}"


def _number_of(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _memory(extreme: Extreme) -> str:
    kibibytes = extreme.amount / 2**10
    return f"about {kibibytes:,.0f} KiB" if kibibytes < 10_000 else f"about {kibibytes / 2**10:,.0f} MiB"


def _is_architecture(name: str) -> bool:
    return name in ("smallest", "largest", "least memory", "most memory")


def _architectures(space: SearchSpace, input_shape: tuple[int, ...]) -> list[tuple[str, Architecture]]:
    """All that are named, or else three different samples."""
    named = [(name, a) for name, a in space.named_architectures.items() if isinstance(a, Architecture)]
    samples = dict.fromkeys(sample_space(space, input_shape, SAMPLES, space.search.seed))
    return named or [("sample", a) for a in list(samples)[:SHOWN]]


def _draft(space: SearchSpace, store: Path) -> str:
    """How long a search takes, from the newest search of this space in the store; empty if there is none."""
    # Looked for by name first: reading a record takes libraries that a check can do without.
    pattern = f"{space.name}-{space.fingerprint}*/record.sqlite"
    if not any((store / "searches").glob(pattern)):
        return ""
    from archsearch.commands.drafts import draft

    return draft(space, store)


def _words(words: Words, prefix: str = "") -> Iterator[str]:
    for name in type(words).model_fields:
        value = getattr(words, name)
        if isinstance(value, Words) and not isinstance(value, Range):
            yield from _words(value, f"{prefix}{name}.")
        elif name in words.model_fields_set | ALWAYS or isinstance(value, tuple | Range):
            yield f"{prefix}{name} {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, Range):
        return f"{value.low:g} to {value.high:g}" + (" (log)" if value.log else "")
    if isinstance(value, tuple):
        return ", ".join(map(_value, value))
    if value is None:
        return "off"
    if isinstance(value, Words):
        return ", ".join(_words(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)

"""``archsearch check``: whether a space is valid, what it spans, and samples of it."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archsearch.architecture import Architecture, outputs_for
from archsearch.commands.tables import console, print_table
from archsearch.data.shapes import DataShape, data_shape
from archsearch.space import SearchSpace, sample_space
from archsearch.space.family_words import HyperModelFamily
from archsearch.space.parameters import Range, Words
from archsearch.space.size import SAMPLES, Extreme, space_size

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
    outputs = outputs_for(len(shape.classes))
    samples = dict.fromkeys(sample_space(space, shape.input_shape, SAMPLES, space.search.seed))
    # Everything first: a HyperModel that can't be built makes no valid space.
    lines = [
        Line(
            "data",
            f"{space.data.origin}: {'×'.join(map(str, shape.input_shape))}, {len(shape.classes)} classes",
        ),
        *_families(space, shape),
        *_rest(space),
        *_sizes(space, shape, len(samples)),
        *_draft(space, store),
    ]
    out = console()
    out.print(
        f"{origin}: a valid search space, {space.name!r}, search id {space.name}-{space.fingerprint}",
        soft_wrap=True,
    )
    out.print()
    for line in lines:
        out.print(line.folded(out.width), soft_wrap=True)
    named = [(name, a) for name, a in space.named_architectures.items() if isinstance(a, Architecture)]
    shown = named or [("sample", architecture) for architecture in list(samples)[:SHOWN]]
    rows = [[name, one.notation, f"{one.parameters(shape.input_shape, outputs):,}"] for name, one in shown]
    if rows:
        out.print()
        print_table(("name", "architecture", ">parameters"), rows, long="architecture")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of what is printed.

    Attributes
    ----------
    name, text : str
    is_whole : bool
        Whether it ends in an architecture, which stays in one piece to be copied.
    """

    name: str
    text: str
    is_whole: bool = False

    def folded(self, width: int) -> str:
        """The line in a terminal of that width."""
        line = f"{self.name:<13} {self.text}"
        return line if self.is_whole else "\n".join(textwrap.wrap(line, width, subsequent_indent=" " * 14))


def _families(space: SearchSpace, shape: DataShape) -> Iterator[Line]:
    """The words that a family says or searches; of users' HyperModels what they declare."""
    families = space.families.named
    for name, family in families.items():
        if not isinstance(family, HyperModelFamily):
            yield Line(name, "; ".join(_words(family)))
    if any(isinstance(family, HyperModelFamily) for family in families.values()):
        yield from _hypermodels(space, shape)


def _hypermodels(space: SearchSpace, shape: DataShape) -> Iterator[Line]:
    from archsearch.execution.hypermodels import hypermodel_reports  # which numpy comes with

    for report in hypermodel_reports(space, shape):
        declared = (
            f"{one.name} {one.choices}" + (f" (where {one.condition})" if one.condition else "")
            for one in report.hyperparameters
        )
        yield Line(report.family, f"{report.hypermodel}: {'; '.join(declared) or 'no hyperparameters'}")
        size = _number_of(report.parameters, "parameter")
        yield Line("", f"by default {size}: {report.default.notation}", is_whole=True)


def _rest(space: SearchSpace) -> Iterator[Line]:
    search = space.search.model_copy(update={"trials": space.trials})
    for name, words in (("training", space.training), ("search", search), ("execution", space.execution)):
        yield Line(name, "; ".join(_words(words)))
    if space.constraints.parameters is not None:
        yield Line("constraints", f"parameters at most {space.constraints.parameters:,}")


def _sizes(space: SearchSpace, shape: DataShape, different: int) -> Iterator[Line]:
    size = space_size(space, shape.input_shape, len(shape.classes))
    named = f", {len(space.architectures)} of them named" if space.architectures else ""
    left_out = "; what HyperModels make is not counted" if size.is_partial else ""
    recipes = _counted(size.recipes.text, "recipe")
    if size.architectures.number == 0:
        yield Line("size", f"architectures: HyperModels make them, not counted; {recipes}")
    else:
        yield Line("size", f"{_counted(size.architectures.text, 'architecture')}{named}, {recipes}{left_out}")
    limit = space.constraints.parameters
    extremes = {
        "smallest": size.smallest,
        "largest": size.largest,
        "least memory": size.least_memory,
        "most memory": size.most_memory,
    }
    for name, extreme in extremes.items():
        if extreme:
            amount = _memory(extreme) if "memory" in name else _number_of(extreme.amount, "parameter")
            within = ", within the constraint" if limit and name in ("largest", "most memory") else ""
            yield Line(name, f"{amount}{within}: {extreme.architecture.notation}", is_whole=True)
    if size.samples:
        broken = "" if limit is None else f"; {size.too_large} of them are too large for the constraints"
        yield Line("samples", f"{size.samples} drawn at random, {different} different{broken}")


def _counted(text: str, noun: str) -> str:
    return f"{noun}s {text}" if text == "continuous" else f"{text} {noun if text == '1' else noun + 's'}"


def _number_of(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _memory(extreme: Extreme) -> str:
    kibibytes = extreme.amount / 2**10
    return f"about {kibibytes:,.0f} KiB" if kibibytes < 10_000 else f"about {kibibytes / 2**10:,.0f} MiB"


def _draft(space: SearchSpace, store: Path) -> Iterator[Line]:
    """How long a search takes, from the newest search of this space in the store."""
    # Looked for by name first: reading a record takes libraries that a check can do without.
    pattern = f"{space.name}-{space.fingerprint}*/record.sqlite"
    if any((store / "searches").glob(pattern)):
        from archsearch.commands.drafts import draft

        if sentence := draft(space, store):
            yield Line("time", sentence)


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

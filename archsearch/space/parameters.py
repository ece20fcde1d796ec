"""Words of the space that may be searched.

A searched word is one value, a list to choose from or, for numbers, a range ``{low, high, log}``.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from archsearch.suggest import Suggest

Value = TypeVar("Value")
Number = TypeVar("Number", int, float)
NumberRange = TypeVar("NumberRange")


class Words(BaseModel):
    """Base of every part of a space: unknown words are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Range(Words, Generic[Number]):
    """Numbers from `low` to `high`, both included; `log` spreads them evenly over orders of magnitude."""

    low: Number = Field(description="The least value.")
    high: Number = Field(description="The greatest value.")
    log: bool = Field(default=False, description="Spread values evenly over orders of magnitude.")

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g})")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be above 0 where log is true, not {self.low:g}")
        return self


def _form(value: Any) -> str:
    if isinstance(value, dict | Range):
        return "range"
    return "list" if isinstance(value, list | tuple) else "value"


_One = Annotated[Value, Tag("value")]
# Not strict: YAML and Python give lists, a frozen space keeps tuples.
_Several = Annotated[tuple[Value, ...], Field(min_length=1, strict=False), Tag("list")]

# ``Choice[Kind]`` and ``Quantity[Width, Range[Width]]`` are the types of searched words. (The range is named
# beside the item because a generic alias does not reach into a pydantic model's own parameter.)
Choice = Annotated[_One[Value] | _Several[Value], Discriminator(_form)]
Quantity = Annotated[
    _One[Value] | _Several[Value] | Annotated[NumberRange, Tag("range")], Discriminator(_form)
]


def choose(suggest: Suggest, name: str, word: Any) -> Any:
    """Let `suggest` choose a value of a searched word; a word with one value leaves no choice.

    Parameters
    ----------
    suggest : Suggest
    name : str
        The parameter's name, the same at each call: ``"dense.depth"``.
    word : a value, a tuple of values or a Range
    """
    if isinstance(word, Range):
        ask = suggest.integer if isinstance(word.low, int) else suggest.real
        return ask(name, word.low, word.high, log=word.log)
    if isinstance(word, tuple):
        return word[0] if len(word) == 1 else suggest.categorical(name, word)
    return word


def largest(word: Any) -> Any:
    """The greatest value that a searched number may take."""
    if isinstance(word, Range):
        return word.high
    return max(word) if isinstance(word, tuple) else word


def smallest(word: Any) -> Any:
    """The least value that a searched number may take."""
    if isinstance(word, Range):
        return word.low
    return min(word) if isinstance(word, tuple) else word


def ranges_in(words: Words) -> Iterator[tuple[tuple[str, ...], "Range[Any]"]]:
    """Every range in a part of a space, with its path below it."""
    for name in type(words).model_fields:
        value = getattr(words, name)
        if isinstance(value, Range):
            yield (name,), value
        elif isinstance(value, Words):
            yield from (((name, *path), range_) for path, range_ in ranges_in(value))

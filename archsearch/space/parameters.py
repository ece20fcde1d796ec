"""Words of the space that may be searched.

A searched word is one value, a list to choose from or, for numbers, a range ``{low, high, log}``.
"""

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

    low: Number
    high: Number
    log: bool = False

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


def first_choice(word: Any) -> Any:
    """The value of a searched word where nothing is searched: the first of a list, a range's middle."""
    if isinstance(word, Range):
        middle = (word.low * word.high) ** 0.5 if word.log else (word.low + word.high) / 2
        return round(middle) if isinstance(word.low, int) else middle
    return word[0] if isinstance(word, tuple) else word

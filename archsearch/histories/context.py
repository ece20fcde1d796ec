"""What is known besides the curves, from columns or from keyword arguments."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from archsearch.diagnosis import Context
from archsearch.errors import DataError
from archsearch.histories.table import NUMBERS, YES_OR_NO, as_number, listed, shown

NAMES = tuple(field.name for field in fields(Context))


def with_words(context: Context, words: Mapping[str, Any]) -> Context:
    """The context with some of its fields given by a caller.

    Raises
    ------
    DataError
        If there is no such field, or it can't have such a value.
    """
    unknown = [name for name in words if name not in NAMES]
    if unknown:
        raise DataError(f"diagnose: unknown argument {listed(unknown)}; there are {', '.join(NAMES)}")
    try:
        values: dict[str, Any] = {name: context_value(name, value) for name, value in words.items()}
        return replace(context, **values)
    except ValueError as error:
        raise DataError(f"diagnose: {error}") from None


def context_value(name: str, value: Any) -> float | int | bool | tuple[float, ...] | None:
    """One of the context's fields from what was given for it; None if that is empty.

    Raises
    ------
    ValueError
        If the field can't have it, with what was received.
    """
    if name == "class_frequencies" and value is not None:
        return _shares(name, value)
    number = as_number(value, words=name in YES_OR_NO)
    if number is None:
        raise ValueError(f"{name} is {shown(value)}, which is no number")
    if math.isnan(number):
        return None
    if name in NUMBERS:
        return number
    if name in YES_OR_NO:
        # A rate of dropout says that there is dropout.
        if number not in (0, 1) and not (name == "dropout" and 0 < number < 1):
            raise ValueError(f"{name} is {shown(value)}, which is neither true nor false")
        return number > 0
    if not (number >= 1 and number.is_integer()):
        raise ValueError(f"{name} is {shown(value)}, which is no whole number from 1 up")
    return int(number)


def _shares(name: str, value: Any) -> tuple[float, ...]:
    numbers = [as_number(share) for share in value] if isinstance(value, Iterable) else [None]
    shares = tuple(number for number in numbers if number is not None and number >= 0)
    if len(shares) < len(numbers) or not shares:
        raise ValueError(f"{name} is {shown(value)}, which is no list of shares")
    return shares

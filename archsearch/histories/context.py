"""What is known besides the curves, from columns or from keyword arguments."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from archsearch.diagnosis import Context
from archsearch.errors import DataError
from archsearch.histories.table import NUMBERS, YES_OR_NO, as_number, listed, shown

LARGEST_COUNT = 2**53
"""Beyond it floats are no whole numbers any more."""

ABOVE_ZERO = ("prior_entropy",)
FROM_ZERO = ("val_loss_spread",)

NAMES = tuple(field.name for field in fields(Context))


def with_words(context: Context, words: Mapping[str, Any], epochs: int | None = None) -> Context:
    """The context with some of its fields given by a caller, for a curve of so many epochs if that is known.

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
        if epochs is not None:
            check_epochs(Context(**values), epochs)
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
        return _measured(name, number, value)
    if name in YES_OR_NO:
        # A rate of dropout says that there is dropout.
        if number not in (0, 1) and not (name == "dropout" and 0 < number < 1):
            raise ValueError(f"{name} is {shown(value)}, which is neither true nor false")
        return number > 0
    if not (1 <= number < LARGEST_COUNT and number.is_integer()):
        raise ValueError(f"{name} is {shown(value)}, which is no whole number from 1 up")
    return int(number)


def check_epochs(context: Context, epochs: int) -> None:
    """Refuse numbers of epochs that a curve of so many can't have.

    Raises
    ------
    ValueError
    """
    if context.delivered_epoch is not None and context.delivered_epoch > epochs:
        raise ValueError(f"delivered_epoch is {context.delivered_epoch}, but there are {epochs} epochs")
    if context.planned_epochs is not None and context.planned_epochs < epochs:
        raise ValueError(f"planned_epochs is {context.planned_epochs}, but there are {epochs} epochs")


def _measured(name: str, number: float, value: Any) -> float:
    """A number that was measured."""
    if not math.isfinite(number):
        raise ValueError(f"{name} is {shown(value)}, which is not finite")
    if name in ABOVE_ZERO and number <= 0:
        raise ValueError(f"{name} is {shown(value)}, which is not above 0")
    if name in FROM_ZERO and number < 0:
        raise ValueError(f"{name} is {shown(value)}, which is below 0")
    return number


def _shares(name: str, value: Any) -> tuple[float, ...]:
    numbers = [as_number(share) for share in value] if isinstance(value, Iterable) else [None]
    shares = tuple(number for number in numbers if number is not None and 0 <= number < math.inf)
    if len(shares) < len(numbers) or not sum(shares) > 0:
        raise ValueError(f"{name} is {shown(value)}, which is no list of shares")
    return shares

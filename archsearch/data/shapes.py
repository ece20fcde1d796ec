"""The shape of the data a space can name, known without loading anything."""

from dataclasses import dataclass

from archsearch.space.data_words import Data


@dataclass(frozen=True, slots=True)
class DataShape:
    """What a network must take and give.

    Attributes
    ----------
    input_shape : tuple of int
        One sample: ``(height, width, channels)``.
    classes : tuple of str
    """

    input_shape: tuple[int, ...]
    classes: tuple[str, ...]


DIGITS = DataShape(input_shape=(8, 8, 1), classes=tuple("0123456789"))


def data_shape(data: Data) -> DataShape:
    """The shape of `data`, without loading them."""
    return {"digits": DIGITS}[data.source]

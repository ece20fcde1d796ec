"""What a space says about its data."""

from typing import Literal

from pydantic import Field

from archsearch.space.parameters import Words


class Data(Words):
    """What to train on; ``data: digits`` is short for ``data: {source: digits}``."""

    source: Literal["digits"]
    validation: float = Field(default=0.2, gt=0, lt=0.5)
    test: float = Field(default=0.2, gt=0, lt=0.5)
    split_seed: int = Field(default=0, ge=0)

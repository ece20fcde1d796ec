"""What a space says about its families of architectures."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, JsonValue, Tag, model_validator
from pydantic_core import PydanticCustomError

from archsearch.architecture import Activation, Bridge, Layer, Padding, Pooling
from archsearch.space.faults import UNKNOWN_FAMILY, located
from archsearch.space.orderings import Ordering
from archsearch.space.parameters import Choice, Quantity, Range, Words

Width = Annotated[int, Field(ge=1, le=65_536)]
MOST_FILTERS = 4_096
Filters = Annotated[int, Field(ge=1, le=MOST_FILTERS)]
Kernel = Annotated[int, Field(ge=1, le=15)]
Stride = Annotated[int, Field(ge=1, le=8)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Penalty = Annotated[float, Field(ge=0, le=10)]
Depth = Annotated[int, Field(ge=1, le=64)]
Repeats = Annotated[int, Field(ge=1, le=8)]
Blocks = Annotated[int, Field(ge=1, le=16)]
Growth = Annotated[float, Field(ge=1, le=4)]


class DropoutByDirection(Words):
    """Dropout of the rising and of the falling part of a stack."""

    rising: Quantity[Rate, Range[Rate]] = Field(
        default=0.0, description="Dropout rate where widths rise, from 0, below 1."
    )
    falling: Quantity[Rate, Range[Rate]] = Field(
        default=0.0, description="Dropout rate where widths fall, from 0, below 1."
    )


def _dropout_form(value: Any) -> str:
    by_direction = isinstance(value, Mapping) and not {"low", "high", "log"} & set(value)
    return "each" if by_direction or isinstance(value, DropoutByDirection) else "both"


Dropout = Annotated[
    Annotated[DropoutByDirection, Tag("each")] | Annotated[Quantity[Rate, Range[Rate]], Tag("both")],
    Discriminator(_dropout_form),
]


class DenseFamily(Words):
    """Fully connected stacks; every word is one value, a list or a range."""

    ordering: Choice[Ordering] = Field(
        default=("falling", "rising", "diamond"), description="How widths follow each other."
    )
    depth: Quantity[Depth, Range[Depth]] = Field(description="Number of blocks, before repeats.")
    narrowest: Quantity[Width, Range[Width]] = Field(description="Neurons of the narrowest block.")
    widest: Quantity[Width, Range[Width]] = Field(description="Neurons of the widest block.")
    repeats: Quantity[Repeats, Range[Repeats]] = Field(
        default=1, description="How often each block stands, except the first and the last one."
    )
    dropout: Dropout = Field(
        default=0.0, description="Dropout rate, or one each for the rising and the falling part."
    )
    activation: Choice[Activation] = Field(default="relu", description="Activation of every block.")
    batch_norm: Choice[bool] = Field(
        default=False, description="Whether batch normalisation follows the activation."
    )
    l2: Quantity[Penalty, Range[Penalty]] = Field(
        default=0.0, description="Weight of the L2 penalty on the kernels."
    )


class FilterGrowth(Words):
    """Filters of the first block, and the factor from block to block."""

    first: Quantity[Filters, Range[Filters]] = Field(description="Filters of the first block.")
    growth: Quantity[Growth, Range[Growth]] = Field(
        default=2.0, description="Factor from block to block; no block has more than 4096 filters."
    )


class CnnFamily(Words):
    """Convolutional blocks, a bridge, and a dense head; every word is one value, a list or a range."""

    layer: Choice[Layer] = Field(default="conv2d", description="The kind of convolution.")
    blocks: Quantity[Blocks, Range[Blocks]] = Field(description="Number of convolutional blocks.")
    filters: FilterGrowth = Field(description="How many filters the blocks have.")
    kernel: Quantity[Kernel, Range[Kernel]] = Field(
        default=3, description="Side of the square kernel, in pixels."
    )
    stride: Quantity[Stride, Range[Stride]] = Field(
        default=1, description="Step of the kernel of every block, in pixels."
    )
    padding: Choice[Padding] = Field(
        default="same", description="Whether images are padded so that stride 1 keeps their size."
    )
    activation: Choice[Activation] = Field(default="relu", description="Activation of every convolution.")
    pooling: Choice[Pooling] = Field(default="max", description="2×2 pooling after every convolution.")
    dropout: Quantity[Rate, Range[Rate]] = Field(
        default=0.0, description="Dropout rate after every convolutional block."
    )
    batch_norm: Choice[bool] = Field(
        default=False, description="Whether batch normalisation follows the pooling."
    )
    l2: Quantity[Penalty, Range[Penalty]] = Field(
        default=0.0, description="Weight of the L2 penalty on the kernels."
    )
    bridge: Choice[Bridge] = Field(default="flatten", description="How feature maps become a vector.")
    dense: DenseFamily | None = Field(
        default=None, description="The dense head, with the words of families.dense; none if left out."
    )


class HyperModelFamily(Words):
    """A KerasTuner ``HyperModel`` of the user's own."""

    hypermodel: str = Field(
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
        description="Where it is: package.module:ClassName, looked up from the space's folder.",
    )
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict, description="What its class is called with, by name."
    )


def _own_family(value: Any) -> Any:
    if isinstance(value, HyperModelFamily) or (isinstance(value, Mapping) and "hypermodel" in value):
        return value
    raise PydanticCustomError(UNKNOWN_FAMILY, "unknown family")


class Families(Words):
    """The families to search; each gets an equal share of the budget."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[HyperModelFamily, BeforeValidator(_own_family)]] = Field(
        init=False
    )

    dense: DenseFamily | None = Field(default=None, description="Fully connected stacks.")
    cnn: CnnFamily | None = Field(
        default=None, description="Convolutional blocks, a bridge, and a dense head."
    )

    @model_validator(mode="after")
    def _can_be_named(self) -> Self:
        wrong = [name for name in self.__pydantic_extra__ if not _FAMILY_NAME.fullmatch(name)]
        if wrong:
            message = "a family is named by letters, digits, '.', '_' and '-', the first a letter; not conv"
            raise located([((name,), message) for name in wrong])
        return self

    @property
    def named(self) -> dict[str, "AnyFamily"]:
        """The families that are given, by name, in a fixed order."""
        given: dict[str, AnyFamily | None] = {"dense": self.dense, "cnn": self.cnn}
        own = sorted(self.__pydantic_extra__.items())
        return {name: family for name, family in [*given.items(), *own] if family is not None}


AnyFamily = DenseFamily | CnnFamily | HyperModelFamily

# A line that begins with "conv" is a stack's.
_FAMILY_NAME = re.compile(r"(?!conv$)[A-Za-z][A-Za-z0-9._-]{0,79}")

"""What a space says about architectures by name: block by block, or in one line."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic.fields import FieldInfo

from archsearch.architecture import (
    Activation,
    Architecture,
    Bridge,
    ConvBlock,
    DenseBlock,
    HyperModelArchitecture,
    Layer,
    Padding,
    Pooling,
)
from archsearch.notation import is_stack, parse, parse_values
from archsearch.space.family_words import (
    Families,
    Filters,
    HyperModelFamily,
    Kernel,
    Penalty,
    Rate,
    Stride,
    Width,
)
from archsearch.space.faults import located
from archsearch.space.parameters import Words


def _short(names: tuple[str, ...]) -> FieldInfo:
    return Field(min_length=1, max_length=len(names), description=f"[{', '.join(names)}]")  # type: ignore[no-any-return]


def _named_fields(words: type[Words], names: tuple[str, ...]) -> BeforeValidator:
    """Accept ``[32, 0.2]`` for ``{width: 32, dropout: 0.2}``, and ``32`` for ``[32]``."""

    def as_mapping(value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = [value]
        if not isinstance(value, list | tuple):
            return value
        if len(value) > len(names):
            raise ValueError(f"at most {len(names)} values ({', '.join(names)}), not {len(value)}")
        return dict(zip(names, value, strict=False))

    several = list[float]
    return BeforeValidator(as_mapping, json_schema_input_type=words | int | Annotated[several, _short(names)])


class DenseBlockWords(Words):
    """One dense block of a named architecture: ``[width, dropout]`` for short."""

    width: Width = Field(description="Neurons.")
    dropout: Rate = Field(default=0.0, description="Dropout rate, from 0, below 1.")
    activation: Activation = Field(default="relu", description="Activation of the block.")
    batch_norm: bool = Field(default=False, description="Whether batch normalisation follows the activation.")
    l2: Penalty = Field(default=0.0, description="Weight of the L2 penalty on the kernel.")


class ConvBlockWords(Words):
    """One convolutional block of a named architecture: ``[filters, kernel]`` for short."""

    filters: Filters = Field(description="Number of filters.")
    kernel: Kernel = Field(default=3, description="Side of the square kernel, in pixels.")
    stride: Stride = Field(default=1, description="Step of the kernel, in pixels.")
    padding: Padding = Field(
        default="same", description="Whether images are padded so that stride 1 keeps their size."
    )
    layer: Layer = Field(default="conv2d", description="The kind of convolution.")
    activation: Activation = Field(default="relu", description="Activation of the convolution.")
    pooling: Pooling = Field(default="max", description="2×2 pooling after the convolution.")
    dropout: Rate = Field(default=0.0, description="Dropout rate, from 0, below 1.")
    batch_norm: bool = Field(default=False, description="Whether batch normalisation follows the pooling.")
    l2: Penalty = Field(default=0.0, description="Weight of the L2 penalty on the kernel.")


DenseStack = tuple[Annotated[DenseBlockWords, _named_fields(DenseBlockWords, ("width", "dropout"))], ...]
ConvStack = tuple[Annotated[ConvBlockWords, _named_fields(ConvBlockWords, ("filters", "kernel"))], ...]


class NamedArchitecture(Words):
    """An architecture written out block by block, or in one line."""

    dense: Annotated[DenseStack, Field(strict=False)] = Field(
        default=(), description="The dense blocks, each a mapping, [width, dropout] or a width."
    )
    conv: Annotated[ConvStack, Field(strict=False)] = Field(
        default=(), description="The convolutional blocks, each a mapping, [filters, kernel] or a number."
    )
    bridge: Bridge = Field(default="flatten", description="How feature maps become a vector.")

    @model_validator(mode="after")
    def _has_blocks(self) -> Self:
        if not (self.dense or self.conv):
            raise ValueError("an architecture needs dense blocks, conv blocks, or both")
        if self.bridge != "flatten" and not self.conv:
            raise located([(("bridge",), "a bridge other than flatten needs conv blocks before it")])
        return self

    def build(self) -> Architecture:
        """The architecture as a value."""
        return Architecture(
            family="cnn" if self.conv else "dense",
            conv=tuple(ConvBlock(**block.model_dump()) for block in self.conv),
            bridge=self.bridge,
            dense=tuple(DenseBlock(**block.model_dump()) for block in self.dense),
        )


class NamedHyperModel(Words):
    """What a HyperModel of the families builds from some values: ``mine units=64`` for short."""

    family: str = Field(description="The family that has the HyperModel.")
    values: dict[str, bool | int | float | str] = Field(
        description="The value of every hyperparameter that is active, by name."
    )

    def build(self, families: Families) -> HyperModelArchitecture:
        """The architecture as a value, given the families of its space."""
        family = families.named[self.family]
        assert isinstance(family, HyperModelFamily)  # as validated
        return HyperModelArchitecture(self.family, family.hypermodel, tuple(self.values.items()))


def _blocks_of_line(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    words = parse(value).to_json()
    return {word: words[word] for word in ("conv", "bridge", "dense")}


def _values_of_line(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    family, values = parse_values(value)
    return {"family": family, "values": dict(values)}


def _architecture_form(value: Any) -> str:
    if isinstance(value, str):
        return "<blocks>" if is_stack(value) else "<values>"
    by_values = isinstance(value, NamedHyperModel) or (isinstance(value, Mapping) and "family" in value)
    return "<values>" if by_values else "<blocks>"


def _line_or(words: type[Words], read: Callable[[Any], Any]) -> BeforeValidator:
    line = Annotated[str, Field(description="An architecture in one line, as archsearch prints it.")]
    return BeforeValidator(read, json_schema_input_type=words | line)


Named = Annotated[
    Annotated[NamedArchitecture, _line_or(NamedArchitecture, _blocks_of_line), Tag("<blocks>")]
    | Annotated[NamedHyperModel, _line_or(NamedHyperModel, _values_of_line), Tag("<values>")],
    Discriminator(_architecture_form),
]

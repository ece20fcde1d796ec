"""A network's architecture as a value: blocks, one-line notation, shapes and parameter count."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any, Literal

JSON_VERSION = 2

Activation = Literal["relu", "leaky_relu", "tanh", "sigmoid"]
Layer = Literal["conv2d", "separable_conv2d"]
Padding = Literal["same", "valid"]
Pooling = Literal["max", "average", "sum", "none"]
Bridge = Literal["flatten", "global_average", "global_max"]
Scalar = bool | int | float | str

POOL_SIZE = 2

PLAIN_NAME = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass(frozen=True, slots=True)
class DenseBlock:
    """``Dense(width)`` + activation, then batch normalisation if asked for, then dropout.

    Attributes
    ----------
    width : int
        Neurons.
    dropout : float
        Share of activations dropped in training, in [0, 1).
    activation : str
    batch_norm : bool
    l2 : float
        Weight of the L2 penalty on the kernel.
    """

    width: int
    dropout: float = 0.0
    activation: Activation = "relu"
    batch_norm: bool = False
    l2: float = 0.0


@dataclass(frozen=True, slots=True)
class ConvBlock:
    """A convolution + activation, pooling, batch normalisation, dropout.

    Attributes
    ----------
    filters : int
    kernel : int
        Side of the square kernel, in pixels.
    stride : int
        Step of the kernel, in pixels, the same in both directions.
    padding : str
        ``"same"`` pads the image so that stride 1 keeps its size; ``"valid"`` does not.
    layer : str
        ``"conv2d"``, or ``"separable_conv2d"``: one kernel per channel, then a 1×1 convolution.
    activation : str
    pooling : str
        2×2 pooling after the convolution, or ``"none"``.
    dropout : float
    batch_norm : bool
    l2 : float
        Weight of the L2 penalty on the kernel.
    """

    filters: int
    kernel: int = 3
    stride: int = 1
    padding: Padding = "same"
    layer: Layer = "conv2d"
    activation: Activation = "relu"
    pooling: Pooling = "max"
    dropout: float = 0.0
    batch_norm: bool = False
    l2: float = 0.0

    def convolved(self, side: int) -> int:
        """Pixels along a side of `side` after the convolution; below 1 where the kernel is too large."""
        if self.padding == "same":
            return -(-side // self.stride)
        return (side - self.kernel) // self.stride + 1

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """``(height, width, filters)`` after the block, given ``(height, width, channels)``."""
        shrink = 1 if self.pooling == "none" else POOL_SIZE
        height, width = (self.convolved(side) // shrink for side in shape[:2])
        return height, width, self.filters

    def parameters(self, channels: int) -> int:
        """Weights of the block on an image of `channels` channels."""
        if self.layer == "separable_conv2d":
            kernel = self.kernel**2 * channels + channels * self.filters
        else:
            kernel = self.kernel**2 * channels * self.filters
        return kernel + self.filters + 4 * self.filters * self.batch_norm

    def fitted(self, shape: tuple[int, ...]) -> "ConvBlock":
        """The block as it can take an image of `shape`: see `Architecture.fitted`."""
        side = min(shape[:2])
        block = replace(self, padding="same") if self.padding == "valid" and self.kernel > side else self
        if block.pooling != "none" and block.convolved(side) < POOL_SIZE:
            block = replace(block, pooling="none")
        return block


Block = DenseBlock | ConvBlock


@dataclass(frozen=True, slots=True)
class Architecture:
    """A stack of convolutional blocks (may be empty), a bridge to vectors, a stack of dense blocks.

    The output layer is not part of it: it follows from the data's classes.

    Attributes
    ----------
    family : str
        ``"dense"`` or ``"cnn"``: the family whose budget its trials count towards.
    conv : tuple of ConvBlock
    bridge : str
        How feature maps become a vector.
    dense : tuple of DenseBlock
    """

    family: str
    dense: tuple[DenseBlock, ...] = ()
    conv: tuple[ConvBlock, ...] = ()
    bridge: Bridge = "flatten"

    @property
    def notation(self) -> str:
        """One line for people: ``dense 32·64 dropout 0.2`` or ``conv 16·32 3×3 max → flatten → dense 64``.

        Nothing is left out: `archsearch.notation.parse` is the inverse.
        """
        dense = _stack_notation(self.dense)
        if not self.conv:
            return f"dense {dense}"
        conv = _stack_notation(self.conv)
        head = f" → dense {dense}" if self.dense else ""
        return f"conv {conv} → {self.bridge.replace('_', ' ')}{head}"

    def parameters(self, input_shape: tuple[int, ...], outputs: int) -> int:
        """Count all weights, as ``keras.Model.count_params`` does.

        Parameters
        ----------
        input_shape : tuple of int
            One sample: ``(height, width, channels)``, or any shape for a dense stack.
        outputs : int
            Width of the output layer (`outputs_for`).
        """
        total = 0
        shape = input_shape
        for block in self.conv:
            total += block.parameters(shape[2])
            shape = block.output_shape(shape)
        features = self._bridged(shape)
        for dense in self.dense:
            total += features * dense.width + dense.width + 4 * dense.width * dense.batch_norm
            features = dense.width
        return total + features * outputs + outputs

    def activations(self, input_shape: tuple[int, ...]) -> int:
        """Numbers that one sample leaves in the outputs of all layers, which training keeps in memory."""
        total = math.prod(input_shape)
        shape = input_shape
        for block in self.conv:
            convolved = math.prod(map(block.convolved, shape[:2])) * block.filters
            shape = block.output_shape(shape)
            pooled = math.prod(shape)
            total += 2 * convolved + pooled * (1 + block.batch_norm + bool(block.dropout))
        for dense in self.dense:
            total += dense.width * (2 + dense.batch_norm + bool(dense.dropout))
        return total

    def fitted(self, input_shape: tuple[int, ...]) -> "Architecture":
        """The architecture with what its images can't take repaired.

        A ``valid`` convolution whose kernel is larger than the image that reaches it is padded to keep the
        image's size; pooling of an image of one pixel is left out.
        """
        shape, conv = input_shape, []
        for block in self.conv:
            conv.append(block.fitted(shape))
            shape = conv[-1].output_shape(shape)
        return replace(self, conv=tuple(conv)) if tuple(conv) != self.conv else self

    def misfits(self, input_shape: tuple[int, ...]) -> Iterator[tuple[int, str]]:
        """The convolutional blocks that images of `input_shape` can't take, by number from 0, and why."""
        shape = input_shape
        for number, block in enumerate(self.conv):
            size = f"{shape[0]}×{shape[1]} pixels"
            if min(map(block.convolved, shape[:2])) < 1:
                yield number, f"a valid {block.kernel}×{block.kernel} kernel on {size}; set padding: same"
            elif min(block.output_shape(shape)) < 1:
                yield number, f"{block.pooling} pooling leaves nothing of {size}; set pooling: none"
            shape = block.fitted(shape).output_shape(shape)

    def _bridged(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape) if self.bridge == "flatten" else shape[-1]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with the version of their form."""
        return {
            "version": JSON_VERSION,
            "family": self.family,
            "conv": [_block_json(block) for block in self.conv],
            "bridge": self.bridge,
            "dense": [_block_json(block) for block in self.dense],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Architecture":
        """The inverse of `to_json`."""
        # Fields that later versions added have the default that the earlier ones meant.
        return cls(
            family=value["family"],
            conv=tuple(ConvBlock(**block) for block in value["conv"]),
            bridge=value["bridge"],
            dense=tuple(DenseBlock(**block) for block in value["dense"]),
        )


@dataclass(frozen=True, slots=True)
class HyperModelArchitecture:
    """What a user's KerasTuner ``HyperModel`` builds from some values of its hyperparameters.

    Attributes
    ----------
    family : str
        The name the space gives the HyperModel.
    hypermodel : str
        ``package.module:ClassName``.
    values : tuple of (str, bool, int, float or str)
        Every hyperparameter that was active, in the order in which the HyperModel asked.
    """

    family: str
    hypermodel: str
    values: tuple[tuple[str, Scalar], ...] = ()

    @property
    def notation(self) -> str:
        """One line for people: ``mine units=64 activation="relu"``; values are JSON.

        A name that is no plain word is quoted as well: `archsearch.notation.parse_values` is the inverse.
        """
        names = (name if PLAIN_NAME.fullmatch(name) else _quoted(name) for name, _ in self.values)
        words = (f"{name}={_quoted(value)}" for name, (_, value) in zip(names, self.values, strict=True))
        return " ".join([self.family, *words])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, with the version of their form."""
        return {
            "version": JSON_VERSION,
            "family": self.family,
            "hypermodel": self.hypermodel,
            "values": [list(pair) for pair in self.values],
        }


AnyArchitecture = Architecture | HyperModelArchitecture


def architecture_from_json(value: Mapping[str, Any]) -> AnyArchitecture:
    """The inverse of both ``to_json``."""
    if "hypermodel" not in value:
        return Architecture.from_json(value)
    pairs = tuple((name, chosen) for name, chosen in value["values"])
    return HyperModelArchitecture(value["family"], value["hypermodel"], pairs)


def outputs_for(classes: int) -> int:
    """Width of the output layer: one sigmoid for two classes, else a softmax over all."""
    return 1 if classes == 2 else classes


def _quoted(value: Scalar) -> str:
    """As JSON that YAML's plain scalars can hold: with neither a ``: `` nor a `` #``."""
    text = json.dumps(value)
    return text.replace(":", "\\u003a").replace("#", "\\u0023") if isinstance(value, str) else text


def _block_json(block: Block) -> dict[str, Any]:
    """The block's fields; 0 and 0.0 are equal and must read the same."""
    return asdict(block) | {"dropout": float(block.dropout), "l2": float(block.l2)}


def _stack_notation(blocks: Iterable[Block]) -> str:
    """Neighbours with the same options share them: ``32·64 dropout 0.2, 64·32 dropout 0.5``."""
    groups = []
    for options, group in groupby(blocks, key=_options):
        widths = "·".join(str(b.width if isinstance(b, DenseBlock) else b.filters) for b in group)
        groups.append(" ".join([widths, *options]))
    return ", ".join(groups)


def _options(block: Block) -> tuple[str, ...]:
    words = []
    if isinstance(block, ConvBlock):
        words.append(f"{block.kernel}×{block.kernel}")
        if block.layer == "separable_conv2d":
            words.append("separable")
        if block.stride != 1:
            words.append(f"stride {block.stride}")
        if block.padding == "valid":
            words.append("valid")
        if block.pooling != "none":
            words.append(block.pooling)
    if block.activation != "relu":
        words.append(block.activation)
    if block.batch_norm:
        words.append("bn")
    # All digits: a line that is read back must be the same architecture.
    if block.dropout:
        words.append(f"dropout {float(block.dropout)!r}")
    if block.l2:
        words.append(f"l2 {float(block.l2)!r}")
    return tuple(words)

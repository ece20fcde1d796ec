"""A network's architecture as a value: blocks, one-line notation, parameter count."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal

JSON_VERSION = 1

Activation = Literal["relu", "leaky_relu", "tanh", "sigmoid"]
Pooling = Literal["max", "average", "none"]
Bridge = Literal["flatten", "global_average", "global_max"]

POOL_SIZE = 2


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
    """``Conv2D`` (stride 1, padded to keep its size) + activation, pooling, batch normalisation, dropout.

    Attributes
    ----------
    filters : int
    kernel : int
        Side of the square kernel, in pixels.
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
    activation: Activation = "relu"
    pooling: Pooling = "max"
    dropout: float = 0.0
    batch_norm: bool = False
    l2: float = 0.0


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
        """One line for people: ``dense 32·64 dropout 0.2`` or ``conv 16·32 3×3 max → flatten → dense 64``."""
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
            Width of the output layer.
        """
        total = 0
        shape = input_shape
        for block in self.conv:
            height, width, channels = shape
            total += block.kernel**2 * channels * block.filters + block.filters
            total += 4 * block.filters * block.batch_norm
            shrink = 1 if block.pooling == "none" else POOL_SIZE
            shape = (height // shrink, width // shrink, block.filters)
        features = math.prod(shape) if self.bridge == "flatten" else shape[-1]
        for dense in self.dense:
            total += features * dense.width + dense.width + 4 * dense.width * dense.batch_norm
            features = dense.width
        return total + features * outputs + outputs

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
        return cls(
            family=value["family"],
            conv=tuple(ConvBlock(**block) for block in value["conv"]),
            bridge=value["bridge"],
            dense=tuple(DenseBlock(**block) for block in value["dense"]),
        )


def max_pooling_steps(input_shape: tuple[int, ...]) -> int:
    """How often 2×2 pooling can halve an image before it would vanish."""
    return int(math.log2(min(input_shape[:2])))


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
        if block.pooling != "none":
            words.append(block.pooling)
    if block.activation != "relu":
        words.append(block.activation)
    if block.batch_norm:
        words.append("bn")
    if block.dropout:
        words.append(f"dropout {block.dropout:g}")
    if block.l2:
        words.append(f"l2 {block.l2:.2g}")
    return tuple(words)

"""Changes of the network: regularisation of its blocks, their sizes and their number.

Each function takes an architecture and gives a title and another architecture, or None where the change does
not apply or is at its limit. Differences between blocks are kept: rates change in proportion, widths by one
factor, and a stack that falls, rises, or rises and falls goes on doing so.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import groupby, pairwise
from typing import Any

from archsearch.architecture import Architecture, Block, DenseBlock
from archsearch.remedies.change import rung_above, rung_below, short

# Dropout 0.5 was proposed for dense blocks (Srivastava et al. 2014, JMLR 15); 0.2 is what cures a stack that
# 0.5 makes underfit.
LOWER_DROPOUT = (0.0, 0.1, 0.2)
HIGHER_DROPOUT = (0.2, 0.5)

# Decades around the weights in use; the highest is the default of Keras' own L2.
HIGHER_L2 = (1e-4, 1e-3, 1e-2)
LOWER_L2 = (0.0, *HIGHER_L2)

# A narrower block would be a bottleneck, which is a fault of its own.
LEAST_WIDTH = 4

# The widest blocks of well-known networks: 4096 neurons in VGG-16 (Simonyan and Zisserman 2015), 2048 filters
# in ResNet-50.
MOST_NEURONS = 4_096
MOST_FILTERS = 2_048

# Without shortcuts deeper networks train worse than shallower ones, seen from 20 to 30 layers on (He et al.
# 2016, "Deep Residual Learning for Image Recognition").
MOST_BLOCKS = 16

SATURATING = ("sigmoid", "tanh")

Made = tuple[str, Architecture] | None


def lower_dropout(architecture: Architecture) -> Made:
    """The highest rate to 0.2, from there to 0.1 and to none; the others in proportion."""
    rates = {block.dropout for block in _blocks(architecture)}
    target = rung_below(max(rates, default=0.0), LOWER_DROPOUT)
    if target is None:
        return None
    title = f"Lower dropout to {_most(target, rates)}" if target else "Leave out dropout"
    return title, _scaled(architecture, "dropout", target)


def raise_dropout(architecture: Architecture) -> Made:
    """The highest rate to 0.2 or 0.5, the others in proportion.

    Where there is none, the dense blocks get it, which have most of the weights; the others if there are no
    dense ones.
    """
    rates = {block.dropout for block in _blocks(architecture)}
    target = rung_above(max(rates, default=0.0), HIGHER_DROPOUT)
    if target is None or not rates:
        return None
    if max(rates):
        return f"Raise dropout to {_most(target, rates)}", _scaled(architecture, "dropout", target)
    among = architecture.dense or architecture.conv
    return f"Add dropout {target:g}", _each(
        architecture, lambda block: {"dropout": target if block in among else 0.0}
    )


def lower_l2(architecture: Architecture) -> Made:
    """The heaviest penalty to 0.01, from there in decades to 0.0001 and to none; the others in proportion."""
    weights = {block.l2 for block in _blocks(architecture)}
    target = rung_below(max(weights, default=0.0), LOWER_L2)
    if target is None:
        return None
    title = f"Lower L2 to {_most(target, weights)}" if target else "Leave out L2"
    return title, _scaled(architecture, "l2", target)


def raise_l2(architecture: Architecture) -> Made:
    """The heaviest penalty a decade up, to at most 0.01; the others in proportion.

    Where there is none, all blocks get 0.0001.
    """
    weights = {block.l2 for block in _blocks(architecture)}
    target = rung_above(max(weights, default=0.0), HIGHER_L2)
    if target is None or not weights:
        return None
    if max(weights):
        return f"Raise L2 to {_most(target, weights)}", _scaled(architecture, "l2", target)
    return f"Add L2 {target:g}", _each(architecture, lambda _: {"l2": target})


def where_heavy(
    make: Callable[[Architecture], Made], word: str, most: float
) -> Callable[[Architecture], Made]:
    """The same change, where some block has more than `most` of what `word` names."""

    def made(architecture: Architecture) -> Made:
        heaviest = max((getattr(block, word) for block in _blocks(architecture)), default=0.0)
        return make(architecture) if heaviest > most else None

    return made


def add_batch_norm(architecture: Architecture) -> Made:
    """On every block that has none."""
    if all(block.batch_norm for block in _blocks(architecture)):
        return None
    return "Add batch normalisation", _each(architecture, lambda _: {"batch_norm": True})


def other_activation(architecture: Architecture) -> Made:
    """The rectifier where sigmoid or tanh saturate; the leaky one, which can't die, where they don't."""
    used = {block.activation for block in _blocks(architecture)}
    new = "relu" if used & set(SATURATING) else "leaky_relu"
    old = sorted(used & set(SATURATING if new == "relu" else ("relu",)))
    if not old:
        return None
    return f"Use {new} in place of {' and '.join(old)}", _each(
        architecture, lambda block: {"activation": new if block.activation in old else block.activation}
    )


def narrower(architecture: Architecture) -> Made:
    """Half of all widths and filters, rounded up; not below 4."""
    halved = _resized(architecture, lambda size: (size + 1) // 2)
    if min(map(_size, _blocks(halved)), default=0) < LEAST_WIDTH:
        return None
    return f"Halve {_sizes(architecture)}", halved


def wider(architecture: Architecture) -> Made:
    """Twice all widths and filters; not above 4096 neurons or 2048 filters."""
    doubled = _resized(architecture, lambda size: 2 * size)
    neurons = max(map(_size, doubled.dense), default=0)
    filters = max(map(_size, doubled.conv), default=0)
    if neurons > MOST_NEURONS or filters > MOST_FILTERS or doubled == architecture:
        return None
    return f"Double {_sizes(architecture)}", doubled


def fewer_blocks(architecture: Architecture) -> Made:
    """Without the widest dense block whose absence leaves the ordering as it is.

    Of convolutional blocks the last, where there is no other: before ``flatten`` a missing one that pools
    would leave more weights, not fewer.
    """
    dense, conv = architecture.dense, architecture.conv
    if len(dense) > 1 or (dense and conv):
        left = _left_out(dense)
        title = f"Leave out a dense block of {dense[left].width}"
        return title, replace(architecture, dense=dense[:left] + dense[left + 1 :])
    if len(conv) > 1 and architecture.bridge != "flatten":
        title = f"Leave out the last convolutional block, of {conv[-1].filters}"
        return title, replace(architecture, conv=conv[:-1])
    return None


def more_blocks(architecture: Architecture) -> Made:
    """The widest dense block twice, which leaves the ordering as it is.

    Before the last convolutional block, if there are any, one like it that keeps the image's size, as VGG
    stacks them (Simonyan and Zisserman 2015).
    """
    dense, conv = architecture.dense, architecture.conv
    if not 0 < len(dense) + len(conv) < MOST_BLOCKS:
        return None
    if conv:
        added = replace(conv[-1], stride=1, padding="same", pooling="none")
        title = f"Add a convolutional block of {added.filters}"
        return title, replace(architecture, conv=(*conv[:-1], added, conv[-1]))
    at = max(range(len(dense)), key=lambda index: dense[index].width)
    title = f"Add a dense block of {dense[at].width}"
    return title, replace(architecture, dense=(*dense[:at], dense[at], *dense[at:]))


def global_average(architecture: Architecture) -> Made:
    """One number per feature map in place of all its pixels (Lin et al. 2014, "Network in Network")."""
    if not architecture.conv or architecture.bridge != "flatten":
        return None
    return "Average each feature map before the dense part", replace(architecture, bridge="global_average")


def _left_out(dense: tuple[DenseBlock, ...]) -> int:
    """The block to do without: the widest whose absence keeps the ordering, the last of equal ones."""
    places = range(len(dense))
    kept = [at for at in places if _ordering(dense[:at] + dense[at + 1 :]) == _ordering(dense)]
    return max(kept or places, key=lambda at: (dense[at].width, at))


def _ordering(blocks: Iterable[DenseBlock]) -> list[bool]:
    """The directions in which widths go, one after the other: a diamond's are up, down."""
    steps = [(one.width < other.width) for one, other in pairwise(blocks) if one.width != other.width]
    return [direction for direction, _ in groupby(steps)]


def _blocks(architecture: Architecture) -> tuple[Block, ...]:
    return (*architecture.conv, *architecture.dense)


def _each(architecture: Architecture, words: Callable[[Block], dict[str, Any]]) -> Architecture:
    """With those attributes of each block replaced that `words` gives."""
    return replace(
        architecture,
        conv=tuple(replace(block, **words(block)) for block in architecture.conv),
        dense=tuple(replace(block, **words(block)) for block in architecture.dense),
    )


def _scaled(architecture: Architecture, word: str, target: float) -> Architecture:
    """With `target` as the highest of what `word` names, and the others in proportion."""
    highest = max(getattr(block, word) for block in _blocks(architecture))
    return _each(architecture, lambda block: {word: short(getattr(block, word) / highest * target)})


def _resized(architecture: Architecture, size: Callable[[int], int]) -> Architecture:
    return _each(
        architecture,
        lambda block: {"width" if isinstance(block, DenseBlock) else "filters": size(_size(block))},
    )


def _size(block: Block) -> int:
    return block.width if isinstance(block, DenseBlock) else block.filters


def _sizes(architecture: Architecture) -> str:
    words = ["filters"] * bool(architecture.conv) + ["widths"] * bool(architecture.dense)
    return f"all {' and '.join(words)}"


def _most(target: float, values: set[float]) -> str:
    return f"{target:g}" if len(values) == 1 else f"{target:g} at most, in proportion"

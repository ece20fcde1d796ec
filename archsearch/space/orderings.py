"""Widths of a dense stack from its ordering, depth, narrowest and widest block."""

import math
from collections.abc import Iterable
from typing import Literal, TypeVar

Ordering = Literal["falling", "rising", "diamond", "hourglass", "constant"]

MULTIPLE = 8

Block = TypeVar("Block")


def widths(ordering: Ordering, depth: int, narrowest: int, widest: int) -> tuple[int, ...]:
    """Widths spaced evenly on a log scale and rounded to multiples of 8.

    Six rising blocks from 32 to 1024 are the powers of two. A diamond rises and falls, an hourglass falls
    and rises; where the depth is even the peak or waist stands twice. One block alone is the widest.

    Parameters
    ----------
    ordering : str
    depth : int
        Number of blocks, at least 1.
    narrowest, widest : int
        Neurons; where they are the wrong way round they change places.
    """
    low, high = sorted((narrowest, widest))
    if ordering == "constant" or depth == 1:
        return (_rounded(high),) * depth
    if ordering in ("falling", "rising"):
        rising = _rising(depth, low, high)
        return rising if ordering == "rising" else rising[::-1]
    half = _rising((depth + 1) // 2, low, high)
    if ordering == "hourglass":
        half = half[::-1]
    return half + half[::-1][depth % 2 :]


def rises(ordering: Ordering, depth: int) -> tuple[bool, ...]:
    """For each block, whether it belongs to the rising part of the stack (a constant stack counts as rising).

    The peak of a diamond belongs to its rising part, the waist of an hourglass to its falling part.
    """
    first = (depth + 1) // 2
    return {
        "rising": (True,) * depth,
        "constant": (True,) * depth,
        "falling": (False,) * depth,
        "diamond": (True,) * first + (False,) * (depth - first),
        "hourglass": (False,) * first + (True,) * (depth - first),
    }[ordering]


def repeated(blocks: Iterable[Block], repeats: int) -> tuple[Block, ...]:
    """Every block `repeats` times, except the first and the last one.

    With two repeats 32·64·128·256 becomes 32·64·64·128·128·256.
    """
    stack = tuple(blocks)
    inner = (block for block in stack[1:-1] for _ in range(repeats))
    return (*stack[:1], *inner, *stack[1:][-1:])


def _rising(depth: int, low: int, high: int) -> tuple[int, ...]:
    if depth == 1:
        return (_rounded(high),)
    step = math.log(high / low) / (depth - 1)
    return tuple(_rounded(low * math.exp(step * n)) for n in range(depth))


def _rounded(width: float) -> int:
    return max(MULTIPLE, MULTIPLE * round(width / MULTIPLE))

"""An architecture's one-line notation, read back."""

import re
from typing import Any, get_args

from archsearch.architecture import (
    Activation,
    Architecture,
    Bridge,
    ConvBlock,
    DenseBlock,
    Pooling,
)

_ARROW = re.compile(r"\s*(?:→|->)\s*")
_WIDTHS = re.compile(r"\d+(?:[·*-]\d+)*")
_KERNEL = re.compile(r"(\d+)[×x](\d+)")
_FLAGS: dict[str, dict[str, Any]] = {
    "bn": {"batch_norm": True},
    **{word: {"activation": word} for word in get_args(Activation)},
}
_CONV_FLAGS: dict[str, dict[str, Any]] = {
    "separable": {"layer": "separable_conv2d"},
    "valid": {"padding": "valid"},
    "same": {"padding": "same"},
    **{word: {"pooling": word} for word in get_args(Pooling) if word != "none"},
}


def parse(text: str) -> Architecture:
    """Read what `Architecture.notation` writes.

    ``→`` may be written ``->``, ``×`` as ``x``, and ``·`` as ``-`` or ``*``.

    Raises
    ------
    ValueError
        Saying which part is not understood.

    Examples
    --------
    >>> parse("conv 16·32 3×3 max → flatten → dense 64 dropout 0.2").dense
    (DenseBlock(width=64, dropout=0.2, activation='relu', batch_norm=False, l2=0.0),)
    """
    if "…" in text:
        raise ValueError("the line was shortened ('…'): copy the whole of it, for example from the report")
    parts = _ARROW.split(text.strip())
    if parts[0].split(" ")[0] == "dense" and len(parts) == 1:
        return Architecture("dense", dense=_dense_stack(parts[0]))
    if parts[0].split(" ")[0] != "conv" or len(parts) not in (2, 3):
        raise ValueError(
            "an architecture in one line is 'dense WIDTHS' or 'conv FILTERS → BRIDGE → dense WIDTHS', "
            f"not {text!r}"
        )
    dense = _dense_stack(parts[2]) if len(parts) == 3 else ()
    conv = tuple(block for group in _groups(parts[0], "conv") for block in _conv_blocks(group))
    return Architecture("cnn", dense=dense, conv=conv, bridge=_bridge(parts[1]))


def _bridge(text: str) -> Bridge:
    word = text.replace(" ", "_")
    for bridge in get_args(Bridge):
        if word == bridge:
            return bridge  # type: ignore[no-any-return]
    raise ValueError(f"a bridge is flatten, global average or global max, not {text!r}")


def _dense_stack(text: str) -> tuple[DenseBlock, ...]:
    return tuple(block for group in _groups(text, "dense") for block in _dense_blocks(group))


def _groups(text: str, kind: str) -> list[list[str]]:
    """The words of each group of blocks that share their options."""
    first, _, rest = text.partition(" ")
    if first != kind:
        raise ValueError(f"here must stand '{kind} …', not {text!r}")
    return [group.split() for group in rest.split(",")]


def _dense_blocks(words: list[str]) -> list[DenseBlock]:
    widths, options = _widths(words), _options(words[1:], _FLAGS)
    return [DenseBlock(width, **options) for width in widths]


def _conv_blocks(words: list[str]) -> list[ConvBlock]:
    filters = _widths(words)
    kernel = _KERNEL.fullmatch(words[1]) if len(words) > 1 else None
    if kernel is None or kernel[1] != kernel[2]:
        raise ValueError(f"after the filters stands a square kernel such as 3×3, not {' '.join(words[1:])!r}")
    options = {"pooling": "none"} | _options(words[2:], _FLAGS | _CONV_FLAGS)
    return [ConvBlock(number, int(kernel[1]), **options) for number in filters]


def _widths(words: list[str]) -> list[int]:
    if not words or not _WIDTHS.fullmatch(words[0]):
        raise ValueError(f"widths are numbers such as 64·32, not {' '.join(words[:1])!r}")
    return [int(number) for number in re.split(r"[·*-]", words[0])]


def _options(words: list[str], flags: dict[str, dict[str, Any]]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if word in flags:
            options |= flags[word]
        elif word in ("dropout", "l2") or (word == "stride" and "valid" in flags):
            number = next(rest, "")
            try:
                options[word] = int(number) if word == "stride" else float(number)
            except ValueError:
                raise ValueError(f"after {word} stands a number, not {number!r}") from None
        else:
            raise ValueError(f"{word!r} is not understood; known here: {', '.join([*flags, 'dropout, l2'])}")
    return options

"""An architecture's one-line notation, read back."""

import difflib
import json
import re
from collections.abc import Mapping
from typing import Any, get_args

from archsearch.architecture import (
    PLAIN_NAME,
    Activation,
    Architecture,
    Bridge,
    ConvBlock,
    DenseBlock,
    Pooling,
    Scalar,
)

_ARROW = re.compile(r"\s*(?:→|->)\s*")
_WIDTHS = re.compile(r"[0-9]{1,9}(?:[·*-][0-9]{1,9})*")
_KERNEL = re.compile(r"([0-9]{1,9})[×x]([0-9]{1,9})")
_WHOLE = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]{1,3})?")
_FAMILY = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")

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
_VALUES = "after a family's name stand NAME=VALUE, with spaces between"
_NUMBERS: dict[str, Any] = {"dropout": float, "l2": float}
_CONV_NUMBERS: dict[str, Any] = {"stride": int, **_NUMBERS}


def is_stack(text: str) -> bool:
    """Whether a line is one for `parse`; `parse_values` takes the others."""
    return text.split(maxsplit=1)[:1] in (["dense"], ["conv"])


def parse(text: str) -> Architecture:
    """Read what `Architecture.notation` writes.

    ``→`` may be written ``->``, ``×`` as ``x``, and ``·`` as ``-`` or ``*``. How large a number may be is not
    looked at.

    Raises
    ------
    ValueError
        Saying which part is not understood.

    Examples
    --------
    >>> parse("conv 16·32 3×3 max → flatten → dense 64 dropout 0.2").dense
    (DenseBlock(width=64, dropout=0.2, activation='relu', batch_norm=False, l2=0.0),)
    """
    _require_whole(text)
    first, *rest = _ARROW.split(text.strip())
    if _word(first) == "dense" and not rest:
        return Architecture("dense", dense=_dense_stack(first))
    if _word(first) == "conv" and (not rest or _word(rest[0]) == "dense"):
        whole = " → ".join([first, "flatten", *rest])
        raise ValueError(
            f"the bridge is missing: write {whole!r}; a bridge is flatten, global average or global max"
        )
    if _word(first) != "conv" or len(rest) not in (1, 2):
        raise ValueError(
            "an architecture in one line is 'dense WIDTHS' or 'conv FILTERS KERNEL → BRIDGE → dense WIDTHS', "
            f"not {text!r}"
        )
    conv = tuple(block for words in _groups(first, "conv") for block in _conv_blocks(words))
    dense = _dense_stack(rest[1]) if len(rest) == 2 else ()
    return Architecture("cnn", dense=dense, conv=conv, bridge=_bridge(rest[0]))


def parse_values(text: str) -> tuple[str, tuple[tuple[str, Scalar], ...]]:
    """Read what `HyperModelArchitecture.notation` writes: a family's name, and its hyperparameters' values.

    Raises
    ------
    ValueError
        Saying which part is not understood.

    Examples
    --------
    >>> parse_values('mine units=64 activation="relu"')
    ('mine', (('units', 64), ('activation', 'relu')))
    """
    _require_whole(text)
    text = text.strip()
    family = _FAMILY.match(text)
    if family is None:
        raise ValueError(f"a line begins with dense, conv or a family's name, not {text!r}")
    meant = difflib.get_close_matches(family[0].lower(), ("dense", "conv"), n=1)
    if meant and family[0] != text and "=" not in text:
        raise ValueError(f"{family[0]!r} begins no architecture; did you mean {meant[0]}?")
    at, values = family.end(), dict[str, Scalar]()
    while at < len(text):
        if not text[at].isspace():
            raise ValueError(f"{text[at:]!r} is not understood: {_VALUES}")
        at += len(text[at:]) - len(text[at:].lstrip())
        name, at = _name(text, at)
        if name in values:
            raise ValueError(f"{name} stands twice")
        values[name], at = _value(text, name, at)
    return family[0], tuple(values.items())


def _require_whole(text: str) -> None:
    if "…" in text:
        raise ValueError("the line was shortened ('…'): copy the whole of it, for example from the report")


def _name(text: str, at: int) -> tuple[str, int]:
    """A hyperparameter's name, in quotes if it is no plain word, and where its value begins."""
    plain = PLAIN_NAME.match(text, at)
    name: Any = None
    if plain is not None:
        name, end = plain[0], plain.end()
    elif text[at] == '"':
        name, end = _scalar(text, at)
    if not isinstance(name, str) or text[end : end + 1] != "=":
        raise ValueError(f"{text[at:]!r} is not understood: {_VALUES}")
    return name, end + 1


def _value(text: str, name: str, at: int) -> tuple[Scalar, int]:
    value, end = _scalar(text, at)
    if value is None:
        given = text[at:].split(" ")[0]
        raise ValueError(f'{name}: a value is a number, true, false or "text" in quotes, not {given!r}')
    return value, end


def _scalar(text: str, at: int) -> tuple[Scalar | None, int]:
    """The JSON scalar that begins `at`, and where it ends; None where none begins."""
    if text[at : at + 1] in ("[", "{"):
        return None, at
    try:
        value, end = json.JSONDecoder().raw_decode(text, at)
    except ValueError:
        return None, at
    return value, end


def _word(text: str) -> str:
    return text.split(maxsplit=1)[0] if text else ""


def _bridge(text: str) -> Bridge:
    word = "_".join(text.split())
    for bridge in get_args(Bridge):
        if word == bridge:
            return bridge  # type: ignore[no-any-return]
    raise ValueError(f"a bridge is flatten, global average or global max, not {text!r}")


def _dense_stack(text: str) -> tuple[DenseBlock, ...]:
    return tuple(block for words in _groups(text, "dense") for block in _dense_blocks(words))


def _groups(text: str, kind: str) -> list[list[str]]:
    """The words of each group of blocks that share their options."""
    if _word(text) != kind:
        raise ValueError(f"here must stand '{kind} …', not {text!r}")
    return [group.split() for group in text.removeprefix(kind).split(",")]


def _dense_blocks(words: list[str]) -> list[DenseBlock]:
    widths, options = _widths(words, "widths"), _options(words[1:], _FLAGS, _NUMBERS)
    return [DenseBlock(width, **options) for width in widths]


def _conv_blocks(words: list[str]) -> list[ConvBlock]:
    filters = _widths(words, "filters")
    kernel = _KERNEL.fullmatch(words[1]) if len(words) > 1 else None
    if kernel is None or kernel[1] != kernel[2]:
        raise ValueError(
            f"after the filters stands a square kernel such as 3×3, not {' '.join(words[1:2])!r}"
        )
    options = {"pooling": "none"} | _options(words[2:], _FLAGS | _CONV_FLAGS, _CONV_NUMBERS)
    return [ConvBlock(number, int(kernel[1]), **options) for number in filters]


def _widths(words: list[str], what: str) -> list[int]:
    if not words or not _WIDTHS.fullmatch(words[0]):
        raise ValueError(f"{what} are whole numbers such as 64·32, not {' '.join(words[:1])!r}")
    return [int(number) for number in re.split(r"[·*-]", words[0])]


def _options(
    words: list[str], flags: Mapping[str, dict[str, Any]], numbers: Mapping[str, Any]
) -> dict[str, Any]:
    options: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if word in flags:
            given = flags[word]
        elif word in numbers:
            given = {word: _number(word, next(rest, ""), numbers[word])}
        else:
            known = [*flags, *numbers]
            nearest = difflib.get_close_matches(word, known, n=1)
            help_ = f"did you mean {nearest[0]}?" if nearest else f"known here: {', '.join(known)}"
            raise ValueError(f"{word!r} is not understood; {help_}")
        twice = options.keys() & given.keys()
        if twice:
            raise ValueError(f"{word}: the {twice.pop()} of these blocks is given twice")
        options |= given
    return options


def _number(word: str, text: str, kind: Any) -> Any:
    pattern, what = (_WHOLE, "a whole number") if kind is int else (_NUMBER, "a number")
    if not pattern.fullmatch(text):
        raise ValueError(f"after {word} stands {what}, not {text!r}")
    return kind(text)

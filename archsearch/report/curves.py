"""Small loss curves drawn by hand: some 2 KiB of SVG a trial, so that every trial can be shown.

All share one frame (`frame`, drawn once and referred to), hence one scale.
"""

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup, escape

from archsearch.report.scales import LogScale, is_drawable, tick_text
from archsearch.report.values import Curve, TrialCard

WIDTH, HEIGHT = 260, 124
LEFT, RIGHT, TOP, BOTTOM = 26, 4, 6, 18
INNER_WIDTH, INNER_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
MAX_POINTS = 120

Point = tuple[float, float]


def frame(scale: LogScale, last_epoch: int) -> Markup:
    """The definition of the common frame: grid lines, their losses, first and last epoch."""
    lines = []
    for tick in scale.ticks:
        y = TOP + INNER_HEIGHT * (1 - scale.share(tick))
        lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        lines.append(
            f'<text class="tick" x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{tick_text(tick)}</text>'
        )
    lines.append(f'<path class="axis" d="M{LEFT} {TOP + INNER_HEIGHT}H{WIDTH - RIGHT}"/>')
    y = HEIGHT - 5
    lines.append(f'<text class="tick" x="{LEFT}" y="{y}">epoch 1</text>')
    lines.append(f'<text class="tick" x="{WIDTH - RIGHT}" y="{y}" text-anchor="end">{last_epoch}</text>')
    return Markup(
        f'<svg class="defs" aria-hidden="true"><defs><g id="frame">{"".join(lines)}</g></defs></svg>'
    )


def small_curves(card: TrialCard, scale: LogScale, last_epoch: int, words: str) -> Markup:
    """A trial's train (inference mode, dashed) and validation (solid) losses, the delivered epoch marked."""
    drawn = "".join(_training(curve, scale, last_epoch) for curve in card.curves)
    # The inner svg clips: a curve that leaves the common scale leaves the frame.
    inner = f'<svg x="{LEFT}" y="{TOP}" width="{INNER_WIDTH}" height="{INNER_HEIGHT}">{drawn}</svg>'
    return Markup(
        f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f'<use href="#frame"/>{inner}</svg>'
    )


def _training(curve: Curve, scale: LogScale, last_epoch: int) -> str:
    parts = []
    for css, values in (("t", curve.train), ("v", curve.val)):
        segments = _segments(curve.epochs, values, scale, last_epoch)
        path = "".join(map(_path, segments))
        if path:
            parts.append(f'<path class="{css}" d="{path}"/>')
    return "".join(parts) + _delivered(curve, scale, last_epoch) + _lost(curve, last_epoch)


def _delivered(curve: Curve, scale: LogScale, last_epoch: int) -> str:
    value = dict(zip(curve.epochs, curve.val, strict=True)).get(curve.delivered_epoch or 0)
    if value is None or not is_drawable(value):
        return ""
    x, y = _place(curve.delivered_epoch or 0, value, scale, last_epoch)
    return (
        f'<path class="at" d="M{x:.1f} {y:.1f}V{INNER_HEIGHT}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="3.2"/>'
    )


def _lost(curve: Curve, last_epoch: int) -> str:
    """A cross at the first epoch whose validation loss is no number."""
    epoch = next(
        (e for e, v in zip(curve.epochs, curve.val, strict=True) if not is_drawable(v) and v != 0), None
    )
    if epoch is None:
        return ""
    x = min(max(_x(epoch, last_epoch), 5.0), INNER_WIDTH - 5.0)
    return f'<path class="lost" d="M{x - 4:.1f} 3l8 8m0 -8l-8 8"/>'


def _segments(
    epochs: Sequence[int], values: Sequence[float], scale: LogScale, last_epoch: int
) -> list[list[Point]]:
    """Stretches of drawable values, thinned; what is no number interrupts the line."""
    pairs = list(zip(epochs, values, strict=True))
    stretches = [
        list(group) for drawable, group in groupby(pairs, key=lambda p: is_drawable(p[1])) if drawable
    ]
    return [[_place(*pair, scale, last_epoch) for pair in _thinned(stretch)] for stretch in stretches]


def _thinned(pairs: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most about `MAX_POINTS`: lowest and highest of each stretch of epochs, so that spikes stay."""
    if len(pairs) <= MAX_POINTS:
        return pairs
    size = -(-2 * len(pairs) // MAX_POINTS)
    kept = {pairs[0], pairs[-1]}
    for start in range(0, len(pairs), size):
        chunk = pairs[start : start + size]
        kept |= {min(chunk, key=lambda p: p[1]), max(chunk, key=lambda p: p[1])}
    return sorted(kept)


def _x(epoch: int, last_epoch: int) -> float:
    return INNER_WIDTH * (epoch - 1) / max(last_epoch - 1, 1)


def _place(epoch: int, value: float, scale: LogScale, last_epoch: int) -> Point:
    """On the inner canvas, at most one height outside of it."""
    y = INNER_HEIGHT * (1 - scale.share(value))
    return _x(epoch, last_epoch), min(max(y, -INNER_HEIGHT), 2 * INNER_HEIGHT)


def _path(points: list[Point]) -> str:
    if len(points) == 1:  # a single epoch is a short dash
        (x, y) = points[0]
        return f"M{x:.1f} {y:.1f}h6"
    return "M" + " ".join(f"{x:.1f} {y:.1f}" for x, y in points)

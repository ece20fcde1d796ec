"""Numbers and counts as people read them; one place, so that text, tables and figures agree."""

from collections.abc import Sequence
from math import isfinite

NOT_JUDGED = "not_judged"
NONE = "–"
MINUS = "\u2212"
UNITS = ("B", "kB", "MB", "GB", "TB")


def loss(value: float | None) -> str:
    """Four decimals, so that columns line up; a dash for None, the word for NaN and infinity."""
    if value is None:
        return NONE
    if not isfinite(value):
        return "not a number" if value != value else "infinite"
    return f"{value:z.4f}" if abs(value) < 1000 else f"{value:.3g}"


def signed(value: float | None) -> str:
    """A `loss` with its sign, the minus as long as the plus; none where it rounds to zero."""
    if value is None or not isfinite(value):
        return loss(value)
    text = loss(abs(value))
    if float(text) == 0:
        return text
    return ("+" if value > 0 else MINUS) + text


def percent(share: float | None) -> str:
    """``95.2 %``; a dash where the share is not known."""
    return NONE if share is None or not isfinite(share) else f"{100 * share:.1f}\u00a0%"


def confidence(probability: float | None) -> str:
    """``87 %``: a probability is not known to a decimal; a dash where there is none.

    Only what is beyond doubt has 100 %.
    """
    if probability is None:
        return NONE
    rounded = round(100 * probability)
    return f"{rounded}\u00a0%" if rounded < 100 or probability == 1 else ">99\u00a0%"


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def listing(items: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def percent_below(value: float, reference: float) -> str:
    """How a loss compares with another: ``38 % below``, ``12 % above``, ``equal to``."""
    if not (isfinite(value) and isfinite(reference)) or reference <= 0:
        return "not comparable with"
    share = 100 * (1 - value / reference)
    if abs(share) < 0.5:
        return "equal to"
    return f"{abs(share):.0f}\u00a0% {'below' if share > 0 else 'above'}"


def size(number: int) -> str:
    """Bytes in decimal units: ``0 B``, ``12.3 kB``, ``1.5 GB``."""
    power = min((len(str(number)) - 1) // 3, len(UNITS) - 1)
    return f"{number / 1000**power:.1f} {UNITS[power]}" if power else f"{number} B"

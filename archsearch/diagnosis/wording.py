"""Numbers as people read them."""


def percent(share: float) -> str:
    """A share such as 0.234 as ``23 %``; from tenfold on as ``12 times``."""
    size = abs(share)
    if size >= 10:
        return f"{size:.0f} times"
    return f"{100 * size:.0f} %" if size >= 0.1 else f"{100 * size:.1g} %"


def loss(value: float) -> str:
    """A loss with three significant digits."""
    return f"{value:.3g}"

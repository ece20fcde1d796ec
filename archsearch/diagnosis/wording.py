"""Numbers as people read them."""


def percent(share: float) -> str:
    """The size of a share: 0.234 as ``23 %``, 0.0312 as ``3.1 %``, 12.3 as ``12 times``."""
    size = abs(share)
    if size >= 10:
        return f"{size:.0f} times" if size < 1000 else f"{size:.3g} times"
    if size < 0.001:
        return "less than 0.1 %"
    return f"{100 * size:.0f} %" if size >= 0.0995 else f"{100 * size:.2g} %"


def loss(value: float) -> str:
    """A loss with three significant digits."""
    return f"{value:.3g}"

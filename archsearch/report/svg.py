"""Matplotlib figures as SVG elements that take their colours and their font from the page.

Figures are drawn in marker colours, one per role, which `as_page_svg` then replaces by CSS variables: so one
drawing serves light, dark and print.
"""

import re
from collections.abc import Mapping
from io import StringIO
from types import MappingProxyType
from typing import Any

from markupsafe import Markup, escape
from matplotlib.figure import Figure

from archsearch.diagnosis import Verdict

INK, MUTED, RULE, PAPER = "#010203", "#010204", "#010205", "#010206"
VERDICT_COLOURS = MappingProxyType(
    {str(verdict): f"#0a0b{index:02x}" for index, verdict in enumerate(Verdict, start=16)}
)
CSS_COLOURS = MappingProxyType(
    {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", PAPER: "var(--paper)"}
    | {colour: f"var(--{name.replace('_', '-')})" for name, colour in VERDICT_COLOURS.items()}
)

STYLE: Mapping[Any, Any] = MappingProxyType(
    {
        "svg.fonttype": "none",  # text stays text: small, searchable, in the page's font
        "svg.hashsalt": "archsearch",  # the same ids in every drawing of the same figure
        "text.parse_math": False,  # a dollar sign is a dollar sign
        "font.size": 9.5,
        "axes.edgecolor": RULE,
        "axes.labelcolor": MUTED,
        "axes.facecolor": "none",
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "figure.facecolor": "none",
        "grid.color": RULE,
        "grid.linewidth": 0.6,
        "text.color": INK,
        "xtick.color": RULE,
        "ytick.color": RULE,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "xtick.major.size": 3,
        "ytick.major.size": 0,
    }
)


def as_page_svg(figure: Figure, name: str, words: str) -> Markup:
    """The figure as an inline SVG element: page colours, ids of its own, no fixed size.

    Parameters
    ----------
    figure : Figure
        Drawn with `STYLE`.
    name : str
        Unique in the page: it starts every id, as matplotlib's own repeat from figure to figure.
    words : str
        What the figure shows, for those who can't see it.
    """
    buffer = StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    start = svg.index("<svg")
    opening, body = svg[start : svg.index(">", start)], svg[svg.index(">", start) + 1 :]
    view = "".join(re.findall(r'viewBox="[^"]+"', opening))
    body = re.sub(r"\s*<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href")
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r"font: [^;\"]*?([\d.]+px)[^;\"]*", r"font-size: \1", body)
    for colour, css in CSS_COLOURS.items():
        body = body.replace(colour, css)
    return Markup(f'<svg class="plot" {view} role="img" aria-label="{escape(words)}">{body}')

"""The report's larger figures, drawn with seaborn, as SVG text that takes its colours from the page.

Figures are drawn in marker colours (one per role) which `_as_page_svg` then replaces by CSS variables, so
that one drawing serves light, dark and print. No text in them comes from a user: names stand in the page
beside them.
"""

import re
from collections.abc import Mapping
from io import StringIO
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from archsearch.report.scales import LogScale, curve_scale, is_drawable, longest_epoch, tick_text
from archsearch.report.summary import RankingRow, ReportSummary, TrialCard

TOP_TRIALS = 6
NUMBERED_POINTS = 5
BACKGROUND_CURVES = 60

VERDICTS = (
    "good",
    "overfit",
    "underfit",
    "not_converged",
    "unstable",
    "diverged",
    "not_learning",
    "inconclusive",
    "not_judged",
)
MARKERS = ("o", "s", "^", "D", "v", "P")
MARKER_SIGNS = ("●", "■", "▲", "◆", "▼", "✚")

INK, MUTED, RULE, PAPER = "#010203", "#010204", "#010205", "#010206"
VERDICT_COLOURS = MappingProxyType({name: f"#0a0b{index:02x}" for index, name in enumerate(VERDICTS, start=16)})
CSS_COLOURS = MappingProxyType(
    {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", PAPER: "var(--paper)"}
    | {colour: f"var(--{name.replace('_', '-')})" for name, colour in VERDICT_COLOURS.items()}
)

STYLE = MappingProxyType(
    {
        "svg.fonttype": "none",  # text stays text: small, searchable, in the page's font
        "svg.hashsalt": "archsearch",  # the same ids in every drawing of the same figure
        "text.parse_math": False,
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


def top_curves(summary: ReportSummary) -> tuple[tuple[TrialCard, Markup], ...]:
    """One figure for each of the first in the ranking: its curves, before everybody else's validation loss."""
    top = [card for card in summary.cards if card.rank is not None][:TOP_TRIALS]
    with mpl.rc_context(dict(STYLE)):
        return tuple((card, _curve_figure(card, summary)) for card in top)


def loss_by_parameters(summary: ReportSummary) -> Markup:
    """Validation loss against the number of parameters, by verdict and family, with the references."""
    frame = _ranking_frame(summary.ranking)
    if frame.empty:
        return Markup()
    with mpl.rc_context(dict(STYLE)):
        figure, axes = _figure(5.2, 3.7)
        y = LogScale.around([*frame["val_loss"], *(row.val_loss for row in summary.reference_rows)])
        x = LogScale.around(frame["parameters"], margin=1.6)
        _draw_references(axes, summary, x)
        _draw_points(axes, frame, "parameters", "val_loss")
        _label(axes, "parameters", "validation loss")
        _log_axis(axes, "x", x)
        _log_axis(axes, "y", y)
        return _as_page_svg(
            figure, "parameters", f"Validation loss against parameters of {len(frame)} ranked trials"
        )


def validation_by_train(summary: ReportSummary) -> Markup:
    """Validation loss against train loss in inference mode: the height over the diagonal is the gap."""
    frame = _ranking_frame(summary.ranking)
    if frame.empty:
        return Markup()
    with mpl.rc_context(dict(STYLE)):
        figure, axes = _figure(5.2, 3.7)
        x = LogScale.around(frame["train_loss"])
        y = LogScale.around(frame["val_loss"])
        axes.axline((x.low, x.low), (x.high, x.high), color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        _draw_points(axes, frame, "train_loss", "val_loss")
        _label(axes, "train loss, inference mode", "validation loss")
        _log_axis(axes, "x", x)
        _log_axis(axes, "y", y)
        return _as_page_svg(
            figure, "gap", f"Validation loss against train loss of {len(frame)} ranked trials"
        )


def family_signs(summary: ReportSummary) -> dict[str, str]:
    """The marker of each family, as a character for the legend."""
    return dict(zip(_families(summary.ranking), MARKER_SIGNS, strict=False))


def _families(rows: tuple[RankingRow, ...]) -> list[str]:
    return sorted({row.family for row in rows})


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _label(axes: Axes, x: str, y: str) -> None:
    """The y label lies above the axis, where it reads without turning the head."""
    axes.set_xlabel(x)
    axes.set_ylabel("")
    axes.set_title(y, loc="left", fontsize=9.5, color=MUTED, pad=8)


def _log_axis(axes: Axes, which: str, scale: LogScale) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set(**{f"{which}scale": "log", f"{which}lim": (scale.low, scale.high)})
    axis.set_major_locator(FixedLocator(scale.ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))
    axis.set_minor_locator(NullLocator())


def _ranking_frame(rows: tuple[RankingRow, ...]) -> pd.DataFrame:
    """The ranked trials whose losses can stand on a logarithmic axis."""
    families = {family: index % len(MARKERS) for index, family in enumerate(_families(rows))}
    return pd.DataFrame(
        [
            {
                "rank": row.rank,
                "verdict": row.verdict,
                "marker": families[row.family],
                "parameters": row.parameters,
                "val_loss": row.val_loss,
                "train_loss": row.val_loss - row.gap,
            }
            for row in rows
            if row.gap is not None and is_drawable(row.val_loss) and is_drawable(row.val_loss - row.gap)
        ]
    )


def _draw_points(axes: Axes, frame: pd.DataFrame, x: str, y: str) -> None:
    """The first in the ranking on top, and numbered."""
    sns.scatterplot(
        data=frame.iloc[::-1],
        x=x,
        y=y,
        hue="verdict",
        palette=dict(VERDICT_COLOURS),
        style="marker",
        markers=dict(enumerate(MARKERS)),
        s=44,
        alpha=0.85,
        linewidth=0.7,
        edgecolor=PAPER,
        legend=False,
        ax=axes,
    )
    for row in frame.head(NUMBERED_POINTS).itertuples():
        axes.annotate(
            str(row.rank), (getattr(row, x), getattr(row, y)), (5, 4), textcoords="offset points", weight="bold"
        )


def _draw_references(axes: Axes, summary: ReportSummary, x: LogScale) -> None:
    for row in summary.reference_rows:
        axes.axhline(row.val_loss, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.annotate(
            row.label, (x.high, row.val_loss), (0, 3), textcoords="offset points", ha="right", color=MUTED
        )


def _curve_figure(card: TrialCard, summary: ReportSummary) -> Markup:
    figure, axes = _figure(3.5, 2.4)
    axes.add_collection(LineCollection(_background(summary), colors=RULE, linewidths=0.7), autolim=False)
    colour = VERDICT_COLOURS.get(card.verdict, INK)
    frame = _curve_frame(card)
    sns.lineplot(
        data=frame,
        x="epoch",
        y="loss",
        style="curve",
        style_order=["validation", "train"],
        dashes={"validation": "", "train": (3, 1.6)},
        units="seed",
        estimator=None,
        color=colour,
        linewidth=1.7,
        legend=False,
        ax=axes,
    )
    _mark_delivered(axes, card, colour)
    _label(axes, "epoch", "loss")
    axes.set_xlim(1, max(longest_epoch(summary.cards), 2))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _log_axis(axes, "y", curve_scale(summary))
    return _as_page_svg(figure, f"rank{card.rank}", curve_words(card))


def _curve_frame(card: TrialCard) -> pd.DataFrame:
    rows = [
        (epoch, value, name, curve.seed)
        for curve in card.curves
        for name, values in (("train", curve.train), ("validation", curve.val))
        for epoch, value in zip(curve.epochs, values, strict=True)
        if is_drawable(value)
    ]
    return pd.DataFrame(rows, columns=["epoch", "loss", "curve", "seed"])


def _background(summary: ReportSummary) -> list[list[tuple[float, float]]]:
    """Everybody's validation curves, at most `BACKGROUND_CURVES`, as points."""
    curves = [curve for card in summary.cards for curve in card.curves][:BACKGROUND_CURVES]
    drawable = (
        [point for point in zip(curve.epochs, curve.val, strict=True) if is_drawable(point[1])]
        for curve in curves
    )
    return [points for points in drawable if points]


def _mark_delivered(axes: Axes, card: TrialCard, colour: str) -> None:
    for curve in card.curves:
        values: Mapping[Any, float] = dict(zip(curve.epochs, curve.val, strict=True))
        if is_drawable(value := values.get(curve.delivered_epoch)):
            axes.plot([curve.delivered_epoch], [value], "o", color=colour, markeredgecolor=PAPER, markersize=6.5)


def curve_words(card: TrialCard) -> str:
    """What a trial's curves show, for those who can't see them."""
    verdict = card.verdict.replace("_", " ")
    if not any(curve.epochs for curve in card.curves):
        return f"Trial {card.number}, {verdict}: no epoch was finished"
    curve = card.curves[0]
    text = (
        f"Trial {card.number}, {verdict}: over {len(curve.epochs)} epochs the validation loss goes from "
        f"{curve.val[0]:.3g} to {curve.val[-1]:.3g}, the train loss from {curve.train[0]:.3g} to {curve.train[-1]:.3g}"
    )
    return f"{text}; epoch {curve.delivered_epoch} is delivered" if curve.delivered_epoch else text


def _as_page_svg(figure: Figure, name: str, words: str) -> Markup:
    """The figure as an inline SVG element: page colours, ids of its own, no fixed size."""
    buffer = StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    view = re.search(r'viewBox="[^"]+"', svg)
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"\s*<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = body.replace("xlink:href", "href")
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", body)
    body = re.sub(r"font: [^;\"]*?([\d.]+px)[^;\"]*", r"font-size: \1", body)
    for colour, css in CSS_COLOURS.items():
        body = body.replace(colour, css)
    viewbox = view.group() if view else ""
    return Markup(f'<svg class="plot" {viewbox} role="img" aria-label="{escape(words)}">{body}')

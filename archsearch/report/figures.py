"""The report's larger figures, drawn with seaborn.

No text in them comes from a user: names stand in the page beside them.
"""

from collections.abc import Iterator
from math import isfinite

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from archsearch.report.scales import LogScale, curve_scale, is_drawable, longest_epoch, tick_text
from archsearch.report.svg import INK, MUTED, PAPER, RULE, STYLE, VERDICT_COLOURS, as_page_svg
from archsearch.report.values import Curve, RankingRow, ReportSummary, TrialCard

TOP_TRIALS = 6
NUMBERED_POINTS = 5
BACKGROUND_CURVES = 60

LOWEST_POINT = 1e-5
"""Losses below it, zero included, are drawn here: a logarithmic axis has no zero."""

DASHES = (0, (4, 3))
MARKERS = ("o", "s", "^", "D", "v", "P")
MARKER_SIGNS = ("●", "■", "▲", "◆", "▼", "✚")


def top_curves(summary: ReportSummary) -> tuple[tuple[TrialCard, Markup], ...]:
    """One figure for each of the first in the ranking: its curves, before all validation losses."""
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
        _draw_points(axes, frame, ("parameters", "val_loss"), (x, y))
        _label(axes, "parameters", "validation loss")
        words = f"Validation loss against parameters of {len(frame)} ranked trials"
        return as_page_svg(figure, "parameters", words)


def validation_by_train(summary: ReportSummary) -> Markup:
    """Validation loss against train loss in inference mode: the height over the diagonal is the gap."""
    frame = _ranking_frame(summary.ranking)
    if frame.empty:
        return Markup()
    with mpl.rc_context(dict(STYLE)):
        figure, axes = _figure(5.2, 3.7)
        x, y = LogScale.around(frame["train_loss"]), LogScale.around(frame["val_loss"])
        axes.axline((x.low, x.low), (x.high, x.high), color=MUTED, linewidth=0.9, linestyle=DASHES)
        _draw_points(axes, frame, ("train_loss", "val_loss"), (x, y))
        _label(axes, "train loss, inference mode", "validation loss")
        words = f"Validation loss against train loss of {len(frame)} ranked trials"
        return as_page_svg(figure, "gap", words)


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
    """The ranked trials whose losses are numbers."""
    families = {family: index % len(MARKERS) for index, family in enumerate(_families(rows))}
    return pd.DataFrame(
        [
            {
                "rank": row.rank,
                "verdict": row.verdict,
                "marker": families[row.family],
                "parameters": row.parameters,
                "val_loss": max(row.val_loss, LOWEST_POINT),
                "train_loss": max(row.val_loss - row.gap, LOWEST_POINT),
            }
            for row in rows
            if row.gap is not None and isfinite(row.val_loss) and isfinite(row.gap)
        ]
    )


def _draw_points(
    axes: Axes, frame: pd.DataFrame, columns: tuple[str, str], scales: tuple[LogScale, LogScale]
) -> None:
    """One mark a trial, the first in the ranking on top, on logarithmic axes."""
    sns.scatterplot(
        data=frame.iloc[::-1],
        x=columns[0],
        y=columns[1],
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
    _log_axis(axes, "x", scales[0])
    _log_axis(axes, "y", scales[1])
    _number_points(axes, frame, columns, scales)


def _number_points(
    axes: Axes, frame: pd.DataFrame, points: tuple[str, str], scales: tuple[LogScale, LogScale]
) -> None:
    """Ranks beside the first points, save where one would cover the number of a better one."""
    numbered: list[tuple[float, float]] = []
    for row in frame.head(NUMBERED_POINTS).to_dict("records"):
        place = scales[0].share(row[points[0]]), scales[1].share(row[points[1]])
        if all(abs(place[0] - x) > 0.05 or abs(place[1] - y) > 0.06 for x, y in numbered):
            numbered.append(place)
            axes.annotate(
                str(row["rank"]),
                (row[points[0]], row[points[1]]),
                (5, 4),
                textcoords="offset points",
                weight="bold",
            )


def _draw_references(axes: Axes, summary: ReportSummary, x: LogScale) -> None:
    for row in summary.reference_rows:
        axes.axhline(row.val_loss, color=MUTED, linewidth=0.9, linestyle=DASHES)
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
    return as_page_svg(figure, f"rank{card.rank}", curve_words(card))


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
    return [points for curve in curves if (points := list(_drawable_points(curve)))]


def _drawable_points(curve: Curve) -> Iterator[tuple[float, float]]:
    for epoch, value in zip(curve.epochs, curve.val, strict=True):
        if is_drawable(value):
            yield epoch, value


def _mark_delivered(axes: Axes, card: TrialCard, colour: str) -> None:
    for curve in card.curves:
        for epoch, value in _drawable_points(curve):
            if epoch == curve.delivered_epoch:
                axes.plot([epoch], [value], "o", color=colour, markeredgecolor=PAPER, markersize=6.5)


def curve_words(card: TrialCard) -> str:
    """What a trial's curves show, for those who can't see them."""
    verdict = card.verdict.replace("_", " ")
    if not any(curve.epochs for curve in card.curves):
        return f"Trial {card.number}, {verdict}: no epoch was finished"
    curve = card.curves[0]
    text = (
        f"Trial {card.number}, {verdict}: over {len(curve.epochs)} epochs the validation loss goes from "
        f"{curve.val[0]:.3g} to {curve.val[-1]:.3g}, the train loss from {curve.train[0]:.3g} to "
        f"{curve.train[-1]:.3g}"
    )
    return f"{text}; epoch {curve.delivered_epoch} is delivered" if curve.delivered_epoch else text

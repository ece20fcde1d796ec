"""The page: the summary and its figures put into `template.html.j2`, with style and script inlined."""

from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from archsearch.report import curves, figures, words
from archsearch.report.scales import curve_scale, longest_epoch
from archsearch.report.values import ReportSummary

FOLDER = Path(__file__).parent
ROWS_AT_FIRST = 30
"""Ranks shown at once; the rest is folded away, and unfolds in print."""

VERDICT_MEANINGS = MappingProxyType(
    {
        "good": "Both losses settled, at a level that is low for this data. A gap between them is no fault "
        "while it costs no validation loss.",
        "overfit": "The validation loss turns up while the train loss goes on falling, or settles far above "
        "it.",
        "underfit": "Both curves settle, but the train loss in inference mode stays high against other runs "
        "on the same data or the linear model.",
        "not_converged": "The losses were still falling when training ended.",
        "unstable": "The curves jump and the jumps do not shrink with the epochs.",
        "diverged": "The loss grew without bound or became no number.",
        "not_learning": "The network hardly beats predicting the class frequencies.",
        "inconclusive": "Something that a rule needs is missing, such as enough epochs: no verdict is given.",
        "not_judged": "Training was ended early, by the pruner or by hand; how it would have ended is open.",
    }
)


def render(summary: ReportSummary) -> str:
    """One HTML page that refers to nothing outside of itself.

    The same summary gives the same text, byte for byte.
    """
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        loss=words.loss,
        signed=words.signed,
        percent=words.percent,
        confidence=words.confidence,
        duration=words.duration,
        words=_words,
        css=_css_name,
    )
    scale, last_epoch = curve_scale(summary), longest_epoch(summary.cards)
    return environment.get_template("template.html.j2").render(
        summary=summary,
        style=_inline("style.css"),
        script=_inline("script.js"),
        meanings=VERDICT_MEANINGS,
        rows_at_first=ROWS_AT_FIRST,
        top_curves=figures.top_curves(summary),
        loss_by_parameters=figures.loss_by_parameters(summary),
        validation_by_train=figures.validation_by_train(summary),
        family_signs=figures.family_signs(summary),
        frame=curves.frame(scale, last_epoch),
        scale=scale,
        small_curves=lambda card: curves.small_curves(card, scale, last_epoch, figures.curve_words(card)),
    )


def _inline(name: str) -> Markup:
    """A file of this package; ours, hence not escaped."""
    return Markup((FOLDER / name).read_text(encoding="utf-8"))


def _words(name: str) -> str:
    """``not_converged`` as ``not converged``."""
    return name.replace("_", " ")


def _css_name(name: str) -> str:
    """A verdict's or a family's name as a CSS class."""
    return "".join(character if character.isalnum() else "-" for character in name)

"""``archsearch report``: the HTML report of a search, from its record alone."""

from pathlib import Path

from archsearch.commands.judging import judged_as_it_stands
from archsearch.report import write_report
from archsearch.study import Place


def redraw(place: Place, output: Path | None) -> Path:
    """Judge and rank a search as its record stands, and write its report.

    Parameters
    ----------
    place : Place
    output : Path or None
        None writes ``reports/NAME.html``.

    Returns
    -------
    Path
        Of the report.
    """
    judged, mirrored = judged_as_it_stands(place)
    path = output or Path("reports") / f"{judged.snapshot.name}.html"
    link = mirrored.uri if mirrored else None
    return write_report(judged.snapshot, judged.diagnoses, judged.ranked, path, tracking_link=link)

"""The report: one self-contained HTML page that ranks, shows and explains a search.

The way is one of values: `summary` computes what is said, `figures` and `curves` draw it as SVG text, `html`
puts both into the template. Drawing libraries are imported when a report is written, not before.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archsearch.errors import StoreError, is_full, unwritable

if TYPE_CHECKING:
    from archsearch.diagnosis import Diagnosis
    from archsearch.ranking import Ranked
    from archsearch.records import SearchSnapshot

__all__ = ["write_report"]


def write_report(
    snapshot: "SearchSnapshot",
    diagnoses: "Mapping[int, Diagnosis]",
    ranking: "Sequence[Ranked]",
    path: str | os.PathLike[str],
    *,
    tracking_link: str | None = None,
) -> Path:
    """Write the report of a search, whole or not at all.

    Parameters
    ----------
    snapshot : SearchSnapshot
    diagnoses : mapping of int to Diagnosis
        By trial number; a trial without one is shown as not judged.
    ranking : sequence of Ranked
        Completed trials, the best first.
    path : path
        The HTML file; its folder is made where it is missing, an older file is replaced.
    tracking_link : str, optional
        Address of the search in the tracking server; shown as text, never followed.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StoreError
        The file can't be written.
    StorageFull
    """
    from archsearch.report.html import render
    from archsearch.report.summary import summarise

    page = render(summarise(snapshot, diagnoses, ranking, tracking_link=tracking_link))
    target = Path(path)
    try:
        _replace(target, page)
    except OSError as error:
        if is_full(error):
            raise unwritable(target, error) from None
        raise StoreError(
            f"can't write the report to {target}: {error.strerror or error}; "
            "choose another place with --output"
        ) from error
    return target


def _replace(target: Path, text: str) -> None:
    """Write beside the target and rename: a reader sees the old page or the new one, never a half."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        draft.chmod(0o666 & ~_umask())  # mkstemp's files are for their owner only
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's mask; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""``archsearch list``: the searches in a store."""

from pathlib import Path

from archsearch.commands.standing import when
from archsearch.commands.tables import console, print_table
from archsearch.errors import StoreError
from archsearch.report.words import confidence
from archsearch.study import Place, Store

COLUMNS = (
    "search",
    "status",
    ">trials",
    ">score",
    "verdict",
    ">confidence",
    "best architecture",
    "started",
)


def show_searches(store: Store) -> list[str]:
    """Print a row for each search; what could not be read is returned, a line each."""
    rows, faults = [], []
    for place in store.searches():
        try:
            rows.append(_row(place))
        except StoreError as error:
            faults.append(str(error))
    if rows:
        print_table(
            COLUMNS, sorted(rows, key=lambda row: row[-1]), long="best architecture", spare=("confidence",)
        )
    elif not faults:
        console().print(f"no searches in {_shown(store.path)}; start one: archsearch run digits")
    return faults


def _row(place: Place) -> list[str]:
    summary = place.summary()
    best = summary.best
    return [
        summary.id,
        place.standing(summary.status),
        f"{summary.ended}/{summary.total}",
        f"{best.score:.4f}" if best else "",
        best.verdict or "" if best else "",
        confidence(best.confidence) if best else "",
        best.label if best else "",
        when(summary.created_at),
    ]


def _shown(path: Path) -> str:
    return f"store {path}" if path.is_dir() else f"store {path} (which does not exist)"

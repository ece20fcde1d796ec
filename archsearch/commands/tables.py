"""Tables for a terminal: fitted to its width there, whole in a pipe."""

import sys
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

WHOLE = 100_000
NARROWEST = 12


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, flexible: str, dim: int = 0
) -> None:
    """Print a table to stdout.

    Parameters
    ----------
    columns : sequence of str
        Headings; a leading ``">"`` marks columns of numbers, which are aligned to the right.
    rows : sequence of sequence of str
    flexible : str
        The column that is shortened where a terminal is too narrow.
    dim : int
        How many of the last rows are set apart.
    """
    out = console()
    headings = [column.removeprefix(">") for column in columns]
    widths = [max(map(cell_len, cells)) for cells in zip(headings, *rows, strict=True)]
    n = headings.index(flexible)
    fixed = sum(widths) - widths[n]
    gaps = len(columns) - 1
    gap = 2 if out.width >= fixed + NARROWEST + 2 * gaps else 1
    widths[n] = max(NARROWEST, min(widths[n], out.width - fixed - gap * gaps))
    # Still too narrow: lines that run over are better than numbers cut short.
    out.width = max(out.width, sum(widths) + gap * gaps)
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="bold")
    for column, heading, width in zip(columns, headings, widths, strict=True):
        table.add_column(
            heading,
            justify="left" if column == heading else "right",
            width=width,
            no_wrap=True,
            overflow="ellipsis",
        )
    for number, row in enumerate(rows):
        table.add_row(*row, style="dim" if number >= len(rows) - dim else None)
    out.print(table)


def console() -> Console:
    """A console on stdout, as wide as the terminal, or boundless in a pipe."""
    is_terminal = sys.stdout.isatty()
    return Console(
        markup=False, highlight=False, width=None if is_terminal else WHOLE, soft_wrap=not is_terminal
    )

"""Tables for a terminal: fitted to its width there, whole in a pipe."""

import sys
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

WHOLE = 100_000
INDENT = 6


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, long: str, dim: int = 0) -> None:
    """Print a table to stdout.

    Where a terminal is too narrow, the cells of one column get a line of their own below their row: nothing
    is cut, and what a terminal wraps by itself is copied from it in one piece.

    Parameters
    ----------
    columns : sequence of str
        Headings; a leading ``">"`` marks columns of numbers, which are aligned to the right.
    rows : sequence of sequence of str
    long : str
        The column that moves below its row.
    dim : int
        How many of the last rows are set apart.
    """
    out = console()
    n = [column.removeprefix(">") for column in columns].index(long)
    lines = list(_lines(columns, rows))
    is_wide = cell_len(lines[0]) <= out.width
    if not is_wide:
        columns, others = _without(columns, n), [_without(row, n) for row in rows]
        lines = list(_lines(columns, others))
        if cell_len(lines[0]) > out.width:
            lines = list(_lines(columns, others, gap=" "))
    _print(out, lines[0], "bold")
    if not is_wide:
        _print(out, " " * INDENT + long, "bold")
    for number, (line, row) in enumerate(zip(lines[1:], rows, strict=True)):
        style = "dim" if number >= len(rows) - dim else ""
        _print(out, line, style)
        if not is_wide and row[n]:
            _print(out, " " * INDENT + row[n], style)


def console() -> Console:
    """A console on stdout, as wide as the terminal, or boundless in a pipe."""
    is_terminal = sys.stdout.isatty()
    return Console(
        markup=False,
        emoji=False,
        highlight=False,
        width=None if is_terminal else WHOLE,
        soft_wrap=not is_terminal,
    )


def _lines(columns: Sequence[str], rows: Sequence[Sequence[str]], gap: str = "  ") -> Iterator[str]:
    """The heading and the rows, all as wide as the widest."""
    headings = [column.removeprefix(">") for column in columns]
    widths = [max(map(cell_len, cells)) for cells in zip(headings, *rows, strict=True)]
    for cells in (headings, *rows):
        padded = zip(columns, cells, widths, strict=True)
        yield gap.join(_padded(cell, width, to_the_right=column[0] == ">") for column, cell, width in padded)


def _padded(cell: str, width: int, *, to_the_right: bool) -> str:
    blank = " " * (width - cell_len(cell))
    return blank + cell if to_the_right else cell + blank


def _without(cells: Sequence[str], n: int) -> list[str]:
    return [*cells[:n], *cells[n + 1 :]]


def _print(out: Console, line: str, style: str) -> None:
    out.print(Text(line.rstrip(), style), soft_wrap=True)

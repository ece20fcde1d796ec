"""Tables for a terminal: fitted to its width there, whole in a pipe."""

import io
import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

WHOLE = 100_000
INDENT = 6
NARROWEST = 20


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    long: str,
    spare: Sequence[str] = (),
    dim: int = 0,
    fold: bool = False,
) -> None:
    """Print a table to stdout.

    Where a terminal is too narrow, the cells of one column get a line of their own below their row, and if
    that does not help, spare columns are left out: nothing is cut, and what a terminal wraps by itself is
    copied from it in one piece.

    Parameters
    ----------
    columns : sequence of str
        Headings; a leading ``">"`` marks columns of numbers, which are aligned to the right.
    rows : sequence of sequence of str
    long : str
        The column that moves below its row.
    spare : sequence of str
        Columns to do without where there is no room, the first to go first.
    dim : int
        How many of the last rows are set apart.
    fold : bool
        Whether cells below their row are sentences, broken between words to fit.
    """
    out = console()
    n = _index(columns, long)
    lines = list(aligned(columns, rows))
    is_wide = cell_len(lines[0]) <= out.width
    if not is_wide:
        lines = _narrow_lines(columns, rows, (long, *spare), out.width)
    _print(out, lines[0], "bold")
    if not is_wide:
        _print(out, " " * INDENT + long, "bold")
    for number, (line, row) in enumerate(zip(lines[1:], rows, strict=True)):
        style = "dim" if number >= len(rows) - dim else ""
        _print(out, line, style)
        if not is_wide and row[n]:
            below = textwrap.wrap(row[n], max(out.width - INDENT, NARROWEST)) if fold else [row[n]]
            for piece in below:
                _print(out, " " * INDENT + piece, style)


def console() -> Console:
    """A console on stdout, as wide as the terminal or `COLUMNS` in the environment, else boundless."""
    has_width = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(
        markup=False,
        emoji=False,
        highlight=False,
        width=None if has_width else WHOLE,
        soft_wrap=not has_width,
    )


@contextmanager
def to_stdout() -> Iterator[None]:
    """Print whatever encoding stdout has, and name it where it takes no more."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "stdout") from None


def aligned(columns: Sequence[str], rows: Sequence[Sequence[str]], gap: str = "  ") -> Iterator[str]:
    """The heading and the rows as lines, all as wide as the widest; `columns` as in `print_table`."""
    headings = [column.removeprefix(">") for column in columns]
    widths = [max(map(cell_len, cells)) for cells in zip(headings, *rows, strict=True)]
    for cells in (headings, *rows):
        padded = zip(columns, cells, widths, strict=True)
        yield gap.join(_padded(cell, width, to_the_right=column[0] == ">") for column, cell, width in padded)


def _narrow_lines(
    columns: Sequence[str], rows: Sequence[Sequence[str]], leave_out: Sequence[str], width: int
) -> list[str]:
    """The lines without the first column to leave out, and without as few others as fit in `width`."""
    for name in leave_out:
        at = _index(columns, name)
        columns, rows = _without(columns, at), [_without(row, at) for row in rows]
        for gap in ("  ", " "):
            heading, *lines = aligned(columns, rows, gap)
            if cell_len(heading) <= width:
                return [heading, *lines]
    return [heading, *lines]


def _padded(cell: str, width: int, *, to_the_right: bool) -> str:
    blank = " " * (width - cell_len(cell))
    return blank + cell if to_the_right else cell + blank


def _index(columns: Sequence[str], name: str) -> int:
    return [column.removeprefix(">") for column in columns].index(name)


def _without(cells: Sequence[str], n: int) -> list[str]:
    return [*cells[:n], *cells[n + 1 :]]


def _print(out: Console, line: str, style: str) -> None:
    out.print(Text(line.rstrip(), style), soft_wrap=True)

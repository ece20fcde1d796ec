"""Tables for a terminal: fitted to its width there, whole in a pipe."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

WHOLE = 100_000


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, flexible: str, dim: int = 0
) -> None:
    """Print a table to stdout.

    Parameters
    ----------
    columns : sequence of str
        Headings; those of numbers are right-aligned, recognised by a leading ``">"``.
    rows : sequence of sequence of str
    flexible : str
        The column that is shortened where a terminal is too narrow.
    dim : int
        How many of the last rows are set apart.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in columns:
        name = heading.removeprefix(">")
        table.add_column(
            name,
            justify="right" if heading != name else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=None,
            min_width=12
            if name == flexible
            else max([len(name), *(len(r[columns.index(heading)]) for r in rows)]),
        )
    for n, row in enumerate(rows):
        table.add_row(*row, style="dim" if n >= len(rows) - dim else None)
    console().print(table, markup=False)


def console() -> Console:
    """A console on stdout, as wide as the terminal, or boundless in a pipe."""
    is_terminal = sys.stdout.isatty()
    return Console(
        markup=False, highlight=False, width=None if is_terminal else WHOLE, soft_wrap=not is_terminal
    )

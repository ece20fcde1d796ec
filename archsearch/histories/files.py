"""Files of loss curves: CSV, Parquet, and Keras' histories as JSON; told apart by what is in them."""

import csv
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from archsearch.errors import DataError
from archsearch.histories.columns import columns_frame
from archsearch.histories.curves import Recordings, recordings
from archsearch.histories.table import ABSENT, KNOWN, Table, refuse_twice_named

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = ",;\t"


def read_file(path: Path, name: str | None = None) -> Recordings:
    """The curves in a file.

    Parameters
    ----------
    path : Path
        A table, CSV (also with semicolons or tabs) or Parquet; or JSON, an object of lists as Keras'
        ``History.history``. The file's name doesn't matter.
    name : str, optional
        Of a single curve without a name of its own; else the file's name.

    Raises
    ------
    DataError
        If the file can't be read or holds no curves; with its name, the place and what was found.
    """
    source = str(path)
    table = _table(source, _content(path))
    return recordings(table, name or path.name)


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name the files in it, such as {path / '*.csv'}")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None
    if not content or content.isspace():
        raise DataError(f"{path}: is empty ({len(content)} bytes)")
    return content


def _table(source: str, content: bytes) -> Table:
    if content.startswith(b"PAR1"):
        return Table(source, _parquet(source, content))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{source}: is neither Parquet nor text in UTF-8 (CSV, JSON)") from None
    if text.lstrip().startswith(("{", "[")):
        return Table(source, _json(source, text))
    return _csv(source, text)


def _parquet(source: str, content: bytes) -> "pd.DataFrame":
    import pandas as pd

    frame = _parsed(source, "Parquet", lambda: pd.read_parquet(io.BytesIO(content)))
    # Columns may have been made the index; one that only numbers the rows is none.
    return frame.reset_index(drop=all(name is None for name in frame.index.names)).rename(columns=str)


def _json(source: str, text: str) -> "pd.DataFrame":
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        place = f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(f"{source}{place}: is no JSON: {getattr(error, 'msg', error)}") from None
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else "a single value"
        raise DataError(f"{source}: holds {kind}, not an object of lists as Keras' History.history")
    return columns_frame(source, value)


def _csv(source: str, text: str) -> Table:
    import pandas as pd

    # Lines without content keep their place, so that every row knows its line.
    blank = len(text) - len(text.lstrip("\r\n"))
    first_line = text[:blank].count("\n") + 1
    heading = io.StringIO(text[blank:], newline=None).readline()
    separator = max(SEPARATORS, key=heading.count)
    names = [name.strip() for name in next(csv.reader([heading], delimiter=separator))]
    notes: tuple[str, ...] = ()
    if names[0] == "" and "epoch" not in names:
        names[0] = "epoch"
        notes = ("The first column has no heading and is taken for the epoch.",)
    refuse_twice_named(f"{source}:{first_line}", names)
    frame = _parsed(
        source,
        "CSV",
        lambda: pd.read_csv(
            io.StringIO(text[blank:]),
            sep=separator,
            header=0,
            names=[name or f"column {number}" for number, name in enumerate(names, 1)],
            index_col=False,
            dtype={"curve": str},
            keep_default_na=False,
            na_values={name: ABSENT for name in names if name in KNOWN and name != "curve"},
            skip_blank_lines=False,
            skipinitialspace=True,
            low_memory=False,  # in pieces, a column of numbers and texts would hold both
        ),
    )
    known = [name for name in frame if name in KNOWN]
    is_blank = (frame[known].isna() | (frame[known] == "")).all(axis=1)
    return Table(source, frame[~is_blank], first_line + 1, notes)


def _parsed(source: str, kind: str, parse: "Callable[[], pd.DataFrame]") -> "pd.DataFrame":
    import pandas as pd

    with warnings.catch_warnings():
        # With no more than a warning, pandas would drop fields that have no heading.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return parse()
        except pd.errors.ParserWarning:
            raise DataError(f"{source}: rows have more fields than the first line has headings") from None
        except Exception as error:  # pandas and pyarrow raise nearly anything for damaged files
            raise DataError(f"{source}: can't be read as {kind}: {' '.join(str(error).split())}") from None

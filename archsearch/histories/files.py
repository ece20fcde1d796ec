"""Files of loss curves: CSV, Parquet, and Keras' histories as JSON; told apart by what is in them."""

import csv
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archsearch.errors import DataError
from archsearch.histories.columns import columns_table
from archsearch.histories.curves import Recordings, recordings
from archsearch.histories.table import ABSENT, KNOWN, Table, known_names, refuse_twice_named

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
        import pandas as pd

        return Table.of(source, _parsed(source, "Parquet", lambda: pd.read_parquet(io.BytesIO(content))))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{source}: is neither Parquet nor text in UTF-8 (CSV, JSON)") from None
    if text.lstrip().startswith(("{", "[")):
        return _json(source, text)
    return _csv(source, text)


def _json(source: str, text: str) -> Table:
    def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        refuse_twice_named(source, [name for name, _ in pairs])
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=each_once)
    except (ValueError, RecursionError) as error:
        place = f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(f"{source}{place}: is no JSON: {getattr(error, 'msg', error)}") from None
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else "a single value"
        raise DataError(f"{source}: holds {kind}, not an object of lists as Keras' History.history")
    return columns_table(source, value)


def _csv(source: str, text: str) -> Table:
    import pandas as pd

    # Lines without content keep their place, so that every row knows its line.
    blank = len(text) - len(text.lstrip("\r\n"))
    first_line = text[:blank].count("\n") + 1
    body = text[blank:]
    heading = io.StringIO(body, newline=None).readline()
    if heading.startswith("#"):
        raise DataError(f"{source}:{first_line}: begins with #: take lines of comment out of the file")
    separator = max(SEPARATORS, key=heading.count)
    names = known_names(next(csv.reader([heading], delimiter=separator)))
    if len(names) == 1 and names[0] not in KNOWN:
        raise DataError(
            f"{source}:{first_line}: no table of loss curves; meant is CSV or Parquet with the columns "
            "epoch, loss and val_loss, or Keras' History.history as JSON"
        )
    notes = []
    if names[0] == "" and "epoch" not in names:
        names[0] = "epoch"
        notes.append("The first column has no heading and is taken for the epoch.")
    refuse_twice_named(f"{source}:{first_line}", names)
    unfinished = _unfinished(source, body, separator, names, first_line)
    if unfinished:
        notes.append("The last line is not whole and is left out: the file may still be being written.")
    frame = _parsed(
        source,
        "CSV",
        lambda: pd.read_csv(
            io.StringIO(body),
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
    if separator != ",":
        frame = frame.assign(**{name: _with_points(frame[name]) for name in known if name != "curve"})
    return Table(source, frame[~is_blank].drop(unfinished, errors="ignore"), first_line + 1, tuple(notes))


def _unfinished(source: str, body: str, separator: str, names: list[str], first_line: int) -> list[int]:
    """Number of the last row, counted from 0, where it was not written to its end; else none.

    That is a row of too few fields, or one without a line's end that stops before a cell that others have.

    Raises
    ------
    DataError
        If another row is too short: its cells may stand under the wrong headings.
    """
    width = max((number for number, name in enumerate(names, 1) if name), default=1)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator)
    before, last, number = [""], [""], 0
    short: list[tuple[int, int, list[str]]] = []
    try:
        for number, row in enumerate(reader, -1):
            if short and "".join(row).strip():
                break
            if len(row) >= width:
                before, last = last, row
            elif "".join(row).strip():
                short.append((number, reader.line_num, row))
        else:
            is_cut = not body.endswith(("\n", "\r")) and not last[-1].strip() and before[-1].strip()
            return [place for place, _, _ in short] or ([number] if is_cut else [])
    except csv.Error as error:
        raise DataError(f"{source}: can't be read as CSV: {error}") from None
    ((_, line, row),) = short
    hint = "; take lines of comment out of the file" if row[0].startswith("#") else ""
    raise DataError(f"{source}:{first_line - 1 + line}: has {len(row)} of {width} fields{hint}")


def _with_points(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    """Texts such as ``0,5``, which some languages write for 0.5, with a point."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(cells) or cells.astype(str).str.contains(".", regex=False).any():
        return cells
    return cells.str.replace(",", ".", regex=False)


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
            why = " ".join(str(error).split()).removeprefix("Error tokenizing data. C error: ")
            raise DataError(f"{source}: can't be read as {kind}: {why}") from None

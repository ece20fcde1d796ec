"""``--log-format json``: one JSON object a line on stderr, and nothing else.

It is entered before anything heavy is loaded, so it loads nothing itself.
"""

import io
import json
import math
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TextIO

from archsearch.errors import ExitCode

INTERRUPTED = "interrupted; everything recorded is saved"

PREFIX = "archsearch: "


class JsonLines(io.TextIOBase):
    """Stands for ``sys.stderr``: what is printed there, whoever prints it, becomes a note for each line.

    Whoever reads the lines may go away, or have no room for them: that is no reason to end a search.

    Parameters
    ----------
    out : text file
        Where the lines go.

    Attributes
    ----------
    search : str or None
        The search's id, once it is known; every line has it.
    """

    encoding = "utf-8"

    def __init__(self, out: TextIO) -> None:
        self.search: str | None = None
        self._out = out
        self._begun = ""
        self._has_stopped = False
        # MLflow's thread may have something to print, too.
        self._lock = threading.RLock()

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Take what is printed."""
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line.strip():
                self.event("note", message=line.removeprefix(PREFIX).strip())
        return len(text)

    def event(self, name: str, /, **values: Any) -> None:
        """Write a line: `name` and what belongs to it; numbers that JSON has not are ``null``."""
        line = self._line(name, values)
        with self._lock, suppress(OSError):
            self._out.write(line)
            self._out.flush()

    def stopped(self, reason: str, message: str, exit_code: int, **values: Any) -> None:
        """Say that the search has stopped."""
        self._has_stopped = True
        self.event("search_stopped", reason=reason, message=message, exit_code=int(exit_code), **values)

    def error(self, message: str, exit_code: int) -> None:
        """Say why the command has failed."""
        self._has_stopped = True
        self.event("error", message=message.removeprefix(PREFIX), exit_code=int(exit_code))

    def last_words(self) -> bytes:
        """What is left to be said where a signal has ended the process before it was done."""
        if self._has_stopped:
            return b""
        values = {"reason": "interrupted", "message": INTERRUPTED, "exit_code": int(ExitCode.INTERRUPTED)}
        return self._line("search_stopped", values).encode()

    def _line(self, name: str, values: Mapping[str, Any]) -> str:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"event": name, "time": now, "search": self.search, **values}
        return json.dumps(_finite(line), allow_nan=False) + "\n"  # ASCII, whatever the encoding


@contextmanager
def json_lines() -> Iterator[JsonLines]:
    """Have all that is printed to stderr be JSON lines."""
    # With --workers 0 TensorFlow is in this process, and prints past Python.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    before = sys.stderr
    lines = JsonLines(before)
    sys.stderr = lines
    try:
        yield lines
    finally:
        lines.write("\n")  # ends a line that was begun
        sys.stderr = before


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value

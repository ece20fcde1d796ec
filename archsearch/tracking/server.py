"""Which MLflow a search is mirrored to, whether it answers, and MLflow's own user interface on it."""

import os
import re
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from archsearch.errors import TrackingError
from archsearch.home import ensure_home

PROBE_SECONDS = 10

REMEDY = "correct that or name another --tracking-uri; --tracking later searches without waiting for it"

# MLflow prints and phones home unless told otherwise, and retries a dead server for minutes. Users' own
# settings win.
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "GIT_PYTHON_REFRESH": "quiet",
}

# What is something else in a database's address than in a path: where its options begin, another character.
_MISREAD = re.compile(r"\?|%[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where runs go.

    Attributes
    ----------
    uri : str
        Of the tracking server or database.
    artifacts : Path or None
        Where a database's artifacts go; None leaves it to the server.
    database : Path or None
        The store's own database; None where the user named another.
    """

    uri: str
    artifacts: Path | None
    database: Path | None

    @classmethod
    def choose(cls, uri: str | None, database: Path, artifacts: Path) -> "Tracking":
        """As asked for, else ``MLFLOW_TRACKING_URI``, else the store's own database.

        Raises
        ------
        TrackingError
            If MLflow can't have a database at the store's path.
        """
        chosen = uri or os.environ.get("MLFLOW_TRACKING_URI") or None
        if chosen is None:
            if misread := _MISREAD.search(str(database.absolute())):
                raise TrackingError(
                    f"{database.absolute()}: MLflow's database can't be there: {misread[0]} in its address "
                    "is something else than in a path; name another --store, or a --tracking-uri"
                )
            return cls(f"sqlite:///{database.absolute()}", artifacts.absolute(), database.absolute())
        is_server = chosen.startswith(("http://", "https://"))
        # A database leaves artifacts relative to whoever's folder it is called from, unless told where.
        return cls(chosen, None if is_server else artifacts.absolute(), None)

    @property
    def is_http(self) -> bool:
        """Whether a server stands behind it."""
        return self.uri.startswith(("http://", "https://"))


def prepare_mlflow() -> None:
    """Set what MLflow must find in the environment when it is first imported."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    ensure_home()


def check_answers(tracking: Tracking, remedy: str = REMEDY) -> None:
    """Check that what the user named answers, in at most `PROBE_SECONDS`.

    The store's own database is not asked: it is made when it is first used.

    Parameters
    ----------
    tracking : Tracking
    remedy : str
        What the user may do about it, in a few words.

    Raises
    ------
    TrackingError
    """
    if tracking.is_http:
        fault = _http_fault(tracking)
    else:
        fault = None if tracking.database else _client_fault(tracking)
    if fault:
        raise TrackingError(f"MLflow at {tracking.uri} {fault.rstrip('.')}; {remedy}")


def _http_fault(tracking: Tracking) -> str | None:
    """What a server does wrong; without importing MLflow."""
    question = f"{tracking.uri.rstrip('/')}/api/2.0/mlflow/experiments/search?max_results=1"
    try:
        with urllib.request.urlopen(question, timeout=PROBE_SECONDS):
            return None
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):  # it answers; the client brings its credentials
            return None
        return f"answers HTTP {error.code}, which MLflow would not"
    except TimeoutError:
        return f"did not answer within {PROBE_SECONDS} s"
    except (OSError, ValueError) as error:
        return f"does not answer: {getattr(error, 'reason', error)}"


def _client_fault(tracking: Tracking) -> str | None:
    """What a database does wrong: asked in a thread, since its driver may wait for minutes."""
    prepare_mlflow()
    # Before the clock starts: on a busy machine this alone takes longer than any database.
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401 - loaded when a database is first asked
    from mlflow import MlflowClient

    faults: list[str] = []

    def ask() -> None:
        try:
            MlflowClient(tracking.uri).search_experiments(max_results=1)
        except Exception as error:  # whatever the driver raises: there is no common base
            faults.append(f"can't be used: {first_line(error)}")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    if thread.is_alive():
        return f"did not answer within {PROBE_SECONDS} s"
    return faults[0] if faults else None


def first_line(error: Exception) -> str:
    """The first line of an error's text, or its kind where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def serve(tracking: Tracking, port: int, extra: Sequence[str] = ()) -> NoReturn:
    """Become MLflow's own server on the store's database, on 127.0.0.1, until it is stopped.

    Raises
    ------
    TrackingError
        If the port is taken.
    """
    with socket.socket() as probe:
        # As the server itself will: a port that a server has just left is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise TrackingError(
                f"port {port} is taken ({error.strerror}); choose another with --port"
            ) from None
    prepare_mlflow()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking.uri]
    command += ["--host", "127.0.0.1", "--port", str(port), *extra]
    if tracking.artifacts:
        command += ["--default-artifact-root", str(tracking.artifacts)]
    # In this process's place, so that signals reach the server, and it ends when it is told to.
    os.execv(command[0], command)

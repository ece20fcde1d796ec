"""Which MLflow a search is mirrored to, whether it answers, and MLflow's own user interface on it."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archsearch.errors import TrackingError

PROBE_SECONDS = 10

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


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where runs go.

    Attributes
    ----------
    uri : str
        Of the tracking server or database.
    artifacts : Path or None
        Where a database of our own keeps artifacts; None leaves it to the server.
    """

    uri: str
    artifacts: Path | None

    @classmethod
    def choose(cls, uri: str | None, database: Path, artifacts: Path) -> "Tracking":
        """As asked for, else ``MLFLOW_TRACKING_URI``, else the store's own database."""
        chosen = uri or os.environ.get("MLFLOW_TRACKING_URI")
        if chosen:
            return cls(chosen, None)
        return cls(f"sqlite:///{database.absolute()}", artifacts.absolute())

    @property
    def is_http(self) -> bool:
        """Whether a server stands behind it."""
        return self.uri.startswith(("http://", "https://"))


def prepare_mlflow() -> None:
    """Set what MLflow must find in the environment when it is first imported."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def check_answers(tracking: Tracking) -> None:
    """Check that a server answers, in at most `PROBE_SECONDS`; without importing MLflow.

    Raises
    ------
    TrackingError
    """
    if not tracking.is_http:
        return
    try:
        with urllib.request.urlopen(f"{tracking.uri.rstrip('/')}/health", timeout=PROBE_SECONDS):
            return
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):  # it answers; the client brings its credentials
            return
        reason = f"it answers HTTP {error.code} at /health"
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "reason", error))
    raise TrackingError(
        f"MLflow at {tracking.uri} does not answer: {reason}; start it, name another --tracking-uri, "
        "or use --tracking later to search now and mirror at the next start"
    )


def serve(tracking: Tracking, port: int, extra: Sequence[str] = ()) -> int:
    """Run MLflow's own server on the store's database, on 127.0.0.1, until it is stopped.

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
    try:
        return subprocess.call(command)
    except KeyboardInterrupt:
        return 0

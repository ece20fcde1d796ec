"""``archsearch ui``: MLflow's own server on a store."""

from collections.abc import Sequence
from pathlib import Path

from archsearch.commands.tables import console
from archsearch.errors import TrackingError
from archsearch.study import Store
from archsearch.tracking import Tracking, serve


def open_ui(store: Path, tracking_uri: str | None, port: int, mlflow_options: Sequence[str]) -> int:
    """Serve MLflow's user interface until it is stopped; the server's exit code.

    Raises
    ------
    TrackingError
        If there is nothing to serve, or a server is there already.
    """
    place = Store(store)
    tracking = Tracking.choose(tracking_uri, place.database, place.artifacts)
    if tracking.is_http:
        raise TrackingError(f"{tracking.uri} is a server already: open it in a browser")
    if tracking.artifacts and not place.database.is_file():
        raise TrackingError(f"store {store} has no MLflow database yet: archsearch run makes one")
    console().print(f"MLflow on {tracking.uri}: http://127.0.0.1:{port}  (Ctrl-C ends it)", soft_wrap=True)
    return serve(tracking, port, mlflow_options)

"""``archsearch ui``: MLflow's own server on a store."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from archsearch.commands.tables import console
from archsearch.errors import StoreError, TrackingError
from archsearch.study import Record, Store
from archsearch.tracking import Tracking, serve


def open_ui(store: Path, tracking_uri: str | None, port: int, mlflow_options: Sequence[str]) -> NoReturn:
    """Serve MLflow's user interface until it is stopped: the process becomes the server.

    Raises
    ------
    TrackingError
        If there is nothing to serve, or a server is there already.
    """
    place = Store(store)
    tracking = Tracking.choose(tracking_uri, place.database, place.artifacts)
    if tracking.is_http:
        raise TrackingError(f"{tracking.uri} is a server already: open it in a browser")
    if tracking.database and not tracking.database.is_file():
        raise TrackingError(f"store {store} has no MLflow database yet: archsearch run makes one")
    address = f"http://127.0.0.1:{port}/{_newest_experiment(place, tracking)}"
    console().print(f"MLflow on {tracking.uri} answers in some seconds:", soft_wrap=True)
    console().print(f"  {address}  (Ctrl-C ends it)", soft_wrap=True)
    sys.stdout.flush()
    serve(tracking, port, mlflow_options)


def _newest_experiment(store: Store, tracking: Tracking) -> str:
    """The page of the experiment that was mirrored there last; empty if there is none."""
    newest = ("", 0.0)
    for place in store.searches():
        with suppress(StoreError), Record.open(place.record, read_only=True) as record:
            mirrored, created_at = record.mirrored(), record.header().created_at
            if mirrored and mirrored.uri == tracking.uri and created_at > newest[1]:
                newest = (f"#/experiments/{mirrored.experiment_id}/runs", created_at)
    return newest[0]

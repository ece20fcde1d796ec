"""The files that the store's own MLflow keeps of searches: reports and models."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from archsearch.errors import TrackingError
from archsearch.tracking.mirror import MODEL, REPORT, TRIAL_TAG, UID_TAG
from archsearch.tracking.server import first_line, prepare_mlflow

FOLDERS = (REPORT, MODEL)


def own_uri(database: Path) -> str:
    """The address of the store's own database."""
    return f"sqlite:///{database.absolute()}"


def stored_artifacts(database: Path, folder: Path) -> dict[str, tuple[Path, ...]]:
    """Reports and models in the store's folder of artifacts, by the uid of their search.

    MLflow, which takes seconds to load, is asked only if there are any.

    Parameters
    ----------
    database : Path
        The store's own.
    folder : Path
        Of its artifacts. What lies elsewhere is left out, also where a link leads there.

    Raises
    ------
    TrackingError
        If the database can't be read.
    """
    if not database.is_file() or not any(_files(folder, "*/*/*/")):
        return {}
    prepare_mlflow()
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    found: dict[str, tuple[Path, ...]] = {}
    try:
        client = MlflowClient(own_uri(database))
        every = [each.experiment_id for each in _pages(client.search_experiments, view_type=ViewType.ALL)]
        query = f"tags.`{TRIAL_TAG}` = 'all'"
        for run in _pages(client.search_runs, every, query, run_view_type=ViewType.ALL):
            uid, path = run.data.tags.get(UID_TAG), _path(run.info.artifact_uri)
            if uid and path and path.resolve().is_relative_to(folder.resolve()):
                found[uid] = (*found.get(uid, ()), *_files(path))
    except Exception as error:  # whatever the database's driver raises: there is no common base
        raise TrackingError(f"MLflow at {own_uri(database)}: {first_line(error)}") from None
    return found


def _pages(search: Callable[..., Any], *words: Any, **named: Any) -> Iterator[Any]:
    """All that one of MLflow's searches finds, page by page."""
    token = None
    while True:
        page = search(*words, **named, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _files(folder: Path, below: str = "") -> Iterator[Path]:
    within = folder.resolve()
    for name in FOLDERS:
        for path in sorted(folder.glob(f"{below}{name}/*")):
            if path.is_file() and path.parent.resolve().is_relative_to(within):
                yield path


def _path(uri: str) -> Path | None:
    """The folder that an artifact URI names; None for one on a server."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    return Path(unquote(parts.path)) if parts.scheme else Path(uri)

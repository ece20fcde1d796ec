"""What the record of a new search begins with."""

import platform
import subprocess
import time
import uuid
from importlib import metadata

from archsearch.commands.audit import audited, warn
from archsearch.data.references import class_frequencies, linear_model, summarise
from archsearch.data.sources import load
from archsearch.errors import DataError
from archsearch.space import SearchSpace
from archsearch.study import Header, Place, Record


def header_for(place: Place, space: SearchSpace) -> Header:
    """What the record of a new search begins with; the data are audited, and not kept."""
    dataset, warnings = audited(space)
    data = summarise(dataset, space.data.origin, warnings)
    warn(data)
    return Header(
        id=place.id,
        uid=uuid.uuid4().hex,
        name=space.name,
        fingerprint=space.fingerprint,
        created_at=time.time(),
        space=space.model_dump(mode="json", exclude_none=True),
        identity=space.identity,
        space_text=space.text,
        versions=_versions(),
        data=data,
        references=(class_frequencies(dataset), linear_model(dataset)),
    )


def _versions() -> dict[str, str]:
    packages = (
        "archsearch",
        "keras",
        "tensorflow",
        "tensorflow-cpu",
        "jax",
        "optuna",
        "scikit-learn",
        "mlflow",
    )
    versions = {"python": platform.python_version(), "platform": f"{platform.system()} {platform.machine()}"}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions | _git_commit()


def _git_commit() -> dict[str, str]:
    """The commit of the working directory's repository, if it is in one."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"git_commit": done.stdout.strip()} if done.returncode == 0 else {}


def require_same_data(place: Place, space: SearchSpace) -> None:
    """Check that a search goes on with the data it began with.

    Raises
    ------
    DataError
        If they are others now: trials on other data can't be compared.
    """
    if not place.record.is_file():
        return
    with Record.open(place.record, read_only=True) as record:
        recorded = record.header().data
    if load(space.data, space.folder).fingerprint != recorded.fingerprint:
        raise DataError(
            f"{space.place_of(('data',))}data: {recorded.source} has changed since search {place.id} began; "
            "restore it, or start another search with --new"
        )

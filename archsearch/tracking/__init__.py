"""MLflow: a mirror of the record, and other people's experiments."""

from archsearch.tracking.artifacts import own_uri, stored_artifacts
from archsearch.tracking.beside import Following, OpeningStopped
from archsearch.tracking.experiments import read_experiment, tag_runs
from archsearch.tracking.messages import Closing
from archsearch.tracking.mirror import Artifacts, Mirror
from archsearch.tracking.server import Tracking, check_answers, first_line, serve

__all__ = [
    "Artifacts",
    "Closing",
    "Following",
    "Mirror",
    "OpeningStopped",
    "Tracking",
    "check_answers",
    "first_line",
    "own_uri",
    "read_experiment",
    "serve",
    "stored_artifacts",
    "tag_runs",
]

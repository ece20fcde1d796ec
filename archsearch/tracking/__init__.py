"""MLflow as a mirror of the record."""

from archsearch.tracking.mirror import Artifacts, Mirror
from archsearch.tracking.server import Tracking, check_answers, first_line, serve
from archsearch.tracking.thread import Closing, MirrorThread

__all__ = [
    "Artifacts",
    "Closing",
    "Mirror",
    "MirrorThread",
    "Tracking",
    "check_answers",
    "first_line",
    "serve",
]

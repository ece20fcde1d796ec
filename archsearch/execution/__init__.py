"""Where trainings run."""

from archsearch.execution.executor import EpochEnded, Event, Executor, RunEnded
from archsearch.execution.pool import WorkerPool, require_backend

__all__ = ["EpochEnded", "Event", "Executor", "RunEnded", "WorkerPool", "require_backend"]

"""Where trainings run."""

from archsearch.execution.executor import EpochEnded, Event, Executor, RunEnded
from archsearch.execution.pool import WorkerPool

__all__ = ["EpochEnded", "Event", "Executor", "RunEnded", "WorkerPool"]

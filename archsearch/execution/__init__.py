"""Where trainings run."""

from archsearch.execution.backend import require_backend
from archsearch.execution.executor import EpochEnded, Event, Executor, RunEnded
from archsearch.execution.local import local_executor
from archsearch.execution.messages import Setup
from archsearch.execution.slots import Slot, gpus_of, slots_for, workers_of

__all__ = [
    "EpochEnded",
    "Event",
    "Executor",
    "RunEnded",
    "Setup",
    "Slot",
    "gpus_of",
    "local_executor",
    "require_backend",
    "slots_for",
    "workers_of",
]

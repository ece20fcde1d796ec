"""What a cluster has to give a search: GPUs, cores, memory, time."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from archsearch.execution.limits import SHARED_OUT
from archsearch.execution.slots import WORKER_GIB
from archsearch.schedule.job import Job

# The search's own process while it draws the report and fills MLflow.
SEARCH_GIB = 2

# How long that takes, after the last epoch: minutes, with hundreds of trials.
REPORT_MINUTES = 15


@dataclass(frozen=True, slots=True)
class Needs:
    """What to ask of a cluster.

    Attributes
    ----------
    gpus : int
        Those that are asked for by number; "all" of a space are none.
    cores : int
        One for each training at a time, and one for the search.
    gib : int
        Memory in GiB: what the space allows each training, else for small data and a worker on each core.
    minutes : int or None
        Of the search's own bound; None where it has none.
    """

    gpus: int
    cores: int
    gib: int
    minutes: int | None


def needs_of(jobs: Iterable[Job]) -> Needs:
    """What the largest of `jobs` needs: elements of an array are given the same."""
    each = [_needs(job) for job in jobs]
    minutes = [need.minutes for need in each if need.minutes is not None]
    return Needs(
        gpus=max(need.gpus for need in each),
        cores=max(need.cores for need in each),
        gib=max(need.gib for need in each),
        minutes=max(minutes) if len(minutes) == len(each) else None,
    )


def _needs(job: Job) -> Needs:
    said = job.execution
    found = 0 if said.gpus == "all" else said.gpus
    gpus = found if job.gpus is None else job.gpus
    workers = said.workers if job.workers is None else job.workers
    trainings = (gpus * said.workers_per_gpu if workers == "auto" else workers) or 1
    cores = trainings + 1
    gib = cores * WORKER_GIB if said.memory is None else trainings * said.memory / SHARED_OUT
    return Needs(
        gpus=gpus,
        cores=cores,
        gib=SEARCH_GIB + math.ceil(gib),
        minutes=None if job.hours is None else math.ceil(job.hours * 60),
    )

"""What a cluster has to give a search: GPUs, cores, memory, time."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

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
    cores : int
        One for each training at a time, and one for the search.
    gib : int
        Memory in GiB, with small data and a worker on each core.
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
    gpus = job.gpus or 0
    cores = (job.workers or gpus or 1) + 1
    return Needs(
        gpus=gpus,
        cores=cores,
        gib=SEARCH_GIB + math.ceil(cores * WORKER_GIB),
        minutes=None if job.hours is None else math.ceil(job.hours * 60),
    )

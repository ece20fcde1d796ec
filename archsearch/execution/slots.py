"""How the machine is shared out between workers, before any of them starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from archsearch.errors import Refused
from archsearch.execution.backend import VARIABLE, backend
from archsearch.execution.devices import VISIBLE, Gpu, gpu_gib, visible_gpus
from archsearch.execution.limits import SHARED_OUT
from archsearch.execution.machine import GIB, cores, free_memory
from archsearch.space.execution_words import Execution

# On a machine with many cores a few processes with several threads each: all have the libraries and the data.
MOST_AUTOMATIC = 8

# What a worker takes with TensorFlow, small data and 20 small trainings.
WORKER_GIB = 1.5


@dataclass(frozen=True, slots=True)
class Slot:
    """A worker's share of the machine.

    Attributes
    ----------
    name : str
        ``"worker 0"``, ``"worker 1 on GPU 0"``.
    gpu : Gpu or None
    environment : mapping of str to str
        Set before the worker imports anything: its GPU, its number of threads, how it takes memory.
    """

    name: str
    gpu: Gpu | None
    environment: Mapping[str, str]


def slots_for(execution: Execution) -> tuple[Slot, ...]:
    """A slot for each worker process; none where trainings run in the search's own process.

    Raises
    ------
    Refused
        If the GPUs, or the cap on their memory, can't be had here.
    """
    if execution.workers == 0:
        return ()
    gpus = _chosen_gpus(execution)
    workers = _worker_count(execution, gpus)
    common = {VARIABLE: backend(), **_threads(max(1, cores() // workers))}
    return tuple(_slot(number, execution, gpus, common) for number in range(workers))


def workers_of(execution: Execution) -> int:
    """Trainings that would run at the same time here.

    Raises
    ------
    Refused
        If `execution` asks for GPUs that are not here.
    """
    return _worker_count(execution, _chosen_gpus(execution)) if execution.workers else 1


def _chosen_gpus(execution: Execution) -> tuple[Gpu, ...]:
    if execution.gpus == 0:
        return ()
    found = visible_gpus()
    if execution.gpus == "all":
        return found
    if execution.gpus > len(found):
        names = ", ".join(gpu.name for gpu in found) or "none"
        limited = f" with {VISIBLE}={os.environ[VISIBLE]}" if VISIBLE in os.environ else ""
        raise Refused(
            f"execution.gpus is {execution.gpus}; found here{limited}: {names}; ask for fewer, or for all"
        )
    return found[: execution.gpus]


def _worker_count(execution: Execution, gpus: tuple[Gpu, ...]) -> int:
    if execution.workers != "auto":
        return execution.workers
    if gpus:
        return len(gpus) * execution.workers_per_gpu
    room = SHARED_OUT * free_memory() / GIB / (execution.memory or WORKER_GIB)
    return max(1, min(cores(), int(room), MOST_AUTOMATIC))


def _slot(number: int, execution: Execution, gpus: tuple[Gpu, ...], common: Mapping[str, str]) -> Slot:
    name = f"worker {number}"
    if not gpus:
        # JAX looks for other devices than GPUs, too.
        hidden = {VISIBLE: "-1"} | ({"JAX_PLATFORMS": "cpu"} if execution.gpus == 0 else {})
        return Slot(name, None, {**common, **hidden})
    gpu = gpus[number % len(gpus)]
    shared = {
        VISIBLE: gpu.entry,
        # Several workers may share a GPU: none takes all of its memory at its start.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    return Slot(f"{name} on {gpu.name}", gpu, {**common, **shared, **_cap(execution.gpu_memory, gpu)})


def _cap(gib: float | None, gpu: Gpu) -> dict[str, str]:
    """JAX takes its cap as a share, from the environment; TensorFlow's is set by the worker."""
    if gib is None or backend() != "jax":
        return {}
    whole = gpu_gib(gpu)
    if whole is None:
        raise Refused(
            f"execution.gpu_memory can't be kept to with JAX on {gpu.name}: nvidia-smi does not say how much "
            "memory it has; leave gpu_memory out"
        )
    return {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{min(1.0, gib / whole):.4f}"}


def _threads(count: int) -> dict[str, str]:
    return {
        "OMP_NUM_THREADS": str(count),
        "TF_NUM_INTRAOP_THREADS": str(count),
        "TF_NUM_INTEROP_THREADS": str(count),
        # The size of JAX' pool of threads on the CPU.
        "NPROC": str(count),
    }

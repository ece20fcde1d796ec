"""How the machine is shared out between workers, before any of them starts."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archsearch.errors import GpusBusy, Refused
from archsearch.execution.backend import VARIABLE, backend
from archsearch.execution.devices import (
    VISIBLE,
    Gpu,
    free_bytes,
    total_bytes,
    visible_fault,
    visible_gpus,
)
from archsearch.execution.limits import SHARED_OUT
from archsearch.execution.machine import GIB, cores, free_memory
from archsearch.space.execution_words import Execution

# On a machine with many cores a few processes with several threads each: all have the libraries and the data.
MOST_AUTOMATIC = 8

GPUS_WORD = "execution.gpus"
"""What says how many GPUs to use, unless an option does."""

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


def slots_for(
    execution: Execution, least_free: int | None = None, gpus_word: str = GPUS_WORD
) -> tuple[Slot, ...]:
    """A slot for each worker process; none where trainings run in the search's own process.

    Parameters
    ----------
    execution : Execution
    least_free : int, optional
        Bytes that a GPU must have free to be used; then those with most free memory come first.
    gpus_word : str
        Where the number of GPUs was said, for messages.

    Raises
    ------
    Refused
        If the GPUs, or the cap on their memory, can't be had here.
    GpusBusy
        If they could be, were less of their memory in use.
    """
    if execution.workers == 0:
        return ()
    gpus = _chosen_gpus(execution, least_free, gpus_word)
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


def gpus_of(execution: Execution) -> int:
    """How many GPUs would be used here, be they as many as `execution` asks for or not."""
    if execution.workers == 0 or execution.gpus == 0:
        return 0
    found = len(visible_gpus())
    return found if execution.gpus == "all" else min(found, execution.gpus)


def _chosen_gpus(
    execution: Execution, least_free: int | None = None, gpus_word: str = GPUS_WORD
) -> tuple[Gpu, ...]:
    if execution.gpus == 0:
        return ()
    found = visible_gpus()
    if least_free is not None:
        return _with_free_memory(found, execution.gpus, least_free)
    if execution.gpus == "all":
        return found
    if execution.gpus > len(found):
        raise Refused(f"{gpus_word} is {execution.gpus}; {_what_is_here(found)}; ask for fewer, or for all")
    return found[: execution.gpus]


def _with_free_memory(found: Sequence[Gpu], wanted: int | str, least: int) -> tuple[Gpu, ...]:
    """Those GPUs with so many bytes free, the one with most first; as many as are wanted."""
    free = {gpu: free_bytes(gpu) for gpu in found}
    known = {gpu: size for gpu, size in free.items() if size is not None and size >= least}
    count = len(known) if wanted == "all" else int(wanted)
    if 0 < count <= len(known):
        return tuple(sorted(known, key=known.__getitem__, reverse=True)[:count])
    few = f"only {len(known)} of the {count} GPUs asked for have" if known else "no GPU has"
    sizes = ", ".join(f"{gpu.name} {_free(gpu, size)}" for gpu, size in free.items())
    told = f"--min-free-gpu-memory {least / 1e9:g} GB: {few} so much free; {_what_is_here(found, sizes)}"
    enough = [gpu for gpu, size in free.items() if size is not None and (total_bytes(gpu) or 0) >= least]
    if len(enough) >= max(1, count):
        raise GpusBusy(f"{told}; come again when other processes use less of it, or ask for less")
    raise Refused(f"{told}; ask for less")


def _free(gpu: Gpu, size: int | None) -> str:
    """Free memory beside all of it: the driver keeps some, so that all of it is never free."""
    if size is None:
        return "(nvidia-smi does not say)"
    whole = total_bytes(gpu)
    return f"{size / 1e9:.1f} GB" + ("" if whole is None else f" of {whole / 1e9:.1f} GB")


def _what_is_here(found: Sequence[Gpu], names: str = "") -> str:
    limited = f" with {VISIBLE}={os.environ[VISIBLE]}" if VISIBLE in os.environ else ""
    fault = visible_fault()
    return f"{f'{fault}; usable' if fault else f'found here{limited}'}: {names or _names(found) or 'none'}"


def _names(gpus: Sequence[Gpu]) -> str:
    return ", ".join(gpu.name for gpu in gpus)


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
    whole = total_bytes(gpu)
    if whole is None:
        raise Refused(
            f"execution.gpu_memory can't be kept to with JAX on {gpu.name}: nvidia-smi does not say how much "
            "memory it has; leave gpu_memory out"
        )
    return {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{min(1.0, gib * GIB / whole):.4f}"}


def _threads(count: int) -> dict[str, str]:
    return {
        "OMP_NUM_THREADS": str(count),
        "TF_NUM_INTRAOP_THREADS": str(count),
        "TF_NUM_INTEROP_THREADS": str(count),
        # The size of JAX' pool of threads on the CPU.
        "NPROC": str(count),
    }

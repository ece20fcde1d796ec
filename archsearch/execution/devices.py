"""Which GPUs there are, without importing what computes on them."""

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from archsearch.execution.backend import backend

VISIBLE = "CUDA_VISIBLE_DEVICES"

# A driver that has lost a GPU may never answer.
LISTING_SECONDS = 30.0

# "GPU 0: NVIDIA A100 (UUID: GPU-5d…)" and, below it, its parts: "  MIG 1g.5gb  Device  0: (UUID: MIG-c7…)".
_LINE = re.compile(r"(?:GPU|\s+MIG \S+\s+Device)\s+(\d+):.*\(UUID: ((?:GPU|MIG)-[^)]+)\)")

# Each library's name, and what it needs besides a driver to compute on GPUs.
_LIBRARIES = {
    "tensorflow": ("TensorFlow", "archsearch with its extra 'gpu'"),
    "jax": ("JAX", "jax[cuda12]"),
}


@dataclass(frozen=True, slots=True)
class Gpu:
    """What a worker can be given: a GPU, or a part of one (MIG).

    Attributes
    ----------
    entry : str
        In ``CUDA_VISIBLE_DEVICES``: an index, a UUID or the name of a part.
    name : str
        For people: ``"GPU 0"``, ``"GPU 0 MIG 1"``.
    """

    entry: str
    name: str


def visible_gpus() -> tuple[Gpu, ...]:
    """The GPUs that this process may use, in the order in which CUDA counts them.

    ``CUDA_VISIBLE_DEVICES`` is read as CUDA reads it: entries after one that is not valid don't count (CUDA
    C++ Programming Guide, "CUDA Environment Variables"). Where it is not set, what ``nvidia-smi`` lists can
    be used: of a GPU that is divided, its parts. Where there is neither, there is none.
    """
    listed = _listed()
    chosen = os.environ.get(VISIBLE)
    return _usable(listed or ()) if chosen is None else tuple(_allowed(chosen, listed))


def total_bytes(gpu: Gpu) -> int | None:
    """Memory of a GPU; None where ``nvidia-smi`` does not say, as of a part."""
    return _bytes(gpu, "total")


def free_bytes(gpu: Gpu) -> int | None:
    """Memory of a GPU that nobody uses; None where ``nvidia-smi`` does not say, as of a part."""
    return _bytes(gpu, "free")


def visible_fault() -> str | None:
    """What is wrong with ``CUDA_VISIBLE_DEVICES`` where it does not name what it seems to; None if nothing.

    Words by which people hide all GPUs, such as ``-1`` or ``none``, are no fault.
    """
    chosen = os.environ.get(VISIBLE)
    if not chosen:
        return None
    entries, listed = _entries(chosen), _listed()
    if len(set(entries)) < len(entries):
        return f"{VISIBLE}={chosen} names something twice, and CUDA then sees no GPU at all"
    unknown = next((entry for entry in entries if _named(entry, listed) is None), "")
    if not re.match(r"\d|GPU-|MIG-", unknown):
        return None
    there = ", ".join(gpu.name for gpu in listed or ()) or "none"
    missing = f"there is no GPU {unknown}, and what follows it does not count"
    return f"{VISIBLE}={chosen}: {missing}; there are: {there}"


def no_gpu() -> str:
    """What to say where the library that Keras computes with has been loaded, and sees no GPU."""
    library, needed = _LIBRARIES[backend()]
    chosen = os.environ.get(VISIBLE)
    visible = f"{VISIBLE} is not set" if chosen is None else f"{VISIBLE}={chosen}"
    return f"{library} sees no GPU ({visible}): it needs a driver, whose nvidia-smi lists one, and {needed}"


def _bytes(gpu: Gpu, which: str) -> int | None:
    words = (f"--id={gpu.entry}", f"--query-gpu=memory.{which}", "--format=csv,noheader,nounits")
    answer = (_nvidia_smi(*words) or "").strip()
    return int(answer) * 2**20 if answer.isdecimal() else None  # it counts in MiB


def _listed() -> tuple[Gpu, ...] | None:
    """GPUs, each before its parts, by their UUIDs; None where nothing lists them."""
    answer = _nvidia_smi("-L")
    if answer is None:
        return None
    found: list[Gpu] = []
    whole = ""
    for line in answer.splitlines():
        if match := _LINE.match(line):
            number, uuid = match.groups()
            whole = whole if line[0].isspace() else f"GPU {number}"
            found.append(Gpu(uuid, f"{whole} MIG {number}" if line[0].isspace() else whole))
    return tuple(found)


def _nvidia_smi(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["nvidia-smi", *words], capture_output=True, text=True, timeout=LISTING_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _usable(listed: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """Without the GPUs that are divided: CUDA gives their parts only."""
    return tuple(gpu for gpu in listed if not any(part.name.startswith(f"{gpu.name} ") for part in listed))


def _allowed(chosen: str, listed: Sequence[Gpu] | None) -> Iterator[Gpu]:
    """What ``CUDA_VISIBLE_DEVICES`` names, up to the first entry that names nothing."""
    entries = _entries(chosen)
    if len(set(entries)) < len(entries):
        return  # CUDA then sees no GPU at all
    for entry in entries:
        gpu = _named(entry, listed)
        if gpu is None:
            return
        yield gpu


def _entries(chosen: str) -> list[str]:
    return [entry.strip() for entry in chosen.split(",")]


def _named(entry: str, listed: Sequence[Gpu] | None) -> Gpu | None:
    """The GPU of one entry; without a list, whatever has the form of one."""
    if entry.isdecimal():
        name = f"GPU {int(entry)}"
        return Gpu(entry, name) if listed is None or name in (gpu.name for gpu in listed) else None
    if not re.match("(GPU|MIG)-.", entry):
        return None
    if listed is None:
        return Gpu(entry, entry)
    same = [gpu for gpu in listed if gpu.entry == entry or (entry[0] == "G" and gpu.entry.startswith(entry))]
    # A GPU's UUID may be shortened to what only it begins with.
    return Gpu(entry, same[0].name) if len(same) == 1 else None

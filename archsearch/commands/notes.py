"""What whoever starts a search should know of it, on stderr."""

import sys
from collections.abc import Iterator, Sequence

from archsearch.commands.options import Options
from archsearch.execution import Slot
from archsearch.execution.devices import visible_fault
from archsearch.report.words import listing
from archsearch.space import SearchSpace
from archsearch.space.execution_words import Execution

# Words of `execution` that bound a worker.
LIMITS = ("minutes_per_epoch", "hours_per_trial", "memory")


def say(note: str) -> None:
    """Print a note to stderr."""
    print(f"archsearch: {note}", file=sys.stderr, flush=True)


def without_effect(space: SearchSpace, options: Options, slots: Sequence[Slot]) -> Iterator[str]:
    """What was said and changes nothing, with the reason, a sentence each.

    Parameters
    ----------
    space : SearchSpace
        With the options applied to it.
    options : Options
    slots : sequence of Slot
        Of its workers.
    """
    execution, is_one_process = space.execution, not slots
    gpus = list(dict.fromkeys(slot.gpu.name for slot in slots if slot.gpu))
    fault = visible_fault() if slots and execution.gpus != 0 else None
    if fault:
        yield f"{fault}; trainings run on {listing(gpus) or 'the CPU'}"
    about_gpus = {
        "--max-gpu-hours": options.max_gpu_hours,
        "search.gpu_hours": space.search.gpu_hours,
        "execution.gpu_memory": execution.gpu_memory,
        "--min-free-gpu-memory": options.min_free_gpu_memory,
    }
    given = [name for name, value in about_gpus.items() if value is not None]
    if given and not gpus:
        why = "with workers: 0 no GPU is chosen or counted" if is_one_process else "no GPU is used"
        yield f"{listing(given)} {_has(given)} no effect: {why}"
    said = [f"execution.{name}" for name in LIMITS if _is_said(execution, name)]
    if said and is_one_process:
        why = "with workers: 0 nothing bounds a training, which runs in the search's own process"
        yield f"{listing(said)} {_has(said)} no effect: {why}"


def _is_said(execution: Execution, name: str) -> bool:
    return bool(getattr(execution, name) != Execution.model_fields[name].default)


def _has(names: list[str]) -> str:
    return "has" if len(names) == 1 else "have"

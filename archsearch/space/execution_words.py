"""The words of ``execution``: where trainings run, and what they may take of the machine."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from archsearch.space.parameters import Words

MOST_WORKERS = 256

# No machine has more; bytes of it are still a number that can be counted in.
MOST_GIB = 1_000_000


def _form(value: Any) -> str:
    return "word" if isinstance(value, str) else "number"


_Workers = Annotated[
    Annotated[Literal["auto"], Tag("word")] | Annotated[int, Field(ge=0, le=MOST_WORKERS), Tag("number")],
    Discriminator(_form),
]
_Gpus = Annotated[
    Annotated[Literal["all"], Tag("word")] | Annotated[int, Field(ge=0), Tag("number")],
    Discriminator(_form),
]


class Execution(Words):
    """Where trainings run, and what they may take of this machine."""

    workers: _Workers = Field(
        default="auto",
        description="Trainings at the same time, each in a process of its own. auto: by the GPUs, else by "
        "cores and memory. 0: one at a time in the search's own process, without limits, for debugging.",
    )
    gpus: _Gpus = Field(
        default="all", description="GPUs to use, of those that CUDA_VISIBLE_DEVICES allows. 0: the CPU."
    )
    workers_per_gpu: int = Field(
        default=1, ge=1, le=64, description="Trainings at the same time on each GPU, with workers: auto."
    )
    gpu_memory: float | None = Field(
        default=None,
        gt=0,
        le=MOST_GIB,
        description="Most GPU memory of a worker in GiB; no limit if left out.",
    )
    memory: float | None = Field(
        default=None,
        gt=0,
        le=MOST_GIB,
        description="Most memory of a worker in GiB; by default a share of what is free.",
    )
    minutes_per_epoch: float = Field(
        default=60.0, gt=0, description="A trial with an epoch that takes longer has timed out."
    )
    hours_per_trial: float | None = Field(
        default=None, gt=0, description="A trial that takes longer has timed out; no limit if left out."
    )
    keep: int = Field(default=10, ge=1, description="Trials whose weights are kept: the best so many.")

"""When a process that has trained much is to be replaced by another one."""

from dataclasses import dataclass

from archsearch.records import Status

# TensorFlow keeps memory of each model that a process has trained, 5 MiB of a small one. So another process
# has the next training where one has grown by so much since it had trained so many models ...
SETTLED_MODELS = 20
MOST_GROWTH = 1.2

# ... or takes such a share of what it may take; but not where the data are large, and took most of it ...
MOST_KEPT = 0.5
MOST_GROWTH_SINCE_FIRST = 1.5

# ... or has trained so many: not all that is kept is memory that is seen.
MOST_MODELS = 100


@dataclass(slots=True)
class Wear:
    """What is left in a process of the models it has trained.

    Attributes
    ----------
    models : int
        How many.
    at_first, at_settled : int
        Bytes that it took after its first training, and after `SETTLED_MODELS`; 0 before.
    """

    models: int = 0
    at_first: int = 0
    at_settled: int = 0

    def is_too_much(self, ending: Status, memory: int, allowed: int) -> bool:
        """Whether another process is to have the next training; asked after each training.

        Parameters
        ----------
        ending : Status
            How the training has ended.
        memory, allowed : int
            Bytes that the process takes now, and may take.
        """
        self.at_first = self.at_first or memory
        if self.models >= SETTLED_MODELS:
            self.at_settled = self.at_settled or memory
        has_grown = memory > MOST_GROWTH * (self.at_settled or memory)
        is_large = memory > max(MOST_KEPT * allowed, MOST_GROWTH_SINCE_FIRST * self.at_first)
        return has_grown or is_large or self.models >= MOST_MODELS or ending is Status.OUT_OF_MEMORY

"""When another process has the next training."""

import pytest

from archsearch.execution.wear import Wear
from archsearch.records import Status

DONE = Status.COMPLETED
MIB = 1024**2
ALLOWED = 1000 * MIB


def worn(*trainings):
    """Whether a process is worn after the last of the trainings: how it ended, models by then, MiB then."""
    wear = Wear()
    for ending, models, mib in trainings:
        wear.models = models
        said = wear.is_too_much(ending, mib * MIB, ALLOWED)
    return said


@pytest.mark.parametrize(
    ("trainings", "is_worn"),
    [
        ([(DONE, 1, 400)], False),
        ([(Status.PRUNED, 1, 400), (Status.FAILED, 2, 400), (Status.DIVERGED, 3, 400)], False),
        ([(Status.OUT_OF_MEMORY, 1, 400)], True),
        # Growth counts since the 20th model only ...
        ([(DONE, 1, 200), (DONE, 19, 250), (DONE, 20, 300), (DONE, 30, 360)], False),
        ([(DONE, 1, 200), (DONE, 19, 250), (DONE, 20, 300), (DONE, 30, 361)], True),
        # ... but before it, too, where half of what is allowed is taken, and it is not the data that take it.
        ([(DONE, 1, 300), (DONE, 2, 500)], False),
        ([(DONE, 1, 300), (DONE, 2, 501)], True),
        ([(DONE, 1, 600), (DONE, 2, 900)], False),
        ([(DONE, 1, 600), (DONE, 2, 901)], True),
        ([(DONE, 1, 400), (DONE, 99, 400)], False),
        ([(DONE, 1, 400), (DONE, 100, 400)], True),
    ],
)
def test_a_process_is_worn_by_growth_by_its_share_by_many_models_or_for_want_of_memory(trainings, is_worn):
    assert worn(*trainings) is is_worn

"""When a search has failed so often for one reason that it is no use to go on."""

import re
from collections.abc import Sequence

from archsearch.records import TrialResult

MOST_FAILURES = 10
"""So many trials in a row that fail for the same reason end a search.

Three, as in KerasTuner, are no sign of a fault in the setup: where a third of a space does not fit into the
memory, three in a row come in 79 % of searches of 60 trials, and five in 15 %. Ten come in 0.1 % of them, and
in 3 % where one half of the space can't be trained.
"""

_VARYING = (
    (re.compile(r"0x[0-9a-fA-F]+"), "#"),
    (re.compile(r"(?:[A-Za-z]:)?[^\s\"'(),:;]*[/\\][^\s\"'(),:;]*"), "PATH"),
    (re.compile(r"\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?"), "#"),
    # Shapes have as many numbers as they have axes.
    (re.compile(r"#(?:\s*[,x×]\s*#)*,?"), "#"),
    (re.compile(r"\s+"), " "),
)
"""What differs between failures of the same kind: addresses, paths, numbers, shapes, white space."""


def same_failure(trials: Sequence[TrialResult]) -> str | None:
    """Why the last trials failed, if `MOST_FAILURES` of them did in a row, and all for the same reason.

    Parameters
    ----------
    trials : sequence of TrialResult
        That ended in this process, in the order in which they did, with their trainings.

    Returns
    -------
    str or None
        In words, without a full stop; None where there are too few, or one had a result or another reason.
    """
    last = trials[-MOST_FAILURES:]
    if len(last) < MOST_FAILURES or not all(trial.status.is_failure for trial in last):
        return None
    if len({(trial.status, _kind(_reason(trial))) for trial in last}) > 1:
        return None
    status = last[-1].status.replace("_", " ")
    reason = _reason(last[-1])
    said = f"{status}: {reason}" if reason else status
    return f"the last {len(last)} trials all failed for the same reason ({said})"


def _reason(trial: TrialResult) -> str:
    """Of the training that ended the trial: after a failed one no other is trained."""
    return trial.runs[-1].reason.rstrip(".") if trial.runs else ""


def _kind(reason: str) -> str:
    """A reason without what differs between failures of the same kind."""
    for pattern, placeholder in _VARYING:
        reason = pattern.sub(placeholder, reason)
    return reason.strip()

"""The ranking as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from archsearch.ranking.order import Ranked

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "rank",
    "trial",
    "architecture",
    "verdict",
    "confidence",
    "agreement",
    "delivered",
    "score",
    "val_loss",
    "gap",
    "val_accuracy",
    "parameters",
    "seconds",
    "reason",
)


def table(ranking: Sequence[Ranked]) -> pd.DataFrame:
    """One row per ranked trial, in the columns `COLUMNS`; losses in nats, times in seconds.

    What is not known is NaN: a confidence that was not computed, the agreement of a single seed.
    """
    import pandas as pd  # loaded here: the order of trials needs no table

    return pd.DataFrame([_row(each) for each in ranking], columns=list(COLUMNS))


def _row(each: Ranked) -> dict[str, object]:
    agreement = each.diagnosis.agreement
    return {
        "rank": each.rank,
        "trial": each.trial.number,
        "architecture": each.trial.label,
        "verdict": each.diagnosis.verdict.value,
        "confidence": _number(each.diagnosis.confidence),
        "agreement": _number(agreement.share if agreement else None),
        "delivered": each.diagnosis.delivered.value,
        "score": each.score,
        "val_loss": each.val_loss,
        "gap": each.gap,
        "val_accuracy": each.val_accuracy,
        "parameters": each.trial.parameters,
        "seconds": each.trial.seconds,
        "reason": each.reason,
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value

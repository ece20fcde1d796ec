"""Verdicts from loss curves: what the curves of one training, or of a search's trials, say about it.

The rules, and NumPy with them, come when they are first asked for: whoever only reads verdicts needs neither.
"""

from typing import TYPE_CHECKING

from archsearch.diagnosis.values import Agreement, Context, Curves, Diagnosis, Finding, Outcome, Verdict
from archsearch.late import late

if TYPE_CHECKING:
    from archsearch.diagnosis.inputs import context_of, curves_of
    from archsearch.diagnosis.live import settled
    from archsearch.diagnosis.order import PRECEDENCE, REMARKS, RULES_VERSION
    from archsearch.diagnosis.runs import (
        diagnose_trials,
        diagnosis_of,
        judge_trial,
        judge_trials,
        with_diagnosis,
    )
    from archsearch.diagnosis.seeds import majority
    from archsearch.diagnosis.storage import Judgement, Judgements
    from archsearch.diagnosis.verdict import diagnose

__all__ = [
    "PRECEDENCE",
    "REMARKS",
    "RULES_VERSION",
    "Agreement",
    "Context",
    "Curves",
    "Diagnosis",
    "Finding",
    "Judgement",
    "Judgements",
    "Outcome",
    "Verdict",
    "context_of",
    "curves_of",
    "diagnose",
    "diagnose_trials",
    "diagnosis_of",
    "judge_trial",
    "judge_trials",
    "majority",
    "settled",
    "with_diagnosis",
]

__getattr__ = late(
    __name__,
    {
        "inputs": ("context_of", "curves_of"),
        "live": ("settled",),
        "order": ("PRECEDENCE", "REMARKS", "RULES_VERSION"),
        "runs": ("diagnose_trials", "diagnosis_of", "judge_trial", "judge_trials", "with_diagnosis"),
        "seeds": ("majority",),
        "storage": ("Judgement", "Judgements"),
        "verdict": ("diagnose",),
    },
)

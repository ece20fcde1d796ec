"""Verdicts from loss curves: what the curves of one training, or of a search's trials, say about it."""

from archsearch.diagnosis.runs import curves_of, diagnose_trial, diagnose_trials, majority
from archsearch.diagnosis.values import Agreement, Context, Curves, Diagnosis, Finding, Outcome, Verdict
from archsearch.diagnosis.verdict import FLAGS, PRECEDENCE, REMARKS, RULES_VERSION, diagnose

__all__ = [
    "FLAGS",
    "PRECEDENCE",
    "REMARKS",
    "RULES_VERSION",
    "Agreement",
    "Context",
    "Curves",
    "Diagnosis",
    "Finding",
    "Outcome",
    "Verdict",
    "curves_of",
    "diagnose",
    "diagnose_trial",
    "diagnose_trials",
    "majority",
]

"""Diagnoses that are kept: with what they rest on besides the curves, to JSON and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from archsearch.diagnosis.order import RULES_VERSION
from archsearch.diagnosis.values import Context, Diagnosis, Finding, Verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """The diagnosis of one training and all that it depends on.

    The curves of a training that has ended don't change. So it holds until the rules do, or what is known
    besides the curves, such as the best loss of another run.

    Attributes
    ----------
    context : Context
    unreferenced : Verdict
        The verdict if no other run were known: whether the training can be a reference for others.
    diagnosis : Diagnosis
        In `context`.
    """

    context: Context
    unreferenced: Verdict
    diagnosis: Diagnosis

    @property
    def is_current(self) -> bool:
        """Whether the present rules made it."""
        return self.diagnosis.rules_version == RULES_VERSION


Judgements = Mapping[tuple[int, int], Judgement]
"""By trial number and seed."""


def to_json(judgement: Judgement) -> dict[str, Any]:
    """As plain values; what is not known is left out."""
    diagnosis = judgement.diagnosis
    return {
        "rules_version": diagnosis.rules_version,
        "context": {name: value for name, value in asdict(judgement.context).items() if value is not None},
        "unreferenced": str(judgement.unreferenced),
        "verdict": str(diagnosis.verdict),
        "delivered": str(diagnosis.delivered),
        "confidence": diagnosis.confidence,
        "flags": list(diagnosis.flags),
        "missing": list(diagnosis.missing),
        "findings": [_finding_to_json(finding) for finding in diagnosis.findings],
    }


def from_json(value: Mapping[str, Any]) -> Judgement | None:
    """From what `to_json` gave; None for the words of another version, whose judgement is to be made anew."""
    try:
        diagnosis = Diagnosis(
            verdict=Verdict(value["verdict"]),
            delivered=Verdict(value["delivered"]),
            flags=tuple(value["flags"]),
            findings=tuple(Finding(**finding) for finding in value["findings"]),
            rules_version=value["rules_version"],
            missing=tuple(value["missing"]),
            confidence=value["confidence"],
        )
        return Judgement(_context(value["context"]), Verdict(value["unreferenced"]), diagnosis)
    except (KeyError, TypeError, ValueError):
        return None


def _context(value: Mapping[str, Any]) -> Context:
    known: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in value.items()}
    return Context(**known)


def _finding_to_json(finding: Finding) -> dict[str, Any]:
    evidence = {name: float(number) for name, number in finding.evidence.items()}
    words = {"code": finding.code, "title": finding.title, "outcome": finding.outcome, "flag": finding.flag}
    return words | {"evidence": evidence, "message": finding.message}

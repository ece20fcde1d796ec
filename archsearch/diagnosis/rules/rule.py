"""What a rule is."""

from typing import ClassVar, Protocol

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.values import Finding


class Rule(Protocol):
    """A frozen value of thresholds, with one method that applies them to a reading.

    Attributes
    ----------
    code : str
        Stable: reports and stored diagnoses refer to it.
    title : str
    """

    code: ClassVar[str]
    title: ClassVar[str]

    def judge(self, reading: Reading) -> Finding:
        """What the rule finds; never raises on a reading."""
        ...


def not_applicable(rule: Rule, missing: str, purpose: str) -> Finding:
    """The finding of a rule that lacks an input."""
    return Finding(rule.code, rule.title, "not_applicable", {}, f"Without {missing} {purpose}.")

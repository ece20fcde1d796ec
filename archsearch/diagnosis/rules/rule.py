"""What a rule is, and how its answer for one training becomes a finding."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from archsearch.diagnosis.features import FloatArray
from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.values import Finding, Outcome

OUTCOMES: tuple[Outcome, ...] = ("ok", "fault", "flag", "not_applicable")
OK, FAULT, FLAG, NOT_APPLICABLE = range(4)

Threshold = float | FloatArray
"""A number, or one for each curve of a reading: so it can be asked what would follow from another opinion."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What a rule found in each curve of a reading.

    Attributes
    ----------
    outcome : array of int, shape (...)
        Indices into `OUTCOMES`.
    evidence : mapping of str to array, shape (...) or ()
        The numbers it rests on.
    """

    outcome: NDArray[np.intp]
    evidence: Mapping[str, FloatArray]


class Rule(Protocol):
    """A frozen value of thresholds, with a method that applies them to a reading and one that speaks.

    Attributes
    ----------
    code : str
        Stable: reports and stored diagnoses refer to it.
    title : str
    flag : str
        Name of the flag that it can raise; empty if none.
    needs : tuple of str
        Inputs without which it can't be applied or has to make do.
    """

    code: ClassVar[str]
    title: ClassVar[str]
    flag: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]

    def measure(self, reading: Reading) -> Measured:
        """What the rule finds in each curve; never raises on a reading."""
        ...

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:
        """The same of one training, for people."""
        ...


def found(fault: object, flag: object = False, **evidence: object) -> Measured:
    """What a rule found: a fault where `fault` is true, else a flag where `flag` is, else all is well."""
    outcome = np.where(np.asarray(fault), FAULT, np.where(np.asarray(flag), FLAG, OK))
    return Measured(outcome, {name: np.asarray(value, dtype=float) for name, value in evidence.items()})


def unknown(reading: Reading) -> Measured:
    """What a rule finds that lacks an input."""
    return Measured(np.full(reading.best.shape, NOT_APPLICABLE), {})


def judge(rule: Rule, reading: Reading) -> Finding:
    """The finding of a rule on one training.

    Parameters
    ----------
    rule : Rule
    reading : Reading
        Of one training: its curves have shape (epochs,).
    """
    measured = rule.measure(reading)
    outcome = OUTCOMES[int(measured.outcome)]
    evidence = {name: float(value) for name, value in measured.evidence.items()}
    message = rule.sentence(reading, evidence, outcome)
    return Finding(rule.code, rule.title, outcome, evidence, message, rule.flag if outcome == "flag" else "")

"""AS704: early stopping ended the run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import Measured, found, unknown
from archsearch.diagnosis.values import Outcome


@dataclass(frozen=True, slots=True)
class EarlyStopped:
    """Early stopping ended the run: what would have followed is not known."""

    code: ClassVar[str] = "AS704"
    title: ClassVar[str] = "Stopped early"
    flag: ClassVar[str] = "early_stopped"
    needs: ClassVar[tuple[str, ...]] = ("early_stopped",)

    def measure(self, reading: Reading) -> Measured:
        """Flag if the run was stopped early."""
        context = reading.context
        if context.early_stopped is None:
            return unknown(reading)
        planned = {} if context.planned_epochs is None else {"planned_epochs": context.planned_epochs}
        return found(False, context.early_stopped, epochs=reading.numbers[-1], **planned)

    def sentence(self, reading: Reading, evidence: Mapping[str, float], outcome: Outcome) -> str:  # noqa: ARG002
        """How many epochs were trained, of how many."""
        if outcome == "not_applicable":
            return "Without early_stopped the end of the curve may or may not be its own."
        epochs = f"{evidence['epochs']:.0f}"
        if outcome == "ok":
            return f"Early stopping did not end its {epochs} epochs."
        planned = f" of {evidence['planned_epochs']:.0f} planned" if "planned_epochs" in evidence else ""
        return f"Early stopping ended training after {epochs}{planned} epochs."

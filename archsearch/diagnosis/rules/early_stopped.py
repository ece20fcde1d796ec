"""AS704: early stopping ended the run."""

from dataclasses import dataclass
from typing import ClassVar

from archsearch.diagnosis.reading import Reading
from archsearch.diagnosis.rules.rule import not_applicable
from archsearch.diagnosis.values import Finding


@dataclass(frozen=True, slots=True)
class EarlyStopped:
    """Early stopping ended the run: what would have followed is not known."""

    code: ClassVar[str] = "AS704"
    title: ClassVar[str] = "Stopped early"

    def judge(self, reading: Reading) -> Finding:
        """Flag if the run was stopped early."""
        context = reading.context
        if context.early_stopped is None:
            return not_applicable(self, "early_stopped", "the end of the curve may or may not be its own")
        evidence = {"epochs": float(reading.epochs)}
        if not context.early_stopped:
            message = f"Trained for all its {reading.epochs} epochs."
            return Finding(self.code, self.title, "ok", evidence, message)
        planned = ""
        if context.planned_epochs is not None:
            evidence["planned_epochs"] = float(context.planned_epochs)
            planned = f" of {context.planned_epochs} planned"
        message = f"Early stopping ended training after {reading.epochs}{planned} epochs."
        return Finding(self.code, self.title, "flag", evidence, message)

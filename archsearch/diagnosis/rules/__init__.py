"""The rules: one frozen value per file, each with a stable code, its thresholds and their reasons."""

from archsearch.diagnosis.rules.diverged import Diverged
from archsearch.diagnosis.rules.early_stopped import EarlyStopped
from archsearch.diagnosis.rules.enough_epochs import EnoughEpochs
from archsearch.diagnosis.rules.learning_rate_gone import LearningRateGone
from archsearch.diagnosis.rules.memorised import Memorised
from archsearch.diagnosis.rules.not_converged import NotConverged
from archsearch.diagnosis.rules.not_learning import NotLearning
from archsearch.diagnosis.rules.overfit import Overfit
from archsearch.diagnosis.rules.predicts_one_class import PredictsOneClass
from archsearch.diagnosis.rules.rule import Measured, Rule, judge
from archsearch.diagnosis.rules.small_validation_set import SmallValidationSet
from archsearch.diagnosis.rules.train_above_validation import DropoutAboveValidation, TrainAboveValidation
from archsearch.diagnosis.rules.underfit import Underfit
from archsearch.diagnosis.rules.unstable import Unstable
from archsearch.diagnosis.rules.validation_easier import ValidationEasier

__all__ = [
    "Diverged",
    "DropoutAboveValidation",
    "EarlyStopped",
    "EnoughEpochs",
    "LearningRateGone",
    "Measured",
    "Memorised",
    "NotConverged",
    "NotLearning",
    "Overfit",
    "PredictsOneClass",
    "Rule",
    "SmallValidationSet",
    "TrainAboveValidation",
    "Underfit",
    "Unstable",
    "ValidationEasier",
    "judge",
]

"""Which remedies help against which verdict, in the order to try.

What keeps the stack comes before what changes it, so that the remedy judges the architecture and not another
one: first how it is trained and regularised, beginning with dropout, then batch normalisation, then the sizes
and the number of its blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from archsearch.architecture import AnyArchitecture
from archsearch.diagnosis import Diagnosis, Verdict
from archsearch.records import DataSummary, Recipe
from archsearch.remedies import network, training
from archsearch.remedies.change import Change, NetworkChange, RecipeChange, Subject


@dataclass(frozen=True, slots=True)
class Remedy:
    """One thing to try.

    Attributes
    ----------
    code : str
        Stable, for example ``"lower-dropout"``.
    title : str
        What is different, for example ``"Lower dropout to 0.2"``.
    why : str
        The evidence of the diagnosis, and what the remedy does about it.
    architecture : Architecture or HyperModelArchitecture
        What to train.
    recipe : Recipe
        How to train it.
    """

    code: str
    title: str
    why: str
    architecture: AnyArchitecture
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Advice:
    """A change that helps against a verdict.

    Attributes
    ----------
    change : NetworkChange or RecipeChange
    because : str
        How it helps; the second half of a sentence.
    only_with, unless : str
        A flag, or the code of the deciding finding, with or without which alone it is advised; empty for any.
    """

    change: Change
    because: str
    only_with: str = ""
    unless: str = ""

    def counts_for(self, diagnosis: Diagnosis) -> bool:
        """Whether what the diagnosis found besides its verdict speaks for this advice."""
        marks = {*diagnosis.flags, *(finding.code for finding in diagnosis.findings[:1])}
        return (not self.only_with or self.only_with in marks) and self.unless not in marks


LOWER_DROPOUT = NetworkChange("lower-dropout", network.lower_dropout)
RAISE_DROPOUT = NetworkChange("raise-dropout", network.raise_dropout)
# More than would ever be advised: the cause, as likely as not.
HEAVY_DROPOUT = NetworkChange(
    "lower-dropout", network.where_heavy(network.lower_dropout, "dropout", network.HIGHER_DROPOUT[-1])
)
HEAVY_L2 = NetworkChange("lower-l2", network.where_heavy(network.lower_l2, "l2", network.HIGHER_L2[-1]))
LOWER_L2 = NetworkChange("lower-l2", network.lower_l2)
RAISE_L2 = NetworkChange("raise-l2", network.raise_l2)
BATCH_NORM = NetworkChange("batch-norm", network.add_batch_norm)
ACTIVATION = NetworkChange("other-activation", network.other_activation)
NARROWER = NetworkChange("narrower", network.narrower)
WIDER = NetworkChange("wider", network.wider)
FEWER_BLOCKS = NetworkChange("fewer-blocks", network.fewer_blocks)
MORE_BLOCKS = NetworkChange("more-blocks", network.more_blocks)
GLOBAL_AVERAGE = NetworkChange("global-average", network.global_average)
MORE_EPOCHS = RecipeChange("more-epochs", training.more_epochs, reaches_hypermodels=True)
ENOUGH_EPOCHS = RecipeChange("more-epochs", training.enough_epochs, reaches_hypermodels=True)
EARLY_STOPPING = RecipeChange("early-stopping", training.early_stopping, reaches_hypermodels=True)
LARGER_BATCH = RecipeChange("larger-batch", training.larger_batch, reaches_hypermodels=True)
CLASS_WEIGHTS = RecipeChange("class-weights", training.balance_classes, reaches_hypermodels=True)
DECAYING_RATE = RecipeChange("decaying-rate", training.decaying_rate)
CONSTANT_RATE = RecipeChange("constant-rate", training.constant_rate)
LOWER_DECAY = RecipeChange("lower-weight-decay", training.lower_weight_decay)
RAISE_DECAY = RecipeChange("raise-weight-decay", training.raise_weight_decay)
AUGMENTATION = RecipeChange("augmentation", training.augment)
NO_AUGMENTATION = RecipeChange("no-augmentation", training.no_augmentation)
FLOAT32 = RecipeChange("float32", training.full_precision)

# Rates are tried in steps of about three where the present one works, and of ten where it does not.
RATE_BY_3, RATE_BY_10 = (
    RecipeChange("lower-learning-rate", training.lower_rate(factor)) for factor in (3.0, 10.0)
)
FASTER_BY_3, FASTER_BY_10 = (
    RecipeChange("raise-learning-rate", training.raise_rate(factor)) for factor in (3.0, 10.0)
)

_DECAYED = "learning_rate_decayed_to_zero"
_ONE_CLASS = "predicts_one_class"
# The validation loss never turned up: there is no better epoch to stop at.
_WIDE_GAP = "AS202"
_UNDECAYED = (
    Advice(CONSTANT_RATE, "the learning rate had come down to nothing before the losses settled", _DECAYED),
    Advice(MORE_EPOCHS, "the learning rate comes down more slowly in a longer run", _DECAYED),
)

ADVICE: Mapping[Verdict, tuple[Advice, ...]] = MappingProxyType(
    {
        Verdict.GOOD: (),
        Verdict.OVERFIT: (
            Advice(AUGMENTATION, "images that are never the same twice can't be memorised", _WIDE_GAP),
            Advice(
                EARLY_STOPPING, "epochs after the best one only memorise the training data", unless=_WIDE_GAP
            ),
            Advice(RAISE_DROPOUT, "neurons that drop out at random can't memorise samples together"),
            Advice(RAISE_L2, "smaller weights make a smoother function"),
            Advice(RAISE_DECAY, "smaller weights make a smoother function"),
            Advice(AUGMENTATION, "images that are never the same twice can't be memorised"),
            Advice(BATCH_NORM, "the noise of its batches regularises a little"),
            Advice(NARROWER, "fewer weights memorise less"),
            Advice(FEWER_BLOCKS, "fewer weights memorise less"),
            Advice(GLOBAL_AVERAGE, "most weights lie between the last feature maps and the dense part"),
        ),
        Verdict.UNDERFIT: (
            *_UNDECAYED,
            Advice(LOWER_DROPOUT, "dropout takes capacity from the stack"),
            Advice(LOWER_L2, "the penalty keeps the weights from fitting the data"),
            Advice(LOWER_DECAY, "weight decay keeps the weights from fitting the data"),
            Advice(NO_AUGMENTATION, "images as they are can be fitted more easily"),
            Advice(BATCH_NORM, "normalised activations let every block learn"),
            Advice(WIDER, "more weights fit more"),
            Advice(MORE_BLOCKS, "a deeper stack fits more"),
        ),
        Verdict.NOT_CONVERGED: (
            *_UNDECAYED,
            Advice(MORE_EPOCHS, "there was still something to gain"),
            Advice(FASTER_BY_3, "larger steps get there in fewer epochs", unless="decaying_spikes"),
            Advice(BATCH_NORM, "normalised activations take fewer epochs"),
        ),
        Verdict.UNSTABLE: (
            Advice(RATE_BY_3, "smaller steps jump less"),
            Advice(LARGER_BATCH, "the gradient of a larger batch is less noisy"),
            Advice(BATCH_NORM, "normalised activations bear larger steps"),
            Advice(DECAYING_RATE, "steps that become smaller let the losses settle"),
            Advice(FLOAT32, "16 bits round the activations"),
        ),
        Verdict.DIVERGED: (
            Advice(RATE_BY_10, "the steps were too large to come down"),
            Advice(FLOAT32, "large activations overflow in 16 bits"),
            Advice(BATCH_NORM, "normalised activations bear larger steps"),
        ),
        Verdict.NOT_LEARNING: (
            Advice(CLASS_WEIGHTS, "predicting one class always then costs as much as guessing", _ONE_CLASS),
            Advice(HEAVY_DROPOUT, "so much dropout drowns what is to be learned"),
            Advice(HEAVY_L2, "so heavy a penalty pulls all weights to 0"),
            Advice(RATE_BY_10, "steps that are too large lose what they learn"),
            Advice(FASTER_BY_10, "steps that are too small never leave the start"),
            Advice(LOWER_DROPOUT, "dropout may drown what is to be learned"),
            Advice(LOWER_L2, "a penalty pulls all weights to 0"),
            Advice(LOWER_DECAY, "weight decay pulls all weights to 0"),
            Advice(NO_AUGMENTATION, "images as they are can be learned more easily"),
            Advice(ACTIVATION, "gradients die in saturated or silent activations"),
            Advice(BATCH_NORM, "normalised activations pass gradients through a deep stack"),
            Advice(WIDER, "a narrow block lets too little through"),
            Advice(CLASS_WEIGHTS, "rare classes then count as much as frequent ones"),
        ),
        Verdict.INCONCLUSIVE: (
            Advice(ENOUGH_EPOCHS, "a verdict needs curves that are long enough to read", "AS001"),
        ),
        Verdict.NOT_JUDGED: (),
    }
)
"""For each verdict what to try, in this order; what does not apply to an architecture is left out."""


def remedies(
    diagnosis: Diagnosis, architecture: AnyArchitecture, recipe: Recipe, data: DataSummary | None = None
) -> tuple[Remedy, ...]:
    """What to train next, in the order to try; nothing where there is no fault or nothing applies.

    Each remedy changes one thing, and no two are the same.

    Parameters
    ----------
    diagnosis : Diagnosis
        Of a training of `architecture`; its verdict on the whole run counts.
    architecture : Architecture or HyperModelArchitecture
    recipe : Recipe
    data : DataSummary, optional
        Of the data it was trained on: what images can't take is left out, and what even classes don't need.
    """
    subject = Subject(architecture, recipe, data)
    found: dict[tuple[AnyArchitecture, Recipe], Remedy] = {}
    for advice in ADVICE[diagnosis.verdict]:
        changed = advice.change.apply(subject) if advice.counts_for(diagnosis) else None
        if changed is not None:
            why = _why(diagnosis, advice)
            remedy = Remedy(advice.change.code, changed.title, why, changed.architecture, changed.recipe)
            found.setdefault((changed.architecture, changed.recipe), remedy)
    return tuple(found.values())


def _why(diagnosis: Diagnosis, advice: Advice) -> str:
    """The sentence of the finding that the advice rests on, and how it helps."""
    findings = diagnosis.findings
    flagged = (each for each in findings if advice.only_with and each.flag == advice.only_with)
    finding = next(flagged, findings[0] if findings else None)
    if finding is None:
        return f"{advice.because[0].upper()}{advice.because[1:]}."
    return f"{finding.message.rstrip('.')}: {advice.because}."

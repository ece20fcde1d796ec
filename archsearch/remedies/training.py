"""Changes of the recipe: how long, how fast, with which penalties and on what images a network is trained.

Each function takes a subject and gives a title and another recipe, or None where the change does not apply or
is at its limit.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from archsearch.architecture import Architecture
from archsearch.records import NO_AUGMENTATION, Augmentation, Recipe
from archsearch.remedies.change import Subject, rung_above, rung_below, short

# As many as a space plans where it does not say; the most it may plan.
USUAL_EPOCHS = 30
MOST_EPOCHS = 100_000

# Keras' defaults.
USUAL_RATE = MappingProxyType({"adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3, "sgd": 1e-2})
# A rate is looked for within a decade above and two below (Bengio 2012, "Practical Recommendations").
LOWEST_RATE, HIGHEST_RATE = 1e-2, 10.0

# Of AdamW; Keras' default is 0.004.
HIGHER_DECAY = (0.004, 0.04)
LOWER_DECAY = (0.0, *HIGHER_DECAY)

# From 512 samples on, larger batches were seen to generalise worse (Keskar et al. 2017, arXiv 1609.04836).
MOST_BATCH = 512
LEAST_STEPS = 10

LEAST_PATIENCE = 10

# Small changes that leave digits, letters and X-rays what they are; a mirror image may be something else.
GENTLE = Augmentation(rotation=0.05, zoom=0.1)

# Share of the greatest entropy from which classes are so even that weights would do nothing; of two classes
# it is reached at 44 : 56.
EVEN = 0.99

Made = tuple[str, Recipe] | None


def more_epochs(subject: Subject) -> Made:
    """Twice as many."""
    epochs = 2 * subject.recipe.epochs
    return None if epochs > MOST_EPOCHS else (f"Train for {epochs} epochs", _with(subject, epochs=epochs))


def enough_epochs(subject: Subject) -> Made:
    """As many as usual, where fewer were planned."""
    if subject.recipe.epochs >= USUAL_EPOCHS:
        return None
    return f"Train for {USUAL_EPOCHS} epochs", _with(subject, epochs=USUAL_EPOCHS)


def early_stopping(subject: Subject) -> Made:
    """With a patience of a tenth of the epochs, at least 10, where it can end a run by its middle."""
    recipe = subject.recipe
    patience = max(LEAST_PATIENCE, recipe.epochs // 10)
    if recipe.patience is not None or 2 * patience > recipe.epochs:
        return None
    return f"Stop early, after {patience} epochs without a gain", _with(subject, patience=patience)


def lower_rate(factor: float) -> Callable[[Subject], Made]:
    """The learning rate divided by `factor`; down to a hundredth of the optimizer's usual one."""

    def make(subject: Subject) -> Made:
        rate, usual = subject.recipe.learning_rate, USUAL_RATE[subject.recipe.optimizer]
        lower = short(min(rate / factor, usual * HIGHEST_RATE))
        if lower < short(usual * LOWEST_RATE) or lower >= rate:
            return None
        return f"Lower the learning rate to {lower:g}", _with(subject, learning_rate=lower)

    return make


def raise_rate(factor: float) -> Callable[[Subject], Made]:
    """The learning rate times `factor`; up to ten times the optimizer's usual one."""

    def make(subject: Subject) -> Made:
        rate, usual = subject.recipe.learning_rate, USUAL_RATE[subject.recipe.optimizer]
        higher = short(min(max(rate * factor, usual * LOWEST_RATE), usual * HIGHEST_RATE))
        if higher <= rate:
            return None
        return f"Raise the learning rate to {higher:g}", _with(subject, learning_rate=higher)

    return make


def decaying_rate(subject: Subject) -> Made:
    """The cosine schedule, where the rate was constant."""
    if subject.recipe.schedule != "constant":
        return None
    return "Let the learning rate decay along a cosine", _with(subject, schedule="cosine")


def constant_rate(subject: Subject) -> Made:
    """A constant rate, where plateaus lowered it."""
    if subject.recipe.schedule != "plateau":
        return None
    return "Keep the learning rate constant", _with(subject, schedule="constant")


def larger_batch(subject: Subject) -> Made:
    """Twice as large, up to 512, where an epoch still has ten steps."""
    size = 2 * subject.recipe.batch_size
    if size > MOST_BATCH or (subject.data is not None and size * LEAST_STEPS > subject.data.n_train):
        return None
    return f"Take batches of {size}", _with(subject, batch_size=size)


def raise_weight_decay(subject: Subject) -> Made:
    """Of AdamW, a decade up; Adam becomes AdamW, because it scales L2 away (Loshchilov and Hutter 2019)."""
    recipe = subject.recipe
    higher = rung_above(recipe.weight_decay, HIGHER_DECAY)
    if recipe.optimizer not in ("adam", "adamw") or higher is None:
        return None
    what = "Raise weight decay to" if recipe.optimizer == "adamw" else "Use AdamW with weight decay"
    return f"{what} {higher:g}", _with(subject, optimizer="adamw", weight_decay=higher)


def lower_weight_decay(subject: Subject) -> Made:
    """Of AdamW, a decade down, from 0.004 to none."""
    lower = rung_below(subject.recipe.weight_decay, LOWER_DECAY)
    if lower is None:
        return None
    title = f"Lower weight decay to {lower:g}" if lower else "Leave out weight decay"
    return title, _with(subject, weight_decay=lower)


def augment(subject: Subject) -> Made:
    """Small rotations and zooms of images that were not augmented."""
    if not _takes_images(subject) or subject.recipe.augmentation != NO_AUGMENTATION:
        return None
    return "Rotate and zoom training images a little", _with(subject, augmentation=GENTLE)


def no_augmentation(subject: Subject) -> Made:
    """Images as they are."""
    if subject.recipe.augmentation == NO_AUGMENTATION:
        return None
    return "Leave out augmentation", _with(subject, augmentation=NO_AUGMENTATION)


def full_precision(subject: Subject) -> Made:
    """32 bits, where hidden layers had 16."""
    if subject.recipe.precision == "float32":
        return None
    return "Compute in float32", _with(subject, precision="float32")


def balance_classes(subject: Subject) -> Made:
    """Balanced class weights, unless they are balanced already or the classes are about equally large."""
    data = subject.data
    if subject.recipe.class_weights == "balanced" or (data is not None and data.balanced):
        return None
    if data is not None and data.prior_entropy >= EVEN * math.log(len(data.classes)):
        return None
    return "Weigh classes so that each counts the same", _with(subject, class_weights="balanced")


def _takes_images(subject: Subject) -> bool:
    if subject.data is not None:
        return len(subject.data.input_shape) == 3
    return isinstance(subject.architecture, Architecture) and bool(subject.architecture.conv)


def _with(subject: Subject, **words: object) -> Recipe:
    return replace(subject.recipe, **words)  # type: ignore[arg-type]

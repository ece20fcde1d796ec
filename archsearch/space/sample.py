"""A search space and a `Suggest` make an architecture and a recipe.

Each family asks for the same parameters at every call, whatever their values: only then does a multivariate
sampler model all of them jointly.
"""

from dataclasses import replace
from typing import Any

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.records import Augmentation, Recipe
from archsearch.space.family_words import (
    MOST_FILTERS,
    CnnFamily,
    DenseFamily,
    DropoutByDirection,
    HyperModelFamily,
)
from archsearch.space.orderings import repeated, rises, widths
from archsearch.space.parameters import Range, choose
from archsearch.space.schema import SearchSpace
from archsearch.space.training_words import AugmentationWords, TrainingWords
from archsearch.suggest import MiddleSuggest, RandomSuggest, Suggest

OFF = "off"


def sample_architecture(
    family: DenseFamily | CnnFamily, suggest: Suggest, input_shape: tuple[int, ...]
) -> Architecture:
    """Sample one architecture of `family` for samples of `input_shape`.

    What its images can't take is repaired (`Architecture.fitted`).
    """
    if isinstance(family, DenseFamily):
        return Architecture(family="dense", dense=_dense_stack(family, suggest, "dense"))
    head = _dense_stack(family.dense, suggest, "head") if family.dense else ()
    conv = _conv_stack(family, suggest)
    bridge = choose(suggest, "cnn.bridge", family.bridge)
    return Architecture(family="cnn", conv=conv, bridge=bridge, dense=head).fitted(input_shape)


def sample_recipe(training: TrainingWords, suggest: Suggest) -> Recipe:
    """Sample how to train it.

    What the optimizer has no use for is 0, so that trainings that are the same compare equal.
    """

    def pick(word: str) -> Any:
        return choose(suggest, f"training.{word}", getattr(training, word))

    recipe = Recipe(
        epochs=pick("epochs"),
        batch_size=pick("batch_size"),
        optimizer=pick("optimizer"),
        learning_rate=pick("learning_rate"),
        patience=_patience(training.early_stopping, suggest),
        momentum=pick("momentum"),
        weight_decay=pick("weight_decay"),
        schedule=pick("schedule"),
        precision=pick("precision"),
        augmentation=_augmentation(training.augmentation, suggest),
    )
    return replace(
        recipe,
        momentum=recipe.momentum if recipe.optimizer == "sgd" else 0.0,
        weight_decay=recipe.weight_decay if recipe.optimizer == "adamw" else 0.0,
    )


def named_recipe(training: TrainingWords) -> Recipe:
    """The recipe of named architectures: the first of each list, the middle of each range."""
    return sample_recipe(training, MiddleSuggest())


def sample_space(
    space: SearchSpace, input_shape: tuple[int, ...], count: int, seed: int
) -> list[Architecture]:
    """`count` random architectures of the dense and cnn families, in turn; none where there are neither.

    What a HyperModel makes is known only by building it.
    """
    suggest = RandomSuggest(seed)
    families = [f for f in space.families.named.values() if not isinstance(f, HyperModelFamily)]
    if not families:
        return []
    return [sample_architecture(families[n % len(families)], suggest, input_shape) for n in range(count)]


def _patience(word: Any, suggest: Suggest) -> int | None:
    if isinstance(word, tuple):
        choices = tuple(OFF if each is None else each.patience for each in word)
        chosen = choose(suggest, "training.early_stopping", choices)
        return None if chosen == OFF else int(chosen)
    return None if word is None else int(choose(suggest, "training.early_stopping.patience", word.patience))


def _augmentation(words: AugmentationWords, suggest: Suggest) -> Augmentation:
    names = type(words).model_fields
    values = {name: choose(suggest, f"training.augmentation.{name}", getattr(words, name)) for name in names}
    return Augmentation(**values)


def _dense_stack(family: DenseFamily, suggest: Suggest, prefix: str) -> tuple[DenseBlock, ...]:
    def pick(word: str) -> Any:
        return choose(suggest, f"{prefix}.{word}", getattr(family, word))

    ordering, depth = pick("ordering"), pick("depth")
    sizes = widths(ordering, depth, pick("narrowest"), pick("widest"))
    repeats = pick("repeats")
    rising, falling = _dropout_rates(family, suggest, prefix)
    activation, batch_norm = pick("activation"), pick("batch_norm")
    l2 = _short(suggest, f"{prefix}.l2", family.l2)
    return tuple(
        DenseBlock(width, rising if is_rising else falling, activation, batch_norm, l2)
        for width, is_rising in repeated(zip(sizes, rises(ordering, depth), strict=True), repeats)
    )


def _dropout_rates(family: DenseFamily, suggest: Suggest, prefix: str) -> tuple[float, float]:
    if isinstance(family.dropout, DropoutByDirection):
        return (
            _short(suggest, f"{prefix}.dropout.rising", family.dropout.rising),
            _short(suggest, f"{prefix}.dropout.falling", family.dropout.falling),
        )
    rate = _short(suggest, f"{prefix}.dropout", family.dropout)
    return rate, rate


def _conv_stack(family: CnnFamily, suggest: Suggest) -> tuple[ConvBlock, ...]:
    def pick(word: str) -> Any:
        return choose(suggest, f"cnn.{word}", getattr(family, word))

    first = choose(suggest, "cnn.filters.first", family.filters.first)
    growth = choose(suggest, "cnn.filters.growth", family.filters.growth)
    number = pick("blocks")
    block = ConvBlock(
        filters=first,
        layer=pick("layer"),
        kernel=pick("kernel"),
        stride=pick("stride"),
        padding=pick("padding"),
        activation=pick("activation"),
        pooling=pick("pooling"),
        dropout=_short(suggest, "cnn.dropout", family.dropout),
        batch_norm=pick("batch_norm"),
        l2=_short(suggest, "cnn.l2", family.l2),
    )
    return tuple(replace(block, filters=min(MOST_FILTERS, round(first * growth**n))) for n in range(number))


def _short(suggest: Suggest, name: str, word: Any) -> float:
    """A number of an architecture; one from a range with three significant digits, for a short notation."""
    chosen = float(choose(suggest, name, word))
    if not isinstance(word, Range):
        return chosen
    return float(min(max(float(f"{chosen:.3g}"), word.low), word.high))

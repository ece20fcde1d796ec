"""A search space and a `Suggest` make an architecture and a recipe.

Each family asks for the same parameters at every call, whatever their values: only then does a multivariate
sampler model all of them jointly.
"""

from typing import Any

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.records import Recipe
from archsearch.space.orderings import rises, widths
from archsearch.space.parameters import choose, first_choice
from archsearch.space.schema import CnnFamily, DenseFamily, DropoutByDirection, SearchSpace, TrainingWords
from archsearch.suggest import RandomSuggest, Suggest


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
    """Sample how to train it."""
    return Recipe(
        epochs=training.epochs,
        batch_size=choose(suggest, "training.batch_size", training.batch_size),
        optimizer=choose(suggest, "training.optimizer", training.optimizer),
        learning_rate=choose(suggest, "training.learning_rate", training.learning_rate),
        patience=training.early_stopping.patience if training.early_stopping else None,
    )


def named_recipe(training: TrainingWords) -> Recipe:
    """The recipe of named architectures: the first of each list, the middle of each range."""
    return sample_recipe(
        training.model_copy(
            update={
                word: first_choice(getattr(training, word))
                for word in ("batch_size", "optimizer", "learning_rate")
            }
        ),
        RandomSuggest(0),
    )


def sample_space(
    space: SearchSpace, input_shape: tuple[int, ...], count: int, seed: int
) -> list[Architecture]:
    """`count` random architectures of the space's families, in turn."""
    suggest = RandomSuggest(seed)
    families = list(space.families.named.values())
    return [sample_architecture(families[n % len(families)], suggest, input_shape) for n in range(count)]


def _dense_stack(family: DenseFamily, suggest: Suggest, prefix: str) -> tuple[DenseBlock, ...]:
    def pick(word: str) -> Any:
        return choose(suggest, f"{prefix}.{word}", getattr(family, word))

    ordering, depth = pick("ordering"), pick("depth")
    sizes = widths(ordering, depth, pick("narrowest"), pick("widest"))
    rising, falling = _dropout_rates(family, suggest, prefix)
    activation, batch_norm, l2 = pick("activation"), pick("batch_norm"), pick("l2")
    return tuple(
        DenseBlock(width, rising if is_rising else falling, activation, batch_norm, l2)
        for width, is_rising in zip(sizes, rises(ordering, depth), strict=True)
    )


def _dropout_rates(family: DenseFamily, suggest: Suggest, prefix: str) -> tuple[float, float]:
    if isinstance(family.dropout, DropoutByDirection):
        return (
            choose(suggest, f"{prefix}.dropout.rising", family.dropout.rising),
            choose(suggest, f"{prefix}.dropout.falling", family.dropout.falling),
        )
    rate = choose(suggest, f"{prefix}.dropout", family.dropout)
    return rate, rate


def _conv_stack(family: CnnFamily, suggest: Suggest) -> tuple[ConvBlock, ...]:
    def pick(word: str) -> Any:
        return choose(suggest, f"cnn.{word}", getattr(family, word))

    first = choose(suggest, "cnn.filters.first", family.filters.first)
    growth = choose(suggest, "cnn.filters.growth", family.filters.growth)
    blocks, kernel, pooling, activation = pick("blocks"), pick("kernel"), pick("pooling"), pick("activation")
    dropout, batch_norm, l2 = pick("dropout"), pick("batch_norm"), pick("l2")
    return tuple(
        ConvBlock(
            filters=round(first * growth**n),
            kernel=kernel,
            activation=activation,
            pooling=pooling,
            dropout=dropout,
            batch_norm=batch_norm,
            l2=l2,
        )
        for n in range(blocks)
    )

"""What a space says about how architectures are trained."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from archsearch.space.family_words import Penalty, Rate
from archsearch.space.parameters import Choice, Quantity, Range, Words, largest

Epochs = Annotated[int, Field(ge=1, le=100_000)]
LearningRate = Annotated[float, Field(gt=0, le=100)]
BatchSize = Annotated[int, Field(ge=1, le=65_536)]
Patience = Annotated[int, Field(ge=1, le=100_000)]
Turn = Annotated[float, Field(ge=0, le=0.5)]
Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]
Schedule = Literal["constant", "cosine", "plateau"]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]
Flip = Literal["none", "horizontal", "vertical", "both"]


class EarlyStopping(Words):
    """Stop a training after `patience` epochs without a lower validation loss."""

    patience: Quantity[Patience, Range[Patience]] = Field(
        description="Epochs without a lower validation loss before training stops."
    )


def _off(value: Any) -> Any:
    return None if value is False or value == "off" else value


def _one_patience(value: EarlyStopping | None) -> EarlyStopping | None:
    if value is not None and not isinstance(value.patience, int):
        raise ValueError("in a list each patience is one number; write off and {patience: …} once for each")
    return value


def _early_stopping_form(value: Any) -> str:
    return "<list>" if isinstance(value, list | tuple) else "<one>"


_MaybeStopping = Annotated[
    EarlyStopping | None,
    BeforeValidator(_off, json_schema_input_type=EarlyStopping | Literal["off", False] | None),
]
_Stoppings = tuple[Annotated[_MaybeStopping, AfterValidator(_one_patience)], ...]
EarlyStoppings = Annotated[
    Annotated[_MaybeStopping, Tag("<one>")]
    | Annotated[_Stoppings, Field(min_length=1, strict=False), Tag("<list>")],
    Discriminator(_early_stopping_form),
]


class AugmentationWords(Words):
    """Random changes of training images; each word is one value, a list or a range."""

    flip: Choice[Flip] = Field(default="none", description="Mirror images at random.")
    rotation: Quantity[Turn, Range[Turn]] = Field(
        default=0.0, description="Largest angle, either way, as a share of a full turn."
    )
    zoom: Quantity[Rate, Range[Rate]] = Field(
        default=0.0, description="Largest zoom, in or out, as a share of the image."
    )
    contrast: Quantity[Rate, Range[Rate]] = Field(
        default=0.0, description="Largest change of contrast, up or down, as a share."
    )


class TrainingWords(Words):
    """How every architecture is trained; every word but `seeds` is one value, a list or a range."""

    epochs: Quantity[Epochs, Range[Epochs]] = Field(default=30, description="Planned epochs.")
    seeds: int = Field(
        default=1, ge=1, le=100, description="How often each architecture is trained; its score is the mean."
    )
    batch_size: Quantity[BatchSize, Range[BatchSize]] = Field(
        default=32, description="Samples per training step."
    )
    optimizer: Choice[Optimizer] = Field(default="adam", description="Keras' optimizer.")
    learning_rate: Quantity[LearningRate, Range[LearningRate]] = Field(
        default=1e-3, description="Learning rate, at the start where a schedule changes it."
    )
    momentum: Quantity[Rate, Range[Rate]] = Field(
        default=0.0, description="Momentum of sgd; without meaning for the others."
    )
    weight_decay: Quantity[Penalty, Range[Penalty]] = Field(
        default=0.004, description="Weight decay of adamw; without meaning for the others."
    )
    schedule: Choice[Schedule] = Field(
        default="constant", description="How the learning rate changes from epoch to epoch."
    )
    early_stopping: EarlyStoppings = Field(
        default=None,
        description="Stop a training that no longer gains: off, {patience: 10} or a list of both.",
    )
    precision: Choice[Precision] = Field(default="float32", description="Keras' dtype policy.")
    augmentation: AugmentationWords = Field(
        default=AugmentationWords(), description="Random changes of training images."
    )

    @property
    def longest(self) -> int:
        """The most epochs that a recipe may plan."""
        return int(largest(self.epochs))

"""The search space: what a YAML file (or a mapping) may say, and errors that say where it is wrong."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    PrivateAttr,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from archsearch.architecture import (
    Activation,
    AnyArchitecture,
    Architecture,
    Bridge,
    ConvBlock,
    DenseBlock,
    HyperModelArchitecture,
    Layer,
    Padding,
    Pooling,
)
from archsearch.errors import SpaceError
from archsearch.notation import is_stack, parse, parse_values
from archsearch.space.data_words import Data, Source
from archsearch.space.document import Document, Location, read_document
from archsearch.space.faults import UNKNOWN_FAMILY, describe_faults, located
from archsearch.space.orderings import Ordering
from archsearch.space.parameters import Choice, Quantity, Range, Words, largest, ranges_in

Width = Annotated[int, Field(ge=1, le=65_536)]
Depth = Annotated[int, Field(ge=1, le=64)]
Repeats = Annotated[int, Field(ge=1, le=8)]
Blocks = Annotated[int, Field(ge=1, le=16)]
MOST_FILTERS = 4_096
Filters = Annotated[int, Field(ge=1, le=MOST_FILTERS)]
Growth = Annotated[float, Field(ge=1, le=4)]
Kernel = Annotated[int, Field(ge=1, le=15)]
Stride = Annotated[int, Field(ge=1, le=8)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Penalty = Annotated[float, Field(ge=0, le=10)]
Epochs = Annotated[int, Field(ge=1, le=100_000)]
LearningRate = Annotated[float, Field(gt=0, le=100)]
BatchSize = Annotated[int, Field(ge=1, le=65_536)]
Patience = Annotated[int, Field(ge=1, le=100_000)]
Turn = Annotated[float, Field(ge=0, le=0.5)]
Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]
Schedule = Literal["constant", "cosine", "plateau"]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]
Flip = Literal["none", "horizontal", "vertical", "both"]


class DropoutByDirection(Words):
    """Dropout of the rising and of the falling part of a stack."""

    rising: Quantity[Rate, Range[Rate]] = Field(
        default=0.0, description="Dropout rate where widths rise, from 0, below 1."
    )
    falling: Quantity[Rate, Range[Rate]] = Field(
        default=0.0, description="Dropout rate where widths fall, from 0, below 1."
    )


def _dropout_form(value: Any) -> str:
    by_direction = isinstance(value, Mapping) and not {"low", "high", "log"} & set(value)
    return "each" if by_direction or isinstance(value, DropoutByDirection) else "both"


Dropout = Annotated[
    Annotated[DropoutByDirection, Tag("each")] | Annotated[Quantity[Rate, Range[Rate]], Tag("both")],
    Discriminator(_dropout_form),
]


class DenseFamily(Words):
    """Fully connected stacks; every word is one value, a list or a range."""

    ordering: Choice[Ordering] = Field(
        default=("falling", "rising", "diamond"), description="How widths follow each other."
    )
    depth: Quantity[Depth, Range[Depth]] = Field(description="Number of blocks, before repeats.")
    narrowest: Quantity[Width, Range[Width]] = Field(description="Neurons of the narrowest block.")
    widest: Quantity[Width, Range[Width]] = Field(description="Neurons of the widest block.")
    repeats: Quantity[Repeats, Range[Repeats]] = Field(
        default=1, description="How often each block stands, except the first and the last one."
    )
    dropout: Dropout = Field(
        default=0.0, description="Dropout rate, or one each for the rising and the falling part."
    )
    activation: Choice[Activation] = Field(default="relu", description="Activation of every block.")
    batch_norm: Choice[bool] = Field(
        default=False, description="Whether batch normalisation follows the activation."
    )
    l2: Quantity[Penalty, Range[Penalty]] = Field(
        default=0.0, description="Weight of the L2 penalty on the kernels."
    )


class FilterGrowth(Words):
    """Filters of the first block, and the factor from block to block."""

    first: Quantity[Filters, Range[Filters]] = Field(description="Filters of the first block.")
    growth: Quantity[Growth, Range[Growth]] = Field(
        default=2.0, description="Factor from block to block; no block has more than 4096 filters."
    )


class CnnFamily(Words):
    """Convolutional blocks, a bridge, and a dense head; every word is one value, a list or a range."""

    layer: Choice[Layer] = Field(default="conv2d", description="The kind of convolution.")
    blocks: Quantity[Blocks, Range[Blocks]] = Field(description="Number of convolutional blocks.")
    filters: FilterGrowth = Field(description="How many filters the blocks have.")
    kernel: Quantity[Kernel, Range[Kernel]] = Field(
        default=3, description="Side of the square kernel, in pixels."
    )
    stride: Quantity[Stride, Range[Stride]] = Field(
        default=1, description="Step of the kernel of every block, in pixels."
    )
    padding: Choice[Padding] = Field(
        default="same", description="Whether images are padded so that stride 1 keeps their size."
    )
    activation: Choice[Activation] = Field(default="relu", description="Activation of every convolution.")
    pooling: Choice[Pooling] = Field(default="max", description="2×2 pooling after every convolution.")
    dropout: Quantity[Rate, Range[Rate]] = Field(
        default=0.0, description="Dropout rate after every convolutional block."
    )
    batch_norm: Choice[bool] = Field(
        default=False, description="Whether batch normalisation follows the pooling."
    )
    l2: Quantity[Penalty, Range[Penalty]] = Field(
        default=0.0, description="Weight of the L2 penalty on the kernels."
    )
    bridge: Choice[Bridge] = Field(default="flatten", description="How feature maps become a vector.")
    dense: DenseFamily | None = Field(
        default=None, description="The dense head, with the words of families.dense; none if left out."
    )


class HyperModelFamily(Words):
    """A KerasTuner ``HyperModel`` of the user's own."""

    hypermodel: str = Field(
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$",
        description="Where it is: package.module:ClassName, looked up from the space's folder.",
    )
    arguments: dict[str, JsonValue] = Field(
        default_factory=dict, description="What its class is called with, by name."
    )


def _own_family(value: Any) -> Any:
    if isinstance(value, HyperModelFamily) or (isinstance(value, Mapping) and "hypermodel" in value):
        return value
    raise PydanticCustomError(UNKNOWN_FAMILY, "unknown family")


class Families(Words):
    """The families to search; each gets an equal share of the budget."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Annotated[HyperModelFamily, BeforeValidator(_own_family)]] = Field(
        init=False
    )

    dense: DenseFamily | None = Field(default=None, description="Fully connected stacks.")
    cnn: CnnFamily | None = Field(
        default=None, description="Convolutional blocks, a bridge, and a dense head."
    )

    @model_validator(mode="after")
    def _can_be_named(self) -> Self:
        wrong = [name for name in self.__pydantic_extra__ if not _FAMILY_NAME.fullmatch(name)]
        if wrong:
            message = "a family is named by letters, digits, '.', '_' and '-', the first a letter; not conv"
            raise located([((name,), message) for name in wrong])
        return self

    @property
    def named(self) -> dict[str, "AnyFamily"]:
        """The families that are given, by name, in a fixed order."""
        given: dict[str, AnyFamily | None] = {"dense": self.dense, "cnn": self.cnn}
        own = sorted(self.__pydantic_extra__.items())
        return {name: family for name, family in [*given.items(), *own] if family is not None}


AnyFamily = DenseFamily | CnnFamily | HyperModelFamily

# A line that begins with "conv" is a stack's.
_FAMILY_NAME = re.compile(r"(?!conv$)[A-Za-z][A-Za-z0-9._-]{0,79}")


def _short(names: tuple[str, ...]) -> FieldInfo:
    return Field(min_length=1, max_length=len(names), description=f"[{', '.join(names)}]")  # type: ignore[no-any-return]


def _named_fields(words: type[Words], names: tuple[str, ...]) -> BeforeValidator:
    """Accept ``[32, 0.2]`` for ``{width: 32, dropout: 0.2}``, and ``32`` for ``[32]``."""

    def as_mapping(value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = [value]
        if not isinstance(value, list | tuple):
            return value
        if len(value) > len(names):
            raise ValueError(f"at most {len(names)} values ({', '.join(names)}), not {len(value)}")
        return dict(zip(names, value, strict=False))

    several = list[float]
    return BeforeValidator(as_mapping, json_schema_input_type=words | int | Annotated[several, _short(names)])


class DenseBlockWords(Words):
    """One dense block of a named architecture: ``[width, dropout]`` for short."""

    width: Width = Field(description="Neurons.")
    dropout: Rate = Field(default=0.0, description="Dropout rate, from 0, below 1.")
    activation: Activation = Field(default="relu", description="Activation of the block.")
    batch_norm: bool = Field(default=False, description="Whether batch normalisation follows the activation.")
    l2: Penalty = Field(default=0.0, description="Weight of the L2 penalty on the kernel.")


class ConvBlockWords(Words):
    """One convolutional block of a named architecture: ``[filters, kernel]`` for short."""

    filters: Filters = Field(description="Number of filters.")
    kernel: Kernel = Field(default=3, description="Side of the square kernel, in pixels.")
    stride: Stride = Field(default=1, description="Step of the kernel, in pixels.")
    padding: Padding = Field(
        default="same", description="Whether images are padded so that stride 1 keeps their size."
    )
    layer: Layer = Field(default="conv2d", description="The kind of convolution.")
    activation: Activation = Field(default="relu", description="Activation of the convolution.")
    pooling: Pooling = Field(default="max", description="2×2 pooling after the convolution.")
    dropout: Rate = Field(default=0.0, description="Dropout rate, from 0, below 1.")
    batch_norm: bool = Field(default=False, description="Whether batch normalisation follows the pooling.")
    l2: Penalty = Field(default=0.0, description="Weight of the L2 penalty on the kernel.")


DenseStack = tuple[Annotated[DenseBlockWords, _named_fields(DenseBlockWords, ("width", "dropout"))], ...]
ConvStack = tuple[Annotated[ConvBlockWords, _named_fields(ConvBlockWords, ("filters", "kernel"))], ...]


class NamedArchitecture(Words):
    """An architecture written out block by block, or in one line."""

    dense: Annotated[DenseStack, Field(strict=False)] = Field(
        default=(), description="The dense blocks, each a mapping, [width, dropout] or a width."
    )
    conv: Annotated[ConvStack, Field(strict=False)] = Field(
        default=(), description="The convolutional blocks, each a mapping, [filters, kernel] or a number."
    )
    bridge: Bridge = Field(default="flatten", description="How feature maps become a vector.")

    @model_validator(mode="after")
    def _has_blocks(self) -> Self:
        if not (self.dense or self.conv):
            raise ValueError("an architecture needs dense blocks, conv blocks, or both")
        if self.bridge != "flatten" and not self.conv:
            raise ValueError("a bridge other than flatten needs conv blocks before it")
        return self

    def build(self) -> Architecture:
        """The architecture as a value."""
        return Architecture(
            family="cnn" if self.conv else "dense",
            conv=tuple(ConvBlock(**block.model_dump()) for block in self.conv),
            bridge=self.bridge,
            dense=tuple(DenseBlock(**block.model_dump()) for block in self.dense),
        )


class NamedHyperModel(Words):
    """What a HyperModel of the families builds from some values: ``mine units=64`` for short."""

    family: str = Field(description="The family that has the HyperModel.")
    values: dict[str, bool | int | float | str] = Field(
        description="The value of every hyperparameter that is active, by name."
    )

    def build(self, families: Families) -> HyperModelArchitecture:
        """The architecture as a value, given the families of its space."""
        family = families.named[self.family]
        assert isinstance(family, HyperModelFamily)  # as validated
        return HyperModelArchitecture(self.family, family.hypermodel, tuple(self.values.items()))


def _blocks_of_line(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    words = parse(value).to_json()
    return {word: words[word] for word in ("conv", "bridge", "dense")}


def _values_of_line(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    family, values = parse_values(value)
    return {"family": family, "values": dict(values)}


def _architecture_form(value: Any) -> str:
    if isinstance(value, str):
        return "<blocks>" if is_stack(value) else "<values>"
    by_values = isinstance(value, NamedHyperModel) or (isinstance(value, Mapping) and "family" in value)
    return "<values>" if by_values else "<blocks>"


def _line_or(words: type[Words], read: Callable[[Any], Any]) -> BeforeValidator:
    line = Annotated[str, Field(description="An architecture in one line, as archsearch prints it.")]
    return BeforeValidator(read, json_schema_input_type=words | line)


Named = Annotated[
    Annotated[NamedArchitecture, _line_or(NamedArchitecture, _blocks_of_line), Tag("<blocks>")]
    | Annotated[NamedHyperModel, _line_or(NamedHyperModel, _values_of_line), Tag("<values>")],
    Discriminator(_architecture_form),
]


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


class SearchWords(Words):
    """How the space is searched."""

    trials: int | None = Field(
        default=None, ge=1, description="Trials in all; by default the named ones and 20 per family."
    )
    hours: float | None = Field(
        default=None, gt=0, description="Hours of search in all, counted over resumes; no limit if left out."
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of the sampler and of trainings.")
    sampler: Literal["tpe", "random", "grid", "cma-es", "none"] = Field(
        default="tpe", description="Who proposes architectures; none trains the named ones only."
    )
    pruner: Literal["none", "median", "hyperband", "patient"] = Field(
        default="median", description="Who stops hopeless trainings early."
    )
    budget: Literal["trials", "epochs", "seconds"] = Field(
        default="trials", description="What families get equal shares of."
    )


class Constraints(Words):
    """What architectures may not exceed."""

    parameters: int | None = Field(default=None, ge=1, description="Most weights of a network.")


class Execution(Words):
    """Where trainings run: how many worker processes share this machine."""

    workers: int = Field(default=1, ge=1, le=256, description="Trainings at the same time.")


TRIALS_PER_FAMILY = 20

# cmaes refuses a single dimension, and Optuna gives it no categorical parameters.
CMA_ES_RANGES = 2

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]


class SearchSpace(Words):
    """What to search, on which data, and how.

    Attributes
    ----------
    name : str
        Of the search; a file's stem where the file does not say.
    data : Data
    families : Families
    architectures : mapping of str to NamedArchitecture or NamedHyperModel
        Tried first, in this order, and never pruned.
    training : TrainingWords
    search : SearchWords
    constraints : Constraints
    execution : Execution
    """

    name: Name = Field(description="Name of the search; by default the file's, without its ending.")
    data: Data = Field(description="What to train on.")
    families: Families = Field(default=Families(), description="Families of architectures to search.")
    architectures: dict[str, Named] = Field(
        default_factory=dict, description="Architectures by name: trained first, in this order, never pruned."
    )
    training: TrainingWords = Field(default=TrainingWords(), description="How every architecture is trained.")
    search: SearchWords = Field(default=SearchWords(), description="How the space is searched.")
    constraints: Constraints = Field(default=Constraints(), description="What architectures may not exceed.")
    execution: Execution = Field(default=Execution(), description="Where trainings run.")

    _document: Document | None = PrivateAttr(default=None)
    _folder: Path = PrivateAttr(default_factory=Path.cwd)

    @field_validator("data", mode="before", json_schema_input_type=Data | Source)
    @classmethod
    def _long_form(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not (self.families.named or self.architectures):
            raise ValueError("nothing to search: give families (dense, cnn), architectures, or both")
        faults = [*self._faults_of_lines(), *self._faults_of_sampler()]
        if faults:
            raise located(faults)
        return self

    def _faults_of_lines(self) -> Iterator[tuple[Location, str]]:
        own = [name for name, family in self.families.named.items() if isinstance(family, HyperModelFamily)]
        for name, words in self.architectures.items():
            if isinstance(words, NamedHyperModel) and words.family not in own:
                message = (
                    f"{words.family!r} begins no architecture: dense, conv or a family with a hypermodel does"
                )
                yield ("architectures", name), message + (f" (here {', '.join(own)})" if own else "")

    def _faults_of_sampler(self) -> Iterator[tuple[Location, str]]:
        sampler = self.search.sampler
        if sampler == "none" and not self.architectures:
            yield (
                ("search", "sampler"),
                "none trains named architectures only, and there are none: give architectures, or a sampler",
            )
        if sampler == "grid":
            yield from self._faults_of_grid()
        if sampler == "cma-es":
            yield from self._faults_of_cma_es()

    def _faults_of_grid(self) -> Iterator[tuple[Location, str]]:
        searched: dict[Location, Words] = {
            **{("families", name): family for name, family in self.families.named.items()},
            ("training",): self.training,
        }
        for location, words in searched.items():
            if isinstance(words, HyperModelFamily):
                yield location, "grid can't list what a HyperModel asks for; set sampler: tpe or random"
            for path, range_ in ranges_in(words):
                if isinstance(range_.low, float):
                    span = f"{range_.low:g} to {range_.high:g}"
                    yield (*location, *path), f"grid can't search the range {span}; give a list"

    def _faults_of_cma_es(self) -> Iterator[tuple[Location, str]]:
        of_training = sum(range_.low < range_.high for _, range_ in ranges_in(self.training))
        for name, family in self.families.named.items():
            if isinstance(family, HyperModelFamily):
                yield (
                    ("families", name),
                    "cma-es can't know what a HyperModel asks for; set sampler: tpe or random",
                )
                continue
            count = of_training + sum(range_.low < range_.high for _, range_ in ranges_in(family))
            if count < CMA_ES_RANGES:
                yield (
                    ("families", name),
                    f"cma-es searches ranges of numbers, at least {CMA_ES_RANGES}; "
                    f"{name} and training have {count}: give ranges such as {{low: 2, high: 5}}, or set "
                    "sampler: tpe",
                )

    @property
    def folder(self) -> Path:
        """The absolute folder of the file; of a space that came from no file, where it was made.

        Relative paths in the space, and the user's modules, are looked up from here.
        """
        return self._folder

    @property
    def trials(self) -> int:
        """Trials in all: what the space says, or the named architectures and 20 for each family.

        A grid is searched whole unless the space says, and ``sampler: none`` searches no family.
        """
        if self.search.trials:
            return self.search.trials
        families = self.families.named.values()
        if self.search.sampler == "none":
            proposed = 0
        elif self.search.sampler == "grid":
            from archsearch.space.grid import grid  # it builds on this module

            proposed = sum(
                grid(family, self.training).size
                for family in families
                if not isinstance(family, HyperModelFamily)
            )
        else:
            proposed = TRIALS_PER_FAMILY * len(families)
        return len(self.architectures) + proposed

    @property
    def named_architectures(self) -> dict[str, AnyArchitecture]:
        """The named architectures as values, in the order of the file."""
        return {
            name: words.build() if isinstance(words, NamedArchitecture) else words.build(self.families)
            for name, words in self.architectures.items()
        }

    @property
    def identity(self) -> dict[str, Any]:
        """The words that make it this search, defaults filled in: changing another one continues it."""
        return self._identity(exclude_defaults=False)

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits over the words of `identity` that differ from their defaults.

        So a word that a later version adds leaves the fingerprints of older spaces as they are.
        """
        text = json.dumps(self._identity(exclude_defaults=True), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def _identity(self, *, exclude_defaults: bool) -> dict[str, Any]:
        values = self.model_dump(
            mode="json",
            exclude={"name": True, "execution": True, "search": {"trials", "hours"}},
            exclude_none=True,
            exclude_defaults=exclude_defaults,
        )
        if not values.get("search", True):
            del values["search"]  # only trials or hours were given
        if self.architectures:
            # They are tried in this order, which JSON objects do not promise to keep.
            values["order of architectures"] = list(self.architectures)
        return values

    @property
    def text(self) -> str:
        """The file as it was written; of a space that came from no file, its words as YAML."""
        if self._document is not None:
            return self._document.text
        return yaml.safe_dump(self.model_dump(mode="json", exclude_none=True), sort_keys=False, width=100)

    def to_hypermodel(
        self, family: str, input_shape: tuple[int, ...] | None = None, classes: int | None = None
    ) -> Any:
        """A family as a KerasTuner ``HyperModel``, which KerasTuner's own tuners can search.

        Parameters
        ----------
        family : str
            ``"dense"`` or ``"cnn"``.
        input_shape : tuple of int, optional
            One sample; else that of the space's data.
        classes : int, optional
            Else those of the space's data.

        Returns
        -------
        keras_tuner.HyperModel
            Its models are compiled and take labels that are class indices.

        Raises
        ------
        Refused
            If the space has no such family, it is a HyperModel already, or KerasTuner is not installed.

        Examples
        --------
        >>> import keras_tuner  # doctest: +SKIP
        >>> hypermodel = SearchSpace.from_yaml(Path("space.yaml")).to_hypermodel("dense")  # doctest: +SKIP
        >>> tuner = keras_tuner.RandomSearch(hypermodel, "val_loss", max_trials=10)  # doctest: +SKIP
        """
        from archsearch.space.hypermodel import family_hypermodel

        return family_hypermodel(self, family, input_shape, classes)

    def require_fit(self, input_shape: tuple[int, ...]) -> None:
        """Check that what the space names can take samples of `input_shape`.

        Raises
        ------
        SpaceError
            With every fault, a line each: convolutions or augmentation on samples that are no images, an
            image too small for the block it reaches.
        """
        is_image = len(input_shape) == 3
        faults = self._faults_of_fit(input_shape) if is_image else self._faults_without_images()
        lines = [f"{self.place_of(at)}{'.'.join(map(str, at))}: {message}" for at, message in faults]
        if lines:
            raise SpaceError("\n".join(lines))

    def _faults_of_fit(self, input_shape: tuple[int, ...]) -> Iterator[tuple[Location, str]]:
        for name, architecture in self.named_architectures.items():
            if isinstance(architecture, Architecture):
                for number, fault in architecture.misfits(input_shape):
                    yield ("architectures", name, "conv", number), fault

    def _faults_without_images(self) -> Iterator[tuple[Location, str]]:
        if self.families.cnn is not None:
            yield ("families", "cnn"), f"{self.data.source} has no images to convolve; use families.dense"
        for name, architecture in self.named_architectures.items():
            if isinstance(architecture, Architecture) and architecture.conv:
                yield (
                    ("architectures", name),
                    f"{self.data.source} has no images to convolve; use dense blocks",
                )
        if self.training.augmentation != AugmentationWords():
            yield ("training", "augmentation"), f"{self.data.source} has no images to change; leave it out"

    def place_of(self, location: Location) -> str:
        """``file:line:column: `` of a word; empty for a space that came from no file."""
        if self._document is None:
            return ""
        line, column = self._document.place(location)
        return f"{self._document.name}:{line}:{column}: "

    @classmethod
    def from_yaml(cls, path: Path) -> Self:
        """Read a file.

        Raises
        ------
        SpaceError
            With every fault found, a line each: ``file:line:column: path: what is wrong``.
        """
        document = read_document(str(path), _read(path))
        value = {"name": _name_from(path), **document.value}
        try:
            space = cls.model_validate(value)
        except ValidationError as error:
            faults = [(document.place(at), message) for at, message in describe_faults(error, cls, value)]
            lines = [f"{path}:{line}:{column}: {message}" for (line, column), message in sorted(faults)]
            raise SpaceError("\n".join(lines)) from None
        space._document = document
        space._folder = path.absolute().parent
        return space

    @classmethod
    def from_mapping(cls, value: Mapping[str, Any]) -> Self:
        """Read plain values.

        Raises
        ------
        SpaceError
            With every fault found, a line each.
        """
        try:
            return cls.model_validate(dict(value))
        except ValidationError as error:
            faults = describe_faults(error, cls, value)
            raise SpaceError("\n".join(message for _, message in faults)) from None


def _name_from(path: Path) -> str:
    """A name for the search of a file: its stem, with what a name can't have left out."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:80] or "search"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpaceError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise SpaceError(f"{path}: not a text file in UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise SpaceError(f"{path}: can't be read: {error.strerror}") from None


def changed_words(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The words in which two identities differ, as ``training.epochs: 30 → 40``."""
    before, after = _flat(old), _flat(new)
    changed = []
    for word in sorted(before.keys() | after.keys()):
        if before.get(word) != after.get(word):
            was, now = (json.dumps(side[word]) if word in side else "absent" for side in (before, after))
            changed.append(f"{word}: {was} → {now}")
    return changed


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    words: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            words |= _flat(item, f"{prefix}{key}.")
        else:
            words[f"{prefix}{key}"] = item
    return words

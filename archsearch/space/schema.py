"""The search space: what a YAML file (or a mapping) may say, and errors that say where it is wrong."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationError,
    field_validator,
    model_validator,
)

from archsearch.architecture import (
    Activation,
    Architecture,
    Bridge,
    ConvBlock,
    DenseBlock,
    Pooling,
)
from archsearch.errors import SpaceError
from archsearch.space.data_words import Data
from archsearch.space.document import Document, read_document
from archsearch.space.faults import describe_faults
from archsearch.space.orderings import Ordering
from archsearch.space.parameters import Choice, Quantity, Range, Words

Width = Annotated[int, Field(ge=1, le=65_536)]
Depth = Annotated[int, Field(ge=1, le=64)]
Blocks = Annotated[int, Field(ge=1, le=16)]
Filters = Annotated[int, Field(ge=1, le=4_096)]
Growth = Annotated[float, Field(ge=1, le=4)]
Kernel = Annotated[int, Field(ge=1, le=15)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Penalty = Annotated[float, Field(ge=0, le=10)]
LearningRate = Annotated[float, Field(gt=0, le=100)]
BatchSize = Annotated[int, Field(ge=1, le=65_536)]
Optimizer = Literal["adam", "sgd", "rmsprop"]


class DropoutByDirection(Words):
    """Dropout of the rising and of the falling part of a stack."""

    rising: Quantity[Rate, Range[Rate]] = 0.0
    falling: Quantity[Rate, Range[Rate]] = 0.0


def _dropout_form(value: Any) -> str:
    by_direction = isinstance(value, Mapping) and not {"low", "high", "log"} & set(value)
    return "each" if by_direction or isinstance(value, DropoutByDirection) else "both"


Dropout = Annotated[
    Annotated[DropoutByDirection, Tag("each")] | Annotated[Quantity[Rate, Range[Rate]], Tag("both")],
    Discriminator(_dropout_form),
]


class DenseFamily(Words):
    """Fully connected stacks; every word is one value, a list or a range."""

    ordering: Choice[Ordering] = ("falling", "rising", "diamond")
    depth: Quantity[Depth, Range[Depth]]
    narrowest: Quantity[Width, Range[Width]]
    widest: Quantity[Width, Range[Width]]
    dropout: Dropout = 0.0
    activation: Choice[Activation] = "relu"
    batch_norm: Choice[bool] = False
    l2: Quantity[Penalty, Range[Penalty]] = 0.0


class FilterGrowth(Words):
    """Filters of the first block, and the factor from block to block."""

    first: Quantity[Filters, Range[Filters]]
    growth: Quantity[Growth, Range[Growth]] = 2.0


class CnnFamily(Words):
    """Convolutional blocks, a bridge, and a dense head."""

    blocks: Quantity[Blocks, Range[Blocks]]
    filters: FilterGrowth
    kernel: Quantity[Kernel, Range[Kernel]] = 3
    activation: Choice[Activation] = "relu"
    pooling: Choice[Pooling] = "max"
    dropout: Quantity[Rate, Range[Rate]] = 0.0
    batch_norm: Choice[bool] = False
    l2: Quantity[Penalty, Range[Penalty]] = 0.0
    bridge: Choice[Bridge] = "flatten"
    dense: DenseFamily | None = None


class Families(Words):
    """The families to search; each gets an equal share of the trials."""

    dense: DenseFamily | None = None
    cnn: CnnFamily | None = None

    @property
    def named(self) -> dict[str, DenseFamily | CnnFamily]:
        """The families that are given, by name, in a fixed order."""
        given = {"dense": self.dense, "cnn": self.cnn}
        return {name: family for name, family in given.items() if family is not None}


def _named_fields(names: tuple[str, ...]) -> BeforeValidator:
    """Accept ``[32, 0.2]`` for ``{width: 32, dropout: 0.2}``, and ``32`` for ``[32]``."""

    def as_mapping(value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = [value]
        if not isinstance(value, list | tuple):
            return value
        if len(value) > len(names):
            raise ValueError(f"at most {len(names)} values ({', '.join(names)}), not {len(value)}")
        return dict(zip(names, value, strict=False))

    return BeforeValidator(as_mapping)


class DenseBlockWords(Words):
    """One dense block of a named architecture: ``[width, dropout]`` for short."""

    width: Width
    dropout: Rate = 0.0
    activation: Activation = "relu"
    batch_norm: bool = False
    l2: Penalty = 0.0


class ConvBlockWords(Words):
    """One convolutional block of a named architecture: ``[filters, kernel]`` for short."""

    filters: Filters
    kernel: Kernel = 3
    activation: Activation = "relu"
    pooling: Pooling = "max"
    dropout: Rate = 0.0
    batch_norm: bool = False
    l2: Penalty = 0.0


DenseStack = tuple[Annotated[DenseBlockWords, _named_fields(("width", "dropout"))], ...]
ConvStack = tuple[Annotated[ConvBlockWords, _named_fields(("filters", "kernel"))], ...]


class NamedArchitecture(Words):
    """An architecture written out block by block."""

    dense: Annotated[DenseStack, Field(strict=False)] = ()
    conv: Annotated[ConvStack, Field(strict=False)] = ()
    bridge: Bridge = "flatten"

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


class EarlyStopping(Words):
    """Stop a training after `patience` epochs without a lower validation loss."""

    patience: int = Field(ge=1)


class TrainingWords(Words):
    """How every architecture is trained; batch size, optimizer and learning rate may be searched."""

    epochs: int = Field(default=30, ge=1, le=100_000)
    batch_size: Quantity[BatchSize, Range[BatchSize]] = 32
    optimizer: Choice[Optimizer] = "adam"
    learning_rate: Quantity[LearningRate, Range[LearningRate]] = 1e-3
    early_stopping: EarlyStopping | None = None

    @field_validator("early_stopping", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return None if value is False or value == "off" else value


class SearchWords(Words):
    """How the space is searched."""

    trials: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**31)
    sampler: Literal["tpe", "random"] = "tpe"
    pruner: Literal["median", "hyperband", "none"] = "median"


class Execution(Words):
    """Where trainings run: how many worker processes share this machine."""

    workers: int = Field(default=1, ge=1, le=256)


TRIALS_PER_FAMILY = 20

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]


class SearchSpace(Words):
    """What to search, on which data, and how.

    Attributes
    ----------
    name : str
        Of the search; a file's stem where the file does not say.
    data : Data
    families : Families
    architectures : mapping of str to NamedArchitecture
        Tried first, in this order, and never pruned.
    training : TrainingWords
    search : SearchWords
    execution : Execution
    """

    name: Name
    data: Data
    families: Families = Families()
    architectures: dict[str, NamedArchitecture] = Field(default_factory=dict)
    training: TrainingWords = TrainingWords()
    search: SearchWords = SearchWords()
    execution: Execution = Execution()

    @field_validator("data", mode="before")
    @classmethod
    def _long_form(cls, value: Any) -> Any:
        return {"source": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_something_to_search(self) -> Self:
        if not (self.families.named or self.architectures):
            raise ValueError("nothing to search: give families (dense, cnn), architectures, or both")
        return self

    @property
    def trials(self) -> int:
        """Trials in all: the named architectures and, unless the space says, 20 for each family."""
        default = len(self.architectures) + TRIALS_PER_FAMILY * len(self.families.named)
        return self.search.trials or default

    @property
    def identity(self) -> dict[str, Any]:
        """The words that make it this search: changing another one continues the same search."""
        values = self.model_dump(mode="json", exclude={"name", "execution"}, exclude_none=True)
        values["search"].pop("trials", None)
        if self.architectures:
            # They are tried in this order, which JSON objects do not promise to keep.
            values["order of architectures"] = list(self.architectures)
        return values

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits over `identity`."""
        text = json.dumps(self.identity, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    _document: Document | None = PrivateAttr(default=None)

    @property
    def text(self) -> str:
        """The file as it was written; of a space that came from no file, its words as YAML."""
        if self._document is not None:
            return self._document.text
        return yaml.safe_dump(self.model_dump(mode="json", exclude_none=True), sort_keys=False, width=100)

    def require_fit(self, input_shape: tuple[int, ...]) -> None:
        """Check that the named architectures can take samples of `input_shape`.

        Raises
        ------
        SpaceError
            If an image that reaches a block is too small for it.
        """
        for name, words in self.architectures.items():
            for number, fault in words.build().misfits(input_shape):
                place = self._place_of("architectures", name, "conv", number)
                raise SpaceError(f"{place}architectures.{name}.conv.{number}: {fault}")

    def _place_of(self, *location: str | int) -> str:
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

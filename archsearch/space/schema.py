"""The search space: what a YAML file (or a mapping) may say, and errors that say where it is wrong."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from archsearch.architecture import AnyArchitecture, Architecture
from archsearch.errors import SpaceError
from archsearch.records import MOST_HOURS
from archsearch.space.data_words import Data, Source
from archsearch.space.document import Document, Location, read_document
from archsearch.space.execution_words import Execution
from archsearch.space.family_words import Families, HyperModelFamily
from archsearch.space.faults import describe_faults, located
from archsearch.space.named_words import Named, NamedArchitecture, NamedHyperModel
from archsearch.space.parameters import Words, ranges_in
from archsearch.space.training_words import AugmentationWords, TrainingWords


class SearchWords(Words):
    """How the space is searched."""

    trials: int | None = Field(
        default=None, ge=1, description="Trials in all; by default the named ones and 20 per family."
    )
    hours: float | None = Field(
        default=None,
        gt=0,
        le=MOST_HOURS,
        description="Hours of search in all, counted over resumes; no limit if left out.",
    )
    gpu_hours: float | None = Field(
        default=None,
        gt=0,
        le=MOST_HOURS,
        description="The same in hours times GPUs in use; no limit if left out.",
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of the sampler and of trainings.")
    sampler: Literal["tpe", "random", "grid", "cma-es", "none"] = Field(
        default="tpe", description="Who proposes architectures; none trains the named ones only."
    )
    pruner: Literal["none", "median", "hyperband", "patient", "diagnosis"] = Field(
        default="median", description="Who ends trainings early that are hopeless, or settled."
    )
    budget: Literal["trials", "epochs", "seconds"] = Field(
        default="trials", description="What families get equal shares of."
    )


class Constraints(Words):
    """What architectures may not exceed."""

    parameters: int | None = Field(default=None, ge=1, description="Most weights of a network.")


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
        # What begins no architecture can't be compared.
        if faults := faults or [*self._faults_of_equals()]:
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

    def _faults_of_equals(self) -> Iterator[tuple[Location, str]]:
        first: dict[AnyArchitecture, str] = {}
        for name, architecture in self.named_architectures.items():
            same = first.setdefault(architecture, name)
            if same != name:
                yield ("architectures", name), f"the same as architectures.{same}; leave one of them out"

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
            exclude={"name": True, "execution": True, "search": {"trials", "hours", "gpu_hours"}},
            exclude_none=True,
            exclude_defaults=exclude_defaults,
        )
        if not values.get("search", True):
            del values["search"]  # only bounds were given
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

    def executed_with(self, words: Mapping[str, Any]) -> Self:
        """The same space with other words of its ``execution``, as options of a command say them.

        Raises
        ------
        SpaceError
            With every fault found, a line each, by the names of the options.
        """
        try:
            execution = Execution.model_validate(self.execution.model_dump() | dict(words))
        except ValidationError as error:
            faults = describe_faults(error, Execution, words)
            raise SpaceError("\n".join(f"--{message}" for _, message in faults)) from None
        return self.model_copy(update={"execution": execution})

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
            yield ("families", "cnn"), f"{self.data.origin} has no images to convolve; use families.dense"
        for name, architecture in self.named_architectures.items():
            if isinstance(architecture, Architecture) and architecture.conv:
                yield (
                    ("architectures", name),
                    f"{self.data.origin} has no images to convolve; use dense blocks",
                )
        if self.training.augmentation != AugmentationWords():
            yield ("training", "augmentation"), f"{self.data.origin} has no images to change; leave it out"

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

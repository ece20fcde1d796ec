"""What a space says about its data."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from archsearch.space.faults import located
from archsearch.space.parameters import Words

Part = Literal["train", "val", "test"]
Source = Literal["digits", "mnist", "fashion_mnist", "cifar10", "cifar100"]
Share = Annotated[float, Field(gt=0, lt=0.5)]
Weight = Annotated[float, Field(gt=0, le=1_000_000)]
Text = Annotated[str, Field(min_length=1)]
Side = Annotated[int, Field(ge=1, le=16_384)]

PARTS: tuple[Part, ...] = ("train", "val", "test")
SOURCES = ("source", "image_folder", "npz", "csv", "parquet", "python")
TABLES = ("csv", "parquet")

# The sources that a word belongs to; the other words belong to all.
_SOURCES_OF = {
    "image_size": ("image_folder",),
    "color": ("image_folder",),
    "groups": ("image_folder", *TABLES),
    "label": TABLES,
    "drop": TABLES,
}


class Groups(Words):
    """Which samples belong together (of one patient, say) and must stay on one side of a split."""

    pattern: Text | None = Field(
        default=None,
        description="Regular expression searched in an image's file name; its group is the first pair of "
        "brackets, or the whole match.",
    )
    across: tuple[Part, ...] | None = Field(
        default=None,
        strict=False,
        description="The given splits that share one numbering; `person1` of another split is someone else.",
    )
    column: Text | None = Field(default=None, description="Column of a table that holds the group.")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(
                f"not a regular expression: {error.msg} at position {error.pos} of {value!r}"
            ) from None
        return value

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if (self.pattern is None) == (self.column is None):
            message = "give either pattern (of file names) or column (of a table)"
            raise located([(() if self.column is None else ("column",), message)])
        if self.column is not None and self.across is not None:
            raise located([(("across",), "belongs to pattern: a table has no splits of its own")])
        return self


def _weights_form(value: Any) -> str:
    return "table" if isinstance(value, Mapping) else "name"


def _test_form(value: Any) -> str:
    return "none" if isinstance(value, str) else "share"


ClassWeights = Annotated[
    Annotated[Literal["balanced"], Tag("name")] | Annotated[dict[str, Weight], Tag("table")],
    Discriminator(_weights_form),
]
TestShare = Annotated[
    Annotated[Share, Tag("share")] | Annotated[Literal["none"], Tag("none")], Discriminator(_test_form)
]


class Data(Words):
    """What to train on; ``data: digits`` is short for ``data: {source: digits}``."""

    source: Source | None = Field(
        default=None, description="The bundled digits, or one of Keras' built-in data sets, from its cache."
    )
    image_folder: Text | None = Field(
        default=None, description="Folder of train/val/test of class folders, or of class folders to split."
    )
    npz: Text | None = Field(
        default=None, description="NumPy archive with x_train, y_train and so on, or with x and y."
    )
    csv: Text | None = Field(
        default=None, description="Table of numbers and a label, values separated by commas: dense only."
    )
    parquet: Text | None = Field(default=None, description="Table of numbers and a label: dense only.")
    python: Text | None = Field(
        default=None, description="package.module:function that returns the arrays; it is run as it is."
    )
    image_size: tuple[Side, Side] | None = Field(
        default=None,
        strict=False,
        description="[height, width] that images are resized to; by default the most common size.",
    )
    color: Literal["grayscale", "rgb"] | None = Field(
        default=None, description="By default rgb, unless the images looked at are all grey."
    )
    groups: Groups | None = Field(
        default=None, description="Samples that stay on one side of a split: a pattern or a column."
    )
    label: Text | None = Field(default=None, description="Column of a table that holds the class.")
    drop: tuple[Text, ...] | None = Field(
        default=None, strict=False, description="Columns of a table that are no features."
    )
    class_weights: ClassWeights | None = Field(
        default=None,
        description="Weights of the training loss: balanced, or a number for each class (1 where not named).",
    )
    validation: Share = Field(
        default=0.2, description="Share of the samples that becomes the validation set, where none is given."
    )
    test: TestShare = Field(
        default=0.2, description="Share that becomes the test set, where none is given; none goes without."
    )
    split_seed: int = Field(default=0, ge=0, description="Seed of the split.")
    allow_leaks: bool = Field(
        default=False, description="Search although splits share samples or groups; the report says so."
    )

    @field_validator("groups", mode="before", json_schema_input_type=Groups | Text | None)
    @classmethod
    def _short_groups(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        is_table = any(info.data.get(table) is not None for table in TABLES)
        return {"column" if is_table else "pattern": value}

    @field_validator("class_weights", mode="before")
    @classmethod
    def _classes_are_text(cls, value: Any) -> Any:
        return {str(name): weight for name, weight in value.items()} if isinstance(value, Mapping) else value

    @field_validator(*_SOURCES_OF)
    @classmethod
    def _belongs_to_the_source(cls, value: Any, info: ValidationInfo) -> Any:
        assert info.field_name is not None
        chosen = [source for source in SOURCES if info.data.get(source) is not None]
        homes = _SOURCES_OF[info.field_name]
        if value is not None and len(chosen) == 1 and chosen[0] not in homes:
            raise ValueError(f"{info.field_name} belongs to {_one_of(homes)}, not to {chosen[0]}")
        return value

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = [source for source in SOURCES if getattr(self, source) is not None]
        if len(given) != 1:
            found = f"not {' and '.join(given)}" if given else "not none"
            raise located([(tuple(given[-1:]), f"give one source ({_one_of(SOURCES)}), {found}")])
        if self.kind in TABLES:
            self._require_table_words()
        elif self.groups is not None and self.groups.pattern is None:
            place = ("groups", "column")
            raise located([(place, "belongs to csv or parquet; image_folder takes a pattern")])
        return self

    def _require_table_words(self) -> None:
        if self.label is None:
            raise located([((self.kind,), "needs label: the column that holds the class")])
        if self.groups is not None and self.groups.column is None:
            place = ("groups", "pattern")
            raise located([(place, f"belongs to image_folder; {self.kind} takes a column")])

    @model_serializer(mode="wrap")
    def _without_what_is_not_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A search is known by its words: one that was made before a word existed must stay the same search.
        words: dict[str, Any] = handler(self)
        if not words.get("allow_leaks"):
            words.pop("allow_leaks", None)
        return words

    @property
    def kind(self) -> str:
        """The word that names the source, such as ``"image_folder"``."""
        return next(source for source in SOURCES if getattr(self, source) is not None)

    @property
    def origin(self) -> str:
        """What the user wrote behind that word: a name or a path."""
        return str(getattr(self, self.kind))


def _one_of(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"

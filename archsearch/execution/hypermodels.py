"""The users' HyperModels of a space: found, built once with their defaults, and said what they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archsearch.architecture import HyperModelArchitecture
from archsearch.data.shapes import DataShape
from archsearch.errors import SpaceError
from archsearch.execution.builds import (
    Builder,
    BuilderSetup,
    BuildFailed,
    Built,
    HyperModelSource,
    Hyperparameter,
)
from archsearch.records import DataSummary
from archsearch.space import SearchSpace, named_recipe
from archsearch.space.family_words import HyperModelFamily


@dataclass(frozen=True, slots=True)
class HyperModelReport:
    """What ``archsearch check`` says of a family that is a user's HyperModel.

    Attributes
    ----------
    family : str
    hypermodel : str
        ``package.module:Name``.
    hyperparameters : tuple of Hyperparameter
        As declared in a build with the default values; others may turn up with other values.
    default : HyperModelArchitecture
        With the default value of each hyperparameter.
    parameters : int
        Weights of the default model.
    """

    family: str
    hypermodel: str
    hyperparameters: tuple[Hyperparameter, ...]
    default: HyperModelArchitecture
    parameters: int


def sources_of(space: SearchSpace) -> dict[str, HyperModelSource]:
    """The HyperModels of `space`, by family."""
    return {
        name: HyperModelSource(family.hypermodel, dict(family.arguments))
        for name, family in space.families.named.items()
        if isinstance(family, HyperModelFamily)
    }


def arguments_of(space: SearchSpace) -> dict[str, Mapping[str, Any]]:
    """What the classes of HyperModels are called with, by family."""
    return {family: source.arguments for family, source in sources_of(space).items()}


def builder_for(space: SearchSpace, shape: DataShape | DataSummary) -> Builder:
    """Who builds the HyperModels of `space` for its data; to be closed."""
    return Builder(BuilderSetup(sources_of(space), space.folder, shape.input_shape, len(shape.classes)))


def hypermodel_reports(space: SearchSpace, shape: DataShape | DataSummary) -> list[HyperModelReport]:
    """Build what `space` has of HyperModels, as `require_builds` does; this loads Keras, in another process.

    Raises
    ------
    SpaceError
    """
    builder = builder_for(space, shape)
    try:
        return require_builds(space, builder)
    finally:
        builder.close()


def require_builds(space: SearchSpace, builder: Builder) -> list[HyperModelReport]:
    """Build each HyperModel of `space` with its defaults, and each line of one under ``architectures``.

    Raises
    ------
    SpaceError
        If one can't be built or trained on the data, or a line breaks a constraint; a line of text for each.
    """
    recipe = named_recipe(space.training)
    reports, faults = [], []
    for family, source in sources_of(space).items():
        built = builder.build(family, (), None, recipe.epochs, recipe.batch_size)
        if isinstance(built, BuildFailed):
            faults.append(f"{space.place_of(('families', family))}families.{family}: {built.reason}")
        else:
            reports.append(_report(family, source.hypermodel, built))
    usable = {report.family for report in reports}
    for name, architecture in space.named_architectures.items():
        # Those of a family that fails as a whole would only repeat its reason.
        if isinstance(architecture, HyperModelArchitecture) and architecture.family in usable:
            built = builder.build(
                architecture.family, architecture.values, None, recipe.epochs, recipe.batch_size
            )
            if reason := _fault(built, space.constraints.parameters):
                faults.append(line_fault(space, name, reason))
    if faults:
        raise SpaceError("\n".join(faults))
    return reports


def line_fault(space: SearchSpace, name: str, reason: str) -> str:
    """What is wrong with a line under ``architectures``, after its place and name."""
    return f"{space.place_of(('architectures', name))}architectures.{name}: {reason}"


def _fault(built: Built | BuildFailed, most: int | None) -> str:
    if isinstance(built, BuildFailed):
        return built.reason
    if most is not None and built.parameters > most:
        return f"{built.parameters:,} parameters; constraints.parameters allows {most:,}"
    return ""


def _report(family: str, hypermodel: str, built: Built) -> HyperModelReport:
    default = HyperModelArchitecture(family, hypermodel, built.values)
    return HyperModelReport(family, hypermodel, built.declared, default, built.parameters)

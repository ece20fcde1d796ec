"""Candidates of families that are users' HyperModels: what they build of the values a sampler chooses."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from archsearch.architecture import AnyArchitecture, HyperModelArchitecture
from archsearch.errors import SpaceError
from archsearch.execution.builds import Builder, BuildFailed, Built
from archsearch.execution.hypermodels import line_fault
from archsearch.records import Recipe
from archsearch.space import SearchSpace, sample_recipe
from archsearch.space.family_words import HyperModelFamily
from archsearch.space.parameters import choose
from archsearch.space.training_words import AugmentationWords, TrainingWords
from archsearch.study.candidates import Candidate, Complete, Sample, Unbuildable
from archsearch.suggest import MiddleSuggest, Suggest


def sampler_with(builder: Builder, space: SearchSpace, others: Sample) -> Sample:
    """Sample HyperModels by building them, and the other families by `others`.

    Parameters
    ----------
    builder : Builder
    space : SearchSpace
    others : callable
    """

    def sample(family: str, suggest: Suggest) -> Candidate | Unbuildable:
        words = space.families.named[family]
        if not isinstance(words, HyperModelFamily):
            return others(family, suggest)
        offered = _offered(space.training, suggest)
        built = builder.build(family, (), suggest, **offered)
        if isinstance(built, BuildFailed):
            return Unbuildable(built.reason)
        return _candidate(family, words.hypermodel, built, space, suggest, offered)

    return sample


def completer_with(builder: Builder, space: SearchSpace, others: Complete) -> Complete:
    """Complete named HyperModels by building them, and the other architectures by `others`.

    Values that the space does not give are the defaults. What can't be built raises SpaceError.
    """

    def complete(architecture: AnyArchitecture) -> Candidate:
        if not isinstance(architecture, HyperModelArchitecture):
            return others(architecture)
        suggest = MiddleSuggest()
        offered = _offered(space.training, suggest)
        built = builder.build(architecture.family, architecture.values, None, **offered)
        if isinstance(built, BuildFailed):
            lines = space.named_architectures
            name = next((name for name, line in lines.items() if line == architecture), None)
            # One that a person has added to the running search is no word of the space.
            raise SpaceError(line_fault(space, name, built.reason) if name else built.reason)
        return _candidate(architecture.family, architecture.hypermodel, built, space, suggest, offered)

    return complete


def _offered(training: TrainingWords, suggest: Suggest) -> dict[str, int]:
    """What a ``fit`` of its own may take or leave."""
    return {
        word: choose(suggest, f"training.{word}", getattr(training, word))
        for word in ("epochs", "batch_size")
    }


def _candidate(
    family: str,
    hypermodel: str,
    built: Built,
    space: SearchSpace,
    suggest: Suggest,
    offered: Mapping[str, int],
) -> Candidate:
    architecture = HyperModelArchitecture(family, hypermodel, built.values)
    return Candidate(architecture, _recipe(built, space.training, suggest, offered), built.parameters)


def _recipe(built: Built, training: TrainingWords, suggest: Suggest, offered: Mapping[str, int]) -> Recipe:
    """Epochs and batch size as offered or as its ``fit`` has them; the rest as compiled, else as searched."""
    known: dict[str, Any] = {
        "epochs": built.epochs or offered["epochs"],
        "batch_size": built.batch_size or offered["batch_size"],
        "precision": "float32",
        "augmentation": AugmentationWords(),
    }
    if built.optimizer is None:
        return sample_recipe(training.model_copy(update=known), suggest)
    of_model = dict(built.optimizer)
    known |= {word: of_model[word] for word in ("optimizer", "learning_rate")} | {"schedule": "constant"}
    recipe = sample_recipe(
        training.model_copy(update=known | {"momentum": 0.0, "weight_decay": 0.0}), suggest
    )
    return replace(recipe, **of_model)

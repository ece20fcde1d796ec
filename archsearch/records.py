"""What a search leaves behind, as frozen values: recipes, epochs, trainings, trials, searches.

Losses are mean cross-entropies per sample in nats, epochs count from 1, times are seconds.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from archsearch.architecture import AnyArchitecture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Ten years: no bound that anybody means, and every clock and scheduler can still count so far.
MOST_HOURS = 87_600


class Status(StrEnum):
    """How a training, and with it its trial, stands.

    ``queued`` is a trial that waits for a worker. ``stopped`` is a training whose verdict was settled before
    its planned end, ``pruned`` one that was worse than others, ``skipped`` one that a person ended. Only the
    first of the three is judged. ``timed_out`` is one that took longer than the space allows, or hung.
    """

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    PRUNED = "pruned"
    SKIPPED = "skipped"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    FAILED = "failed"

    @property
    def is_failure(self) -> bool:
        """Whether the training ended without a result to rank."""
        return self in (Status.DIVERGED, Status.OUT_OF_MEMORY, Status.TIMED_OUT, Status.FAILED)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be trained."""
        return self not in (Status.QUEUED, Status.RUNNING)

    @property
    def has_result(self) -> bool:
        """Whether the training is judged by its curves and ranked by the weights it delivers."""
        return self in (Status.COMPLETED, Status.STOPPED)


@dataclass(frozen=True, slots=True)
class Ending:
    """What a training is told at an epoch's end that is to be its last.

    Attributes
    ----------
    status : Status
        ``pruned``, ``stopped`` or ``skipped``.
    reason : str
        In words, without a full stop.
    """

    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random changes of training images, drawn anew at each epoch; validation images stay as they are.

    Attributes
    ----------
    flip : str
        ``"none"``, ``"horizontal"``, ``"vertical"`` or ``"both"``.
    rotation : float
        Largest angle, either way, as a share of a full turn.
    zoom : float
        Largest zoom, in or out, as a share of the image.
    contrast : float
        Largest change of contrast, up or down, as a share.
    """

    flip: str = "none"
    rotation: float = 0.0
    zoom: float = 0.0
    contrast: float = 0.0

    @property
    def notation(self) -> str:
        """One line for people: ``flip horizontal, rotation 0.05``; empty for none."""
        words = [f"flip {self.flip}"] if self.flip != "none" else []
        rates = {"rotation": self.rotation, "zoom": self.zoom, "contrast": self.contrast}
        return ", ".join([*words, *(f"{name} {rate:g}" for name, rate in rates.items() if rate)])


NO_AUGMENTATION = Augmentation()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an architecture is trained.

    Attributes
    ----------
    epochs : int
        The planned number of epochs.
    batch_size : int
    optimizer : str
        ``"adam"``, ``"adamw"``, ``"sgd"`` or ``"rmsprop"``; of a user's HyperModel, what it compiled with.
    learning_rate : float
        At the start.
    patience : int or None
        Epochs without a lower validation loss before training stops early; None never stops early.
    momentum : float
        Of SGD; 0 for the other optimizers.
    weight_decay : float
        Of AdamW; 0 for the other optimizers.
    schedule : str
        How the learning rate changes: ``"constant"``, ``"cosine"`` (down to 0 over the planned epochs) or
        ``"plateau"`` (lowered where the validation loss no longer falls).
    precision : str
        ``"float32"``, ``"mixed_float16"`` or ``"mixed_bfloat16"``.
    augmentation : Augmentation
    class_weights : str
        Of the training loss: ``"as_given"`` with the data, which may be none, or ``"balanced"``.
    """

    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    patience: int | None
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "constant"
    precision: str = "float32"
    augmentation: Augmentation = NO_AUGMENTATION
    class_weights: str = "as_given"

    @property
    def notation(self) -> str:
        """One line for people: ``adam, learning rate 0.001, batch 32``."""
        words = [self.optimizer]
        if self.momentum:
            words.append(f"momentum {self.momentum:g}")
        if self.weight_decay:
            words.append(f"weight decay {self.weight_decay:g}")
        rate = f"learning rate {self.learning_rate:.3g}"
        words.append(rate if self.schedule == "constant" else f"{rate} ({self.schedule})")
        words.append(f"batch {self.batch_size}")
        if self.precision != "float32":
            words.append(self.precision)
        if self.augmentation.notation:
            words.append(self.augmentation.notation)
        if self.class_weights == "balanced":
            words.append("balanced class weights")
        return ", ".join(words)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Recipe":
        """From the values that ``dataclasses.asdict`` gives; of an older archsearch they may be fewer."""
        return cls(**{**value, "augmentation": Augmentation(**value.get("augmentation", {}))})


@dataclass(frozen=True, slots=True)
class Training:
    """The unit of work: one architecture, trained once per seed."""

    trial: int
    architecture: AnyArchitecture
    recipe: Recipe
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What is measured at one epoch's end.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    train_loss : float
        As Keras reports it: dropout on, penalties included, averaged while the weights change.
    train_loss_eval : float
        Inference mode, no penalties, on a fixed stratified part of the training data.
    val_loss : float
        Inference mode, no penalties, on the validation data.
    val_loss_halves : tuple of two floats
        The same on two fixed halves of the validation data.
    accuracy : float
        Inference mode, on the same part of the training data as `train_loss_eval`.
    val_accuracy, precision, recall, auc : float
        On the validation data; precision and recall are means over the classes, the area under the ROC
        curve is the mean of one class against the rest. NaN where undefined.
    learning_rate : float
    seconds : float
        Wall time of training and measuring this epoch.
    ended_at : float
        Seconds since 1970-01-01 UTC.
    """

    epoch: int
    train_loss: float
    train_loss_eval: float
    val_loss: float
    val_loss_halves: tuple[float, float]
    accuracy: float
    val_accuracy: float
    precision: float
    recall: float
    auc: float
    learning_rate: float
    seconds: float
    ended_at: float

    @property
    def is_finite(self) -> bool:
        """Whether every loss is a number."""
        return all(map(math.isfinite, (self.train_loss, self.train_loss_eval, self.val_loss)))


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One training of one architecture with one seed.

    Attributes
    ----------
    seed : int
    status : Status
    epochs : tuple of EpochRecord
    reason : str
        Why it ended as it did, in words; empty for a training that ran to its planned end.
    early_stopped : bool
        Whether early stopping ended it before its planned epochs.
    delivered_epoch : int or None
        The epoch whose weights are delivered: that of the lowest validation loss. None before any.
    val_loss_spread : float or None
        Standard deviation over validation samples of their loss, at the delivered epoch.
    probabilities : array of float32, shape (validation samples, classes), or None
        Predicted at the delivered epoch.
    model : str or None
        Path of the ``.keras`` file, relative to the record's folder.
    seconds : float
        Wall time in the worker: building, tracing, training, measuring, saving.
    environment : mapping
        Device, Keras backend, ``jit_compile``, precision, threads.
    """

    seed: int
    status: Status
    epochs: tuple[EpochRecord, ...] = ()
    reason: str = ""
    early_stopped: bool = False
    delivered_epoch: int | None = None
    val_loss_spread: float | None = None
    probabilities: "NDArray[np.float32] | None" = None
    model: str | None = None
    seconds: float = 0.0
    environment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def delivered(self) -> EpochRecord | None:
        """The record of the delivered epoch."""
        if self.delivered_epoch is None:
            return None
        return self.epochs[self.delivered_epoch - 1]


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One trial of a search: an architecture, its recipe, and its trainings.

    Attributes
    ----------
    number : int
        Counted from 0 over the whole search.
    name : str or None
        The name the space gives this architecture; None for a proposed one.
    architecture : Architecture or HyperModelArchitecture
    recipe : Recipe
    status : Status
    runs : tuple of TrainingRun
        One per seed.
    parameters : int
        Weights of the network.
    score : float or None
        What the optimiser was told (`archsearch.ranking.score`); lower is better.
    verdict : str or None
        Of the run as a whole, as last judged; None while running.
    delivered : str or None
        Verdict of the delivered weights, likewise.
    confidence : float or None
        Probability that the verdict is right; None where it is not known.
    agreement : float or None
        Of several seeds, the share that have this verdict; None for one seed.
    params : mapping
        What the sampler chose, by the parameter's name; empty for a named architecture.
    worker : str or None
        Who trains it, or trained it last.
    by_hand : bool
        Whether a person added it to the running search; such trials come on top of the search's total.
    """

    number: int
    name: str | None
    architecture: AnyArchitecture
    recipe: Recipe
    status: Status
    runs: tuple[TrainingRun, ...]
    parameters: int
    score: float | None = None
    verdict: str | None = None
    delivered: str | None = None
    confidence: float | None = None
    agreement: float | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    worker: str | None = None
    by_hand: bool = False

    @property
    def family(self) -> str:
        """The family whose budget the trial counts towards."""
        return self.architecture.family

    @property
    def label(self) -> str:
        """The architecture in one line, after its name if it has one."""
        notation = self.architecture.notation
        return f"{self.name}: {notation}" if self.name else notation

    @property
    def seconds(self) -> float:
        """Wall time of all its trainings."""
        return sum(run.seconds for run in self.runs)


@dataclass(frozen=True, slots=True)
class DataSummary:
    """The data of a search, without the data.

    Attributes
    ----------
    source : str
    input_shape : tuple of int
        One sample.
    classes : tuple of str
    n_train, n_val, n_test : int
        Samples in each split.
    n_train_eval : int
        Samples of the training part on which `EpochRecord.train_loss_eval` is measured.
    prior_entropy : float
        Validation loss of always predicting the training data's class frequencies.
    fingerprint : str
        Of the samples, their labels and their split.
    warnings : tuple of str
        What the audit found that a reader of the results should know, a sentence each.
    balanced : bool
        Whether the data's class weights make each class count the same.
    """

    source: str
    input_shape: tuple[int, ...]
    classes: tuple[str, ...]
    n_train: int
    n_val: int
    n_test: int
    n_train_eval: int
    prior_entropy: float
    fingerprint: str
    warnings: tuple[str, ...] = ()
    balanced: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A model to compare with that is no network.

    Attributes
    ----------
    name : str
        For example ``"class frequencies"`` or ``"linear model"``.
    train_loss_eval, val_loss : float
        On the same samples as `EpochRecord`'s.
    val_accuracy : float
    parameters : int
    seconds : float
        Wall time of fitting.
    """

    name: str
    train_loss_eval: float
    val_loss: float
    val_accuracy: float
    parameters: int
    seconds: float

    @property
    def gap(self) -> float:
        """Generalization gap: validation loss minus train loss in inference mode."""
        return self.val_loss - self.train_loss_eval


LINEAR_MODEL = "linear model"
CLASS_FREQUENCIES = "class frequencies"


def linear_model_of(references: Iterable[Reference]) -> Reference | None:
    """The linear model among the references."""
    return next((reference for reference in references if reference.name == LINEAR_MODEL), None)


@dataclass(frozen=True, slots=True)
class SpaceChange:
    """An edit of a space whose search went on with it.

    Attributes
    ----------
    trial : int
        Number of the first trial after it.
    at : float
        Seconds since 1970-01-01 UTC.
    words : tuple of str
        What was changed, as ``training.epochs: 30 → 40``.
    """

    trial: int
    at: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchSnapshot:
    """A whole search as its record has it at one moment.

    Attributes
    ----------
    id : str
        Unique in its store, for example ``"digits-1f0c2a9b"``.
    uid : str
        Unique everywhere.
    name : str
    created_at : float
        Seconds since 1970-01-01 UTC.
    status : str
        ``"running"``, ``"finished"``, ``"hours_reached"``, ``"interrupted"``, ``"all_failed"`` or
        ``"given_up"``: the last trials all failed for the same reason.
    total : int
        Trials the search is to have.
    space : mapping
        The search space as plain values, defaults filled in.
    space_text : str
        The file as the user wrote it, or the same values written as YAML.
    command : str
        What repeats this search: the last one that worked on it.
    versions : mapping of str to str
        Python and the packages that decide the result.
    data : DataSummary
    references : tuple of Reference
        Class frequencies, then the linear model.
    trials : tuple of TrialResult
        In the order of their numbers.
    wall_seconds : float
        Over all sessions.
    changes : tuple of SpaceChange
        Oldest first.
    """

    id: str
    uid: str
    name: str
    created_at: float
    status: str
    total: int
    space: Mapping[str, Any]
    space_text: str
    command: str
    versions: Mapping[str, str]
    data: DataSummary
    references: tuple[Reference, ...]
    trials: tuple[TrialResult, ...]
    wall_seconds: float
    changes: tuple[SpaceChange, ...] = ()

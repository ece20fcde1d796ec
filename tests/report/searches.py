"""A search as its record would have it, with curves of every shape, made without training anything."""

from dataclasses import replace

import numpy as np

from archsearch.architecture import Architecture, ConvBlock, DenseBlock
from archsearch.diagnosis import diagnose_trials
from archsearch.ranking import rank
from archsearch.records import (
    DataSummary,
    EpochRecord,
    Recipe,
    Reference,
    SearchSnapshot,
    Status,
    TrainingRun,
    TrialResult,
)

EPOCHS = 40
PRIOR = 2.3026
VALIDATION_SAMPLES = 270
REFERENCES = (
    Reference("class frequencies", PRIOR, PRIOR, 0.1, 10, 0.0),
    Reference("linear model", 0.0412, 0.1661, 0.953, 650, 0.4),
)
DATA = DataSummary(
    source="digits (scikit-learn)",
    input_shape=(8, 8, 1),
    classes=tuple("0123456789"),
    n_train=1257,
    n_val=VALIDATION_SAMPLES,
    n_test=270,
    n_train_eval=270,
    prior_entropy=PRIOR,
    fingerprint="5b1c0f6a9d3e4827",
)
SPACE_TEXT = """\
# Dense stacks and small convolutional networks on handwritten digits
name: digits
data: digits
families:
  dense: {depth: [1, 4], width: [16, 256], ordering: [falling, rising, diamond], dropout: [0.0, 0.5]}
  cnn: {depth: [1, 2], filters: [8, 32], kernel: [3, 5], pooling: [max, average]}
training: {epochs: 40, batch_size: 64, optimizer: adam, learning_rate: 1e-3, patience: 10}
search: {trials: 24, seed: 7, sampler: tpe, pruner: median}
"""
SHAPES = """
    good good overfit good underfit overfit good unstable pruned good not_converged pruned overfit diverged
    good failed not_learning good pruned inconclusive good not_converged out_of_memory pruned
"""
PLAN = tuple((("dense", "cnn")[number % 2], shape) for number, shape in enumerate(SHAPES.split()))
STATUSES = {
    "pruned": Status.PRUNED,
    "failed": Status.FAILED,
    "out_of_memory": Status.OUT_OF_MEMORY,
    "diverged": Status.DIVERGED,
}
REASONS = {
    "pruned": "at epoch 9 its validation loss was above the median of 7 trials (0.412 against 0.288)",
    "failed": "ValueError: Exception encountered when calling Conv2D.call(): negative dimension size",
    "out_of_memory": "the GPU had 1.2 GiB left, the batch needed 2.0 GiB",
    "diverged": "the validation loss became NaN at epoch 12",
}


def search(
    trials: int = 24, plan: tuple[tuple[str, str], ...] = PLAN, epochs: int = EPOCHS
) -> SearchSnapshot:
    """A search whose trials follow `plan`, repeated as often as needed."""
    return SearchSnapshot(
        id="digits-1f0c2a9b",
        uid="0123456789abcdef0123456789abcdef",
        name="digits",
        created_at=1_795_000_000.0,
        status="finished",
        total=trials,
        space={"name": "digits"},
        space_text=SPACE_TEXT,
        command=f"archsearch run search_spaces/digits.yaml --trials {trials}",
        versions={"python": "3.11.9", "archsearch": "0.1.0", "keras": "3.15.0", "tensorflow": "2.21.0"},
        data=DATA,
        references=REFERENCES,
        trials=tuple(_trial(number, *plan[number % len(plan)], epochs) for number in range(trials)),
        wall_seconds=287.4,
    )


def judged(snapshot: SearchSnapshot):
    """The snapshot with its diagnoses and its ranking: what a report is made of."""
    diagnoses = diagnose_trials(snapshot.trials, snapshot.data, REFERENCES[1])
    return snapshot, diagnoses, rank(snapshot.trials, diagnoses)


def with_losses(trial: TrialResult, losses: list[float]) -> TrialResult:
    """The trial with these validation losses in place of its own."""
    run = trial.runs[0]
    epochs = tuple(replace(record, val_loss=value) for record, value in zip(run.epochs, losses, strict=False))
    return replace(trial, runs=(replace(run, epochs=epochs, delivered_epoch=1),))


def _trial(number: int, family: str, shape: str, epochs: int) -> TrialResult:
    random = np.random.default_rng(number)
    architecture = _architecture(family, number, random)
    status = STATUSES.get(shape, Status.COMPLETED)
    train, val = _curves(shape, epochs, random)
    finite = np.flatnonzero(np.isfinite(val))
    run = TrainingRun(
        seed=7,
        status=status,
        epochs=tuple(_epoch(i, *losses) for i, losses in enumerate(zip(train, val, strict=True), start=1)),
        reason=REASONS.get(shape, ""),
        delivered_epoch=int(finite[np.argmin(val[finite])]) + 1 if len(finite) else None,
        val_loss_spread=0.35,
        seconds=2.0 + 0.21 * len(val),
    )
    return TrialResult(
        number=number,
        name="falling-05" if number == 0 else None,
        architecture=architecture,
        recipe=Recipe(epochs, 64, "adam", 1e-3, 10),
        status=status,
        runs=(run,),
        parameters=architecture.parameters(DATA.input_shape, len(DATA.classes)),
    )


def _architecture(family: str, number: int, random: np.random.Generator) -> Architecture:
    dropout = float(random.choice([0.0, 0.2, 0.5]))
    if family == "dense":
        widths = 2 ** np.sort(random.integers(4, 9, size=random.integers(1, 5)))
        if number % 3:
            widths = widths[::-1]
        return Architecture("dense", dense=tuple(DenseBlock(int(width), dropout) for width in widths))
    filters = [int(8 * 2 ** random.integers(0, 3)) for _ in range(random.integers(1, 3))]
    conv = tuple(
        ConvBlock(n, kernel=3, batch_norm=bool(number % 2), dropout=0.1 * (number % 3)) for n in filters
    )
    return Architecture("cnn", conv=conv, dense=(DenseBlock(64, dropout),))


def _curves(shape: str, epochs: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Inference-mode train and validation loss of the given shape."""
    length = {"pruned": 9, "failed": 0, "out_of_memory": 0, "diverged": 12}.get(shape, epochs)
    time = np.arange(min(length, epochs))
    rate, level = random.uniform(0.16, 0.45), random.uniform(0.07, 0.2)
    val = level + (PRIOR - level) * np.exp(-rate * (time + 1))
    train = 0.7 * level + (PRIOR - level) * np.exp(-1.05 * rate * (time + 1))
    if shape == "overfit":
        val = val + 0.0006 * np.maximum(time - 8, 0) ** 1.7
        train = np.maximum(PRIOR * np.exp(-1.2 * rate * (time + 1)), 1e-4)
    elif shape == "underfit":
        train, val = train + 0.5, val + 0.52
    elif shape == "not_converged":
        train, val = PRIOR * np.exp(-0.045 * time), PRIOR * np.exp(-0.043 * time)
    elif shape == "not_learning":
        train, val = np.full_like(train, PRIOR * 0.995), np.full_like(val, PRIOR)
    elif shape == "unstable":
        val = val * np.exp(random.normal(0, 0.6, len(time)))
    elif shape == "diverged":
        val = np.where(time < 11, PRIOR * np.exp(0.5 * time), np.nan)
        train = np.where(time < 11, PRIOR * np.exp(0.45 * time), np.nan)
    noise = np.exp(random.normal(0, 0.03, len(time)))
    return train * np.exp(random.normal(0, 0.015, len(time))), val * noise


def _epoch(number: int, train: float, val: float) -> EpochRecord:
    return EpochRecord(
        epoch=number,
        train_loss=float(train) * 1.2,
        train_loss_eval=float(train),
        val_loss=float(val),
        val_loss_halves=(0.96 * float(val), 1.04 * float(val)),
        accuracy=0.97,
        val_accuracy=0.95,
        precision=0.95,
        recall=0.95,
        auc=0.99,
        learning_rate=1e-3,
        seconds=0.2,
        ended_at=1_795_000_000.0 + number,
    )

"""What is trained for ``known_faults.parquet``: sensible trainings, and ones with a fault put in."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

EXPECTED = {
    "healthy": "good",
    "small_validation_set": "good",
    "healthy_long": "good;overfit",
    "too_few_epochs": "not_converged",
    "slow": "not_converged",
    "lr_x100": "diverged;unstable;not_learning",
    "noisy_lr": "unstable;diverged",
    "shuffled_labels": "overfit",
    "shuffled_labels_small": "not_learning",
    "width_2": "underfit",
    "dropout_0.9": "underfit",
    "strong_l2": "underfit;not_learning",
    "tiny_training_set": "overfit",
    "no_input": "not_learning",
    "early_stopped_overfit": "good;overfit",
}
RATES = {"adam": 1e-3, "sgd": 0.02, "rmsprop": 1e-3}  # sensible ones; SGD has a momentum of 0.9


@dataclass(frozen=True)
class Setup:
    """One training: the network, how it is trained, and on what."""

    seed: int
    family: str
    depth: int
    width: int
    activation: str
    optimizer: str
    rate: float
    batch: int
    val_share: float
    epochs: int = 60
    patience: int | None = None
    plateau: bool = False
    dropout: float = 0.0
    l2: float = 0.0
    dead: bool = False
    n_val: int | None = None
    per_class: int | None = None
    shuffled: tuple[str, ...] = ()
    zero_inputs: bool = False
    skewed: bool = False


def setup_of(cause: str, number: int) -> Setup:
    """The setup of run `number` of `cause`: a sensible one, unregularised, and the fault put in."""
    rng = np.random.default_rng([*cause.encode(), number])
    optimizer = list(RATES)[number % 3]
    s = Setup(
        seed=int(rng.integers(1, 10_000)),
        family=("dense", "cnn")[number % 2],
        depth=int(rng.integers(1, 4)),
        width=int(rng.choice([32, 48, 64, 96, 128])),
        activation=str(rng.choice(["relu", "tanh", "gelu"])),
        optimizer=optimizer,
        rate=RATES[optimizer] * 2 ** rng.uniform(-0.5, 0.5),
        batch=int(rng.choice([16, 32, 64])),
        val_share=float(rng.uniform(0.2, 0.4)),
    )
    long = int(rng.integers(90, 130))
    odd_pair = bool(number // 2 % 2)
    large = {"width": int(rng.choice([192, 256, 384])), "depth": 2, "activation": "relu"}
    changes: dict[str, Any]
    match cause:
        case "healthy" | "small_validation_set":
            epochs = int(rng.integers(80, 110))
            changes = {"epochs": epochs, "dropout": rng.uniform(0.2, 0.4), "l2": 3e-4 * odd_pair}
            changes |= {"patience": epochs // 5, "rate": s.rate * 1.5, "depth": min(s.depth, 2)}
            changes |= {"n_val": int(rng.integers(20, 61))} if cause == "small_validation_set" else {}
        case "healthy_long":
            changes = {"epochs": long}
        case "too_few_epochs":
            changes = {"epochs": int(rng.integers(6, 16)), "rate": s.rate / 4, "depth": min(s.depth, 2)}
            changes |= {"batch": 32}
        case "slow":
            changes = {"epochs": int(rng.integers(25, 41)), "rate": s.rate / 100, "batch": 16}
            changes |= {"depth": 1}
        case "lr_x100":
            changes = {"epochs": int(rng.integers(25, 45)), "rate": s.rate * 100}
        case "noisy_lr":
            changes = {"optimizer": "sgd", "activation": "tanh", "batch": 8}
            changes |= {"rate": rng.uniform(0.1, 0.3) / (1 if s.family == "dense" else 1.5)}
            changes |= {"depth": 1, "width": int(rng.integers(16, 33))}
        case "shuffled_labels":
            shuffled = ("train", "val") if odd_pair else ("train",)
            changes = large | {"shuffled": shuffled, "per_class": int(rng.integers(25, 50)), "batch": 16}
            changes |= {"val_share": 0.5, "epochs": int(rng.integers(60, 100))}
        case "shuffled_labels_small":
            shuffled = ("train", "val") if odd_pair else ("train",)
            changes = {"shuffled": shuffled, "rate": s.rate / 3, "dropout": 0.4, "depth": 1}
            changes |= {"width": int(rng.integers(6, 13)), "epochs": int(rng.integers(20, 35))}
        case "width_2":
            changes = {"width": 1 + odd_pair, "activation": ("tanh", "sigmoid")[number // 3 % 2]}
            changes |= {"family": "dense", "depth": 1, "rate": s.rate * (4 if s.optimizer == "sgd" else 8)}
            changes |= {"plateau": number % 3 > 0, "batch": 32, "epochs": long}
        case "dropout_0.9":
            width = int(rng.integers(16, 33)) * (3 if odd_pair else 1)
            changes = {"dropout": 0.9, "width": width, "depth": 1 + odd_pair, "activation": "relu"}
            changes |= {"family": "dense", "batch": 32, "epochs": long + 30}
            changes |= {"optimizer": ("adam", "rmsprop")[number % 2]}
            changes |= {"rate": 4e-3 if odd_pair or number % 2 else 1e-2}
        case "strong_l2":
            changes = {"l2": 10 ** rng.uniform(-2, -1), "batch": 16}
        case "tiny_training_set":
            changes = large | {"per_class": int(rng.integers(2, 7)), "batch": 8}
            changes |= {"rate": s.rate * (2 if s.optimizer == "sgd" else 4)}
            changes |= {"epochs": int(rng.integers(150, 250))}
        case "no_input":
            changes = {"skewed": odd_pair, "rate": s.rate * 5, "epochs": int(rng.integers(20, 50))}
            changes |= {"zero_inputs": True} if number % 3 else {"dead": True, "activation": "relu"}
        case "early_stopped_overfit":
            changes = large | {"epochs": 100, "patience": int(rng.integers(5, 11))}
    return replace(s, **changes)

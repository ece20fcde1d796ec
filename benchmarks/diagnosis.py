"""How often verdicts are right, how well their confidence is calibrated, and what they cost.

    python benchmarks/diagnosis.py FOLDER [KNOWN_FAULTS ...]   every figure beside its anchor
    python benchmarks/diagnosis.py FOLDER --calibrate          weights for archsearch/diagnosis/confidence.py

FOLDER holds ``labelled.parquet``, histories labelled overfit or not (Li et al. 2024, arXiv 2401.10359), and
``stress.parquet``, simulated curves of known kind; neither belongs to this project. KNOWN_FAULTS are files
such as ``tests/recorded/known_faults.parquet``. Intervals hold 95 % of 1,000 resamples of the curves.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold

from archsearch.diagnosis import Context, Curves, Diagnosis, diagnose
from archsearch.diagnosis.confidence import (
    CALIBRATION,
    MOST_WITHOUT_HALVES,
    Calibration,
    Evidence,
    evidence_for,
)
from archsearch.diagnosis.order import VERDICTS, deciding
from archsearch.diagnosis.reading import read

DOUBTFUL = "tinyimagenet_KDSWA"
BOOTSTRAPS, FOLDS, BINS, MOST_CONFIDENT = 1000, 10, 10, 0.8
EVIDENCE = [field.name for field in fields(Evidence)]
ABLATED = ("no prior", "two curves")
OWN = Path(__file__).parents[1] / "tests" / "recorded" / "known_faults.parquet"


@dataclass(frozen=True)
class Case:
    """A curve with the verdicts that are right for it; of binary labels, whether it is overfit."""

    source: str
    name: str
    group: str
    right: frozenset[str]
    is_binary: bool
    curves: Curves
    context: Context

    def accepts(self, verdict: str) -> bool:
        """Whether the verdict is a right one."""
        if self.is_binary:
            return (verdict == "overfit") == ("overfit" in self.right)
        return verdict in self.right


def main(words: list[str]) -> None:
    paths = [Path(word) for word in words if not word.startswith("--")]
    if not paths:
        sys.exit(__doc__)
    cases = [*labelled(paths[0]), *stress(paths[0])]
    real = [case for path in paths[1:] or [OWN] for case in known_faults(path)]
    judged = [(case, diagnose(case.curves, case.context)) for case in [*cases, *real]]
    table = pd.DataFrame([_row(case, diagnosis) for case, diagnosis in judged])
    if "--calibrate" in words:
        table = table[table.support.notna() & ~table.source.str.endswith(ABLATED)]
        weights = fitted(table[EVIDENCE].to_numpy(float), table.is_right.to_numpy(float))
        names = [field.name for field in fields(Calibration)]
        print(", ".join(f"{name}={weight:.2f}" for name, weight in zip(names, weights, strict=True)))
        return
    verdicts(table)
    confidence(table)
    speed()


def labelled(folder: Path) -> Iterator[Case]:
    frame = pd.read_parquet(folder / "labelled.parquet")
    for (source, name), curve in frame.groupby(["source", "curve"], sort=False):
        curves = Curves(curve.train_loss.to_numpy(), curve.val_loss.to_numpy())
        label = frozenset({str(curve.label.iloc[0])})
        yield Case(source, name, str(curve.group.iloc[0]), label, True, curves, Context())


def stress(folder: Path) -> Iterator[Case]:
    for name, curve in pd.read_parquet(folder / "stress.parquet").groupby("curve", sort=False):
        first = curve.iloc[0]
        label = frozenset({str(first.label)})
        evaluated = curve.train_loss_eval if curve.train_loss_eval.notna().any() else None
        context = Context(
            prior_entropy=_known(first.prior_entropy),
            n_val=int(first.n_val),
            reference_loss=_known(first.reference_loss),
            early_stopped=bool(first.early_stopped),
        )
        alone = Curves(curve.train_loss.to_numpy(), curve.val_loss.to_numpy())
        whole = Curves(alone.train_loss, alone.val_loss, evaluated)
        yield Case("stress", name, name, label, False, whole, context)
        yield Case("stress alone", name, name, label, False, alone, Context())


def known_faults(path: Path) -> Iterator[Case]:
    """Real trainings; the reference is the lowest train loss of a healthy one, as a search would have it."""
    frame = pd.read_parquet(path)
    for dataset, part in frame.groupby("dataset", sort=False):
        ends = part[part.cause == "healthy"].groupby("curve").train_loss_eval.last()
        best_val_loss = float(part.val_loss.min())
        for name, curve in part.groupby("curve", sort=False):
            first = curve.iloc[0]
            context = Context(
                prior_entropy=float(first.prior_entropy),
                n_val=int(first.n_val),
                reference_loss=float(ends.drop(name, errors="ignore").min()),
                best_val_loss=best_val_loss,
                early_stopped=bool(first.early_stopped),
                planned_epochs=int(first.planned_epochs),
                dropout=bool(first.dropout),
            )
            names = ("train_loss", "val_loss", "train_loss_eval", "learning_rate", "val_accuracy")
            curves = Curves(*(curve[name].to_numpy(dtype=float) for name in names))
            right = frozenset(first.expected.split(";"))
            group = f"{dataset} {first.cause}"
            yield Case(f"real, {dataset}", name, group, right, False, curves, context)
            no_prior = replace(context, prior_entropy=None)
            yield Case(f"real, {dataset}, no prior", name, group, right, False, curves, no_prior)
            alone = Curves(curves.train_loss, curves.val_loss)
            yield Case(f"real, {dataset}, two curves", name, group, right, False, alone, Context())


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _row(case: Case, diagnosis: Diagnosis) -> dict[str, object]:
    verdict = str(diagnosis.verdict)
    row = {
        "source": case.source,
        "name": case.name,
        "group": case.group,
        "label": ";".join(sorted(case.right)),
        "verdict": verdict,
        "is_right": case.accepts(verdict),
        "confidence": diagnosis.confidence,
        "is_capped": False,
    }
    if verdict not in {str(each) for each in VERDICTS[1:]} or not np.isfinite(case.curves.val_loss[-1]):
        return row | dict.fromkeys([field.name for field in fields(Evidence)], math.nan)
    reading = read(case.curves, case.context)
    evidence = evidence_for(int(deciding(reading)), reading)
    capped = not math.isclose(CALIBRATION.probability(evidence), diagnosis.confidence)
    return row | asdict(evidence) | {"is_capped": capped}


def verdicts(table: pd.DataFrame) -> None:
    print(f"{'macro-F1':58}{'reached':>9}{'95 % interval':>17}{'at least':>10}   anchor")
    real, simulated = (table[table.source == source] for source in ("og_real", "og_sim"))
    sure = real[~real.name.str.contains(DOUBTFUL)]
    figure(f"overfit or not, {len(sure)} real histories", sure, binary_f1, 0.95, "")
    figure(f"the same with the doubtful one ({len(real)})", real, binary_f1, None, "0.953 (KNN-DTW)")
    figure(
        f"overfit or not, {len(simulated)} simulated",
        simulated,
        binary_f1,
        0.97,
        "0.988 (best single rule, 419)",
    )
    for source, least, anchor in (
        ("stress", 0.96, "0.951"),
        ("stress alone", 0.65, "0.629"),
    ):
        part = table[table.source == source]
        figure(f"all verdicts, {source} ({len(part)})", part, macro_f1, least, f"{anchor} (prototype)")
    for source in table.source[table.source.str.startswith("real, ")].unique():
        part = table[table.source == source]
        figure(f"share right, {source} ({len(part)} trainings)", part, share_right, None, "")
        if source.endswith(ABLATED):
            continue
        causes = part.assign(cause=part.group.str.split(" ", n=1).str[1]).groupby("cause", sort=True)
        for cause, of_cause in causes:
            counts = ", ".join(f"{name} {count}" for name, count in of_cause.verdict.value_counts().items())
            print(f"    {cause:24}{of_cause.is_right.sum():3} of {len(of_cause):3}  {counts}")


def figure(
    name: str, part: pd.DataFrame, measure: Callable[[pd.DataFrame], float], least: float | None, anchor: str
) -> None:
    random = np.random.default_rng(0)
    codes = part[["label", "verdict", "is_right"]]
    drawn = [measure(codes.iloc[random.integers(0, len(codes), len(codes))]) for _ in range(BOOTSTRAPS)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    wanted = "" if least is None else f"{least:.2f}"
    print(f"{name:58}{measure(codes):9.3f}{f'{low:.3f} – {high:.3f}':>17}{wanted:>10}   {anchor}")


def binary_f1(part: pd.DataFrame) -> float:
    return float(
        f1_score(part.label == "overfit", part.verdict == "overfit", average="macro", zero_division=1.0)
    )


def macro_f1(part: pd.DataFrame) -> float:
    labels = sorted(part.label.unique())
    return float(f1_score(part.label, part.verdict, labels=labels, average="macro", zero_division=0.0))


def share_right(part: pd.DataFrame) -> float:
    return float(part.is_right.mean())


def confidence(table: pd.DataFrame) -> None:
    """Confidence as each curve would have it if its group had not been seen in the calibration."""
    print(f"\n{'confidence, cross-validated over groups':58}{'reached':>9}{'':17}{'at most':>10}")
    of_folder = ~table.source.str.startswith("real")
    ablated = table.source.str.endswith(ABLATED)
    pooled = {
        "sets of FOLDER, pooled": table[of_folder],
        "without stress alone": table[of_folder & (table.source != "stress alone")],
        "with real trainings": table[~ablated],
        "and these knowing less": table,
    }
    for name, part in pooled.items():
        part = part[part.support.notna()]
        probabilities = cross_validated(part)
        right = part.is_right.to_numpy(dtype=float)
        order = np.argsort(-probabilities, kind="stable")[: round(MOST_CONFIDENT * len(right))]
        ratio = (1 - right[order].mean()) / (1 - right.mean())
        error = calibration_error(probabilities, right)
        print(f"{f'expected calibration error, {name} ({len(part)})':58}{error:9.3f}{'':17}{0.05:10.2f}")
        surest = f"error of the 80 % most confident over that of all ({1 - right.mean():.3f})"
        print(f"{surest:58}{ratio:9.3f}{'':17}{1 / 3:10.2f}")


def cross_validated(part: pd.DataFrame) -> np.ndarray:
    evidence, right = part[EVIDENCE].to_numpy(float), part.is_right.to_numpy(float)
    probabilities = np.zeros(len(part))
    for seen, unseen in GroupKFold(FOLDS, shuffle=True, random_state=0).split(evidence, groups=part.group):
        probabilities[unseen] = modelled(fitted(evidence[seen], right[seen]), evidence[unseen])
    return np.where(part.is_capped, np.minimum(probabilities, MOST_WITHOUT_HALVES), probabilities)


def modelled(weights: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """`Calibration.probability` of many."""
    support, lacking, unmoved = evidence.T
    doubt = np.exp(-weights[2] * lacking - weights[3] * unmoved)
    return doubt / (1 + np.exp(-weights[0] - weights[1] * support))


def fitted(evidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Weights of `Calibration` by maximum likelihood, within the bounds that it names."""

    def loss(weights: np.ndarray) -> float:
        chance = np.clip(modelled(weights, evidence), 1e-9, 1 - 1e-9)
        return float(-(right * np.log(chance) + (1 - right) * np.log(1 - chance)).sum())

    bounds = [(-5, 5), (0, 3), (0.01, 1), (0, 5)]
    return minimize(loss, [2.0, 0.5, 0.02, 0.5], method="L-BFGS-B", bounds=bounds).x


def calibration_error(probabilities: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error in ten bins of equal width (Guo et al. 2017, arXiv 1706.04599)."""
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    return float(
        sum(
            abs(right[bins == each].mean() - probabilities[bins == each].mean()) * (bins == each).mean()
            for each in np.unique(bins)
        )
    )


def speed(curves: int = 500, epochs: int = 100) -> None:
    random, time_axis = np.random.default_rng(0), np.arange(epochs)
    made = []
    for index in range(curves):
        train = 0.2 + 0.5 * np.exp(-time_axis / 10) + random.normal(scale=0.004, size=epochs)
        rise = 0.002 * np.clip(time_axis - 30, 0, None) * (index % 2)
        made.append(Curves(train, train + 0.02 + rise + random.normal(scale=0.01, size=epochs)))
    context = Context(prior_entropy=0.69, n_val=1000, reference_loss=0.1, early_stopped=False)
    print(f"\n{'seconds for 10,000 curves of 100 epochs':58}{'reached':>9}{'processor':>17}{'at most':>10}")
    for name, with_confidence, most in (("without confidence", False, 20), ("with", True, 300)):
        wall, processor = time.perf_counter(), time.process_time()
        for each in made:
            diagnose(each, context, confidence=with_confidence)
        scale = 10_000 / curves
        wall, processor = (time.perf_counter() - wall) * scale, (time.process_time() - processor) * scale
        print(f"{name:58}{wall:9.0f}{processor:17.0f}{most:10}")


if __name__ == "__main__":
    main(sys.argv[1:])

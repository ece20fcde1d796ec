"""Anyone's experiment in MLflow: its runs' loss curves out of it, verdicts back into it as tags."""

import difflib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from archsearch.diagnosis import Diagnosis
from archsearch.errors import DataError, TrackingError
from archsearch.histories import RecordedCurve
from archsearch.histories.table import listed
from archsearch.ranking import deciding
from archsearch.report.words import count, listing
from archsearch.tracking.logged import EXTRAS, TRAIN_LOSS, VAL_LOSS, LoggedRun, metric_name, recorded_curve
from archsearch.tracking.places import REMEDY, check_holds_experiments
from archsearch.tracking.server import Tracking, check_answers, first_line, prepare_mlflow

# Runs whose metrics are fetched at once: a server answers several, and is mostly waited for.
AT_ONCE = 8

# Of one search; MLflow allows up to 50,000 and sends each run's parameters and tags with it.
PER_PAGE = 1_000

TAG_LENGTH = 5_000
"""What every MLflow takes as a tag's value; newer ones take more."""

Skipped = Callable[[str], None]
Progress = Callable[[int, int], None]


def read_experiment(
    uri: str,
    experiment: str,
    train_metric: str = TRAIN_LOSS,
    val_metric: str = VAL_LOSS,
    *,
    on_skipped: Skipped | None = None,
    on_fault: Skipped | None = None,
    on_progress: Progress | None = None,
) -> list[tuple[str, RecordedCurve]]:
    """Read the loss curves of an experiment's runs, the oldest run first.

    Parameters
    ----------
    uri : str
        Of a tracking server, a database or a folder of MLflow's.
    experiment : str
        Its name.
    train_metric, val_metric : str
        Metrics with one loss per epoch. The defaults stand for other usual names of the same as well.
    on_skipped : callable, optional
        Takes a sentence for each run without these metrics. Runs that only hold others are not mentioned.
    on_fault : callable, optional
        Takes a sentence for each run with these metrics whose losses can't be judged.
    on_progress : callable, optional
        Takes how many runs are read, and of how many.

    Returns
    -------
    list of (str, RecordedCurve)
        Run id and curves, named as the run is; runs of one name have their id with it.

    Raises
    ------
    TrackingError
        MLflow does not answer within `PROBE_SECONDS`, or there is no such experiment, or no run to judge.
    """
    with _asking(uri) as client:
        experiment_id = _experiment_id(client, uri, experiment)
        runs = list(_pages(client.search_runs, [experiment_id], order_by=["attributes.start_time"]))
        chosen, skipped = _with_losses(runs, (train_metric, val_metric))
        if not chosen:
            raise TrackingError(_nothing_to_judge(uri, experiment, runs, (train_metric, val_metric)))
        if on_skipped:
            for sentence in skipped:
                on_skipped(sentence)
        names = Counter(run.info.run_name for run, _ in chosen)
        curves: list[tuple[str, RecordedCurve]] = []
        with ThreadPoolExecutor(AT_ONCE) as pool:
            fetched = pool.map(lambda found: _logged(client, *found), chosen)
            for number, logged in enumerate(fetched, 1):
                run_id, name = logged.run_id, logged.name
                shown = f"{name} ({run_id[:8]})" if names[name] > 1 else name
                try:
                    curves.append((run_id, recorded_curve(replace(logged, name=shown))))
                except DataError as error:
                    if on_fault:
                        on_fault(str(error))
                if on_progress:
                    on_progress(number, len(chosen))
    return curves


def tag_runs(uri: str, diagnoses: Mapping[str, Diagnosis]) -> None:
    """Write verdicts to runs as tags, over those of an earlier time.

    Parameters
    ----------
    uri : str
    diagnoses : mapping of str to Diagnosis
        By run id.

    Raises
    ------
    TrackingError
        MLflow does not answer, or does not take them.
    """
    from mlflow.entities import RunTag

    with _asking(uri) as client, ThreadPoolExecutor(AT_ONCE) as pool:

        def write(run_id: str) -> None:
            tags = [RunTag(name, text) for name, text in _tags(diagnoses[run_id]).items()]
            client.log_batch(run_id, tags=tags)

        list(pool.map(write, diagnoses))


def _tags(diagnosis: Diagnosis) -> dict[str, str]:
    confidence = diagnosis.confidence
    return {
        "archsearch.verdict": str(diagnosis.verdict),
        "archsearch.delivered": str(diagnosis.delivered),
        # Empty rather than absent: a tag of an earlier judging would stay.
        "archsearch.confidence": "" if confidence is None else f"{confidence:.3f}",
        "archsearch.rules_version": str(diagnosis.rules_version),
        "archsearch.why": deciding(diagnosis).message[:TAG_LENGTH],
    }


@contextmanager
def _asking(uri: str) -> Iterator[Any]:
    """A client of an MLflow that answers; its errors in our words."""
    check_holds_experiments(uri)
    prepare_mlflow()
    # A folder of runs is only read, and tagged if that is wanted: nobody need move it into a database first.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    check_answers(Tracking(uri, None, None), REMEDY)
    from mlflow import MlflowClient

    try:
        yield MlflowClient(uri)
    except TrackingError:
        raise
    except Exception as error:  # MLflow's own, its database driver's or its server's: there is no common base
        raise TrackingError(f"MLflow at {uri}: {first_line(error)}") from None


def _pages(search: Callable[..., Any], *arguments: Any, **words: Any) -> Iterator[Any]:
    """Everything that a search of MLflow's finds, page by page."""
    token = None
    while True:
        page = search(*arguments, max_results=PER_PAGE, page_token=token, **words)
        yield from page
        token = page.token
        if not token:
            return


def _experiment_id(client: Any, uri: str, name: str) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is not None and experiment.lifecycle_stage == "active":
        return str(experiment.experiment_id)
    if experiment is not None:
        raise TrackingError(
            f"MLflow at {uri}: the experiment {name!r} was deleted; restore it with "
            f"mlflow experiments restore -x {experiment.experiment_id}"
        )
    known = [found.name for found in _pages(client.search_experiments)]
    nearest = difflib.get_close_matches(name, known, cutoff=0.5)
    hint = f"did you mean {' or '.join(map(repr, nearest))}?" if nearest else f"there are {listed(known)}"
    raise TrackingError(f"MLflow at {uri} has no experiment {name!r}; {hint}")


def _with_losses(
    runs: Sequence[Any], wanted: tuple[str, str]
) -> tuple[list[tuple[Any, tuple[str, str]]], list[str]]:
    """Runs that logged both losses, with what they call them; and a sentence on each of the others."""
    parents = {run.data.tags.get("mlflow.parentRunId") for run in runs}
    chosen, skipped = [], []
    for run in runs:
        train, val = (metric_name(name, run.data.metrics) for name in wanted)
        if train and val:
            chosen.append((run, (train, val)))
        elif run.info.run_id not in parents:
            missing = listing([name for name, found in zip(wanted, (train, val), strict=True) if not found])
            skipped.append(f"run {run.info.run_name}: no metric {missing}; it has {_metrics([run])}")
    return chosen, skipped


def _nothing_to_judge(uri: str, experiment: str, runs: Sequence[Any], wanted: tuple[str, str]) -> str:
    if not runs:
        return f"MLflow at {uri}: the experiment {experiment!r} has no runs"
    return (
        f"MLflow at {uri}: of {count(len(runs), 'run')} of experiment {experiment!r} none has the metrics "
        f"{listing(wanted)}; there are {_metrics(runs)}; name theirs with --train-metric and --val-metric"
    )


def _metrics(runs: Iterable[Any]) -> str:
    return listed(sorted({name for run in runs for name in run.data.metrics})) or "none"


def _logged(client: Any, run: Any, losses: tuple[str, str]) -> LoggedRun:
    """A run with all values of its losses and of what else is looked at."""
    run_id, last = run.info.run_id, run.data.metrics
    names = {extra: next((name for name in names if name in last), None) for extra, names in EXTRAS.items()}
    train, val = (client.get_metric_history(run_id, name) for name in losses)
    return LoggedRun(
        run_id=run_id,
        name=run.info.run_name,
        status=run.info.status,
        params=run.data.params,
        tags=run.data.tags,
        last=last,
        train=train,
        val=val,
        extras={extra: client.get_metric_history(run_id, name) for extra, name in names.items() if name},
    )

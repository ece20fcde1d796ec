"""A projection of a search's record into MLflow: the search is a run, each training a child run of it.

It can be repeated at any time: an epoch logged twice (same value, step and time) is one epoch to MLflow, and
runs that an earlier process left open are taken away and written anew.
"""

import getpass
import itertools
import posixpath
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock

from archsearch.architecture import AnyArchitecture, HyperModelArchitecture
from archsearch.errors import TrackingError
from archsearch.ranking import best_run
from archsearch.records import (
    DataSummary,
    EpochRecord,
    Recipe,
    SearchSnapshot,
    SpaceChange,
    Status,
    TrainingRun,
    TrialResult,
)
from archsearch.tracking.server import Tracking, first_line, prepare_mlflow
from archsearch.tracking.statistics import gather_statistics

UID_TAG = "archsearch.uid"
SEARCH_TAG = "archsearch.search"
TRIAL_TAG = "archsearch.trial"
CHANGES_TAG = "space_changes"

# Folders of the artifacts of a search's run.
REPORT, MODEL = "report", "model"

# MLflow's page then opens with tables of runs and metrics, not with traces of language models.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}

VERDICT_TAGS = ("verdict", "delivered_verdict", "verdict_confidence", "verdict_agreement")

# Limits of one call of MLflow's log_batch, of a parameter's name and value, and of a tag's value.
METRICS_PER_CALL = 1_000
PARAMS_PER_CALL = 100
NAME_LENGTH = 250
PARAM_LENGTH = 6_000
TAG_LENGTH = 5_000

# Before the names of what a training ran in, which is known last.
ENVIRONMENT = "environment."

_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]", re.ASCII)

_ENDS = {
    Status.COMPLETED: "FINISHED",
    Status.STOPPED: "FINISHED",
    Status.PRUNED: "KILLED",
    Status.SKIPPED: "KILLED",
}


@dataclass(slots=True)
class _Child:
    """A training's run in MLflow, and what of it is there."""

    run_id: str
    is_described: bool = False
    epochs: int = 0
    is_closed: bool = False
    verdicts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Files kept with the search's run."""

    report: Path | None = None
    model: Path | None = None


@dataclass(slots=True)
class Mirror:
    """Mirrors one search into one MLflow tracking store.

    Parameters
    ----------
    tracking : Tracking
    search : SearchSnapshot
        Its trials are not looked at: `push` takes them.
    """

    tracking: Tracking
    search: SearchSnapshot
    experiment_id: str = ""
    run_id: str = ""
    _client: Any = None
    _children: dict[tuple[int, int], _Child] = field(default_factory=dict)

    def open(self) -> None:
        """Find or make the experiment and the search's run; find the children that are complete.

        Raises
        ------
        TrackingError
            If MLflow refuses.
        """
        prepare_mlflow()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        try:
            with _one_at_a_time(self.tracking):
                if self.tracking.database:
                    _make_tables(self.tracking.database)
                self._client = MlflowClient(self.tracking.uri)
                self.experiment_id = self._experiment()
            self.run_id = self._parent()
            self._find_children()
        except MlflowException as error:
            raise TrackingError(f"MLflow at {self.tracking.uri}: {first_line(error)}") from None
        except Exception as error:
            # Whatever the database's driver raises: there is no common base.
            reason = f"{type(error).__name__}: {first_line(error)}"
            raise TrackingError(f"MLflow at {self.tracking.uri}: {reason}") from None

    def push(self, trials: Iterable[TrialResult]) -> None:
        """Bring trials into line: epochs not yet logged, ends, verdicts."""
        for trial in trials:
            for run in trial.runs:
                if run.epochs or trial.status is not Status.RUNNING:
                    self._push_run(trial, run)

    def close(self, status: str, best: TrialResult | None, artifacts: Artifacts) -> None:
        """End the search's run, and those of trainings that were interrupted."""
        self._delete_strays()
        for child in self._children.values():
            if not child.is_closed:
                self._client.set_tag(child.run_id, "status", "interrupted")
                self._client.set_terminated(child.run_id, "KILLED")
        self._log_summary(status, best)
        if artifacts.report:
            self._client.log_artifact(self.run_id, str(artifacts.report), REPORT)
        if artifacts.model:
            self._log_model(artifacts.model)
        ends = {"interrupted": "KILLED", "all_failed": "FAILED", "given_up": "FAILED"}
        self._client.set_terminated(self.run_id, ends.get(status, "FINISHED"))
        if self.tracking.database:
            gather_statistics(self.tracking.database)

    def _experiment(self) -> str:
        experiment = self._client.get_experiment_by_name(self.search.name)
        if experiment is None:
            artifacts = self.tracking.artifacts
            location = str(artifacts / self.search.name) if artifacts else None
            return str(self._client.create_experiment(self.search.name, location, EXPERIMENT_TAGS))
        if experiment.lifecycle_stage != "active":
            raise TrackingError(
                f"MLflow at {self.tracking.uri}: the experiment {self.search.name!r} was deleted; restore it "
                f"(mlflow experiments restore -x {experiment.experiment_id}) or give the space another name"
            )
        return str(experiment.experiment_id)

    def _parent(self) -> str:
        query = f"tags.`{UID_TAG}` = '{self.search.uid}' and tags.`{TRIAL_TAG}` = 'all'"
        found = self._client.search_runs([self.experiment_id], query, max_results=1)
        there: Mapping[str, str] = {}
        if found:
            run_id, there = str(found[0].info.run_id), found[0].data.params
            self._client.update_run(run_id, status="RUNNING")
        else:
            tags = self._common_tags() | {TRIAL_TAG: "all"}
            started = int(self.search.created_at * 1000)
            run = self._client.create_run(self.experiment_id, started, tags, run_name=self.search.id)
            run_id = str(run.info.run_id)
        # Also to a run that is there: whoever made it may have come no further. What it has can't be changed:
        # words that an edit of the space has changed stay as they were, and a tag says what became of them.
        words = _named(_flat(self.search.space) | dict(self.search.versions))
        missing = {name: value for name, value in words.items() if name not in there}
        self._log(run_id, params=missing, tags=_changes(self.search.changes))
        self._client.log_text(run_id, self.search.space_text, "space.yaml")
        return run_id

    def _runs_below(self) -> list[Any]:
        """MLflow's runs of which the search's run is the parent."""
        query = f"tags.`mlflow.parentRunId` = '{self.run_id}'"
        runs, token = [], None
        while True:
            page = self._client.search_runs([self.experiment_id], query, max_results=1_000, page_token=token)
            runs += page
            token = page.token
            if not token:
                return runs

    def _find_children(self) -> None:
        """Keep the children that are complete; delete those that an earlier process left in the middle."""
        for run in self._runs_below():
            tags = run.data.tags
            if run.info.status == "RUNNING" or tags.get("status") == "interrupted":
                self._client.delete_run(run.info.run_id)
                continue
            key = (int(tags[TRIAL_TAG]), int(tags["seed"]))
            verdicts = {name: tags[name] for name in VERDICT_TAGS if name in tags}
            self._children[key] = _Child(
                run.info.run_id, is_described=True, is_closed=True, verdicts=verdicts
            )

    def _delete_strays(self) -> None:
        """Delete the children that the server has made, but whose making it could not answer.

        MLflow's client may itself ask again after a lost answer, so that no error tells of them.
        """
        known = {child.run_id for child in self._children.values()}
        for run in self._runs_below():
            if run.info.status == "RUNNING" and run.info.run_id not in known:
                self._client.delete_run(run.info.run_id)

    def _push_run(self, trial: TrialResult, run: TrainingRun) -> None:
        key = (trial.number, run.seed)
        if key not in self._children:
            self._children[key] = self._create_child(trial, run)
        child = self._children[key]
        if not child.is_described:
            self._log(child.run_id, params=_params(trial, run, self.search.data))
            child.is_described = True
        if not child.is_closed:
            new = run.epochs[child.epochs :]
            self._log(child.run_id, metrics=[metric for epoch in new for metric in _metrics(epoch)])
            child.epochs = len(run.epochs)
            if run.status is not Status.RUNNING and trial.status is not Status.RUNNING:
                self._end_child(child, trial, run)
        if child.verdicts != _verdicts(trial):
            self._log(child.run_id, tags=_verdicts(trial))
            child.verdicts = _verdicts(trial)

    def _create_child(self, trial: TrialResult, run: TrainingRun) -> _Child:
        tags = self._common_tags() | {
            TRIAL_TAG: str(trial.number),
            "mlflow.parentRunId": self.run_id,
            "architecture": trial.label,
            "family": trial.family,
            "seed": str(run.seed),
            "status": str(Status.RUNNING),
        }
        name = f"{trial.number} {trial.label}"[:250]
        started = run.epochs[0].ended_at - run.epochs[0].seconds if run.epochs else self.search.created_at
        created = self._client.create_run(self.experiment_id, int(started * 1000), tags, run_name=name)
        return _Child(created.info.run_id)

    def _end_child(self, child: _Child, trial: TrialResult, run: TrainingRun) -> None:
        tags = {"status": str(run.status)}
        if run.reason:
            tags["reason"] = run.reason
        tags |= _verdicts(trial)
        environment = {ENVIRONMENT + name: value for name, value in run.environment.items()}
        self._log(child.run_id, metrics=_best(trial, run), params=_text(environment), tags=tags)
        ended = int(run.epochs[-1].ended_at * 1000) if run.epochs else None
        self._client.set_terminated(child.run_id, _ENDS.get(run.status, "FAILED"), ended)
        child.is_closed, child.verdicts = True, _verdicts(trial)

    def _log_model(self, model: Path) -> None:
        """Keep the best model under one name, in place of an earlier best."""
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copyfile(model, Path(folder) / "best.keras")
            self._client.log_artifact(self.run_id, str(copy), MODEL)

    def _log_summary(self, status: str, best: TrialResult | None) -> None:
        tags = {"status": status}
        metrics = []
        run = best_run(best.runs) if best and best.runs else None
        if best and run and run.delivered:
            tags |= _verdicts(best) | {"best_trial": str(best.number), "best": best.label}
            # One step and the time now: to MLflow the last value is that of the highest step, then time.
            now = int(time.time() * 1000)
            metrics = [(name, value, now, 0) for name, value, _, _ in _best(best, run)]
        self._log(self.run_id, metrics=metrics, tags=tags)

    def _common_tags(self) -> dict[str, str]:
        versions = self.search.versions
        tags = {
            UID_TAG: self.search.uid,
            SEARCH_TAG: self.search.id,
            "mlflow.user": _user(),
            "mlflow.source.name": self.search.command,
            "mlflow.source.type": "LOCAL",
        }
        commit = versions.get("git_commit")
        return tags | {"mlflow.source.git.commit": commit} if commit else tags

    def _log(
        self,
        run_id: str,
        metrics: Sequence[tuple[str, float, int, int]] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        entities = [Metric(*metric) for metric in metrics]
        named = [Param(name, value[:PARAM_LENGTH]) for name, value in _named(params or {}).items()]
        self._client.log_batch(
            run_id,
            metrics=entities[:METRICS_PER_CALL],
            params=named[:PARAMS_PER_CALL],
            tags=[RunTag(key, value) for key, value in (tags or {}).items()],
        )
        for start in range(METRICS_PER_CALL, len(entities), METRICS_PER_CALL):
            self._client.log_batch(run_id, metrics=entities[start : start + METRICS_PER_CALL])
        for start in range(PARAMS_PER_CALL, len(named), PARAMS_PER_CALL):
            self._client.log_batch(run_id, params=named[start : start + PARAMS_PER_CALL])


@contextmanager
def _one_at_a_time(tracking: Tracking) -> Iterator[None]:
    """Let one process alone make the store's own database: two that make its tables at once both fail."""
    if tracking.database is None:
        yield
        return
    with filelock.FileLock(tracking.database.with_suffix(".lock"), timeout=60):
        yield


def _make_tables(database: Path) -> None:
    """Make the store's own database whole or not at all: MLflow can't use one whose making was cut short."""
    from mlflow import MlflowClient

    if database.exists():
        return
    draft = database.with_suffix(".unfinished")
    for left_behind in database.parent.glob(f"{draft.name}*"):
        left_behind.unlink()
    MlflowClient(f"sqlite:///{draft}").search_experiments(max_results=1)
    draft.replace(database)


def _metrics(epoch: EpochRecord) -> list[tuple[str, float, int, int]]:
    """An epoch's numbers as MLflow's (name, value, time in ms, step)."""
    values = {
        "train_loss": epoch.train_loss,
        "train_loss_eval": epoch.train_loss_eval,
        "val_loss": epoch.val_loss,
        "val_loss_half_a": epoch.val_loss_halves[0],
        "val_loss_half_b": epoch.val_loss_halves[1],
        "accuracy": epoch.accuracy,
        "val_accuracy": epoch.val_accuracy,
        "precision": epoch.precision,
        "recall": epoch.recall,
        "auc": epoch.auc,
        "learning_rate": epoch.learning_rate,
        "seconds": epoch.seconds,
    }
    ended = int(epoch.ended_at * 1000)
    return [(name, value, ended, epoch.epoch) for name, value in values.items()]


def _best(trial: TrialResult, run: TrainingRun) -> list[tuple[str, float, int, int]]:
    """What MLflow's table should show: it knows only last values, and the best epoch is seldom the last."""
    epoch = run.delivered
    if epoch is None:
        return []
    values = {
        "best_epoch": epoch.epoch,
        "best_val_loss": epoch.val_loss,
        "best_train_loss_eval": epoch.train_loss_eval,
        "best_gap": epoch.val_loss - epoch.train_loss_eval,
        "best_val_accuracy": epoch.val_accuracy,
        "parameters": trial.parameters,
        "training_seconds": run.seconds,
    }
    if trial.score is not None:
        values["score"] = trial.score
    ended = int(run.epochs[-1].ended_at * 1000)
    return [(name, float(value), ended, epoch.epoch) for name, value in values.items()]


def _verdicts(trial: TrialResult) -> dict[str, str]:
    """What is known of a judged trial's verdict, as tags; of one that was not judged, none."""
    if trial.verdict is None:
        return {}
    values = (trial.verdict, trial.delivered, trial.confidence, trial.agreement)
    return {name: _verdict_text(value) for name, value in zip(VERDICT_TAGS, values, strict=True)}


def _verdict_text(value: str | float | None) -> str:
    if value is None:
        return ""  # rather than no tag: that of an earlier judging would stay
    return f"{value:.2f}" if isinstance(value, float) else value


def _params(trial: TrialResult, run: TrainingRun, data: DataSummary) -> dict[str, str]:
    architecture = trial.architecture
    ours = {
        "trial": trial.number,
        "family": trial.family,
        "name": trial.name or "",
        "architecture": architecture.notation,
        **_blocks(architecture),
        "parameters": trial.parameters,
        "seed": run.seed,
        **_recipe(trial.recipe),
        # As whoever judges the curves by what is logged looks for them.
        "n_val": data.n_val,
        "prior_entropy": data.prior_entropy,
    }
    return _text(ours | _sampled(trial, ours))


def _sampled(trial: TrialResult, ours: Mapping[str, Any]) -> dict[str, Any]:
    """What was chosen; hyperparameters of a user's HyperModel under their own names.

    Only one that is named as a parameter of ours and is another thing gets a longer name: a parameter that
    MLflow has can't be changed.
    """
    if not isinstance(trial.architecture, HyperModelArchitecture):
        return {f"sampled.{name}": value for name, value in trial.params.items()}
    return {
        f"sampled.{name}" if ours.get(name, value) != value or name.startswith(ENVIRONMENT) else name: value
        for name, value in trial.architecture.values
    }


def _named(params: Mapping[str, str]) -> dict[str, str]:
    """Parameters under names that MLflow takes, each another one."""
    named: dict[str, str] = {}
    for name, value in params.items():
        allowed = _NOT_IN_NAMES.sub("_", name)[: NAME_LENGTH - 1]
        if posixpath.normpath(allowed) != allowed or allowed.startswith(("/", "..")) or allowed == ".":
            allowed = "_" + allowed.replace("/", "_")
        candidate = allowed
        for number in itertools.count(2):
            if candidate not in named:
                break
            candidate = f"{allowed[: NAME_LENGTH - 1 - len(str(number))]}_{number}"
        named[candidate] = value
    return named


def _blocks(architecture: AnyArchitecture) -> dict[str, str]:
    if isinstance(architecture, HyperModelArchitecture):
        return {"hypermodel": architecture.hypermodel}
    return {
        "conv.filters": "·".join(str(block.filters) for block in architecture.conv),
        "dense.widths": "·".join(str(block.width) for block in architecture.dense),
    }


def _recipe(recipe: Recipe) -> dict[str, Any]:
    values = {name: getattr(recipe, name) for name in Recipe.__dataclass_fields__}
    return values | {"augmentation": recipe.augmentation.notation or "none"}


def _text(values: Mapping[str, Any]) -> dict[str, str]:
    return {key: f"{value:.6g}" if isinstance(value, float) else str(value) for key, value in values.items()}


def _flat(space: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """A space's words as parameters; the named architectures are in space.yaml, too long for parameters."""
    words: dict[str, str] = {}
    for key, value in space.items():
        if prefix + key == "architectures":
            continue
        if isinstance(value, Mapping):
            words |= _flat(value, f"{prefix}{key}.")
        else:
            words |= _text({prefix + key: value})
    return words


def _changes(changes: Iterable[SpaceChange]) -> dict[str, str]:
    """What edits of the space have changed, as a tag; none where it was never edited."""
    lines = [f"before trial {change.trial}: {word}" for change in changes for word in change.words]
    return {CHANGES_TAG: "\n".join(lines)[:TAG_LENGTH]} if lines else {}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"

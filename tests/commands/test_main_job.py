"""The main job, by the real command on real data."""

import json
import math
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest
from real_command import (
    IN_PROCESS,
    UNTRACKED,
    Searched,
    command,
    environment,
    free_port,
    invoke,
    run,
    serving,
)

from archsearch.commands.result import judge
from archsearch.records import Status
from archsearch.study import Record

pytestmark = pytest.mark.slow

CURVES = (
    "train_loss",
    "train_loss_eval",
    "val_loss",
    "accuracy",
    "val_accuracy",
    "precision",
    "recall",
    "auc",
)


def recorded(searched: Searched):
    with Record.open(searched.record, read_only=True) as record:
        return record.snapshot()


def test_the_json_object_has_the_documented_shape(searched: Searched) -> None:
    result = searched.result
    assert list(result) == [
        "search",
        "status",
        "trials",
        "best",
        "ranking",
        "report",
        "tracking_uri",
        "experiment_id",
    ]
    assert result["status"] == "finished"
    assert sum(result["trials"].values()) == 4
    assert set(result["best"]) == {
        "trial",
        "architecture",
        "verdict",
        "confidence",
        "agreement",
        "val_loss",
        "gap",
        "parameters",
        "model",
    }
    assert [row["rank"] for row in result["ranking"]] == list(range(1, len(result["ranking"]) + 1))
    assert len(result["ranking"]) == result["trials"]["completed"]
    assert all(math.isfinite(row["score"]) and row["reason"] for row in result["ranking"])
    assert (searched.folder / result["report"]).is_file()
    assert Path(result["best"]["model"]).is_file()


def test_what_was_judged_is_kept_and_not_judged_again(
    searched: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Record.open(searched.record, read_only=True) as record:
        snapshot, stored = record.snapshot(), record.judgements()
    trainings = [(trial, run) for trial in snapshot.trials for run in trial.runs]
    assert set(stored) == {(trial.number, run.seed) for trial, run in trainings if run.status.has_result}
    monkeypatch.setattr("archsearch.diagnosis.runs.diagnose", None)
    judged = judge(snapshot, stored)
    assert dict(judged.judgements) == stored
    assert judged.snapshot == snapshot, "the verdicts in the record are those of its judgements"


def test_families_have_equal_shares_and_alternate(searched: Searched) -> None:
    families = [trial.family for trial in recorded(searched).trials]
    assert families == ["dense", "cnn", "dense", "cnn"]


def test_progress_goes_to_stderr_as_plain_lines_without_a_terminal(searched: Searched) -> None:
    assert re.search(r"\[3/4\] trial \d+ .*val loss .*best .*; about .* left$", searched.stderr, re.MULTILINE)
    assert re.search(r"\[4/4\] trial \d+ .*val loss .*; best .*\)$", searched.stderr, re.MULTILINE)
    assert "\x1b" not in searched.stderr


def test_validation_probabilities_are_kept_and_give_the_recorded_loss(searched: Searched) -> None:
    from archsearch.data.sources import load
    from archsearch.space.data_words import Data

    dataset = load(Data(source="digits"))
    labels = dataset.y[dataset.split.val]
    for trial in recorded(searched).trials:
        run_, delivered = trial.runs[0], trial.runs[0].delivered
        assert run_.probabilities.shape == (len(labels), 10)
        loss = -sum(math.log(p[y]) for p, y in zip(run_.probabilities, labels, strict=True)) / len(labels)
        assert loss == pytest.approx(delivered.val_loss, rel=1e-4)


def test_mlflow_over_http_has_every_curve_at_its_steps_as_recorded(searched: Searched) -> None:
    from mlflow import MlflowClient

    port = free_port()
    words = command("ui", "--port", str(port), "--store", searched.folder / "mlruns", "--workers", "1")
    with serving(words, port, searched.folder) as uri:
        client = MlflowClient(uri)
        runs = client.search_runs([searched.result["experiment_id"]])
        parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
        children = {
            int(run.data.tags["archsearch.trial"]): run
            for run in runs
            if "mlflow.parentRunId" in run.data.tags
        }
        assert len(parents) == 1
        assert parents[0].info.status == "FINISHED"
        trials = recorded(searched).trials
        assert sorted(children) == [trial.number for trial in trials]
        for trial in trials:
            child = children[trial.number]
            assert child.info.status == ("FINISHED" if trial.status is Status.COMPLETED else "KILLED")
            assert child.data.tags["verdict"] == trial.verdict
            assert child.data.tags["architecture"] == trial.label
            assert child.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
            assert child.data.metrics["best_val_loss"] == trial.runs[0].delivered.val_loss
            for name in CURVES:
                history = client.get_metric_history(child.info.run_id, name)
                curve = sorted((point.step, point.value) for point in history)
                assert curve == [(epoch.epoch, getattr(epoch, name)) for epoch in trial.runs[0].epochs]
        kept = {file.path for file in client.list_artifacts(parents[0].info.run_id)}
        assert kept == {"space.yaml", "report", "model"}


def test_the_same_command_again_redraws_without_tensorflow(searched: Searched) -> None:
    words = ["run", "tiny.yaml", "--json", "--quiet"]
    done = run(*words, cwd=searched.folder, PYTHONPROFILEIMPORTTIME="1")
    result = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, result["status"]) == (0, "nothing_to_do")
    assert result["ranking"] == searched.result["ranking"]
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"tensorflow", "keras", "mlflow", "sklearn"}


def test_more_trials_extend_a_finished_search(
    searched: Searched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extended = searched.copied(tmp_path / "copy")
    monkeypatch.chdir(extended.folder)
    done = invoke("run", "tiny.yaml", "--trials", "6", "--json", *IN_PROCESS, *UNTRACKED)
    result = json.loads(done.stdout.splitlines()[-1])
    assert (done.exit_code, sum(result["trials"].values())) == (0, 6)
    before, after = recorded(searched).trials, recorded(extended).trials
    assert [trial.runs[0].epochs for trial in after[:4]] == [trial.runs[0].epochs for trial in before]


def test_a_terminal_reader_sees_ranking_references_reason_and_paths(
    searched: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(searched.folder)
    out = invoke("run", "tiny.yaml").stdout
    for word in (
        "rank",
        "class frequencies",
        "linear model",
        "Its score of",
        "report",
        "best model",
        "archsearch ui",
    ):
        assert word in out
    for row in searched.result["ranking"]:
        assert row["architecture"] in out


def test_list_and_report_read_what_was_searched(
    searched: Searched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(searched.folder)
    listed = invoke("list").stdout
    assert searched.result["search"] in listed
    assert "4/4" in listed
    output = tmp_path / "page.html"
    for name in ("tiny", searched.result["search"], searched.record):
        done = invoke("report", name, "--output", output)
        assert (done.exit_code, done.stdout.strip()) == (0, str(output))
        assert output.read_text().startswith("<!DOCTYPE html>")


def test_a_search_cut_off_after_its_last_trial_is_set_right_by_the_same_command(
    searched: Searched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off = searched.copied(tmp_path / "copy")
    monkeypatch.chdir(cut_off.folder)
    with sqlite3.connect(cut_off.record) as db:
        db.execute("UPDATE sessions SET status = 'running'")
    db.close()
    assert " interrupted " in invoke("list").stdout
    result = json.loads(invoke("run", "tiny.yaml", "--json").stdout.splitlines()[-1])
    assert (result["status"], result["ranking"]) == ("nothing_to_do", searched.result["ranking"])
    assert " finished " in invoke("list").stdout
    assert "The search is complete" in Path(result["report"]).read_text()


def test_two_searches_can_start_at_once_in_a_fresh_store(tmp_path: Path) -> None:
    processes = []
    for name in ("one", "two"):
        space = f"name: {name}\ndata: digits\narchitectures: {{a: {{dense: [8]}}}}\ntraining: {{epochs: 1}}\n"
        (tmp_path / f"{name}.yaml").write_text(space)
        words = command("run", f"{name}.yaml", "--quiet", *IN_PROCESS)
        processes.append(subprocess.Popen(words, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL))
    assert [process.wait(timeout=600) for process in processes] == [0, 0]

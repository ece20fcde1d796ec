"""A space is edited in the middle of its search, and the real command goes on with it."""

import contextlib
import json
import re
from pathlib import Path

import pytest
from real_command import IN_PROCESS, UNTRACKED, invoke

from archsearch.study import Record

pytestmark = pytest.mark.slow

FIRST = """\
name: tiny
data: digits
families:
  dense: {depth: {low: 1, high: 3}, narrowest: 16, widest: [32, 64]}
training: {epochs: 1, batch_size: 64}
search: {trials: 1}
"""
EDITED = (
    FIRST.replace("high: 3", "high: 4")
    .replace("training:", "  cnn: {blocks: 1, filters: {first: [4, 8]}}\ntraining:")
    .replace("search: {trials: 1}", "architectures: {mine: dense 24·24}\nsearch: {trials: 4}")
)
WORDS = ["families.dense.depth: 1 to 3 → 1 to 4", "families.cnn: new", "architectures.mine: new"]


def searched(folder: Path, space: str, *options: str):
    (folder / "tiny.yaml").write_text(space)
    with contextlib.chdir(folder):
        return invoke("run", "tiny.yaml", "--quiet", "--json", *IN_PROCESS, *options)


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """The folder of a search that went on with an edited space, and what each command of it did."""
    folder = tmp_path_factory.mktemp("edited")
    first = searched(folder, FIRST)
    assert first.exit_code == 0, first.stderr
    return folder, searched(folder, EDITED), searched(folder, EDITED, "--continue")


def record_of(folder: Path) -> Record:
    (path,) = folder.glob("mlruns/searches/*/record.sqlite")
    return Record.open(path, read_only=True)


def test_an_edited_space_is_refused_with_what_changed_until_it_is_to_be_gone_on_with(edited):
    folder, refused, done = edited
    assert refused.exit_code == 2
    assert "".join(f"\n  {word}" for word in WORDS) in refused.stderr
    assert refused.stderr.endswith("\ngo on with --continue, or --new for another search\n")
    assert done.exit_code == 0, done.stderr
    assert "archsearch: the search goes on with an edited space:" in done.stderr
    assert "".join(f"\n  {word}" for word in WORDS) in done.stderr
    with record_of(folder) as record:
        trials = record.trials()[0]
        assert [(change.trial, list(change.words)) for change in record.changes()] == [(1, WORDS)]
    assert [trial.family for trial in trials] == ["dense", "dense", "dense", "cnn"]
    assert trials[1].name == "mine"
    assert len({(trial.architecture, trial.recipe) for trial in trials}) == 4


def test_the_report_and_mlflow_say_when_what_changed(edited):
    *_, done = edited
    result = json.loads(done.stdout.splitlines()[-1])
    page = Path(result["report"]).read_text()
    rows = page.partition('<h3 id="edits">')[2]
    assert re.search(r'"Before trial">1</td><td data-label="When">20\d\d-', rows)
    assert all(word in rows for word in WORDS)
    from mlflow import MlflowClient

    runs = MlflowClient(result["tracking_uri"]).search_runs([result["experiment_id"]])
    assert {run.info.status for run in runs} == {"FINISHED"}
    (parent,) = [run for run in runs if run.data.tags["archsearch.trial"] == "all"]
    assert len(runs) == 1 + 4
    assert "before trial 1: families.cnn: new" in parent.data.tags["space_changes"]


def test_what_can_not_be_mixed_is_refused_also_with_continue_and_trains_nothing(edited):
    folder, *_ = edited
    refused = searched(folder, EDITED.replace("epochs: 1", "epochs: 3"), "--continue")
    assert refused.exit_code == 2
    assert "\n  training.epochs: 1 → 3\n" in refused.stderr
    assert "--new" in refused.stderr
    with record_of(folder) as record:
        assert len(record.trials()[0]) == 4


def test_an_edit_of_a_complete_search_is_kept_and_says_how_to_search_it(edited):
    folder, *_ = edited
    more = EDITED.replace("dense 24·24", "dense 24·24, wide: dense 200")
    done = searched(folder, more, "--continue", *UNTRACKED)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "nothing_to_do"
    assert "\n  architectures.wide: new\n" in done.stderr
    assert "raise search.trials or say --trials" in done.stderr
    with record_of(folder) as record:
        assert record.changes()[-1].words == ("architectures.wide: new",)
        assert "wide" in record.header().space["architectures"]

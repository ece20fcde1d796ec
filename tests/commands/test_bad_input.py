"""Bad input: a clear message, the documented exit code, no traceback, nothing trained."""

import json
import os
import re
import sqlite3
import time
from pathlib import Path

import pytest
from real_command import IN_PROCESS, TINY_SPACE, UNTRACKED, Searched, invoke

from archsearch.errors import Refused


@pytest.fixture(autouse=True)
def _in_a_fresh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def written(text: str) -> Path:
    path = Path("space.yaml")
    path.write_text(text)
    return path


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: digits\nfamilies: [", "space.yaml:2:"),
        ("", "space.yaml:1:1: a search space is a mapping"),
        (
            "data: digits\nfamilies: {dense: {depth: 2, narrowest: 8, widest: 8, droput: 0}}",
            "did you mean dropout?",
        ),
        (TINY_SPACE + "serach: {}", "space.yaml:9:1: serach: unknown word; did you mean search?"),
        (
            TINY_SPACE.replace("epochs: 6", "epochs: six"),
            "training.epochs: must be a whole number, not 'six'",
        ),
        (TINY_SPACE.replace("epochs: 6", "epochs: 0"), "training.epochs: must be at least 1, not 0"),
        (
            TINY_SPACE.replace("data: digits", "data: digit"),
            "space.yaml:2:1: data: must be 'digits', ",
        ),
    ],
)
def test_a_faulty_space_is_refused_with_its_place(command: str, text: str, message: str) -> None:
    result = invoke(command, written(text))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not Path("mlruns").exists()


def test_a_space_that_is_no_file_is_refused_and_bundled_ones_are_named() -> None:
    result = invoke("run", "nonsense")
    assert result.exit_code == 2
    assert "bundled are: cnn_vs_dense, digits" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "digits", "--store", ""), "--store is empty: name a folder."),
        (("status", "--store", " "), "--store is empty: name a folder."),
        (("schedule", "cron", "digits", "--store", ""), "--store is empty: name a folder."),
        (("run", ""), "the space's name is empty: name a file; bundled are: cnn_vs_dense"),
        (("run", "digits", "--workers", "-1"), "give a whole number, 0 or more, or auto, not '-1'."),
        (("run", "digits", "--trials", "0"), "give a whole number of at least 1, not '0'."),
        (("run", "digits", "--hours", "abc"), "give a number of hours above 0, such as 2 or 0.5, not 'abc'."),
        (
            ("run", "digits", "--hours", "1e308"),
            "'--hours': give at most 87,600 hours, ten years, not '1e308'.",
        ),
        (("run", "digits", "--hours", "nan"), "'--hours': give a number of hours above 0"),
        (("run", "digits", "--max-gpu-hours", "0"), "'--max-gpu-hours': give a number of hours above 0"),
        (("skip", "digits", "x"), "give a trial's number, such as 3, not 'x'."),
        (("ui", "--port", "x"), "give a whole number from 1 to 65535, not 'x'."),
        (("show", "digits"), "No such command 'show'. Did you mean watch, report or list?"),
        (("reprt", "digits"), "No such command 'reprt'."),
    ],
)
def test_words_that_are_none_are_refused_with_what_to_say(words: tuple[str, ...], message: str) -> None:
    result = invoke(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not list(Path().iterdir())


def test_a_file_of_two_values_is_no_space() -> None:
    result = invoke("run", written('{"search": "a"}\n["b"]\n'))
    assert result.exit_code == 2
    assert "space.yaml:2:1: another value begins here, but the first one has ended" in result.stderr


def test_a_store_that_cannot_be_written_is_refused() -> None:
    Path("file").touch()
    result = invoke("run", "digits", "--store", "file/store")
    assert result.exit_code == 2
    assert "file/store: can't be written" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_without_permission_is_refused() -> None:
    Path("store").mkdir(mode=0o500)
    assert invoke("run", "digits", "--store", "store").exit_code == 2


def test_a_tracking_server_that_does_not_answer_is_refused_in_seconds() -> None:
    started = time.monotonic()
    result = invoke("run", "digits", "--tracking-uri", "http://127.0.0.1:9")
    assert time.monotonic() - started < 30  # MLflow's own client goes on for minutes
    assert result.exit_code == 2
    assert "http://127.0.0.1:9 does not answer" in result.stderr
    assert not list(Path("mlruns").rglob("record.sqlite"))


def test_the_same_name_for_another_space_is_refused_with_the_words_that_changed(searched: Searched) -> None:
    changed = TINY_SPACE.replace("epochs: 6", "epochs: 7").replace("pooling: [max, average]", "pooling: max")
    result = invoke("run", written(changed), "--store", searched.folder / "mlruns")
    assert result.exit_code == 2
    assert "training.epochs: 6 → 7" in result.stderr
    assert "families.cnn.pooling: [max, average] → max" in result.stderr
    assert "--new" in result.stderr


def test_a_record_of_a_newer_version_is_refused(searched: Searched, tmp_path: Path) -> None:
    newer = searched.copied(tmp_path / "copy")
    with sqlite3.connect(newer.record) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    for words in (["run", str(written(TINY_SPACE))], ["report", "tiny"], ["list"]):
        result = invoke(*words, "--store", newer.folder / "mlruns")
        assert result.exit_code == 2, result.output
        assert "written by a newer archsearch" in result.stderr


def test_a_damaged_record_is_refused(searched: Searched, tmp_path: Path) -> None:
    damaged = searched.copied(tmp_path / "copy")
    damaged.record.write_bytes(b"not a database" * 1000)
    result = invoke("report", "tiny", "--store", damaged.folder / "mlruns")
    assert result.exit_code == 2
    assert "record.sqlite" in result.stderr


def test_an_unknown_search_is_refused_with_those_there_are(searched: Searched) -> None:
    result = invoke("report", "nonsense", "--store", searched.folder / "mlruns")
    assert result.exit_code == 2
    assert searched.result["search"] in result.stderr


def test_a_report_that_cannot_be_written_is_refused(searched: Searched) -> None:
    Path("file").touch()
    words = ("report", "tiny", "--store", searched.folder / "mlruns", "--output", "file/page.html")
    result = invoke(*words)
    assert result.exit_code == 2
    assert "file/page.html" in result.stderr


def test_an_unknown_backend_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "nonsense")
    result = invoke("run", "digits")
    assert result.exit_code == 2
    assert "KERAS_BACKEND is nonsense; archsearch trains with tensorflow or jax" in result.stderr


def test_reports_that_could_not_be_written_are_refused_before_training() -> None:
    Path("reports").touch()
    result = invoke("run", "digits")
    assert result.exit_code == 2
    assert "no folder for the report" in result.stderr
    assert not list(Path("mlruns").rglob("record.sqlite"))


def test_a_finished_search_shows_its_ranking_also_where_no_report_can_be_written(searched: Searched) -> None:
    Path("reports").touch()
    store = searched.folder / "mlruns"
    result = invoke("run", searched.folder / "tiny.yaml", "--json", "--store", store)
    assert result.exit_code == 0
    assert "no report" in result.stderr
    assert json.loads(result.stdout.splitlines()[-1])["ranking"] == searched.result["ranking"]


def test_a_folder_of_its_name_does_not_hide_a_bundled_space() -> None:
    Path("digits").mkdir()
    assert invoke("check", "digits").exit_code == 0


def test_a_file_s_name_becomes_a_name_a_search_can_have() -> None:
    Path("my first space!.yaml").write_text(TINY_SPACE.replace("name: tiny\n", ""))
    result = invoke("check", "my first space!.yaml")
    assert result.exit_code == 0
    assert "'my-first-space'" in result.stdout


@pytest.mark.parametrize(
    "words",
    [
        {"trials": 0},
        {"trials": 2.5},
        {"trials": "3"},
        {"hours": 0},
        {"hours": float("nan")},
        {"tracking": "no"},
    ],
)
def test_python_callers_get_the_command_s_rules(words: dict) -> None:
    import archsearch

    with pytest.raises(Refused, match=f"{next(iter(words))} "):
        archsearch.run("digits", **words)
    assert not Path("mlruns").exists()


def test_help_names_every_exit_code_and_has_examples() -> None:
    for words in (("--help",), ("run", "--help")):
        text = invoke(*words).output
        assert "Examples:" in text
        for code in ("0", "1", "2", "3", "4", "75", "99"):
            assert re.search(rf"^ +{code} +\w", text, re.MULTILINE)


@pytest.mark.slow
def test_trainings_that_give_nan_are_recorded_and_if_all_do_the_exit_code_is_4() -> None:
    path = written(
        "name: hopeless\n"
        "data: digits\n"
        "architectures: {a: {dense: [{width: 32, l2: 10.0}]}, b: {dense: [{width: 16, l2: 10.0}]}}\n"
        "training: {epochs: 3, optimizer: sgd, learning_rate: 100.0}\n"
    )
    done = invoke("run", path, "--json", *IN_PROCESS, *UNTRACKED)
    again = invoke("run", path, "--json", *UNTRACKED)  # there is nothing left to do
    for each in (done, again):
        result = json.loads(each.stdout.splitlines()[-1])
        assert (each.exit_code, result["status"]) == (4, "all_failed")
        assert result["trials"] == {
            "completed": 0,
            "stopped": 0,
            "pruned": 0,
            "skipped": 0,
            "failed": 2,
        }
        assert (result["best"], result["ranking"]) == (None, [])
    assert "Traceback" not in done.stderr + again.stderr
    assert "no finite number at epoch" in Path(result["report"]).read_text()


@pytest.mark.slow
def test_require_good_turns_a_search_without_a_good_model_into_exit_code_3() -> None:
    path = written("name: short\ndata: digits\narchitectures: {a: {dense: [8]}}\ntraining: {epochs: 1}\n")
    assert invoke("run", path, "--require-good", *IN_PROCESS, *UNTRACKED).exit_code == 3
    assert invoke("run", path, *UNTRACKED).exit_code == 0


def test_a_named_architecture_that_pools_its_image_away_is_refused_with_its_place() -> None:
    blocks = ", ".join(["8"] * 4)
    path = written(
        f"data: digits\narchitectures:\n  fits: {{conv: [8, 8, 8]}}\n  deep: {{conv: [{blocks}]}}\n"
    )
    for command in ("run", "check"):
        result = invoke(command, path)
        assert result.exit_code == 2
        assert (
            "space.yaml:4:26: architectures.deep.conv.3: max pooling leaves nothing of 1×1" in result.stderr
        )


def test_a_bridge_without_convolutions_is_refused() -> None:
    path = written("data: digits\narchitectures: {a: {dense: [8], bridge: global_max}}\n")
    result = invoke("check", path)
    assert result.exit_code == 2
    assert "a bridge other than flatten needs conv blocks" in result.stderr


def test_a_tracking_uri_of_no_known_kind_is_refused_before_anything_is_made() -> None:
    result = invoke("run", "digits", "--tracking-uri", "nonsense://x")
    assert result.exit_code == 2
    assert "nonsense://x" in result.stderr
    assert not list(Path("mlruns").rglob("record.sqlite"))

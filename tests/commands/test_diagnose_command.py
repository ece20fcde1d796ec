"""archsearch diagnose: everybody's curves judged, for people and for programs."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import curve_shapes
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from real_command import command, environment

from archsearch.cli import main
from archsearch.commands import diagnose as diagnose_command
from archsearch.commands.diagnose import CSV, Judged
from archsearch.diagnosis import Context, Curves, Diagnosis, Finding, Verdict
from archsearch.histories import RecordedCurve

PAGE = (Path(__file__).parent.parent.parent / "docs" / "diagnose.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def _in_a_fresh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["diagnose", *map(str, words)], prog_name="archsearch")


def frame(curves: Curves, **columns: object) -> pd.DataFrame:
    losses = {"train_loss": curves.train_loss, "val_loss": curves.val_loss}
    return pd.DataFrame({"epoch": np.arange(len(curves.val_loss)), **losses, **columns})


def written(name: str, curves: Curves, **columns: object) -> Path:
    frame(curves, **columns).to_csv(name, index=False)
    return Path(name)


def blocks(kind: str) -> list[str]:
    return [found["text"] for found in BLOCK.finditer(PAGE) if found["kind"] == kind]


CONFIDENCE = re.compile(r"(?<= )[01]\.\d\d(?= )|(?<=,)[01]\.\d{3}(?=,)")


def without_confidence(text: str) -> tuple[list[str], list[float]]:
    """Lines without bold face and runs of blanks, and the confidences in them, which resampling shifts."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    lines = [" ".join(line.split()) for line in CONFIDENCE.sub("?", plain).splitlines()]
    return lines, [float(number) for number in CONFIDENCE.findall(plain)]


@pytest.mark.parametrize("block", blocks("console"))
def test_the_page_shows_what_is_printed(
    block: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in zip(("training.log", "sweep.csv"), blocks("csv"), strict=True):
        Path(name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    typed, _, shown = block.partition("\n")
    with pytest.raises(SystemExit):
        main(typed.removeprefix("$ archsearch ").split(), prog_name="archsearch")
    said = capfd.readouterr()
    lines, confidences = without_confidence(said.out + said.err)
    expected, about = without_confidence(shown)
    assert lines == expected
    assert confidences == pytest.approx(about, abs=0.1)


def test_the_page_s_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    Path("training.log").write_text(blocks("csv")[0], encoding="utf-8")
    _, block = blocks("python")
    exec(compile(block, "diagnose.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "overfit good"
    assert "n_val" in lines[2]


@pytest.mark.slow
def test_the_page_s_fit_prints_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    block, _ = blocks("python")
    (shown,) = blocks("text")
    exec(compile(block, "diagnose.md", "exec"), {})
    # Losses differ a little from machine to machine.
    said, expected = (
        re.sub(r"\d+(\.\d+)?", "?", text).splitlines() for text in (capsys.readouterr().out, shown)
    )
    assert said == expected


def test_json_is_a_list_of_objects_with_the_documented_keys() -> None:
    written("overfit.csv", curve_shapes.overfit(), n_val=2000)
    written("nan.csv", Curves([1.0, 0.9, np.nan], [1.0, 0.9, np.nan]))
    result = invoke("overfit.csv", "nan.csv", "--format", "json")
    overfit, diverged = json.loads(result.stdout, parse_constant=pytest.fail)
    assert set(overfit) == {"curve", "verdict", "delivered", "confidence", "flags", "missing", "findings"}
    assert (overfit["curve"], overfit["verdict"], overfit["delivered"]) == ("overfit.csv", "overfit", "good")
    assert "n_val" not in overfit["missing"]
    assert set(overfit["findings"][0]) == {"code", "outcome", "evidence", "message"}
    assert overfit["findings"][0]["code"] == "AS201"
    assert overfit["findings"][0]["evidence"]["rise"] > 0.1
    assert diverged["verdict"] == "diverged"


def test_numbers_that_json_lacks_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding("AS000", "t", "ok", {"a": float("nan"), "b": float("inf"), "c": np.float64(1.5)}, "m.")
    diagnosis = Diagnosis(Verdict.GOOD, Verdict.GOOD, (), (finding,), 1, ())
    recorded = RecordedCurve('é "x"', Curves([1.0], [1.0]), Context())
    diagnose_command.as_json([Judged(recorded, diagnosis)])
    (one,) = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert one["findings"][0]["evidence"] == {"a": None, "b": None, "c": 1.5}
    assert one["curve"] == 'é "x"'


def test_csv_has_a_row_a_curve_and_its_names_are_quoted_where_needed() -> None:
    several = [frame(curve_shapes.good(), curve='7,"a"'), frame(curve_shapes.not_learning(), curve="007")]
    pd.concat(several).assign(prior_entropy=curve_shapes.PRIOR).to_csv("two.csv", index=False)
    result = invoke("two.csv", "--format", "csv")
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert tuple(rows[0]) == CSV
    assert [(row["curve"], row["verdict"]) for row in rows] == [('7,"a"', "good"), ("007", "not_learning")]
    assert "n_val" in rows[0]["missing"].split(";")
    assert result.exit_code == 0


def test_many_curves_are_counted_by_verdict_and_what_is_alike_is_said_once() -> None:
    shapes = {f"good {n}": curve_shapes.good(seed=n) for n in range(4)} | {"bad": curve_shapes.overfit()}
    tables = [frame(curves, curve=name).drop(index=5) for name, curves in shapes.items()]
    pd.concat(tables).to_csv("many.csv", index=False)
    result = invoke("many.csv")
    assert result.stdout.endswith("\n5 curves: 4 good and 1 overfit.\n")
    said = "5 curves (good 0, good 1, good 2, …): 1 epoch is missing (5): taken as not measured."
    assert result.stderr == f"archsearch: {said}\n"


def test_what_can_t_be_read_keeps_nothing_else_from_being_judged() -> None:
    Path("empty.csv").touch()
    Path("text.csv").write_text("epoch,loss,val_loss\n0,1,none of it\n")
    written("good.csv", curve_shapes.good())
    for form in ("table", "json", "csv"):
        result = invoke("empty.csv", "good.csv", "text.csv", "absent.csv", ".", "--format", form)
        assert result.exit_code == 2
        assert result.stdout.count("good.csv") == 1
        assert result.stderr.splitlines() == [
            "empty.csv: is empty (0 bytes)",
            "text.csv:2: column val_loss holds 'none of it', which is no number",
            "absent.csv: no such file",
            ".: is a folder; name the files in it, such as *.csv",
        ]


def test_one_epoch_and_no_number_at_all_are_listed_and_refused() -> None:
    written("one.csv", Curves([1.0], [1.0]))
    written("nan.csv", Curves([np.nan] * 9, [np.nan] * 9))
    written("good.csv", curve_shapes.good())
    written("late.csv", Curves([1.0] * 9 + [np.nan], [1.0] * 9 + [np.nan]))
    result = invoke("one.csv", "nan.csv", "good.csv", "late.csv", "--format", "csv")
    verdicts = {row["curve"]: row["verdict"] for row in csv.DictReader(result.stdout.splitlines())}
    assert verdicts == {
        "one.csv": "inconclusive", "nan.csv": "diverged", "good.csv": "good", "late.csv": "diverged"
    }  # fmt: skip
    assert result.stderr.splitlines() == [
        "archsearch: curve one.csv: Only 1 of the 5 epochs that a judgement needs were measured.",
        "archsearch: curve nan.csv: The loss is not a finite number from the first epoch on.",
    ]
    assert result.exit_code == 2


def test_no_confidence_is_shown_of_what_is_inconclusive() -> None:
    written("short.csv", Curves([1.0, 0.9], [1.0, 0.9]))
    result = invoke("short.csv")
    assert result.stdout.splitlines()[1].split()[:2] == ["inconclusive", "–"]
    assert result.exit_code == 0


def test_an_infinite_epoch_is_refused_without_a_warning() -> None:
    Path("far.csv").write_text("epoch,loss,val_loss\n1e400,1,1\n")
    assert invoke("far.csv").stderr.startswith("far.csv:2: column epoch holds inf; ")


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_stdout_that_is_not_utf_8_takes_every_name(form: str) -> None:
    written("né.csv", curve_shapes.good())
    words = command("diagnose", "né.csv", "--format", form)
    done = subprocess.run(words, env=environment(PYTHONIOENCODING="ascii"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ("n\\u00e9.csv" if form == "json" else "n\\xe9.csv") in done.stdout
    assert not done.stderr


def test_a_full_disk_under_stdout_is_named() -> None:
    written("good.csv", curve_shapes.good())
    with Path("/dev/full").open("w") as full:
        words = command("diagnose", "good.csv")
        done = subprocess.run(words, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.stderr == "archsearch: stdout: No space left on device\n"


def test_in_a_pipe_the_table_is_as_narrow_as_it_is_asked_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    written("overfit.csv", curve_shapes.overfit())
    lines = invoke("overfit.csv").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) > 3


def test_a_name_that_would_steer_the_terminal_is_quoted() -> None:
    written("bell.csv", curve_shapes.good(), curve="a\x1b[31mb")
    result = invoke("bell.csv")
    assert r"'a\x1b[31mb'" in result.stdout
    assert "\x1b[31m" not in result.stdout


def test_where_nothing_can_be_read_json_is_an_empty_list() -> None:
    Path("empty.csv").touch()
    result = invoke("empty.csv", "--format", "json")
    assert json.loads(result.stdout) == []
    assert result.exit_code == 2


def test_an_mlflow_that_does_not_answer_is_said_and_files_are_judged() -> None:
    written("good.csv", curve_shapes.good())
    result = invoke("good.csv", "--mlflow", "http://127.0.0.1:9", "--experiment", "x", "--tag")
    assert result.exit_code == 2
    assert "good.csv" in result.stdout
    assert "http://127.0.0.1:9 does not answer" in result.stderr


def test_files_of_one_name_are_told_apart_by_their_paths() -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        written(f"{folder}/training.log", curve_shapes.good())
    result = invoke("a/training.log", "b/training.log", "--format", "csv")
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["curve"] for row in rows] == ["a/training.log", "b/training.log"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Name files of curves, or an experiment"),
        (("--mlflow", "http://localhost"), "--mlflow and --experiment belong together"),
        (("a.csv", "--experiment", "x"), "--mlflow and --experiment belong together"),
        (("a.csv", "--tag"), "--tag is for the runs of an experiment"),
        (("a.csv", "--val-metric", "x"), "--val-metric is for the runs of an experiment"),
        (("a.csv", "--mlflow", "", "--experiment", "x"), "Invalid value for '--mlflow': it is empty"),
        (("a.csv", "--mlflow", ".", "--experiment", ""), "Invalid value for '--experiment': it is empty"),
        (("a.csv", "--format", "xml"), "'xml' is not one of 'table', 'json', 'csv'"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(words: tuple[str, ...], message: str) -> None:
    result = invoke(*words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_judging_files_loads_neither_keras_nor_optuna_nor_mlflow() -> None:
    path = written("good.csv", curve_shapes.good())
    code = (
        "import sys\nfrom archsearch.cli import main\n"
        f"try: main(['diagnose', {str(path)!r}])\nexcept SystemExit as end: assert not end.code\n"
        f"import archsearch; archsearch.diagnose({str(path)!r})\n"
        "heavy = {'tensorflow', 'keras', 'optuna', 'mlflow', 'sklearn', 'torch', 'jax'}\n"
        "assert not heavy & {name.split('.')[0] for name in sys.modules}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    several = [frame(curve_shapes.good(seed=n), curve=n) for n in range(200)]
    pd.concat(several).to_csv("many.csv", index=False)
    words = [*command("diagnose", "many.csv", "--format", "json")]
    with subprocess.Popen(
        words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""


@pytest.mark.slow
def test_what_keras_itself_records_is_judged() -> None:
    import keras

    import archsearch

    x = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
    y = (x[:, 0] > 0).astype("float32")
    model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    logger = keras.callbacks.CSVLogger("keras.log", separator=";")
    history = model.fit(x, y, validation_split=0.5, epochs=6, verbose=0, callbacks=[logger])
    Path("history.json").write_text(json.dumps(history.history))
    result = invoke("keras.log", "history.json", "--format", "csv")
    assert result.exit_code == 0
    assert not result.stderr
    verdicts = [row["verdict"] for row in csv.DictReader(result.stdout.splitlines())]
    assert verdicts == [archsearch.diagnose(history).verdict] * 2

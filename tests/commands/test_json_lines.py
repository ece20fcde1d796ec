"""``--log-format json``: every line of stderr is an object, whoever prints it and whatever goes wrong."""

import json
import logging
import math
import sys
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from made_up import epoch, trial
from searches import search

from archsearch.cli import main
from archsearch.commands.events import Events, say_stopped
from archsearch.commands.lines import INTERRUPTED, JsonLines, json_lines
from archsearch.commands.result import Judged, SearchResult
from archsearch.errors import ExitCode
from archsearch.records import Status, TrainingRun
from archsearch.study import EpochMeasured, Remark, SearchFound, SearchStarted, TrialEnded, TrialStarted


def said(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def invoke(*words: str):
    result = CliRunner().invoke(main, ["run", "--log-format", "json", *words], prog_name="archsearch")
    return result, [json.loads(line) for line in result.stderr.splitlines()]


@pytest.fixture(autouse=True)
def _in_a_fresh_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_whatever_is_printed_becomes_a_note_for_each_line(capsys) -> None:
    with json_lines() as lines:
        print("archsearch: one\ntwo {", file=sys.stderr)
        print(file=sys.stderr)
        print("three ", end="", file=sys.stderr)
        lines.search = "digits-1"
        print('"and" a half', end="", file=sys.stderr)
    first, second, third = said(capsys)
    assert (first["event"], first["search"], first["message"]) == ("note", None, "one")
    assert second["message"] == "two {"
    assert (third["search"], third["message"]) == ("digits-1", 'three "and" a half')
    assert datetime.fromisoformat(first["time"]).tzinfo


def test_what_a_library_logs_becomes_a_note(capsys) -> None:
    with json_lines():
        logging.StreamHandler().emit(logging.LogRecord("any", logging.WARNING, "", 0, "slow", (), None))
    assert [line["message"] for line in said(capsys)] == ["slow"]


def test_whoever_reads_the_lines_may_go_away(capsys) -> None:
    class Gone:
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    JsonLines(Gone()).event("note", message="nobody reads this")  # type: ignore[arg-type]
    assert capsys.readouterr().err == ""


def test_events_have_what_happened_and_no_number_that_json_has_not(capsys) -> None:
    nan, inf = epoch(1, math.nan), epoch(2, math.inf)
    run = TrainingRun(3, Status.DIVERGED, (nan, inf), reason="no finite number at epoch 2", seconds=2.0)
    sound = TrainingRun(0, Status.COMPLETED, (epoch(1, 0.5),), delivered_epoch=1)
    before = trial(0, Status.COMPLETED, score=0.5, verdict="good", delivered="good", runs=(sound,))
    begun = trial(4, by_hand=True)
    ended = trial(4, Status.DIVERGED, runs=(run,), score=math.inf, by_hand=True)
    with json_lines() as lines:
        notify = Events(lines, quiet=False)
        for event in (
            SearchFound("made-up-1"),
            SearchStarted(6, (before,)),
            TrialStarted(begun),
            EpochMeasured(begun, nan, 3),
            EpochMeasured(begun, inf, 3),
            TrialEnded(ended),
            Remark("by the way"),
        ):
            notify(event)
    started, trial_started, first, second, finished, note = said(capsys)
    assert (started["event"], started["search"]) == ("search_started", "made-up-1")
    assert (started["ended"], started["total"], started["best"]["trial"]) == (1, 6, 0)
    assert (trial_started["event"], trial_started["trial"], trial_started["by_hand"]) == (
        "trial_started",
        4,
        True,
    )
    assert (first["seed"], first["epoch"], first["val_loss"], second["val_loss"]) == (3, 1, None, None)
    assert (finished["status"], finished["score"], finished["ended"], finished["total"]) == (
        "diverged",
        None,
        2,
        7,
    )
    assert finished["reason"] == "no finite number at epoch 2"
    assert (note["event"], note["message"]) == ("note", "by the way")


def test_quiet_leaves_notes_errors_and_the_end(capsys) -> None:
    with json_lines() as lines:
        notify = Events(lines, quiet=True)
        notify(SearchFound("made-up-1"))
        notify(SearchStarted(6, ()))
        notify(TrialStarted(trial(0)))
        lines.stopped("interrupted", "", 75)
    (stopped,) = said(capsys)
    assert (stopped["event"], stopped["search"]) == ("search_stopped", "made-up-1")


@pytest.mark.parametrize(
    ("status", "notes", "message"),
    [
        ("finished", (), "the search is complete"),
        ("nothing_to_do", (), "nothing is left to train"),
        ("interrupted", ("MLflow is behind",), f"{INTERRUPTED}; MLflow is behind"),
        ("hours_reached", ("--hours (1) are used up",), "--hours (1) are used up"),
        ("all_failed", (), "every trial failed"),
        ("given_up", (), "the search gave up"),
    ],
)
def test_the_end_is_always_said_in_words(capsys, status: str, notes: tuple[str, ...], message: str) -> None:
    judged = Judged(search(2), {}, {}, ())
    result = SearchResult(judged, status, None, Path("models"), "", None, notes)
    with json_lines() as lines:
        say_stopped(lines, result, ExitCode.FINISHED)
    (stopped,) = said(capsys)
    assert (stopped["reason"], stopped["message"]) == (status, message)


def test_the_last_words_of_a_process_are_the_end_unless_that_was_said(capsys) -> None:
    with json_lines() as lines:
        words = json.loads(lines.last_words())
        assert (words["event"], words["reason"], words["exit_code"]) == ("search_stopped", "interrupted", 75)
        lines.error("no room", 75)
        assert lines.last_words() == b""
    assert [line["event"] for line in said(capsys)] == ["error"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nonsense",), "nonsense: no such file"),
        ((), "Missing argument 'SPACE'"),
        (("digits", "--nonsense"), "--nonsense"),
        (("digits", "--trials", "0"), "--trials"),
        (("digits", "--until", "yesterday"), "--until 'yesterday': not a time"),
        (("digits", "--min-free-gpu-memory", "much"), "--min-free-gpu-memory much: no amount of memory"),
        (("digits", "--store", "file/store", "--if-locked", "wait"), "file/store"),
        (("digits", "--tracking-uri", "http://127.0.0.1:9"), "http://127.0.0.1:9 does not answer"),
    ],
)
def test_what_is_refused_is_an_error_with_its_exit_code(words: tuple[str, ...], message: str) -> None:
    Path("file").touch()
    result, lines = invoke(*words)
    assert result.exit_code == 2
    assert (lines[-1]["event"], lines[-1]["exit_code"]) == ("error", 2)
    assert message in lines[-1]["message"]
    assert not result.stdout


def test_a_defect_is_an_error_with_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archsearch.commands.spaces.read_space", None)
    result, (line,) = invoke("digits")
    assert (result.exit_code, line["event"], line["exit_code"]) == (1, "error", 1)
    assert "Traceback" in line["message"]


def test_an_interruption_before_the_search_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("archsearch.commands.spaces.read_space", interrupted)
    result, (line,) = invoke("digits")
    assert result.exit_code == 75
    assert (line["event"], line["reason"], line["exit_code"]) == ("search_stopped", "interrupted", 75)

"""What a person reads while a search runs and after it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from archsearch.architecture import Architecture, DenseBlock
from archsearch.commands.progress import progress
from archsearch.commands.result import SearchResult, judge
from archsearch.commands.show import show
from archsearch.records import (
    DataSummary,
    EpochRecord,
    Recipe,
    SearchSnapshot,
    Status,
    TrainingRun,
    TrialResult,
)
from archsearch.study import SearchStarted, TrialEnded, TrialStarted

DATA = DataSummary("made", (8, 8, 1), ("no", "yes"), 400, 200, 0, 200, 0.69, "0" * 16)
EPOCH = EpochRecord(1, 0.5, 0.50001, 0.5, (0.5, 0.5), 0.9, 0.9, 0.9, 0.9, 0.9, 1e-3, 0.1, 0.0)
RUN = TrainingRun(0, Status.COMPLETED, (EPOCH,), delivered_epoch=1, val_loss_spread=0.4, seconds=1.0)
TRIAL = TrialResult(
    number=0,
    name=None,
    architecture=Architecture("dense", dense=(DenseBlock(16),)),
    recipe=Recipe(1, 32, "adam", 1e-3, None),
    status=Status.COMPLETED,
    runs=(RUN,),
    parameters=1_000,
    score=0.5,
    verdict="good",
)


def result(status: str = "interrupted") -> SearchResult:
    snapshot = SearchSnapshot(
        "tiny-1", "0", "tiny", 0.0, status, 2, {}, "", "archsearch run tiny", {}, DATA, (), (TRIAL,), 1.0
    )
    return SearchResult(judge(snapshot), status, None, Path("models"), "sqlite://", None)


def test_after_an_interruption_it_says_how_to_get_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    show(result(), "archsearch ui")
    assert re.search(
        r"^report +not written yet: \S*archsearch report tiny-1 writes it$", capsys.readouterr().out, re.M
    )


def test_a_gap_that_rounds_to_nothing_has_no_sign(capsys: pytest.CaptureFixture[str]) -> None:
    show(result(), "archsearch ui")
    with progress(quiet=False) as notify:
        notify(SearchStarted(2, ()))
        notify(TrialEnded(TRIAL))
    said = capsys.readouterr()
    assert "0.0000" in said.out
    assert "gap 0.0000" in said.err
    assert "-0.0000" not in said.out + said.err


@pytest.mark.parametrize("is_terminal", [False, True])
def test_time_is_left_only_while_trials_are(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    monkeypatch.setenv("TERM", "dumb")
    with progress(quiet=False) as notify:
        notify(SearchStarted(1, ()))
        notify(TrialStarted(TRIAL))
        notify(TrialEnded(TRIAL))
    assert " left" not in capsys.readouterr().err


def test_colons_in_an_architecture_s_name_make_no_pictures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress(quiet=False) as notify:
        notify(SearchStarted(1, ()))
        notify(TrialStarted(TRIAL))
        notify(TrialEnded(replace(TRIAL, name="a:three:")))
    assert "a:three:" in capsys.readouterr().err

"""What a person reads while a search runs and after it."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archsearch.architecture import Architecture, DenseBlock
from archsearch.commands.progress import progress
from archsearch.commands.result import Judged, SearchResult, judge
from archsearch.commands.show import show
from archsearch.diagnosis import Verdict
from archsearch.ranking import rank
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
    return SearchResult(judge(snapshot, {}), status, None, Path("models"), "sqlite://", None)


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


def judged(*changes: dict[str, Any], epochs: int = 1) -> SearchResult:
    """A search of three seeds for each trial, whose diagnoses are changed as said."""
    losses = [0.5 - 0.01 * n for n in range(epochs)]
    records = tuple(
        replace(EPOCH, epoch=n, train_loss_eval=loss, val_loss=loss) for n, loss in enumerate(losses, 1)
    )
    runs = tuple(replace(RUN, seed=seed, epochs=records) for seed in range(3))
    trials = tuple(replace(TRIAL, number=number, runs=runs) for number in range(len(changes)))
    snapshot = replace(result().judged.snapshot, trials=trials, total=len(trials))
    diagnoses = {
        number: replace(diagnosis, **changes[number])
        for number, diagnosis in judge(snapshot, {}).diagnoses.items()
    }
    of = Judged(snapshot, {}, diagnoses, rank(trials, diagnoses))
    return SearchResult(of, "finished", None, Path("models"), "sqlite://", None)


def shown(
    of: SearchResult, width: int | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    if width is not None:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm")
    show(of, "archsearch ui")
    return re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()


SURE = {"verdict": Verdict.NOT_CONVERGED, "confidence": 0.874}


@pytest.mark.parametrize(("width", "has_seeds"), [(None, True), (140, True), (80, False)])
def test_the_ranking_shows_confidence_and_on_a_wide_terminal_how_many_seeds_agree(
    width: int | None,
    has_seeds: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = shown(judged(SURE, {"confidence": None}), width, capsys, monkeypatch)
    assert "confidence" in lines[0]
    assert ("seeds agree" in lines[0]) == has_seeds
    first = next(line for line in lines if "not_converged" in line)
    assert "87\u00a0%" in first
    assert ("3 of 3" in first) == has_seeds
    assert max(map(len, lines[:4])) <= (width or 1_000)


def test_a_search_of_one_seed_says_nothing_of_seeds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "seeds" not in shown(result("finished"), None, capsys, monkeypatch)[0]


def test_json_has_the_confidence_and_the_share_of_seeds_that_agree() -> None:
    said = judged(SURE).to_json()
    assert (said["best"]["confidence"], said["best"]["agreement"]) == (0.874, 1.0)
    assert (said["ranking"][0]["confidence"], said["ranking"][0]["agreement"]) == (0.874, 1.0)
    one_seed = result("finished").to_json()
    assert one_seed["ranking"][0]["agreement"] is None


def test_lines_of_progress_say_how_sure_a_verdict_is(capsys: pytest.CaptureFixture[str]) -> None:
    runs = tuple(replace(RUN, seed=seed) for seed in range(3))
    with progress(quiet=False) as notify:
        notify(SearchStarted(3, ()))
        notify(TrialEnded(TRIAL))
        notify(TrialEnded(replace(TRIAL, confidence=0.874)))
        notify(TrialEnded(replace(TRIAL, confidence=0.6, agreement=2 / 3, runs=runs)))
    said = capsys.readouterr().err
    assert ": good, val loss" in said
    assert ": good (confidence 87\u00a0%), val loss" in said
    assert ": good (confidence 60\u00a0%, 2 of 3 seeds agree), val loss" in said


def test_stopped_trials_are_counted_where_there_are_any() -> None:
    stopped = replace(TRIAL, status=Status.STOPPED, runs=(replace(RUN, status=Status.STOPPED),))
    snapshot = replace(result().judged.snapshot, trials=(stopped,))
    some = replace(result("finished"), judged=judge(snapshot, {}))
    assert some.counts == {"completed": 0, "stopped": 1, "pruned": 0, "skipped": 0, "failed": 0}
    assert some.counts_text == "0 completed, 1 stopped, 0 pruned, 0 failed"
    assert result().counts_text == "1 completed, 0 pruned, 0 failed"


@pytest.mark.parametrize("is_terminal", [False, True])
def test_trials_added_by_hand_come_on_top_of_the_others(
    is_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    monkeypatch.setenv("TERM", "dumb")
    by_hand = [replace(TRIAL, number=n, by_hand=True, worker="worker 0") for n in (1, 2, 3)]
    skipped = replace(
        by_hand[2],
        status=Status.SKIPPED,
        runs=(TrainingRun(0, Status.SKIPPED, reason="by hand before it began"),),
    )
    with progress(quiet=False) as notify:
        notify(SearchStarted(2, (TRIAL, by_hand[0])))
        notify(TrialStarted(by_hand[1]))
        notify(TrialEnded(by_hand[1]))
        notify(TrialEnded(skipped))  # it never started
    said = capsys.readouterr().err
    assert "skipped: by hand before it began" in said
    if not is_terminal:
        assert "2 of 3 trials done" in said
        assert "[3/4] trial 2" in said
        assert "[4/5] trial 3" in said


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

"""``archsearch watch``: what a person sees of a search that another process runs."""

import io
import os
import re
import signal
import time
from dataclasses import replace

import pytest
from made_up import space, trial
from real_command import started
from rich.console import Console
from steered import TOTAL, at_work

from archsearch.commands.watch import _drawn, watch
from archsearch.commands.watched import LAST_ENDED, Watcher
from archsearch.records import Status, TrainingRun
from archsearch.study.edited import go_on_with
from archsearch.study.rows import epoch_row, trial_row


@pytest.fixture
def search(tmp_path):
    with at_work(tmp_path) as steered:
        yield steered


def shown(search, capsys) -> str:
    watch(search.place, once=True)
    return capsys.readouterr().out


def test_every_worker_has_a_line_with_what_it_trains(search, capsys):
    search.start(0, worker=0, name="mine")
    search.start(1, worker=1)
    search.train(0, 7, val_loss=0.25)
    lines = shown(search, capsys).splitlines()
    (first,) = [line for line in lines if line.startswith("worker 0")]
    (second,) = [line for line in lines if line.startswith("worker 1")]
    assert first.split()[2:8] == ["0", "0", "7/10", "0.2250", "0.2500", "0.50"]
    assert first.endswith("mine: dense 8 dropout 0.2")
    assert re.search(r" 1 +– +starting +– +– +– +dense 16 dropout 0\.2$", second)


def test_seeds_that_are_trained_together_share_a_line(search, capsys):
    search.start(0)
    search.train(0, 2, seed=0, val_loss=0.2)
    search.train(0, 3, seed=1, val_loss=0.4)
    (line,) = [line for line in shown(search, capsys).splitlines() if line.startswith("worker 0")]
    assert line.split()[2:7] == ["0", "0–1", "3/10", "0.2700", "0.3000"]


def test_it_says_how_far_the_search_is_and_what_is_best_and_next(search, capsys):
    search.end(0, score=0.4, verdict="overfit")
    search.end(1, score=0.5)
    search.start(2)
    search.record.queue(trial(3), ())
    search.record.queue(replace(trial(4, name="wish"), by_hand=True), ())
    text = shown(search, capsys)
    assert f"search made-up-1: running (process {os.getpid()} on " in text
    assert f"2 of {TOTAL + 1} trials done, about " in text
    assert "2 queued, next trial 4 (by hand): wish: dense 40 dropout 0.2" in text
    assert "best: score 0.5000, good (trial 1): dense 16 dropout 0.2" in text


def test_the_time_left_follows_from_the_workers_time_so_far_and_ends_with_the_hours(tmp_path):
    for n, (hours, expected) in enumerate([(None, 2000 * (TOTAL - 2.5) / 2.5), (1.0, 1600.0)]):
        words = {} if hours is None else {"search": {"hours": hours}}
        with at_work(tmp_path / str(n), **words) as search:
            search.end(0)
            search.end(1)
            search.start(2)
            search.train(2, 5)
            _rewind(search, 2000.0)
            assert Watcher(search.place).look().seconds_left == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("gpus", "expected"), [(0, 2000.0 * (TOTAL - 2) / 2), (1, 1600.0), (2, 0.0)])
def test_the_time_left_ends_with_the_gpu_hours(tmp_path, gpus, expected):
    with at_work(tmp_path, search={"gpu_hours": 1.0}) as search:
        search.end(0)
        search.end(1)
        _rewind(search, 2000.0)
        search.record._db.execute("UPDATE sessions SET gpus = ?", (gpus,))
        assert Watcher(search.place).look().seconds_left == pytest.approx(expected, rel=0.01)


def test_the_time_left_goes_by_the_hours_that_the_space_gives_now(tmp_path):
    with at_work(tmp_path, search={"hours": 1.0}) as search:
        search.end(0)
        _rewind(search, 2000.0)
        watcher = Watcher(search.place)
        assert watcher.look().seconds_left == pytest.approx(1600.0, rel=0.01)
        go_on_with(search.record, space(search={"hours": 2.0}), continue_=False)
        assert watcher.look().seconds_left == pytest.approx(5200.0, rel=0.01)


def test_speed_is_that_of_the_last_minute_and_the_share_that_of_the_session(search):
    search.end(0, epochs=10)
    search.start(1)
    old = replace(search.train(1, 5)[0], epoch=6, seconds=30.0, ended_at=time.time() - 90)
    search.record.add_epoch(1, 0, old)
    _rewind(search, 100.0)
    watched = Watcher(search.place).look()
    assert watched.epochs_per_second == pytest.approx(15 / 60, rel=0.1)
    assert watched.training_share == pytest.approx((15 * 0.5 + 30) / 200, rel=0.1)


def test_epochs_of_earlier_sessions_don_t_count_for_the_pace(search):
    search.end(0)
    search.record.begin_session("archsearch run made-up.yaml", 1, TOTAL)
    search.start(1)
    search.train(1, 1)
    watched = Watcher(search.place).look()
    assert (watched.workers, watched.ended) == (1, 1)
    assert watched.epochs_per_second <= 1.0
    assert watched.training_share <= 0.5


def test_the_next_look_has_what_has_changed_and_all_that_has_not(search):
    watcher = Watcher(search.place)
    assert watcher.look().ended == 0
    for number in range(LAST_ENDED + 2):
        search.end(number, score=1.0 - number / 100)
        watched = watcher.look()
        assert watched.ended == number + 1
        assert watched.best.number == number
        assert [trial.number for trial in watched.last] == list(range(number, -1, -1))[:LAST_ENDED]
        assert all(len(trial.runs[0].epochs) == 10 for trial in watched.last)
    _rewind(search, 100.0)
    fresh, again = Watcher(search.place).look(), watcher.look()
    for field in ("ended", "total", "best", "last", "running"):
        assert getattr(fresh, field) == getattr(again, field), field
    assert again.training_share == pytest.approx(fresh.training_share, rel=0.1)


def test_a_trial_judged_again_is_shown_as_it_stands(search):
    search.end(0, score=0.1)
    search.end(1, score=0.2)
    watcher = Watcher(search.place)
    assert watcher.look().best.number == 0
    first = search.record.trials()[0][0]
    search.record.put_judgements([replace(first, verdict="overfit", delivered="overfit")], {})
    watched = watcher.look()
    assert watched.best.number == 1
    assert {trial.number: trial.verdict for trial in watched.last} == {0: "overfit", 1: "good"}


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (Status.SKIPPED, "by hand at epoch 4", "skipped after 4 epochs"),
        (Status.PRUNED, "worse", "pruned after 4 epochs"),
        (Status.TIMED_OUT, "an epoch was not done", "timed out: an epoch was not done"),
        (Status.OUT_OF_MEMORY, "no room", "out of memory: no room"),
    ],
)
def test_how_a_trial_ended_is_said_in_words(search, capsys, status, reason, words):
    search.end(0, status, verdict="not_judged", epochs=4, reason=reason)
    assert f"trial   0  {words} (6.0 s)  dense 8 dropout 0.2" in shown(search, capsys)


def test_a_trial_skipped_before_it_began_is_shown_as_such(search, capsys):
    search.record.queue(trial(0), ())
    run = TrainingRun(0, Status.SKIPPED, reason="by hand before it began")
    search.record.add_run(0, run)
    search.record.end_trial(trial(0, Status.SKIPPED, verdict="not_judged", delivered="not_judged"), None)
    assert "trial   0  skipped: by hand before it began (0.0 s)" in shown(search, capsys)


def test_a_search_that_does_not_run_is_shown_once_with_its_status(tmp_path, capsys):
    with at_work(tmp_path, held=False) as search:
        search.end(0)
        search.start(1)
        watch(search.place, once=False)
        assert "search made-up-1: interrupted\n" in capsys.readouterr().out
        search.record.end_session("given_up", 0.0)
        watch(search.place, once=False)
        text = capsys.readouterr().out
    assert "search made-up-1: given up\n" in text
    assert "The search gave up: its last trials all failed for the same reason." in text
    assert "left" not in text
    assert "worker" not in text


def test_a_search_without_any_session_is_no_fault(tmp_path, capsys):
    with at_work(tmp_path, held=False) as search:
        search.record._db.execute("DELETE FROM sessions")
        watch(search.place, once=False)
    assert "0 of 12 trials done" in capsys.readouterr().out


def test_on_a_terminal_lines_are_cut_and_a_worker_keeps_its_line(search):
    name = "x" * 200
    search.start(0, name=name)
    search.end(1)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(_drawn(Watcher(search.place).look()))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("worker 0" in line for line in lines) == 1
    assert any("trial   1" in line for line in lines)


def test_it_writes_nothing_and_needs_no_room_to_write(search):
    before = {path: path.stat().st_mtime_ns for path in search.place.folder.iterdir()}
    sizes = {path: path.stat().st_size for path in before}
    Watcher(search.place).look()
    after = {path: path.stat().st_size for path in search.place.folder.iterdir()}
    assert sizes == after
    assert search.place.record.stat().st_mtime_ns == before[search.place.record]


def test_looking_stays_cheap_with_a_thousand_trials(search):
    search.end(0, epochs=30)
    (one,), _ = search.record.trials()
    db, count = search.record._db, 1_000
    db.execute("BEGIN")
    for number in range(1, count):
        row = trial_row(replace(one, number=number), search.record.revision() + number)
        db.execute(f"INSERT INTO trials VALUES ({', '.join('?' * len(row))})", row)
    rows = [epoch_row(each) for each in one.runs[0].epochs]
    db.executemany(
        f"INSERT INTO epochs VALUES (?, 0, {', '.join('?' * len(rows[0]))})",
        [(number, *row) for number in range(1, count) for row in rows],
    )
    db.execute("COMMIT")
    watcher = Watcher(search.place)
    assert watcher.look().ended == count
    _rewind(search, 600.0, 300.0)
    watcher.look()
    search.start(count)
    search.train(count, 5)
    started = time.process_time()
    assert [trial.number for trial in watcher.look().running] == [count]
    assert time.process_time() - started < 0.1


def _rewind(search, started: float, epochs: float = 0.0) -> None:
    """Have the session begin so many seconds ago, and all epochs end some seconds earlier."""
    now = time.time()
    search.record._db.execute("UPDATE sessions SET started_at = ?, seen_at = ?", (now - started, now))
    search.record._db.execute("UPDATE epochs SET ended_at = ended_at - ?", (epochs,))


@pytest.mark.slow
def test_ctrl_c_ends_it_quietly_and_the_end_of_the_search_too(search):
    words = ("watch", "made-up", "--store", search.store)
    with started(*words, cwd=search.store) as first, started(*words, cwd=search.store) as second:
        assert "running" in first.stdout.readline()
        assert "running" in second.stdout.readline()
        first.send_signal(signal.SIGINT)
        assert (first.communicate(timeout=120)[1], first.returncode) == ("", 0)
        search.end(0)
        search.record.end_session("finished", 0.0)
        out, err = second.communicate(timeout=120)
        assert (err, second.returncode) == ("", 0)
        assert "search made-up-1: finished\n1 of 12 trials done\n" in out
        assert "The search is complete." in out

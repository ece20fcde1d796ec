"""A real search that is watched and steered from another process while it runs, and after it."""

import contextlib
import json
import re
import time

import pytest
from real_command import TINY_SPACE, UNTRACKED, invoke, started

from archsearch.records import Status
from archsearch.study import Record, Store

pytestmark = pytest.mark.slow

# Longer than any test: what is trained ends because it is skipped.
SPACE = TINY_SPACE.replace("epochs: 6", "epochs: 100_000").replace("trials: 4", "trials: 1")


def trials(folder):
    """All trials so far; none where there is no search yet."""
    places = Store(folder / "mlruns").searches()
    if not places:
        return ()
    with Record.open(places[0].record, read_only=True) as record:
        return record.trials()[0]


def wait_until_trained(number, folder, process):
    """Wait until a trial has an epoch."""
    deadline = time.monotonic() + 600
    while not any(trial.number == number and trial.runs for trial in trials(folder)):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)


@contextlib.contextmanager
def searching(folder):
    """The search at work; it is to end by itself."""
    with started("run", "tiny.yaml", "--json", "--quiet", *UNTRACKED, cwd=folder) as process:
        yield process
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        assert json.loads(out.splitlines()[-1])["trials"]["skipped"] == len(trials(folder))


def test_a_running_search_is_watched_and_steered_and_one_that_ended_goes_on(tmp_path, monkeypatch):
    def steer(*words):
        done = invoke(*words)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(SPACE)
    with searching(tmp_path) as process:
        wait_until_trained(0, tmp_path, process)
        assert "trained next, as soon as a worker is free" in steer(
            "add", "tiny", "dense 24", "--name", "mine"
        )
        assert "ends at its epoch's end" in steer("skip", "tiny", "0")
        wait_until_trained(1, tmp_path, process)
        watched = steer("watch", "tiny", "--once")
        assert re.search(r"^search tiny-\w+: running \(process \d+ on ", watched)
        assert "1 of 2 trials done" in watched
        assert re.search(r"^worker 0 +1 +0 +\d+/100000 .* mine: dense 24$", watched, re.MULTILINE)
        assert "trial   0  skipped after " in watched
        steer("skip", "tiny", "1")
    assert [(trial.status, trial.name, trial.by_hand) for trial in trials(tmp_path)] == [
        (Status.SKIPPED, None, False),
        (Status.SKIPPED, "mine", True),
    ]

    assert "No process runs the search now" in steer("add", "tiny", "dense 8 dropout 0.1")
    with searching(tmp_path) as process:
        wait_until_trained(2, tmp_path, process)
        steer("skip", "tiny", "2")
    assert trials(tmp_path)[2].architecture.notation == "dense 8 dropout 0.1"

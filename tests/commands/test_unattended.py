"""A search that somebody else starts: who holds it, what it prints, what it reaches for."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from made_up import space
from real_command import UNTRACKED, Searched, invoke, started

from archsearch.commands import bounds, turn
from archsearch.commands.notes import say, without_effect
from archsearch.commands.options import Options
from archsearch.diagnosis import Verdict
from archsearch.execution import slots_for
from archsearch.study.holding import take

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parent.parent.parent / "docs"

# What MLflow takes for a developer's machine, on which it sends no telemetry.
OF_TESTS = ("CI", "GITHUB_ACTIONS", "PYTEST_")

# Refuses all that is not this machine, and writes down who asked for it, in every Python process.
GUARD = """\
import os, sys

def refuse(event, args):
    if event in ("socket.connect", "socket.sendto"):
        host = args[1][0] if isinstance(args[1], tuple) else "localhost"  # a path is a socket of this machine
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0"):
        with open(os.environ["GUARD_LOG"], "a") as log:
            print(event, host, sys.argv, file=log)
        raise OSError(f"{host} is not this machine")

sys.addaudithook(refuse)
"""


@pytest.fixture
def release(
    searched: Searched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], object]]:
    """In a working folder with a complete search that this process holds: what lets go of it."""
    copy = searched.copied(tmp_path / "copy")
    monkeypatch.chdir(copy.folder)
    with ThreadPoolExecutor(1) as holder:  # a lock is the thread's that has taken it
        hold = holder.submit(take, copy.record.parent).result()
        yield lambda: holder.submit(hold.release).result()
        holder.submit(hold.release)


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize(("if_locked", "code"), [("fail", 99), ("skip", 0)])
def test_a_search_that_is_held_is_refused_or_skipped_and_its_holder_named(if_locked: str, code: int) -> None:
    result = invoke("run", "tiny.yaml", "--if-locked", if_locked, "--json")
    assert result.exit_code == code
    assert f"process {os.getpid()} on " in result.stderr
    assert bool(result.stdout) == (code == 0)


@pytest.mark.usefixtures("release")
def test_a_skipped_search_is_locked_in_both_kinds_of_json(searched: Searched) -> None:
    result = invoke("run", "tiny.yaml", "--if-locked", "skip", "--json", "--log-format", "json")
    printed = json.loads(result.stdout)
    assert list(printed) == list(searched.result)
    assert (printed["search"], printed["status"]) == (searched.result["search"], "locked")
    (stopped,) = map(json.loads, result.stderr.splitlines())
    assert (stopped["event"], stopped["search"]) == ("search_stopped", searched.result["search"])
    assert (stopped["reason"], stopped["exit_code"]) == ("locked", 0)
    assert f"process {os.getpid()} on " in stopped["message"]


def test_a_search_is_waited_for_until_it_is_free_and_needs_no_gpu_if_it_is_complete_then(
    release: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(message: str) -> None:
        say(message)
        release()

    monkeypatch.setattr(turn, "say", said)  # else it might be free before it is asked for
    not_here = ("--gpus", "7", "--min-free-gpu-memory", "800GB")
    result = invoke("run", "tiny.yaml", "--if-locked", "wait", "--json", *not_here, *UNTRACKED)
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (0, "nothing_to_do")
    assert result.stderr.count(f"process {os.getpid()} on ") == 1
    assert "waiting until it is free" in result.stderr


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize("bound", ["--hours", "--until"])
def test_the_bounds_of_a_start_bound_its_waiting(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(message: str) -> None:
        say(message)
        later = SimpleNamespace(time=lambda: time.time() + 2 * 3600, monotonic=time.monotonic)
        monkeypatch.setattr(bounds, "time", later)

    monkeypatch.setattr(turn, "say", said)  # --until is past once it waits, on a slow machine not before
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    value = {"--hours": "0.0003", "--until": until}[bound]
    result = invoke("run", "tiny.yaml", "--if-locked", "wait", bound, value, "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (0, "locked")
    assert re.search(rf"waited for in vain: .*{bound}", result.stderr)


@pytest.mark.usefixtures("release")
def test_a_signal_ends_the_waiting_at_once_with_exit_code_75() -> None:
    words = ("run", "tiny.yaml", "--if-locked", "wait", "--log-format", "json")
    with started(*words, cwd=Path()) as process:
        waiting = json.loads(process.stderr.readline())
        assert "waiting until it is free" in waiting["message"]
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        stopped = json.loads(process.stderr.read())
        assert process.wait(timeout=120) == 75
    assert time.monotonic() - sent < 5
    assert (stopped["event"], stopped["reason"], stopped["exit_code"]) == (
        "search_stopped",
        "interrupted",
        75,
    )


@pytest.fixture
def one_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with one GPU of 40 GiB, of which 4 are free."""
    script = tmp_path / "nvidia-smi"
    script.write_text(
        """#!/bin/sh
case "$*" in
    -L) echo "GPU 0: A100 (UUID: GPU-1)";;
    *memory.total*) echo 40960;;
    *) echo 4096;;
esac
"""
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize(
    ("words", "visible", "code", "message"),
    [
        (("--min-free-gpu-memory", "8"), "0", 99, "--min-free-gpu-memory 8 GB: no GPU has so much free; "),
        (("--min-free-gpu-memory", "80"), "0", 2, "--min-free-gpu-memory 80 GB: no GPU has so much free; "),
        (("--gpus", "2"), "0,7", 2, "--gpus is 2; CUDA_VISIBLE_DEVICES=0,7: there is no GPU 7"),
        (("--gpus", "1"), "7", 2, "there is no GPU 7, and what follows it does not count; there are: GPU 0"),
    ],
)
def test_gpus_that_can_not_be_had_are_refused_and_those_in_use_may_be_free_later(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], visible: str, code: int, message: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    result = invoke("run", "digits", *words)
    assert result.exit_code == code
    assert message in result.stderr
    assert not Path("mlruns").exists()


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize(
    ("visible", "execution", "options", "notes"),
    [
        ("7", {}, {}, ["there is no GPU 7, .*; trainings run on the CPU"]),
        ("0,7", {}, {}, ["there is no GPU 7, .*; trainings run on GPU 0"]),
        ("0", {}, {"max_gpu_hours": 1.0}, []),
        ("-1", {}, {"max_gpu_hours": 1.0}, ["--max-gpu-hours has no effect: no GPU is used"]),
        (
            "0",
            {"gpus": 0},
            {"max_gpu_hours": 1.0, "min_free_gpu_memory": "8GB"},
            ["--max-gpu-hours and --min-free-gpu-memory have no effect: no GPU is used"],
        ),
        (
            "0",
            {"workers": 0, "memory": 4, "hours_per_trial": 1, "minutes_per_epoch": 60},
            {"max_gpu_hours": 1.0},
            [
                "--max-gpu-hours has no effect: with workers: 0",
                r"execution\.hours_per_trial and execution\.memory have no effect: with workers: 0",
            ],
        ),
        ("0", {"workers": 1, "memory": 4, "gpu_memory": 8}, {}, []),
        ("-1", {"gpu_memory": 8}, {}, [r"execution\.gpu_memory has no effect: no GPU is used"]),
    ],
)
def test_what_has_no_effect_is_said(
    monkeypatch: pytest.MonkeyPatch, visible: str, execution: dict, options: dict, notes: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    of = space(execution=execution)
    said = list(without_effect(of, Options(**options), slots_for(of.execution)))
    assert len(said) == len(notes)
    assert all(re.search(note, each) for note, each in zip(notes, said, strict=True))


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize(
    ("visible", "execution", "options", "asked"),
    [
        ("0", {}, {}, ""),
        ("0", {"gpus": 1}, {}, "execution.gpus is 1"),
        ("0", {"gpus": 2}, {"gpus": 1}, "--gpus is 1"),
        ("0", {"gpus": 1}, {"gpus": 0}, ""),
        ("0", {"workers": 0, "gpus": 1}, {}, "execution.gpus is 1"),
        ("0", {}, {"min_free_gpu_memory": "4GB"}, "--min-free-gpu-memory is 4GB"),
        ("0", {"gpu_memory": 8}, {}, "execution.gpu_memory is 8"),
        ("-1", {"gpu_memory": 8}, {}, ""),
    ],
)
def test_what_asks_for_gpus_is_known_by_its_words(
    monkeypatch: pytest.MonkeyPatch, visible: str, execution: dict, options: dict, asked: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    given = Options(**options)
    of = given.applied_to(space(execution=execution)).execution
    assert given.gpus_asked(of, slots_for(of, given.least_free)) == asked


def test_a_bad_number_of_workers_is_refused_by_the_name_of_its_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("run", "digits", "--workers", "999")
    assert (result.exit_code, result.stderr) == (2, "--workers: must be at most 256, not 999\n")


class Unattended:
    """A whole search under the guard, by the real command: all that came of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked_for = folder, folder / "asked-for"
        (folder / "sitecustomize.py").write_text(GUARD)
        (folder / "space.yaml").write_text(
            "name: nightly\n"
            "data: digits\n"
            "architectures: {sound: {dense: [8]}, hopeless: {dense: [{width: 8, l2: 10.0}]}}\n"
            "training: {epochs: 4, optimizer: sgd, learning_rate: 1.0}\n"
            "execution: {workers: 1}\n"
        )
        words = ("--until", "2099-01-01 06:00 UTC", "--max-gpu-hours", "8", "--log-format", "json", "--json")
        self.done = self.python("-m", "archsearch", "run", "space.yaml", *words)
        self.events = [json.loads(line) for line in self.done.stderr.splitlines()]

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        names = ("MLFLOW_", *OF_TESTS)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder,
            env=inherited | {"PYTHONPATH": str(self.folder), "GUARD_LOG": str(self.asked_for)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def of(self, event: str) -> list[dict]:
        return [each for each in self.events if each["event"] == event]


@pytest.fixture(scope="module")
def unattended(tmp_path_factory: pytest.TempPathFactory) -> Unattended:
    return Unattended(tmp_path_factory.mktemp("unattended"))


def test_a_search_tells_all_that_happens_as_json_lines(unattended: Unattended) -> None:
    assert unattended.done.returncode == 0, unattended.done.stderr
    assert all(datetime.fromisoformat(each["time"]).tzinfo for each in unattended.events)
    told = [each["event"] for each in unattended.events if each["event"] != "note"]
    assert (told[0], told[-1]) == ("search_started", "search_stopped")
    assert told.count("trial_started") == told.count("trial_finished") == 2
    sound, hopeless = sorted(unattended.of("trial_finished"), key=lambda each: each["status"])
    assert (sound["status"], sound["name"]) == ("completed", "sound")
    assert sound["verdict"] in list(Verdict)
    assert hopeless["status"] == "diverged"
    assert len(unattended.of("epoch")) == sound["epochs_trained"] + hopeless["epochs_trained"]
    assert None in [each["val_loss"] for each in unattended.of("epoch")]


def test_the_last_line_of_each_output_says_how_it_ended(unattended: Unattended) -> None:
    printed = json.loads(unattended.done.stdout)
    last = unattended.events[-1]
    assert (printed["status"], last["reason"], last["exit_code"]) == ("finished", "finished", 0)
    assert last["search"] == printed["search"]
    assert last["trials"] == printed["trials"]
    assert last["best"]["architecture"] == printed["best"]["architecture"]


def test_notes_say_how_long_it_may_train_and_what_has_no_effect(unattended: Unattended) -> None:
    notes = [each["message"] for each in unattended.of("note")]
    assert re.match(r"trains until 2099-01-01 06:00 UTC at the latest, in \d+ h", notes[0])
    assert "--max-gpu-hours has no effect: no GPU is used" in notes


def test_every_field_of_the_lines_is_documented(unattended: Unattended) -> None:
    text = (DOCS / "unattended.md").read_text(encoding="utf-8").partition("## JSON lines")[2]
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    fields = {name for each in unattended.events for name in each} | {"exit_code"}
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == fields
    kinds = {each["event"] for each in unattended.events} | {"error"}
    assert set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^### .*$", text, re.M)))) == kinds


def test_nothing_is_reached_for_on_the_network_and_no_telemetry_is_sent(unattended: Unattended) -> None:
    assert not unattended.asked_for.exists(), unattended.asked_for.read_text()
    tried = unattended.python("-c", "import urllib.request as r; r.urlopen('http://example.org')")
    assert tried.returncode == 1
    assert "example.org" in unattended.asked_for.read_text(), "the guard sees nothing"

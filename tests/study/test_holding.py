"""One process runs a search, on whichever machine; whoever is gone holds nothing."""

import contextlib
import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import filelock
import pytest

from archsearch.errors import ExitCode, SearchLocked, StoreError
from archsearch.study import holding
from archsearch.study.holding import Hold, Pace, holder_of, is_held, sight, take

QUICK = Pace(beat=0.05, patience=0.2)
# Whoever gave a sign of life an instant ago may be gone: only another sign counts.
DISTRUSTFUL = Pace(beat=0.1, trust=0.0, patience=0.2)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "digits-1"
    folder.mkdir()
    return folder


def left_behind(folder, **fields):
    """What a process on another machine has written that gives no further sign of life."""
    now = time.time()
    values = {"host": "elsewhere", "boot": "another", "pid": 7, "since": now, "beats": 3, "at": now}
    (folder / holding.HOLDER).write_text(json.dumps(values | fields))


@pytest.fixture
def alive_elsewhere(folder, monkeypatch):
    """A process on another machine, whose lock is not seen here."""
    monkeypatch.setattr(holding, "_boot_id", lambda: "another")
    lock = filelock.FileLock(folder / "lock of the other machine")
    lock.acquire()
    hold = Hold(lock, folder / holding.HOLDER, QUICK.beat)
    monkeypatch.undo()
    yield hold
    hold.release()


@contextlib.contextmanager
def python(code, folder):
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.communicate("")


TAKES = """
import pathlib, sys
from archsearch.study.holding import take
hold = take(pathlib.Path(sys.argv[1]))
print("taken", flush=True)
sys.stdin.read()
"""


def test_who_holds_a_search_is_told_to_whoever_comes_next(folder):
    hold = take(folder, QUICK)
    told = rf"digits-1 .*process {os.getpid()} on .*, since 20\d\d-"
    with pytest.raises(SearchLocked, match=told) as refused:
        take(folder, QUICK)
    assert refused.value.exit_code == ExitCode.LOCKED == 99
    hold.release()
    take(folder, QUICK).release()


def test_who_lets_go_leaves_no_name(folder):
    take(folder, QUICK).release()
    assert holder_of(folder) is None
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_a_holder_shows_that_it_is_alive_however_busy_it_is(folder):
    hold = take(folder, QUICK)
    before, deadline = holder_of(folder).beats, time.monotonic() + 20
    while holder_of(folder).beats < before + 3:
        sum(range(1_000))
        assert time.monotonic() < deadline
    hold.release()


def test_a_holder_on_this_machine_that_was_killed_is_gone_at_once(folder):
    with python(TAKES, folder) as process:
        assert process.stdout.readline() == "taken\n"
        assert is_held(folder)
        process.kill()
        process.wait()
        assert holder_of(folder).pid == process.pid
        assert not is_held(folder)
        started = time.monotonic()
        take(folder).release()
        assert time.monotonic() - started < 1


def test_one_on_another_machine_that_was_heard_of_lately_holds_its_search(folder):
    left_behind(folder, at=time.time() - 12)
    told = r"process 7 on elsewhere.*last heard of 1[23] s ago.*free in 4[78] s"
    with pytest.raises(SearchLocked, match=told):
        take(folder, Pace(beat=0.05, patience=0.2))
    assert holder_of(folder).host == "elsewhere"


@contextlib.contextmanager
def locked_by_the_server(folder):
    """As a file system that shares locks keeps that of a machine that has died."""
    with (folder / holding.LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_a_lock_of_a_silent_machine_is_refused_with_what_to_do_which_helps(folder):
    with locked_by_the_server(folder):
        left_behind(folder, at=time.time() - 90)
        told = rf"process 7 on elsewhere.*last heard of 9\d s ago.*make sure.*delete {folder / holding.LOCK}$"
        with pytest.raises(SearchLocked, match=told):
            take(folder, QUICK)
        (folder / holding.LOCK).unlink()
        take(folder, QUICK).release()


@pytest.mark.parametrize("ago", [5, -300])
def test_nobody_is_told_to_delete_the_lock_of_a_machine_that_is_not_known_to_be_silent(folder, ago):
    with locked_by_the_server(folder):
        left_behind(folder, at=time.time() - ago)
        with pytest.raises(SearchLocked, match=r"process 7 on elsewhere, since [^;]*\)$"):
            take(folder, QUICK)


def test_nobody_is_told_to_delete_the_lock_of_a_process_on_this_machine(folder):
    with locked_by_the_server(folder):
        left_behind(folder, boot=holding._boot_id(), at=time.time() - 90)
        with pytest.raises(SearchLocked, match=r"process 7 on elsewhere, since [^;]*\)$"):
            take(folder, QUICK)


@pytest.mark.parametrize("ago", [61.0, 1e6, -5.0, -1e6], ids=["late", "long ago", "ahead", "far ahead"])
def test_one_on_another_machine_that_stays_silent_is_gone_whatever_the_clocks_say(folder, ago):
    left_behind(folder, at=time.time() - ago)
    started = time.monotonic()
    hold = take(folder, QUICK)
    assert time.monotonic() - started >= 2 * QUICK.beat
    assert holder_of(folder).pid == os.getpid()
    hold.release()


def test_the_silence_of_one_that_was_seen_before_counts_from_then(folder):
    left_behind(folder, at=0.0)
    patient = Pace(beat=1.0, patience=0.2)
    seen = replace(sight(folder), at=time.monotonic() - patient.watch)
    started = time.monotonic()
    take(folder, patient, seen=seen).release()
    assert time.monotonic() - started < patient.beat


def test_one_that_gave_a_sign_since_it_was_seen_is_waited_for(folder):
    left_behind(folder, at=0.0)
    seen = replace(sight(folder), at=time.monotonic() - QUICK.watch)
    left_behind(folder, at=0.0, beats=4)
    started = time.monotonic()
    take(folder, QUICK, seen=seen).release()
    assert time.monotonic() - started >= 2 * QUICK.beat


@pytest.mark.usefixtures("alive_elsewhere")
@pytest.mark.parametrize("ahead", [0.0, 3_600.0])
def test_one_on_another_machine_that_gives_a_sign_holds_its_search_whatever_the_clocks_say(
    folder, monkeypatch, ahead
):
    assert holder_of(folder).boot == "another"
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + ahead)
    with pytest.raises(SearchLocked, match=f"process {os.getpid()} on "):
        take(folder, DISTRUSTFUL)


def test_one_on_another_machine_that_lets_go_is_not_waited_for_any_longer(folder):
    left_behind(folder, at=0.0)
    letting_go = threading.Timer(0.2, (folder / holding.HOLDER).unlink)
    letting_go.start()
    started = time.monotonic()
    take(folder, Pace(beat=1.0, patience=0.2)).release()
    assert time.monotonic() - started < 2
    letting_go.join()


def test_a_suspended_holder_leaves_whoever_took_over_alone(folder):
    hold = take(folder, QUICK)
    left_behind(folder)
    time.sleep(5 * QUICK.beat)
    assert holder_of(folder).host == "elsewhere"
    hold.release()
    assert holder_of(folder).host == "elsewhere"


def test_what_is_no_holder_holds_nothing(folder):
    for text in ("", "{", "[]", '{"host": "half"}'):
        (folder / holding.HOLDER).write_text(text)
        assert not is_held(folder)
        take(folder, QUICK).release()


@pytest.mark.parametrize(("ago", "held"), [(5, True), (-5, True), (61, False), (-61, False)])
def test_a_search_that_runs_elsewhere_is_seen_to_run(folder, ago, held):
    left_behind(folder, at=time.time() - ago)
    assert is_held(folder) is held


def test_who_only_looks_never_takes_a_search_from_whoever_starts_it(folder):
    is_over = threading.Event()

    def look():
        while not is_over.is_set():
            is_held(folder)

    watchers = [threading.Thread(target=look) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(10):
            take(folder).release()
    finally:
        is_over.set()
        for watcher in watchers:
            watcher.join()


def test_a_full_disk_takes_no_holder_its_life(folder):
    code = """
import pathlib, resource, sys, time
from archsearch.errors import StorageFull
from archsearch.study.holding import Pace, holder_of, take
folder, pace = pathlib.Path(sys.argv[1]), Pace(beat=0.02)

def room(is_there):
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited if is_there else 0, unlimited))

room(False)
try:
    take(folder, pace)
except StorageFull as error:
    assert "is the disk full" in str(error), error
else:
    raise AssertionError
room(True)
hold = take(folder, pace)
room(False)
time.sleep(0.2)
room(True)
before, deadline = holder_of(folder).beats, time.monotonic() + 20
while holder_of(folder).beats == before:
    assert time.monotonic() < deadline
    time.sleep(0.02)
hold.release()
print("well", [path.name for path in folder.iterdir()])
"""
    with python(code, folder) as process:
        assert process.stdout.read() == "well ['lock']\n"


@pytest.mark.parametrize("answer", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_refused_with_what_to_do(folder, monkeypatch, answer):
    def flock(*_):
        raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StoreError, match=r"digits-1/lock: .*locks don't work.*--store"):
        take(folder, QUICK)
    monkeypatch.undo()
    take(folder, QUICK).release()

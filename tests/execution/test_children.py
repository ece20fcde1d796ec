"""A process of archsearch's own can neither hold up the one that started it nor outlive it."""

import signal
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from archsearch.execution.child import Child, last_printed


@pytest.fixture
def started():
    """Start a child that does one of the things that `odd_children` can do."""
    children = []

    def start(does):
        words = {"DOES": does, "PYTHONPATH": str(Path(__file__).parent)}
        children.append(Child("odd_children", tempfile.TemporaryFile(), words))  # noqa: SIM115 - it closes it
        return children[-1]

    yield start
    for child in children:
        child.kill()


def test_half_a_message_holds_up_nobody(started):
    child = started("half_a_message")
    assert child.receive(120) == "begun"
    begun = time.monotonic()
    assert child.receive(0.3) is None
    assert time.monotonic() - begun < 30


def test_a_child_that_keeps_pythons_lock_ends_with_its_driver_and_so_does_what_it_started(started):
    child = started("keeps_the_lock")
    grandchild = psutil.Process(child.receive(120))
    child._held.close()  # as the kernel does when the driver ends
    assert child.process.wait(120) == -signal.SIGKILL
    assert not psutil.wait_procs([grandchild], timeout=120)[1]


def test_a_file_in_the_working_folder_stands_for_none_of_pythons_modules(started, tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise SystemExit('not the one of Python')")
    monkeypatch.chdir(tmp_path)
    assert started("half_a_message").receive(120) == "begun"


def test_what_a_child_imports_is_told_to_send_no_telemetry_unless_the_user_wants_it(started, monkeypatch):
    monkeypatch.delenv("DO_NOT_TRACK", raising=False)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    told = started("tells_its_environment").receive(120)
    assert (told["DO_NOT_TRACK"], told["MLFLOW_DISABLE_TELEMETRY"]) == ("1", "false")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY")
    assert started("tells_its_environment").receive(120)["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_child_has_a_home_where_the_user_of_a_container_has_none(started, monkeypatch):
    def nobody(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setenv("HOME", "/home/me")  # so that it is put back
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert started("tells_its_environment").receive(30)["HOME"] == tempfile.gettempdir()


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("", ""),
        ("one\n  two\n", "one two"),
        (
            "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n"
            "I0000 00:00:1795306672.772958   27977 port.cc:153] oneDNN custom operations are on.\n"
            "2026-01-02 10:00:00.123456: W tensorflow/core/x.cc:41] Allocation exceeds 10%\n"
            "terminate called after throwing an instance of 'std::bad_alloc'\n",
            "terminate called after throwing an instance of 'std::bad_alloc'",
        ),
        (
            "F0000 00:00:1795306672.772958 27977 x.cc:1] Check failed\n",
            "F0000 00:00:1795306672.772958 27977 x.cc:1] Check failed",
        ),
    ],
)
def test_what_a_process_last_printed_is_told_without_what_tensorflow_says_of_itself(log, told):
    assert last_printed(log) == told

"""Real daemons of schedulers, for `make test-schedulers`: plain ``pytest`` collects nothing here."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from own_crontab import crontab, set_crontab

DAEMONS = {"cron", "crond"}


@pytest.fixture(scope="session")
def cron(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cron daemon: the machine's own if one runs, else one in the foreground that ends with the tests."""
    if shutil.which("crontab") is None:
        pytest.fail("no crontab on PATH: apt-get install cron")
    if any(process.name() in DAEMONS for process in psutil.process_iter()):
        yield
        return
    if os.geteuid() != 0:
        pytest.fail("no cron daemon runs, and only root can start one")
    log = tmp_path_factory.mktemp("cron") / "log"
    with log.open("w") as out:
        daemon = subprocess.Popen(["cron", "-f"], stdout=out, stderr=out)
    try:
        time.sleep(1)
        assert daemon.poll() is None, f"cron -f ended with exit code {daemon.returncode}: {log.read_text()}"
        yield
    finally:
        daemon.terminate()
        daemon.wait(10)


@pytest.fixture(scope="session")
def free_crontab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The crontab is the tests' to change; afterwards it is again what it was, byte for byte."""
    before = crontab()
    saved = tmp_path_factory.mktemp("crontab") / "saved"
    saved.write_bytes(before or b"")
    print(f"\nthe crontab as it was: {saved if before is not None else 'there was none'}")
    with ended_in_order():
        try:
            yield
        finally:
            set_crontab(before)
            assert crontab() == before


@contextmanager
def ended_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP end the tests as Ctrl-C does: with all that has to be put back."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)

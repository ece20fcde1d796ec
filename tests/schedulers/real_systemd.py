"""A real systemd of a user: it gets back every word, starts a job at its time, and forgets it again.

``make test-schedulers`` runs it, in about two minutes. A folder in ``/run`` tells a systemd that it has
booted the machine: only root can show it such a ``/run``.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_jobs import texts
from real_command import environment, run

from archsearch.schedule import systemd

PROGRAMS = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
LONGEST_WAIT = 120

SPACE = """\
name: every-minute
data: digits
architectures: {{{}}}
training: {{epochs: 3, batch_size: 128}}
search: {{sampler: none}}
execution: {{workers: 1}}
""".format(", ".join(f"n{width}: {{dense: [{width}]}}" for width in range(8, 38)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a user whose systemd runs, and ends with the tests."""
    program = next(filter(os.path.exists, PROGRAMS), None)
    if program is None:
        pytest.skip("no systemd: apt-get install systemd")
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root can start a systemd with a /run of its own, by unshare")
    home = tmp_path_factory.mktemp("home of it's user")
    home.chmod(0o700)
    started = "mount --make-rprivate / && mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec"
    log = (home / "log").open("w")
    manager = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", f"{started} {program} --user --unit=basic.target"],
        env={"PATH": "/usr/bin:/bin", **own(home)},
        stdout=log,
        stderr=log,
    )
    try:
        assert until(lambda: systemctl(home, "list-timers").returncode == 0), (home / "log").read_text()
        yield home
    finally:
        manager.terminate()
        manager.wait(60)
        log.close()


def own(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_CONFIG_HOME": str(home / ".config")}


def systemctl(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["systemctl", "--user", *words]
    return subprocess.run(command, env=environment(**own(home)), capture_output=True, text=True)


def shown(home: Path, unit: str, name: str) -> str:
    return systemctl(home, "show", "--value", "--property", name, unit).stdout.strip()


def until(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + LONGEST_WAIT
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def test_systemd_gets_back_exactly_the_words(home: Path, tmp_path: Path) -> None:
    lists: list[list[str]] = []

    @settings(max_examples=200, database=None)
    @given(st.lists(texts(), min_size=1, max_size=5))
    def collect(words: list[str]) -> None:
        lists.append(words)

    collect()
    program, out = tmp_path / "$prog 100% ${x} y", tmp_path / "out"
    program.write_text(f"#!/bin/sh\n{{ printf '%s\\0' \"$@\"; printf 'END\\0'; }} >> {out}\n")
    program.chmod(0o755)
    lines = [f"ExecStart={systemd.exec_start([str(program), *words])}\n" for words in lists]
    unit = home / ".config" / "systemd" / "user" / "words.service"
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.write_text("[Service]\nType=oneshot\n" + "".join(lines), encoding="utf-8")
    systemctl(home, "daemon-reload")
    assert systemctl(home, "start", unit.name).returncode == 0
    unit.unlink()
    assert [said.split("\0")[:-1] for said in out.read_text().split("END\0")[:-1]] == lists


def test_a_job_starts_at_its_time_goes_on_after_a_signal_and_goes_away(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "it's 100 % \\"
    folder.mkdir()
    space, units = folder / "space.yaml", home / ".config" / "systemd" / "user"
    service, timer = "archsearch-every-minute.service", "archsearch-every-minute.timer"
    space.write_text(SPACE)
    words = ("schedule", "systemd", "space.yaml")

    placed = run(*words, "--at", "* * * * *", "--install", cwd=folder, **own(home))
    assert placed.returncode == 0, placed.stderr
    assert until(lambda: any(folder.glob("mlruns/searches/*/record.sqlite"))), "the timer did not start it"

    systemctl(home, "kill", "--kill-whom=main", "--signal=TERM", service)
    assert until(lambda: shown(home, service, "ExecMainStatus") == "75")
    assert shown(home, service, "SubState") == "auto-restart"

    systemctl(home, "restart", service)
    assert until(lambda: any(folder.glob("reports/*.html")))
    assert until(lambda: shown(home, service, "ActiveState") == "inactive")
    assert shown(home, service, "ExecMainStatus") == "0"

    removed = run(*words, "--remove", cwd=folder, **own(home))
    assert removed.stdout == "taken away every-minute\n"
    assert not any(units.rglob("archsearch-*"))
    assert shown(home, timer, "LoadState") == "not-found"

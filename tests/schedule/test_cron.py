"""The crontab's lines: what a shell makes of them, and what stands beside them."""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_jobs import job, texts

from archsearch.errors import Refused
from archsearch.schedule import Job, cron

pytestmark = pytest.mark.skipif(shutil.which("flock") is None, reason="no flock on PATH (util-linux)")

DIFFICULT = 'it\'s 100 % "off" $HOME; #1 & more'
SHORT = texts(without="\\", most=10)


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints its folder and its words, each up to a NUL."""
    program = tmp_path_factory.mktemp(DIFFICULT) / "archsearch"
    program.write_text('#!/bin/sh\nprintf \'%s\\0\' "$PWD" "$@"\n')
    program.chmod(0o755)
    return program


@pytest.fixture(autouse=True)
def _its_program(echo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cron, "program", lambda: (str(echo),))


def by_cron(line: str) -> subprocess.CompletedProcess[str]:
    """Run a command as cron does: up to a bare ``%``, by sh, with hardly any environment."""
    assert "%" not in line.replace(r"\%", "")
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/"}
    return subprocess.run(
        ["/bin/sh", "-c", line.replace(r"\%", "%")], env=environment, cwd="/", capture_output=True, text=True
    )


def found(made: Job) -> list[str]:
    """What the program was given, from the job's log."""
    log = cron.log(made)
    words = log.read_text().split("\0")[:-1]
    log.unlink()
    return words


@settings(max_examples=40)
@given(
    space=SHORT,
    uri=st.none() | SHORT,
    until=st.none() | SHORT,
    store=texts(without="\\/", most=10),
    gpus=st.none() | st.integers(0, 8),
)
def test_a_shell_gets_back_exactly_the_words_of_the_job(
    echo: Path, space: str, uri: str | None, until: str | None, store: str, gpus: int | None
) -> None:
    folder = echo.parent
    made = job(
        space="/" + space, folder=folder, store=folder / f"s{store}", tracking_uri=uri, until=until, gpus=gpus
    )
    done = by_cron(cron.command(made))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert found(made) == [str(folder), *made.words, "--if-locked", "skip"]


def test_a_start_is_skipped_while_the_one_before_runs_and_the_log_says_so(tmp_path: Path) -> None:
    made = job(folder=tmp_path, store=tmp_path)
    (tmp_path / "logs").mkdir()
    lock = tmp_path / "logs" / "digits.lock"
    with subprocess.Popen(["flock", str(lock), "sh", "-c", "echo; read word"], stdin=-1, stdout=-1) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()  # it holds the lock now
        done = by_cron(cron.command(made))
        holder.stdin.close()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    note = json.loads(cron.log(made).read_text())
    assert note["message"] == "skipped: the last start still runs"
    assert abs(datetime.fromisoformat(note["time"]) - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("code", [1, 2, 75, 99, 137])
def test_a_failure_is_one_line_for_the_mail_and_a_search_that_left_the_gpus_to_others_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    ending = tmp_path / "archsearch"
    ending.write_text(f"#!/bin/sh\necho said >&2; exit {code}\n")
    ending.chmod(0o755)
    monkeypatch.setattr(cron, "program", lambda: (str(ending),))
    made = job(folder=tmp_path, store=tmp_path / "100 %")
    done = by_cron(cron.command(made))
    mail = f"archsearch digits: exit code {code}; see {tmp_path}/100 %/logs/digits.log\n"
    assert done.stdout == ("" if code == 99 else mail)
    assert cron.log(made).read_text() == "said\n"


def test_logs_are_added_to(tmp_path: Path) -> None:
    made = job(folder=tmp_path, store=tmp_path)
    for _ in range(2):
        by_cron(cron.command(made))
    assert len(found(made)) == 2 * (1 + len(made.words) + 2)


def test_a_block_is_comments_and_one_line_and_sets_no_variable() -> None:
    lines = cron.block(job()).splitlines()
    commands = [line for line in lines if not line.startswith("#")]
    assert [lines[0], lines[-1]] == [cron.begins("digits"), cron.ends("digits")]
    assert len(commands) == 1
    assert commands[0].startswith("0 2 * * * cd /home/ada/spaces && ")


def test_a_crontab_has_a_block_for_each_job() -> None:
    (file,) = cron.render([job(), job(name="cifar", at="0 4 * * *")])
    assert file.text.count("# >>> archsearch ") == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"at": None}, "job digits: cron needs its time"),
        ({"store": Path("/data/back\\slash")}, "a crontab can't hold a backslash"),
        ({"store": Path("/data/" + "long/" * 80)}, "cron takes at most 998"),
    ],
)
def test_what_cron_cannot_hold_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        cron.render([job(**changes)])


@pytest.mark.parametrize("path", ["/data/line\nbreak", os.fsdecode(b"/data/\xff")])
def test_a_path_that_no_line_of_text_can_hold_is_refused(path: str) -> None:
    with pytest.raises(Refused, match="no scheduler's file can hold"):
        job(store=Path(path))

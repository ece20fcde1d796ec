"""systemd's units: times, command lines, and what systemd itself says of them."""

import heapq
import re
import shutil
import subprocess
from datetime import datetime
from itertools import islice
from pathlib import Path

import pytest
from cronsim import CronSim
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from made_jobs import EXPRESSIONS, job, texts

from archsearch.errors import Refused
from archsearch.schedule import File, systemd
from archsearch.schedule.expression import parse

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze on PATH: apt-get install systemd"
)

TIMES = 4
START = datetime(2026, 11, 22, 12, 30)


def analyzed(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, env={"TZ": "UTC", "LC_ALL": "C", **environment}
    )


def elapses(calendar: str) -> list[datetime]:
    """When systemd says that a line of ``OnCalendar=`` comes next."""
    base, iterations = f"--base-time={START:%Y-%m-%d %H:%M:%S}", f"--iterations={TIMES}"
    done = analyzed("calendar", base, iterations, calendar)
    assert done.returncode == 0, done.stderr
    said = re.findall(r"(?:Next elapse|Iter(?:ation|\.) #\d+): \w+ (\S+ \S+)", done.stdout)
    return [datetime.fromisoformat(moment) for moment in said]


@needs_systemd
@settings(max_examples=25)
@given(EXPRESSIONS)
@example("0 2 * * *")
@example("*/15 8-18/2 * * 1-5")
@example("0 0 13 * 5")  # the 13th, and Fridays
@example("0 0 */2 * 1")  # Mondays of odd days
@example("0 0 1-31 * 1")  # every day
@example("0 0 1 * 0-6")  # likewise
@example("0 0 29 2 *")
@example("59 23 31 12 0")
def test_systemd_comes_at_the_times_of_cron(text: str) -> None:
    try:
        expression = parse(text)
    except ValueError as error:
        assume("no month" not in str(error))
        raise
    either = heapq.merge(*map(elapses, systemd.on_calendar(expression)))
    expected = list(islice(CronSim(text, START), TIMES))
    assert sorted(set(either))[:TIMES] == expected


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("0 2 * * *", ["*-*-* 02:00:00"]),
        ("*/15 9-17 * * 1-5", ["Mon..Fri *-*-* 09..17:00/15:00"]),
        ("30 6,18 1 */3 *", ["*-01/3-01 06,18:30:00"]),
        ("0 0 13 * 5", ["Fri *-*-* 00:00:00", "*-*-13 00:00:00"]),
        ("@weekly", ["Sun *-*-* 00:00:00"]),
    ],
)
def test_a_time_reads_as_a_person_would_write_it(text: str, lines: list[str]) -> None:
    assert list(systemd.on_calendar(parse(text))) == lines


def words_of(line: str) -> list[str]:
    """How systemd reads a command line: COMMAND LINES in systemd.service(5), Quoting in systemd.syntax(7)."""
    line = line.replace("%%", "\0")
    assert "%" not in line
    words = []
    for quoted, bare in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line):
        word = bare or re.sub(r"\\(.)", r"\1", quoted)
        assert not bare or not set(bare) & set("'\"\\;")
        words.append(word.replace("\0", "%"))
    path, *rest = words
    assert not any("$" in word.replace("$$", "") for word in rest)
    return [path, *(word.replace("$$", "$") for word in rest)]


@settings(max_examples=50)
@given(st.lists(texts(), min_size=1, max_size=6), texts(without="\"'\\"))
def test_systemd_gets_back_exactly_the_words(words: list[str], program: str) -> None:
    given_words = [f"/{program}", *words]
    assert words_of(systemd.exec_start(given_words)) == given_words


def verified(folder: Path, *files: File) -> subprocess.CompletedProcess[str]:
    """What systemd says about units, as those of a user."""
    paths = [folder / file.name for file in files]
    for path, file in zip(paths, files, strict=True):
        path.write_text(file.text)
    own = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    return analyzed("verify", "--user", "--man=no", *paths, **own)


@needs_systemd
@pytest.mark.parametrize("until", [None, "06:00"])
def test_systemd_has_nothing_to_say_against_the_units(tmp_path: Path, until: str | None) -> None:
    folder = tmp_path / 'it\'s 100 % $HOME; "x" '
    folder.mkdir()
    made = job(folder=folder, store=folder / "mlruns", until=until, at="0 0 13 * 5")
    done = verified(tmp_path, *systemd.render([made]))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_a_faulty_unit_would_be_noticed(tmp_path: Path) -> None:
    service, timer = systemd.render([job(folder=tmp_path)])
    faulty = File(service.name, service.text.replace("Type=exec", "Type=exact"))
    done = verified(tmp_path, faulty, timer)
    assert "Failed to parse service type, ignoring: exact" in done.stderr


def test_what_was_interrupted_goes_on_by_itself_unless_it_would_run_into_the_day() -> None:
    assert "RestartForceExitStatus=75\n" in systemd.render([job()])[0].text
    assert "Restart=no\n" in systemd.render([job(until="06:00")])[0].text


def test_a_search_that_left_the_gpus_to_others_has_not_failed() -> None:
    assert "\nSuccessExitStatus=75 99\n" in systemd.render([job()])[0].text


def test_a_missed_start_is_made_up_for_unless_it_would_run_into_the_next_day() -> None:
    assert "\nPersistent=true\n" in systemd.render([job()])[1].text
    assert "\nPersistent=false\n" in systemd.render([job(until="06:00")])[1].text


def test_each_job_has_a_service_and_a_timer_of_its_name() -> None:
    names = [file.name for file in systemd.render([job(), job(name="cifar")])]
    endings = ("service", "timer")
    assert names == [f"archsearch-{name}.{ending}" for name in ("digits", "cifar") for ending in endings]


def test_a_timer_without_a_time_is_refused() -> None:
    with pytest.raises(Refused, match="job digits: a timer needs its time"):
        systemd.render([job(at=None)])


@pytest.mark.parametrize("path", ["/it's/archsearch", '/"/archsearch', "/back\\slash/archsearch"])
def test_a_program_that_systemd_cannot_start_is_refused(path: str) -> None:
    with pytest.raises(Refused, match="systemd starts no program with quotes or a backslash"):
        systemd.exec_start([path])

"""The user's systemd: a job's units come and go, what is somebody else's stays.

A small script that notes what it is asked stands for systemctl, as hardly any test has a systemd of its own.
"""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_jobs import job

from archsearch.errors import Refused, StorageFull
from archsearch.schedule import placing_systemd
from archsearch.schedule.systemd import render

SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> "$(dirname "$0")/asked"
"""
TIMER = "archsearch-digits.timer"


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of units, which is not there yet."""
    program = tmp_path / "bin" / "systemctl"
    program.parent.mkdir()
    program.write_text(SYSTEMCTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "systemd" / "user"


def asked(units: Path) -> list[str]:
    log = units.parent.parent.parent / "bin" / "asked"
    lines = log.read_text().splitlines()
    log.unlink()
    return lines


def test_units_are_written_and_their_timer_started(units: Path) -> None:
    placing_systemd.install([job()])
    assert {path.name: path.read_text() for path in units.iterdir()} == {
        file.name: file.text for file in render([job()])
    }
    assert asked(units) == ["--user daemon-reload", "--user daemon-reload", f"--user enable --now {TIMER}"]
    assert placing_systemd.names() == ("digits",)


def test_exactly_they_are_taken_away_again(units: Path) -> None:
    placing_systemd.install([job(), job(name="cifar")])
    (units / "mine.service").write_text("[Service]\n")
    asked(units)
    assert placing_systemd.remove(["digits", "other"]) == ("digits",)
    assert sorted(path.name for path in units.iterdir()) == [
        "archsearch-cifar.service", "archsearch-cifar.timer", "mine.service",
    ]  # fmt: skip
    assert asked(units) == [
        f"--user disable --now {TIMER}", f"--user clean --what=state {TIMER}", "--user daemon-reload",
    ]  # fmt: skip


def test_a_job_of_the_same_name_is_replaced(units: Path) -> None:
    placing_systemd.install([job()])
    placing_systemd.install([job(at="0 4 * * *")])
    assert "OnCalendar=*-*-* 04:00:00\n" in (units / TIMER).read_text()


@pytest.fixture
def largest_file() -> Iterator[Callable[[int], None]]:
    """Sets how many bytes a file may have, as a full disk would; without a limit again at the end."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_where_there_is_no_room_the_units_are_as_they_were(
    units: Path, largest_file: Callable[[int], None]
) -> None:
    jobs = [job(), job(name="later")]
    placing_systemd.install(jobs)
    before = {path.name: path.read_text() for path in units.iterdir()}
    # Room for the first job's units, and for none of the second's service.
    largest_file(2 * max(map(len, before.values())))
    changed = [job(hours=1.0), job(name="later", tracking_uri="http://" + "a" * 9999)]
    with pytest.raises(StorageFull, match="can't be written"):
        placing_systemd.install(changed)
    assert {path.name: path.read_text() for path in units.iterdir()} == before
    assert placing_systemd.remove(["digits", "later"]) == ("digits", "later")


@pytest.mark.parametrize("name", ["archsearch-digits.service", TIMER])
def test_a_file_of_that_name_that_is_somebody_elses_is_refused(units: Path, name: str) -> None:
    units.mkdir(parents=True)
    (units / name).write_text("[Unit]\n")
    for change in (lambda: placing_systemd.install([job()]), lambda: placing_systemd.remove(["digits"])):
        with pytest.raises(Refused, match=f"{name}: there already, and not written by archsearch schedule"):
            change()
    assert [(path.name, path.read_text()) for path in units.iterdir()] == [(name, "[Unit]\n")]


def test_where_systemd_does_not_answer_nothing_is_written(units: Path, tmp_path: Path) -> None:
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.write_text('#!/bin/sh\necho "Failed to connect to bus: No medium found" >&2\nexit 1\n')
    with pytest.raises(Refused, match="systemctl --user daemon-reload: Failed to connect to bus"):
        placing_systemd.install([job()])
    assert not units.exists()


def test_a_machine_without_systemd_is_told(units: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(units.parent))
    with pytest.raises(Refused, match=r"systemctl can't be started .* archsearch schedule cron needs none"):
        placing_systemd.install([job()])


@pytest.mark.parametrize("configured", ["", "relative"])
def test_without_a_folder_for_configuration_it_is_that_of_the_home(
    configured: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", configured)
    assert placing_systemd.units_folder() == tmp_path / ".config" / "systemd" / "user"

"""The batch script for Slurm: what it asks for, and what it does about signals and exit codes.

On a real Slurm it runs in tests/slurm; here two commands of Slurm have stand-ins, and so has the search.
"""

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from archsearch.schedule import Job, slurm

NIGHTLY = Job("nightly", "/spaces/digits.yaml", Path("/spaces"), Path("/spaces/mlruns"), hours=6, gpus=1)

# Says where it is, which GPUs it sees and what it was told; then ends as it shall: at once, or at a signal.
SEARCH = r"""#!/bin/bash
trap 'sleep 0.2; exit 75' TERM
printf '%s\0' "$PWD" "$CUDA_VISIBLE_DEVICES" "$@" > "${0%/*}/saying" && mv "${0%/*}/saying" "${0%/*}/said"
[ "$EXIT" ] && exit "$EXIT"
for _ in {1..100}; do sleep 0.1; done
"""
SCONTROL = '#!/bin/sh\necho "$@" >> "${0%/*}/requeued"\n'
SQUEUE = '#!/bin/sh\ncase "$*" in *%V*) echo "$SUBMITTED";; *) echo "$STATE";; esac\n'
# The time it says is $NOW, where that is set.
DATE = f"""#!/bin/sh
case "$*$NOW" in *--date*|"$*") exec {shutil.which("date")} "$@";; esac
exec {shutil.which("date")} --date="$NOW" "$@"
"""


@dataclass(frozen=True)
class Ran:
    exit_code: int
    requeued: str
    folder: str
    gpus: str
    words: list[str]
    errors: str


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    for name, text in {"search": SEARCH, "scontrol": SCONTROL, "squeue": SQUEUE, "date": DATE}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(slurm, "program", lambda: (str(tmp_path / "search"),))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def ran(*jobs: Job, told_to_stop: bool = False, **variables: str) -> Ran:
        for name, value in {"SLURM_JOB_ID": "41", "STATE": "RUNNING", **variables}.items():
            monkeypatch.setenv(name, value)
        process = subprocess.Popen(["bash", "-c", text_of(jobs)], stderr=subprocess.PIPE, text=True)
        said, requeued = tmp_path / "said", tmp_path / "requeued"
        if told_to_stop:
            wait_for(said.is_file)
            process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        assert not errors or "SUBMITTED" in variables
        folder, gpus, *words, _ = (said.read_text() if said.is_file() else "\0\0").split("\0")
        back = requeued.read_text().strip() if requeued.is_file() else ""
        return Ran(process.returncode, back, folder, gpus, words, errors)

    return ran


def wait_for(state: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not state():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def text_of(jobs: Sequence[Job]) -> str:
    (file,) = slurm.render(jobs)
    return file.text


def options(*jobs: Job) -> dict[str, str]:
    """What sbatch is told."""
    found = re.findall(r"^#SBATCH (.*)$", text_of(jobs), re.MULTILINE)
    pairs = [word.partition("=") for line in found for word in line.split()]
    return {name: value for name, _, value in pairs}


def job(folder: Path, name: str = "nightly", **words: object) -> Job:
    return Job(name, str(folder / "space.yaml"), folder, folder / "mlruns", **words)  # type: ignore[arg-type]


def test_a_search_that_was_told_to_stop_is_waited_for_and_goes_back_into_the_queue(
    tmp_path: Path, run: Callable[..., Ran]
) -> None:
    ran = run(job(tmp_path), told_to_stop=True)
    assert (ran.exit_code, ran.requeued) == (75, "requeue 41")


@pytest.mark.parametrize("code", [0, 1, 2, 4, 99, 137])
def test_a_search_that_has_ended_does_not_start_again_and_its_exit_code_is_the_job_s(
    tmp_path: Path, run: Callable[..., Ran], code: int
) -> None:
    ran = run(job(tmp_path), EXIT=str(code))
    assert (ran.exit_code, ran.requeued) == (code, "")


def test_of_an_array_only_the_interrupted_element_goes_back_into_the_queue(
    tmp_path: Path, run: Callable[..., Ran]
) -> None:
    jobs = job(tmp_path, "a"), job(tmp_path, "b", workers=3)
    ran = run(*jobs, EXIT="75", SLURM_ARRAY_JOB_ID="41", SLURM_ARRAY_TASK_ID="1")
    assert (ran.exit_code, ran.requeued) == (75, "requeue 41_1")
    assert ran.words == list(jobs[1].words)


def test_a_job_that_somebody_has_cancelled_does_not_come_back(
    tmp_path: Path, run: Callable[..., Ran]
) -> None:
    assert run(job(tmp_path), EXIT="75", STATE="COMPLETING").requeued == ""


def test_a_job_that_gets_nowhere_does_not_start_for_ever(tmp_path: Path, run: Callable[..., Ran]) -> None:
    assert run(job(tmp_path), EXIT="75", SLURM_RESTART_COUNT="99").requeued
    (tmp_path / "requeued").unlink()
    assert not run(job(tmp_path), EXIT="75", SLURM_RESTART_COUNT="100").requeued


def test_words_and_paths_reach_the_search_as_they_are(tmp_path: Path, run: Callable[..., Ran]) -> None:
    folder = tmp_path / """it's "100 %" of $HOME --all; `date` \\ ü #1"""
    folder.mkdir()
    odd = job(folder, until="06:00 tomorrow", tracking_uri="http://a b")
    ran = run(odd, EXIT="0")
    assert ran.words == list(odd.words)
    assert ran.folder == str(folder)


def test_at_its_times_a_search_that_somebody_runs_by_hand_is_left_alone() -> None:
    at_night = Job("a", "digits", Path("/w"), Path("/w/mlruns"), at="0 2 * * *")
    assert "    --if-locked skip\n" in text_of([at_night])
    assert "--if-locked" not in text_of([NIGHTLY])


def test_a_search_sees_only_the_gpus_that_slurm_has_given_it(tmp_path: Path, run: Callable[..., Ran]) -> None:
    assert run(job(tmp_path), EXIT="0").gpus == ""
    assert run(job(tmp_path), EXIT="0", CUDA_VISIBLE_DEVICES="2").gpus == "2"


def test_a_folder_that_is_gone_ends_the_job_as_refused(tmp_path: Path) -> None:
    done = subprocess.run(["bash", "-c", text_of([job(tmp_path / "gone")])], capture_output=True)
    assert done.returncode == 2


def test_the_job_asks_for_what_the_search_was_given() -> None:
    asked = options(NIGHTLY)
    assert asked["--gres"] == "gpu:1"
    assert asked["--time"] == "6:15:00"
    assert asked["--cpus-per-task"] == "2"
    assert asked["--output"] == "/spaces/%x-%j.log"


def test_a_job_without_hours_or_gpus_asks_for_neither() -> None:
    asked = options(Job("plain", "digits", Path("/w"), Path("/w/mlruns"), workers=4))
    assert not {"--gres", "--time"} & set(asked)
    assert (asked["--cpus-per-task"], asked["--mem"]) == ("5", "10G")


def test_the_job_is_told_in_time_and_may_start_again_with_one_log() -> None:
    asked = options(NIGHTLY)
    assert asked["--signal"] == "B:TERM@60"
    assert "--requeue" in asked
    assert asked["--open-mode"] == "append"


def test_after_the_time_of_until_a_search_does_not_start_again(
    tmp_path: Path, run: Callable[..., Ran]
) -> None:
    early = job(tmp_path, until="06:00")
    assert not run(early, EXIT="75").requeued
    assert "--no-requeue" in options(early)


def test_an_element_of_an_array_with_until_trains_nothing_when_slurm_has_started_it_again(
    tmp_path: Path, run: Callable[..., Ran]
) -> None:
    early = job(tmp_path, until="06:00")
    again = run(early, SLURM_RESTART_COUNT="1")
    assert (again.exit_code, again.words) == (0, [])


# A start at 22:00 UTC, when it got its node, and whether that was before the time of --until.
@pytest.mark.parametrize(
    ("until", "now", "is_in_time"),
    [
        ("06:00", "2026-11-23T05:58:00Z", True),
        ("06:00", "2026-11-23T05:59:30Z", False),
        ("06:00", "2026-11-23T07:00:00Z", False),
        ("06:00", "2026-11-24T23:00:00Z", False),
        ("22:00", "2026-11-23T21:58:00Z", True),
        ("00:00", "2026-11-22T23:58:00Z", True),
        ("06:00 Europe/Berlin", "2026-11-23T04:58:00Z", True),
        ("06:00 Europe/Berlin", "2026-11-23T05:01:00Z", False),
        ("06:00-02:30", "2026-11-23T08:28:00Z", True),
        ("06:00-02:30", "2026-11-23T08:31:00Z", False),
    ],
)
def test_a_job_that_has_waited_past_the_time_of_until_is_left_to_the_next_start(
    tmp_path: Path, run: Callable[..., Ran], until: str, now: str, is_in_time: bool
) -> None:
    nightly = job(tmp_path, at="0 22 * * *", until=until)
    ran = run(nightly, EXIT="0", TZ="UTC", SUBMITTED="2026-11-22T22:00:00", NOW=now)
    assert (ran.exit_code, bool(ran.words)) == (0, is_in_time)
    if not is_in_time:
        assert json.loads(ran.errors)["message"] == f"too late for --until {until}: left to the next start"


def test_where_slurm_does_not_say_when_a_job_was_submitted_the_search_begins(
    tmp_path: Path, run: Callable[..., Ran]
) -> None:
    ran = run(job(tmp_path, at="0 22 * * *", until="06:00"), EXIT="0", SUBMITTED="")
    assert ran.words
    assert "unknown" in ran.errors


def test_an_array_has_an_element_for_each_search_and_asks_for_what_the_largest_needs() -> None:
    jobs = NIGHTLY, Job("b", "digits", Path("/w"), Path("/w/mlruns"), hours=1.01, gpus=2, workers=8)
    asked = options(*jobs)
    assert (asked["--array"], asked["--gres"], asked["--cpus-per-task"]) == ("0-1", "gpu:2", "9")
    assert asked["--time"] == "6:15:00"
    assert "--time" not in options(*jobs, Job("c", "digits", Path("/w"), Path("/w/mlruns")))


def test_sbatch_reads_every_option() -> None:
    """It looks for none below the first command."""
    lines = text_of([NIGHTLY]).splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("#SBATCH"))
    assert all(line.startswith("#") for line in lines[:last])


def test_each_time_has_its_line_for_slurm_s_crontab() -> None:
    def at(name: str, when: str) -> Job:
        return Job(name, "digits", Path("/w"), Path("/w/mlruns"), at=when)

    def lines(*jobs: Job) -> list[str]:
        return re.findall(r"^#   (\d.*)$", text_of(jobs), re.MULTILINE)

    assert lines(at("a", "0 2 * * *")) == [
        '0 2 * * * [ "$(squeue --me --noheader --name=a)" ] || sbatch /path/to/a.sbatch'
    ]
    assert lines(at("a", "0 2 * * *"), at("b", "0 4 * * *"), at("c", "0 2 * * *")) == [
        '0 2 * * * [ "$(squeue --me --noheader --name=a+1)" ] || '
        "sbatch --job-name=a+1 --array=0,2 /path/to/a+2.sbatch",
        '0 4 * * * [ "$(squeue --me --noheader --name=b)" ] || '
        "sbatch --job-name=b --array=1 /path/to/a+2.sbatch",
    ]
    assert lines(NIGHTLY) == []


def test_the_page_shows_the_script_as_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "program", lambda: ("/home/you/.venv/bin/archsearch",))
    home = Path("/home/you")
    made = text_of([Job("space", str(home / "space.yaml"), home, home / "mlruns", hours=6, gpus=1)])
    page = (Path(__file__).parents[2] / "docs" / "slurm.md").read_text()
    (shown,) = re.findall(r"^```bash\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown == re.sub(r"^# .*\n", "", made, flags=re.MULTILINE)

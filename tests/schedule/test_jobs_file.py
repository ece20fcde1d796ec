"""``jobs.yaml``: what it may say, and where it is wrong."""

import re
from pathlib import Path
from typing import Any

import pytest

from archsearch.errors import SpaceError
from archsearch.schedule import Job
from archsearch.schedule.jobs_file import JobWords, jobs_document, jobs_of, names_of
from archsearch.space.document import read_document

SPACE = "data: digits\narchitectures: {small: {dense: [8]}}\n"
JOBS = """\
jobs:
  nightly:
    space: spaces/small.yaml
    at: 0 2 * * mon-fri
    hours: 6
    until: "06:00"
    max_gpu_hours: 8
    gpus: 1
    workers: 2
    store: ../searches
    tracking_uri: http://mlflow.example.org
  digits: {space: digits, at: "@daily"}
"""


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there/spaces").mkdir(parents=True)
    Path("there/spaces/small.yaml").write_text(SPACE)


def read(text: str, *, has_both_days: bool = True, **given: Any) -> tuple[Job, ...]:
    path = Path("there/jobs.yaml")
    path.write_text(text)
    document = jobs_document(path)
    assert document is not None
    return jobs_of(document, given, has_both_days=has_both_days)


def faults(text: str, **how: Any) -> list[str]:
    """What is wrong, without the file's name."""
    with pytest.raises(SpaceError) as refusal:
        read(text, **how)
    return [line.removeprefix("there/jobs.yaml:") for line in str(refusal.value).splitlines()]


def test_jobs_are_read_with_paths_that_start_from_the_files_folder(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    assert read(JOBS) == (
        Job(
            name="nightly",
            space=str(folder / "spaces" / "small.yaml"),
            folder=folder,
            store=folder / ".." / "searches",
            at="0 2 * * 1-5",
            hours=6.0,
            until="06:00",
            max_gpu_hours=8.0,
            gpus=1,
            workers=2,
            tracking_uri="http://mlflow.example.org",
        ),
        Job(name="digits", space="digits", folder=folder, store=folder / "mlruns", at="0 0 * * *"),
    )


def test_paths_of_a_job_may_start_from_a_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "there"))
    (job,) = read("jobs: {a: {space: ~/spaces/small.yaml, store: ~/runs}}")
    assert (job.space, job.store) == (str(tmp_path / "there/spaces/small.yaml"), tmp_path / "there/runs")


def test_the_file_has_all_words_of_a_job() -> None:
    assert set(JobWords.model_fields) == set(Job.__dataclass_fields__) - {"name", "folder", "execution"}


def test_a_space_is_no_file_of_jobs() -> None:
    assert jobs_document(Path("there/spaces/small.yaml")) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jobs: {}", "1:1: jobs: no job is in it"),
        ("jobs:", "1:1: jobs: is empty"),
        ("jobs: {a: {space: digits}, a: {space: digits}}", "1:28: 'a' stands here a second time"),
        ("jobs:\n  a b: {space: digits}", "2:3: jobs.a b: can't be a job's name: letters, digits and '-'"),
        ("jobs:\n  a: {at: '@daily'}", "2:3: jobs.a.space: this word is missing"),
        ("jobs:\n  a: {space: digits, hour: 2}", "2:22: jobs.a.hour: unknown word; did you mean hours?"),
        ("jobs: {a: {space: digits}}\nspace: digits", "2:1: space: unknown word; known here: jobs"),
        ("jobs:\n  a: {space: digits, store: ''}", "2:22: jobs.a.store: is empty: give it a name"),
        ("jobs:\n  a: {space: digits, hours: 0}", "2:22: jobs.a.hours: must be above 0"),
        ("jobs:\n  a: {space: digits, hours: .inf}", "2:22: jobs.a.hours: must be a finite number"),
        (
            "jobs:\n  a: {space: digits, hours: 1.0e+308}",
            "2:22: jobs.a.hours: must be at most 87600",
        ),
        (
            "jobs:\n  a: {space: ~nobody-of-this-name/a.yaml}",
            "2:7: jobs.a.space: ~nobody-of-this-name/a.yaml: no ",
        ),
        (
            "jobs:\n  a: {space: digits, store: ~nobody-of-this-name/runs}",
            "2:22: jobs.a.store: ~nobody-of-this-name/runs: no home folder is known of '~nobody-of-this-name",
        ),
        ("jobs:\n  a: {space: digits, gpus: all}", "2:22: jobs.a.gpus: must be a whole number, not 'all'"),
        ("jobs:\n  a: {space: digits, gpus: -1}", "2:22: jobs.a.gpus: must be at least 0, not -1"),
        (
            "jobs:\n  a: {space: digits, workers: 1.5}",
            "2:22: jobs.a.workers: must be a whole number, not 1.5",
        ),
        ("jobs:\n  a: {space: digits, workers: 999}", "2:22: jobs.a.workers: must be at most 256, not 999"),
        ("jobs:\n  a: {space: digits, until: six}", "2:22: jobs.a.until: 'six': not a time; meant is a time"),
        ("jobs:\n  a: {space: digits, until: 2020-01-01 06:00}", "2:22: jobs.a.until: '2020-01-01 06:00': "),
        (
            "jobs:\n  a: {space: digits, until: 0600}",
            '2:22: jobs.a.until: YAML reads a number here, 600; write the time in quotes, such as "06:00"',
        ),
        ("jobs:\n  a: {space: digits, until: 6.30}", "2:22: jobs.a.until: YAML reads a number here, 6.3; "),
        ("jobs:\n  a: {space: digits, until: true}", "2:22: jobs.a.until: must be text, not true"),
        (
            "jobs:\n  a: {space: digits, min_free_gpu_memory: 8 parsecs}",
            "2:22: jobs.a.min_free_gpu_memory: '8 parsecs': no amount of memory; meant is a number above 0",
        ),
        (
            "jobs:\n  a: {space: digits, at: 0 25 * * *}",
            "2:22: jobs.a.at: '0 25 * * *': hour: '25' is none; it takes 0 to 23",
        ),
        ("jobs:\n  a: {space: digits, at: 2}", "2:22: jobs.a.at: must be text, not 2"),
        ("jobs: [{space: digits}]", "1:1: jobs: must be a mapping of words, not a list"),
        ("jobs:\n  a: {space: spaces}", "2:7: jobs.a.space: a folder, no space: "),
        ("jobs:\n  a: {space: digits, store: spaces/small.yaml}", "2:22: jobs.a.store: a file, no folder: "),
        (
            "jobs:\n  a: {space: digits, at: 0 6 * * *, until: '6:00'}",
            "2:37: jobs.a.until: '6:00': the job starts at that time, so each start would run up to 24 h",
        ),
        ("jobs:\n  a: {space: digit}", "2:7: jobs.a.space: no such file, nor a bundled space"),
        (
            "jobs:\n  a:\n    at: */5 * * * *",
            "3:10: a text that begins with a character such as * or @ stands in quotes",
        ),
        (
            "jobs:\n  a:\n    at: @daily",
            "3:9: a text that begins with a character such as * or @ stands in quotes",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(SpaceError) as refusal:
        read(text)
    assert f"there/jobs.yaml:{message}" in str(refusal.value)


def test_every_fault_is_told() -> None:
    with pytest.raises(SpaceError) as refusal:
        read("jobs:\n  a: {space: digits, hours: x}\n  b: {space: digits, at: x}")
    assert len(str(refusal.value).splitlines()) == 2


def test_bounds_that_can_not_be_are_told_with_all_other_faults() -> None:
    with pytest.raises(SpaceError) as refusal:
        read(
            "jobs:\n  a: {space: digits, until: 2020-01-01 06:00}\n  b: {space: digits, until: 06:00 Mars}\n"
            "  c: {space: digits, workers: 999}\n  d: {space: digits, hours: x}"
        )
    lines = str(refusal.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"there/jobs.yaml:{n}:22" for n in (2, 3, 4, 5)]
    assert " is past, it is " in lines[0]
    assert "--until" not in str(refusal.value)


def test_words_of_each_kind_that_can_not_be_are_told_at_once() -> None:
    told = faults(
        "jobs:\n  a:\n    space: digits\n    max_gpu_hours: -1\n    until: 7am\n"
        "    min_free_gpu_memory: 8QB\n    store: spaces/small.yaml\n"
    )
    assert [fault.split(": ")[1] for fault in told] == [
        f"jobs.a.{word}" for word in ("max_gpu_hours", "until", "min_free_gpu_memory", "store")
    ]


def test_spaces_that_are_missing_are_told_with_all_other_faults_from_top_to_bottom() -> None:
    told = faults(
        "jobs:\n  a: {space: gone.yaml, hours: x}\n  b: {space: digits, at: x}\n  c: {space: lost.yaml}\n"
    )
    assert [fault.split(":", 3)[:3] for fault in told] == [
        ["2", "7", " jobs.a.space"], ["2", "25", " jobs.a.hours"],
        ["3", "22", " jobs.b.at"], ["4", "7", " jobs.c.space"],
    ]  # fmt: skip


DATED = "jobs:\n  a: {space: digits, %suntil: '2999-12-01T06:00 Europe/Berlin'}"


def test_a_job_that_starts_again_and_again_can_not_end_on_one_day() -> None:
    message = (
        "jobs.a.until: '2999-12-01T06:00 Europe/Berlin': this is one day, and the job starts again and "
        "again: after that day it would always be refused; leave out the date: '06:00 Europe/Berlin'"
    )
    assert faults(DATED % "at: 0 2 * * *, ") == [f"2:37: {message}"]
    assert faults(DATED % "", at="0 2 * * *") == [f"2:22: {message}"]
    assert [fault.split(": ")[1] for fault in faults(DATED % "at: x, ")] == ["jobs.a.at", "jobs.a.until"]


def test_a_job_that_starts_once_can_end_on_one_day() -> None:
    (job,) = read(DATED % "")
    assert job.until == "2999-12-01T06:00 Europe/Berlin"


def test_what_is_said_beside_a_file_stands_over_it() -> None:
    (job,) = read(DATED % "at: 0 2 * * *, ", until="06:00", hours=3.0)
    assert (job.at, job.until, job.hours) == ("0 2 * * *", "06:00", 3.0)


def test_days_that_a_scheduler_reads_differently_are_refused_with_their_place() -> None:
    text = "jobs:\n  a: {space: digits, at: 0 2 */2 * 1}"
    assert read(text)[0].at == "0 2 */2 * 1"
    (fault,) = faults(text, has_both_days=False)
    assert fault.startswith(
        "2:22: jobs.a.at: '0 2 */2 * 1': day of month: '*/2' beside day of week '1': cron "
    )
    assert read(text, has_both_days=False, at="0 2 * * *")[0].at == "0 2 * * *"


def test_jobs_whose_time_is_over_are_known_by_their_names_still() -> None:
    path = Path("there/jobs.yaml")
    path.write_text("jobs:\n  a: {space: gone.yaml}\n  b: {space: digits, until: 2020-01-01 06:00}\n")
    document = jobs_document(path)
    assert document is not None
    assert names_of(document) == ("a", "b")


@pytest.mark.parametrize(("text", "found"), [("", "an empty file"), ("- a: {space: digits}", "a list")])
def test_a_file_that_is_no_mapping_is_told_what_a_file_of_jobs_is(text: str, found: str) -> None:
    with pytest.raises(SpaceError) as refusal:
        read(text)
    assert str(refusal.value) == (
        "there/jobs.yaml:1:1: a file of jobs is a mapping with the word 'jobs:', a search space one of words "
        f"such as 'data:', not {found}"
    )


def test_a_file_that_is_no_text_is_told() -> None:
    path = Path("jobs.yaml")
    path.write_bytes(b"jobs: \xff")
    with pytest.raises(SpaceError, match="not a text file in UTF-8"):
        jobs_document(path)


def test_the_example_of_the_page_says_every_word() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scheduling.md").read_text()
    (example,) = re.findall(r"^```yml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    Path("there/spaces/photos.yaml").touch()
    assert len(read(example)) == 2
    jobs = read_document("page", example).value["jobs"]
    assert {word for job in jobs.values() for word in job} == set(JobWords.model_fields)

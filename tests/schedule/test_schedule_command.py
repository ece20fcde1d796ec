"""``archsearch schedule``: what it prints, puts in place, takes away and refuses."""

import re
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archsearch.cli import main

SPACE = "name: {name}\ndata: digits\narchitectures: {{small: {{dense: [8]}}}}\n"
NIGHTLY = ("--at", "0 2 * * *")


def schedule(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["schedule", *map(str, words)], prog_name="archsearch")


@pytest.fixture(autouse=True)
def _in_a_folder_with_spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "spaces"
    folder.mkdir()
    monkeypatch.chdir(folder)
    # No crontab and no systemctl, so that none of this machine's is touched.
    monkeypatch.setenv("PATH", str(tmp_path))
    Path("a.yaml").write_text(SPACE.format(name="first"))
    Path("b.yaml").write_text(SPACE.format(name="2nd_one.v2"))
    Path("jobs.yaml").write_text(
        "jobs:\n  early: {space: a.yaml, at: 0 1 * * *}\n"
        "  late: {space: b.yaml, at: 0 4 * * *, store: /data}\n"
    )


def test_a_space_is_printed_as_a_job_with_absolute_paths(tmp_path: Path) -> None:
    done = schedule("cron", "a.yaml", *NIGHTLY, "--hours", "6", "--gpus", "1")
    assert done.exit_code == 0, done.output
    folder = tmp_path / "spaces"
    (line,) = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    assert line.startswith(f"0 2 * * * cd {folder} && ")
    assert f" run {folder}/a.yaml --store {folder}/mlruns --hours 6 --gpus 1 --tracking later " in line


def test_bundled_spaces_are_jobs_too() -> None:
    done = schedule("cron", "digits", *NIGHTLY, "--store", "searches")
    assert " run digits --store " in done.stdout
    assert f"{Path.cwd()}/searches/logs/digits.log" in done.stdout


def test_several_spaces_and_files_of_jobs_are_printed_together() -> None:
    done = schedule("systemd", "jobs.yaml", "digits", "b.yaml", *NIGHTLY)
    assert done.exit_code == 0, done.output
    names = [line.removeprefix("# ---- ") for line in done.stdout.splitlines() if line.startswith("# ---- ")]
    jobs = ("early", "late", "digits", "2nd-one-v2")
    assert names == [f"archsearch-{job}.{ending}" for job in jobs for ending in ("service", "timer")]


def test_a_job_can_spare_gpus_that_somebody_uses() -> None:
    Path("polite.yaml").write_text(
        "jobs: {polite: {space: a.yaml, at: 0 1 * * *, min_free_gpu_memory: 8GB}}\n"
    )
    for words in (("a.yaml", *NIGHTLY, "--min-free-gpu-memory", "8GB"), ("polite.yaml",)):
        assert " --min-free-gpu-memory 8GB " in schedule("cron", *words).stdout
    refused = schedule("cron", "a.yaml", *NIGHTLY, "--min-free-gpu-memory", "some")
    assert refused.exit_code == 2
    assert "--min-free-gpu-memory some: no amount of memory" in refused.stderr


def test_options_stand_over_what_a_file_of_jobs_says() -> None:
    done = schedule("cron", "jobs.yaml", "--hours", "3", "--at", "@hourly")
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("#")]
    assert len(lines) == 2
    assert all(line.startswith("0 * * * * ") and " --hours 3 " in line for line in lines)
    assert " --store /data " in lines[1]


@pytest.mark.parametrize("kind", ["cron", "systemd"])
def test_a_time_is_asked_for_and_one_suggested(kind: str) -> None:
    done = schedule(kind, "a.yaml")
    assert done.exit_code == 2
    assert (
        f"job first: {kind} has to know when it starts: --at '0 2 * * *' is every night at two" in done.stderr
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("cron", "a.yaml", "--at", "0 25 * * *"), "--at '0 25 * * *': hour: '25' is none; it takes 0 to 23"),
        (("cron", "a.yaml", "./a.yaml", *NIGHTLY), "./a.yaml is given twice; name it once\n"),
        (("cron", "a.yaml", "--at", ""), "--at '': it is empty; a cron expression has five: minute, hour"),
        (("cron", "a.yaml", "--at", "0 2 * *"), "--at '0 2 * *': these are 4 fields; a cron expression"),
        (("cron", "a.yaml", *NIGHTLY, "--until", ""), "job first: --until '': not a time; meant is a time"),
        (
            ("cron", "a.yaml", *NIGHTLY, "--until", "2:00"),
            "job first: --until '2:00': the job starts at that time, so each start would run up to 24 h",
        ),
        (("cron", "a.yaml", *NIGHTLY, "--hours", "nan"), "'--hours': give a number of hours above 0"),
        (
            ("cron", "a.yaml", *NIGHTLY, "--workers", "999"),
            "job first: --workers: must be at most 256",
        ),
        (("cron", "a.yaml", *NIGHTLY, "--until", "six"), "job first: --until 'six': not a time"),
        (("cron", "a.yaml", *NIGHTLY, "--until", "2020-01-01 06:00"), "is past"),
        (("cron", "a.yaml", *NIGHTLY, "--until", "06:00 Europe/Berlinn"), "did you mean Europe/Berlin?"),
        (("cron", "c.yaml", *NIGHTLY), "c.yaml: no such file"),
        (("cron", "a.yaml", *NIGHTLY, "--install"), "crontab can't be started"),
        (("systemd", "a.yaml", *NIGHTLY, "--install"), "systemctl can't be started"),
        (("cron", "a.yaml", *NIGHTLY, "--remove"), "crontab can't be started"),
        (("cron", "a.yaml", *NIGHTLY, "--image", "x"), "--image is for kubernetes"),
        (("cron", "a.yaml", *NIGHTLY, "--install", "--remove"), "give one of them"),
        (("kubernetes", "a.yaml", *NIGHTLY), "kubernetes needs --image"),
        (("slurm", "a.yaml", "--install"), " > first.sbatch && sbatch first.sbatch"),
        (("kubernetes", "a.yaml", "--image", "x", "--install"), "&& kubectl apply -f archsearch.yaml"),
        (("slurm", "a.yaml", "--remove"), "scancel --name=first"),
        (("kubernetes", "a.yaml", "--remove"), "kubectl delete cronjob first"),
        (("at", "a.yaml"), "Invalid value for 'KIND': 'at' is none of cron, systemd, slurm, kubernetes.\n"),
        (("airflow", "a.yaml"), "none of cron, systemd, slurm, kubernetes. docs/airflow.md in archsearch's"),
        (("GitHub", "a.yaml"), "none of cron, systemd, slurm, kubernetes. docs/github-actions.md in "),
        (("jenkins", "a.yaml"), "none of cron, systemd, slurm, kubernetes. docs/github-actions.md in "),
        (
            ("cron", "a.yaml", *NIGHTLY, "--until", "2999-12-01T06:00"),
            "job first: --until '2999-12-01T06:00': this is one day, and the job starts again and again",
        ),
        (("slurm", "a.yaml", *NIGHTLY, "--until", "2999-12-01 06:00"), "leave out the date: '06:00'"),
        (("cron", "jobs.yaml", "--until", "2999-12-01 06:00"), "job early: --until '2999-12-01 06:00': "),
        (("slurm", "a.yaml", "--at", "0 2 */2 * 1"), "--at '0 2 */2 * 1': day of month: '*/2' beside day of"),
        (
            ("kubernetes", "a.yaml", "--at", "0 2 13 * */2", "--image", "x"),
            "--at '0 2 13 * */2': day of week: '*/2' beside day of month '13'",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(words: tuple[str, ...], message: str) -> None:
    done = schedule(*words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_a_space_that_is_not_valid_is_refused_now_with_its_place() -> None:
    Path("a.yaml").write_text(SPACE.format(name="first").replace("dense", "dence"))
    done = schedule("cron", "a.yaml", *NIGHTLY)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "a.yaml:3:" in done.stderr


def test_the_space_of_a_job_is_checked_too() -> None:
    Path("b.yaml").write_text("data: nothing\n")
    done = schedule("cron", "jobs.yaml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "b.yaml:1:1: data: must be " in done.stderr


def test_a_job_goes_away_by_its_space_its_file_or_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crontab = tmp_path / "crontab"
    crontab.write_text(
        f"#!/bin/sh\ncase $1 in -l) exec cat {tmp_path}/table;; *) exec cat > {tmp_path}/table;; esac\n"
    )
    crontab.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    own = "0 0 * * * mine\n"
    (tmp_path / "table").write_text(own)
    placed = schedule("cron", "a.yaml", "b.yaml", "digits", "jobs.yaml", *NIGHTLY, "--install")
    assert placed.exit_code == 0, placed.output
    assert "take away  archsearch schedule cron first --remove" in placed.stdout
    taken = schedule("cron", "a.yaml", "2nd-one-v2", "jobs.yaml", "digits", "--remove")
    assert taken.stdout.splitlines() == [
        f"taken away {name}" for name in ("first", "2nd-one-v2", "early", "late", "digits")
    ]
    assert (tmp_path / "table").read_text() == own
    again = schedule("cron", "a.yaml", "b.yaml", "--remove")
    assert (again.exit_code, again.stdout) == (
        0, "not installed in cron: first, 2nd-one-v2; installed are: none\n",
    )  # fmt: skip


def test_a_bound_of_a_file_of_jobs_is_refused_with_its_place() -> None:
    Path("jobs.yaml").write_text("jobs:\n  late:\n    space: b.yaml\n    until: 2020-01-01 06:00\n")
    done = schedule("cron", "jobs.yaml", *NIGHTLY)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "jobs.yaml:4:5: jobs.late.until: '2020-01-01 06:00': 2020-01-01 06:00 " in done.stderr


def test_a_file_of_jobs_whose_time_is_over_takes_them_away_still() -> None:
    Path("jobs.yaml").write_text("jobs:\n  late: {space: gone.yaml, until: 2020-01-01 06:00}\n")
    assert "scancel --name=late" in schedule("slurm", "jobs.yaml", "--remove").stderr


def test_a_search_that_starts_once_can_end_on_one_day() -> None:
    for kind in (("slurm",), ("kubernetes", "--image", "x")):
        done = schedule(*kind, "a.yaml", "--until", "2999-12-01 06:00")
        assert done.exit_code == 0, done.output
        assert "2999-12-01 06:00" in done.stdout


def test_two_jobs_of_one_name_are_refused() -> None:
    Path("c.yaml").write_text(SPACE.format(name="first"))
    assert "two jobs are called first, one of " in schedule("cron", "a.yaml", "c.yaml", *NIGHTLY).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "0 2 * * *", "--until", "01:30"), "23.5 h (from 02:00 to 01:30 of the next day)"),
        (("--at", "0 1 * * *", "--until", "22:00"), "21 h (from 01:00 to 22:00)"),
        (("--at", "0 2 * * *", "--until", "06:00"), ""),
        (("--at", "0 2 * * *", "--until", "01:30", "--hours", "6"), ""),
        (("--at", "0 6 * * *", "--until", "06:00", "--hours", "6"), ""),
        (("--at", "0 2,14 * * *", "--until", "02:00"), ""),
    ],
)
def test_a_start_that_would_run_for_a_day_is_noted(words: tuple[str, ...], said: str) -> None:
    done = schedule("cron", "a.yaml", *words)
    assert (done.exit_code, done.stdout[:1]) == (0, "#")
    assert done.stderr == (f"archsearch: job first: each start runs up to {said}\n" if said else "")


def test_times_of_two_zones_are_compared_as_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("a.yaml", "--at", "0 6 * * *", "--until", "06:00+02:00")
    long = "archsearch: job first: each start runs up to 22 h (from 06:00 to 06:00+02:00)\n"
    assert schedule("kubernetes", *words, "--image", "x").stderr == long
    monkeypatch.setenv("TZ", "Etc/GMT-2")  # two hours ahead
    time.tzset()
    try:
        same = schedule("cron", *words).stderr
    finally:
        monkeypatch.undo()
        time.tzset()
    assert same == long.replace("22 h", "24 h")


def test_two_jobs_that_are_one_search_are_noted() -> None:
    Path("jobs.yaml").write_text(
        "jobs:\n  early: {space: a.yaml, at: 0 1 * * *}\n  late: {space: a.yaml, at: 0 4 * * *}\n"
        "  again: {space: a.yaml, at: 0 1 * * *, store: ./mlruns/}\n"
    )
    done = schedule("cron", "jobs.yaml")
    assert done.exit_code == 0
    (note,) = done.stderr.splitlines()
    assert note.startswith(
        "archsearch: jobs early and again have the same space, store and time, so they are one search"
    )


@pytest.mark.parametrize(
    ("execution", "flags", "asked"),
    [
        ("workers: 8", (), ("9", "16G", None)),
        ("workers: 8", ("--workers", "2"), ("3", "7G", None)),
        ("workers: 4, memory: 4", (), ("5", "22G", None)),
        ("gpus: 2, workers_per_gpu: 3", (), ("7", "13G", "gpu:2")),
        ("gpus: 2", ("--gpus", "1"), ("2", "5G", "gpu:1")),
        ("gpus: all", (), ("2", "5G", None)),
        ("workers: 0", (), ("2", "5G", None)),
    ],
)
def test_a_cluster_is_asked_for_what_the_space_says_where_no_option_does(
    execution: str, flags: tuple[str, ...], asked: tuple[str, str, str | None]
) -> None:
    Path("a.yaml").write_text(SPACE.format(name="first") + f"execution: {{{execution}}}\n")
    cores, memory, gpus = asked
    script = schedule("slurm", "a.yaml", *flags).stdout
    assert f"--cpus-per-task={cores}\n#SBATCH --mem={memory}\n" in script
    assert re.findall(r"^#SBATCH --gres=(.*)$", script, re.MULTILINE) == ([gpus] if gpus else [])
    Path("one.yaml").write_text("jobs: {one: {space: a.yaml}}\n")
    document = schedule("kubernetes", "one.yaml", *flags, "--image", "x").stdout
    assert f"  cpu: {cores}\n" in document
    assert f"  memory: {memory}i\n" in document
    assert ("tolerations:" in document) == (gpus is not None)


def test_what_is_wrong_with_several_spaces_of_a_file_is_said_at_once() -> None:
    Path("a.yaml").write_text("data: nothing\n")
    Path("b.yaml").write_text(SPACE.format(name="second").replace("dense", "dence"))
    done = schedule("cron", "jobs.yaml")
    assert (done.exit_code, done.stdout) == (2, "")
    first, second = (line for line in done.stderr.splitlines() if re.match(r"\S+\.yaml:\d", line))
    assert re.match(r"\S*a\.yaml:1:1: data: must be ", first)
    assert re.match(r"\S*b\.yaml:3:", second)


def test_the_help_says_what_each_exit_code_means() -> None:
    codes = schedule("--help").stdout.split("Exit codes:")[1]
    assert [line.split()[0] for line in codes.strip().splitlines()] == ["0", "2", "75"]


@pytest.mark.parametrize("kind", ["cron", "systemd", "slurm", "kubernetes"])
def test_the_help_has_an_example_of_each_kind(kind: str) -> None:
    assert f"  archsearch schedule {kind} " in schedule("--help").stdout


def test_spaces_are_completed() -> None:
    from click.shell_completion import ShellComplete

    completed = ShellComplete(main, {}, "archsearch", "_X").get_completions(["schedule", "cron"], "dig")
    assert "digits" in [item.value for item in completed]


def test_a_file_of_jobs_is_no_space_and_told_so() -> None:
    done = CliRunner().invoke(main, ["check", "jobs.yaml"])
    assert done.exit_code == 2
    assert done.stderr == "archsearch: jobs.yaml: a file of jobs, no space; archsearch schedule takes it\n"

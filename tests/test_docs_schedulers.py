"""The pages for cron, Airflow and GitHub Actions: their examples parse, and say what archsearch knows."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from archsearch.cli import main
from archsearch.schedule.jobs_file import jobs_document, jobs_of

DOCS = Path(__file__).parent.parent / "docs"
FENCE = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
FIVE_FIELDS = re.compile(r"(?:[\d*,/-]+ ){5}(?P<command>.+)")


def examples(page: str, kind: str) -> list[str]:
    found = FENCE.finditer((DOCS / page).read_text(encoding="utf-8"))
    return [example["text"] for example in found if example["kind"] == kind]


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """Of a workflow's jobs, or of a part of one."""
    jobs = workflow.get("jobs", {"part": workflow})
    return [step for job in jobs.values() for step in job["steps"]]


def shell_lines() -> Iterator[Any]:
    """What the examples give to a shell, with the page where it stands."""
    for text in examples("airflow.md", "python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.keyword) and node.arg == "bash_command":
                yield pytest.param(ast.literal_eval(node.value), id="airflow.md")
    for text in examples("github-actions.md", "yml"):
        for step in steps(yaml.safe_load(text)):
            if "run" in step:
                yield pytest.param(step["run"], id="github-actions.md")
    for text in examples("nightly.md", "crontab"):
        for line in text.splitlines():
            if found := FIVE_FIELDS.fullmatch(line):
                yield pytest.param(found["command"], id="nightly.md")


@pytest.mark.parametrize("line", list(shell_lines()))
def test_what_an_example_starts_is_understood(line: str) -> None:
    words = shlex.split(line.replace("\\\n", ""))
    words = words[words[0] == "exec" :]
    assert Path(words[0]).name == "archsearch"
    end = next((place for place, word in enumerate(words) if re.match(r"[|>&]", word)), len(words))
    context = main.make_context("archsearch", words[1:end])
    name, command, rest = main.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None
    command.make_context(name, rest, parent=context)


def test_every_page_has_such_examples() -> None:
    assert {line.id for line in shell_lines()} == {"airflow.md", "github-actions.md", "nightly.md"}


def test_the_workflow_gives_a_search_more_time_than_its_hours() -> None:
    workflow = yaml.safe_load(examples("github-actions.md", "yml")[0])
    (job,) = workflow["jobs"].values()
    (hours,) = re.findall(r"--hours (\d+)", str(job["steps"]))
    assert job["timeout-minutes"] > int(hours) * 60


def test_the_workflow_says_when_and_where_it_runs() -> None:
    workflow = yaml.safe_load(examples("github-actions.md", "yml")[0])
    (start,) = workflow[True]["schedule"]  # "on" is a truth value to YAML 1.1
    assert FIVE_FIELDS.fullmatch(f"{start['cron']} true")
    assert workflow["concurrency"] == {"group": "nightly-search", "cancel-in-progress": False}
    assert "self-hosted" in workflow["jobs"]["search"]["runs-on"]


def test_the_file_of_jobs_is_one(tmp_path: Path) -> None:
    (text,) = examples("nightly.md", "yml")
    (tmp_path / "jobs.yaml").write_text(text)
    for name in yaml.safe_load(text)["jobs"]:
        space = tmp_path / "spaces" / f"{name}.yaml"
        space.parent.mkdir(exist_ok=True)
        space.write_text("")
    document = jobs_document(tmp_path / "jobs.yaml")
    assert document
    assert [job.store for job in jobs_of(document)] == [tmp_path / "searches"] * 2

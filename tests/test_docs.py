"""The documentation is true: its links, spaces, commands, options, exit codes, verdicts, rules and words."""

import ast
import contextlib
import dataclasses
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from pydantic import BaseModel
from real_command import environment

from archsearch.cli import main
from archsearch.commands.spaces import read_space
from archsearch.diagnosis import PRECEDENCE, REMARKS, Verdict
from archsearch.errors import DataError, ExitCode
from archsearch.ranking import COLUMNS
from archsearch.records import Status
from archsearch.space import SearchSpace
from archsearch.space.document import read_document
from archsearch.study import Outcome

TREE = Path(__file__).parent.parent
DOCS = TREE / "docs"
PAGES = [TREE / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")] + sorted(DOCS.glob("*.md"))
TEXTS = {str(path.relative_to(TREE)): path.read_text(encoding="utf-8") for path in PAGES}

FENCE = re.compile(
    r"^(?P<mark><!-- tested -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"!?\[[^]]*\]\((?P<target>[^)\s]+)\)")
LARGEST_PICTURE = 400_000

RULES = [rule for rule, _ in PRECEDENCE] + list(REMARKS)


def blocks(kind: str, *, tested: bool = False) -> list[Any]:
    """The code blocks of a kind, each with the page and line where it stands."""
    return [
        pytest.param(found["text"], id=f"{name}:{text.count(chr(10), 0, found.start()) + 1}")
        for name, text in TEXTS.items()
        for found in FENCE.finditer(text)
        if found["kind"] == kind and (found["mark"] or not tested)
    ]


def command_lines() -> list[Any]:
    """Every ``archsearch …`` that the pages tell a reader to type."""
    lines = []
    for kind in ("sh", "console"):
        for block in blocks(kind):
            for line in block.values[0].splitlines():
                typed = line.removeprefix("$ ") if kind == "console" else line
                if kind == "console" and typed == line:
                    continue  # what the command printed
                words = shlex.split(typed, comments=True)
                while words and re.match(r"[A-Z_]+=", words[0]):
                    words = words[1:]
                if words and words[0] == "archsearch":
                    end = next((n for n, word in enumerate(words) if word in ("|", ">", "&&")), len(words))
                    lines.append(pytest.param(words[1:end], id=" ".join(words[:end])))
    return lines


def words_of(model: type[BaseModel], seen: set[type] | None = None) -> Iterator[tuple[str, str]]:
    """Every word of a part of the space language and of the parts in it, with the part's name."""
    seen = set() if seen is None else seen
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        yield model.__name__, name
        for part in models_in(field.annotation, field.metadata):
            yield from words_of(part, seen)


def models_in(annotation: Any, metadata: Any = ()) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in (*get_args(annotation), *metadata):
        yield from models_in(part)


def options_of(command: click.Command) -> Iterator[str]:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield from (option for option in parameter.opts if option.startswith("--"))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def first_column(text: str) -> list[str]:
    return [line.split("|")[1].strip().strip("`") for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_and_picture_of_a_page_exists(name: str) -> None:
    here = TREE / name
    for found in LINK.finditer(FENCE.sub("", TEXTS[name])):
        address, _, anchor = found["target"].partition("#")
        if address.startswith(("http://", "https://")):
            continue
        target = (here.parent / address).resolve() if address else here
        assert target.exists(), f"{name} links to {found['target']}"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{name}: {found['target']}"


def test_the_readme_leads_to_every_page() -> None:
    targets = {found["target"].partition("#")[0] for found in LINK.finditer(TEXTS["README.md"])}
    assert {name for name in TEXTS if name != "README.md"} <= targets


def test_pictures_are_small() -> None:
    pictures = sorted((DOCS / "images").iterdir())
    assert pictures
    assert not [picture.name for picture in pictures if picture.stat().st_size > LARGEST_PICTURE]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_space_and_fragment_of_a_space_is_valid(text: str, tmp_path: Path) -> None:
    document = read_document("documentation", text)
    assert set(document.value) <= set(SearchSpace.model_fields), "no word of the top level"
    if "data" not in document.value:
        text += "\ndata: digits\n"
    if not {"families", "architectures"} & set(document.value):
        text += "\narchitectures: {any: {dense: [8]}}\n"
    path = tmp_path / "space.yaml"
    path.write_text(text, encoding="utf-8")
    with contextlib.suppress(DataError):  # the reader's own files, which are not here
        read_space(path)


@pytest.mark.parametrize("words", command_lines())
def test_every_command_line_is_understood(words: list[str]) -> None:
    with contextlib.suppress(click.exceptions.Exit):  # --help and --version end at once
        context = main.make_context("archsearch", list(words))
        name, command, rest = main.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        command.make_context(name, rest, parent=context)


def test_command_lines_are_found() -> None:
    assert {line.values[0][0] for line in command_lines()} >= {"run", "check", "report", "list", "ui"}


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_with_its_options_is_described(name: str) -> None:
    text = TEXTS["docs/running.md"]
    assert f"`archsearch {name}" in text
    missing = [option for option in options_of(main.commands[name]) if not re.search(rf"`{option}\b", text)]
    assert not missing


def test_every_exit_code_is_in_the_readme() -> None:
    table = TEXTS["README.md"].split("## Exit codes")[1].split("\n## ")[0]
    assert first_column(table)[2:] == [str(int(code)) for code in ExitCode]


def test_every_status_is_described() -> None:
    text = TEXTS["docs/running.md"]
    for status in [*Outcome, *(status for status in Status if status.has_ended)]:
        assert f"| `{status}` |" in text


def test_the_json_example_has_the_words_of_the_real_object() -> None:
    (example,) = blocks("json")
    value = json.loads(example.values[0])
    source = (TREE / "archsearch" / "commands" / "result.py").read_text()
    real = set(re.findall(r'^ +"(\w+)":', source, re.MULTILINE))
    shown = {*value, *value["trials"], *value["best"], *value["ranking"][0]}
    assert shown == real


def test_every_verdict_rule_and_flag_is_described() -> None:
    text = TEXTS["docs/verdicts.md"]
    sources = (TREE / "archsearch" / "diagnosis").rglob("*.py")
    codes = {code for path in sources for code in re.findall(r'"(AS\d{3})"', path.read_text())}
    assert len(codes) >= len(RULES)
    assert not [code for code in sorted(codes) if code not in text]
    listed = first_column(text)
    assert not [verdict for verdict in Verdict if verdict not in listed]
    assert not [rule.flag for rule in RULES if rule.flag and rule.flag not in listed]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_threshold_is_described_with_its_value(rule: Any) -> None:
    rows = re.findall(rf"^\| {rule.code} \| `(\w+)` \| ([\d.]+) \|", TEXTS["docs/verdicts.md"], re.MULTILINE)
    real = {
        field.name: float(getattr(rule, field.name))
        for field in dataclasses.fields(rule)
        if isinstance(getattr(rule, field.name), int | float)
    }
    assert {name: float(value) for name, value in rows} == pytest.approx(real, rel=2e-3)


def test_every_word_of_the_space_language_is_described() -> None:
    text = TEXTS["docs/space-language.md"]
    words = list(words_of(SearchSpace))
    assert ("DropoutByDirection", "falling") in words
    assert ("ConvBlockWords", "pooling") in words
    assert not [(part, word) for part, word in words if not re.search(rf"`([a-z_]+\.)*{word}`", text)]


def test_the_columns_of_the_ranking_are_described() -> None:
    assert not [column for column in COLUMNS if f"`{column}`" not in TEXTS["docs/python.md"]]


@pytest.mark.parametrize("text", blocks("python"))
def test_every_python_example_is_python(text: str) -> None:
    ast.parse(text)


@pytest.mark.slow
@pytest.mark.parametrize("text", blocks("python", tested=True))
def test_the_tested_python_examples_run(text: str, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(text, encoding="utf-8")
    words = [sys.executable, "example.py"]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("finished\n")
    assert done.stdout.rstrip().endswith(".keras")

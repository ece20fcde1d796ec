"""`archsearch spaces`, `archsearch schema`, and what a shell completes."""

import json
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from archsearch.cli import main
from archsearch.resources import bundled_spaces


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), prog_name="archsearch")


def test_every_bundled_space_is_listed_with_what_it_is_for() -> None:
    lines = invoke("spaces").stdout.splitlines()
    assert len(lines) == len(bundled_spaces())
    for line, (name, path) in zip(lines, bundled_spaces().items(), strict=True):
        listed, purpose = line.split(maxsplit=1)
        assert listed == name
        assert path.read_text().startswith(f"# {purpose}\n")


@pytest.mark.parametrize("name", bundled_spaces())
def test_a_bundled_space_is_printed_as_it_is(name: str) -> None:
    result = invoke("spaces", name)
    assert result.exit_code == 0
    assert result.stdout == bundled_spaces()[name].read_text()


@pytest.mark.parametrize("words", [("spaces", "digts"), ("check", "digts"), ("run", "digts")])
def test_a_misspelt_name_is_refused_with_the_one_that_was_meant(words: tuple[str, ...]) -> None:
    result = invoke(*words)
    assert result.exit_code == 2
    assert "did you mean digits?" in result.stderr


@given(st.text(alphabet="abcxyz /.", max_size=8))
def test_no_name_makes_a_traceback(name: str) -> None:
    assert invoke("spaces", "--", name).exit_code in (0, 2)


def test_the_schema_is_json_and_knows_every_top_level_word() -> None:
    result = invoke("schema")
    assert result.exit_code == 0
    assert {"data", "families", "architectures", "training", "search", "constraints"} <= set(
        json.loads(result.stdout)["properties"]
    )


@pytest.mark.parametrize("command", ["spaces", "check", "run"])
def test_a_shell_completes_the_names_of_bundled_spaces(command: str) -> None:
    completed = ShellComplete(main, {}, "archsearch", "_X").get_completions([command], "dig")
    assert "digits" in [item.value for item in completed]


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_says_in_its_help_how_it_is_used(command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    examples = result.stdout.split("Examples:")
    assert len(examples) == 2, "no examples"
    assert f"archsearch {command}" in examples[1]


def test_a_check_of_a_bundled_space_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("check", "digits").exit_code == 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_template_says_that_it_is_one_to_copy(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke(command, "image_folder")
    assert result.exit_code == 2
    assert result.stderr == (
        "image_folder: a template, to be copied and changed: archsearch spaces image_folder > my_space.yaml\n"
    )

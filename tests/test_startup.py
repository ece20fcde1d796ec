"""What is quick stays quick: no command loads what it does not need."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from real_command import Searched

HEAVY = {"tensorflow", "keras", "mlflow", "torch", "jax"}


def loaded_by(code: str, cwd: Path) -> set[str]:
    """The top-level modules that a fresh Python has after running `code`."""
    tail = "import sys; print('\\n'.join({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", f"{code}\n{tail}"], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines())


def command_code(*words: str) -> str:
    return (
        f"from archsearch.cli import main\ntry: main({list(words)!r}, prog_name='archsearch')\n"
        "except SystemExit as end: assert not end.code, end.code"
    )


def test_importing_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    loaded = loaded_by("import archsearch", tmp_path)
    assert not loaded & (HEAVY | {"numpy", "pandas", "optuna", "pydantic", "click", "rich"})


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("--version",)])
def test_help_loads_nothing_but_the_command_line(words: tuple[str, ...], tmp_path: Path) -> None:
    loaded = loaded_by(command_code(*words), tmp_path)
    assert not loaded & (HEAVY | {"numpy", "pandas", "optuna", "pydantic", "rich"})


def test_check_loads_neither_keras_nor_mlflow_nor_tables(tmp_path: Path) -> None:
    loaded = loaded_by(command_code("check", "digits"), tmp_path)
    assert not loaded & (HEAVY | {"sklearn", "optuna", "pandas", "seaborn", "numpy"})


@pytest.mark.slow
def test_report_and_list_load_neither_keras_nor_mlflow(searched: Searched) -> None:
    for words in (("report", "tiny"), ("list",)):
        assert not loaded_by(command_code(*words), searched.folder) & (HEAVY | {"sklearn"})


def test_lists_of_searches_load_only_what_they_show(tmp_path: Path) -> None:
    folder = tmp_path / "mlruns" / "searches" / "digits-1"
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "recorded" / "digits.sqlite", folder / "record.sqlite")
    for words in (("status",), ("list",)):
        loaded = loaded_by(command_code(*words), tmp_path)
        assert not loaded & (HEAVY | {"sklearn", "optuna", "pandas", "pydantic", "yaml", "numpy"})


def test_the_public_names_are_there() -> None:
    import archsearch

    names = ["DiagnosisCallback", "SearchResult", "SearchSpace", "__version__", "diagnose", "run"]
    assert sorted(archsearch.__all__) == names
    assert all(getattr(archsearch, name) for name in archsearch.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        archsearch.nonsense  # noqa: B018


def test_a_room_whose_names_come_late_has_these_and_no_others() -> None:
    from archsearch import diagnosis, study

    for room in (diagnosis, study):
        assert all(getattr(room, name) for name in room.__all__)
        with pytest.raises(AttributeError, match=f"'{room.__name__}' has no attribute 'nonsense'"):
            room.nonsense  # noqa: B018

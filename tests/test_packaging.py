"""What is built can be installed anywhere, with the spaces in it."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TREE = Path(__file__).parent.parent
SPACES = {path.name for path in (TREE / "search_spaces").glob("*.yaml")}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, built from the sdist, and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(TREE)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_the_wheel_works_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    venv.create(tmp_path / "env")
    python = tmp_path / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", wheel], check=True)
    code = "from archsearch.resources import *; print(*(p.name for p in bundled_spaces().values()))\n"
    code += "assert bundled('mlruns.gitignore').is_file()"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == SPACES


def test_the_wheel_carries_the_report_s_template(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    data = [name for name in names if name.startswith("archsearch/report/") and not name.endswith(".py")]
    there = {path.name for path in (TREE / "archsearch" / "report").iterdir() if path.is_file()}
    assert {Path(name).name for name in data} == {name for name in there if not name.endswith(".py")}
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]


def test_the_sdist_carries_spaces_tests_and_the_ignore_rules(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {f"search_spaces/{name}" for name in SPACES} <= names
    assert {"mlruns.gitignore", "constraints.txt", "Makefile", "tests/conftest.py"} <= names


def test_this_environment_s_install_finds_the_spaces() -> None:
    from archsearch.resources import bundled_spaces

    assert {path.name for path in bundled_spaces().values()} == SPACES


def test_the_module_is_the_command() -> None:
    as_module = subprocess.run([sys.executable, "-m", "archsearch", "--help"], capture_output=True, text=True)
    assert as_module.returncode == 0
    assert as_module.stdout.startswith("Usage: archsearch ")

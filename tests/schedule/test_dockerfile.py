"""The image: built from all that the package needs, and of one mind with the jobs for Kubernetes."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from archsearch.schedule import Job, kubernetes

TREE = Path(__file__).parents[2]
DOCKERFILE = (TREE / "Dockerfile").read_text()


@pytest.mark.slow
def test_what_is_copied_into_the_image_makes_the_whole_package(tmp_path: Path) -> None:
    context = tmp_path / "context"
    for line in (TREE / ".dockerignore").read_text().splitlines():
        source = TREE / line.removeprefix("!")
        if line.startswith("!") and source.is_dir():
            shutil.copytree(source, context / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif line.startswith("!"):
            context.mkdir(exist_ok=True)
            shutil.copy(source, context)
    words = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
        str(context),
    ]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    modules = {str(path.relative_to(TREE)) for path in (TREE / "archsearch").rglob("*.py")}
    spaces = {
        f"archsearch/_bundled/search_spaces/{path.name}" for path in (TREE / "search_spaces").glob("*.yaml")
    }
    assert modules | spaces | {"archsearch/_bundled/mlruns.gitignore"} <= packed


def test_the_image_has_the_versions_that_were_tested_and_an_extra_that_exists() -> None:
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
    assert "PIP_CONSTRAINT=/src/constraints.txt" in DOCKERFILE
    extras = set(re.findall(r"EXTRA=(\w+)", DOCKERFILE))
    assert extras == {"cpu", "gpu"} <= set(project["optional-dependencies"])


def test_the_image_of_next_year_begins_with_the_one_of_today() -> None:
    (base,) = re.findall(r"^FROM (.*)$", DOCKERFILE, re.MULTILINE)
    assert base == "python:${PYTHON}-slim-bookworm"
    (version,) = re.findall(r"^ARG PYTHON=(\d+\.\d+)\.\d+$", DOCKERFILE, re.MULTILINE)
    project = tomllib.loads((TREE / "pyproject.toml").read_text())["project"]
    assert project["requires-python"].startswith(f">={version},"), "the one that the versions were tested by"


def test_the_image_and_the_jobs_have_one_user_and_the_same_places_to_write_to() -> None:
    job = Job("nightly", "digits", Path("/w"), Path("/w/mlruns"))
    (file,) = kubernetes.render([job], "archsearch:cpu")
    pod = list(yaml.safe_load_all(file.text))[-1]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    user = pod["securityContext"]["runAsUser"]
    assert re.search(rf"^USER {user}:{user}$", DOCKERFILE, re.MULTILINE)
    assert re.search(rf"^WORKDIR {container['workingDir']}$", DOCKERFILE, re.MULTILINE)
    (variables,) = re.findall("^ENV (.*)$", DOCKERFILE, re.MULTILINE)
    assert dict(word.split("=") for word in variables.split()) == {
        variable["name"]: variable["value"] for variable in container["env"]
    }

"""The rooms of the house: who may import whom, and which heavy library lives where."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "archsearch"

# Each room may import from those before it.
ROOMS = (
    "errors", "home", "late", "usercode", "architecture", "notation", "records", "resources", "suggest",
    "models", "space", "diagnosis", "histories", "remedies", "ranking", "report", "data", "training",
    "execution", "study", "tracking", "schedule", "commands", "api", "parameters", "cli",
    "__main__", "__init__",
)  # fmt: skip

# Inside a function: SearchSpace.to_hypermodel(family) has to know the shape of the space's data.
LOOKS_FORWARD = {("space/hypermodel.py", "archsearch.data.shapes")}

# Libraries that are slow to import, or that only one room should know.
HEAVY = {
    "keras": {"models", "data", "training"},
    "keras_tuner": {"models", "space"},
    "tensorflow": {"models", "training"},
    "jax": {"training"},
    "sklearn": {"data", "training"},
    "PIL": {"data"},
    "optuna": {"study"},
    "mlflow": {"tracking"},
    "pandas": {"histories", "data", "ranking", "report", "commands"},
    "seaborn": {"report"},
    "matplotlib": {"report"},
    "jinja2": {"report"},
    "pydantic": {"space", "schedule"},
    "yaml": {"space"},
    "sqlite3": {"study"},
    "rich": {"commands"},
    "click": {"cli", "parameters"},
}

FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""
            if node.module == "archsearch":
                yield from (f"archsearch.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_rooms_before_it(path: Path) -> None:
    here = ROOMS.index(room_of(path))
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "archsearch" and len(parts) > 1 and parts[1] in ROOMS:
            looks_forward = (str(path.relative_to(PACKAGE)), name) in LOOKS_FORWARD
            assert looks_forward or ROOMS.index(parts[1]) <= here, f"{path} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_heavy_library_is_imported_only_in_its_room(path: Path) -> None:
    for name in imports(path):
        library = name.split(".")[0]
        assert room_of(path) in HEAVY.get(library, {room_of(path)}), f"{path} imports {name}"


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/__init__.py")), ids=lambda path: path.parent.name)
def test_a_room_exports_exactly_the_names_it_imports(path: Path) -> None:
    tree = ast.parse(path.read_text())
    # What comes late is imported for those who check types.
    body = [*tree.body, *(node for each in tree.body if isinstance(each, ast.If) for node in each.body)]
    exported = [node.value for node in tree.body if isinstance(node, ast.Assign)]
    promised = set(ast.literal_eval(exported[0])) if exported else set()
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}
    imported = {
        alias.name
        for node in body
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith(f"archsearch.{path.parent.name}.")
        for alias in node.names
    }
    assert promised == defined | imported


def test_no_file_names_a_package_registry_or_a_home_folder() -> None:
    tree = PACKAGE.parent
    listed = subprocess.run(["git", "ls-files"], cwd=tree, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    forbidden = ("pypi" + ".org", "files.python" + "hosted", str(Path.home()) + "/")
    for name in listed.stdout.split():
        text = (tree / name).read_text(errors="ignore")
        assert not [word for word in forbidden if word in text], name


def test_every_dependency_has_its_reason() -> None:
    text = (PACKAGE.parent / "pyproject.toml").read_text()
    block = text.split("dependencies = [")[1].split("]")[0]
    assert all("#" in line for line in block.strip().splitlines())

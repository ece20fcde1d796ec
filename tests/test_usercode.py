import sys

import pytest

from archsearch.errors import Refused
from archsearch.usercode import describe_error, load_object


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """Modules and paths that a test brings in go with it."""
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_an_object_is_found_in_a_module_or_a_package_of_the_folder(tmp_path):
    (tmp_path / "users_own.py").write_text("answer = 42\n")
    (tmp_path / "users_package").mkdir()
    (tmp_path / "users_package" / "part.py").write_text("class Model: pass\n")
    assert load_object("users_own:answer", tmp_path) == 42
    assert load_object("users_package.part:Model", tmp_path).__name__ == "Model"


def test_an_installed_module_is_found_too(tmp_path):
    assert load_object("math:pi", tmp_path) > 3


def test_what_the_users_code_imports_later_is_found_in_the_folder(tmp_path):
    (tmp_path / "users_lazy.py").write_text(
        "def load():\n    import users_helper\n    return users_helper.x\n"
    )
    (tmp_path / "users_helper.py").write_text("x = 1\n")
    assert load_object("users_lazy:load", tmp_path)() == 1


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("users_own", "users_own: write it as package.module:name"),
        (":x", "write it as package.module:name"),
        ("users_own:", "write it as package.module:name"),
        ("users_own:two words", "write it as package.module:name"),
        ("nowhere:x", r"nowhere:x: no module named 'nowhere' in .* or among the installed packages"),
        ("users_own.part:x", r"no module named 'users_own.part'"),
        ("users_own:anwser", r"users_own.py has no 'anwser'"),
        (
            "users_raising:x",
            r"importing it raised ZeroDivisionError: division by zero \(users_raising.py, line 2\)",
        ),
        (
            "users_needing:x",
            r"importing it raised ModuleNotFoundError: No module named 'absent_library' \(users_n",
        ),
        ("users_typo:x", r"importing it raised SyntaxError: .*users_typo.py, line 1"),
        ("users_leaving:x", r"importing it raised SystemExit: 3 \(users_leaving.py, line 1\)"),
    ],
)
def test_what_can_not_be_imported_is_refused_with_its_reason_and_place(tmp_path, reference, message):
    files = {
        "own": "answer = 42\n", "raising": "x = 1\nx / 0\n", "needing": "import absent_library\n",
        "typo": "def (:\n", "leaving": "raise SystemExit(3)\n",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / f"users_{name}.py").write_text(text)
    with pytest.raises(Refused, match=message):
        load_object(reference, tmp_path)


def test_an_error_is_placed_in_the_users_folder_where_it_passed_through_it(tmp_path):
    (tmp_path / "users_json.py").write_text("import json\n\ndef read():\n    return json.loads('{')\n")
    with pytest.raises(ValueError, match="Expecting") as caught:
        load_object("users_json:read", tmp_path)()
    assert describe_error(caught.value, tmp_path).endswith("(users_json.py, line 4)")


def test_an_error_of_other_code_is_placed_where_it_was_raised(tmp_path):
    with pytest.raises(ValueError, match="Expecting") as caught:
        load_object("json:loads", tmp_path)("{")
    assert "decoder.py, line" in describe_error(caught.value, tmp_path)
    assert describe_error(ValueError("two\nlines"), tmp_path) == "ValueError: two lines"


def test_two_folders_may_each_have_a_module_of_one_name_and_helpers_of_it(tmp_path):
    for place in ("first", "second"):
        (tmp_path / place / "users_kit").mkdir(parents=True)
        (tmp_path / place / "users_same.py").write_text(
            "from users_kit.part import where\nimport users_beside\nplace = where, users_beside.where\n"
        )
        (tmp_path / place / "users_beside.py").write_text(f"where = {place!r}\n")
        (tmp_path / place / "users_kit" / "__init__.py").write_text("")
        (tmp_path / place / "users_kit" / "part.py").write_text(f"where = {place!r}\n")
    for place in ("first", "second", "first"):
        assert load_object("users_same:place", tmp_path / place) == (place, place)
        assert load_object("users_kit.part:where", tmp_path / place) == place


def test_a_module_is_imported_once_and_those_of_python_and_installed_ones_stay(tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    (tmp_path / "first" / "users_once.py").write_text("import yaml, json\nthing = object()\n")
    (tmp_path / "second" / "users_other.py").write_text("x = 1\n")
    (tmp_path / "second" / "json.py").write_text("")
    thing = load_object("users_once:thing", tmp_path / "first")
    kept = {name: sys.modules[name] for name in ("yaml", "json", "users_once")}
    load_object("users_other:x", tmp_path / "second")
    assert load_object("json:loads", tmp_path / "second") is kept["json"].loads
    assert load_object("users_once:thing", tmp_path / "first") is thing
    assert all(sys.modules[name] is module for name, module in kept.items())

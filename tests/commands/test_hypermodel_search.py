"""A search of a user's HyperModels by the real command."""

import json
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

pytest.importorskip("keras_tuner")

import hypermodels_of_a_user as user
from real_command import IN_PROCESS, UNTRACKED, invoke, run, started

from archsearch.space import SearchSpace

pytestmark = pytest.mark.slow

SPACE = """\
name: own
data: digits
families:
  scoped: {hypermodel: hypermodels_of_a_user:Scoped}
  own_fit: {hypermodel: hypermodels_of_a_user:OwnFit}
  some: {hypermodel: builds:Some}
architectures:
  small: own_fit units=16 activation="tanh"
training: {epochs: 2, batch_size: [64, 128]}
search: {trials: 8, seed: 0}
execution: {workers: 1}
"""

# They leave a file, so that it can be seen that they were built.
BUILDS = """\
import time
from pathlib import Path

import hypermodels_of_a_user as user

class Slow(user.Stack):
    def build(self, hp):
        if hp.Int("units", 16, 64, step=16) > 16:
            Path(__file__).with_name("building").touch()
            time.sleep(3000)
        return super().build(hp)

class Some(user.Stack):
    def build(self, hp):
        if hp.Int("units", 16, 64, step=16, default=64) < 64:
            Path(__file__).with_name("raised").touch()
            raise ValueError("too few units")
        return super().build(hp)
"""

FAULTY = {
    "module": ("no_such_module:Net", "no_such_module:Net: no module named 'no_such_module'"),
    "name": ("hypermodels_of_a_user:Net", "hypermodels_of_a_user.py has no 'Net'"),
    "arguments": ("hypermodels_of_a_user:ForData", "missing a required argument: 'width'"),
    "raises": (
        "hypermodels_of_a_user:Raises",
        "RuntimeError: no such backbone (hypermodels_of_a_user.py, line",
    ),
    "nothing": ("hypermodels_of_a_user:GivesNothing", "build must return a Keras model, not None"),
    "shape": ("hypermodels_of_a_user:OtherShape", "does not take the data's samples, of shape (8, 8, 1)"),
    "classes": ("hypermodels_of_a_user:OtherClasses", "the data's classes need (10,)"),
    "exits": ("hypermodels_of_a_user:Exits", "ended with exit code 3"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("own")
    shutil.copy(user.__file__, made)
    (made / "builds.py").write_text(BUILDS)
    return made


@pytest.fixture(scope="module")
def searched(folder: Path) -> dict:
    (folder / "own.yaml").write_text(SPACE)
    first = run("run", "own.yaml", "--trials", "3", "--json", *IN_PROCESS, *UNTRACKED, cwd=folder)
    assert first.returncode == 0, first.stderr
    done = run("run", "own.yaml", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_search_of_hypermodels_is_run_and_gone_on_with(searched: dict) -> None:
    assert searched["trials"] == {"completed": 8, "stopped": 0, "pruned": 0, "skipped": 0, "failed": 0}
    lines = {one["architecture"].split(" ")[0] for one in searched["ranking"]}
    assert lines == {"small:", "scoped", "own_fit", "some"}


def test_builds_that_raise_for_some_values_are_no_trials(searched: dict, folder: Path) -> None:
    assert (folder / "raised").exists()
    lines = [one["architecture"] for one in searched["ranking"]]
    assert {line.split(" ")[1] for line in lines if line.startswith("some")} == {"units=64"}


def test_a_named_line_takes_the_defaults_of_what_it_leaves_out(searched: dict) -> None:
    small = next(one for one in searched["ranking"] if one["architecture"].startswith("small"))
    assert small["architecture"] == 'small: own_fit units=16 activation="tanh" rate=0.001 batch_size=16'


def test_a_printed_line_can_be_pasted_as_an_architecture(
    searched: dict, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    line = searched["best"]["architecture"].removeprefix("small: ")
    space = SPACE.replace('  small: own_fit units=16 activation="tanh"', f"  pasted: '{line}'")
    (folder / "pasted.yaml").write_text(space.replace("name: own", "name: pasted"))
    done = invoke("check", "pasted.yaml")
    assert done.exit_code == 0, done.stderr
    pasted = SearchSpace.from_yaml(folder / "pasted.yaml").named_architectures["pasted"]
    assert pasted.notation == line


@pytest.mark.usefixtures("searched")
def test_hyperparameters_keep_their_names_in_mlflow(folder: Path) -> None:
    query = "SELECT r.name, p.key, p.value FROM params p JOIN runs r USING (run_uuid)"
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as database:
        rows = database.execute(query).fetchall()
    params: dict[str, dict[str, str]] = {}
    for name, key, value in rows:
        params.setdefault(name, {})[key] = value
    scoped = next(values for values in params.values() if values.get("family") == "scoped")
    assert scoped["kind"] in ("mlp", "cnn")
    assert 4 <= int(scoped["head/units"]) <= 8
    own = next(values for name, values in params.items() if "small: own_fit" in name)
    assert (own["units"], own["activation"], own["batch_size"]) == ("16", "tanh", "16")
    assert not [key for values in params.values() for key in values if " in " in key]


def test_the_report_shows_the_hyperparameters(searched: dict) -> None:
    page = Path(searched["report"]).read_text()
    assert "head/units=" in page
    assert "scoped kind=" in page


def test_hypermodels_that_cant_be_used_are_refused_before_anything_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    families = "\n".join(f"  {name}: {{hypermodel: {reference}}}" for name, (reference, _) in FAULTY.items())
    (folder / "faulty.yaml").write_text(f"name: faulty\ndata: digits\nfamilies:\n{families}\n")
    done = invoke("run", "faulty.yaml")
    assert done.exit_code == 2, done.stderr
    assert "Traceback" not in done.stderr
    for family, (_, said) in FAULTY.items():
        line = next(line for line in done.stderr.splitlines() if f"families.{family}:" in line)
        assert said in line
        assert "faulty.yaml:" in line
    assert not list((folder / "mlruns" / "searches").glob("faulty*"))


@pytest.mark.parametrize("word", ["run", "check"])
def test_named_lines_that_cant_be_built_are_refused_all_at_once_with_their_places(
    word: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    lines = """\
  small: own_fit units=7
  large: own_fit units=64
  strange: scoped nodes=3
constraints: {parameters: 4000}
"""
    named = '  small: own_fit units=16 activation="tanh"\n'
    (folder / "value.yaml").write_text(SPACE.replace(named, lines).replace("name: own", "name: value"))
    done = invoke(word, "value.yaml")
    assert done.exit_code == 2
    for place, said in (
        ("value.yaml:8:3: architectures.small: ", "units can't be 7: it is 16 to 64, step 16"),
        ("value.yaml:9:3: architectures.large: ", "4,810 parameters; constraints.parameters allows 4,000"),
        ("value.yaml:10:3: architectures.strange: ", "no active hyperparameter is named nodes"),
    ):
        assert any(place in line and said in line for line in done.stderr.splitlines()), done.stderr


@pytest.mark.parametrize("word", ["--trials", "--hours"])
def test_a_search_ends_at_once_while_it_waits_for_a_build(word: str, folder: Path) -> None:
    space = "name: slow\ndata: digits\nfamilies:\n  slow: {hypermodel: builds:Slow}\n"
    (folder / "slow.yaml").write_text(space + "training: {epochs: 1}\nsearch: {trials: 50}\n")
    store = f"slow-{word}"
    value = {"--trials": "50", "--hours": "0.001"}[word]
    (folder / "building").unlink(missing_ok=True)
    words = ("run", "slow.yaml", "--json", "--workers", "1", *UNTRACKED, "--store", store, word, value)
    with started(*words, cwd=folder) as process:
        if word == "--trials":
            deadline = time.monotonic() + 600
            while not (folder / "building").exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            sent = time.monotonic()
            out, err = process.communicate(timeout=60)
            assert time.monotonic() - sent < 10
            assert process.returncode == 75, err
            assert json.loads(out.splitlines()[-1])["status"] == "interrupted"
        else:
            out, err = process.communicate(timeout=600)
            assert json.loads(out.splitlines()[-1])["status"] == "hours_reached", err

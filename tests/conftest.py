"""What tests of several folders share: a small real search, a real MLflow server, a browser."""

import gc
import json
import os
import shutil
import sys
from collections.abc import Iterator

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from real_command import TINY_SPACE, Searched, free_port, run, serving

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# Networks as small as the tests' gain nothing from threads, which only get into the way of another process.
os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}

# Processes that share the tests are given a width of terminal; a command in a pipe has none unless told.
os.environ.pop("COLUMNS", None)

# A developer's own MLflow is none of the tests'.
for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[name]

# How long an example takes says how busy the machine is.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that processes that share the tests end together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Keep what is imported by now out of the garbage collector's way.

    Keras has it run before each network: a quarter of a second with all of TensorFlow to look through.
    """
    gc.freeze()


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """A small search of both families by the real command, in a folder of its own.

    It is made once. Processes that share the tests have a copy each: there they are in nobody's way.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "searched"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            folder.mkdir()
            (folder / "tiny.yaml").write_text(TINY_SPACE)
            done = run("run", "tiny.yaml", "--json", cwd=folder)
            assert done.returncode == 0, done.stderr
            (folder / "stdout").write_text(done.stdout)
            (folder / "stderr").write_text(done.stderr)
    result = json.loads((folder / "stdout").read_text().splitlines()[-1])
    return Searched(folder, result, (folder / "stderr").read_text()).copied(base / "copy-of-searched")


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server with a store of its own."""
    folder, port = tmp_path_factory.mktemp("mlflow-server"), free_port()
    words = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"]
    words += ["--artifacts-destination", str(folder / "artifacts")]
    with serving(words, port, folder) as uri:
        yield uri


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium: the one on PATH."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip("no Chromium on PATH: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs of every curve that a search judges from now on, as a list that grows."""
    from archsearch.diagnosis import diagnose, runs

    seen: list[int] = []

    def counting(curves, *args, **kwargs):
        seen.append(len(curves.val_loss))
        return diagnose(curves, *args, **kwargs)

    monkeypatch.setattr(runs, "diagnose", counting)
    return seen

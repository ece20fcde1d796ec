"""What tests of several folders share: a small real search, a real MLflow server, a browser."""

import json
import shutil
import sys
from collections.abc import Iterator

import pytest
from real_command import TINY_SPACE, Searched, free_port, run, serving

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Searched:
    """A small search of both families by the real command, in a fresh folder."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "tiny.yaml").write_text(TINY_SPACE)
    done = run("run", "tiny.yaml", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return Searched(folder, json.loads(done.stdout.splitlines()[-1]), done.stderr)


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

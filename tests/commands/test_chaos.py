"""A search under fire; `benchmarks/chaos.py` is the same with more trials and many more kills."""

import subprocess
import sys
from pathlib import Path

import pytest
from real_command import environment

CHAOS = Path(__file__).parents[2] / "benchmarks" / "chaos.py"


@pytest.mark.slow
def test_whatever_is_killed_when_the_finished_search_is_the_undisturbed_one(
    mlflow_server: str, tmp_path: Path
) -> None:
    """In its record but for times and process names, and in MLflow: one run per training, none open."""
    # With this seed both kills come when the search has just begun to train.
    words = ["--trials", "4", "--kills", "2", "--worker-kills", "0", "--seed", "126"]
    words += ["--mlflow", mlflow_server]
    done = subprocess.run(
        [sys.executable, CHAOS, *words], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no difference" in done.stdout

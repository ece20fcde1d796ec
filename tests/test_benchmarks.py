"""What benchmarks share, and what they say where they can't run."""

import importlib.util
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from real_command import environment

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def shared() -> Any:
    spec = importlib.util.spec_from_file_location("benchmarks_environment", BENCHMARKS / "environment.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("installed", ["tensorflow-cpu", "tensorflow"])
def test_the_line_above_the_figures_names_the_tensorflow_that_is_installed(
    installed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name == installed:
            return "2.20.0"
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    assert shared().environment_line("tensorflow", "jax").endswith(f", {installed} 2.20.0, no jax")


def test_the_benchmark_of_a_gpu_says_that_there_is_none() -> None:
    words = [sys.executable, str(BENCHMARKS / "gpu.py")]
    hidden = environment(CUDA_VISIBLE_DEVICES="")
    done = subprocess.run(words, env=hidden, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "no GPU here may be used: nvidia-smi lists none, or CUDA_VISIBLE_DEVICES hides it\n"

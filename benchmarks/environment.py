"""On what a benchmark runs, in one line above its figures."""

import os
import platform
from importlib import metadata

# The extra cpu installs the one, the extra gpu the other: the same module, never both.
DISTRIBUTIONS = {"tensorflow": ("tensorflow-cpu", "tensorflow")}


def environment_line(*packages: str) -> str:
    """Cores, load, and the versions of Python and of `packages`."""
    load, python = os.getloadavg()[0], platform.python_version()
    facts = [f"{os.cpu_count()} cores", f"load {load:.1f}", f"Python {python}"]
    return ", ".join([*facts, *(_version(package) for package in packages)])


def _version(package: str) -> str:
    for name in DISTRIBUTIONS.get(package, (package,)):
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return f"no {package}"

"""A real Slurm. ``make test-slurm`` runs these tests; plain ``pytest`` does not collect them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from one_node import DAEMONS, Slurm, configuration, daemon, is_idle, wait_for


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    missing = [name for name in DAEMONS if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.fail(f"needs root and {', '.join(DAEMONS)} on PATH: apt-get install slurm-wlm munge")
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "slurm.conf").write_text(configuration(folder))
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    munged = ["munged", "--foreground", "--force", f"--key-file={folder}/munge.key"]
    munged += [f"--{name}-file={folder}/munged.{name}" for name in ("log", "pid", "seed")]
    with ExitStack() as stack:
        stack.enter_context(daemon([*munged, f"--socket={folder}/munge.socket"], folder))
        wait_for((folder / "munge.socket").exists, 20, lambda: (folder / "munged.out").read_text())
        for name in DAEMONS[1:]:
            stack.enter_context(daemon([name, "-D", "-f", str(folder / "slurm.conf")], folder))
        cluster = Slurm(folder)
        wait_for(lambda: is_idle(cluster), 60, lambda: (folder / "slurmctld.log").read_text())
        yield cluster
        cluster("scancel", "--user=root")
        wait_for(lambda: not cluster("squeue", "--noheader"), 60, lambda: cluster("squeue"))

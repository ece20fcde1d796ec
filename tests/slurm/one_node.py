"""A Slurm of one node on this machine: its daemons, its configuration, its commands."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from real_command import environment, free_port

DAEMONS = "munged", "slurmctld", "slurmd"

# All in one folder, and none of what a node needs that runs jobs of others: no control groups, no accounting.
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={megabytes}
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """Commands of the Slurm whose configuration lies in `folder`."""

    folder: Path

    def __call__(self, *words: str | Path) -> str:
        """Run a command; what it prints."""
        done = subprocess.run(
            [*map(str, words)],
            env=environment(SLURM_CONF=str(self.folder / "slurm.conf")),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def submit(self, *words: str | Path) -> str:
        return self("sbatch", "--parsable", *words)

    def job(self, number: str) -> dict[str, str]:
        """What Slurm says of a job or of an element of an array: ``JobState``, ``Restarts``, ``ExitCode``."""
        return dict(re.findall(r"(\w+)=(\S*)", self("scontrol", "show", "job", number)))

    def wait(self, number: str, state: str, seconds: float = 600) -> dict[str, str]:
        """Wait until a job is in a state."""
        wait_for(lambda: self.job(number)["JobState"] == state, seconds, lambda: f"{self.job(number)}")
        return self.job(number)

    def wait_for_restart(self, number: str, seconds: float) -> None:
        """Wait until a job is in the queue for the second time, held back for its two minutes."""
        again = {"JobState": "PENDING", "Restarts": "1", "Reason": "BeginTime"}
        wait_for(lambda: again.items() <= self.job(number).items(), seconds, lambda: f"{self.job(number)}")

    def let_start(self, number: str) -> None:
        """Shorten the two minutes to two seconds; in the very second of its end the node would refuse it."""
        time.sleep(2)
        self("scontrol", "update", f"JobId={number}", "StartTime=now")


def wait_for(state: Callable[[], bool], seconds: float, why: Callable[[], str]) -> None:
    deadline = time.monotonic() + seconds
    while not state():
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)


def configuration(folder: Path) -> str:
    return CONFIGURATION.format(
        folder=folder,
        host=socket.gethostname(),
        controller_port=free_port(),
        node_port=free_port(),
        cores=os.cpu_count(),
        megabytes=psutil.virtual_memory().total // 1024**2,
    )


def is_idle(cluster: Slurm) -> bool:
    try:
        return cluster("sinfo", "--noheader", "--format=%T") == "idle"
    except (AssertionError, subprocess.TimeoutExpired):  # before the controller answers
        return False


@contextmanager
def daemon(words: list[str], folder: Path) -> Iterator[None]:
    """A daemon in the foreground, until the tests have ended."""
    with (folder / f"{words[0]}.out").open("w") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, env=environment())
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)

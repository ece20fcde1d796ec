"""What a process may take is never more than its control groups leave it."""

import os

import psutil
import pytest

from archsearch.execution import machine

GIB = 2**30
VERSION_2 = {
    "proc/self/cgroup": "0::/a.slice/b.service\n",
    "sys/fs/cgroup/a.slice/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/a.slice/b.service/cpu.max": "max 100000\n",
    "sys/fs/cgroup/a.slice/b.service/memory.max": f"{3 * GIB}\n",
    "sys/fs/cgroup/a.slice/b.service/memory.current": f"{2 * GIB}\n",
    "sys/fs/cgroup/a.slice/b.service/memory.stat": f"anon 7\ninactive_file {GIB // 2}\nactive_file 0\n",
    "sys/fs/cgroup/a.slice/memory.max": "max\n",
    "sys/fs/cgroup/a.slice/memory.current": f"{9 * GIB}\n",
    "sys/fs/cgroup/a.slice/b.service/memory.events": "low 0\noom 3\noom_kill 2\n",
    "proc/vmstat": "oom_kill 5\n",
}
# As in a container: the path is that of the host.
VERSION_1 = {
    "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIB}\n",
    "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GIB // 2}\n",
    "sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n",
}
FREE = {
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/cpu.max": "max 100000\n",
    "sys/fs/cgroup/memory.max": "max\n",
    "proc/vmstat": "nr_free_pages 7\noom_kill 5\n",
}


@pytest.fixture
def under(tmp_path, monkeypatch):
    """A machine with other files in /proc and /sys."""

    def has(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        monkeypatch.setattr(machine, "ROOT", tmp_path)

    return has


@pytest.mark.parametrize(("files", "cores"), [(VERSION_2, 1), (VERSION_1, 1)], ids=["version 2", "version 1"])
def test_a_quota_of_time_bounds_the_cores(under, files, cores):
    under(files)
    assert machine.cores() == cores


@pytest.mark.parametrize(
    ("files", "gib"), [(VERSION_2, 1.5), (VERSION_1, 1.5)], ids=["version 2", "version 1"]
)
def test_memory_is_what_the_group_has_left_and_its_caches_count_as_free(under, files, gib):
    under(files)
    assert machine.free_memory() == min(gib * GIB, psutil.virtual_memory().available)


@pytest.mark.parametrize("files", [FREE, {}], ids=["without limits", "without files"])
def test_without_limits_all_of_the_machine_counts(under, files):
    under(files)
    assert 1 <= machine.cores() <= len(os.sched_getaffinity(0))
    assert machine.free_memory() == pytest.approx(psutil.virtual_memory().available, rel=0.2)


@pytest.mark.parametrize(("files", "kills"), [(VERSION_2, 2), (VERSION_1, 4), (FREE, 5), ({}, 0)])
def test_the_kernels_kills_are_counted_in_the_group_or_else_in_all(under, files, kills):
    under(files)
    assert machine.oom_kills() == kills


def test_never_less_than_one_core(under):
    under(VERSION_1 | {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "20000\n"})
    assert machine.cores() == 1

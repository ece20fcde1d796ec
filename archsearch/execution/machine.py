"""What this process may take of its machine: cores and memory, or what its control groups leave of them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

GIB = 1024**3

# What /proc and /sys are looked up in.
ROOT = Path("/")


def cores() -> int:
    """Physical cores, since two threads of one core do hardly more than one.

    Never more than the processors that this process may run on, or than its control groups give it time on.
    """
    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    return max(1, int(min(physical, allowed, *_quotas())))


def free_memory() -> int:
    """Bytes that can be had without taking them from others; file caches count as free."""
    return max(0, min([psutil.virtual_memory().available, *_room()]))


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory, in this control group or else at all."""
    tables = [_table(group / name) for group in _groups("memory") for name in _OOM_COUNTERS]
    counts = [table["oom_kill"] for table in tables if "oom_kill" in table]
    return sum(counts) if counts else _table(ROOT / "proc/vmstat").get("oom_kill", 0)


# In this order: version 2 of control groups, version 1.
_OOM_COUNTERS = ("memory.events", "memory.oom_control")
_MEMORY = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))


def _quotas() -> Iterator[float]:
    for group in _groups("cpu"):
        numbers = _numbers(group / "cpu.max") or [
            *_numbers(group / "cpu.cfs_quota_us"),
            *_numbers(group / "cpu.cfs_period_us"),
        ]
        if len(numbers) == 2:  # else there is no quota
            yield numbers[0] / numbers[1]


def _room() -> Iterator[int]:
    for group in _groups("memory"):
        for limit, usage in _MEMORY:
            numbers = [*_numbers(group / limit), *_numbers(group / usage)]
            if len(numbers) == 2:
                stat = _table(group / "memory.stat")
                yield numbers[0] - numbers[1] + stat.get("inactive_file", 0) + stat.get("active_file", 0)


def _groups(controller: str) -> Iterator[Path]:
    """Folders of this process's control groups that may limit it, from the innermost out."""
    with suppress(OSError):
        for line in (ROOT / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            top = ROOT / "sys/fs/cgroup" / controllers
            folder = top / path.lstrip("/")
            # In a container the path may be that of its host: only the top is there.
            yield from (group for group in (folder, *folder.parents) if group.is_relative_to(top))


def _numbers(path: Path) -> list[int]:
    """Those words of a file that are numbers: ``max`` and -1, which stand for no limit, are not."""
    return [int(word) for word in _text(path).split() if word.isdecimal()]


def _table(path: Path) -> dict[str, int]:
    """A file with a name and a number on each line."""
    pairs = [line.split() for line in _text(path).splitlines()]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""

"""How much memory a process takes, with all that it has started."""

import psutil

# All of the machine's processes are looked at to find them: at every so manieth question.
QUESTIONS = 25


class Footprint:
    """A process, by its number, and those it has started.

    Parameters
    ----------
    number : int
        Of a process that is there.
    """

    def __init__(self, number: int) -> None:
        self._first = psutil.Process(number)
        self._others: list[psutil.Process] = []
        self._asked = 0

    def resident(self) -> int:
        """Bytes of memory that are theirs; mapped files, which the kernel drops when it must, are not."""
        if self._asked % QUESTIONS == 0:
            self._others = _started_by(self._first)
        self._asked += 1
        return sum(map(_resident, [self._first, *self._others]))


def _started_by(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _resident(process: psutil.Process) -> int:
    """Of one process; nothing of one that has ended."""
    try:
        memory = process.memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss) - int(getattr(memory, "shared", 0))

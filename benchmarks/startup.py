"""How long commands take that train nothing, each paired with the bare interpreter.

Run it with the interpreter of the environment: ``.venv/bin/python benchmarks/startup.py``.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

PAIRS = 15

# The command and the seconds it may take.
COMMANDS = {
    ("--help",): 0.3,
    ("run", "--help"): 0.3,
    ("check", "digits"): 0.6,
    ("check", "notebook_stacks"): 0.6,
}


def seconds(words: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    bare = [sys.executable, "-c", "pass"]
    print(f"{PAIRS} pairs each, medians; Python {sys.version.split()[0]}")
    print(f"{'command':<32}{'seconds':>9}{'limit':>7}{'bare':>8}{'ratio':>7}")
    for words, limit in COMMANDS.items():
        command = [sys.executable, "-m", "archsearch", *words]
        seconds(command)  # fills the file cache
        pairs = [(seconds(command), seconds(bare)) for _ in range(PAIRS)]
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"archsearch {' '.join(words):<21}{ours:>9.3f}{limit:>7.1f}{theirs:>8.3f}{ratio:>7.1f}")


if __name__ == "__main__":
    main()

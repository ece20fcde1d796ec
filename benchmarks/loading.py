"""How long a folder of images takes to load, the first time and from the cache, beside a plain Pillow loop.

``.venv/bin/python benchmarks/loading.py [FOLDER]``; without a folder 4,660 grey JPEGs of 96×96 pixels are
made up. Every figure is the median of fresh processes and of one call there, with what the call imports;
processor seconds tell how much of it another program's load on the machine may be.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from environment import environment_line
from PIL import Image

ROUNDS = 3
FILES = {"train": 3_582, "val": 587, "test": 491}
LIMITS = {"first time": 15.0, "from the cache": 2.0}

TIMED = """
import time
from pathlib import Path
{imports}
wall, processor = time.perf_counter(), time.process_time()
{code}
print(len(images), time.perf_counter() - wall, time.process_time() - processor)
"""

OURS = TIMED.format(
    imports="from archsearch.data.sources import load\nfrom archsearch.space.data_words import Data",
    code="images = load(Data(image_folder=FOLDER)).x",
)

# What image_dataset_from_directory comes down to: every file decoded, grey, resized, into one array.
PEER = TIMED.format(
    imports="import numpy as np\nfrom PIL import Image",
    code="""
files = sorted(path for path in Path(FOLDER).rglob("*") if path.suffix in (".jpeg", ".jpg", ".png"))
size = Image.open(files[0]).size
images = np.stack([np.asarray(Image.open(file).convert("L").resize(size)) for file in files])
""",
)


def make_up(root: Path) -> Path:
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 256, (64, 12, 12), np.uint8)
    for part, count in FILES.items():
        for number in range(count):
            path = root / part / f"class{number % 2}" / f"{number}.jpeg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.roll(blocks[number % 64], number)).resize((96, 96)).save(path)
    return root


def measured(code: str, folder: str, cache: Path) -> tuple[float, ...]:
    """Images, wall seconds and processor seconds."""
    environment = {**os.environ, "ARCHSEARCH_CACHE": str(cache)}
    words = [sys.executable, "-c", code.replace("FOLDER", repr(folder))]
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    return tuple(map(float, done.stdout.split()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    given = parser.parse_args().folder
    print(environment_line("pillow"), flush=True)
    with tempfile.TemporaryDirectory() as passing:
        folder = str(given.resolve() if given else make_up(Path(passing) / "images"))
        rows: dict[str, list[tuple[float, ...]]] = {}
        for number in range(ROUNDS):
            cache = Path(passing) / f"cache{number}"
            for name, code in (("plain loop", PEER), ("first time", OURS), ("from the cache", OURS)):
                rows.setdefault(name, []).append(measured(code, folder, cache))
    (images,) = {row[0] for measurements in rows.values() for row in measurements}
    print(f"{images:.0f} images, {ROUNDS} rounds, medians")
    print(f"{'':<16}{'seconds':>9}{'processor':>11}{'limit':>7}")
    for name, measurements in rows.items():
        wall, processor = (statistics.median(row[place] for row in measurements) for place in (1, 2))
        limit = f"{LIMITS[name]:.0f}" if name in LIMITS else ""
        print(f"{name:<16}{wall:>9.2f}{processor:>11.2f}{limit:>7}")


if __name__ == "__main__":
    main()

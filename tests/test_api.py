"""archsearch from Python."""

import subprocess
import sys
from pathlib import Path

import pytest
from real_command import environment

from archsearch.errors import Refused, SpaceError

pytestmark = pytest.mark.slow

SCRIPT = """\
import archsearch

space = {
    "name": "from-python",
    "data": "digits",
    "architectures": {"small": {"dense": [8]}, "wide": {"dense": [[64, 0.2]]}},
    "training": {"epochs": 3},
    "execution": {"workers": 1},
}
result = archsearch.run(space, quiet=True)
print(type(result.ranking).__name__, len(result.ranking), result.status, result.best_model.is_file())
again = archsearch.run(archsearch.SearchSpace.from_mapping(space), quiet=True)
print(again.status, again.ranking.equals(result.ranking))
"""


def test_a_script_without_a_main_guard_gets_the_ranking_as_a_data_frame(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    words = [sys.executable, "script.py"]
    done = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["DataFrame 2 finished True", "nothing_to_do True"]
    assert (tmp_path / "reports" / "from-python.html").is_file()


def test_faults_in_a_mapping_are_named_by_their_path() -> None:
    import archsearch

    with pytest.raises(SpaceError, match=r"training\.epochs: must be a whole number, not 'x'"):
        archsearch.run(
            {"data": "digits", "architectures": {"a": {"dense": [8]}}, "training": {"epochs": "x"}}
        )


def test_a_search_is_begun_anew_or_gone_on_with_but_not_both() -> None:
    import archsearch

    with pytest.raises(Refused, match="give one of them"):
        archsearch.run("digits", new=True, continue_=True)

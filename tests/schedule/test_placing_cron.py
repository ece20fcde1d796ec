"""The user's crontab: exactly a job's block comes and goes, every other byte stays.

A file and a small script stand for it: these tests leave the real one alone.
"""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_jobs import job

from archsearch.errors import Refused
from archsearch.schedule import placing_cron
from archsearch.schedule.cron import block
from archsearch.schedule.placing_cron import with_block

OWN = b"# mine\n\nMAILTO=me@example.org\n0 1 * * * \xe9cho 100\\% \t\n"

# As crontab(1) of Debian and cronie.
CRONTAB = """\
#!/bin/sh
file=$(dirname "$0")/crontab.txt
case $1 in
-l) [ -e "$file" ] || { echo "no crontab for ada" >&2; exit 1; }; exec cat "$file";;
-r) exec rm "$file";;
-) exec cat > "$file";;
esac
"""


@pytest.fixture
def crontab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The crontab, which is not there yet."""
    program = tmp_path / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(CRONTAB)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program.with_name("crontab.txt")


def saying(crontab: Path, words: str, code: int = 1) -> None:
    crontab.with_name("crontab").write_text(f"#!/bin/sh\n{words}\nexit {code}\n")


def test_exactly_the_block_is_added_and_taken_away_again(crontab: Path) -> None:
    crontab.write_bytes(OWN)
    placing_cron.install([job()])
    assert crontab.read_bytes() == OWN + block(job()).encode()
    assert placing_cron.names() == ("digits",)
    assert placing_cron.remove(["digits"]) == ("digits",)
    assert crontab.read_bytes() == OWN


def test_who_had_no_crontab_has_none_again(crontab: Path) -> None:
    placing_cron.install([job(), job(name="cifar")])
    assert crontab.read_text() == block(job()) + block(job(name="cifar"))
    placing_cron.remove(["digits", "cifar"])
    assert not crontab.exists()


def test_a_job_of_the_same_name_is_replaced_where_it_stands(crontab: Path) -> None:
    later = job(at="0 4 * * *")
    crontab.write_bytes(block(job()).encode() + OWN)
    placing_cron.install([later])
    assert crontab.read_bytes() == block(later).encode() + OWN


def test_only_the_named_job_is_taken_away(crontab: Path) -> None:
    crontab.write_text(block(job()) + block(job(name="digits-2")))
    assert placing_cron.remove(["digits", "other"]) == ("digits",)
    assert crontab.read_text() == block(job(name="digits-2"))


def test_what_is_not_there_is_not_taken_away_and_nothing_is_written(crontab: Path) -> None:
    assert placing_cron.remove(["digits"]) == ()
    assert not crontab.exists()


BLOCKS = (block(job()), block(job(at="0 4 * * *")))
LINES = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=20)
    | st.sampled_from(["# >>> archsearch other >>>", "# <<< archsearch other <<<", "* * * * * x", ""]),
    max_size=6,
).map(lambda lines: "".join(f"{line}\n" for line in lines))


@settings(max_examples=50)
@given(LINES, LINES)
def test_all_else_stays_as_it_is(before: str, after: str) -> None:
    text, later = BLOCKS
    assert with_block(before + text + after, "digits", "") == before + after
    assert with_block(before, "digits", text) == before + text
    assert with_block(before + text + after, "digits", later) == before + later + after


@pytest.mark.parametrize("missing", [0, -1])
def test_half_a_block_is_left_to_the_user(crontab: Path, missing: int) -> None:
    lines = block(job()).splitlines(keepends=True)
    del lines[missing]
    crontab.write_text("".join(lines))
    with pytest.raises(Refused, match="only one of the lines"):
        placing_cron.install([job()])
    assert crontab.read_text() == "".join(lines)


def test_a_last_line_without_an_end_gets_one(crontab: Path) -> None:
    crontab.write_text("0 1 * * * mine")
    placing_cron.install([job()])
    assert crontab.read_text() == "0 1 * * * mine\n" + block(job())


def test_who_may_not_use_cron_is_told(crontab: Path) -> None:
    saying(crontab, 'echo "You (ada) are not allowed to use this program (crontab)" >&2')
    with pytest.raises(Refused, match=r"can't be read, and is left alone: You \(ada\) are not allowed"):
        placing_cron.install([job()])


def test_a_crontab_that_cannot_be_written_is_told(crontab: Path) -> None:
    saying(crontab, '[ "$1" = -l ] && exit 0; echo "/var/spool/cron: Permission denied" >&2')
    with pytest.raises(
        Refused, match="can't be written, and is as it was: /var/spool/cron: Permission denied"
    ):
        placing_cron.install([job()])


def test_a_machine_without_cron_is_told(crontab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.fspath(crontab.parent.parent))
    with pytest.raises(Refused, match=r"crontab can't be started .* is cron installed"):
        placing_cron.install([job()])

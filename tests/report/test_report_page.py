import html
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pytest
from searches import judged, search, with_losses

from archsearch.errors import StorageFull, StoreError
from archsearch.records import SpaceChange, Status
from archsearch.report import write_report

SCRIPT = "<script>alert('x')</script>"


def page_of(snapshot, folder, **options):
    return write_report(*judged(snapshot), folder / "page.html", **options).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def snapshot():
    return search()


@pytest.fixture(scope="module")
def page(snapshot, tmp_path_factory):
    return page_of(
        snapshot, tmp_path_factory.mktemp("report"), tracking_link="http://127.0.0.1:5000/#/experiments/1"
    )


def test_it_refers_to_nothing_outside(page):
    targets = re.findall(r'\b(?:href|src|srcset|action|data)\s*=\s*"([^"]*)"', page)
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert "@import" not in page
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


def test_the_tracking_link_is_text(page):
    assert "<code>http://127.0.0.1:5000/#/experiments/1</code>" in page


def test_what_the_audit_warned_of_is_repeated_as_text(snapshot, page, tmp_path):
    assert "What to know about the data" not in page
    warned = replace(snapshot, data=replace(snapshot.data, warnings=("16 samples are few.", SCRIPT)))
    text = page_of(warned, tmp_path)
    assert "What to know about the data" in text
    assert "<li>16 samples are few.</li>" in text
    assert SCRIPT not in text
    assert html.escape(SCRIPT).replace("&#x27;", "&#39;") in text


def test_edits_of_the_space_are_told_with_trial_time_and_words(snapshot, page, tmp_path):
    assert "Edits of the space" not in page
    first = SpaceChange(7, 1_795_000_060.0, ("families.dense.depth: 1 to 4 → 1 to 8", "families.cnn: new"))
    second = SpaceChange(15, 1_795_003_600.0, (f"architectures.{SCRIPT}: new",))
    text = page_of(replace(snapshot, changes=(first, second)), tmp_path)
    assert 'edited while it was searched, before trial 7, 15: <a href="#edits">' in text
    rows = text.partition('<h3 id="edits">')[2]
    assert re.findall(r'"Before trial">(\d+)</td><td data-label="When">([^<]+)<', rows) == [
        ("7", "2026-11-18 11:07 UTC"),
        ("15", "2026-11-18 12:06 UTC"),
    ]
    assert "families.dense.depth: 1 to 4 → 1 to 8<br>families.cnn: new</td>" in rows
    assert SCRIPT not in text


@pytest.mark.parametrize(
    ("status", "begun"),
    [("hours_reached", "2 begun, to go on at the next run"), ("running", "2 running")],
)
def test_a_search_without_a_trial_that_has_ended_says_so(tmp_path, status, begun):
    trials = tuple(replace(trial, status=Status.RUNNING, runs=(), score=None) for trial in search(2).trials)
    text = page_of(replace(search(2), status=status, total=9, trials=trials), tmp_path)
    assert f"2 trials of 9 planned in the families cnn and dense, {begun}." in text
    assert "No trial has ended yet." in text
    assert "what became of them" not in text


def test_every_link_in_the_page_has_its_target_once(page):
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_each_trial_appears_with_its_curves(page, snapshot):
    cards = re.findall(r'<article class="card.*?</article>', page, flags=re.DOTALL)
    assert len(cards) == len(snapshot.trials)
    assert all('class="curves"' in card for card in cards)
    assert all(html.escape(trial.architecture.notation) in html.unescape(page) for trial in snapshot.trials)


def test_verdicts_stand_in_words(page):
    assert '<span class="verdict not-converged">not converged</span>' in page
    assert '<span class="verdict overfit">overfit</span>' in page


def test_pruned_and_failed_trials_are_shown_with_their_reasons(page, snapshot):
    section = html.unescape(page[page.index('<section id="endings"') : page.index('<section id="reading"')])
    ended = [t for t in snapshot.trials if t.status.is_failure or t.status == "pruned"]
    assert ended
    for trial in ended:
        assert f'<a href="#trial-{trial.number}">' in section
        assert trial.runs[0].reason in section


def test_space_versions_and_command_are_there(page, snapshot):
    text = html.unescape(page)
    assert snapshot.space_text in text
    assert snapshot.command in text
    assert all(version in text for version in snapshot.versions.values())


def test_parameters_are_plain_integers(page, snapshot):
    assert all(f">{trial.parameters}<" in page for trial in snapshot.trials)


def test_the_same_search_gives_the_same_bytes(page, snapshot, tmp_path):
    again = page_of(snapshot, tmp_path, tracking_link="http://127.0.0.1:5000/#/experiments/1")
    assert again == page


def test_names_and_texts_are_escaped(snapshot, tmp_path):
    trial = snapshot.trials[0]
    failed = snapshot.trials[15]
    hostile = replace(
        snapshot,
        name=SCRIPT,
        space_text=f"name: {SCRIPT}",
        command=f"archsearch run {SCRIPT}",
        versions={SCRIPT: SCRIPT},
        data=replace(snapshot.data, source=SCRIPT, classes=(SCRIPT, "b")),
        references=tuple(replace(reference, name=f"{SCRIPT} $x$") for reference in snapshot.references),
        trials=(
            replace(trial, name=SCRIPT, architecture=replace(trial.architecture, family='dense" onclick="x')),
            replace(failed, runs=(replace(failed.runs[0], reason=SCRIPT),)),
        ),
    )
    text = page_of(hostile, tmp_path, tracking_link=SCRIPT)
    assert "<script>alert" not in text
    assert 'data-family="dense" onclick' not in text
    assert text.count("<script>") == 1


def test_odd_curves_are_drawn(tmp_path):
    snapshot = search(4, (("dense", "good"),))
    nan, inf = float("nan"), float("inf")
    losses = ([nan] * 40, [1.0, inf, 0.5] + [nan] * 37, [0.0] * 40, [1e300] * 40)
    trials = tuple(with_losses(trial, val) for trial, val in zip(snapshot.trials, losses, strict=True))
    text = write_report(replace(snapshot, trials=trials), {}, (), tmp_path / "odd.html").read_text()
    assert text.count('class="lost"') == 2
    assert not re.search(r'\bd="[^"]*(nan|inf)', text)


@pytest.mark.parametrize(
    ("trials", "plan"),
    [
        (0, (("dense", "good"),)),
        (3, (("dense", "pruned"),)),
        (3, (("cnn", "failed"),)),
        (1, (("dense", "good"),)),
    ],
    ids=["no trial", "only pruned", "only failed", "one trial"],
)
def test_small_searches_have_a_page(trials, plan, tmp_path):
    text = page_of(search(trials, plan), tmp_path)
    assert "</html>" in text
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(re.findall(r'\bid="([^"]+)"', text))


def test_one_epoch_has_a_page(tmp_path):
    snapshot = search(2, (("dense", "good"),), epochs=1)
    assert "h6" in write_report(snapshot, {}, (), tmp_path / "one.html").read_text(encoding="utf-8")


def test_five_hundred_trials_stay_below_five_megabytes(tmp_path):
    arguments = judged(search(500))
    begun = time.process_time()
    path = write_report(*arguments, tmp_path / "large.html")
    assert path.stat().st_size < 5_000_000
    assert time.process_time() - begun < 20  # 1.6 s on a quiet machine


def test_drawing_leaves_matplotlib_as_it_was(snapshot, tmp_path):
    before = dict(mpl.rcParams)
    page_of(snapshot, tmp_path)
    assert dict(mpl.rcParams) == before


def test_folders_are_made_and_nothing_else_is_left(snapshot, tmp_path):
    path = write_report(*judged(snapshot), tmp_path / "a" / "b" / "page.html")
    assert list(path.parent.iterdir()) == [path]


def test_an_unwritable_place_is_named(snapshot, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"can't write the report to .*file/page\.html"):
        write_report(*judged(snapshot), tmp_path / "file" / "page.html")


def test_a_failed_write_keeps_the_older_page(snapshot, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("older")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StorageFull, match="No space left"):
        write_report(*judged(snapshot), path)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_importing_the_room_loads_no_drawing_library():
    heavy = ("matplotlib", "seaborn", "pandas", "jinja2", "tensorflow", "keras", "mlflow", "sklearn")
    code = f"import sys, archsearch.report; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_drawing_loads_neither_keras_nor_mlflow(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from searches import judged, search\n"
        "from archsearch.report import write_report; write_report(*judged(search(2)), sys.argv[2])\n"
        "print([n for n in ('tensorflow', 'keras', 'mlflow', 'sklearn', 'optuna') if n in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "page.html")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_it_says_with_how_many_seeds_architectures_were_trained(page, tmp_path):
    assert "<dt>One seed, one split</dt>" in page
    snapshot = search(2, (("dense", "good"),))
    twice = [replace(trial, runs=(*trial.runs, replace(trial.runs[0], seed=8))) for trial in snapshot.trials]
    text = write_report(*judged(replace(snapshot, trials=tuple(twice))), tmp_path / "a.html").read_text()
    assert "<dt>2 seeds, one split</dt>" in text
    assert "One seed" not in text

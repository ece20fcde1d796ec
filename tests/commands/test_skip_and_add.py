"""``archsearch skip`` and ``archsearch add``: what is asked for, and what is refused with its reason."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from made_up import space, trial
from steered import at_work

from archsearch.architecture import Architecture, DenseBlock
from archsearch.cli import main
from archsearch.records import Status
from archsearch.space import named_recipe
from archsearch.study.steering import Add, Mailbox, Skip

STACK = Architecture("dense", (DenseBlock(128, 0.2), DenseBlock(64, 0.2)))


@pytest.fixture
def search(tmp_path):
    with at_work(tmp_path) as steered:
        yield steered


@pytest.fixture
def idle(tmp_path):
    with at_work(tmp_path, held=False, constraints={"parameters": 20_000}) as steered:
        yield steered


def run(search, *words):
    """The command's exit code, what it printed, and what it asked for."""
    name, *rest = words
    done = CliRunner().invoke(main, [name, "--store", str(search.store), "made-up", *rest])
    return done.exit_code, done.output, requests(search)


def requests(search):
    return [request for _, request in Mailbox(search.place.requests).take()]


# -- skip ----------------------------------------------------------------------------------------------------


def test_a_trial_that_is_trained_is_asked_to_end(search):
    search.start(0)
    code, said, asked = run(search, "skip", "0")
    assert (code, asked) == (0, [Skip(0)])
    assert said == "trial 0 of search made-up-1 ends at its epoch's end: dense 8 dropout 0.2\n"


def test_a_trial_that_waits_is_asked_not_to_begin(search):
    search.record.queue(trial(3), ())
    code, said, asked = run(search, "skip", "3")
    assert (code, asked) == (0, [Skip(3)])
    assert "trial 3 of search made-up-1 waits for a worker, and is not trained" in said


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("0", "trial 0 of search made-up-1 has ended already: completed, with the verdict not converged"),
        ("1", "trial 1 of search made-up-1 has ended already: out of memory"),
        ("7", "search made-up-1 has no trial 7: there are trials 0 to 1"),
    ],
)
def test_what_can_not_be_skipped_is_refused_with_what_is_the_case(search, number, why):
    search.end(0, verdict="not_converged")
    search.end(1, Status.OUT_OF_MEMORY, verdict="inconclusive")
    code, said, asked = run(search, "skip", number)
    assert (code, said, asked) == (2, f"archsearch: {why}\n", [])


def test_nothing_is_skipped_in_a_search_that_does_not_run(idle):
    assert run(idle, "skip", "0")[:2] == (2, "archsearch: search made-up-1 has no trial 0: it has none yet\n")
    idle.start(0)
    code, said, asked = run(idle, "skip", "0")
    assert (code, asked) == (2, [])
    assert said == "archsearch: search made-up-1 is not running: no trial can be skipped\n"


def test_trials_that_can_be_skipped_are_completed(search):
    search.end(1)
    search.start(10)
    search.record.queue(trial(11), ())
    complete = ShellComplete(main, {}, "archsearch", "_ARCHSEARCH_COMPLETE")
    words = ["skip", "--store", str(search.store), "made-up"]
    assert [item.value for item in complete.get_completions(words, "1")] == ["10", "11"]
    assert complete.get_completions([*words[:-1], "none"], "") == []


# -- add -----------------------------------------------------------------------------------------------------


def test_a_line_is_queued_as_the_architecture_that_it_says(search):
    code, said, asked = run(search, "add", "dense 128·64 dropout 0.2")
    assert (code, asked) == (0, [Add(STACK)])
    assert said == (
        "added to search made-up-1: dense 128·64 dropout 0.2 (17,226 parameters)\n"
        "It is trained next, as soon as a worker is free.\n"
    )


def test_where_no_process_runs_the_search_it_says_what_takes_it_up(idle):
    code, said, asked = run(idle, "add", "conv 4 3x3 max -> flatten -> dense 8")
    assert (code, len(asked)) == (0, 1)
    assert said.endswith(
        "No process runs the search now; the next run of it trains this first: archsearch run made-up.yaml\n"
    )


def test_what_takes_it_up_is_said_without_what_was_for_one_start_alone(idle):
    command = (
        "archsearch run 'my space.yaml' --trials 20 --hours 6 --until=05:45 --max-gpu-hours 2 "
        "--if-locked skip --min-free-gpu-memory 8GB --tracking later --log-format json "
        "--store /data --json --quiet"
    )
    idle.record.begin_session(command, 1, 20)
    _, said, _ = run(idle, "add", "dense 48")
    assert said.endswith("archsearch run 'my space.yaml' --trials 20 --tracking later --store /data\n")


@pytest.mark.parametrize("lines", [["dense 48"], ["dense 48", "dense 24"]])
def test_watch_and_status_say_that_it_waits(idle, lines):
    idle.record.end_session("finished", 0.0)
    for line in lines:
        run(idle, "add", line)
    (idle.place.requests / "no-request.json").write_text("{")
    watched = CliRunner().invoke(main, ["watch", "made-up", "--once", "--store", str(idle.store)]).output
    told = CliRunner().invoke(main, ["status", "--store", str(idle.store)], terminal_width=200).output
    known = CliRunner().invoke(main, ["status", "--json", "--store", str(idle.store)]).output
    waits = "2 added architectures wait for the next run" if len(lines) == 2 else "1 added architecture waits"
    assert waits in watched
    assert waits in " ".join(told.split())
    assert json.loads(known)["searches"][0]["added"] == len(lines)
    assert (idle.place.requests / "no-request.json").is_file()  # whoever looks changes nothing


def test_a_name_goes_with_it_and_may_be_used_once(search):
    search.start(0, name="taken")
    words = ["add", "made-up", "dense 128·64 dropout 0.2", "--store", str(search.store), "--name"]
    done = CliRunner().invoke(main, [*words, "taken"])
    assert done.exit_code == 2
    assert done.output == "archsearch: the name 'taken' is that of trial 0: give another one\n"
    assert CliRunner().invoke(main, [*words, "mine"]).exit_code == 0
    assert requests(search) == [Add(STACK, "mine")]


def test_a_name_that_waits_to_be_taken_up_is_taken(search):
    assert run(search, "add", STACK.notation, "--name", "mine")[0] == 0
    code, said, asked = run(search, "add", "dense 48", "--name", "mine")
    assert (code, asked) == (2, [Add(STACK, "mine")])
    assert said == (
        f"archsearch: the name 'mine' is that of {STACK.notation}, which was added before: give another one\n"
    )


def test_a_name_of_the_space_is_taken_before_its_turn_has_come(tmp_path):
    with at_work(tmp_path, architectures={"small": "dense 16"}) as search:
        code, said, asked = run(search, "add", STACK.notation, "--name", "small")
    assert (code, asked) == (2, [])
    assert said == "archsearch: the name 'small' is that of an architecture of the space: give another one\n"


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "x" * 81])
def test_a_name_is_one_line_that_a_table_has_room_for(search, name):
    code, said, asked = run(search, "add", STACK.notation, "--name", name)
    assert (code, asked) == (2, [])
    assert said == f"archsearch: --name {name!r}: a name is one line of at most 80 characters\n"
    assert run(search, "add", STACK.notation, "--name", "x" * 80)[0] == 0


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("dense 64 dropuot 0.3", "'dropuot' is not understood; did you mean dropout?"),
        ("dens 64", "'dens' begins no architecture; did you mean dense?"),
        ("dense 64 dropout 1.2", "the dropout must be below 1.0, not 1.2"),
        ("dense 0", "the width must be at least 1, not 0"),
        ("conv 4 9x9 valid max -> flatten", "conv.0: a valid 9×9 kernel on 8×8 pixels; set padding: same"),
        ("conv 4 3x3 -> dense 8", "the bridge is missing"),
        ("mine units=3", "'mine' begins no architecture: dense, conv or a family with a hypermodel does"),
        ("dense 512", "38,410 parameters; constraints.parameters allows 20,000"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_as_in_a_space(idle, line, why):
    code, said, asked = run(idle, "add", line)
    assert (code, asked) == (2, [])
    assert f"{line!r}: {why}" in said


@pytest.mark.parametrize("nothing", ["", "  "])
def test_an_empty_line_is_refused(idle, nothing):
    code, said, asked = run(idle, "add", nothing)
    assert (code, asked) == (2, [])
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (Status.COMPLETED, "completed, score 0.2500, good"),
        (Status.RUNNING, "it is being trained"),
        (Status.QUEUED, "it is queued"),
        (Status.SKIPPED, "skipped"),
    ],
)
def test_what_was_tried_is_refused_with_its_trial(search, status, how):
    tried = replace(trial(4), architecture=STACK, recipe=named_recipe(space().training))
    search.record.queue(tried, ())
    if status is not Status.QUEUED:
        search.record.start(tried)
    if status.has_ended:
        scored = {"score": 0.25, "verdict": "good", "delivered": "good"} if status.has_result else {}
        search.record.end_trial(replace(tried, status=status, **scored), None)
    code, said, asked = run(search, "add", STACK.notation)
    assert (code, asked) == (2, [])
    assert said == (f"archsearch: {STACK.notation}: trial 4 is the same with the same recipe: {how}\n")


def test_the_same_line_is_not_queued_twice(search):
    assert run(search, "add", STACK.notation)[0] == 0
    code, said, asked = run(search, "add", "dense 128-64 dropout 0.20")
    assert (code, asked) == (2, [Add(STACK)])
    assert said == f"archsearch: {STACK.notation} was added before: it is trained next\n"


def test_the_same_architecture_with_another_recipe_is_something_else(search):
    tried = replace(trial(0), recipe=replace(trial(0).recipe, batch_size=256))
    search.record.queue(tried, ())
    assert run(search, "add", tried.architecture.notation)[0] == 0


@pytest.mark.parametrize("words", [["watch"], ["skip", "0"], ["add", "dense 8"]])
def test_a_search_that_is_not_there_is_named(tmp_path, words):
    name, *rest = words
    done = CliRunner().invoke(main, [name, "nothing", *rest, "--store", str(tmp_path)])
    assert done.exit_code == 2
    assert "no search 'nothing' in store" in done.output


@pytest.mark.slow
def test_a_hypermodel_is_built_and_added_with_all_its_values(tmp_path, monkeypatch):
    """From the folder of the space's file, where the user's modules are."""
    families = {"mine": {"hypermodel": "hypermodels_of_a_user:Stack"}}
    with at_work(tmp_path, families=families, constraints={"parameters": 4_000}) as search:
        monkeypatch.chdir(Path(__file__).parent.parent)
        code, said, (added,) = run(search, "add", "mine units=48")
        assert code == 0, said
        too_large = run(search, "add", "mine units=64")
        monkeypatch.chdir(tmp_path)
        no_such_module = run(search, "add", "mine units=48")
    assert added.architecture.family == "mine"
    assert dict(added.architecture.values) == {"units": 48, "activation": "relu", "rate": 1e-3}
    assert no_such_module[0] == 2
    assert no_such_module[1].endswith("; run this in the folder of the search's space file\n")
    assert too_large[0] == 2
    assert "4,810 parameters; constraints.parameters allows 4,000" in too_large[1]

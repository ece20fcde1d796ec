"""A real Slurm tells searches to stop, starts them again, and lets them finish.

``make test-slurm`` runs this. The scripts are those that ``archsearch schedule slurm`` prints.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from one_node import Slurm, wait_for
from real_command import run

from archsearch.records import Status, TrialResult
from archsearch.study import Record

SPACE = """\
name: {name}
data: digits
families:
  dense: {{depth: {{low: 1, high: 3}}, narrowest: 16, widest: [32, 64], dropout: [0.0, 0.3]}}
training: {{epochs: {epochs}, batch_size: 64}}
search: {{trials: {trials}, pruner: none, seed: 0}}
execution: {{workers: 1}}
"""
TRIALS = 6
INTERRUPTED, FINISHED = ("interrupted", 75), ("finished", 0)

# For a log in it, sbatch has to read quotes and signs of percent as we mean them.
ODD = """it's 100 % "mine" #1"""


def script_for(folder: Path, *names: str, epochs: int = 30) -> Path:
    """What the command prints for searches of these names, in a file."""
    for name in names:
        text = SPACE.format(name=name, trials=TRIALS, epochs=epochs)
        (folder / f"{name}.yaml").write_text(text)
    printed = run("schedule", "slurm", *(f"{name}.yaml" for name in names), cwd=folder)
    assert printed.returncode == 0, printed.stderr
    (folder / "search.sbatch").write_text(printed.stdout)
    return folder / "search.sbatch"


def trials(folder: Path, name: str) -> Sequence[TrialResult]:
    records = list(folder.glob(f"mlruns/searches/{name}-*/record.sqlite"))
    if not records:
        return ()
    with Record.open(records[0], read_only=True) as record:
        return record.trials()[0]


def ended(folder: Path, name: str) -> dict[int, TrialResult]:
    return {trial.number: trial for trial in trials(folder, name) if trial.status.has_ended}


def wait_until_in_the_midst(folder: Path, name: str, trials_ended: int) -> None:
    """Wait until so many trials have ended, and another one is being trained."""

    def is_in_the_midst() -> bool:
        under_way = [trial for trial in trials(folder, name) if trial.status is Status.RUNNING and trial.runs]
        return len(ended(folder, name)) >= trials_ended and any(trial.runs[0].epochs for trial in under_way)

    wait_for(is_in_the_midst, 600, lambda: log(folder)[-2000:])


def log(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.glob("*.log")))


def ends(folder: Path, name: str) -> list[tuple[str, int]]:
    """How each start of a search has ended, in its own words."""
    events = [json.loads(line) for line in log(folder).splitlines() if line.startswith('{"event"')]
    stops = [event for event in events if event["event"] == "search_stopped"]
    return [(stop["reason"], stop["exit_code"]) for stop in stops if stop["search"].startswith(f"{name}-")]


def require_each_trial_once(folder: Path, name: str, before: dict[int, TrialResult]) -> None:
    """All trials are there, with each epoch once, and those that had ended are as they were."""
    after = trials(folder, name)
    assert [trial.number for trial in after] == list(range(TRIALS))
    assert {trial.status for trial in after} == {Status.COMPLETED}
    for trial in after:
        (training,) = trial.runs
        assert [epoch.epoch for epoch in training.epochs] == list(range(1, len(training.epochs) + 1))
    for number, trial in before.items():
        assert after[number].runs[0].epochs == trial.runs[0].epochs


def test_a_search_that_is_told_to_stop_starts_again_and_repeats_no_training(
    slurm: Slurm, tmp_path: Path
) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    number = slurm.submit(script_for(folder, "one"))
    wait_until_in_the_midst(folder, "one", trials_ended=2)
    told = time.monotonic()
    slurm("scancel", "--batch", "--signal=TERM", number)
    slurm.wait_for_restart(number, 30)
    took = time.monotonic() - told
    assert ends(folder, "one") == [INTERRUPTED]
    before = ended(folder, "one")
    assert 2 <= len(before) < TRIALS
    slurm.let_start(number)
    job = slurm.wait(number, "COMPLETED")
    assert (job["ExitCode"], job["Restarts"]) == ("0:0", "1")
    assert ends(folder, "one") == [INTERRUPTED, FINISHED]
    require_each_trial_once(folder, "one", before)
    print(f"\ntold to stop, {took:.1f} s later back in the queue; {len(before)} trials before it, "
          f"{TRIALS - len(before)} after, none repeated")  # fmt: skip


def test_of_an_array_only_the_element_that_is_told_to_stop_starts_again(slurm: Slurm, tmp_path: Path) -> None:
    number = slurm.submit(script_for(tmp_path, "left", "right"))
    last = f"{number}_1"
    for name in ("left", "right"):
        wait_until_in_the_midst(tmp_path, name, trials_ended=1)
    assert slurm.job(last)["JobId"] == number  # so its own number would stand for both elements
    slurm("scancel", "--batch", "--signal=TERM", last)
    slurm.wait_for_restart(last, 30)
    before = ended(tmp_path, "right")
    slurm.let_start(last)
    restarts = [slurm.wait(f"{number}_{element}", "COMPLETED")["Restarts"] for element in (0, 1)]
    assert restarts == ["0", "1"]
    require_each_trial_once(tmp_path, "left", {})
    require_each_trial_once(tmp_path, "right", before)
    assert ends(tmp_path, "left") == [FINISHED]
    assert ends(tmp_path, "right") == [INTERRUPTED, FINISHED]
    print(f"\ntwo searches in one array; element 1 was told to stop after {len(before)} trials and went on")


def test_a_search_whose_time_is_up_starts_again_until_somebody_cancels_it(
    slurm: Slurm, tmp_path: Path
) -> None:
    number = slurm.submit("--time=2", script_for(tmp_path, "long", epochs=100_000))
    slurm.wait_for_restart(number, 240)
    assert ends(tmp_path, "long") == [INTERRUPTED]
    slurm.let_start(number)
    wait_for(lambda: log(tmp_path).count('"search_started"') == 2, 120, lambda: log(tmp_path)[-2000:])
    slurm("scancel", number)
    job = slurm.wait(number, "CANCELLED", seconds=30)
    assert (job["ExitCode"], job["Restarts"]) == ("75:0", "1")
    assert ends(tmp_path, "long") == [INTERRUPTED, INTERRUPTED]
    assert slurm("squeue", "--noheader", f"--jobs={number}", "--states=PENDING,RUNNING") == ""
    print("\ntold to stop before its time was up, back in the queue; cancelled, and gone")

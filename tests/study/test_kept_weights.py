"""Whose weights stay on disk."""

from made_up import trial

from archsearch.records import Status, TrainingRun
from archsearch.study.kept import best, remove, superfluous


def ended(number, score, verdict="good", *, status=Status.COMPLETED, seeds=1, model=True):
    runs = tuple(
        TrainingRun(seed, Status.COMPLETED, model=f"{number}-{seed}.keras" if model else None)
        for seed in range(seeds)
    )
    return trial(number, status, runs=runs, score=score, verdict=verdict, delivered=verdict)


def test_the_best_of_the_ranking_and_the_best_by_score_are_kept():
    trials = [
        ended(0, 0.1, "overfit"),
        ended(1, 0.2, "overfit"),
        ended(2, 0.3, "overfit"),
        ended(3, 0.5),
        ended(4, 0.4),
        ended(5, 0.6),
    ]
    assert superfluous(trials, 2) == [2, 5]
    assert superfluous(trials, 1) == [1, 2, 3, 5]
    assert superfluous(trials, 6) == []


def test_of_equal_scores_the_earlier_is_kept():
    assert superfluous([ended(2, 0.1), ended(1, 0.1), ended(0, 0.1)], 1) == [2, 1]


def test_weights_of_trials_without_a_result_are_not_kept():
    lost = ended(1, None, None, status=Status.FAILED, seeds=2)
    assert superfluous([ended(0, 0.5), lost], 3) == [1]


def test_only_trials_that_ended_and_have_weights_are_named():
    running = ended(1, None, None, status=Status.RUNNING)
    assert superfluous([ended(0, 0.1), running, ended(2, 0.9, model=False), ended(3, 0.8)], 1) == [3]


def test_files_of_all_seeds_are_removed_and_missing_ones_are_fine(tmp_path):
    two = ended(4, 0.5, seeds=3)
    for name in ("4-0.keras", "4-2.keras", "5-0.keras"):
        (tmp_path / name).write_bytes(b"")
    remove(tmp_path, two)
    assert [path.name for path in tmp_path.iterdir()] == ["5-0.keras"]
    remove(tmp_path, two)
    remove(tmp_path / "gone", two)
    remove(tmp_path, ended(5, 0.5, model=False))
    assert (tmp_path / "5-0.keras").exists()


def test_the_best_of_the_ranking_come_first_and_what_was_not_judged_last():
    trials = [
        ended(0, 0.1, "overfit"),
        ended(1, 0.4),
        ended(2, 0.3),
        trial(3, Status.COMPLETED, score=0.01),
        trial(4, Status.FAILED),
    ]
    assert [best(trials, keep) for keep in (1, 2, 3, 4, 9)] == [
        {2},
        {1, 2},
        {0, 1, 2},
        {0, 1, 2, 3},
        {0, 1, 2, 3},
    ]

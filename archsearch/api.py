"""archsearch from Python; each function loads what it needs when it is called."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from os import PathLike

    from archsearch.commands.result import SearchResult
    from archsearch.diagnosis import Diagnosis
    from archsearch.space import SearchSpace


def run(
    space: "SearchSpace | Mapping[str, Any] | str | PathLike[str]",
    *,
    trials: int | None = None,
    hours: float | None = None,
    until: str | None = None,
    max_gpu_hours: float | None = None,
    if_locked: Literal["fail", "skip", "wait"] = "fail",
    workers: 'int | Literal["auto"] | None' = None,
    gpus: 'int | Literal["all"] | None' = None,
    min_free_gpu_memory: float | str | None = None,
    keep: int | None = None,
    store: "str | PathLike[str]" = "mlruns",
    new: bool = False,
    continue_: bool = False,
    tracking_uri: str | None = None,
    tracking: Literal["now", "later"] = "now",
    reports: "str | PathLike[str]" = "reports",
    quiet: bool = False,
) -> "SearchResult":
    """Search a space and rank what was found, as ``archsearch run`` does.

    Training happens in processes of its own: this works in notebooks and in scripts without a ``__main__``
    guard. The same call again goes on where the last one stopped.

    Parameters
    ----------
    space : SearchSpace, mapping, str or path
        A space, its words as plain values, a YAML file's path, or the name of a bundled space.
    trials : int, optional
        The search's new total.
    hours : float, optional
        Stop after this long.
    until : str, optional
        Stop at this time, such as ``"06:00"``, the next one, or ``"2026-12-01 06:00 Europe/Berlin"``.
    max_gpu_hours : float, optional
        Stop after so many hours times GPUs in use.
    if_locked : str
        Where another process runs the search: ``"fail"`` and ``"skip"`` raise an error, ``"wait"`` waits
        until it is free, within `hours` and `until`.
    workers : int or str, optional
        Trainings at the same time; 0 in this process, ``"auto"`` as the machine allows. Else as the space
        says, and so with the next two.
    gpus : int or str, optional
        GPUs to use of those that are visible, or ``"all"``; 0 for the CPU.
    min_free_gpu_memory : float or str, optional
        Use only GPUs with so much free memory, those with most of it first: ``8`` and ``"8GB"`` are 8 · 10⁹
        bytes.
    keep : int, optional
        Trials whose weights are kept.
    store : str or path
        Folder of records, models and MLflow's database.
    new : bool
        Start another search even if this space has one.
    continue_ : bool
        Go on with the search of this name although the space was edited.
    tracking_uri : str, optional
        MLflow's tracking server; else ``MLFLOW_TRACKING_URI``, else the store's own database.
    tracking : str
        ``"later"`` doesn't need MLflow until the search has ended.
    reports : str or path
        Folder of the HTML report.
    quiet : bool
        Show no progress.

    Returns
    -------
    SearchResult
        With the `ranking` as a pandas DataFrame.

    Raises
    ------
    archsearch.errors.Refused
        If the space, the data, the store or MLflow can't be used.
    archsearch.errors.SearchLocked
        If another process runs this search.
    archsearch.errors.SearchSkipped
        A kind of it: likewise, with `if_locked` ``"skip"``, or where the time was up before it was free.
    archsearch.errors.GpusBusy
        If other processes use too much of the GPUs' memory for `min_free_gpu_memory`.
    archsearch.errors.StorageFull
        If the disk is full; what was recorded is safe.
    """
    from archsearch.commands.options import Options
    from archsearch.commands.progress import progress
    from archsearch.commands.run import run_search
    from archsearch.commands.spaces import read_space
    from archsearch.commands.until import moment

    options = Options(
        trials=trials,
        hours=hours,
        until=None if until is None else moment(until),
        max_gpu_hours=max_gpu_hours,
        if_locked=if_locked,
        workers=workers,
        gpus=gpus,
        min_free_gpu_memory=min_free_gpu_memory,
        keep=keep,
        store=Path(store),
        new=new,
        continue_=continue_,
        tracking_uri=tracking_uri,
        tracking=tracking,
        reports=Path(reports),
    )
    with progress(quiet=quiet) as notify:
        return run_search(read_space(space), options, notify)


def diagnose(history: object, **context: Any) -> "Diagnosis":
    """Judge one training by its loss curves, whatever recorded them.

    Parameters
    ----------
    history : Keras History, mapping of str to list, pandas DataFrame, Curves, str or path
        What ``model.fit`` returns, or its ``history``; columns as `archsearch diagnose` reads them; or a file
        of one curve. Without epoch numbers the values are one epoch each, in their order.
    **context
        What is known besides, by the names of `archsearch.diagnosis.Context`: `n_val`, `prior_entropy`,
        `reference_loss` and so on. It counts before what `history` says.

    Returns
    -------
    Diagnosis

    Raises
    ------
    archsearch.errors.DataError
        If `history` is none of these or can't be judged, or a word of `context` is unknown.
    """
    from archsearch.diagnosis import diagnose as judge
    from archsearch.histories import recorded

    curve = recorded(history, **context)
    return judge(curve.curves, curve.context)

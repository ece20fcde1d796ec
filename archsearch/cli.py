"""The command line: words in, exit code out.

Every command imports what it needs inside: ``--help`` loads none of it.
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from archsearch import __version__
from archsearch.errors import ArchsearchError, DataError, ExitCode, SpaceError, is_full

EXIT_CODES = """\b
Exit codes:
  0   finished, nothing to do, or a bound you set was reached (the status says which)
  1   a defect of archsearch
  2   refused before training: the space, the data, the store, MLflow, or the command line
  3   only with --require-good: no model is good
  4   every trial failed, or the last ones all for the same reason
  75  interrupted by a signal or a full disk; everything is saved
  99  another process holds this search
"""


ONCE = ("--new", "--continue")
"""Flags of a command that are none of what repeats it."""


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SpaceError, DataError) as error:
            # A line begins with file:line:column, which editors and terminals make a link of.
            click.echo(str(error), err=True)
            ctx.exit(error.exit_code)
        except ArchsearchError as error:
            click.echo(f"archsearch: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("archsearch: interrupted; everything recorded is saved", err=True)
            ctx.exit(ExitCode.INTERRUPTED)
        except BrokenPipeError:
            raise  # click ends quietly where nobody reads on, as in `archsearch diagnose … | head`
        except OSError as error:
            # Files that the user named or the disk they lie on; a defect would be another kind.
            click.echo(f"archsearch: {error.filename or ''}: {error.strerror}", err=True)
            ctx.exit(ExitCode.INTERRUPTED if is_full(error) else ExitCode.REFUSED)


class _NumberOr(click.ParamType):  # type: ignore[type-arg]  # generic in later versions only
    """A whole number, or one word in its place."""

    def __init__(self, word: str) -> None:
        self.name = f"integer or {word}"
        self._word = word

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's
        return f"N|{self._word}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == self._word:
            return self._word
        if not str(value).isdecimal():
            self.fail(f"{value!r} is neither a whole number nor {self._word}.", param, ctx)
        return int(value)


def _spaces(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    from click.shell_completion import CompletionItem

    from archsearch.resources import bundled_spaces

    names = [CompletionItem(name) for name in bundled_spaces() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


def _bundled(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from archsearch.resources import bundled_spaces

    return [name for name in bundled_spaces() if name.startswith(incomplete)]


def _searches(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from archsearch.study.store import Store

    store = Store(Path(ctx.params.get("store") or "mlruns"))
    return [place.id for place in store.searches() if place.id.startswith(incomplete)]


def _not_empty(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.BadParameter("it is empty; give a name.")
    return value


def _unended_trials(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from archsearch.commands.skip import unended_trials
    from archsearch.study.store import Store

    try:
        place = Store(Path(ctx.params.get("store") or "mlruns")).find(ctx.params.get("search") or "")
        numbers = unended_trials(place)
    except ArchsearchError:
        return []
    return [str(number) for number in numbers if str(number).startswith(incomplete)]


_store = click.option(
    "--store", type=click.Path(path_type=Path, file_okay=False), default=Path("mlruns"), show_default=True,
    help="Folder of records, models and MLflow's database.",
)  # fmt: skip
_tracking_uri = click.option(
    "--tracking-uri", metavar="URI",
    help="MLflow's tracking server or database  [default: $MLFLOW_TRACKING_URI, else the store's own].",
)  # fmt: skip


@click.group(cls=_Group, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archsearch")
def main() -> None:
    """Search Keras architectures and learn why one is better.

    \b
    Examples:
      archsearch run digits                 search a bundled space
      archsearch init PATH/TO/IMAGES        write a space for your own images
      archsearch check --data space.yaml    is it valid, what does it span, are the data sound?
      archsearch run space.yaml --hours 2   search it, at most two hours
      archsearch watch space                see how it goes on, from another terminal
      archsearch report digits              write the report again
      archsearch ui                         open MLflow on the store
      archsearch diagnose training.log      judge loss curves that you have
    """


@main.command(epilog=EXIT_CODES)
@click.argument("space", shell_complete=_spaces)
@click.option(
    "--trials", type=click.IntRange(min=1), help="The search's new total; extends a finished search."
)
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop after this long; the same command goes on.",
)
@click.option(
    "--max-gpu-hours",
    type=click.FloatRange(min=0, min_open=True),
    help="Stop after so many hours times GPUs in use.",
)
@click.option(
    "--workers", type=_NumberOr("auto"),
    help="Trainings at the same time; 0: in this process  [default: the space's, else auto].",
)  # fmt: skip
@click.option(
    "--gpus", type=_NumberOr("all"),
    help="GPUs to use of those that are visible; 0: the CPU  [default: the space's, else all].",
)  # fmt: skip
@click.option(
    "--keep", type=click.IntRange(min=1),
    help="Trials whose weights are kept, the best so many  [default: the space's, else 10].",
)  # fmt: skip
@_store
@click.option("--new", is_flag=True, help="Start another search even if this space has one.")
@click.option(
    "--continue", "continue_", is_flag=True, help="Go on with the search of this name with an edited space."
)
@_tracking_uri
@click.option(
    "--tracking", type=click.Choice(["now", "later"]), default="now", show_default=True,
    help="later: search without waiting for MLflow, mirror when the search has ended.",
)  # fmt: skip
@click.option("--require-good", is_flag=True, help="Exit with 3 if no model is good.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line of stdout.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def run(
    space: str,
    trials: int | None,
    hours: float | None,
    max_gpu_hours: float | None,
    workers: int | str | None,
    gpus: int | str | None,
    keep: int | None,
    store: Path,
    new: bool,
    continue_: bool,
    tracking_uri: str | None,
    tracking: Any,
    require_good: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Search SPACE, a YAML file or the name of a bundled space, and rank what was found.

    The same command again goes on where it stopped, whatever stopped it.

    \b
    Examples:
      archsearch run digits
      archsearch run space.yaml --trials 50       50 trials in all, those done before included
      archsearch run space.yaml --workers 4       four trainings at a time
      archsearch run space.yaml --continue        the space was edited since
      archsearch run space.yaml --json --quiet    for scripts
    """
    from archsearch.commands.interrupts import Interrupts

    interrupts = click.get_current_context().with_resource(Interrupts(owns_process=True))

    from archsearch.commands.options import Options
    from archsearch.commands.progress import progress
    from archsearch.commands.run import run_search
    from archsearch.commands.show import show, ui_command
    from archsearch.commands.spaces import read_space

    options = Options(
        trials=trials,
        hours=hours,
        max_gpu_hours=max_gpu_hours,
        workers=workers,
        gpus=gpus,
        keep=keep,
        store=store,
        new=new,
        continue_=continue_,
        tracking_uri=tracking_uri,
        tracking=tracking,
        command=shlex.join(["archsearch", *(word for word in sys.argv[1:] if word not in ONCE)]),
    )
    parsed = read_space(space)
    with progress(quiet=quiet) as notify:
        result = run_search(parsed, options, notify, interrupts)
    for note in result.notes:
        click.echo(f"archsearch: {note}", err=True)
    if as_json:
        click.echo(json.dumps(result.to_json(), ensure_ascii=False, allow_nan=False))
    else:
        show(result, ui_command(result, store, tracking_uri))
    sys.exit(result.exit_code(require_good=require_good))


@main.command()
@click.argument("search", shell_complete=_searches)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file  [default: reports/NAME.html].",
)
@_store
def report(search: str, output: Path | None, store: Path) -> None:
    """Write the HTML report of SEARCH: a name, an id, or a record's path.

    \b
    Examples:
      archsearch report digits
      archsearch report digits-1f0c2a9b --output today.html
    """
    from archsearch.commands.report import redraw
    from archsearch.study.store import Store

    click.echo(redraw(Store(store).find(search), output))


@main.command("list")
@_store
def list_(store: Path) -> None:
    """List the searches in a store: how far, and the best so far.

    \b
    Examples:
      archsearch list
      archsearch list --store /data/searches
    """
    from archsearch.commands.listing import show_searches
    from archsearch.study.store import Store

    faults = show_searches(Store(store))
    for fault in faults:
        click.echo(f"archsearch: {fault}", err=True)
    sys.exit(ExitCode.REFUSED if faults else ExitCode.FINISHED)


@main.command()
@click.argument("search", shell_complete=_searches)
@click.option("--once", is_flag=True, help="Show how it stands now, and return.")
@_store
def watch(search: str, once: bool, store: Path) -> None:
    """Show how SEARCH goes on, wherever it runs.

    What each worker trains, how fast, the best so far, the time left. Nothing is touched: it ends with the
    search or with Ctrl-C, which leaves the search running. On a terminal the picture is live, elsewhere a
    block is printed every ten seconds.

    \b
    Examples:
      archsearch watch digits
      archsearch watch digits --once
      archsearch watch digits-1f0c2a9b --store /data/searches
    """
    from archsearch.commands.watch import watch as watch_search
    from archsearch.study.store import Store

    watch_search(Store(store).find(search), once=once)


@main.command()
@click.argument("search", shell_complete=_searches)
@click.argument("trial", type=click.IntRange(min=0), shell_complete=_unended_trials)
@_store
def skip(search: str, trial: int, store: Path) -> None:
    """End TRIAL of the running SEARCH early.

    It ends at its epoch's end and is recorded as skipped. One that waits for a worker is not trained at
    all. A skipped trial counts as one of the search's trials; the sampler learns nothing from it.

    \b
    Examples:
      archsearch skip digits 17
      archsearch skip digits-1f0c2a9b 3 --store /data/searches
    """
    from archsearch.commands.skip import skip_trial
    from archsearch.study.store import Store

    skip_trial(Store(store).find(search), trial)


@main.command()
@click.argument("search", shell_complete=_searches)
@click.argument("architecture")
@click.option("--name", metavar="NAME", callback=_not_empty, help="What tables and reports call it.")
@_store
def add(search: str, architecture: str, name: str | None, store: Path) -> None:
    """Train ARCHITECTURE next in SEARCH.

    It comes on top of the search's trials. ARCHITECTURE is one line, as archsearch prints them everywhere
    and as `architectures:` of a space takes them. It is trained with the recipe of named architectures.
    Where no process runs the search, the next run of it takes it up.

    \b
    Examples:
      archsearch add digits 'dense 128·64 dropout 0.2'
      archsearch add digits 'conv 16·32 3x3 max -> flatten -> dense 64' --name small
      archsearch add mine 'my_family units=64 activation="relu"'
    """
    from archsearch.commands.add import add_architecture
    from archsearch.study.store import Store

    add_architecture(Store(store).find(search), architecture, name)


@main.command()
@click.argument("space", shell_complete=_spaces)
@click.option("--data", "with_data", is_flag=True, help="Load the data and audit them.")
@_store
def check(space: str, with_data: bool, store: Path) -> None:
    """Say whether SPACE is valid, what it spans, and show some of its architectures.

    Once SPACE has been searched in the store, also how long a search takes. With --data the data are
    loaded and audited: unreadable files, duplicates and groups across splits, small validation sets,
    unequal classes. Leaks between splits are an error, exit code 2, unless the space allows them.

    \b
    Examples:
      archsearch check digits
      archsearch check --data space.yaml
    """
    from archsearch.commands.check import show_space
    from archsearch.commands.spaces import read_space

    parsed = read_space(space)
    show_space(parsed, space, store)
    if with_data:
        from archsearch.commands.audit import show_audit

        show_audit(parsed)


@main.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("space.yaml"),
    show_default=True,
    help="The file to write; one that is there is never replaced.",
)
def init(folder: Path | None, output: Path) -> None:
    """Write a commented starter space, fitted to the images in FOLDER.

    FOLDER holds a folder of images for each class, or train, val and test with such folders in them.
    Without FOLDER the starter is for the bundled digits. Beside it lies archsearch.schema.json, by which
    editors complete and check the words.

    \b
    Examples:
      archsearch init photos
      archsearch init photos --output spaces/photos.yaml
      archsearch init
    """
    from archsearch.commands.init import write_starter

    if folder is None and sys.stdin.isatty():
        answer = click.prompt(
            "Folder of images (empty: the bundled digits)", default="", show_default=False, err=True
        )
        folder = Path(answer).expanduser() if answer else None
    write_starter(folder, output)


@main.command()
def schema() -> None:
    """Print the JSON Schema of search spaces, for editors.

    An editor with a YAML language server then completes words, describes them and marks faults. Save the
    schema and name it in the first line of a space, as `archsearch init` does:

    \b
    Examples:
      archsearch schema > archsearch.schema.json
      # yaml-language-server: $schema=archsearch.schema.json

    \b
    Or, in the settings of Visual Studio Code's YAML extension:
      "yaml.schemas": {"./archsearch.schema.json": "spaces/*.yaml"}
    """
    from archsearch.commands.schema_ import schema_text

    click.echo(schema_text(), nl=False)


@main.command()
@click.argument("name", required=False, shell_complete=_bundled)
def spaces(name: str | None) -> None:
    """List the bundled spaces, or print the one called NAME.

    \b
    Examples:
      archsearch spaces
      archsearch spaces image_folder > space.yaml
    """
    from archsearch.commands.spaces import list_spaces, print_space

    if name is None:
        list_spaces()
    else:
        print_space(name)


@main.command()
@click.argument("curves", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True,
    help="table: for people; json, csv: for programs.",
)  # fmt: skip
@click.option(
    "--mlflow", metavar="URI", callback=_not_empty, help="Judge an experiment's runs in this MLflow, too."
)
@click.option("--experiment", metavar="NAME", callback=_not_empty, help="The experiment in MLflow.")
@click.option(
    "--train-metric", metavar="NAME", callback=_not_empty,
    help="The runs' metric of the train loss.  [default: loss]",
)  # fmt: skip
@click.option(
    "--val-metric", metavar="NAME", callback=_not_empty,
    help="The runs' metric of the validation loss.  [default: val_loss]",
)  # fmt: skip
@click.option("--tag", is_flag=True, help="Write verdict and confidence to the runs as tags.")
def diagnose(
    curves: tuple[Path, ...],
    form: Any,
    mlflow: str | None,
    experiment: str | None,
    train_metric: str | None,
    val_metric: str | None,
    tag: bool,
) -> None:
    """Judge loss CURVES that any program recorded: good, overfit, underfit, not converged and so on.

    CURVES are files: CSV or Parquet with the columns epoch, train_loss (or loss) and val_loss, with a column
    curve where there are several; what Keras' CSVLogger writes; or its History.history as JSON. What can't be
    judged is said on stderr, the rest is judged, and the exit code is 2.

    \b
    Examples:
      archsearch diagnose training.log
      archsearch diagnose runs/*.csv --format csv > verdicts.csv
      archsearch diagnose history.json --format json
      archsearch diagnose --mlflow http://localhost:5000 --experiment mnist --tag
    """
    if not curves and mlflow is None:
        raise click.UsageError("Name files of curves, or an experiment with --mlflow and --experiment.")
    if (mlflow is None) != (experiment is None):
        raise click.UsageError("--mlflow and --experiment belong together.")
    about_runs = {"--tag": tag, "--train-metric": train_metric, "--val-metric": val_metric}
    given = [option for option, value in about_runs.items() if value]
    if given and mlflow is None:
        raise click.UsageError(
            f"{given[0]} is for the runs of an experiment: give --mlflow and --experiment."
        )

    from archsearch.commands.diagnose import Experiment, diagnose_all

    metrics = train_metric or "loss", val_metric or "val_loss"
    runs = Experiment(mlflow, experiment, *metrics, tag) if mlflow and experiment else None
    sys.exit(ExitCode.FINISHED if diagnose_all(curves, runs, form) else ExitCode.REFUSED)


@main.command(context_settings={"ignore_unknown_options": True})
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True)
@_store
@_tracking_uri
@click.argument("mlflow_options", nargs=-1, type=click.UNPROCESSED)
def ui(port: int, store: Path, tracking_uri: str | None, mlflow_options: tuple[str, ...]) -> None:
    """Open MLflow's own user interface on the store, on 127.0.0.1, until Ctrl-C.

    Options that archsearch does not know go to `mlflow server`.

    \b
    Examples:
      archsearch ui
      archsearch ui --port 5001 --store /data/searches
    """
    from archsearch.commands.ui import open_ui

    open_ui(store, tracking_uri, port, mlflow_options)

"""The command line: words in, exit code out.

Every command imports what it needs inside: ``--help`` loads none of it.
"""

import json
import shlex
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from archsearch import __version__
from archsearch.commands.lines import INTERRUPTED, PREFIX
from archsearch.errors import ArchsearchError, DataError, ExitCode, SearchSkipped, SpaceError, is_full
from archsearch.parameters import (
    KINDS,
    Duration,
    Folder,
    Hours,
    Kind,
    Number,
    NumberOr,
    bundled_completed,
    not_empty,
    searches_completed,
    spaces_completed,
    trials_completed,
)

if TYPE_CHECKING:
    from archsearch.commands.lines import JsonLines

EXIT_CODES = """\b
Exit codes:
  0   finished, nothing to do, a bound you set was reached, or left to another process by --if-locked
      (the status says which)
  1   a defect of archsearch
  2   refused before training: the space, the data, the store, MLflow, or the command line
  3   only with --require-good: no model is good
  4   every trial failed, or the last ones all for the same reason
  75  interrupted by a signal or a full disk; everything is saved
  99  another process holds this search, or the memory of the GPUs
"""


STATUS_CODES = """\b
Exit codes, the worst of all searches shown:
  0   nothing needs attention
  2   the store or a record can't be read; with --since also: no search was worked on
  4   a search has failed
  75  a search was interrupted or killed, and nobody runs it
"""

SCHEDULE_CODES = """\b
Exit codes:
  0   printed, put in place or taken away; also where a job to take away is not there, which is said
  2   refused: the command line, a space, a file of jobs, or the scheduler
  75  interrupted by a signal or a full disk
"""

ONCE = ("--new", "--continue")
"""Flags of a command that are none of what repeats it."""


MEANT = {
    "show": "watch, report or list", "ls": "list", "ps": "status", "start": "run", "search": "run",
    "resume": "run, which goes on by itself", "continue": "run, which goes on by itself",
    "stop": "Ctrl-C or kill, which save everything", "validate": "check", "clean": "prune",
    "cron": "schedule cron",
}  # fmt: skip
"""What whoever types another program's word for a command is after."""


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        if not _wants_json(ctx.args):
            return self._invoke(ctx)
        from archsearch.commands.lines import json_lines

        ctx.obj = lines = ctx.with_resource(json_lines())
        try:
            return self._invoke(ctx)
        except click.ClickException as error:
            lines.error(error.format_message(), error.exit_code)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            lines.stopped("interrupted", INTERRUPTED, ExitCode.INTERRUPTED)
            ctx.exit(ExitCode.INTERRUPTED)
        except (click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception:
            lines.error(traceback.format_exc(), ExitCode.DEFECT)
            ctx.exit(ExitCode.DEFECT)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if args[0] not in MEANT:
                raise  # click knows words that are close
            raise click.UsageError(f"{error.message} Did you mean {MEANT[args[0]]}?", ctx) from None

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SpaceError, DataError) as error:
            # A line begins with file:line:column, which editors and terminals make a link of.
            _fail(ctx, str(error), error.exit_code)
        except ArchsearchError as error:
            _fail(ctx, f"archsearch: {error}", error.exit_code)
        except KeyboardInterrupt:
            if ctx.obj is not None:
                raise
            _fail(ctx, f"{PREFIX}{INTERRUPTED}", ExitCode.INTERRUPTED)
        except BrokenPipeError:
            raise  # click ends quietly where nobody reads on, as in `archsearch diagnose … | head`
        except OSError as error:
            # Files that the user named or the disk they lie on; a defect would be another kind.
            code = ExitCode.INTERRUPTED if is_full(error) else ExitCode.REFUSED
            _fail(ctx, f"archsearch: {error.filename or ''}: {error.strerror}", code)


def _wants_json(words: Sequence[str]) -> bool:
    """Whether a command is to log JSON, also where it is otherwise not understood."""
    return "--log-format=json" in words or ("--log-format", "json") in pairwise(words)


def _fail(ctx: click.Context, message: str, code: ExitCode) -> NoReturn:
    if ctx.obj is None:
        click.echo(message, err=True)
    else:
        ctx.obj.error(message, code)
    ctx.exit(code)


_store = click.option(
    "--store", type=Folder(), default=Path("mlruns"), show_default=True,
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
      archsearch schedule --help            search at night: by cron, systemd, Slurm or Kubernetes
      archsearch ui                         open MLflow on the store
      archsearch diagnose training.log      judge loss curves that you have
    """


@main.command(epilog=EXIT_CODES)
@click.argument("space", shell_complete=spaces_completed)
@click.option("--trials", type=Number(1), help="The search's new total; extends a finished search.")
@click.option("--hours", type=Hours(), help="Stop after this long; the same command goes on.")
@click.option(
    "--until", metavar="TIME",
    help="Stop at this time: 06:00 (the next one), '06:00 Europe/Berlin', '2026-12-01 06:00', ISO 8601 with "
    "an offset; without a time zone the local one is meant.",
)  # fmt: skip
@click.option("--max-gpu-hours", type=Hours(), help="Stop after so many hours times GPUs in use.")
@click.option(
    "--if-locked", type=click.Choice(["fail", "skip", "wait"]), default="fail", show_default=True,
    help="Where another process runs the search: exit with 99, exit with 0, or wait until it is free, "
    "within --hours and --until.",
)  # fmt: skip
@click.option(
    "--workers", type=NumberOr("auto"),
    help="Trainings at the same time; 0: in this process  [default: the space's, else auto].",
)  # fmt: skip
@click.option(
    "--gpus", type=NumberOr("all"),
    help="GPUs to use of those that are visible; 0: the CPU  [default: the space's, else all].",
)  # fmt: skip
@click.option(
    "--min-free-gpu-memory", metavar="SIZE",
    help="Use only GPUs with so much free memory, those with most of it first: 8GB, 8GiB, 8000MiB; GB are "
    "10⁹ bytes, and meant without a unit. Where others use too much of it: exit with 99.",
)  # fmt: skip
@click.option(
    "--keep", type=Number(1),
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
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True,
    help="json: stderr is one JSON object a line, for each event, note and error.",
)  # fmt: skip
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.pass_obj
def run(
    lines: "JsonLines | None",
    space: str,
    trials: int | None,
    hours: float | None,
    until: str | None,
    max_gpu_hours: float | None,
    if_locked: Any,
    workers: int | str | None,
    gpus: int | str | None,
    min_free_gpu_memory: str | None,
    keep: int | None,
    store: Path,
    new: bool,
    continue_: bool,
    tracking_uri: str | None,
    tracking: Any,
    require_good: bool,
    as_json: bool,
    log_format: str,  # noqa: ARG001 - `lines` follows from it
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
      archsearch run space.yaml --until 06:00     at the latest until the next six o'clock
      archsearch run space.yaml --json --quiet    for scripts
      archsearch run space.yaml --if-locked skip --tracking later --log-format json --json
                                                  for schedulers
    """
    from archsearch.commands.interrupts import Interrupts, last_words

    words = lines.last_words if lines else last_words
    interrupts = click.get_current_context().with_resource(Interrupts(owns_process=True, last_words=words))

    from archsearch.commands.events import Events, say_stopped
    from archsearch.commands.options import Options
    from archsearch.commands.progress import progress
    from archsearch.commands.result import LOCKED, locked_json
    from archsearch.commands.run import run_search
    from archsearch.commands.show import show, ui_command
    from archsearch.commands.spaces import read_space
    from archsearch.commands.until import moment

    options = Options(
        trials=trials,
        hours=hours,
        until=moment(until) if until is not None else None,
        max_gpu_hours=max_gpu_hours,
        if_locked=if_locked,
        workers=workers,
        gpus=gpus,
        min_free_gpu_memory=min_free_gpu_memory,
        keep=keep,
        store=store,
        new=new,
        continue_=continue_,
        tracking_uri=tracking_uri,
        tracking=tracking,
        command=shlex.join(["archsearch", *(word for word in sys.argv[1:] if word not in ONCE)]),
    )
    parsed = read_space(space)
    shown = nullcontext(Events(lines, quiet=quiet)) if lines else progress(quiet=quiet)
    try:
        with shown as notify:
            result = run_search(parsed, options, notify, interrupts)
    except SearchSkipped as skipped:
        if as_json:
            click.echo(json.dumps(locked_json(skipped.search)))
        if lines is None:
            raise
        lines.stopped(LOCKED, str(skipped), skipped.exit_code)
        sys.exit(skipped.exit_code)
    for note in result.notes:
        click.echo(f"archsearch: {note}", err=True)
    if as_json:
        click.echo(json.dumps(result.to_json(), allow_nan=False))
    else:
        show(result, ui_command(result, store, tracking_uri))
    code = result.exit_code(require_good=require_good)
    if lines:
        say_stopped(lines, result, code)
    sys.exit(code)


@main.command()
@click.argument("search", shell_complete=searches_completed)
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


@main.command(epilog=STATUS_CODES)
@click.argument("searches", metavar="[SEARCH]...", nargs=-1, shell_complete=searches_completed)
@click.option(
    "--since", type=Duration(), help="Only searches that a process has worked on in this time, such as 26h."
)
@_store
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def status(searches: tuple[str, ...], since: float | None, store: Path, as_json: bool) -> None:
    """Say how the searches in a store stand, for people and for health checks.

    Which run, since when and how long they still take; which were interrupted or killed and wait for the same
    command; which are complete, or ended at a bound; which failed, and why. What each has taken of its hours
    and GPU-hours, and its best so far.

    \b
    Examples:
      archsearch status
      archsearch status --since 26h               did the nightly jobs work?
      archsearch status digits --json
    """
    from archsearch.commands.status import health_of, print_json, show
    from archsearch.study.store import Store

    health = health_of(Store(store), searches, since)
    if as_json:
        print_json(health)
    else:
        show(health, Store(store))
    for fault in health.faults:
        click.echo(f"archsearch: {fault}", err=True)
    sys.exit(health.exit_code)


@main.command()
@click.argument("searches", metavar="[SEARCH]...", nargs=-1, shell_complete=searches_completed)
@click.option(
    "--older-than", type=Duration(), required=True,
    help="Only searches that no process has worked on for this long, such as 90d.",
)  # fmt: skip
@click.option(
    "--keep-best", type=Number(1), default=3, show_default=True,
    help="Trials of each search whose weights are kept.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@_store
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def prune(
    searches: tuple[str, ...], older_than: float, keep_best: int, dry_run: bool, store: Path, as_json: bool
) -> None:
    """Make room: remove what searches no longer need that nobody works on.

    Weights go, but for those of the best trials, and so do checkpoints, the workers' logs, and what MLflow
    keeps of these searches in the store: reports and models. Records stay with all curves and verdicts, and
    so do MLflow's runs. A search that a process runs is left alone.

    \b
    Examples:
      archsearch prune --older-than 90d --dry-run
      archsearch prune --older-than 90d --keep-best 3
      archsearch prune digits --older-than 7d
    """
    from archsearch.commands.prune import print_json, show
    from archsearch.commands.prune import prune as prune_searches
    from archsearch.study.store import Store

    pruning = prune_searches(Store(store), searches, older_than, keep_best, dry_run=dry_run)
    if as_json:
        print_json(pruning)
    else:
        show(pruning, Store(store))
    for fault in pruning.faults:
        click.echo(f"archsearch: {fault}", err=True)
    sys.exit(pruning.exit_code)


@main.command()
@click.argument("search", shell_complete=searches_completed)
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
@click.argument("search", shell_complete=searches_completed)
@click.argument("trial", type=Number(0, what="a trial's number, such as 3"), shell_complete=trials_completed)
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
@click.argument("search", shell_complete=searches_completed)
@click.argument("architecture")
@click.option("--name", metavar="NAME", callback=not_empty, help="What tables and reports call it.")
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
@click.argument("space", shell_complete=spaces_completed)
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
    from archsearch.home import expanded

    if folder is None and sys.stdin.isatty():
        answer = click.prompt(
            "Folder of images (empty: the bundled digits)", default="", show_default=False, err=True
        )
        folder = Path(expanded(answer)) if answer else None
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
@click.argument("name", required=False, shell_complete=bundled_completed)
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
    "--mlflow", metavar="URI", callback=not_empty, help="Judge an experiment's runs in this MLflow, too."
)
@click.option("--experiment", metavar="NAME", callback=not_empty, help="The experiment in MLflow.")
@click.option(
    "--train-metric", metavar="NAME", callback=not_empty,
    help="The runs' metric of the train loss.  [default: loss]",
)  # fmt: skip
@click.option(
    "--val-metric", metavar="NAME", callback=not_empty,
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


@main.command(epilog=SCHEDULE_CODES)
@click.argument("kind", type=Kind(KINDS))
@click.argument("spaces", metavar="SPACE...", nargs=-1, required=True, shell_complete=spaces_completed)
@click.option(
    "--at", metavar="CRON",
    help="When to start: minute, hour, day of month, month and day of week, as cron has them.",
)  # fmt: skip
@click.option("--hours", type=Hours(), help="Of each start, as `archsearch run` has it.")
@click.option("--until", metavar="TIME", help="Likewise, such as 06:00.")
@click.option("--max-gpu-hours", type=Hours(), help="Likewise.")
@click.option("--workers", type=Number(0), help="Trainings at the same time.")
@click.option("--gpus", type=Number(0), help="GPUs to use, and to ask a cluster for.")
@click.option(
    "--min-free-gpu-memory", metavar="SIZE",
    help="Use only GPUs with so much free memory, as `archsearch run` has it.",
)  # fmt: skip
@click.option(
    "--store", type=Folder(),
    help="Folder of records, models and MLflow's database  [default: mlruns in this folder].",
)  # fmt: skip
@_tracking_uri
@click.option("--image", callback=not_empty, help="The container, for kubernetes.")
@click.option("--install", is_flag=True, help="Put it in place: into your crontab, into your systemd.")
@click.option("--remove", is_flag=True, help="Take exactly that away again; SPACE may be a job's name.")
def schedule(
    kind: Any, spaces: tuple[str, ...], image: str | None, install: bool, remove: bool, **given: Any
) -> None:
    """Print the search of each SPACE as a job of a scheduler, or put it in place.

    KIND is cron, systemd, slurm or kubernetes. SPACE is a YAML file, the name of a bundled space, or a
    file of jobs: `jobs:` with a space, a time and bounds for each name. Options stand over what that says.
    Spaces are checked now, and a job goes on where the start before has stopped.

    \b
    Examples:
      archsearch schedule cron space.yaml --at '0 2 * * *' --until 06:00
      archsearch schedule cron space.yaml --at '0 2 * * *' --until 06:00 --install
      archsearch schedule cron space.yaml --remove
      archsearch schedule systemd space.yaml --at '0 22 * * mon-fri' --hours 8 --install
      archsearch schedule systemd jobs.yaml --install
      archsearch schedule slurm a.yaml b.yaml --gpus 1 --hours 6 > night.sbatch
      archsearch schedule kubernetes space.yaml --at @daily --gpus 1 --image IMAGE > night.yaml
    """
    if install and remove:
        raise click.UsageError("--install and --remove are opposites: give one of them.")
    if image is not None and kind != "kubernetes":
        raise click.UsageError(
            f"--image is for kubernetes; {kind} starts the archsearch that is installed here."
        )

    from archsearch.commands import schedule as jobs
    from archsearch.commands.jobs import jobs_named

    if remove:
        jobs.remove(kind, spaces)
        return
    said = {word: value for word, value in given.items() if value is not None}
    if "store" in said:
        said["store"] = said["store"].absolute()
    named = jobs_named(kind, spaces, said)
    if install:
        printing = ["archsearch", *(word for word in sys.argv[1:] if word != "--install")]
        jobs.install(kind, named, image, printing)
    else:
        click.echo(jobs.text_of(kind, named, image), nl=False)


@main.command(context_settings={"ignore_unknown_options": True})
@click.option("--port", type=Number(1, 65535), default=5000, show_default=True)
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

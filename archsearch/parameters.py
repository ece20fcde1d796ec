"""What the words of the command line may be, and how shells complete them."""

import math
from pathlib import Path
from typing import Any

import click

from archsearch.errors import ArchsearchError
from archsearch.records import MOST_HOURS

KINDS = ("cron", "systemd", "slurm", "kubernetes")
"""Schedulers for which jobs are written."""

OTHER_KINDS = {
    "docs/airflow.md": ("airflow", "dagster", "prefect"),
    "docs/github-actions.md": ("github", "gitlab", "jenkins", "circleci", "buildkite"),
}
"""Pages with an example to copy, by words for what starts a command by a file of its own."""

SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
"""Of the units in which durations are given."""


class NumberOr(click.ParamType):  # type: ignore[type-arg]  # generic in later versions only
    """A whole number, or one word in its place."""

    def __init__(self, word: str) -> None:
        self.name = f"integer or {word}"
        self._word = word

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's
        """What ``--help`` shows in its place."""
        return f"N|{self._word}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number, or the word."""
        if value == self._word:
            return self._word
        if not str(value).isdecimal():
            self.fail(f"give a whole number, 0 or more, or {self._word}, not {value!r}.", param, ctx)
        return int(value)


class Number(click.IntRange):
    """A whole number within bounds; `what` says so to people."""

    name = "integer"

    def __init__(self, least: int, most: int | None = None, *, what: str = "") -> None:
        super().__init__(least, most)
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        self._what = what or f"a whole number {bounds}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            return self.fail(f"give {self._what}, not {value!r}.", param, ctx)


class Hours(click.FloatRange):
    """Hours, above 0 and at most `MOST_HOURS`."""

    name = "hours"

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The hours, as a finite number."""
        try:
            hours = super().convert(value, param, ctx)
        except click.BadParameter:
            hours = math.nan
        if not math.isfinite(hours):
            self.fail(f"give a number of hours above 0, such as 2 or 0.5, not {value!r}.", param, ctx)
        if hours > MOST_HOURS:
            self.fail(f"give at most {MOST_HOURS:,} hours, ten years, not {value!r}.", param, ctx)
        return hours


class Folder(click.Path):
    """A folder; an empty path is no other word for this one, but a variable of the shell that is not set."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        if not str(value).strip():
            raise click.UsageError("--store is empty: name a folder.", ctx)
        return super().convert(value, param, ctx)


class Kind(click.Choice):  # type: ignore[type-arg]  # as above
    """One of `KINDS`."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's
        """What ``--help`` shows in its place."""
        return "KIND"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The kind."""
        if value in KINDS:
            return value
        words = f"{value!r} is none of {', '.join(KINDS)}."
        for page, others in OTHER_KINDS.items():
            if any(other in str(value).lower() for other in others):
                words += f" {page} in archsearch's repository has an example for such a one."
        return self.fail(words, param, ctx)


class Duration(click.ParamType):  # type: ignore[type-arg]  # as above
    """A number with its unit, as seconds."""

    name = "duration"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's
        """What ``--help`` shows in its place."""
        return "90m|26h|7d"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        number, unit = str(value)[:-1], SECONDS.get(str(value)[-1:])
        if unit is None or not number.isdecimal():
            self.fail(
                f"{value!r} is no duration: give a whole number with its unit, m for minutes, h for hours, "
                "d for days, such as 90m, 26h or 7d.", param, ctx,
            )  # fmt: skip
        return float(int(number) * unit)


def spaces_completed(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[Any]:
    """Bundled spaces and files."""
    from click.shell_completion import CompletionItem

    from archsearch.resources import bundled_spaces

    names = [CompletionItem(name) for name in bundled_spaces() if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


def bundled_completed(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Bundled spaces."""
    from archsearch.resources import bundled_spaces

    return [name for name in bundled_spaces() if name.startswith(incomplete)]


def searches_completed(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The searches of the store."""
    from archsearch.study.store import Store

    store = Store(Path(ctx.params.get("store") or "mlruns"))
    return [place.id for place in store.searches() if place.id.startswith(incomplete)]


def not_empty(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """Refuse an empty word, as of a variable of the shell that is not set."""
    if value is not None and not value.strip():
        raise click.BadParameter("it is empty; give a name.")
    return value


def trials_completed(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The trials of a search that can still be skipped."""
    from archsearch.commands.skip import unended_trials
    from archsearch.study.store import Store

    try:
        place = Store(Path(ctx.params.get("store") or "mlruns")).find(ctx.params.get("search") or "")
        numbers = unended_trials(place)
    except ArchsearchError:
        return []
    return [str(number) for number in numbers if str(number).startswith(incomplete)]

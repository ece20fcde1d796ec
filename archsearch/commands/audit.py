"""``archsearch check --data``: what the data hold, and whether a search of them would mean anything."""

import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from archsearch.commands.spaces import placed
from archsearch.commands.tables import console, print_table
from archsearch.data.audit import REMEDIES, Audit, audit, require_clean
from archsearch.data.dataset import Dataset
from archsearch.data.findings import EXAMPLES, Kind
from archsearch.data.sources import load
from archsearch.errors import DataError
from archsearch.records import DataSummary
from archsearch.report.words import count, listing
from archsearch.space import SearchSpace

COLUMNS = ("class", ">train", ">val", ">test")


def show_audit(space: SearchSpace) -> None:
    """Load the data of `space` and print what the audit says of them.

    Raises
    ------
    DataError
        If they can't be loaded, or splits share samples or groups and the space does not allow it; after
        everything is printed.
    """
    with waiting(f"loading and auditing {space.data.origin} …"), placed(space):
        dataset = load(space.data, space.folder)
        found = audit(dataset, allow_leaks=space.data.allow_leaks)
    out = console()
    out.print()
    print_table(COLUMNS, [[str(cell) for cell in row] for row in found.rows], long="class")
    out.print()
    # A set that is too small is a finding, which says the noise too.
    noise = [] if any(one.kind is Kind.SMALL_VALIDATION for one in found.findings) else [found.noise]
    for line in [*found.notes, *noise, _baseline(found)]:
        _print(line)
    out.print()
    for finding in found.findings:
        remedy = f" {REMEDIES[finding.kind]}" if finding.is_error else ""
        _print(f"{'error' if finding.is_error else 'warning'}: {finding.sentence}{remedy}")
        if len(finding.samples) > EXAMPLES:
            for names in finding.samples:
                console().print(f"  {' = '.join(names)}", soft_wrap=True)
    errors, warnings = len(found.errors), len(found.warnings)
    said = [count(errors, "error")] if errors else []
    said += [count(warnings, "warning")] if warnings else []
    _print(f"The audit has {listing(said)}." if said else "The audit found no fault.")
    sys.stdout.flush()
    if errors:
        with placed(space):
            raise DataError(
                f"data: the audit has {count(errors, 'error')}, shown above: mend the data, or write "
                "`allow_leaks: true` under `data` to search all the same"
            )


def audited(space: SearchSpace) -> tuple[Dataset, tuple[str, ...]]:
    """The data of `space`, and the warnings that its report repeats.

    Raises
    ------
    DataError
        If they can't be loaded, or splits share samples or groups and the space does not allow it.
    """
    with placed(space):
        dataset = load(space.data, space.folder)
        found = audit(dataset, allow_leaks=space.data.allow_leaks)
        require_clean(found)
    # What could not be read is said by the data's summary already.
    findings = (one for one in found.findings if not one.is_error and one.kind is not Kind.UNREADABLE)
    return dataset, tuple(finding.sentence for finding in findings)


def warn(data: DataSummary) -> None:
    """Say on stderr what a reader of the results should know about the data."""
    for warning in data.warnings:
        print(f"archsearch: data: {warning}", file=sys.stderr, flush=True)


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A spinner on stderr where that is a terminal."""
    err = Console(stderr=True, emoji=False)
    if not err.is_terminal:
        yield
        return
    with err.status(Text(what)):  # as it is: words of the user's may look like markup
        yield


def _baseline(found: Audit) -> str:
    accuracy = found.baseline.val_accuracy
    return (
        f"Always predicting the largest class has an accuracy of {accuracy:.3f} on the validation set; "
        f"predicting the class frequencies a loss of {found.baseline.val_loss:.3f}."
    )


def _print(text: str) -> None:
    out = console()
    out.print(
        "\n".join(textwrap.wrap(text, min(out.width, 100), break_long_words=False, break_on_hyphens=False))
    )

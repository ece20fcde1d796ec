"""``archsearch add``: an architecture by hand, next in turn."""

import shlex
from collections.abc import Sequence
from contextlib import closing

from archsearch.architecture import Architecture
from archsearch.commands.tables import console
from archsearch.errors import Refused, SpaceError
from archsearch.execution.hypermodels import builder_for
from archsearch.records import TrialResult
from archsearch.space import SearchSpace
from archsearch.study import Header, Place, Record, space_completer
from archsearch.study.candidates import Candidate, excess
from archsearch.study.hypermodels import completer_with
from archsearch.study.steering import Add, Mailbox

# Stands for the name of a line without one while the space looks it over.
UNNAMED = "line"

# As names of searches; they stand in tables, in bars and in MLflow.
NAME_LENGTH = 80

# Options of `archsearch run` that are no part of a search: bounds of one start, and what that one prints.
OF_ONE_START = (
    "--hours", "--until", "--max-gpu-hours", "--if-locked", "--min-free-gpu-memory", "--log-format",
)  # fmt: skip
OUTPUT_OF_ONE_START = ("--json", "--quiet")


def add_architecture(place: Place, line: str, name: str | None) -> None:
    """Have an architecture trained next, with the recipe that named architectures have.

    Parameters
    ----------
    place : Place
    line : str
        As archsearch prints architectures; of a HyperModel, which is built here, ``FAMILY NAME=VALUE …``.
    name : str or None
        What tables and reports are to call it; one line of at most `NAME_LENGTH` characters.

    Raises
    ------
    SpaceError
        If it is no architecture, or none for the search's data.
    Refused
        If it breaks a constraint, or was tried before; if the name is none, or is another architecture's.
    StoreError
        If the search's folder can't be read or written.
    """
    if name is not None:
        _require_usable(name)
    mailbox = Mailbox(place.requests)
    # Before the record: what is taken up in between is in both, not in neither.
    asked = mailbox.added()
    with Record.open(place.record, read_only=True) as record:
        header, sessions = record.header(), record.sessions()
        trials = (*record.trials(with_runs=False)[0], *record.queued())
    space = _space_with(header, line, name)
    candidate = _candidate(space, header)
    if excess(candidate, space):
        raise Refused(
            f"{line!r}: {candidate.parameters:,} parameters; constraints.parameters allows "
            f"{space.constraints.parameters:,}"
        )
    _require_new(candidate, trials, asked)
    _require_unplanned(candidate, header)
    if name is not None:
        _require_new_name(name, header, trials, asked)
    mailbox.send(Add(candidate.architecture, name))
    label = candidate.architecture.notation
    out = console()
    out.print(f"added to search {place.id}: {label} ({candidate.parameters:,} parameters)", soft_wrap=True)
    if place.standing(sessions[-1].status if sessions else "interrupted") == "running":
        out.print("It is trained next, as soon as a worker is free.", soft_wrap=True)
    else:
        command = f": {_lasting(sessions[-1].command)}" if sessions else ""
        out.print(
            f"No process runs the search now; the next run of it trains this first{command}", soft_wrap=True
        )


def _lasting(command: str) -> str:
    """A command without what was said for one start of it."""
    if not command.startswith("archsearch run "):
        return command  # of Python
    words, kept = iter(shlex.split(command)), []
    for word in words:
        if word in OF_ONE_START:
            next(words)  # its value
        elif word not in OUTPUT_OF_ONE_START and word.partition("=")[0] not in OF_ONE_START:
            kept.append(word)
    return shlex.join(kept)


def _space_with(header: Header, line: str, name: str | None) -> SearchSpace:
    """The search's space with the line as its only named architecture, checked as one."""
    key = name or UNNAMED
    words = {**header.space, "name": header.name, "architectures": {key: line}}
    try:
        space = SearchSpace.from_mapping(words)
        space.require_fit(header.data.input_shape)
    except SpaceError as error:
        raise SpaceError(_without_key(str(error), key, line)) from None
    return space


def _candidate(space: SearchSpace, header: Header) -> Candidate:
    ((key, architecture),) = space.named_architectures.items()
    complete = space_completer(space, header.data)
    if isinstance(architecture, Architecture):
        return complete(architecture)
    try:
        with closing(builder_for(space, header.data)) as builder:
            return completer_with(builder, space, complete)(architecture)
    except SpaceError as error:
        fault = _without_key(str(error), key, architecture.notation)
        # The record does not say where the space's file lies.
        hint = "; run this in the folder of the search's space file" if "no module named" in fault else ""
        raise SpaceError(fault + hint) from None


def _require_usable(name: str) -> None:
    """Check that a name is one line that there is room for."""
    if not name.isprintable() or len(name) > NAME_LENGTH:
        raise Refused(f"--name {name!r}: a name is one line of at most {NAME_LENGTH} characters")


def _require_new(candidate: Candidate, trials: Sequence[TrialResult], asked: Sequence[Add]) -> None:
    """Check that the architecture with its recipe was not tried, nor asked for."""
    line = candidate.architecture.notation
    for trial in trials:
        if (trial.architecture, trial.recipe) == (candidate.architecture, candidate.recipe):
            raise Refused(f"{line}: trial {trial.number} is the same with the same recipe: {_how(trial)}")
    if any(request.architecture == candidate.architecture for request in asked):
        raise Refused(f"{line} was added before: it is trained next")


def _require_unplanned(candidate: Candidate, header: Header) -> None:
    """Check that the space itself does not name the architecture: it is trained in its turn, by its name."""
    planned = SearchSpace.from_mapping({**header.space, "name": header.name}).named_architectures
    for name, architecture in planned.items():
        if architecture == candidate.architecture:
            line = architecture.notation
            raise Refused(
                f"{line}: architectures.{name} of the space is the same, and is trained in its turn"
            )


def _require_new_name(name: str, header: Header, trials: Sequence[TrialResult], asked: Sequence[Add]) -> None:
    """Check that no other architecture has the name, or is to have it."""
    owners = [f"trial {trial.number}" for trial in trials if trial.name == name]
    owners += [f"{each.architecture.notation}, which was added before" for each in asked if each.name == name]
    owners += ["an architecture of the space"] if name in header.space.get("architectures", {}) else []
    if owners:
        raise Refused(f"the name {name!r} is that of {owners[0]}: give another one")


def _how(trial: TrialResult) -> str:
    if not trial.status.has_ended:
        return "it is queued" if trial.status == "queued" else "it is being trained"
    scored = "" if trial.score is None else f", score {trial.score:.4f}, {trial.verdict}"
    return f"{trial.status.replace('_', ' ')}{scored}"


def _without_key(faults: str, key: str, line: str) -> str:
    """The faults of a space as those of one line."""
    return "\n".join(
        f"{line!r}: {fault.removeprefix(f'architectures.{key}').lstrip(':. ')}"
        for fault in faults.splitlines()
    )

"""What an edit of a space changes, and whether a search can go on with it.

What was trained stays comparable with what is trained later as long as the data, how trainings are done and
their seeds stay. What is searched may change: no training is lost by it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archsearch.space.schema import SearchSpace

ORDER = "order of architectures"
"""The word of an identity that holds the names of the architectures in their order."""


@dataclass(frozen=True, slots=True)
class Edit:
    """The words in which two spaces differ, a line each, as ``training.epochs: 30 → 40``.

    Attributes
    ----------
    allowed : tuple of str
        A search goes on with these changed.
    refused : tuple of str
        With these it would mix what can't be compared.
    """

    allowed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """All of them."""
        return *self.refused, *self.allowed


def edit_between(old: SearchSpace, new: SearchSpace) -> Edit:
    """What differs between two spaces of one name.

    Refused are all words of ``data`` and ``training``, ``search.seed``, from which the seeds of trainings
    follow, and another class or other arguments of a HyperModel whose family keeps its name.
    """
    before, after = old.identity, new.identity
    parts = dict.fromkeys([*before, *after])
    sides = {part: (before.get(part, {}), after.get(part, {})) for part in parts}
    families, refused_families = _families(*sides.pop("families"))
    allowed = [*families, *_architectures(old, new)]
    refused = list(refused_families)
    for part, (was, now) in sides.items():
        if part in ("architectures", ORDER):
            continue
        for line in _changes(part, was, now):
            may_change = part in ("search", "constraints") and not line.startswith("search.seed:")
            (allowed if may_change else refused).append(line)
    return Edit(tuple(allowed), tuple(refused))


def changed_words(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """The words in which two identities differ, of spaces that this version may not be able to read."""
    parts = dict.fromkeys([*old, *new])
    return tuple(line for part in parts for line in _changes(part, old.get(part), new.get(part)))


def _families(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What changes of families are allowed, and what are refused."""
    allowed: list[str] = []
    refused: list[str] = []
    for name in dict.fromkeys([*old, *new]):
        path, was, now = f"families.{name}", old.get(name), new.get(name)
        if was is None or now is None:
            allowed.append(f"{path}: {'new' if was is None else 'removed'}")
        else:
            (refused if "hypermodel" in was else allowed).extend(_changes(path, was, now))
    return allowed, refused


def _architectures(old: SearchSpace, new: SearchSpace) -> Iterator[str]:
    before, after = old.named_architectures, new.named_architectures
    for name in dict.fromkeys([*before, *after]):
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            yield f"architectures.{name}: {'new' if was is None else 'removed'}"
        elif was != now:
            yield f"architectures.{name}: {was.notation} → {now.notation}"
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield "architectures: in another order"


def _changes(path: str, old: Any, new: Any) -> Iterator[str]:
    """What differs at `path` and below it."""
    if old == new:
        return
    if _has_words(old) and _has_words(new):
        for name in dict.fromkeys([*old, *new]):
            yield from _changes(f"{path}.{name}", old.get(name), new.get(name))
    else:
        yield f"{path}: {_text(old)} → {_text(new)}"


def _has_words(value: Any) -> bool:
    return isinstance(value, Mapping) and not value.keys() >= {"low", "high"}


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if not isinstance(value, Mapping):
        return str(value)
    if _has_words(value):
        return ", ".join(f"{name} {_text(item)}" for name, item in value.items()) or "none"
    return f"{value['low']} to {value['high']}" + (" (log)" if value.get("log") else "")

"""Search Keras architectures and learn why one is better.

`run` does from Python what ``archsearch run`` does on a terminal::

    import archsearch

    result = archsearch.run("digits", trials=8)
    result.ranking          # a pandas DataFrame
    result.why              # why the first is first

`diagnose` judges loss curves that anything recorded::

    archsearch.diagnose(model.fit(...)).verdict
    model.fit(..., callbacks=[archsearch.DiagnosisCallback()])  # prints the verdict

Importing this package loads nothing heavy.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from archsearch.api import diagnose, run
    from archsearch.commands.result import SearchResult
    from archsearch.space import SearchSpace
    from archsearch.training.callback import DiagnosisCallback

__all__ = ["DiagnosisCallback", "SearchResult", "SearchSpace", "__version__", "diagnose", "run"]

_HOMES = {
    "DiagnosisCallback": "archsearch.training.callback",
    "SearchResult": "archsearch.commands.result",
    "SearchSpace": "archsearch.space",
    "diagnose": "archsearch.api",
    "run": "archsearch.api",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'archsearch' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__

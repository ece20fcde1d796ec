"""Files that come with archsearch: in the wheel beside the package, in a checkout above it."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def bundled(name: str) -> Path:
    """The path of a bundled file or folder, such as ``"search_spaces"``."""
    in_wheel = _PACKAGE / "_bundled" / name
    return in_wheel if in_wheel.exists() else _PACKAGE.parent / name


def bundled_spaces() -> dict[str, Path]:
    """The bundled search spaces by name."""
    return {path.stem: path for path in sorted(bundled("search_spaces").glob("*.yaml"))}

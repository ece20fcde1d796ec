"""Whether an MLflow that is a file or a folder is there, without making it."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from archsearch.errors import TrackingError

REMEDY = "correct that or name another --mlflow"


def check_holds_experiments(uri: str) -> None:
    """Refuse a file or folder that holds no experiments: MLflow would make its tables or folders there.

    Raises
    ------
    TrackingError
    """
    scheme = urlsplit(uri).scheme
    if scheme == "sqlite":
        fault = _database_fault(uri, Path(uri.partition(":///")[2].partition("?")[0]))
    elif scheme in ("", "file") and uri != "databricks":
        fault = _folder_fault(Path(unquote(urlsplit(uri).path)))
    else:
        return
    if fault:
        raise TrackingError(f"MLflow at {uri}: {fault}")


def _database_fault(uri: str, path: Path) -> str | None:
    if not path.is_file():
        return f"there is no file {path.absolute()}; {REMEDY}"
    from sqlalchemy import create_engine, inspect
    from sqlalchemy.exc import DatabaseError

    engine = create_engine(uri)
    try:
        return (
            None if inspect(engine).has_table("experiments") else f"it is no database of MLflow's; {REMEDY}"
        )
    except DatabaseError:
        return f"{path.absolute()} is no database; {REMEDY}"
    finally:
        engine.dispose()


def _folder_fault(path: Path) -> str | None:
    if path.is_file():
        return f"it is a file; write sqlite:///{path} if it is a database"
    if any(path.glob("*/meta.yaml")):
        return None
    if (path / "mlflow.db").is_file():
        return f"the folder holds a database: write sqlite:///{path / 'mlflow.db'}"
    return f"there is no folder of MLflow's at {path.absolute()}; {REMEDY}"

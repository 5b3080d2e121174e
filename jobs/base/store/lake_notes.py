"""observatory.json in a lake's folder: the form in which the lake is written, and notes of its stages."""

import json
from typing import Any

from jobs.base.core.errors import ObservatoryError
from jobs.base.places.file_systems import open_store, refuse_missing_bucket

# How sketches, checksums, transactions and the columns of bronze and silver are written. Development versions
# wrote the forms before; no command reads a lake of another form.
FORM = 5
MARK = "observatory.json"


def own_file(folder: str, name: str) -> tuple[Any, str]:
    """The file system and path of a file in a lake's folder. Raises ObservatoryError where it cannot be."""
    fs, path = open_store(folder)
    if "file" in fs.protocol and fs.exists(path) and not fs.isdir(path):
        raise ObservatoryError(f"[lake] root: {path} is a file, not a folder. Name a folder")
    return fs, f"{path.rstrip('/')}/{name}"


def read_mark(fs: Any, file: str) -> dict[str, Any]:
    """Read the notes of a lake on itself; nothing where it has no mark."""
    try:
        found = json.loads(fs.cat_file(file))
        form = found["form"]
    except (FileNotFoundError, NotADirectoryError):
        refuse_missing_bucket(fs, file)
        return {}
    except (ValueError, KeyError, TypeError):
        form = None
    if not isinstance(form, int):
        raise ObservatoryError(
            f"{file} is cut or damaged: it holds the form, the operators and the key ids of the lake. Put it"
            " back from a copy. Without one, keep the logs, and run again with a new folder as [lake] root"
        )
    return dict(found)


def refuse_form(root: str, form: int | None) -> None:
    """Raise ObservatoryError, with what to do, for a lake that another version wrote in another form."""
    if form is None or form == FORM:
        return
    if form > FORM:
        raise ObservatoryError(
            f"{root}: this lake has form {form}, of a newer version; this one writes form {FORM}. Install the"
            " version that wrote the lake, or a newer one. Nothing was changed"
        )
    raise ObservatoryError(
        f"{root}: a development version wrote this lake, in form {form}, and this version reads form {FORM}"
        " alone: keep the logs, and run again with a new folder as [lake] root"
    )

"""What the DAGs share: the settings as Airflow reads them, and one command of the pipeline as a task.

Airflow imports this module when it parses DAGs, in an environment that may have none of the pipeline's
packages.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset
from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

ROOT = Path(__file__).resolve().parent.parent
# The exit codes that every further try would end with, too.
LASTING = {1: "a validation held something back", 2: "wrong input or settings"}


class UnlessLasting(RetryPolicy):
    """Retry a failed command, unless its exit code names a cause that lasts; its log describes the cause."""

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any = None
    ) -> RetryDecision:
        found = re.search(r"non-zero exit code (\d+)", str(exception))
        cause = LASTING.get(int(found.group(1))) if found else None
        return RetryDecision.fail(reason=cause) if cause else RetryDecision.default()


def config_file() -> Path:
    """The settings file that the DAGs are made from."""
    return Path(os.environ.get("OBSERVATORY_CONFIG", ROOT / "observatory.toml")).resolve()


class NoSettings(Exception):
    """The settings file that the DAGs are made from cannot be read."""


def settings_of_dags() -> dict[str, Any]:
    """The settings as they stand in the file. Raises NoSettings, with what to set, which Airflow shows."""
    file = config_file()
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        wrong = "no such settings file"
    except OSError as error:
        wrong = f"the settings cannot be read: {error.strerror}"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        wrong = f"not TOML: {error}"
    raise NoSettings(
        f"{file}: {wrong}. Set OBSERVATORY_CONFIG to the path of observatory.toml, in the environment of"
        " Airflow's DAG processor and of its workers"
    )


def pipeline_python() -> str:
    """The Python of the pipeline's environment."""
    return os.environ.get("OBSERVATORY_PYTHON", sys.executable)


def lake_url(settings: dict[str, Any]) -> str:
    """The lake's URL: a relative folder is one beside the settings file."""
    root = os.environ.get("OBSERVATORY_LAKE_ROOT") or settings.get("lake", {}).get("root", "build/lake")
    if "://" in root:
        return str(root).rstrip("/")
    return (config_file().parent / root.removeprefix("file:")).resolve().as_uri()


def as_assets(names: list[str], settings: dict[str, Any]) -> list[Asset]:
    """Tables of the lake as assets."""
    return [Asset(name=table, uri=f"{lake_url(settings)}/{table.replace('.', '/')}") for table in names]


def shell(words: Sequence[str]) -> str:
    """A command of the pipeline for a shell, each word quoted."""
    return shlex.join([pipeline_python(), "-m", "jobs", *words])


def as_macros(words: Callable[..., Sequence[str]]) -> dict[str, Callable[..., str]]:
    """A DAG's macros: `command(...)` is the shell command that `words(...)` gives.

    Commands come from a macro, never from text put together: no value of a run or of the settings is then
    read as a template or by the shell.
    """
    return {"command": lambda *given: shell(words(*given))}


def command(task_id: str, call: str, **options: Any) -> BashOperator:
    """A command of the pipeline as a task.

    call: the arguments of the macro `command`, as Jinja reads them.
    """
    return BashOperator(
        task_id=task_id,
        bash_command=f"{{{{ command({call}) }}}}",
        # Tasks run in a folder of their own and find the project by this path.
        env={"PYTHONPATH": str(ROOT)},
        append_env=True,
        do_xcom_push=False,
        skip_on_exit_code=None,
        **options,
    )


def writer(task_id: str, call: str, tables: list[str], settings: dict[str, Any]) -> BashOperator:
    """A command that writes these tables, as the lake's only writer while it runs."""
    return command(
        task_id,
        call,
        outlets=as_assets(tables, settings),
        pool="lake",
        retry_policy=UnlessLasting(),
    )

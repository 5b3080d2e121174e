"""Functions that tests of whole runs share: settings of operators, a killed run, and all rows of tables."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from jobs.base.store.lake import Lake
from tests.conftest import KEY, ROOT

MAIL_NETWORK = 'domains = ["example.test"]\nnetworks = ["127.0.0.0/8"]\n'
CYPRIOT_MOBILE = 'number_prefixes = ["+3579"]\n'


def operator_toml(id: str, name: str, country: str, holding: str, currency: str, *rest: str) -> str:
    """An operator's settings; rest: what else it says, its sources last."""
    about = {"id": id, "name": name, "country": country, "holding": holding, "currency": currency}
    return "[[operator]]\n" + "".join(f'{key} = "{value}"\n' for key, value in about.items()) + "".join(rest)


def source_toml(id: str, url: str, format: str, options: str = "") -> str:
    """A source's settings.

    Args:
        options: a TOML table, such as `{ profile = "own.toml" }`.
    """
    more = f"options = {options}\n" if options else ""
    return f'[[operator.source]]\nid = "{id}"\nurl = "{url}"\nformat = "{format}"\n{more}'


def killed_when(settings_file: Path, pattern: str, after: float = 0.0, lake: Path | None = None) -> None:
    """Start a run of its own and end it, with all of its processes, so many seconds after a path appears in
    the lake.

    Args:
        lake: its folder, where it is not beside the settings.
    """
    lake = lake or settings_file.parent / "lake"
    env = os.environ | {"OBSERVATORY_PSEUDONYM_KEY": KEY}
    command = [sys.executable, "-m", "jobs", "run", "--config", str(settings_file)]
    with (settings_file.parent / "output").open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True
        )
        while not any(lake.glob(pattern)):
            assert process.poll() is None, (settings_file.parent / "output").read_text()
            time.sleep(0.002)
        time.sleep(after)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


def rows_in(
    lake: Lake, tables: Iterable[str], but: Iterable[str] = (), where: pl.Expr | None = None
) -> dict[str, list[str]]:
    """The tables' rows, as sorted JSON."""
    found = {}
    for table in tables:
        frame = lake.read(table, where=where).drop(*but)
        texts = frame.with_columns(pl.selectors.binary().bin.encode("hex"))
        found[table] = sorted(json.dumps(row, default=str, sort_keys=True) for row in texts.to_dicts())
    return found

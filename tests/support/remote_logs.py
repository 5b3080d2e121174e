"""Logs on another host, and what a lake landed of them."""

from pathlib import Path

from jobs.operators.ingest.manifest import landed_bytes, open_landing, read_manifest
from tests.support.whole_runs import operator_toml


def mail_lines(first: int, count: int) -> str:
    """Lines of a mail log, each with a queue id of its own."""
    return "".join(
        f"2026-11-24T10:{at // 60_000 % 60:02}:{at // 1000 % 60:02}+00:00 mx1 postfix/qmgr[7]: {at:011X}:"
        " removed\n"
        for at in range(first, first + count)
    )


def write_settings(folder: Path, url: str, access: str) -> Path:
    """Settings of one operator with one source, whose logs lie at a URL."""
    file = folder / "observatory.toml"
    source = f'[[operator.source]]\nid = "mx1"\nurl = "{url}"\nformat = "postfix"\n{access}'
    file.write_text('[lake]\nroot = "lake"\n' + operator_toml("a", "A", "CHE", "a", "CHF", "", source))
    return file


def count_landed(folder: Path) -> int:
    """Count the lines that landing holds."""
    fs, area = open_landing(str(folder / "lake"))
    streams = read_manifest(fs, f"{area}/a/mx1")
    return sum(block.count(b"\n") for each in streams for block in landed_bytes(fs, each, each.bytes))

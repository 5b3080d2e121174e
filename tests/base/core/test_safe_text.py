"""Text of logs in CSV and JSON: no spreadsheet and no terminal obeys it."""

import csv
import io
import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.patterns import UNSEEN
from jobs.base.core.safe_text import to_safe_csv, to_safe_json

EVIL = "\x1b]0;owned\x07\x1b[31m[bold]red[/bold]\u202e\x9b"


def cells(frame: pl.DataFrame) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_safe_csv(frame))))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+35799000001", "'+35799000001"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\x09=1"),
        ("\r=1", "'\\x0d=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a=1", "a=1"),
        ('say "=1"; no', 'say "=1"; no'),
        (EVIL, "\\x1b]0;owned\\x07\\x1b[31m[bold]red[/bold]\\u202e\\x9b"),
        (None, ""),
    ],
)
def test_a_field_of_a_csv_file(text: str | None, written: str) -> None:
    frame = pl.DataFrame({"text": [text], "units": [-7]}, schema={"text": pl.String, "units": pl.Int64})
    assert cells(frame) == [{"text": written, "units": "-7"}]


@given(st.lists(st.one_of(st.none(), st.text()), max_size=5))
def test_any_text(texts: list[str | None]) -> None:
    """No field of CSV is a formula or drives a terminal; JSON gives every text back as it was."""
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    for row in cells(frame.with_columns(more=pl.lit("x"))):
        assert not row["text"].startswith(("=", "+", "-", "@"))
        assert not UNSEEN.search(row["text"])
    written = to_safe_json(frame)
    lines = written.split("\n")[:-1]
    assert not any(UNSEEN.search(line) for line in lines)
    assert [json.loads(line)["text"] for line in lines] == texts

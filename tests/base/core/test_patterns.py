"""Patterns: lines of one kind become one, and nobody's address, number, name or text is left in them.

Text of logs in CSV and JSON: no spreadsheet and no terminal obeys it.
"""

import csv
import io
import json
import re
import string

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from jobs.base.core.patterns import (
    KEPT,
    LOOKED_AT,
    UNSEEN,
    count_patterns,
    escape_unseen,
    mask_lines,
    pattern_text,
    write_safe_csv,
    write_safe_json,
)
from tests.support.examples import examples


def pattern(line: str) -> str:
    return str(mask_lines(pl.Series([line]))[0])


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "Nov 24 10:00:01 mx1 postfix/smtpd[7]: 3F2A11C0DE: odd <ann@example.org> from 192.0.2.7",
            "<time> mx1 postfix/smtpd[<n>]: <id>: odd <address> from <ip>",
        ),
        (
            "2026-11-24T14:16:30.260+00:00 mx1 postfix/smtpd[227]: client=a.b.example[2001:db8::7]",
            "<time> mx1 postfix/smtpd[<n>]: client=<host>[<ip>]",
        ),
        ("4jYlH071Srz1fPlf: removed", "<id>: removed"),
        ('from="john doe"@example.org to <a b@example.org>', "from=<address> to <address>"),
        ("почта@example.test and x@[192.0.2.1]", "<address> and <address>"),
        ("user=bob, sasl_username=ann, login: carl", "user=<name>, sasl_username=<name>, login: <name>"),
        ("call +357 99 000001 or (0357) 99.00.00", "call <n> or <n>"),
        ("٣٣٣٣٣٣٣ is a number, too", "<n> is a number, too"),
        ("::1 fe80::1 2001:db8:0:0:0:0:0:7 ::ffff:192.0.2.9", "<ip> <ip> <ip> <ip>"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "id <id>"),
        ("digest d41d8cd98f00b204e9800998ecf8427e", "digest <id>"),
        ("header Subject: meet me at noon", "header Subject: <text>"),
        (
            "[to:35799000001] [msg:11:call me bob] [udh:0:]",
            "[to:<n>] [msg:<n>:<text>] [udh:<n>:]",
        ),
        ("[msg:11:cut in the mid", "[msg:<n>:<text>"),
        ("x=5.25,  y=-3,000\tz", "x=<n>, y=<n> z"),
        ("TLSv1 over IPv6 by mx1", "TLSv1 over IPv6 by mx1"),
        ("", ""),
    ],
)
def test_what_differs_and_whom_it_is_about_is_masked(line: str, wanted: str) -> None:
    assert pattern(line) == wanted


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            '{"user":"Ann Smith","n": 5,"said": "hello \\"Bob\\""}',
            '{"user":"<text>","n": <n>,"said": "<text>"}',
        ),
        (
            '{"names":["Ann","Bob"],"at":{"street": "Low Road"}}',
            '{"names":[<text>],"at":{"street": "<text>"}}',
        ),
        ('{"MESSAGE": "hello Bob, cut', '{"MESSAGE": "<text>"'),
        ('{"names": ["Ann", "Bo', '{"names": [<text>]'),
        ('postfix said {"user":"x"}', 'postfix said {"user":"x"}'),
    ],
)
def test_texts_of_an_object_are_masked(line: str, wanted: str) -> None:
    assert mask_lines(pl.Series([line])).to_list() == [wanted]


def test_half_an_address_at_the_cut_is_not_shown() -> None:
    line = "word " * (LOOKED_AT // 5 - 2) + "secret.person@example.org"
    assert line.index("secret") < LOOKED_AT < line.index("@")
    assert "secret" not in pattern(line)
    assert pattern("secret.person" * 200 + "@example.org") == "…"
    assert len(pattern("word " * 500)) == KEPT + 1


@pytest.mark.long
@examples(50)
@given(
    local=st.text(string.ascii_letters + string.digits + ".+-", min_size=1, max_size=20),
    host=st.from_regex(r"[a-z]{2,9}\.example", fullmatch=True),
    before=st.text(
        st.characters(codec="utf-8", exclude_characters="@", exclude_categories=("Nd", "Nl", "No")),
        max_size=20,
    ),
    number=st.integers(10**6, 10**15),
)
def test_no_address_and_no_number_survives(local: str, host: str, before: str, number: int) -> None:
    found = pattern(f"{before} <{local}@{host}> {number} {local}@{host}")
    assert "@" not in found
    assert str(number) not in found
    assert f"{local}@" not in found


@examples(50)
@given(st.lists(st.text(), max_size=5))
def test_any_text_has_a_pattern_of_bounded_length(lines: list[str]) -> None:
    found = mask_lines(pl.Series(lines, dtype=pl.String)).to_list()
    assert len(found) == len(lines)
    assert all(len(each) <= KEPT + 1 for each in found)


def test_equal_patterns_count_together_and_the_first_line_stands_for_them() -> None:
    lines = pl.DataFrame(
        {
            "line": ["a 1", "a 2", "b", "a 2", "a 3"],
            "reason_code": ["x", "x", "x", "x", "y"],
            "offset": [40, 30, 20, 10, 0],
        }
    )
    found = count_patterns(lines, ["reason_code"]).sort("reason_code", "pattern")
    assert found.select("reason_code", "pattern", "count", "offset").rows() == [
        ("x", "a <n>", 3, 10),
        ("x", "b", 1, 20),
        ("y", "a <n>", 1, 0),
    ]


def test_what_drives_a_terminal_is_shown_and_not_obeyed() -> None:
    assert (
        escape_unseen("\x1b[2J\x07\r\x9b\u202e\u2028\ufeffok")
        == "\\x1b[2J\\x07\\x0d\\x9b\\u202e\\u2028\\ufeffok"
    )
    console = Console(width=80, force_terminal=True, color_system="truecolor", record=True)
    with console.capture() as shown:
        console.print(pattern_text("[bold red]\x1b]0;title\x07[/] [link=file:///etc]x[/link]"))
    text = shown.get()
    assert "[bold red]" in text and "[link=file:///etc]" in text
    # Rich's own colours only: no escape of the log's, no bell.
    assert "\x07" not in text
    assert re.findall(r"\x1b(?!\[[\d;]*m)", text) == []


@examples(50)
@given(st.text())
def test_nothing_unseen_is_left(text: str) -> None:
    assert not any(ord(sign) < 32 or 127 <= ord(sign) < 160 for sign in escape_unseen(text))


EVIL = "\x1b]0;owned\x07\x1b[31m[bold]red[/bold]\u202e\x9b"


def cells(frame: pl.DataFrame) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(write_safe_csv(frame))))


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
    written = write_safe_json(frame)
    lines = written.split("\n")[:-1]
    assert not any(UNSEEN.search(line) for line in lines)
    assert [json.loads(line)["text"] for line in lines] == texts

"""A journal's export is read as the log in it, whatever its values hold, and however it comes."""

import datetime as dt
import gzip
import io
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.ingest.chunks import Chunks
from jobs.operators.ingest.journal import JournalExport
from tests.support.examples import examples
from tests.support.wrapped_logs import journal_export

AT = dt.datetime(2026, 11, 24, 14, 16, 30, 260000, tzinfo=dt.UTC)
STAMP = "2026-11-24T14:16:30.260000+00:00"
FORGED = journal_export(AT, "mx1", "postfix/smtpd", "1", "forged").decode()
TEXTS = st.sampled_from(
    ["connect", "a=b", f"two\nlines\n\n{FORGED}", "MESSAGE", "\n\n", "=\x00=", "one\rtwo\r\r\nthree"]
) | st.text(st.characters(codec="utf-8"))


def export(texts: list[str]) -> bytes:
    return b"".join(journal_export(AT, "mx1", "postfix/smtpd", "7", text) for text in texts)


def log(texts: list[str]) -> bytes:
    # A carriage return alone ends a line, too (jobs/operators/formats/shared/lines.py).
    told = (re.sub(r"\r*\n|\r+", "#012", text.rstrip("\r\n")) for text in texts)
    return "".join(f"{STAMP} mx1 postfix/smtpd[7]: {text}\n" for text in told).encode()


class Slow(io.BytesIO):
    """Gives as many bytes at once as it is told to."""

    def __init__(self, data: bytes, step: int) -> None:
        super().__init__(data)
        self.step = step

    def read1(self, size: int | None = -1, /) -> bytes:
        return self.read(min(self.step, size or 0))


def read(file: io.BytesIO, closed: bool = False) -> tuple[bytes, Chunks]:
    chunks = Chunks(file)
    return b"".join(chunks.read_whole_lines(closed)), chunks


@examples(60)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6), step=st.integers(1, 400), data=st.data())
def test_any_values_in_any_steps_are_the_log(texts: list[str], step: int, data: Any) -> None:
    whole = export(texts)
    assert read(Slow(whole, step))[0] == log(texts)
    assert read(io.BytesIO(gzip.compress(whole)))[0] == log(texts)
    # Of a file that is still written nothing is read that is not whole.
    cut = data.draw(st.integers(len(b"__CURSOR="), len(whole) - 1))
    part, chunks = read(io.BytesIO(whole[:cut]))
    entries = next(number for number in range(len(texts)) if len(export(texts[: number + 1])) > cut)
    assert part == log(texts[:entries])
    assert (chunks.waiting > 0) == (len(export(texts[:entries])) < cut)
    assert read(io.BytesIO(whole[:cut]), closed=True)[0].count(b"\n") == entries


def test_a_last_entry_without_its_empty_line_is_whole_in_a_file_that_is_closed() -> None:
    assert read(io.BytesIO(export(["a", "b"])[:-1]), closed=True)[0] == log(["a", "b"])[:-1]


@pytest.mark.parametrize("length", [b"\xff" * 8, b"\x02" + b"\0" * 7])
def test_a_wrong_length_is_damage_and_what_came_before_is_kept(length: bytes) -> None:
    found, chunks = read(io.BytesIO(export(["a"]) + b"__CURSOR=x\nMESSAGE\n" + length + b"abcdef\n\n"))
    assert found == log(["a"])
    assert "DamagedExport" in (chunks.damage or "")


def test_damage_of_what_it_is_compressed_in_keeps_what_came_before() -> None:
    packed = gzip.compress(export([str(number) for number in range(9_000)]))
    found, chunks = read(io.BytesIO(packed[: len(packed) // 2]))
    assert log([str(number) for number in range(9_000)]).startswith(found)
    assert len(found) > 100_000 and "EOFError" in (chunks.damage or "")


def test_entries_without_text_and_several_values() -> None:
    entry = b"__CURSOR=x\n__REALTIME_TIMESTAMP=1795529790260000\n"
    two = b"SYSLOG_IDENTIFIER=a\nMESSAGE=b\nMESSAGE=c\n\n\n"
    found, _ = read(io.BytesIO(entry + b"_COMM=a\n\n" + entry + two + entry + b"\n"))
    assert found.decode().splitlines() == [f"{STAMP} - a:", f"{STAMP} - a: b", f"{STAMP} - -:"]


@given(st.binary())
@examples(60)
def test_no_bytes_break_it(data: bytes) -> None:
    for head in (b"__CURSOR=", b"__CURSOR=x\nA\n", b"__CURSOR=x\nA\n\x01" + b"\0" * 7):
        read(io.BytesIO(head + data), closed=True)


def test_it_reads_no_more_than_it_is_asked_for() -> None:
    file = JournalExport(io.BytesIO(export(["a", "b"])))
    assert b"".join(iter(lambda: file.read(7), b"")) == log(["a", "b"])

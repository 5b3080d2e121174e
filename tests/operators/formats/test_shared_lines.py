"""Bytes of a log as lines."""

import pytest

from jobs.operators.formats.shared.lines import frame_lines

MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("text", ["Nov 24 a", "Nov 24 caf\xe9"])
@pytest.mark.parametrize("code", ["utf-8", "latin-1"])
def test_a_mark_before_the_first_line_belongs_to_no_line(end: bytes, text: str, code: str) -> None:
    line = text.encode(code) + end
    found = frame_lines(MARK + b"first" + end + line, 0)
    assert found["line"].to_list() == ["first", text]
    first = len(MARK + b"first" + end)
    assert found["offset"].to_list() == [0, first]
    assert found["line_bytes"].to_list() == [first, len(line)]


def test_a_mark_within_a_file_is_what_was_written() -> None:
    assert frame_lines(MARK + b"later\n", 9)["line"][0] == "\ufefflater"

"""`observatory quarantine`: lines grouped by what they look like, and how to read each."""

import pytest

from jobs.cli.operators.quarantine import how_to_read
from tests.cli.conftest import Observatory


@pytest.mark.parametrize(
    ("file", "format", "how"),
    [
        ("mail.log", "postfix", "tail -c +8 mail.log | head -n 1"),
        ("mail.log.2.gz", "postfix", "zcat mail.log.2.gz | tail -c +8 | head -n 1"),
        ("my mail.log.zst", "postfix", "zstdcat 'my mail.log.zst' | tail -c +8 | head -n 1"),
        ("mail.log.bz2", "rspamd", "bzcat mail.log.bz2 | tail -c +8 | head -n 1"),
        ("mail.log.xz", "exim", "xzcat mail.log.xz | tail -c +8 | head -n 1"),
        ("reports.mbox", "dmarc", "document 8 of reports.mbox"),
        (None, "postfix", "tail -c +8 FILE | head -n 1"),
    ],
)
def test_a_quarantined_line_is_read_by_what_its_file_is(file: str | None, format: str, how: str) -> None:
    assert how_to_read(file, format, 7) == how


def test_quarantine_groups_lines_by_what_they_look_like(show: Observatory) -> None:
    told = show("quarantine")
    assert (told.code, told.err) == (0, "")
    words = " ".join(told.out.replace("│", " ").split())
    assert "2 a mx1 postfix unknown_shape mail.log @99 weird [red]\\x1b[m <address> <n>" in words
    assert "1 a mx1 postfix truncated mail.log @98 cut" in words
    assert words.index("unknown_shape") < words.index("truncated")
    assert "3 lines of 2 kinds" in words
    assert "unknown_shape: The line has no known shape of this format." in words
    assert "truncated: The line ends in the middle." in words and "bad_xml" not in words
    assert "Read a line, here the first one's: tail -c +100 mail.log | head -n 1" in words
    assert "observatory run --requarantine" in words
    assert "If nothing can be corrected" in words and "raise [limits] quarantined_pct" in words
    assert "secret.example" not in told.out and "\x1b" not in told.out
    told = show("quarantine", "--limit", 1)
    assert "3 lines of 2 kinds; the commonest 1 are shown" in " ".join(told.out.split())
    assert "truncated" not in told.out
    told = show("quarantine", "--reason", "truncated", "--source", "mx1", "--operator", "a")
    assert (
        "1 line of 1 kind\n" in told.out.replace(" \n", "\n").replace("  ", "")
        and "unknown_shape" not in told.out
    )
    told = show("quarantine", "--reason", "too_long")
    assert told.out == "Nothing in quarantine: a rule matched every line.\n"


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--source", "mx2", "--source: unknown 'mx2'; did you mean 'mx1'?"),
        ("--reason", "unknown_shap", "--reason: unknown 'unknown_shap'; did you mean 'unknown_shape'?"),
        ("--operator", "b", "unknown operator 'b'"),
    ],
)
def test_quarantine_refuses_what_it_does_not_know(
    show: Observatory, option: str, value: str, told: str
) -> None:
    found = show("quarantine", option, value)
    assert (found.code, found.out) == (2, "")
    assert told in found.err

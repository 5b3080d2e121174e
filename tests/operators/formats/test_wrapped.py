"""A log's line is found in whatever carries it, and what carries none stays as it is."""

import json
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.operators.formats.registry import KERNELS, recognise_format
from jobs.operators.formats.shared.lines import LONGEST_LINE, frame_lines
from jobs.operators.formats.shared.wrapped import unwrap_lines, unwrap_sample
from tests.support.examples import examples
from tests.support.samples import LOGS
from tests.support.wrapped_logs import WRAPPERS, docker, to_iso

LINE = "2026-11-24T14:16:30.260000+00:00 mx1 postfix/smtpd[227]: connect from good.example[192.0.2.10]"
BODY = "connect from good.example[192.0.2.10]"
NOT_WRAPPED = [
    '{"MESSAGE": "cut',
    '{"message": "a"} and more',
    '{"action": "reject", "required_score": 15}',
    '{"message": {"name": 5}}',
    '{"message": []}',
    '["message"]',
    "{}",
    "{" * 2000,
    '{"message": ' + "[" * 2000,
    "Nov 24 14:16:30 mx1 postfix/smtpd[227]: {",
    "2026-11-24T14:16:30Z mx1 stdout F",
    "",
]


def unwrap(*lines: str) -> list[str]:
    return unwrap_lines(pl.Series("line", lines, dtype=pl.String), LONGEST_LINE).to_list()


AT = "2026-11-24T14:16:30.260000+00:00"
ENTRY = {"__REALTIME_TIMESTAMP": "1795529790260000"}
LATER = {"__REALTIME_TIMESTAMP": "1795529790999999", "_SOURCE_REALTIME_TIMESTAMP": "1795529790260000"}
SENT = {
    "_HOSTNAME": "mx1",
    "SYSLOG_IDENTIFIER": "postfix/smtpd",
    "_PID": "227",
    "MESSAGE": list(BODY.encode()),
}
SHIPPED = {"date": "Nov 24 14:16:30", "host": "mx1"}
START = "2026-11-24 14:16:30 Start"
OF_CONTAINER = {"CONTAINER_NAME": "exim", "SYSLOG_IDENTIFIER": "0f", "MESSAGE": START}


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        # journalctl -o json, with the time of the entry, and with that at which it was logged
        (ENTRY | {"_HOSTNAME": "mx1", "_COMM": "smtpd", "MESSAGE": BODY}, f"{AT} mx1 smtpd: {BODY}"),
        (LATER | SENT, LINE),
        # a text of two lines; bytes that are no UTF-8; several values; a text that journalctl leaves out
        ({"timestamp": AT, "ident": "a", "msg": "b\r\nc\n"}, f"{AT} - a: b#012c"),
        ({"timestamp": AT, "ident": "a", "msg": "b\rc\r\r\nd\r"}, f"{AT} - a: b#012c#012d"),
        ({"timestamp": AT, "program": "a", "log": [98, 255]}, f"{AT} - a: b\xff"),
        ({"timestamp": AT, "program": ["a", "b"], "log": "c"}, f"{AT} - a: c"),
        (ENTRY | {"SYSLOG_IDENTIFIER": "a", "MESSAGE": None}, f"{AT} - a:"),
        # Elastic's name of a host; seconds, milli- and nanoseconds
        ({"time": 1795529790.26, "host": {"name": "mx1"}, "program": "a", "log": "b"}, f"{AT} mx1 a: b"),
        ({"@timestamp": 1795529790260, "host": "mx1", "appname": "a", "message": "b"}, f"{AT} mx1 a: b"),
        ({"ts": 1795529790260000123, "HOST": "mx1", "PROGRAM": "a", "message": "b"}, f"{AT} mx1 a: b"),
        # a tag with its pid and no program; Fluentd's tag is none
        (SHIPPED | {"tag": "sm-mta[9]:", "msg": " b"}, "Nov 24 14:16:30 mx1 sm-mta[9]: b"),
        (SHIPPED | {"tag": "mail.info", "msg": "sm-mta[9]: b"}, "Nov 24 14:16:30 mx1 sm-mta[9]: b"),
        # the text is the line: with an envelope of its own, of a container, without a program, without a time
        ({"time": 1795529790, "host": "shipper", "program": "docker", "message": LINE}, LINE),
        (ENTRY | OF_CONTAINER, START),
        ({"timestamp": AT, "host": "mx1", "message": START}, START),
        ({"time": "24/Nov/2026:14:16:30 +0000", "program": "a", "message": "b"}, "b"),
    ],
)
def test_forms(entry: dict[str, object], line: str) -> None:
    assert unwrap(json.dumps(entry)) == [line]
    assert unwrap(docker(json.dumps(entry)).decode()) == [line]


@pytest.mark.parametrize("line", NOT_WRAPPED)
def test_what_carries_no_line_stays_as_it_is(line: str) -> None:
    assert unwrap(line) == [line]
    assert unwrap(line, docker(LINE).decode()) == [line, LINE]


def test_a_line_that_is_too_long_is_not_looked_at() -> None:
    line = docker("x" * LONGEST_LINE).decode()
    assert unwrap(line) == [line]


def test_a_plain_log_is_left_alone() -> None:
    sample = f"{LINE}\n".encode() * 3
    assert unwrap_sample(sample) is sample


TEXT = st.text(st.characters(codec="utf-8"), min_size=1).map(lambda text: f"a {text} z")
HEAD = st.sampled_from(["2026-11-24T14:16:30.260000+00:00 mx1 postfix/smtpd[227]: ",
                        "2026-11-24T14:16:30.000001+00:00 mx-2.example exim: ", ""])  # fmt: skip


@examples(60)
@given(
    data=st.data(),
    logged=st.lists(st.tuples(HEAD, TEXT), min_size=1, max_size=6),
    others=st.lists(st.sampled_from(NOT_WRAPPED) | st.text(st.characters(codec="utf-8")), max_size=3),
)
def test_any_text_comes_out_as_it_was_put_in(
    data: st.DataObject, logged: list[tuple[str, str]], others: list[str]
) -> None:
    lines = [(head + text).replace("\r\n", "\n") for head, text in logged]
    wraps = [data.draw(st.sampled_from([each for each in WRAPPERS if each != "kubernetes"])) for _ in lines]
    wrapped = [WRAPPERS[wrap](line).decode().rstrip("\n") for wrap, line in zip(wraps, lines, strict=True)]
    assert unwrap(*wrapped) == [line.replace("\n", "#012") for line in lines]
    mixed = data.draw(st.permutations([*wrapped, *others]))
    assert unwrap(*mixed) == [unwrap(line)[0] for line in mixed]


@examples(60)
@given(st.binary())
def test_no_bytes_break_it(data: bytes) -> None:
    unwrap_sample(b"{" + data)
    for head in (b"{", b'{"message": "', b'{"message": [1, ', b"2026-11-24T14:16:30.26Z stdout F {"):
        assert frame_lines(head + data, 0).height >= 1


# A record of several lines as a shipper with a rule for them joins it; None where it is one line.
JOINED: dict[str, tuple[re.Pattern[str], str]] = {
    "opendmarc_history": (re.compile(r"(?m)^(?=job )"), "job "),
    "exim": (re.compile(r"(?m)^(?=\d{4}-\d\d-\d\d \d\d:)"), "\nEnvelope-"),
}


@pytest.mark.parametrize("name", LOGS)
def test_lines_are_those_of_the_log(name: str) -> None:
    lines = [to_iso(line) for line in LOGS[name].lines[:200]]
    plain = "".join(f"{line}\n" for line in lines).encode()
    for wrap in WRAPPERS.values():
        wrapped = b"".join(map(wrap, lines))
        assert unwrap_sample(wrapped) == plain
        assert_frame_equal(frame_lines(wrapped, 0).select("line"), frame_lines(plain, 0).select("line"))
    # What sniff's kernels see is then the same, too.
    assert unwrap_sample(plain) == plain


@pytest.mark.parametrize("name", ["exim", "kannel"])
def test_the_format_is_that_of_the_log(name: str) -> None:
    lines = [to_iso(line) for line in LOGS[name].lines[:40]]
    for wrapper in ("docker", "journal json"):
        wrapped = b"".join(map(WRAPPERS[wrapper], lines))
        assert recognise_format(wrapped) == recognise_format("\n".join(lines).encode())


@pytest.mark.parametrize(
    ("name", "log"), [("opendmarc_history", "opendmarc_history"), ("exim", "exim, rejectlog")]
)
def test_a_record_of_several_lines_that_was_joined_into_one_is_refused_by_its_reason(
    name: str, log: str
) -> None:
    begin, sign = JOINED[name]
    records = [each.rstrip("\n") for each in begin.split("\n".join(LOGS[log].lines)) if each]
    assert any(sign in each for each in records)
    for wrapper in ("docker", "shipped file"):
        wrapped = b"".join(map(WRAPPERS[wrapper], records))
        assert recognise_format(wrapped)[0] == name
        reasons = KERNELS[name].refuse_lines(frame_lines(wrapped, 0))
        assert [each == "several_lines" for each in reasons] == [sign in each for each in records]

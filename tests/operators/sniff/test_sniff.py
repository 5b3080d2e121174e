"""`observatory sniff`: what it tells is what ingesting gives, it stores nothing, and no input breaks it."""

import bz2
import dataclasses
import datetime as dt
import gzip
import io
import itertools
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import time
import types
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from rich.console import Console

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.contracts import polars_schema
from jobs.operators.formats import VERDICT, Source
from jobs.operators.formats import registry as formats
from jobs.operators.formats.format import DocumentFormat, LineFormat, Profiles
from jobs.operators.formats.kannel import FORMAT as kannel
from jobs.operators.formats.postfix import FORMAT as postfix
from jobs.operators.formats.rspamd import FORMAT as rspamd
from jobs.operators.formats.shared import lines
from jobs.operators.ingest import parsing
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.sniff import proposal, sampled_blocks, tally, zones
from jobs.operators.sniff.command import sniff_files
from jobs.operators.sniff.drawing import format_amount
from jobs.operators.sniff.files import FileProblem, LogFile, logs_of
from jobs.operators.sniff.recognition import separate_files, separate_logs, shared_url
from jobs.operators.sniff.survey import LogSurvey, survey_log
from tests.conftest import ROOT
from tests.support.examples import examples
from tests.support.in_process import command_line_of
from tests.support.lying_server import lying_server
from tests.support.wrapped_logs import EXPORT, WRAPPERS

LAB = ROOT / "sample_data" / "lab"
STUDY = ROOT / "sample_data" / "study"
MAIL = LAB / "postfix" / "mail.iso8601.log"
RSPAMD = LAB / "postfix" / "rspamd.log"
KANNEL = LAB / "kannel" / "bearerbox-access.log"
FOREVER = 3600.0


def answers(*files: object, seconds: float = FOREVER) -> list[LogSurvey]:
    """The final answers on some files; none of them may have a problem."""
    until = time.monotonic() + seconds
    logs, problems = logs_of([str(file) for file in files], until)
    assert problems == []
    found = []
    for log in logs:
        parts, problems = separate_files(log)
        assert problems == []
        for part, recognised in parts:
            *_, last = survey_log(part, recognised, until)
            assert last.is_final
            found.append(last)
    return found


def answer(*files: object, seconds: float = FOREVER) -> LogSurvey:
    (found,) = answers(*files, seconds=seconds)
    return found


class Told:
    """Output of a run that a person sees, and its end."""

    def __init__(
        self,
        *files: object,
        is_json: bool = False,
        width: int = 100,
        seconds: float = 60,
        profile: str | None = None,
    ) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.error = ""
        try:
            sniff_files(
                [str(file) for file in files],
                time.monotonic() + seconds,
                is_json,
                Console(file=out, width=width, force_terminal=False),
                Console(file=err, width=width, force_terminal=False),
                profile,
            )
        except ObservatoryError as error:
            assert error.exit_code == 2
            self.error = str(error)
        self.out = out.getvalue()

    @property
    def logs(self) -> list[dict[str, Any]]:
        return json.loads(self.out)["logs"]


def line(number: int, body: str, stamp: str | None = None) -> str:
    """A line of Postfix's, a second after the one before."""
    at = dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC) + dt.timedelta(seconds=number)
    return f"{stamp or at.isoformat()} mx1 postfix/{body}\n"


def message(number: int, queue_id: str | None = None, outcome: str = "sent") -> str:
    """The lines of one message to one recipient."""
    own = queue_id or f"{number:08X}AB"
    bodies = [
        f"smtpd[7]: {own}: client=a.example[192.0.2.{number % 250}]",
        f"cleanup[8]: {own}: message-id=<{number}@a.example>",
        f"qmgr[9]: {own}: from=<ann{number}@a.example>, size=900, nrcpt=1 (queue active)",
        f"smtp[10]: {own}: to=<bob{number}@b.example>, relay=mx.b.example[198.51.100.4]:25, delay=1, "
        f"delays=0/0/0/1, dsn=2.0.0, status={outcome} (250 2.0.0 Ok)",
        f"qmgr[9]: {own}: removed",
    ]
    return "".join(line(5 * number + place, body) for place, body in enumerate(bodies))


# --- the figures are those of ingest -------------------------------------------------------------------


def unpacked(file: Path) -> bytes:
    data = file.read_bytes()
    return gzip.decompress(data) if file.suffix == ".gz" else data


def ingested(kernel: Any, *files: Path, zone: str = "UTC") -> dict[str, Any]:
    """Return the result of ingest's own functions on files: counts of its ledger, transmissions, verdicts."""
    counts: Counter[str] = Counter()
    bronze: dict[str, list[pl.DataFrame]] = {}
    for number, file in enumerate(files):
        data = unpacked(file)
        source = Source("a", "s", f"t{number}", dt.datetime(2026, 11, 25, tzinfo=dt.UTC), zone)
        part = parsing.Range(str(file), 0, len(data), "p", 0, source)
        parsed = parsing.parse_block(lines.frame_lines(data, 0), part, kernel.name, "i")
        for name, rows in parsed.rows.items():
            bronze.setdefault(name, []).append(rows)
        for column in ("line_count", "record_count", "ignored_count", "quarantined_count"):
            counts[column] += parsed.count[column][0]
    found: dict[str, Any] = {"counts": counts}
    for name, frames in bronze.items():
        each = formats.KERNELS[name]
        whole = each.assemble(pl.concat(frames).lazy())
        if each.transmissions:
            sent = each.transmissions(whole).collect().select("channel_code", "stage_code", "outcome_code")
            found["transmissions"] = found.get("transmissions", Counter()) + Counter(sent.rows())
        if each.verdicts:
            said = each.verdicts(whole).collect().select("engine_code", "action", "is_spam")
            found["verdicts"] = found.get("verdicts", Counter()) + Counter(said.rows())
    return found


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "kernel", "files"),
    [
        ("postfix", postfix, [MAIL]),
        ("postfix", postfix, [LAB / "postfix" / "mail.rfc3164.log"]),
        ("postfix", postfix, [LAB / "postfix" / "mail.rfc5424.log"]),
        ("rspamd", rspamd, [RSPAMD]),
        ("kannel", kannel, [KANNEL]),
        pytest.param(
            "postfix", postfix, sorted((STUDY / "himal-mail").glob("mail.log*")), marks=pytest.mark.long
        ),
        ("postfix", postfix, sorted((STUDY / "lagoon-mail").glob("mail.log*"))),
        ("rspamd", rspamd, sorted((STUDY / "lagoon-mail").glob("rspamd.log*"))),
        ("kannel", kannel, sorted((STUDY / "channel-sms").glob("*.gz"))),
    ],
    ids=lambda value: None if not isinstance(value, list) else f"{value[0].parent.name}-{value[0].name}",
)
def test_totals_are_what_ingesting_gives(name: str, kernel: Any, files: list[Path]) -> None:
    found = answer(*files)
    wanted = ingested(kernel, *files)
    assert (found.format, found.is_exact, found.share_read) == (name, True, 1.0)
    assert found.tally is not None
    assert {
        "line_count": sum(each.lines for each in found.tally.files),
        "record_count": sum(each.records for each in found.tally.files),
        "ignored_count": sum(each.ignored for each in found.tally.files),
        "quarantined_count": sum(each.quarantined for each in found.tally.files),
    } == dict(wanted["counts"])
    assert found.transmissions == wanted.get("transmissions", {})
    assert found.verdicts == wanted.get("verdicts", {})


SYSTEM = ["sshd[9]: Connection closed by 192.0.2.7 port 4711 [preauth]", "kernel: eth0: link up"]


def carried(lines: list[str]) -> Iterator[tuple[str, bytes]]:
    """The files that carry these lines, by name."""
    for name in ("docker", "kubernetes", "journal json", "rsyslog", "vector", "syslog-ng"):
        yield f"{name}.log", b"".join(map(WRAPPERS[name], lines))
    export = b"".join(map(EXPORT, lines))
    yield from (("export.log", export), ("export.log.1.gz", gzip.compress(export)))


@pytest.mark.long
def test_a_log_counts_as_itself_in_whatever_carries_it(tmp_path: Path) -> None:
    lines = MAIL.read_text("utf-8").splitlines()[:250]
    lines += [lines[-1].partition(" ")[0] + f" mx1 {text}" for text in SYSTEM]
    plain = tmp_path / "plain.log"
    plain.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    wanted = answer(plain)
    for name, data in carried(lines):
        path = tmp_path / name
        path.write_bytes(data)
        found = answer(path)
        assert found.tally is not None and wanted.tally is not None
        assert (found.format, found.is_exact) == ("postfix", True), name
        assert found.tally.files == wanted.tally.files, name
        assert (found.transmissions, found.verdicts) == (wanted.transmissions, wanted.verdicts)
        assert (found.units, found.zone) == (wanted.units, wanted.zone)


@pytest.mark.long
def test_the_lab_log_counts_as_its_truth_says() -> None:
    """tests/operators/formats/test_postfix.py works the truth out: 95 accepted, 24 refused after DATA, 25 at
    RCPT."""
    found = answer(MAIL)
    units = found.units
    assert units is not None
    # 125 recipients and 26 lines of content refusals less what followed up; 20 of the load generator, one
    # by hand; four DSNs are left out and so are 28 + 20 hops, two of them aliases.
    delivered = {key[2:]: count for key, count in units.units.items() if key[1] == "recipient"}
    # Six of them, to eight recipients, SpamAssassin marked and let through: `identified spam` in the log.
    assert delivered[("delivery", "delivered")] == 97 + 20 + 1 - 8
    assert delivered[("content", "tagged")] == 8
    assert delivered[("delivery", "deferred")] == 5
    assert delivered[("delivery", "bounced")] == 4
    assert delivered[("envelope", "discarded")] == 4
    assert delivered[("content", "discarded")] == 12
    assert delivered[("envelope", "quarantined")] == 3
    assert units.not_counted["dsn"] == 4
    assert units.not_counted["hop"] == 28 + 20
    # 25 refused at RCPT, postscreen's two at RCPT and two at connect, and a web browser, less the six that
    # were only told to come again and did; the other seven of these 13 were told so after DATA.
    assert units.count_units("attempt") == 25 + 2 + 2 + 1 - 6
    assert units.not_counted["followed_up"] == 6 + 7


def test_kannel_counts_as_worked_out_by_hand() -> None:
    found = answer(KANNEL)
    assert found.units is not None
    # 41 SMS, of which seven are reports to 7726; three refused.
    assert found.units.count_units("recipient") == 34
    assert found.units.count_units("message") == 34
    assert found.units.count_units("attempt") == 3
    assert found.units.not_counted == {"report": 7}


@pytest.mark.long
@pytest.mark.parametrize("log", [MAIL, *sorted((STUDY / "himal-mail").glob("mail.log.[12].gz"))])
def test_units_are_those_of_silver(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sniff cuts silver into buckets: they hold the messages of one."""
    from jobs.base.tables.contracts import rows_frame
    from jobs.operators.silver import assembling
    from jobs.operators.silver.frames import MESSAGE
    from jobs.operators.silver.pipeline import make_messages_in_memory
    from jobs.operators.sniff.silver import PROTECTION

    monkeypatch.setattr("jobs.operators.sniff.silver.BUCKET_ROWS", 70)
    read = answer(log)
    assert read.tally is not None
    bronze = {
        name: assembling.settle_rows(name, part_rows) for name, part_rows in read.tally.bronze_rows().items()
    }
    rows, verdict = (
        assembling.assemble_rows(f"silver.{name}", bronze, PROTECTION) for name in ("transmission", "verdict")
    )
    knowledge = rows_frame([], "silver.operator_knowledge")
    found = (
        make_messages_in_memory(rows, verdict, knowledge)
        .table_rows(MESSAGE)
        .group_by("grain_code", "stage_code", "outcome_code")
        .agg(units=pl.len(), messages=pl.col("is_message_row").sum())
    )
    wanted: dict[tuple[str, str, str, str], int] = {}
    for grain, stage, outcome, count, messages in found.rows():
        wanted["EMAIL", grain, stage, outcome] = count
        if messages:
            wanted["EMAIL", "message", stage, outcome] = messages
    assert read.units is not None and sum(wanted.values()) > 100
    assert read.units.units == wanted


def test_a_filter_between_the_lines_names_the_recipients_of_a_refused_message(tmp_path: Path) -> None:
    """The server records one recipient of a message refused after DATA, the filter all of them."""
    refused = (
        line(0, "smtpd[7]: AABBCCDDEE: client=a.example[192.0.2.7]")
        + line(1, "cleanup[8]: AABBCCDDEE: message-id=<1@a.example>")
        + line(
            2,
            "cleanup[8]: AABBCCDDEE: milter-reject: END-OF-MESSAGE from a.example[192.0.2.7]: 5.7.1 Spam;"
            " from=<ann@a.example> to=<bob@b.example> proto=ESMTP helo=<a.example>",
        )
    )
    said = (
        "2026-11-24T10:00:02+00:00 mx1 amavis[72]: (00113-01) Blocked SPAM {RejectedInbound},"
        " [192.0.2.7]:39500 [192.0.2.7] <ann@a.example> -> <bob@b.example>,<c@b.example>,<d@b.example>,"
        " Queue-ID: AABBCCDDEE, Message-ID: <1@a.example>, mail_id: 7Hf7, Hits: 12.5, size: 529, 257 ms\n"
    )
    path = tmp_path / "mail.log"
    path.write_text(refused + said + message(9), encoding="utf-8")
    (log,) = Told(path, is_json=True).logs
    assert log["named_by_filters"] == 2
    recipients = {row["stage_code"]: row["count"] for row in log["units"] if row["unit_code"] == "recipient"}
    assert recipients == {"content": 3, "delivery": 1}
    assert sum(row["count"] for row in log["transmissions"]) == 2
    assert "2 of the recipients are named by a filter's verdict alone." in Told(path).out


# --- reading -------------------------------------------------------------------------------------------


def blocks_of(
    file: LogFile, until: float = FOREVER
) -> tuple[list[sampled_blocks.LineBlock], sampled_blocks.Progress]:
    progress = sampled_blocks.Progress()
    return list(sampled_blocks.read_blocks(file, progress, lambda: time.monotonic() + until)), progress


@examples(50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.sampled_from([b"\n", b"\r\n", b"a", b"bcdefgh", b"\xff\0", b"x" * 40]), max_size=60),
    block=st.integers(1, 64),
    first=st.integers(1, 64),
    is_closed=st.booleans(),
)
def test_blocks_are_the_file_each_line_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    parts: list[bytes],
    block: int,
    first: int,
    is_closed: bool,
) -> None:
    monkeypatch.setattr(sampled_blocks, "BLOCK", block)
    monkeypatch.setattr(sampled_blocks, "FIRST", first)
    data = b"".join(parts)
    path = tmp_path / ("mail.log.1" if is_closed else "mail.log")
    path.write_bytes(data)
    (log,), _ = logs_of([str(path)], FOREVER)
    found, progress = blocks_of(log.files[0])
    whole = data if is_closed else data[: lines.last_line_start(data)]
    assert b"".join(each.data for each in sorted(found, key=lambda each: each.offset)) == whole
    assert all(each.data == whole[each.offset : each.offset + len(each.data)] for each in found)
    assert progress.waiting == len(data) - len(whole)
    assert progress.is_whole and progress.sees_end
    for each in found:
        if each.first_line is not None:
            assert each.first_line == lines.frame_lines(whole, 0)["offset"].to_list().index(each.offset) + 1


@given(st.integers(1, 400))
def test_the_order_of_blocks_is_everyone_once_and_spread_whenever_it_stops(count: int) -> None:
    order = sampled_blocks.spread_order(count)
    assert sorted(order) == list(range(count))
    for size in range(3, count):
        places = sorted(order[:size])
        gaps = [after - before for before, after in itertools.pairwise(places)]
        assert max(gaps) <= 4 * count / size + 2


@pytest.mark.long
@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress,
        *(pytest.param(each, marks=pytest.mark.long) for each in (bz2.compress, lzma.compress)),
        zstandard.compress,
    ],
)
def test_compressed_files_are_read_to_their_end(tmp_path: Path, pack: Any) -> None:
    path = tmp_path / "mail.log.1.gz"
    path.write_bytes(pack(MAIL.read_bytes()))
    found = answer(path)
    assert found.transmissions == answer(MAIL).transmissions
    assert found.is_exact


def many(count: int) -> bytes:
    return "".join(message(number) for number in range(count)).encode()


@pytest.mark.parametrize("before", [b"", b"{}\n"])
def test_json_without_a_last_line_end_is_read(tmp_path: Path, before: bytes) -> None:
    document = (
        b'[{"unix_time":1795528800.5,"message-id":"a@b.example","action":"no action","score":1.0,'
        b'"required_score":15.0,"ip":"192.0.2.1","symbols":{}}]'
    )
    (tmp_path / "history.json").write_bytes(before + document)
    (log,), _ = logs_of([str(tmp_path / "history.json")], FOREVER)
    _, progress = blocks_of(log.files[0])
    assert (progress.read, progress.waiting) == (len(before + document), 0)
    (tmp_path / "history.json").write_bytes(document + b"\n" + document[:-1])
    (log,), _ = logs_of([str(tmp_path / "history.json")], FOREVER)
    _, progress = blocks_of(log.files[0])
    assert progress.waiting == len(document) - 1


@pytest.mark.long
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_sample_tells_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_packed: bool) -> None:
    """Time for a few blocks only: counts are scaled to the file, and said to be estimates."""
    monkeypatch.setattr(sampled_blocks, "BLOCK", 16 << 10)
    monkeypatch.setattr(sampled_blocks, "FIRST", 4 << 10)
    path = tmp_path / ("mail.log.gz" if is_packed else "mail.log")
    data = many(6000)
    path.write_bytes(gzip.compress(data) if is_packed else data)
    ticks = itertools.count()
    looked = 0

    def until(self: Any) -> float:
        nonlocal looked
        looked = next(ticks)
        return 0.0 if looked > (10 if is_packed else 20) else 1e12

    monkeypatch.setattr("jobs.operators.sniff.survey._Clock.find_deadline", until)
    found = answer(path)
    assert looked
    assert not found.is_exact
    assert 0.02 < found.share_read < 0.7
    assert found.estimate_count(lambda each: each.lines) == pytest.approx(30_000, rel=0.1)
    assert found.units is not None
    assert found.units.count_units("message") == pytest.approx(6000, rel=0.1)
    told = Told(path)
    assert "totals are estimates (≈)" in told.out and "the totals are exact" not in told.out


@pytest.mark.long
def test_the_time_is_kept_and_the_first_answer_comes_from_the_first_block(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(many(40_000))
    logs, _ = logs_of([str(path)], FOREVER)
    ((log, recognised),), _ = separate_files(logs[0])
    steps = survey_log(log, recognised, time.monotonic())
    first = next(steps)
    assert (first.format, first.is_final) == ("postfix", False)
    # Both ends are known before anything between them is read.
    assert first.first_at == dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC)
    assert first.last_at == first.first_at + dt.timedelta(seconds=5 * 40_000 - 1)
    assert first.share_read < 0.1
    *_, last = steps
    # The time was over from the start: one block is all that was read.
    assert last.is_final and not last.is_exact
    assert last.share_read < 0.1


@pytest.mark.long
def test_rotations_are_one_log_and_copies_count_once(tmp_path: Path) -> None:
    data = many(300)
    half = data.rfind(b"\n", 0, len(data) // 2) + 1
    (tmp_path / "mail.log").write_bytes(data[half:])
    (tmp_path / "mail.log.1").write_bytes(data[:half])
    (tmp_path / "mail.log.2.gz").write_bytes(gzip.compress(data[: half // 3]))
    found = answer(*sorted(tmp_path.glob("mail.log*")))
    assert found.log.url == str(tmp_path / "mail.log*")
    assert found.units is not None
    # A message that the rotation cuts is one; mail.log.2.gz holds nothing that is not in mail.log.1.
    assert found.units.count_units("message") == 300
    assert [copy for copy, _ in found.copies] == [str(tmp_path / "mail.log.2.gz")]
    assert "counted once" in Told(*tmp_path.glob("mail.log*")).out


@pytest.mark.long
def test_a_wildcard_over_two_formats_is_two_logs(tmp_path: Path) -> None:
    for name, log in (("mail.log", MAIL), ("rspamd.log", RSPAMD), ("rspamd.log.1", RSPAMD)):
        (tmp_path / name).write_bytes(log.read_bytes())
    (tmp_path / "rspamd.log.1").write_bytes(RSPAMD.read_bytes().replace(b"11-24", b"11-23"))
    found = {each.format: each for each in answers(tmp_path / "*.log*")}
    assert {name: each.log.url for name, each in found.items()} == {
        "postfix": str(tmp_path / "mail.log"),
        "rspamd": str(tmp_path / "rspamd.log*"),
    }


@pytest.mark.parametrize(
    ("names", "url", "shared"),
    [
        (["/var/log/a.log"], "/var/log/*.log", "/var/log/a.log"),
        (["/var/log/a.log"], "sftp://mx1:22/var/log/*.log", "sftp://mx1:22/var/log/a.log"),
        (["/log/a.log", "/log/a.log.1"], "sftp://ann@mx1/log/*", "sftp://ann@mx1/log/a.log*"),
        (["logs/a.log"], "s3://logs/*.log", "s3://logs/a.log"),
        (["https://mx1/a.log"], "https://mx1/*.log", "https://mx1/a.log"),
    ],
)
def test_files_of_a_wildcard_keep_their_host(names: list[str], url: str, shared: str) -> None:
    assert shared_url(names, url) == shared


@pytest.mark.long
def test_logs_over_http_are_read_as_those_on_this_machine() -> None:
    with lying_server() as server:
        server.files |= {"/log/mail.log": MAIL.read_bytes(), "/log/mail.log.1.gz": gzip.compress(many(3))}
        server.content_type = "text/html"
        told = Told(f"{server.url}/log/mail.log*", is_json=True)
        (log,) = told.logs
        assert (log["format"], log["log"]) == ("postfix", f"{server.url}/log/mail.log*")
        assert log["lines"] == len(MAIL.read_bytes().splitlines()) + 15
        # Each file is sent once; before that its first bytes are.
        assert len(server.requests) == 1 + 2 * 2
        del server.files["/log/mail.log"]
        said = Told(f"{server.url}/log/mail.log?token=word-7").error
        assert "404 Not Found" in said and "word-7" not in said


def test_a_line_that_is_still_written_waits(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(many(3) + b"2026-11-24T10:01:00+00:00 mx1 postfix/qmgr[9]: 0000")
    found = answer(path)
    assert found.tally is not None and found.tally.files[0].lines == 15
    assert found.progress[0].waiting == 51
    assert "51 bytes after the last line end wait" in " ".join(Told(path).out.split())


# --- what is told --------------------------------------------------------------------------------------


@pytest.mark.long
def test_lines_not_understood_are_counted_as_patterns_and_masked(tmp_path: Path) -> None:
    path = tmp_path / "mail.log"
    odd = [
        line(500 + place, f"smtpd[7]: {place:08X}AB: strange <p{place}@secret.example>") for place in range(7)
    ]
    cut = "2026-11-24T10:59:00+00:00 mx1\n"
    path.write_text(message(1) + "".join(odd) + cut * 2 + message(2), encoding="utf-8")
    (log,) = Told(path, is_json=True).logs
    assert log["quarantined"] == {"truncated": 2, "unknown_shape": 7}
    assert [(row["count"], row["line"], row["reason_code"]) for row in log["not_understood"]] == [
        (7, 6, "unknown_shape"),
        (2, 13, "truncated"),
    ]
    assert log["not_understood"][0]["pattern"] == "<time> mx1 postfix/smtpd[<n>]: <id>: strange <address>"
    told = Told(path)
    assert "line 6" in told.out and "unknown_shape 7" in told.out
    assert "secret.example" not in told.out


@pytest.mark.long
@pytest.mark.parametrize("width", [80, 120])
def test_nothing_of_a_log_reaches_the_terminal_raw(tmp_path: Path, width: int) -> None:
    path = tmp_path / "mail.log"
    evil = "\x1b]0;owned\x07\x1b[31m[bold]\u202e[/bold][/] " + "x " * 200
    path.write_text(
        message(1) + "".join(line(100 + n, f"smtpd[7]: AABBCCDDEE: {evil}") for n in range(3)) + message(2)
    )
    told = Told(path, width=width)
    assert told.error == ""
    # The pattern gives way to what says where and how often.
    assert " 3  unknown_shape  line 6 " in told.out
    assert not any(sign in told.out for sign in "\x1b\x07\u202e")
    # At 80 columns the pattern is cut before it comes to that.
    assert ("\\x1b" in told.out and "[bold]" in told.out) == (width > 80)
    assert max(len(each) for each in told.out.split("observatory.toml")[0].splitlines()) <= width
    as_json = Told(path, is_json=True).out
    assert "\x1b" not in as_json and "\u202e" not in as_json


@pytest.mark.long
def test_the_block_to_paste_is_a_source(tmp_path: Path) -> None:
    folder = tmp_path / 'a "b" [c]'
    folder.mkdir()
    path = folder / "mail.log"
    path.write_bytes(MAIL.read_bytes())
    (log,) = Told(path, is_json=True).logs
    operator = '[[operator]]\nid="a"\nname="A"\ncountry="CHE"\nholding="a"\ncurrency="CHF"\n'
    (tmp_path / "observatory.toml").write_text(operator + log["source"], encoding="utf-8")
    (source,) = load_with_options(tmp_path / "observatory.toml").operator[0].source
    assert (source.id, source.format) == ("mail", "postfix")
    import fsspec

    fs, pattern = fsspec.core.url_to_fs(source.url)
    assert fs.glob(pattern) == [str(path)]
    for each in log["source"].splitlines():
        assert each in Told(path).out


@pytest.mark.long
def test_text_and_json_tell_the_same(tmp_path: Path) -> None:
    (log,) = Told(KANNEL, is_json=True).logs
    assert (log["format"], log["lines"], log["records"], log["ignored"]) == ("kannel", 91, 89, 2)
    assert sum(row["count"] for row in log["transmissions"]) == 44
    told = Told(KANNEL)
    for word in ("kannel", "89 records, 2 ignored", "34 messages", "the totals are exact", "confidence 100%"):
        assert word in told.out
    # A page of the same log has inbound and internal messages only.
    assert "Counted in all directions: 34 messages" in told.out


@pytest.mark.long
def test_the_end_names_what_goes_on_with_the_log(tmp_path: Path) -> None:
    path = tmp_path / "a b.log"
    path.write_bytes(MAIL.read_bytes())
    # Each can be pasted as it stands: what it is for is a comment, below it where one line has no room.
    commands = [f"Next: observatory report '{path}'", f"      observatory init '{path}'"]
    comments = ["# the page, without settings", "# writes observatory.toml"]
    both = [f"{command}  {comment}" for command, comment in zip(commands, comments, strict=True)]
    assert Told(path, width=200).out.splitlines()[-2:] == both
    narrow = [
        line for pair in zip(commands, (f"      {each}" for each in comments), strict=True) for line in pair
    ]
    assert Told(path, width=60).out.splitlines()[-4:] == narrow
    assert Told(path, is_json=True).logs
    path.write_text("of no format\n" * 9, encoding="utf-8")
    assert "Next:" not in Told(path).out


# --- zones ---------------------------------------------------------------------------------------------

_BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


def long_id(at: dt.datetime) -> str:
    """A long queue id of Postfix's: six digits of seconds, four of microseconds, z, the inode."""
    seconds, digits = int(at.timestamp()), ""
    for _ in range(6):
        seconds, digit = divmod(seconds, 52)
        digits = _BASE52[digit] + digits
    return f"{digits}0000z1fPlf"


def with_long_ids(begin: dt.datetime, count: int, local: Any) -> bytes:
    """Messages a minute apart whose stamps are local and whose ids are UTC."""
    text = ""
    for number in range(count):
        at = begin + dt.timedelta(minutes=number)
        stamp = f"{at.astimezone(local):%Y-%m-%dT%H:%M:%S}"
        for body in ("client=a.example[192.0.2.1]", "message-id=<a@a.example>"):
            text += line(0, f"smtpd[7]: {long_id(at)}: {body}", stamp)
    return text.encode()


def zone_of(data: bytes) -> zones.Zone:
    source = Source("a", "s", "t", dt.datetime(2026, 12, 31, tzinfo=dt.UTC))
    return zones.zone_of([data], postfix, source, None)


def test_stamps_with_an_offset_need_no_zone() -> None:
    found = zone_of(MAIL.read_bytes()[:60_000])
    assert found.is_explicit and found.by == "offset"


@pytest.mark.parametrize(
    ("place", "offset", "name"),
    [
        ("Asia/Kathmandu", 20_700, "Asia/Kathmandu"),
        ("UTC", 0, "UTC"),
        ("Europe/Paris", 3600, "Etc/GMT-1"),
        ("America/New_York", -18_000, "Etc/GMT+5"),
        ("Australia/Adelaide", 37_800, None),
    ],
)
def test_ids_tell_the_zone(
    monkeypatch: pytest.MonkeyPatch, place: str, offset: int, name: str | None
) -> None:
    from zoneinfo import ZoneInfo

    monkeypatch.setattr(zones, "this_machines_zone", lambda: None)
    begin = dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC)
    found = zone_of(with_long_ids(begin, 20, ZoneInfo(place)))
    assert (found.by, found.offsets) == ("ids", (offset,))
    assert "40 ids" in found.evidence
    if place != "UTC":
        assert place in found.fitting
    if name is not None:
        assert found.name == name
    # The zone that is named reads the stamps right.
    assert dt.datetime(2026, 11, 24, 10, tzinfo=ZoneInfo(found.name or "")).utcoffset() == dt.timedelta(
        seconds=offset
    )


def test_this_machines_zone_is_named_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoneinfo import ZoneInfo

    monkeypatch.setattr(zones, "this_machines_zone", lambda: "Europe/Vienna")
    data = with_long_ids(dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC), 5, ZoneInfo("Europe/Paris"))
    assert zone_of(data).name == "Europe/Vienna"


def test_two_ends_across_summer_time_leave_few_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoneinfo import ZoneInfo

    monkeypatch.setattr(zones, "this_machines_zone", lambda: None)
    source = Source("a", "s", "t", dt.datetime(2026, 12, 31, tzinfo=dt.UTC))
    paris = ZoneInfo("Europe/Paris")
    ends = [with_long_ids(dt.datetime(2026, month, 1, tzinfo=dt.UTC), 9, paris) for month in (8, 11)]
    found = zones.zone_of(ends, postfix, source, None)
    assert found.offsets == (7200, 3600)
    assert "Europe/Paris" in found.fitting and "Africa/Lagos" not in found.fitting
    assert found.name in found.fitting


@pytest.mark.long
def test_without_offset_and_ids_only_the_files_own_time_may_tell(tmp_path: Path) -> None:
    path = tmp_path / "bearerbox.log"
    path.write_bytes(KANNEL.read_bytes())
    last = dt.datetime(2026, 11, 24, 13, 47, 25, tzinfo=dt.UTC)
    os.utime(path, (0, (last - dt.timedelta(hours=1)).timestamp()))
    found = answer(path).zone
    assert found is not None
    assert (found.name, found.by, found.offsets) == (None, "file time", (3600,))
    assert "perhaps UTC+01:00" in Told(path).out
    os.utime(path, (0, (last + dt.timedelta(minutes=7)).timestamp()))
    found = answer(path).zone
    assert found is not None and (found.name, found.by) == (None, "none")
    assert "set time_zone" in Told(path).out


# --- other formats -------------------------------------------------------------------------------------


# Columns that rows of bronze have from parse() and from ingest.
PLACED = ("operator_id", "source_id", "stream_id", "offset", "first_at")


def kernel_of(name: str, kind: Any = LineFormat, **parts: Any) -> Any:
    """A format of nothing but these parts."""
    given: dict[str, Any] = {"title": "", "description": "", "lookback_days": 1}
    given |= {"sniff": lambda sample: 0.0, "assemble": lambda frame: frame}
    return kind(name=name, **given | parts)


@pytest.mark.long
def test_a_companion_is_offered_what_the_host_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter's lines inside the mail log: taken, refused or left, whatever the host made of them."""
    offered: list[str] = []

    def parse(frame: pl.LazyFrame, source: Source) -> pl.LazyFrame:
        some = frame.collect()
        offered.extend(some["line"])
        text = pl.col("line")
        code = (
            pl.when(text.str.contains("amavis")).then(pl.lit("record"))
            .when(text.str.contains("broken")).then(pl.lit("quarantined"))
            .otherwise(pl.lit("ignored"))
        )  # fmt: skip
        rows = some.with_columns(
            line_code=code,
            reason_code=pl.when(text.str.contains("broken")).then(pl.lit("bad_field")),
            first_at=pl.lit(dt.datetime(2026, 11, 24, tzinfo=dt.UTC)).cast(pl.Datetime("us", "UTC")),
        )
        return rows.lazy()

    def verdicts(bronze: pl.LazyFrame) -> pl.LazyFrame:
        about = {"engine_code": "amavis", "action": "Blocked SPAM", "is_spam": True}
        given = {"operator_id": pl.col("operator_id"), "verdict_at": pl.col("first_at")}
        given |= {name: pl.lit(value) for name, value in about.items()}
        return bronze.select(
            given.get(name, pl.lit(None)).cast(kind).alias(name) for name, kind in VERDICT.items()
        )

    def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
        empty = {name: pl.lit(None, kind) for name, kind in polars_schema("bronze.amavis").items()}
        return records.with_columns(**{name: each for name, each in empty.items() if name not in PLACED})

    companion = kernel_of(
        "amavis", stands_in_mail_logs=True, literals=("amavis[", "other["), sniff=lambda sample: 0.1,
        parse=parse, assemble=assemble, verdicts=verdicts,
    )  # fmt: skip
    monkeypatch.setitem(formats.KERNELS, "amavis", companion)
    monkeypatch.setitem(formats.FORMATS, "amavis", companion)
    monkeypatch.setattr(formats, "COMPANIONS", (companion,))
    path = tmp_path / "mail.log"
    between = (
        "2026-11-24T10:00:30+00:00 mx1 amavis[5]: Blocked\n"
        "2026-11-24T10:00:31+00:00 mx1 other[5]: broken\n"
        "2026-11-24T10:00:32+00:00 mx1 other[5]: hello\n"
    )
    path.write_text(message(1) + between + message(20), encoding="utf-8")
    (log,) = Told(path, is_json=True).logs
    assert log["companions"] == {"amavis": 1}
    assert (log["records"], log["ignored"], log["quarantined"]) == (11, 1, {"bad_field": 1})
    blocked = {"engine_code": "amavis", "action": "Blocked SPAM", "is_spam": True}
    assert log["verdicts"] == [blocked | {"count": 1}]
    assert len(offered) == 3
    assert "1 records of amavis" in Told(path).out


@pytest.mark.long
def test_documents_are_counted_by_their_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(data: bytes, file_name: str, source: Source, limit_bytes: int) -> Any:
        assert limit_bytes == tally.LARGEST and file_name.endswith(".xml")
        yield types.SimpleNamespace(rows=[1, 2, 3], reason_code=None)
        if b"broken" in data:
            yield types.SimpleNamespace(rows=(), reason_code="bad_field")
            yield types.SimpleNamespace(rows=(), reason_code=None)

    reports = kernel_of(
        "dmarc", DocumentFormat, read=read, sniff=lambda sample: float(sample.startswith(b"<feedback"))
    )
    monkeypatch.setitem(formats.DOCUMENTS, "dmarc", reports)
    (tmp_path / "a.xml").write_bytes(b"<feedback>")
    (tmp_path / "b.xml").write_bytes(b"<feedback> broken")
    (log,) = Told(tmp_path / "*.xml", is_json=True).logs
    assert (log["format"], log["documents"], log["rows"], log["quarantined"]) == (
        "dmarc", 4, 6, {"bad_field": 1}
    )  # fmt: skip
    told = Told(tmp_path / "*.xml")
    assert "4 in 2 of 2 files" in told.out
    assert "2 records of 6 rows, 1 ignored, 1 quarantined: bad_field 1 (such as b.xml)" in told.out
    assert "time_zone" not in told.out


CDR = "time;from;to;status\n" + "".join(
    f'2026-11-24 10:00:{number:02d};35799000{number:03d};"a;b";DELIVRD\n' for number in range(40)
)


@pytest.mark.long
def test_an_unknown_format_is_described_and_drafted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cdr.csv"
    path.write_text(CDR, encoding="utf-8")
    told = Told(path)
    assert "the format is unknown" in told.error
    assert "4 columns, separated by semicolons" in told.out
    assert "<time>;<n>;" in told.out and "35799000001" not in told.out
    draft = dataclasses.replace(formats.PROFILES, draft=lambda sample: f"[profile]\nof = {len(sample)}")
    monkeypatch.setattr("jobs.operators.sniff.proposal.PROFILES", draft)
    assert f"[profile]\nof = {len(CDR)}" in Told(path).out
    (log,) = Told(path, is_json=True).logs
    assert log["format"] is None
    assert log["profile"] == f"[profile]\nof = {len(CDR)}"


def test_lines_of_json_are_drafted_no_profile(tmp_path: Path) -> None:
    """Commas cut lines of JSON into columns, but no profile reads objects."""
    (tmp_path / "events.jsonl").write_text('{"at": 1, "from": "a", "to": ["b"], "spam": true}\n' * 40)
    told = Told(tmp_path / "events.jsonl")
    assert "a JSON object on each line" in told.out and "profile" not in told.out
    assert Told(tmp_path / "events.jsonl", is_json=True).logs[0].get("profile") is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/var/log/mail.log*", "mail"),
        ("/var/log/kannel/bearerbox-access.log.2.gz", "bearerbox-access"),
        ("s3a://bucket/Reports/*", "reports"),
        ("-", "source"),
    ],
)
def test_a_source_is_named_by_its_file_or_folder(url: str, name: str) -> None:
    assert proposal.source_id(url) == name


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["a,b,c", "1,2,3"], (",", 3)),
        (['a,"b,c",d', "1,2,3"], (",", 3)),
        (["a|b|c;d", "1|2|3"], ("|", 3)),
        (["a\tb\tc\td"], ("\t", 4)),
        (["a,b"], None),
        (["words only", "and more, or less"], None),
        (["a,b,c", "1,2", "x", "1,2,3,4"], None),
    ],
)
def test_delimiters(texts: list[str], found: tuple[str, int] | None) -> None:
    assert proposal.find_delimiter(texts) == found


# --- bad input -----------------------------------------------------------------------------------------


@pytest.mark.long
def test_each_bad_file_is_named_with_what_to_do_and_the_others_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty.log").write_bytes(b"")
    (tmp_path / "core").write_bytes(b"\x7fELF" + bytes(range(256)) * 20)
    (tmp_path / "nul.log").write_bytes(b"ab\0\0cd\n" * 50)
    (tmp_path / "system.journal").write_bytes(b"LPKSHHRH" + bytes(200))
    (tmp_path / "utf16.log").write_bytes("Nov 24".encode("utf-16"))
    (tmp_path / "logs.tar").write_bytes(b"mail.log".ljust(257, b"\0") + b"ustar" + bytes(1000))
    (tmp_path / "notgz.gz").write_bytes(b"\x1f\x8b" + b"garbage" * 20)
    names = ["missing.log", "empty.log", "core", "nul.log", "system.journal", "utf16.log", "logs.tar"]
    names += ["notgz.gz", "none*.log"]
    told = Told(*(tmp_path / name for name in names), tmp_path, KANNEL)
    for name, words in (
        ("missing.log", "no such file"),
        ("empty.log", "empty"),
        ("core", "a program"),
        ("nul.log", "binary"),
        ("system.journal", "journalctl"),
        ("utf16.log", "iconv"),
        ("logs.tar", "Unpack it"),
        ("notgz.gz", "damaged"),
        ("none*.log", "no file matches"),
        (tmp_path.name, "a folder. Name the files in it"),
    ):
        assert any(f"{name}: " in each and words in each for each in told.error.splitlines()), name
    assert len(told.error.splitlines()) == len(names) + 1
    # What can be read is told all the same.
    assert "34 messages" in told.out


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mail.log"
    path.write_bytes(b"x")

    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Tests may run as root, who may read everything.
    monkeypatch.setattr("jobs.operators.sniff.files.open", refuse, raising=False)
    for each in (path, tmp_path / "*.log"):
        assert "permission denied: run as one who may read it" in Told(each).error


def test_a_file_in_a_folder_that_may_not_be_entered_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(os, "lstat", refuse)
        patched.setattr(os, "stat", refuse)
        logs, problems = logs_of(["/locked/mail.log"], time.monotonic() + 1)
    assert logs == []
    assert [each.text for each in problems] == [
        "cannot be read, permission denied: run as one who may read it"
    ]


def test_what_is_no_file_under_a_wildcard_is_left_out_and_the_others_are_told(tmp_path: Path) -> None:
    (tmp_path / "sms.log").write_bytes(KANNEL.read_bytes())
    (tmp_path / "gone.log").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "fifo.log")
    (tmp_path / "folder.log").mkdir()
    told = Told(tmp_path / "*.log", seconds=20)
    assert [line.rsplit("/", 1)[-1] for line in told.error.splitlines()] == [
        "fifo.log: a FIFO, a socket or a device, not a file. Give a wildcard that does not match it",
        "gone.log: cannot be read, no such file or directory",
    ]
    assert "34 messages" in told.out


def test_a_truncated_file_counts_up_to_its_damage(tmp_path: Path) -> None:
    path = tmp_path / "mail.log.1.gz"
    whole = gzip.compress(many(2000))
    path.write_bytes(whole[: len(whole) // 2])
    told = Told(path)
    assert f"{path}: damaged, EOFError" in told.error
    assert "messages" in told.out


def test_smsbox_says_by_what_its_sms_count() -> None:
    out = Told(LAB / "kannel" / "smsbox-access.log").out
    assert "Without one set options = { bearerbox = false }." in " ".join(out.split())


def test_a_verdict_without_an_action_has_none_and_one_that_no_rule_has_another(tmp_path: Path) -> None:
    path = tmp_path / "mainlog"
    start = "2026-11-24 10:04:01 1vNa05-00000005abc-01ab SA:"
    path.write_text(
        f"{start} score=0.1 required=5.0 (scanned from=<s@x.example> ip=192.0.2.9)\n"
        f"{start} Action: lent to ann@x.example: score=0.1 required=5.0 (scanned in 1/1 secs | Message-Id:"
        " e@x.example). From <s@x.example> (host=c.x.example [192.0.2.9]) for ann@a.example\n",
        encoding="utf-8",
    )
    out = Told(path).out
    assert "None" not in out and "spamassassin  none" in out and "spamassassin  other" in out


@pytest.mark.long
def test_a_line_of_a_hundred_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "one.log"
    path.write_bytes(b"x" * (100 << 20))
    begun = time.process_time()
    told = Told(path)
    assert time.process_time() - begun < 20
    assert "one line without an end" in told.out and "the format is unknown" in told.error
    # Between lines of a log it is one line that is too long.
    mail = tmp_path / "mail.log.1"
    mail.write_bytes(many(3) + b"x" * (100 << 20) + b"\n" + many(4))
    (log,) = Told(mail, is_json=True).logs
    assert log["quarantined"] == {"too_long": 1}
    assert (log["lines"], log["records"], log["is_exact"]) == (36, 35, True)


@pytest.mark.long
def test_what_unpacks_without_end_is_left_in_time(tmp_path: Path) -> None:
    path = tmp_path / "mail.log.1.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(many(3))
        for _ in range(400):
            file.write(b"\n" * (1 << 20))
    told = Told(path, seconds=1.5)
    assert "times its size, as no log does" in " ".join(told.out.split())
    assert told.error == ""


def test_a_pipe_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(gzip.compress(MAIL.read_bytes())))
    )
    (log,) = Told("-", is_json=True).logs
    assert (log["format"], log["lines"], log["is_exact"]) == ("postfix", 1835, True)


@pytest.mark.long
@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_bytes_break_it(tmp_path: Path, data: Any) -> None:
    """Damage of any kind to a log of any kind is told or counted; each line is accounted for."""
    log = bytearray(data.draw(st.sampled_from([MAIL, RSPAMD, KANNEL])).read_bytes()[:20_000])
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(0, len(log)))
        log[place : place + data.draw(st.integers(0, 400))] = data.draw(st.binary(max_size=40))
    packed = data.draw(st.sampled_from([bytes, gzip.compress]))(bytes(log))
    packed = packed[: data.draw(st.integers(0, len(packed)))]
    path = tmp_path / "mail.log.1"
    path.write_bytes(packed)
    told = Told(path, is_json=True)
    for each in told.logs:
        if each["format"]:
            assert each["lines"] == each["records"] + each["ignored"] + sum(each["quarantined"].values())
    assert told.logs or told.error


# --- the command ---------------------------------------------------------------------------------------


def run(*arguments: object, code: str = "from jobs.cli.main import main; main()", **more: Any) -> Any:
    program = f"import sys; sys.argv = ['observatory', *{[str(each) for each in arguments]!r}]\n{code}"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, **more
    )


@pytest.mark.long
def test_nothing_is_stored_and_what_starts_slowly_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "mail.log").write_bytes(MAIL.read_bytes())
    code = (
        "from jobs.cli.main import main\n"
        "try: main()\n"
        "finally:\n"
        "    heavy = {'great_expectations', 'scipy', 'pandas', 'altair', 'deltalake', 'sqlglot', 'pyspark'}\n"
        "    print(sorted(heavy & {name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    # Nor is a key of pseudonyms needed.
    env = {name: value for name, value in os.environ.items() if not name.startswith("OBSERVATORY_PSEUDONYM")}
    done = run("sniff", tmp_path / "mail.log", code=code, env=env | {"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "[]"
    assert "1,835 lines" in done.stdout
    assert [each.name for each in tmp_path.iterdir()] == ["mail.log"]


@pytest.mark.long
def test_the_program_ends_with_2_and_a_message(tmp_path: Path) -> None:
    done = run("sniff", tmp_path / "nothing.log")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing.log: no such file" in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr
    done = run("sniff", "-", input=KANNEL.read_text())
    assert done.returncode == 0
    assert "34 messages" in done.stdout


def test_a_fifo_is_a_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = subprocess.Popen(["cp", str(KANNEL), str(path)])
    try:
        assert answer(path).format == "kannel"
    finally:
        writer.wait(timeout=10)


def test_a_fifo_that_nobody_writes_to_is_named_in_time(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    told = Told(tmp_path / "pipe", seconds=0.2)
    assert told.error == (
        f"{tmp_path / 'pipe'}: a FIFO, and nothing was written to it in time. Name a log file, or pipe the"
        " log into `observatory sniff -`"
    )


def test_problems_show_no_control_characters() -> None:
    assert str(FileProblem("a\x1b[31m.log", "empty")) == "a\\x1b[31m.log: empty"


def test_times_are_seen_by_any_kernels_column() -> None:
    at = pl.Series("when", [dt.datetime(2026, 11, 24)], dtype=pl.Datetime("us"))
    assert [times.to_list() for times in tally.line_times(pl.DataFrame([at])) or ()] == [at.to_list()] * 2
    assert tally.line_times(pl.DataFrame({"a": [1]})) is None


@pytest.mark.long
def test_a_range_is_told_once_it_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """27 hours of a packed log, of which the first block holds three: what is told is the whole, once."""
    monkeypatch.setattr(sampled_blocks, "BLOCK", 40_000)
    monkeypatch.setattr(sampled_blocks, "FIRST", 20_000)
    hours = [dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC) + dt.timedelta(minutes=4 * n) for n in range(406)]
    lines = [line(0, f"qmgr[9]: {at:%d%H%M}ABCD: removed " + "x" * 400, at.isoformat()) for at in hours]
    whole = "2026-11-24 10:00:00 → 2026-11-25 13:00:00 UTC, 27"
    (tmp_path / "mail.log").write_text("".join(lines))
    (tmp_path / "mail.log.gz").write_bytes(gzip.compress("".join(lines).encode()))
    # As when two logs were put together, the younger one first.
    (tmp_path / "mixed.log").write_text("".join(lines[200:] + lines[:200]))
    for name in ("mail.log", "mail.log.gz"):
        told = Told(tmp_path / name).out
        assert whole in told and told.count("covers") == 1, told
    assert whole in Told(tmp_path / "mixed.log").out


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("opendmarc.history", 1795529802, 1795529806),
        ("rspamd_history_redis.jsonl", 1795529789, 1795529864),
    ],
)
def test_a_range_is_that_of_records_not_of_the_file(name: str, first: int, last: int) -> None:
    """Seconds since 1970, in every line or in one of a block: no zone moves them."""
    found = answer(LAB / "postfix" / name)
    assert found.first_at is not None and found.last_at is not None
    assert (int(found.first_at.timestamp()), int(found.last_at.timestamp())) == (first, last)
    assert found.zone is not None and found.zone.is_explicit


def test_a_profile_that_ships_is_named_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delimited format is sure of nothing but of the profiles that it knows."""

    def parse(frame: pl.LazyFrame, source: Source) -> pl.LazyFrame:
        assert source.options == {"profile": "own"}
        return frame.with_columns(line_code=pl.lit("ignored"), reason_code=pl.lit(None, pl.String))

    monkeypatch.setitem(formats.FORMATS, "delimited", kernel_of("delimited", parse=parse))
    profiles = Profiles(recognise=lambda sample: ("own", 0.9), draft=lambda sample: "")
    monkeypatch.setattr("jobs.operators.sniff.recognition.PROFILES", profiles)
    monkeypatch.setattr("jobs.base.settings.operator.list_codes", lambda codelist: {"delimited"})
    path = tmp_path / "cdr.csv"
    path.write_text(CDR, encoding="utf-8")
    (log,) = Told(path, is_json=True).logs
    assert (log["format"], log["confidence"], log["lines"], log["ignored"]) == ("delimited", 0.9, 41, 41)
    assert 'options = { profile = "own" }\n' in log["source"]


@pytest.mark.long
def test_a_draft_is_tried_before_anything_is_set_up(tmp_path: Path) -> None:
    path, own = tmp_path / "cdr.csv", tmp_path / "own.toml"
    rows = (
        f"2026-11-24 10:00:{number:02d};SHOP;35799000{number:03d};{status}\n"
        for number, status in enumerate(["DELIVRD", "UNDELIV"] * 20)
    )
    path.write_text("time;from;to;status\n" + "".join(rows) + "what is this\n", encoding="utf-8")
    (log,) = Told(path, is_json=True).logs
    own.write_text(log["profile"], encoding="utf-8")
    told = Told(path, profile=str(own))
    assert told.out == "" and f"profile {own}: channel: this place is still to be filled in" in told.error
    own.write_text(log["profile"].replace('"FILL IN"', '"SMS"', 1), encoding="utf-8")
    told = Told(path, profile=str(own))
    assert told.error == ""
    # Forty messages, the header, and a line that the profile does not fit.
    (log,) = Told(path, profile=str(own), is_json=True).logs
    assert (log["records"], log["ignored"], log["quarantined"]) == (40, 1, {"unknown_shape": 1})
    assert f'options = {{ profile = "{own}" }}\n' in log["source"]
    assert "did you mean 'sms_firewall'?" in Told(path, profile="sms_firewal").error


def test_a_kernel_may_tell_the_offset_of_its_ids_itself() -> None:
    def offset_from_ids(sample: bytes) -> dt.timedelta | None:
        return dt.timedelta(hours=2) if b" <= " in sample else None

    kernel = kernel_of("exim", parse=postfix.parse, offset_from_ids=offset_from_ids)
    data = "".join(line(0, f"smtpd[7]: AB {sign} x", "2026-07-01T10:00:00") for sign in ("<=", "=>", "<="))
    source = Source("a", "s", "t", dt.datetime(2026, 12, 31, tzinfo=dt.UTC))
    found = zones.zone_of([data.encode()], kernel, source, None)
    assert (found.by, found.offsets) == ("ids", (7200,))
    assert "2 ids" in found.evidence
    assert "Europe/Paris" in found.fitting


def test_calls_are_a_unit_of_their_own() -> None:
    from jobs.operators.sniff.silver import count_units

    calls = [("t", "rejected"), ("t", "rejected"), ("u", "delivered")]
    rows = pl.DataFrame(
        [
            {"stream_id": stream, "channel_code": "VOICE_IP", "grain_code": "call", "stage_code": "envelope",
             "outcome_code": outcome, "is_message_row": False, "segment_count": None}
            for stream, outcome in calls
        ]
    )  # fmt: skip
    assert count_units(rows, {"t": 2.0, "u": 1.0}) == {
        ("VOICE_IP", "call", "envelope", "rejected"): 4.0,
        ("VOICE_IP", "call", "envelope", "delivered"): 1.0,
    }


def test_a_person_names_the_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = command_line_of(monkeypatch, capsys)
    log = tmp_path / "mainlog"
    log.write_text("".join(f"2026-11-24 14:00:{n:02d} site: note {n}\n" for n in range(60)), encoding="utf-8")
    told = run("sniff", log)
    assert (told.code, "none that is known here" in told.out) == (2, True)
    told = run("sniff", "--as", "exim", log)
    assert (told.code, "as named; by itself 0%" in told.out) == (0, True)
    assert 'format = "exim"' in told.out and "observatory report" not in told.out
    assert "did you mean 'exim'?" in run("sniff", "--as", "exin", log).err
    assert "name one, --profile" in run("sniff", "--as", "delimited", log).err


def test_records_that_a_shipper_joined_are_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blocks of Exim's reject log, each a line of a container's log."""
    blocks = re.split(r"(?m)^(?=\d{4}-\d\d-\d\d \d\d:)", (LAB / "exim" / "rejectlog").read_text())
    (tmp_path / "reject.json").write_bytes(b"".join(WRAPPERS["docker"](each) for each in blocks if each))
    told = command_line_of(monkeypatch, capsys, width=80)("sniff", tmp_path / "reject.json")
    said = " ".join(told.out.split())
    assert "several_lines: A record of several lines that a shipper joined into one. Let it ship" in said


@pytest.mark.long
@pytest.mark.parametrize("is_listed", [False, True])
def test_a_folder_of_reports_of_one_kind_is_one_source(tmp_path: Path, is_listed: bool) -> None:
    """The folder has Microsoft's complaints beside others', and a report that cannot be read."""
    reports = ROOT / "tests" / "data" / "reports"
    for number in (1, 2, 10):
        shutil.copy(reports / "abuse.eml", tmp_path / f"arf-{number}.eml")
    shutil.copy(reports / "jmrp.eml", tmp_path / "arf-20.eml")
    shutil.copy(reports / "no_arf_part.eml", tmp_path / "arf-21.eml")
    files = sorted(map(str, tmp_path.iterdir()))
    logs, _ = logs_of(files if is_listed else [str(tmp_path / "*")], FOREVER)
    ((log, recognised),), problems = separate_logs(logs)
    assert (log.url, problems) == (str(tmp_path / ("arf-*" if is_listed else "*")), [])
    *_, found = survey_log(log, recognised, time.monotonic() + FOREVER)
    assert found.documents is not None
    assert (found.format, found.confidence, found.documents.records) == ("feedback", 1.0, 4)
    assert dict(found.documents.reasons) == {"no_report": 1}


def test_reports_of_two_kinds_in_a_folder_stay_two_sources(tmp_path: Path) -> None:
    reports = ROOT / "tests" / "data" / "reports"
    for name in ("abuse.eml", "rfc7489.xml", "rfc9990.xml", "no_arf_part.eml"):
        shutil.copy(reports / name, tmp_path)
    logs, _ = logs_of(sorted(map(str, tmp_path.iterdir())), FOREVER)
    parts, _ = separate_logs(logs)
    assert sorted(str(some[0].format) for _, some in parts) == ["None", "dmarc", "dmarc", "feedback"]


@pytest.mark.long
def test_what_is_printed_is_what_gold_will_hold(tmp_path: Path) -> None:
    """Hops and the server's own bounces are taken off, and recipients and attempts add up to the total."""
    out = io.StringIO()
    sniff_files(
        [str(MAIL)], time.monotonic() + FOREVER, False, Console(file=out, width=80), Console(stderr=True)
    )
    text = out.getvalue()
    counted = Counter(answer(MAIL).units.units)
    kept = Counter()
    for (_, unit, _, outcome), count in counted.items():
        if unit in ("recipient", "attempt"):
            kept[outcome] += int(count)
    printed = {
        words[0]: int(words[-1])
        for line in text.splitlines()
        if len(words := line.split()) == 6 and words[-1].isdigit()
    }
    assert {name: count for name, count in printed.items() if name in kept} == dict(kept)
    assert (kept["delivered"], printed["all"]) == (110, sum(kept.values()))
    assert sum(kept.values()) < sum(answer(MAIL).transmissions.values())


def test_verdicts_have_their_share_of_their_filter() -> None:
    out = io.StringIO()
    sniff_files(
        [str(MAIL)], time.monotonic() + FOREVER, False, Console(file=out, width=80), Console(stderr=True)
    )
    shares: dict[str, float] = {}
    for line in out.getvalue().split("of filter", 1)[1].split("for observatory.toml")[0].splitlines():
        if words := line.split():
            shares[words[0]] = shares.get(words[0], 0) + float(words[-1].rstrip("%"))
    assert set(shares) == {"opendmarc", "opendkim", "amavis", "spamassassin"}
    assert all(abs(share - 100) < 0.2 for share in shares.values())


@pytest.mark.parametrize(("count", "shown"), [(2.5, "≈3"), (1234.4, "≈1,230")])
def test_an_estimate_is_whole_and_rounded_away_from_zero(count: float, shown: str) -> None:
    survey = types.SimpleNamespace(is_exact=False)
    assert format_amount(survey, count) == shown  # type: ignore[arg-type]

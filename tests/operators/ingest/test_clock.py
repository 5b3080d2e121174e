"""clock_offset moves all times of a log, those in lists and structs too, and nothing else. Lines with stamps
from the future are quarantined, in every format, and close no day."""

import datetime as dt
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.base.store.lake import Lake
from jobs.operators.build.run import Run
from jobs.operators.formats import AHEAD
from jobs.operators.formats.registry import FORMATS, recognise_format
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.ingest.clock import correct_times
from jobs.operators.ingest.parsing import Parsed, parse_block
from jobs.operators.ingest.piece_ranges import Range
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs.runner import run_stages
from jobs.operators.state import status
from tests.support import lab_logs
from tests.support.examples import examples
from tests.support.filter_logs import LAB, frame_of, lab, placed, source
from tests.support.samples import LOGS, files_of
from tests.support.samples.forms import Log
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, source_toml


# A profile of the tests is a file of another folder.
@pytest.mark.parametrize("name", sorted(name for name in LOGS if "profile" not in LOGS[name].options))
def test_all_that_a_log_tells_is_earlier_by_the_offset_and_else_the_same(name: str) -> None:
    log, offset = LOGS[name], 86_400 * 3 + 4_321
    kernel = FORMATS[log.format]
    told = kernel.parse(frame_of(log.lines[:400]).lazy(), source(options=log.options)).collect()
    records = told.filter(pl.col("line_code") == "record")
    right, moved = (placed(rows) for rows in (records, correct_times(records, offset)))
    for view in (kernel.assemble, *filter(None, (kernel.transmissions, kernel.verdicts))):
        of = (lambda rows: rows) if view is kernel.assemble else kernel.assemble
        one, other = (view(of(rows)).collect() for rows in (right, moved))
        assert one.height or view is not kernel.assemble
        order = [name for name in ("stream_id", "offset", "recipient") if name in one.columns]
        assert_frame_equal(by_place(correct_times(other, -offset)).sort(order), by_place(one).sort(order))


def by_place(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, sessions named by their first line: kernels name some by the time."""
    if "session" not in rows.columns:
        return rows
    first = pl.when(pl.col("session").is_not_null()).then(pl.col("offset").min().over("session"))
    return rows.with_columns(session=first)


@given(st.lists(st.integers(0, 10**6), max_size=3), st.integers(-(10**8), 10**8))
@examples(30)
def test_times_in_lists_and_structs_move_too(seconds: list[int], offset: int) -> None:
    times = [dt.datetime(2026, 11, 24, tzinfo=dt.UTC) + dt.timedelta(seconds=each) for each in seconds]
    kind = pl.Datetime("us", "UTC")
    frame = pl.DataFrame(
        {"n": [7], "at": [None], "events": [[{"at": each, "text": "x"} for each in times]], "one": [None]},
        schema={
            "n": pl.Int64,
            "at": kind,
            "events": pl.List(pl.Struct({"at": kind, "text": pl.String})),
            "one": pl.Struct({"at": kind}),
        },
    )
    moved = correct_times(frame, offset)
    assert [each["at"] for each in moved["events"][0]] == [
        each - dt.timedelta(seconds=offset) for each in times
    ]
    assert moved.schema == frame.schema
    assert (moved["at"].to_list(), moved["one"].to_list()) == ([None], [None])
    assert_frame_equal(correct_times(moved, -offset), frame)


NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
# After the last line of each log of the laboratory: a stamp without a year takes 2026.
LAB_ENDS_AT = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


def message(number: int, day: str) -> str:
    """The log of one message to one recipient."""
    return "".join(
        f"{day}T10:{number:02d}:0{second}+00:00 mx1 postfix/{text}\n"
        for second, text in enumerate(
            (
                f"smtpd[7]: 4jYl9Z1ZHVz1f{number:02d}: client=unknown[192.0.2.9]",
                f"qmgr[9]: 4jYl9Z1ZHVz1f{number:02d}: from=<a@odd.example>, size=900, nrcpt=1 (queue active)",
                f"smtp[6]: 4jYl9Z1ZHVz1f{number:02d}: to=<b{number}@far.example>, relay=far.example"
                "[198.51.100.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)",
                f"qmgr[9]: 4jYl9Z1ZHVz1f{number:02d}: removed",
            )
        )
    )


WRONG = "2036-02-05T10:00:00+00:00 mx1 postfix/smtpd[7]: connect from unknown[192.0.2.9]\n" + message(
    9, "2036-02-05"
)


class Site:
    """One operator with one mail log, which grows."""

    def __init__(self, root: Path, written_at: dt.datetime = NOW) -> None:
        root.mkdir(exist_ok=True)
        self.log, self.written_at, self.runs = root / "mail.log", written_at, 0
        self.log.touch()
        text = operator_toml(
            *("a", "A", "CHE", "a", "CHF", MAIL_NETWORK), source_toml("mx1", str(self.log), "postfix")
        )
        self.file = root / "observatory.toml"
        self.file.write_text(f'[lake]\nroot = "{root / "lake"}"\n[limits]\nquarantined_pct = 100\n{text}')
        self.settings = load_with_options(self.file)
        self.lake = Lake(self.settings.lake.root)

    def add(self, text: str, now: dt.datetime = NOW) -> None:
        """Let the log grow, pull and run."""
        with self.log.open("a") as file:
            file.write(text)
        os.utime(self.log, (self.written_at.timestamp(),) * 2)
        assert pull_operator(self.settings.operator[0], self.lake.root, now).problems == []
        self.run()

    def run(self) -> None:
        self.runs += 1
        run_stages(
            Run(
                self.lake,
                self.settings,
                list(self.settings.operator),
                f"2026112{self.runs}",
                report_step=lambda text: None,
            )
        )

    def recipients(self) -> list[tuple[Any, ...]]:
        """Day of each message that silver has."""
        return sorted(
            self.lake.read("silver.message").filter(grain_code="recipient").select("period_date").rows()
        )

    def counted(self) -> list[tuple[Any, ...]]:
        gold = self.lake.read("gold.spam_volume_daily").filter(unit_code="recipient")
        gold = gold.group_by("period_date").agg(pl.col("units").sum()).filter(pl.col("units") > 0)
        return sorted(gold.rows())


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stamps are held against the times of these files."""
    monkeypatch.delenv("OBSERVATORY_READ_AT", raising=False)


# 1970 is the time that a reproducible archive gives its files.
@pytest.mark.long
@pytest.mark.parametrize("written_at", [NOW, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)])
def test_a_wrong_clock_closes_no_day(tmp_path: Path, written_at: dt.datetime) -> None:
    site = Site(tmp_path, written_at)
    site.add(message(1, "2026-11-23") + WRONG)
    site.add(message(2, "2026-11-24"))
    days = [dt.date(2026, 11, day) for day in (23, 24)]
    assert site.recipients() == [(day,) for day in days]
    assert [day for day, _ in site.counted()] == days
    ledger = site.lake.read("bronze.file").sort("offset")
    assert ledger["last_event_date"].to_list() == days
    assert ledger["late_count"].to_list() == [0, 0]
    refused = site.lake.read("bronze.quarantine")
    assert refused["reason_code"].to_list() == ["from_the_future"] * 4
    (problem,) = status.list_problems(site.lake, site.settings, {"a"})
    for word in ("'a'", "'mx1'", "4 lines", "clock", "observatory quarantine --reason from_the_future"):
        assert word in problem


@pytest.mark.long
def test_the_later_of_the_times_of_file_and_landing_counts(tmp_path: Path) -> None:
    """A machine whose own clock is behind reads logs all the same."""
    site = Site(tmp_path, NOW)
    site.add(message(1, "2026-11-23"), dt.datetime(1970, 1, 1, tzinfo=dt.UTC))
    assert site.recipients() == [(dt.date(2026, 11, 23),)]
    site.add(message(2, "2026-11-28"))
    assert site.recipients() == [(dt.date(2026, 11, 23),)]


def test_settings_fix_the_time_of_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVATORY_READ_AT", "2036-02-06T00:00:00Z")
    site = Site(tmp_path)
    assert site.settings.lake.read_at == dt.datetime(2036, 2, 6, tzinfo=dt.UTC)
    site.add(WRONG)
    assert site.recipients() == [(dt.date(2036, 2, 5),)]


def test_a_source_whose_files_have_no_line_end_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.add(message(1, "2026-11-23").replace("\n", " "))
    (problem,) = status.list_problems(site.lake, site.settings, {"a"})
    for word in ("'mx1'", "nothing was read", "mail.log", "whole = true"):
        assert word in problem


def read(
    name: str,
    lines: list[str],
    latest_at: dt.datetime | None,
    options: dict[str, Any] | None = None,
    newest_at: dt.datetime = LAB_ENDS_AT,
) -> Parsed:
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    about = replace(source(options=options or {}, newest_at=newest_at), latest_at=latest_at)
    return parse_block(frame_lines(data, 0), Range("", 0, len(data), "p", 0, about), name, "1")


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_record_from_the_future_is_quarantined(name: str) -> None:
    # A companion's lines stand in the log of another format; of some, only the sample has lines.
    logs = [
        Log(str(recognise_format((LAB / log).read_bytes()[:65_536])[0]), lab(log))
        for log in lab_logs.LOGS.get(name, ())
    ]
    logs += files_of(name).values()
    found_any = False
    for log in logs:
        whole = read(log.format, log.lines, None, log.options)
        if name not in whole.rows or whole.rows[name].is_empty():
            continue
        found_any = True
        newest: Any = whole.rows[name]["first_at"].max()
        # All were written in time: nothing changes. The file has the time of its newest record.
        same = read(log.format, log.lines, newest + AHEAD, log.options, newest)
        assert same.count.equals(whole.count)
        # The whole log is from the future.
        none = read(log.format, log.lines, dt.datetime(2026, 2, 1, tzinfo=dt.UTC), log.options, newest)
        has = {key: frame.height for key, frame in none.rows.items()}
        # A run of opendmarc's history whose time is not known has that of its file.
        assert all(count == 0 for key, count in has.items() if key != "opendmarc_history"), has
        before, after = (each.count.row(0, named=True) for each in (whole, none))
        counts = ("record_count", "ignored_count", "quarantined_count")
        assert sum(after[each] for each in counts) == after["line_count"] == before["line_count"]
        assert after["ignored_count"] == before["ignored_count"]
        found = none.quarantined.filter(reason_code="from_the_future")
        assert found.height == before["record_count"] - after["record_count"] > 0
        assert name in set(found["format_code"])
        # Of the text as much is kept as of any quarantined line.
        assert found["line_text"].is_not_null().all()
    assert found_any


@pytest.mark.parametrize("name", ["postfix", "kannel", "exim", "rspamd"])
def test_one_line_from_the_future_leaves_the_others(name: str) -> None:
    # Of a filter, its own log: in a mail server's its lines are few, or none.
    read_all = [
        (lines, read(name, lines, None)) for log in lab_logs.LOGS.get(name, ()) for lines in [lab(log)]
    ]
    # A stamp without a year is never from the future, though an id in its line may name a year.
    dated = [(lines, found) for lines, found in read_all if lines[0].startswith("2026")]
    lines, whole = max(dated, key=lambda each: each[1].rows[name].height)
    offsets = whole.rows[name]["offset"].to_list()
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line.encode("utf-8", "surrogatepass")) + 1)
    place = next(n for n, start in enumerate(starts[:-1]) if start in offsets)
    wrong = [*lines[:place], lines[place].replace("2026", "2036", 1), *lines[place + 1 :]]
    spoilt = read(name, wrong, LAB_ENDS_AT)
    assert spoilt.quarantined.filter(reason_code="from_the_future")["offset"].to_list() == [starts[place]]
    assert spoilt.count["last_event_date"].to_list() == whole.count["last_event_date"].to_list()
    assert spoilt.count["record_count"].item() == whole.count["record_count"].item() - 1


def test_a_document_of_rows_is_refused_as_a_whole() -> None:
    row = '{"unix_time":%d,"message-id":"a@b.example","action":"no action","score":1.0,"required_score":15}'
    day = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
    times = [int(at.timestamp()) for at in (day, day.replace(year=2036))]
    document = "[" + ",".join(row % at for at in times) + "]"
    read_at = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    parsed = read("rspamd_history", [document, row % times[0]], read_at)
    assert parsed.quarantined["reason_code"].to_list() == ["from_the_future"]
    assert parsed.rows["rspamd_history"]["first_at"].to_list() == [day]
    assert isinstance(parsed.rows["rspamd_history"], pl.DataFrame)

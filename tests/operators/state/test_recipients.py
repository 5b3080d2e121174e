"""More rows than recipients, recipients that wait for ever, and reports in two versions."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.operators.state import joins, recipients
from jobs.operators.state.recipients import above_acceptance, revised_reports, waiting_recipients

NEWEST = dt.date(2026, 11, 24)
PERIODS = {"a": {str(NEWEST - dt.timedelta(days=back)) for back in range(35)}}


def sent(queue: str, accepted: int | None, rows: int, grain: str = "recipient") -> list[dict[str, Any]]:
    """The rows of a message of one queue id."""
    at = dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC)
    return [
        {"operator_id": "a", "source_id": "mx1", "period_date": NEWEST, "grain_code": grain, "first_at": at}
        | {"queue_key": queue, "recipient_count": accepted, "transmission_hash": f"{queue}{number}"}
        for number in range(rows)
    ]


def queued(source: str, back: int, count: int, outcome: str = "queued") -> list[dict[str, Any]]:
    """Recipients of a day before the newest."""
    day = NEWEST - dt.timedelta(days=back)
    about = {"operator_id": "a", "source_id": source, "period_date": day, "outcome_code": outcome}
    return [about | {"grain_code": "recipient", "message_hash": f"{back}{n}"} for n in range(count)]


def lake_of(folder: Path, **tables: list[dict[str, Any]]) -> Lake:
    lake = Lake(str(folder / "lake"))
    for name, rows in tables.items():
        table = name.replace("_", ".", 1)
        lake.append(rows_frame(rows, table), table)
    return lake


def ledger(*formats: str) -> list[dict[str, Any]]:
    about = {"operator_id": "a", "source_id": "mx1", "last_event_date": NEWEST}
    return [about | {"format_code": each} for each in formats]


def test_messages_with_more_rows_than_were_accepted_are_named(tmp_path: Path) -> None:
    rows = sent("q1", 1, 3) + sent("q2", 2, 2) + sent("q3", None, 5) + sent("q4", 1, 2) + sent("q5", 3, 1)
    lake = lake_of(tmp_path, silver_transmission=rows + sent("", None, 4, grain="attempt"))
    (told,) = above_acceptance(lake, PERIODS)
    assert told.startswith(
        "operator 'a', source 'mx1': 2 of 4 messages have 3 more recipients than the server"
    )
    assert above_acceptance(lake, {"b": PERIODS["a"]}) == []


def test_messages_within_their_recipients_are_not(tmp_path: Path) -> None:
    rows = sent("q1", 1, 1) + sent("q2", 5, 2)
    # A short queue id is used again: each use is a message.
    rows += [row | {"first_at": row["first_at"] + dt.timedelta(hours=1)} for row in sent("q1", 1, 1)]
    assert above_acceptance(lake_of(tmp_path, silver_transmission=rows), PERIODS) == []


def test_of_many_rows_a_sample_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for number in range(400) for row in sent(f"q{number}", 1, 2)]
    monkeypatch.setattr(recipients, "LOOKED_AT", 200)
    (told,) = above_acceptance(lake_of(tmp_path, silver_transmission=rows), PERIODS)
    looked_at = int(told.split("messages of a sample")[0].split()[-1])
    assert 40 < looked_at < 160
    assert joins.LOOKED_AT == 200_000


def test_recipients_that_wait_longer_than_a_queue_keeps_them_are_doubtful(tmp_path: Path) -> None:
    # Postfix gives up after five days, and its kernel looks for lines of six.
    rows = (
        queued("mx1", 7, 12) + queued("mx1", 9, 8) + queued("mx1", 6, 30) + queued("mx1", 8, 80, "delivered")
    )
    lake = lake_of(tmp_path, silver_message=rows, bronze_file=ledger("postfix", "rspamd"))
    (told,), others = waiting_recipients(lake, PERIODS)
    assert told.startswith(
        "operator 'a', source 'mx1': 20 of 100 recipients are still queued, of 2026-11-15 to 2026-11-17,"
        " though no queue of this kind keeps a message for more than 6 days"
    )
    assert others == []


@pytest.mark.parametrize(("waiting", "done"), [(9, 0), (12, 1_300)])
def test_a_few_are_said_and_make_no_figure_doubtful(tmp_path: Path, waiting: int, done: int) -> None:
    rows = queued("mx1", 7, waiting) + queued("mx1", 8, done, "bounced")
    lake = lake_of(tmp_path, silver_message=rows, bronze_file=ledger("postfix"))
    doubtful, (told,) = waiting_recipients(lake, PERIODS)
    assert (doubtful, f"{waiting} of {waiting + done:,} recipients" in told) == ([], True)


def test_the_age_is_that_of_the_sources_own_log(tmp_path: Path) -> None:
    # A source whose log ended has no lines that could say what became of its last messages.
    stopped = ledger("sendmail")[0] | {"source_id": "mx2", "last_event_date": NEWEST - dt.timedelta(days=10)}
    lake = lake_of(tmp_path, silver_message=queued("mx2", 12, 20), bronze_file=[*ledger("postfix"), stopped])
    assert waiting_recipients(lake, PERIODS) == ([], [])


def test_reports_that_came_again_with_other_content_are_named(tmp_path: Path) -> None:
    def report(number: int, is_revised: bool | None, domain: str | None) -> dict[str, Any]:
        about = {"operator_id": "a", "period_date": NEWEST, "record_hash": f"{number}:1"}
        return about | {"report_hash": str(number), "is_revised": is_revised, "reporter_domain": domain}

    rows = [report(1, True, "big.example"), report(2, False, "x.example"), report(3, True, None)]
    lake = lake_of(tmp_path, silver_authentication_report=[*rows, report(4, None, "old.example")])
    assert revised_reports(lake, {"a"}) == [
        "operator 'a': 2 DMARC reports of big.example came again with other content; the one sent last"
        " counts."
    ]
    assert revised_reports(lake, {"b"}) == []


def test_no_lake_no_doubt(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    assert above_acceptance(lake, PERIODS) == []
    assert waiting_recipients(lake, PERIODS) == ([], [])
    assert revised_reports(lake, {"a"}) == []


def test_each_mail_log_says_how_many_recipients_were_accepted() -> None:
    from jobs.operators.formats import Source
    from jobs.operators.formats.registry import KERNELS
    from jobs.operators.formats.shared.lines import frame_lines

    logs = {
        "postfix": "2026-11-24T10:00:01+00:00 mx1 postfix/qmgr[9]: 4jYl9Z1ZHVz1f01: from=<a@x.example>,"
        " size=444, nrcpt=2 (queue active)\n",
        "sendmail": "Nov 24 10:00:01 mx1 sm-mta[9]: 6AUESOb2002530: from=<a@x.example>, size=812, class=0,"
        " nrcpts=2, msgid=<m@x.example>, proto=ESMTP, daemon=MTA, relay=x.example [192.0.2.1]\n",
        "exim": "2026-11-24 10:00:01 1vNpTd-00000000Abc-0000 <= a@x.example H=x.example [192.0.2.1] P=esmtp"
        " S=500 id=m@x.example for b@own.example c@own.example\n",
    }
    for name, text in logs.items():
        kernel, lines = KERNELS[name], frame_lines(text.encode(), 0).select("offset", "line").lazy()
        source = Source("a", "mx1", "s", dt.datetime(2026, 11, 25, tzinfo=dt.UTC))
        about = {"operator_id": "a", "source_id": "mx1", "stream_id": "s"}
        records = kernel.parse(lines, source).filter(pl.col("line_code") == "record")
        rows = kernel.transmissions(
            kernel.assemble(records.with_columns(**{k: pl.lit(v) for k, v in about.items()}))
        )
        assert rows.collect()["recipient_count"].unique().to_list() == [2], name

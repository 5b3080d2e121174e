"""Exim's refusals that no `rejected RCPT` tells, and the envelopes in its rejectlog."""

import datetime as dt
from typing import Any

import polars as pl
from hypothesis import Phase, given
from hypothesis import strategies as st

from jobs.operators.formats import Source, exim
from jobs.operators.silver.assembling import settle_rows
from tests.support.examples import examples

NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
ID = "1xVr5l-0000000001j-1Yd3"
OTHER = "1xVr5l-0000000001k-2Yd3"
HOST = "H=mx.shop.example (mail) [192.0.2.7]"
AT = dt.datetime(2026, 11, 24, 14, 1, 53, tzinfo=dt.UTC)


def bronze(lines: list[str], offset: int = 0, stream: str = "main") -> pl.DataFrame:
    """Bronze rows of a block of lines that begins at a byte of its stream."""
    starts = [offset]
    for line in lines:
        starts.append(starts[-1] + len(line.encode()) + 1)
    frame = pl.LazyFrame(
        {"offset": starts[:-1], "line": lines}, schema={"offset": pl.Int64, "line": pl.String}
    )
    parsed = exim.parse(frame, Source("lab", "f", stream, NEWEST)).collect()
    assert "quarantined" not in parsed["line_code"], parsed.filter(pl.col("reason_code").is_not_null()).rows()
    places = {"operator_id": "lab", "source_id": "f", "stream_id": stream}
    return exim.assemble(parsed.lazy().with_columns(pl.lit(v).alias(k) for k, v in places.items())).collect()


def counted(rows: pl.DataFrame) -> list[dict[str, Any]]:
    found = exim.transmissions(exim.assemble(settle_rows("exim", rows).lazy())).collect()
    return found.sort("first_at", "queue", "recipient", nulls_last=True).to_dicts()


def transmissions(*lines: str) -> list[dict[str, Any]]:
    return counted(bronze(list(lines)))


def line(text: str, id: str = ID, at: str = "14:01:53") -> str:
    return f"2026-11-24 {at} {id + ' ' if id else ''}{text}"


def facts(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("grain_code", "stage_code", "outcome_code", "recipient"))


# --- with an id -----------------------------------------------------------------------------------------


def test_prdr_refuses_recipients_of_a_message_that_others_get() -> None:
    arrival = line(f"<= a@b.example {HOST} P=esmtp S=812 id=m1@b.example")
    refused = [
        line("PRDR R=<ann@own.example> refusal"),
        line("PRDR R=<bob@own.example> temporary refusal"),
        line("PRDR R=<cat@own.example> acceptance"),
        line("PRDR dan@own.example does not want it"),
        # The text of an acceptance of its own: what is delivered was not refused.
        line("PRDR Eve@own.example welcome"),
    ]
    taken = [line(f"=> {name} <{name}@own.example> R=l T=t") for name in ("cat", "eve")]
    rows = transmissions(*refused, arrival, *taken)
    assert [facts(row) for row in rows] == [
        ("recipient", "content", "rejected", "ann@own.example"),
        ("recipient", "content", "deferred", "bob@own.example"),
        ("recipient", "delivery", "delivered", "cat@own.example"),
        ("recipient", "content", "rejected", "dan@own.example"),
        ("recipient", "delivery", "delivered", "eve@own.example"),
    ]
    assert {row["client_ip"] for row in rows} == {"192.0.2.7"}
    # Refused for all, no message comes in.
    alone = transmissions(*refused[:2])
    assert [facts(row)[2:] for row in alone] == [
        ("rejected", "ann@own.example"),
        ("deferred", "bob@own.example"),
    ]
    assert {row["entry_code"] for row in alone} == {"smtp"}


def test_what_the_system_filter_drops_is_no_delivery() -> None:
    arrival = line(f"<= a@b.example {HOST} P=esmtp S=812 id=m1@b.example for ann@own.example")
    (row,) = transmissions(arrival, line("=> discarded (system filter)"), line("Completed"))
    assert facts(row) == ("recipient", "content", "discarded", "ann@own.example")


# --- envelopes ------------------------------------------------------------------------------------------


def record(*recipients: str, id: str = ID, at: str = "14:01:53") -> list[str]:
    """A record of the rejectlog. Its To: header is folded as an envelope is."""
    first, *others = recipients
    return [
        line(f"{HOST} F=<a@b.example> rejected after DATA: no", id, at),
        "Envelope-from: <a@b.example>",
        f"Envelope-to: <{first}>",
        *(f"    {name if name == '...' else f'<{name}>'}" for name in others),
        f"P Received: from [192.0.2.7] (helo=mail)\n\tid {id};".split("\n")[0],
        f"\tid {id};",
        "T To: <zoe@other.example>,",
        "    <yan@other.example>",
        "  Subject: x",
    ]


REJECTLOG = [
    *record("ann@own.example", "bob@own.example"),
    line(f"{HOST} F=<a@b.example> rejected RCPT <cat@own.example>: no", id="", at="14:01:54"),
    *record("ann@own.example", id=OTHER, at="14:01:55"),
    *record(*(f"u{n}@own.example" for n in range(5)), "...", id=OTHER.replace("2Y", "3Y"), at="14:01:56"),
]


def test_each_recipient_of_an_envelope_counts() -> None:
    rows = transmissions(*REJECTLOG)
    found = [(row["queue_id"] or "", row["recipient"], row["is_partial"]) for row in rows]
    assert found == [
        (ID, "ann@own.example", False),
        (ID, "bob@own.example", False),
        ("", "cat@own.example", False),
        (OTHER, "ann@own.example", False),
        # The log names five at most.
        *((OTHER.replace("2Y", "3Y"), f"u{n}@own.example", True) for n in range(5)),
    ]
    assert {row["sender"] for row in rows} == {"a@b.example"}
    assert {row["outcome_code"] for row in rows} == {"rejected"}


def test_the_envelope_names_more_than_sa_exim() -> None:
    """SA-Exim's line in the rejectlog names one recipient; the envelope below the refusal has all."""
    said = "SA: Action: permanently rejected message: score=31.0 required=5.0 (scanned in 1/1 secs |"
    verdict = line(f"{said} Message-Id: x). From <a@b.example> (host=NULL [192.0.2.7]) for r1@own.example")
    names = ["r1@own.example", "r2@own.example", "r3@own.example"]
    rows = transmissions(verdict, *record(*names))
    assert [row["recipient"] for row in rows] == names
    assert not any(row["is_partial"] for row in rows)
    # Without an envelope, SA-Exim's word is all there is.
    assert [row["recipient"] for row in transmissions(verdict, record(*names)[0])] == names[:1]


def test_an_envelope_tells_the_sender_that_a_line_does_not() -> None:
    lines = [
        line("local_scan() function timed out - message temporarily rejected (size 9)"),
        *record("x")[1:],
    ]
    (row,) = transmissions(*lines)
    assert facts(row) == ("recipient", "content", "deferred", "x") and row["sender"] == "a@b.example"


def test_headers_are_no_envelope() -> None:
    first = record("ann@own.example")
    without = [first[0], *first[3:]]
    assert [row["recipient"] for row in transmissions(*without)] == [None]
    # Lines that follow no message at all.
    assert transmissions(*first[1:]) == []
    assert transmissions(line("x", id="").replace(" x", " Start queue run: pid=7"), *first[1:]) == []


@examples(10, phases=[Phase.generate])
@given(st.sets(st.integers(1, len(REJECTLOG) - 1), max_size=6))
def test_an_envelope_may_be_cut_anywhere(cuts: set[int]) -> None:
    whole = counted(bronze(REJECTLOG))
    bounds = [0, *sorted(cuts), len(REJECTLOG)]
    starts = [sum(len(text) + 1 for text in REJECTLOG[:bound]) for bound in bounds]
    pieces = [
        bronze(REJECTLOG[bound:end], start)
        for bound, end, start in zip(bounds, bounds[1:], starts, strict=False)
    ]
    assert counted(pl.concat(pieces)) == whole
    # A piece that is read again, cut elsewhere, counts once.
    assert counted(pl.concat([*pieces, bronze(REJECTLOG)])) == whole

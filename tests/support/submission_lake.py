"""An operator's lake as `observatory submit` reads it: gold, ledger and run."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.packages.counts import GOLD, MEASURES
from jobs.base.tables.contracts import polars_schema, read_contract, rows_frame
from jobs.operators.packages.gold_costs import EFFORT
from tests.support.delta import write_delta
from tests.support.whole_runs import operator_toml

AT = dt.datetime(2027, 1, 10, tzinfo=dt.UTC)
# Before any clock of a machine that runs the tests.
COMPUTED = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
# Settings of the operator whose lake it is.
NORTH = operator_toml("north-mail", "North", "FJI", "north", "FJD")
# Day, direction, stage, outcome, type, country of origin, units, certain, possible; and where it matters
# country of destination, kind of link, and kind of network crossed in between.
Rows = list[tuple[Any, ...]]
SEEN: Rows = [
    ("2026-10-05", "inbound", "delivery", "delivered", "UNK", "KEN", 400, 10, 12),
    ("2026-10-31", "inbound", "content", "tagged", "AD.retail", "KEN", 60, 60, 60),
    ("2026-10-31", "inbound", "content", "rejected", "PHISH.mail", "FRA", 3, 3, 3),
    ("2026-11-01", "internal", "delivery", "delivered", "UNK", "FJI", 50, 0, 1),
    ("2026-11-02", "outbound", "delivery", "delivered", "UNK", "FJI", 30, 1, 1),
    ("2026-11-02", "transit", "delivery", "delivered", "UNK", "FJI", 999, 9, 9),
    ("2026-11-03", "inbound", "content", "rejected", "PHISH.mail", "FRA", 4, 4, 4),
    ("2027-01-01", "inbound", "delivery", "delivered", "UNK", "KEN", 777, 7, 7),
]
NAMES = ["period_date", "direction_code", "stage_code", "outcome_code", "spam_type_code",
         "source_country_code", *MEASURES]  # fmt: skip
PLACE = {"destination_code": "FJI", "link": "hub", "transit_code": "_U"}


def put_gold(
    root: Path,
    operator_id: str,
    channel: str = "EMAIL",
    seen: Rows = SEEN,
    unit: str = "recipient",
    logs: tuple[str, str] = ("2026-10-01", "2026-12-31"),
    computed: dt.datetime = COMPUTED,
) -> None:
    """Gold tables of an operator, two definitions, and the ledger and run that go with them.

    Args:
        logs: the first and last day of its log file, which grew each fifth day.
        computed: when the run ended.
    """
    whole = [(*row, *list(PLACE.values())[len(row) - len(NAMES) :]) for row in seen]
    is_outbound = pl.col("direction_code") == "outbound"
    rows = pl.DataFrame(whole, schema=[*NAMES, *PLACE], orient="row").with_columns(
        pl.col("period_date").str.to_date(),
        operator_id=pl.lit(operator_id),
        channel_code=pl.lit(channel),
        unit_code=pl.lit(unit),
        origin_claimed_code=pl.lit("_U"),
        origin_verified_code=pl.lit("_U"),
        origin_observed_code="source_country_code",
        destination_operator_id=pl.lit("_U"),
        inbound_link_code=pl.when(~is_outbound).then("link").otherwise(pl.lit("_U")),
        outbound_link_code=pl.when(is_outbound).then("link").otherwise(pl.lit("_U")),
    )
    both = pl.concat(
        [
            rows.with_columns(definition_code=pl.lit("OPERATOR")),
            # The other definition knows nothing.
            rows.with_columns(
                definition_code=pl.lit("CAN_SPAM"), spam_certain=pl.lit(0, pl.Int64), spam_possible="units"
            ),
        ]
    )
    written_versions = []
    for gold in GOLD.values():
        schema = polars_schema(gold)
        extra = [name for name in schema if name not in both.columns]
        unknown = {
            name: "_U" if schema[name] == pl.String else 0
            for name in read_contract(gold).key
            if name in extra
        }
        table = both.with_columns(pl.lit(unknown.get(name), schema[name]).alias(name) for name in extra)
        keep = [name for name in schema if name not in MEASURES]
        table = table.group_by(keep).agg(pl.col(*MEASURES).sum()).select(list(schema))
        number = write_delta(root / gold.replace(".", "/"), table, ["operator_id", "period_date"])
        written_versions.append({"table_name": gold, "version": number})
    schema = polars_schema("bronze.file")
    first, last = (dt.date.fromisoformat(day) for day in logs)
    piece = {
        "operator_id": operator_id, "source_id": "mx-secret-host", "stream_id": f"{channel}-1",
        "format_code": "postfix" if channel == "EMAIL" else "kannel", "line_count": 903,
        "quarantined_count": 7, "first_event_date": first,
        "last_event_date": first, "piece_id": "1", "file_name": "mail.log",
    }  # fmt: skip
    grown = [
        piece | {"line_count": 0, "quarantined_count": 0, "first_event_date": day, "last_event_date": day}
        for day in [*pl.date_range(first, last, "5d", eager=True), last]
    ]
    old = piece | {
        "stream_id": "old",
        "first_event_date": dt.date(2026, 1, 1),
        "last_event_date": dt.date(2026, 1, 2),
    }
    ledger = pl.DataFrame([piece, *grown, old], schema=schema)
    write_delta(root / "bronze/file", ledger, ["operator_id"])
    run = {
        "run_id": operator_id, "stage_name": "gold", "finished_at": computed,
        "code_revision": "abc1234", "table_versions": written_versions,
    }  # fmt: skip
    write_delta(root / "meta/run", pl.DataFrame([run], schema=polars_schema("meta.run")), [])


def put_quality(root: Path, operator_id: str, *rows: dict[str, Any]) -> None:
    """An operator's gold.filter_quality_monthly: of channels, an audit of EMAIL if not told otherwise."""
    schema = polars_schema("gold.filter_quality_monthly")
    whole = {
        "operator_id": operator_id, "channel_code": "EMAIL", "stratum_code": "_T", "spam_type_code": "_T",
        "quality_method_code": "audit", "labelled_count": 400, "prevalence": 0.2,
    }  # fmt: skip
    told = pl.DataFrame([whole | row for row in rows], infer_schema_length=None)
    table = told.select(
        (pl.col(name) if name in told.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in schema.items()
    )
    write_delta(root / "gold/filter_quality_monthly", table, ["operator_id", "period_code"])


def effort_rows(
    operator_id: str, *rows: tuple[str, str, int, int, int, int, int], day: str = "2026-10-05"
) -> pl.DataFrame:
    """Rows of a day: channel, measure, units examined and acted on, microseconds, bytes, bytes kept."""
    names = ("channel_code", "countermeasure_code", "units_examined", "units_acted", "filter_us",
             "received_bytes", "quarantined_bytes")  # fmt: skip
    return rows_frame(
        [
            dict(zip(names, row, strict=True))
            | {"operator_id": operator_id, "period_date": dt.date.fromisoformat(day)}
            | {"is_examined_derived": True}
            for row in rows
        ],
        EFFORT,
    )


def put_effort(root: Path, *frames: pl.DataFrame) -> None:
    write_delta(root / "gold/countermeasure_effort_daily", pl.concat(frames), ["operator_id", "period_date"])

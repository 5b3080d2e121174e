"""A small lake with costs in it, written by delta-rs: two operators, two months."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.costs import simulation
from jobs.base.costs.prices import FixedCost
from jobs.base.tables.contracts import polars_schema, read_contract, reference_table, rows_frame
from jobs.operators.build.settings_tables import read_reference
from jobs.operators.gold.countermeasure_cost_monthly import transform
from jobs.operators.ingest.source_options import load_with_options
from tests.support.delta import write_delta

SETTINGS = """
[lake]
root = "lake"

[[operator]]
id = "alp-mail"
name = "Alp Mail"
country = "CHE"
holding = "alp"
currency = "CHF"
subscribers = { EMAIL = 4000 }

[[operator.fixed_cost]]
name = "filter licence"
countermeasure = "CONTENT_FILTER"
channel = "EMAIL"
low = 900
central = 1200
high = 1800
per = "month"

[[operator]]
id = "isle-mobile"
name = "Isle Mobile"
country = "FJI"
holding = "isle"
currency = "FJD"

[[operator]]
id = "new-mail"
name = "New Mail"
country = "CHE"
holding = "new"
currency = "CHF"
"""
LICENCE = FixedCost("filter licence", "CONTENT_FILTER", "EMAIL", 900, 1200, 1800, "CHF", per="month")
COST, EFFORT = "gold.countermeasure_cost_monthly", "gold.countermeasure_effort_daily"


def effort() -> pl.DataFrame:
    """Alp Mail filters and asks lists on two days of October and two of November; Isle Mobile takes reports
    and filters SMS and mail on one day."""
    days = [dt.date(2026, 10, 30), dt.date(2026, 10, 31), dt.date(2026, 11, 1), dt.date(2026, 11, 2)]
    empty: dict[str, Any] = dict.fromkeys(simulation.EFFORT, 0)

    def measure(code: str, strategy: str, derived: bool) -> dict[str, Any]:
        return {"countermeasure_code": code, "strategy_code": strategy, "is_examined_derived": derived}

    content = measure("CONTENT_FILTER", "filtering", False)
    lists, greylist = measure("DNSBL", "network", True), measure("GREYLIST", "network", True)
    rows = []
    for day in days:
        mail = empty | {"operator_id": "alp-mail", "period_date": day, "channel_code": "EMAIL"}
        seen = {"units_examined": 40_000, "units_acted": 12_000, "received_bytes": 900_000_000}
        rows.append(mail | content | seen | {"filter_us": 7_200_000_000, "quarantined_bytes": 10_000_000})
        rows.append(mail | lists | {"units_examined": 90_000, "units_acted": 50_000})
        rows.append(mail | greylist | {"units_examined": 90_000, "units_acted": 900})
    isle = empty | {"operator_id": "isle-mobile", "period_date": days[-1]}
    for channel in ("SMS", "EMAIL"):
        rows.append(
            isle | content | {"channel_code": channel, "filter_us": 3_600_000_000, "units_examined": 10_000}
        )
    return pl.DataFrame(rows, schema=polars_schema(EFFORT))


def volumes() -> pl.DataFrame:
    """Alp Mail received 40,000 recipients' mail on each day of its effort."""
    codes = ("OPERATOR", "RFC_5039")
    row = {
        "operator_id": "alp-mail", "channel_code": "EMAIL", "direction_code": "inbound",
        "stage_code": "delivery", "outcome_code": "delivered", "unit_code": "recipient", "units": 40_000,
        "spam_certain": 0, "spam_possible": 0,
    }  # fmt: skip
    days = effort().filter(operator_id="alp-mail")["period_date"].unique()
    rows = [row | {"period_date": day, "definition_code": code} for day in days for code in codes]
    return rows_frame(rows, "gold.spam_volume_daily")


def write_lake(folder: Path) -> Path:
    """The lake and its settings file, which is returned."""
    rows = effort()
    parameters, rates = reference_table("ref.cost_parameter"), reference_table("ref.exchange_rate")
    settings = folder / "observatory.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    loaded = load_with_options(settings)
    costs = transform(
        rows,
        volumes(),
        parameters,
        rates,
        read_reference(loaded, "ref.operator"),
        read_reference(loaded, "ref.fixed_cost"),
        reference_table("ref.country"),
        reference_table("ref.country_group"),
    )
    lake = folder / "lake"
    for table, frame in ((EFFORT, rows), (COST, costs)):
        write_delta(lake / table.replace(".", "/"), frame, list(read_contract(table).partition_by))
    run = {
        "run_id": "r1",
        "stage_name": "gold",
        "table_versions": [{"table_name": table, "version": 0} for table in (EFFORT, COST)],
    }
    write_delta(lake / "meta" / "run", pl.DataFrame([run], schema=polars_schema("meta.run")), [])
    # What came after the last finished run is not looked at.
    late = rows.with_columns(units_examined=pl.lit(0, pl.Int64), filter_us=pl.lit(10**15, pl.Int64))
    write_delta(lake / "gold" / "countermeasure_effort_daily", late, list(read_contract(EFFORT).partition_by))
    return settings

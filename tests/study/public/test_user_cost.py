"""Figures of models on published spam: a function of published rows, and part of no total."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from jobs.base.tables.contracts import list_tables, read_contract, rows_frame
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.base.tables.sql import parse_expression
from jobs.study.public.gate import transform_rows

ABOUT = public_contract("public.user_cost")
OWN = "study.user_cost"
WHERE = {"period_code": "2026-Q4", "area_code": "LDC", "area_kind_code": "group"}
COUNTED = WHERE | {"definition_code": "OPERATOR", "quantity_code": "spam_certain", "conf_status_code": "F"}
# 0.0015 dollars and 0.18 seconds each; hours at a twentieth of the model's wage.
TIME = WHERE | {
    "channel_code": "EMAIL", "user_cost_code": "user_seconds_per_spam_email",
    "driver": "email_spam_delivered",
    "spam_units": Decimal(1_000_001), "hour_factor": 0.05, "conf_status_code": "N",
    **{f"unit_cost_{each}": Decimal("0.0015") for each in ("p05", "p50", "p95")},
    **{f"seconds_{each}": Decimal("0.18") for each in ("p05", "p50", "p95")},
}  # fmt: skip
SCAM = TIME | {
    "channel_code": "SMS", "user_cost_code": "harm_per_scam_sms", "driver": "scam_sms_delivered",
    "hour_factor": None, **{f"unit_cost_{each}": Decimal(3) for each in ("p05", "p50", "p95")},
    **{f"seconds_{each}": None for each in ("p05", "p50", "p95")},
}  # fmt: skip
PRINTED = {
    "period_code": "2010", "area_code": "WORLD", "area_kind_code": "world", "channel_code": "_T",
    "user_cost_code": "m.total", "modelled_p50": Decimal(1500), "population_pct": 100.0,
    "conf_status_code": "F",
}  # fmt: skip


def public_rows(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    """The public rows of the study's, where 1,200,000 e-mails and 30 and 20 scams of 950 texts left: of fraud
    the whole family and one of its types, of phishing one type alone."""
    volume = COUNTED | {"channel_code": "EMAIL", "unit_code": "attempted", "estimate": Decimal(1_200_000)}
    texts = COUNTED | {"channel_code": "SMS", "unit_code": "recipient"}
    types = [
        texts | {"spam_type_code": code, "estimate": Decimal(count)}
        for code, count in (
            *(("FRAUD", 30), ("FRAUD.loan", 25), ("PHISH.smish", 20), ("AD.retail", 900), ("_T", 950)),
        )
    ]
    beside = [published("public.spam_volume", volume), published("public.spam_type", *types)]
    return transform_rows(rows_frame(list(rows), OWN), ABOUT, *beside).to_dicts()


def published(table: str, *rows: dict[str, Any]) -> pl.DataFrame:
    kinds = public_contract(table).schema
    return pl.DataFrame([{name: row.get(name) for name in kinds} for row in rows], schema=kinds, orient="row")


def test_amounts_are_of_the_spam_that_was_published() -> None:
    """The study's own estimates are in none of them."""
    (time,) = public_rows(TIME)
    assert (time["spam_units"], time["hours_p50"], time["modelled_p50"]) == (1_200_000, 60, 90)
    (scam,) = public_rows(SCAM)
    assert (scam["spam_units"], scam["hours_p50"], scam["modelled_p50"]) == (50, None, 150)
    other = {name: row | {"spam_units": Decimal(7)} for name, row in (("time", TIME), ("scam", SCAM))}
    assert public_rows(other["time"], other["scam"]) == [time, scam]


def test_where_no_spam_was_published_nothing_leaves() -> None:
    elsewhere = {"area_code": "SIDS"}
    assert public_rows(TIME | elsewhere, SCAM | elsewhere) == []


def test_no_country_and_no_printed_total_leaves() -> None:
    country = TIME | {"area_code": "NPL", "area_kind_code": "country"}
    rows = rows_frame([TIME, country, PRINTED], OWN).filter(parse_expression(ABOUT.rows))
    assert rows["area_code"].to_list() == ["LDC"] and ABOUT.protect is None


def test_no_figure_takes_a_modelled_one() -> None:
    """No table of the study reads it and no other published one is made of it, so no total contains it."""
    assert [table for table in list_tables() if OWN in read_contract(table).reads] == []
    made = [public_contract(table) for table in public_tables()]
    assert [each.table for each in made if each.source == OWN or ABOUT.table in each.beside] == [ABOUT.table]
    assert dict(read_contract(OWN).checks)["no_total_over_models"] == "user_cost_code <> '_T'"


@pytest.mark.parametrize("name", ["spam_units", "modelled_p50"])
def test_its_columns_stand_in_no_other_table(name: str) -> None:
    others = [table for table in list_tables() if name in read_contract(table).columns]
    assert others == [OWN]

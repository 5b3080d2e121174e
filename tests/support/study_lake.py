"""A small lake's study tables, with figures whose sums are known."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.costs.cost_model import figures_in_force
from jobs.base.tables.contracts import (
    conform_frame,
    polars_schema,
    read_contract,
    reference_table,
    rows_frame,
)
from jobs.study.estimates.figures_of_others import row_of
from jobs.study.estimates.steps.study_stage import run_kernel
from tests.support.delta import write_delta

AT = dt.datetime(2027, 2, 1, 6, tzinfo=dt.UTC)
# Areas with the subscriptions and the spending of each, in dollars; the world is its regions.
AREAS = {
    "WORLD": ("world", 7_000, 1_000.0), "ASP": ("region", 4_000, 400.0), "EUR": ("region", 3_000, 600.0),
    "LDC": ("group", 3_000, 100.0), "FJI": ("country", 1_000, 300.0), "NPL": ("country", 3_000, 100.0),
    "CHE": ("country", 3_000, 600.0),
}  # fmt: skip
# Of the whole: components; and strategies.
COMPONENTS = {"_T": 1.0, "capital": 0.3, "operating": 0.7}
STRATEGIES = {"_T": 1.0, "filtering": 0.75, "network": 0.25}
# International dollars for a US dollar.
PARITY = 2.0
FILES = {
    "operator_frame": "respondent_id,source\nfiji-mail,register of the regulator\n",
    "denominator": "country_code,source\nFJI,national statistics\n",
    "price_level": "country_code,source\nFJI,World Bank\n",
}


def estimated(area: str, value: float, cv_pct: float = 10.0) -> dict[str, Any]:
    """Return the columns of every estimate, three quarters of it reported; half of the operators answered."""
    kind, subscriptions, _ = AREAS[area]
    at = {"at_050": 0.875, "at_075": 0.9375, "at_150": 1.125}
    return {
        "area_code": area, "area_kind_code": kind, "population_pct": 97, "subscriptions": subscriptions,
        "estimate": value,
        "estimate_low": 0.8 * value, "estimate_high": 1.25 * value, "cv_pct": cv_pct,
        "cv_band_code": "acceptable", "per_subscription": value / subscriptions, "reported": 0.75 * value,
        "coverage_pct": 50, "respondent_count": 6, "holding_count": 5, "operator_count": 12,
        "nature_code": "E", "obs_status_code": "E",
    } | {name: factor * value for name, factor in at.items()}  # fmt: skip


def investment() -> list[dict[str, Any]]:
    rows = []
    for area, (_, _, spend) in AREAS.items():
        for strategy, share in STRATEGIES.items():
            mine = {"period_code": "2026", "channel_code": "EMAIL", "strategy_code": strategy}
            for component, part in COMPONENTS.items():
                for conversion, rate in (("market", 1.0), ("ppp", PARITY), ("mixed", 1.5)):
                    value = spend * share * part * rate
                    rates = {"per_thousand_units": value / 100, "band_count": 2}
                    bands = {"bands_lowest": 0.9 * value, "bands_highest": 1.3 * value}
                    about = {"component_code": component, "conversion_code": conversion}
                    rows.append(estimated(area, value) | mine | about | rates | bands)
            posts = {"component_code": "posts", "conversion_code": "none", "band_count": 0}
            rows.append(estimated(area, spend * share / 50) | mine | posts)
    silent = estimated("FJI", 0) | dict.fromkeys(("estimate", "estimate_low", "estimate_high", "cv_pct"))
    lost = {"area_code": "NRU", "strategy_code": "_T", "component_code": "_T", "conversion_code": "market"}
    return [*rows, silent | {"period_code": "2026", "channel_code": "EMAIL"} | lost]


def gap() -> list[dict[str, Any]]:
    """The norm is 0.2 dollars for each subscription."""
    return [
        {
            "period_code": "2026", "area_code": area, "area_kind_code": kind, "population_pct": 97,
            "channel_code": "EMAIL",
            "target_code": target, "target_per_subscription": amount, "subscriptions": subscriptions,
            "spend": spend, "spend_low": 0.8 * spend, "spend_high": 1.25 * spend,
            "necessary": subscriptions * amount, "gap": max(subscriptions * amount - spend, 0),
            "gap_low": max(subscriptions * amount - 1.25 * spend, 0),
            "gap_high": max(subscriptions * amount - 0.8 * spend, 0),
            "assumptions": [f"Norm: {amount} US dollars.", "The target is taken as known."],
        }
        for area, (kind, subscriptions, spend) in AREAS.items()
        for target, amount in (("norm", 0.2), ("best", 0.3))
    ]  # fmt: skip


def untold() -> dict[str, Any]:
    """Few had their filter audited: there is no target by the best."""
    lost = dict.fromkeys(("target_per_subscription", "necessary", "gap", "gap_low", "gap_high"))
    (row,) = (each for each in gap() if (each["area_code"], each["target_code"]) == ("WORLD", "best"))
    return row | lost | {"channel_code": "SMS", "assumptions": ["No target by the best: no respondent."]}


def volume() -> list[dict[str, Any]]:
    """Spam of a quarter and of one of its months, recipients, attempts, both and messages; and of its year,
    which all that told of it answered."""
    return (
        [
            estimated(area, subscriptions * rate)
            | {
                "period_code": period,
                "channel_code": "EMAIL",
                "unit_code": unit,
                "definition_code": "OPERATOR",
            }
            | {"quantity_code": quantity, "answer_count": 0, "day_pct": 98.75}
            for area, (_, subscriptions, _) in AREAS.items()
            for period in ("2026-Q4", "2026-11")
            for unit, times in (("recipient", 1), ("attempt", 1), ("attempted", 2), ("message", 1))
            for quantity, rate in (("spam_certain", times * 100.0), ("spam_possible", times * 110.0))
        ]
        + [
            estimated(area, 3.0)
            | {"period_code": "2026", "channel_code": "EMAIL", "unit_code": "attempted", "answer_count": 6}
            | {"definition_code": "OPERATOR", "quantity_code": "spam_certain"}
            for area in AREAS
        ]
        + [
            estimated(area, subscriptions * rate)
            | {"period_code": "2026-Q4", "channel_code": "EMAIL", "unit_code": unit, "answer_count": 0}
            | {"definition_code": "OPERATOR", "quantity_code": "spam_corrected"}
            | {"audit_count": 1, "audit_pct": 62.5}
            for area, (_, subscriptions, _) in AREAS.items()
            for unit, rate in (("recipient", 130.0), ("attempted", 230.0))
        ]
    )


def public() -> list[dict[str, Any]]:
    """Nepal's administration told of public money in all and for a register, Fiji's in all."""
    return [
        {"period_code": "2026", "respondent_id": f"{country.lower()}-gov", "country_code": country,
         "question_code": "sp711", "indicator_code": f"sp711.{part}", "part_code": part,
         "answer_status_code": "A", "currency_code": "XXX", "told_amount": 100 * amount,
         "real_amount": 100 * amount, "ppp_amount": 2 * amount, "market_amount": amount,
         "conf_status_code": "C"}
        for country, part, amount in (("NPL", "_T", 50.0), ("NPL", "REGISTER", 20.0), ("FJI", "_T", 30.0))
    ]  # fmt: skip


def types() -> list[dict[str, Any]]:
    """Spam of a quarter, three quarters of it advertising of retail; the world's subscriptions are 7,000."""
    return [
        estimated(area, float(subscriptions) * share)
        | {"period_code": "2026-Q4", "channel_code": "EMAIL", "unit_code": "attempted"}
        | {"definition_code": "OPERATOR", "quantity_code": "spam_certain", "spam_type_code": code}
        | {"part_holding_count": 5, "other_holding_count": 0, "seeing_count": 6}
        for area, (_, subscriptions, _) in AREAS.items()
        for code, share in (("_T", 1.0), ("_S", 1.0), ("AD", 0.75), ("AD.retail", 0.75), ("PHISH.mail", 0.25))
    ]


def costs() -> list[dict[str, Any]]:
    return [
        estimated(area, spend * share * part)
        | {"period_code": "2026-Q4", "channel_code": "EMAIL", "strategy_code": strategy}
        | {"cost_component_code": component, "conversion_code": "market", "part_holding_count": 5}
        | {"bound_code": "estimate"}
        for area, (kind, _, spend) in AREAS.items()
        if kind != "country"
        for strategy, share in STRATEGIES.items()
        for component, part in (("stated", 1.0), ("marginal", 0.4))
    ]


def policy() -> list[dict[str, Any]]:
    """A law that nine of twelve administrations have."""
    return [
        {"period_code": "2026", "area_code": "LDC", "area_kind_code": "group", "indicator_code": "sp901",
         "answer_code": "yes", "answered_count": 12, "chosen_count": 9, "conf_status_code": "N"}
    ]  # fmt: skip


def modelled() -> pl.DataFrame:
    """Return the models' rows for 10 million e-mails in the least developed countries, 2,000 calls there, and
    the world; a day's wage in Nepal is 8 dollars, and in the United States 160."""
    where = {
        "period_code": "2026-Q4", "area_code": "LDC", "area_kind_code": "group", "population_pct": 100.0,
        "definition_code": "OPERATOR", "quantity_code": "spam_certain", "conf_status_code": "N",
    }  # fmt: skip
    spam = where | {"channel_code": "EMAIL", "unit_code": "attempted", "estimate": 10_000_000}
    rows = [
        spam,
        spam | {"area_code": "NPL", "area_kind_code": "country", "subscriptions": 100},
        where | {"channel_code": "VOICE_CS", "unit_code": "call", "estimate": 2000},
    ]
    levels = [
        {"country_code": code, "price_year": 2026, "market_rate": 1, "wage_per_day": wage}
        for code, wage in (("NPL", 8), ("USA", 160))
    ]
    given = {
        "study.spam_volume": rows_frame(rows, "study.spam_volume"),
        "study.spam_type": rows_frame([], "study.spam_type"),
        "ref.price_level": rows_frame(levels, "ref.price_level"),
    }
    others = [name for name in read_contract("study.user_cost").reads if name not in given]
    return run_kernel("study.user_cost", given | {name: reference_table(name) for name in others})


def write_study(folder: Path, settings: str = "") -> Path:
    """The lake with its study tables, the study's files, and the settings file, which is returned."""
    models = figures_in_force(reference_table("ref.cost_model"), reference_table("ref.cost_model_parameter"))
    rows = {
        "study.investment": investment(),
        "study.investment_gap": [*gap(), untold()],
        "study.spam_volume": volume(),
        "study.public_spending": public(),
        "study.spam_type": types(),
        "study.countermeasure_cost": costs(),
        "study.policy": policy(),
        "study.cost": [row_of(figure) for figure in models.values() if figure.is_cost],
    }
    for table, found in rows.items():
        schema = polars_schema(table)
        numbers = {name: pl.Float64 for name, kind in schema.items() if isinstance(kind, pl.Decimal)}
        plain = schema | numbers if table != "study.cost" else schema
        frame = conform_frame(pl.DataFrame(found, schema=plain), table)
        write_delta(folder / "lake" / table.replace(".", "/"), frame, list(read_contract(table).partition_by))
    write_delta(folder / "lake/study/user_cost", modelled(), [])
    named = [
        *rows,
        "study.user_cost",
        "study.submission",
        "study.investment_account",
        "study.questionnaire_answer",
    ]
    run = {
        "run_id": "s1", "stage_name": "study", "finished_at": AT, "code_revision": "abc1234",
        "table_versions": [{"table_name": table, "version": 0} for table in named],
    }  # fmt: skip
    write_delta(folder / "lake/meta/run", pl.DataFrame([run], schema=polars_schema("meta.run")), [])
    files = folder / "files"
    files.mkdir()
    for name, text in FILES.items():
        (files / f"{name}.csv").write_text(text, encoding="utf-8")
    file = folder / "study.toml"
    file.write_text(f'[lake]\nroot = "lake"\n\n[study]\nfiles = "files"\n{settings}', encoding="utf-8")
    return file

"""A price of an area, from an operator's gold table and its package to the study's figure of the area."""

import datetime as dt
from typing import Any

import polars as pl
import pytest

from jobs.base.costs.price_areas import prices_of_period
from jobs.base.costs.prices import collect_prices
from jobs.base.stats.sampling import sample_parameters
from jobs.base.tables.contracts import reference_table, rows_frame
from jobs.operators.gold import countermeasure_cost_monthly
from jobs.operators.packages.gold_costs import month_rows, round_effort
from jobs.study.estimates import countermeasure_cost
from jobs.study.estimates.steps.sample import Reference
from tests.base.costs.test_simulation import certain

pytestmark = pytest.mark.long

MONTHS = ("2026-10", "2026-11", "2026-12")
RATES = reference_table("ref.exchange_rate")
PLACES = [reference_table(f"ref.{name}") for name in ("country", "country_group")]
# Each of a month: 100 hours of the filter, and 40 GB of spam.
FILTER_HOURS, SPAM_GB = 100, 40
HOUR, TRANSIT = 0.042, 0.0037
# Three operators of a least developed country, and two of another.
OPERATORS = {f"npl-{n}": "NPL" for n in range(3)} | {f"che-{n}": "CHE" for n in range(2)}


def price_list(times: float | None = None) -> pl.DataFrame:
    """The project's prices, exactly; that of transit in the least developed countries so many times the
    world's."""
    whole = certain(reference_table("ref.cost_parameter"))
    if times is None:
        return whole
    row = whole.filter(parameter_code="transit_gb").with_columns(price_area_code=pl.lit("LDC"))
    return pl.concat([whole, row.with_columns(pl.col("low", "central", "high") * times)])


def effort(operator: str, month: str) -> dict[str, Any]:
    return {
        "operator_id": operator, "period_date": dt.date.fromisoformat(f"{month}-03"), "channel_code": "EMAIL",
        "countermeasure_code": "CONTENT_FILTER", "strategy_code": "filtering", "units_examined": 1000,
        "units_acted": 500, "filter_us": FILTER_HOURS * 3_600_000_000, "received_bytes": 2 * SPAM_GB * 10**9,
        "quarantined_bytes": 0,
    }  # fmt: skip


def gold_of(prices: pl.DataFrame) -> dict[str, float]:
    """Each operator's marginal cost of the last month in gold."""
    rows = [effort(name, month) for name in OPERATORS for month in MONTHS]
    operators = [
        {"operator_id": name, "country_code": country, "currency_code": "USD", "subscribers": []}
        for name, country in OPERATORS.items()
    ]
    found = countermeasure_cost_monthly.transform(
        rows_frame(rows, "gold.countermeasure_effort_daily"),
        rows_frame([], "gold.spam_volume_daily"),
        prices,
        RATES,
        rows_frame(operators, "ref.operator"),
        rows_frame([], "ref.fixed_cost"),
        *PLACES,
    ).filter(
        period_code=MONTHS[-1], countermeasure_code="_T", channel_code="EMAIL", cost_component_code="marginal"
    )
    return {name: float(amount) for name, amount in found.select("operator_id", "amount_p50").rows()}


def study_of(prices: pl.DataFrame) -> dict[str, float]:
    """The marginal cost of areas in the quarter, by packages."""
    sent, counts, frame, months = [], [], [], MONTHS
    for name, country in OPERATORS.items():
        frame.append(
            {"respondent_id": name, "holding_id": name, "country_code": country, "channel_code": "EMAIL",
             "size_code": "SMALL", "subscriptions": 100, "valid_from": dt.date(2020, 1, 1)}
        )  # fmt: skip
        for month in months:
            priced = collect_prices(prices_of_period(prices, country, month, *PLACES), [], RATES, "USD")
            given = rows_frame([effort(name, month)], "gold.countermeasure_effort_daily")
            about = {"respondent_id": name, "country_code": country, "period_code": month}
            rows = month_rows(round_effort(given, 10), priced, sample_parameters(priced.table, 8), 1.0)
            sent += [about | {"currency_code": "USD"} | row for row in rows]
            counts.append(about | {"channel_code": "EMAIL", "subscriptions": 100})
    days = pl.col("period_code").str.to_date("%Y-%m").dt.month_end().dt.day().cast(pl.Int64)
    sizes = [
        {"country_code": country, "period_code": "2026-Q4", "channel_code": "EMAIL",
         "subscriptions": 100 * list(OPERATORS.values()).count(country)}
        for country in ("NPL", "CHE")
    ]  # fmt: skip
    found = countermeasure_cost.transform(
        rows_frame(sent, "study.submission_cost").with_columns(day_count=days),
        rows_frame(counts, "study.submission"),
        rows_frame([], "study.spam_volume"),
        Reference(rows_frame(frame, "ref.operator_frame"), rows_frame(sizes, "ref.denominator"), *PLACES),
        rows_frame([], "ref.price_level"),
        RATES,
    ).filter(period_code="2026-Q4", strategy_code="_T", cost_component_code="marginal")
    return {code: float(value) for code, value in found.select("area_code", "estimate").rows()}


def test_transit_at_three_times_the_worlds_price_raises_the_cost_of_the_area_alone() -> None:
    computing, transit = FILTER_HOURS * HOUR, SPAM_GB * TRANSIT
    before, after = gold_of(price_list()), gold_of(price_list(3))
    for name, country in OPERATORS.items():
        times = 3 if country == "NPL" else 1
        assert before[name] == pytest.approx(computing + transit, abs=1e-4)
        assert after[name] == pytest.approx(computing + times * transit, abs=1e-4)
    month = {"NPL": computing + 3 * transit, "CHE": computing + transit}
    before, after = study_of(price_list()), study_of(price_list(3))
    assert before["LDC"] == pytest.approx(9 * month["CHE"], abs=0.01)
    assert after["LDC"] == pytest.approx(9 * month["NPL"], abs=0.01)
    assert after["EUR"] == before["EUR"] == pytest.approx(6 * month["CHE"], abs=0.01)
    assert after["WORLD"] == pytest.approx(after["LDC"] + after["EUR"], abs=0.02)

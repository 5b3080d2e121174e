"""study.investment_account: what one respondent spends in a year against spam, per channel and strategy."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.accounts import BAND, Price, account, bands_of_base
from jobs.areas import on_day
from jobs.contracts import struct_type
from jobs.errors import ObservatoryError
from jobs.periods import last_day
from jobs.study.questionnaire_answer import latest
from jobs.study_rows import as_table, collected

TABLE = "study.investment_account"
# Questions on money, and on what divides it.
ASKED = r"^sp70[1-9](\.|$)"


def transform(
    questionnaire_answer: DataFrame,
    operator_frame: DataFrame,
    price_level: DataFrame,
    investment_assumption: DataFrame,
    budget_band: DataFrame,
) -> DataFrame:
    """One task a respondent's year: some dozen answers."""
    frame, prices = collected(operator_frame), prices_of(collected(price_level))
    assumptions = dict(collected(investment_assumption).select("assumption_code", "central").rows())
    bands = {
        code: (low, high)
        for code, low, high in collected(budget_band).select("band_code", "low", "high").rows()
    }

    def accounted(answers: pa.Table) -> pa.Table:
        found = pl.from_arrow(answers)
        assert isinstance(found, pl.DataFrame)
        return as_table(accounts(found, frame, prices, assumptions, bands), TABLE)

    answers = operators_answers(questionnaire_answer)
    return answers.groupBy("period_code").applyInArrow(accounted, struct_type(TABLE))


def operators_answers(questionnaire_answer: DataFrame) -> DataFrame:
    """What operators answered for a year on money and on what divides it, as it stands."""
    yearly = F.col("period_code").rlike(r"^\d{4}$") & F.col("indicator_code").rlike(ASKED)
    # What administrations spend is no operator's, and they stand in no frame of operators.
    operators = questionnaire_answer.filter(yearly & (F.col("role_code") == "O"))
    # An answer that was withdrawn supersedes the one before it.
    return latest(operators).filter("value IS NOT NULL")


def prices_of(price_level: pl.DataFrame) -> dict[tuple[str, int], Price]:
    columns = ("country_code", "price_year", "currency_code", "deflator_index", "ppp_rate", "market_rate")
    return {
        (country, year): Price(currency, deflator, ppp, market, wage)
        for country, year, currency, deflator, ppp, market, wage in price_level.select(
            *columns, "wage_per_day"
        ).rows()
    }


def accounts(
    answers: pl.DataFrame,
    frame: pl.DataFrame,
    prices: dict[tuple[str, int], Price],
    assumptions: dict[str, float],
    bands: dict[str, tuple[float, float | None]],
) -> list[dict[str, object]]:
    """The accounts of all respondents of a year. What is wrong in an answer names its respondent."""
    period = str(answers["period_code"][0])
    listed: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in on_day(frame, last_day(period)).to_dicts():
        listed[row["respondent_id"]].append(row)
    given: dict[str, dict[str, Any]] = defaultdict(dict)
    for respondent, indicator, value in answers.select("respondent_id", "indicator_code", "value").rows():
        given[respondent][indicator] = value
    if any(BAND in each for each in given.values()):
        bands = bands_of_base(bands, prices, int(period), int(assumptions["base_year"]))
    rows = []
    for respondent in sorted(given):
        if respondent not in listed:
            raise ObservatoryError(
                f"{respondent} answered for {period} and is not in the frame of operators: add it to"
                " operator_frame.csv with the day it started"
            )
        about = listed[respondent][0]
        found = tuple(
            price_of(prices, about["country_code"], year)
            for year in (int(period), int(assumptions["base_year"]))
        )
        beside = {
            "period_code": period,
            "respondent_id": respondent,
            "holding_id": about["holding_id"],
            "country_code": about["country_code"],
            "currency_code": found[0].currency,
            "conf_status_code": "C",
        }
        subscriptions = {row["channel_code"]: float(row["subscriptions"]) for row in listed[respondent]}
        try:
            of_respondent = account(
                given[respondent], subscriptions, (found[0], found[1]), assumptions, bands
            )
        except ObservatoryError as error:
            raise ObservatoryError(f"{respondent}, {period}: {error}") from None
        rows += [row | beside for row in of_respondent]
    return rows


def price_of(prices: dict[tuple[str, int], Price], country: str, year: int) -> Price:
    if (country, year) not in prices:
        raise ObservatoryError(
            f"no price level for {country} in {year}: add a row with deflator, parity and market rate to"
            " price_level.csv"
        )
    return prices[country, year]

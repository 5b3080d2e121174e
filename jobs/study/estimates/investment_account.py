"""study.investment_account: one respondent's yearly spending against spam, per channel and strategy."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.periods import last_day
from jobs.base.costs.investment_assumptions import account_assumptions, central_values
from jobs.base.figures.areas import classify_countries
from jobs.base.tables.contracts import Row
from jobs.base.tables.validity import rows_on_day
from jobs.study.estimates.steps.accounts import BAND, Price, account_rows, bands_of_base, rises_of
from jobs.study.estimates.steps.investment_targets import value_of
from jobs.study.estimates.steps.rows import frame_rows
from jobs.study.questionnaire.latest_answers import latest_answers

TABLE = "study.investment_account"
# Questions on money, and on what divides it.
SPENDING_INDICATORS = r"^sp70[1-9](\.|$)"


@dataclass(frozen=True)
class AccountTables:
    """The small tables that accounts are made with."""

    operator_frame: pl.DataFrame
    price_level: pl.DataFrame
    cost_parameter: pl.DataFrame
    investment_assumption: pl.DataFrame
    budget_band: pl.DataFrame
    country: pl.DataFrame
    country_group: pl.DataFrame


def transform(questionnaire_answer: pl.DataFrame, known: AccountTables) -> pl.DataFrame:
    """A row for each respondent, year, channel and strategy. In parts: an account needs all answers of its
    respondent and year, so the key is respondent_id and period_code."""
    rows: list[dict[str, object]] = []
    for answers in latest_money_answers(questionnaire_answer).sort("period_code").partition_by("period_code"):
        rows += account_all(answers, known)
    return frame_rows(rows, TABLE)


def latest_money_answers(questionnaire_answer: pl.DataFrame) -> pl.DataFrame:
    """Operators' latest answers for a year on money and on its shares; withheld and not applicable ones have
    the value null."""
    yearly = pl.col("period_code").str.contains(r"^\d{4}$") & pl.col("indicator_code").str.contains(
        SPENDING_INDICATORS
    )
    # What administrations spend is no operator's, and they stand in no frame of operators.
    return latest_answers(questionnaire_answer.filter(yearly & (pl.col("role_code") == "O")))


def operators_answers(questionnaire_answer: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of latest_money_answers() with a value: a withdrawn answer supersedes the one before
    it."""
    return latest_money_answers(questionnaire_answer).filter(pl.col("value").is_not_null())


@dataclass(frozen=True)
class PriceLevels:
    """Price levels, and the assumptions that say of which year prices are."""

    price_level: pl.DataFrame
    investment_assumption: pl.DataFrame

    @property
    def base_year(self) -> int:
        return int(value_of(self.investment_assumption, "base_year"))

    @property
    def dollars(self) -> dict[str, float]:
        """US dollars for one international dollar of the base year, by country."""
        prices = prices_of(self.price_level).items()
        return {name: price.ppp / price.market for (name, year), price in prices if year == self.base_year}


def prices_of(price_level: pl.DataFrame) -> dict[tuple[str, int], Price]:
    columns = ("country_code", "price_year", "currency_code", "deflator_index", "ppp_rate", "market_rate")
    return {
        (country, year): Price(currency, deflator, ppp, market, wage)
        for country, year, currency, deflator, ppp, market, wage in price_level.select(
            *columns, "wage_per_day"
        ).rows()
    }


def account_all(answers: pl.DataFrame, reference: AccountTables) -> list[dict[str, object]]:
    """The accounts of all respondents of a year. Raises ObservatoryError with a line for each answer that is
    wrong and who gave it."""
    period = str(answers["period_code"][0])
    day = last_day(period)
    prices = prices_of(reference.price_level)
    listed: dict[str, list[Row]] = defaultdict(list)
    for row in rows_on_day(reference.operator_frame, day).to_dicts():
        listed[row["respondent_id"]].append(row)
    assumed = dict(reference.investment_assumption.select("assumption_code", "central").rows())
    parameters = central_values(rows_on_day(reference.cost_parameter, day))
    classes = dict(
        classify_countries(reference.country, reference.country_group, day)
        .select("country_code", "development_code")
        .rows()
    )
    bands = {
        code: (low, high)
        for code, low, high in reference.budget_band.select("band_code", "low", "high").rows()
    }
    answers_of: dict[str, dict[str, Any]] = defaultdict(dict)
    without: dict[str, dict[str, str]] = defaultdict(dict)
    columns = ("respondent_id", "indicator_code", "value", "answer_status_code")
    for respondent, indicator, value, status in answers.select(columns).rows():
        if value is not None:
            answers_of[respondent][indicator] = value
        else:
            without[respondent][indicator] = status
    if any(BAND in each for each in answers_of.values()):
        bands = bands_of_base(bands, prices, int(period), int(assumed["base_year"]))
    rows: list[dict[str, object]] = []
    wrong = []
    for respondent in sorted(answers_of):
        try:
            if respondent not in listed:
                raise ObservatoryError(
                    "is not in the frame of operators: add it to operator_frame.csv with the day it started"
                )
            listed_row = listed[respondent][0]
            name = listed_row["country_code"]
            if name not in classes:
                raise ObservatoryError(
                    f"country.csv places {name} in no ITU region: correct the frame, or give the country a"
                    " region"
                )
            now, base = (price_of(prices, name, year) for year in (int(period), int(assumed["base_year"])))
            of_respondent = account_rows(
                answers_of[respondent],
                {row["channel_code"]: float(row["subscriptions"]) for row in listed[respondent]},
                (now, base),
                account_assumptions(parameters, assumed, classes[name]),
                bands,
                without[respondent],
                rises_of(prices, name, int(period)),
            )
        except ObservatoryError as error:
            wrong.append(f"{respondent}, {period}: {error}")
            continue
        beside = {
            "period_code": period,
            "respondent_id": respondent,
            "holding_id": listed_row["holding_id"],
            "country_code": name,
            "currency_code": now.currency,
            "conf_status_code": "C",
        }
        rows += [row | beside for row in of_respondent]
    if wrong:
        raise ObservatoryError("\n".join(wrong))
    return rows


def price_of(prices: dict[tuple[str, int], Price], country: str, year: int) -> Price:
    if (country, year) not in prices:
        raise ObservatoryError(
            f"no price level for {country} in {year}: add a row with deflator, parity and market rate to"
            " price_level.csv"
        )
    return prices[country, year]

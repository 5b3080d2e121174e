"""study.respondent_waiver: who agreed that a national total may reveal its figure. Restricted.

A figure from logs is waived if all of its packages waive; packages that do not say leave it to the form's
general waiver (sp904). An answer is waived if all of its own lines are, money if all lines of money are. A
form's waivers hold for its period and for all periods within it.
"""

from collections.abc import Iterable

import polars as pl

from jobs.base.core.periods import months_of
from jobs.base.tables.contracts import list_codes
from jobs.study.estimates.investment_account import SPENDING_INDICATORS
from jobs.study.estimates.respondent_figure import ANSWERS, LOGS
from jobs.study.questionnaire.latest_answers import latest_answers

TABLE = "study.respondent_waiver"
MONEY = "money"
GENERAL, NO_WAIVER = "sp904", "W0"
KEY = ("respondent_id", "period_code", "channel_code", "waived_by")


def transform(
    submission: pl.DataFrame, questionnaire_answer: pl.DataFrame, indicator_measure: pl.DataFrame
) -> pl.DataFrame:
    """A row for each respondent, period, channel and kind of figure that its form waives, or of which its
    packages say whether they do."""
    forms = waived_by_forms(questionnaire_answer, indicator_measure)
    packages = waived_by_packages(submission)
    return packages.join(forms, on=KEY, how="full", coalesce=True).select(
        *KEY, is_waived=pl.coalesce("of_packages", "is_waived")
    )


def nest_periods(given: Iterable[str]) -> pl.DataFrame:
    """Pairs of a period and one that it lies within, of these periods and of the months, quarters and years
    that have a month of them."""
    months = {month for period in given for month in months_of(period)}
    quarters = {f"{month[:4]}-Q{(int(month[5:]) + 2) // 3}" for month in months}
    periods = {each: {*months_of(each)} for each in (*months, *quarters, *(month[:4] for month in months))}
    nested = [
        (inner, outer) for outer, all_ in periods.items() for inner, own in periods.items() if own <= all_
    ]
    return pl.DataFrame(nested, schema={"inner": pl.String, "outer": pl.String}, orient="row")


def waived_by_forms(questionnaire_answer: pl.DataFrame, indicator_measure: pl.DataFrame) -> pl.DataFrame:
    """Rows of KEY that forms waive, with is_waived."""
    latest = latest_answers(questionnaire_answer).filter(pl.col("value").is_not_null())
    counted = latest.join(
        indicator_measure.select("indicator_code", channel="channel_code"), on="indicator_code"
    )
    parts = [
        latest.filter(pl.col("indicator_code") == GENERAL).with_columns(
            waived_by=pl.lit(LOGS), waiver=pl.col("value"), channel=pl.lit(None, pl.String)
        ),
        latest.filter(pl.col("indicator_code").str.contains(SPENDING_INDICATORS)).with_columns(
            waived_by=pl.lit(MONEY), channel=pl.lit(None, pl.String)
        ),
        counted.with_columns(waived_by=pl.lit(ANSWERS)),
    ]
    columns = ["respondent_id", "outer", "channel", "waived_by"]
    held = (
        pl.concat(part.rename({"period_code": "outer"}).select(*columns, "waiver") for part in parts)
        .group_by(columns)
        .agg(is_waived=(pl.col("waiver") != NO_WAIVER).all())
        .filter("is_waived")
    )
    channels = pl.DataFrame({"channel_code": sorted(list_codes("channel"))})
    return (
        held.join(nest_periods(held["outer"]), on="outer")
        .rename({"inner": "period_code"})
        .join(channels, how="cross")
        .filter(pl.col("channel").is_null() | (pl.col("channel") == pl.col("channel_code")))
        .select(*KEY, "is_waived")
        .unique()
    )


def waived_by_packages(submission: pl.DataFrame) -> pl.DataFrame:
    """Rows of KEY with of_packages: true if all packages of the period waive, false if one says that it
    waives nothing. No row where they leave it to the form."""
    given = submission.select("respondent_id", "channel_code", "waiver", inner="period_code").unique()
    waives = pl.col("waiver") != NO_WAIVER
    return (
        given.join(nest_periods(given["inner"]), on="inner")
        .rename({"outer": "period_code"})
        .group_by("respondent_id", "period_code", "channel_code")
        .agg(
            of_packages=pl.when(~waives.all(ignore_nulls=True))
            .then(False)
            .when(waives.all(ignore_nulls=False))
            .then(True)
        )
        .drop_nulls("of_packages")
        .with_columns(waived_by=pl.lit(LOGS))
    )

"""The figures that a respondent gave for a period and channel: their id, and how estimates leave them out.

Volumes of a period rest on the channel's figures from packages and answers for the period and for all periods
within it; money rests on the account of the year, in all channels together.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from jobs.base.core.periods import months_of
from jobs.study.estimates.investment_account import SPENDING_INDICATORS
from jobs.study.questionnaire.latest_answers import latest_answers

SUBMISSION, ROUTES, QUALITY = "study.submission", "study.submission_route", "study.submission_quality"
ANSWERS = "study.questionnaire_answer"
MONEY, VOLUMES = "study.investment", "study.spam_volume"
# What is judged of an answer and of a package's row.
ANSWER_COLUMNS = ("period_code", "indicator_code", "value", "answer_status_code")
PACKAGE_COLUMNS = (
    *("period_code", "direction_code", "stage_code", "outcome_code", "unit_code", "definition_code"),
    *("units", "spam_certain", "spam_possible", "subscriptions", "day_count"),
)
DIGITS = 10


@dataclass(frozen=True)
class Given:
    """One respondent's figures for a table of estimates, a period and a channel."""

    table_name: str
    period_code: str
    channel_code: str
    respondent_id: str

    @property
    def is_money(self) -> bool:
        return self.table_name == MONEY

    def match_rows(self, table: str, rows: pl.DataFrame, indicators: pl.DataFrame) -> pl.Expr:
        """Match its rows of packages' tables or of answers.

        Args:
            indicators: ref.indicator_measure.
        """
        is_own = pl.col("respondent_id") == self.respondent_id
        if self.is_money:
            is_account = pl.col("period_code") == self.period_code
            is_asked = (
                pl.col("indicator_code").str.contains(SPENDING_INDICATORS)
                if table == ANSWERS
                else pl.lit(False)
            )
            return is_own & is_account & is_asked
        whole = set(months_of(self.period_code))
        within = [each for each in sorted(set(rows["period_code"])) if set(months_of(each)) <= whole]
        if table == ANSWERS:
            of_channel = indicators.filter(pl.col("channel_code") == self.channel_code)["indicator_code"]
            is_channel = pl.col("indicator_code").is_in(of_channel.to_list())
        else:
            is_channel = pl.col("channel_code") == self.channel_code
        return is_own & is_channel & pl.col("period_code").is_in(within)


def finding_id(figure: Given, have: Mapping[str, pl.DataFrame], indicators: pl.DataFrame) -> str:
    """A hash of whose, when and what: of another figure it is another one.

    Args:
        have: packages and answers.
    """
    channel = "_T" if figure.is_money else figure.channel_code
    found = hashlib.sha256(
        "\x1f".join((figure.respondent_id, figure.period_code, channel, figure.table_name)).encode()
    )
    counts = have[SUBMISSION].filter(figure.match_rows(SUBMISSION, have[SUBMISSION], indicators))
    answers = latest_answers(have[ANSWERS].filter(figure.match_rows(ANSWERS, have[ANSWERS], indicators)))
    for rows in (counts.select(PACKAGE_COLUMNS), answers.select(ANSWER_COLUMNS)):
        found.update(rows.sort(pl.all()).write_csv().encode())
    return found.hexdigest()[:DIGITS]


def leave_out(
    figure: Given, have: Mapping[str, pl.DataFrame], indicators: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Packages and answers without it."""
    return {table: rows.filter(~figure.match_rows(table, rows, indicators)) for table, rows in have.items()}

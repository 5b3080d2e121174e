"""study.answered_share: means of the shares that operators answered, by area, line of the form and item."""

import polars as pl

from jobs.base.tables.contracts import polars_schema, read_contract
from jobs.study.estimates.steps.answered import answered_shares, place_shares, summarise_shares

TABLE = "study.answered_share"
AREA = ["area_code", "area_kind_code"]


def transform(
    questionnaire_answer: pl.DataFrame,
    operator_frame: pl.DataFrame,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each area, line and item that anyone answered. A respondent that the frame lacks in the
    line's channel is left out."""
    shares = answered_shares(questionnaire_answer, read_contract(TABLE).questions)
    if shares.is_empty():
        return pl.DataFrame(schema=polars_schema(TABLE))
    found = summarise_shares(*place_shares(shares, operator_frame, country, country_group), AREA)
    return found.select(name for name in polars_schema(TABLE) if name in found.columns)

"""study.spam_type: estimated spam of a period by type, per area, channel, unit, definition and quantity.

Types are the primary ones of messages as logs determine them (docs/counting.md); how parts are estimated:
jobs/study/estimates/steps/parts.py.
"""

import polars as pl

from jobs.study.estimates.spam_volume import CORRECTED
from jobs.study.estimates.steps.part_rows import estimate_parts
from jobs.study.estimates.steps.parts import split_volumes
from jobs.study.estimates.steps.sample import Reference

TABLE = "study.spam_type"
BY = ("spam_type_code",)
MARGINS = ()
QUANTITIES = ("spam_certain", "spam_possible", CORRECTED)


def published_codes(part: tuple[str, ...]) -> tuple[str, ...]:
    """The codes of a part in a series: figures of all types may leave."""
    return part


def transform(
    respondent_figure: pl.DataFrame,
    submission: pl.DataFrame,
    submission_type: pl.DataFrame,
    spam_volume: pl.DataFrame,
    definition: pl.DataFrame,
    operator_frame: pl.DataFrame,
    denominator: pl.DataFrame,
    country: pl.DataFrame,
    country_group: pl.DataFrame,
) -> pl.DataFrame:
    """A row for each area, quantity and type of a period, channel, unit and definition.

    In parts: all respondents of a channel, unit and definition and all periods of a year, as spam_volume.
    """
    given = split_volumes(respondent_figure, submission, submission_type, BY)
    reference = Reference(operator_frame, denominator, country, country_group)
    return estimate_parts(TABLE, given, spam_volume, definition, reference, QUANTITIES)

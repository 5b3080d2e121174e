"""Study tables computed in parts, each by its key: together they are the whole."""

import importlib
from functools import cache

import polars as pl
import pytest

from jobs.core.contracts import conform_frame, read_contract, reference_table
from jobs.core.csv_tables import read_table
from sample_data.membership import FOLDER

FROM_FILES = ("ref.operator_frame", "ref.denominator", "ref.price_level")
ANSWERS, VOLUME = "study.questionnaire_answer", "study.spam_volume"


@cache
def read(name: str) -> pl.DataFrame:
    if name.startswith("ref.") and name not in FROM_FILES:
        return reference_table(name)
    return read_table(FOLDER, name)


def inputs(table: str) -> dict[str, pl.DataFrame]:
    """What the table reads of the sample membership; of volumes one month by logs alone, for an answer to a
    question on subscriptions is of several channels."""
    have = {name: read(name) for name in read_contract(table).reads}
    if table == VOLUME:
        month = have["study.submission"].filter(pl.col("period_code") == "2026-11")
        have |= {"study.submission": month, ANSWERS: have[ANSWERS].clear()}
    return have


def computed(table: str, have: dict[str, pl.DataFrame]) -> pl.DataFrame:
    job = importlib.import_module(f"jobs.{table}")
    return conform_frame(job.transform(**{name.split(".")[1]: frame for name, frame in have.items()}), table)


HALF = read(ANSWERS)["respondent_id"].unique().sort()[::2].to_list()


@pytest.mark.parametrize(
    ("table", "column", "values"),
    [
        ("study.mirror", "period_code", ["2026-11"]),
        (VOLUME, "channel_code", ["SMS"]),
        ("study.reconciliation", "respondent_id", HALF),
        ("study.investment_account", "respondent_id", HALF),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_parts_make_the_whole(table: str, column: str, values: list[str]) -> None:
    have = inputs(table)
    own = [name for name, frame in have.items() if name.startswith("study.") and column in frame.columns]
    is_first = pl.col(column).is_in(values)
    parts = [
        computed(table, have | {name: have[name].filter(side) for name in own})
        for side in (is_first, ~is_first)
    ]
    assert all(part.height for part in parts)
    key = read_contract(table).key
    assert pl.concat(parts).sort(key).equals(computed(table, have).sort(key))

"""Floors of what words tell of types, on texts that were written without a look at the rules.

A rule that is written for one of these texts makes the figures worthless: write other texts then.
"""

import polars as pl
import pytest

from benchmarks import type_quality
from tests.operators.protect.test_message_types import LANGUAGES

# Precision and recall of all languages, as the rules had them before they were held to these texts.
FLOORS = {"SMS": (0.83, 0.52), "EMAIL": (0.95, 0.54)}
# Of texts that are no spam: 3 of 108 when they were written.
MOST_ORDINARY_TYPED = 3


@pytest.fixture(scope="module")
def told() -> pl.DataFrame:
    return type_quality.told()


@pytest.mark.parametrize("channel", list(FLOORS))
def test_types_are_told_as_well_as_before(told: pl.DataFrame, channel: str) -> None:
    for found, floor in zip(
        type_quality.worth(told.filter(channel_code=channel)), FLOORS[channel], strict=True
    ):
        assert floor <= found < 1


def test_ordinary_texts_have_no_type(told: pl.DataFrame) -> None:
    ordinary = told.filter(pl.col("type_code").is_null())
    assert ordinary["found"].count() <= MOST_ORDINARY_TYPED


def test_the_texts_are_of_many_types_in_each_language(told: pl.DataFrame) -> None:
    assert told["text"].is_unique().all()
    parts = told.group_by("channel_code", "language_code").agg(
        pl.col("type_code").drop_nulls().n_unique().alias("types"),
        pl.col("type_code").is_null().sum().alias("ordinary"),
    )
    assert sorted(parts["language_code"].unique()) == list(LANGUAGES)
    assert parts.filter((pl.col("types") < 12) | (pl.col("ordinary") < 8)).is_empty()


def test_precision_and_recall_count_as_they_say() -> None:
    rows = [("AD.retail", "AD.retail"), ("AD.retail", "AD.pharma"), ("AD.adult", None), (None, "AD.adult")]
    frame = pl.DataFrame(rows, schema=["type_code", "found"], orient="row")
    assert type_quality.worth(frame) == (1 / 3, 1 / 3)

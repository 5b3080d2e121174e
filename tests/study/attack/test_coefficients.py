"""The attacker's coefficients are the estimator's, computed by other code."""

import numpy as np
import polars as pl
import pytest

from jobs.base.tables.contracts import reference_table
from jobs.base.tables.csv_tables import read_table
from jobs.study.attack.coefficients import World, compute_coefficients
from jobs.study.estimates.steps.sample import Reference, point_estimates, sample_of
from sample_data.membership import FOLDER
from tests.support.small_study import CHANNEL, PERIOD, basis, drawn

NAMES = ("ref.operator_frame", "ref.denominator", "ref.country", "ref.country_group")


def assert_same(tables: dict[str, pl.DataFrame], answered: pl.DataFrame, channel: str, period: str) -> None:
    """answered: respondent_id and the subscriptions that it gave, or null."""
    given = [tables[name] for name in NAMES]
    sample, those = sample_of(Reference(*given), answered, channel, period, ("any",))
    expected = point_estimates(sample, np.eye(answered.height))
    found = compute_coefficients(World(*given), dict(answered.rows()), channel, period)
    assert list(found.respondents) == those["respondent_id"].to_list()
    for area, row in expected.items():
        if row[0] is not None:
            assert np.abs(found.get_weights(area) - np.array(row, dtype=float)).max() < 1e-9, area


@pytest.mark.parametrize("channel", ["EMAIL", "SMS"])
def test_of_the_sample_membership(channel: str) -> None:
    tables = {name: read_table(FOLDER, name) for name in NAMES[:2]}
    tables |= {name: reference_table(name) for name in NAMES[2:]}
    submission = read_table(FOLDER, "study.submission").filter(pl.col("channel_code") == channel)
    answered = submission.group_by("respondent_id").agg(pl.col("subscriptions").max()).sort("respondent_id")
    assert_same(tables, answered, channel, "2026-Q4")
    # Half of them, of whom some gave no subscriptions: cells collapse otherwise, and countries are modelled.
    some = answered.gather_every(2).with_columns(
        subscriptions=pl.when(pl.int_range(pl.len()) % 3 > 0).then("subscriptions")
    )
    assert_same(tables, some, channel, "2026-Q4")


@pytest.mark.parametrize("seed", range(4))
def test_of_generated_studies(seed: int) -> None:
    small = drawn(seed, answering=0.6)
    tables = dict(basis(small, "r").tables)
    names = [(each.name, each.subscriptions) for each in small.operators if each.figures is not None]
    answered = pl.DataFrame(names, schema=["respondent_id", "subscriptions"], orient="row").sort(
        "respondent_id"
    )
    assert_same(tables, answered, CHANNEL, PERIOD)

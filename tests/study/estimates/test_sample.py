"""Errors of subscriptions and of days without logs, in a study's intervals and in its releases'."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.stats.estimation import Array, Operators
from jobs.base.tables.contracts import rows_frame
from jobs.study.estimates.steps.area_rows import estimate_areas
from jobs.study.estimates.steps.frame import refuse_wrong_subscriptions
from jobs.study.estimates.steps.sample import (
    Denominator,
    Sample,
    Stated,
    known_denominators,
    known_variance,
    weigh_operators,
)
from jobs.study.public.intervals import KNOWN_ERRORS
from sample_data.membership import FOLDER, Population, answering, countries, population

TERMS = (*KNOWN_ERRORS, "area_factor")


def denominators(*rows: tuple[str, int, int | None, int | None, str | None, int | None]) -> pl.DataFrame:
    names = ("country_code", "subscriptions", "subscriptions_low", "subscriptions_high")
    return rows_frame(
        [
            dict(zip((*names, "error_class_code", "shared_error_pct"), row, strict=True))
            | {"period_code": "2026", "channel_code": "EMAIL"}
            for row in rows
        ],
        "ref.denominator",
    )


def test_what_a_source_shares_adds_up_before_it_is_squared_and_own_errors_after() -> None:
    """Two of one class, one of another, one that states nothing; 5 and 95% points are 1.645 standard
    deviations from the middle."""
    found = known_denominators(
        denominators(
            ("FRA", 100, 90, 111, "survey", 10), ("ITA", 300, None, None, "survey", 10),
            ("KEN", 200, None, None, "count", 2), ("NPL", 50, None, None, None, None),
        ),
        "EMAIL",
        "2026-Q4",
    )  # fmt: skip
    own = math.log(111 / 90) / 3.28971
    survey, count = math.log(1.1) / 1.644854, math.log(1.02) / 1.644854
    expected = (100 * own) ** 2 + (400 * survey) ** 2 + (200 * count) ** 2
    assert known_variance(list(found.values())) == pytest.approx(expected, rel=1e-6)
    assert known_variance([found["NPL"]]) == 0


def membership_sample(
    stated: dict[str, Denominator], missing: float, in_full: Sequence[str] = ()
) -> tuple[Population, Array, Sample]:
    people = population("EMAIL", 3)
    answered = answering(people, np.random.default_rng(1)) | np.isin(people.country.astype(str), in_full)
    named = ("respondent", "country", "region", "development", "size", "subscriptions")
    operators = Operators(*(getattr(people, name) for name in named), answered, people.holding)
    known = Stated(stated, np.zeros(len(answered)), np.full(answered.sum(), missing))
    return people, answered, weigh_operators(operators, known, countries(), 5, 20)


def test_no_contribution_is_in_the_public_terms_and_a_country_in_full_has_no_error_of_subscriptions() -> None:
    people = population("EMAIL", 3)
    stated = {
        name: Denominator(float(people.subscriptions[people.country == name].sum()), 0.1, "one", 0.05)
        for name in sorted(set(people.country))
    }
    _, answered, sample = membership_sample(stated, 0.03, in_full=("FRA",))
    own = people.spam[answered][:, None]
    rows, others = (
        {row["area_code"]: row for row in estimate_areas(sample, y).to_dicts()}
        for y in (own, np.random.default_rng(2).permutation(own))
    )
    assert all(rows[area][name] == others[area][name] for area in rows for name in TERMS)
    assert rows["WORLD"]["estimate"] != others["WORLD"]["estimate"]
    # 3% of days: the class up to 5%.
    assert {row["days_variance"] for row in rows.values() if row["respondent_count"]} == {0.0025}
    assert rows["FRA"]["subscriptions_variance"] == 0
    # Countries in full are not off; of the others all are together, and each by itself.
    of_open = {
        area: row["subscriptions_variance"]
        for area, row in rows.items()
        if row["area_kind_code"] == "country" and row["respondent_count"] < row["operator_count"]
    }
    assert set(of_open.values()) == {0.0125}
    sizes = np.array([float(str(rows[area]["subscriptions"])) for area in of_open])
    expected = 0.05**2 * sizes.sum() ** 2 + 0.1**2 * (sizes**2).sum()
    world = rows["WORLD"]
    assert world["subscriptions_variance"] == pytest.approx(expected / world["subscriptions"] ** 2, rel=1e-3)


def test_a_country_in_full_whose_logs_lack_days_has_an_interval() -> None:
    """A tenth of the days: as far as 20% off, and never below what logs counted."""
    people, answered, sample = membership_sample({}, 0.1, in_full=("FRA",))
    y = people.spam[answered][:, None]
    row = next(row for row in estimate_areas(sample, y).to_dicts() if row["area_code"] == "FRA")
    estimate, low, high, cv_pct, reported = (
        float(str(row[name])) for name in ("estimate", "estimate_low", "estimate_high", "cv_pct", "reported")
    )
    assert estimate == pytest.approx(reported)
    assert (low / estimate, high / estimate) == pytest.approx((0.9, math.exp(0.196)), rel=1e-4)
    assert cv_pct == pytest.approx(10)


def test_wrong_errors_of_subscriptions_are_named() -> None:
    given = {
        "ref.denominator": denominators(
            ("FRA", 100, 90, None, None, None), ("ITA", 300, 310, 330, "survey", 10),
            ("KEN", 200, None, None, "survey", 2), ("GHA", 50, None, None, None, None),
            ("NPL", 50, None, None, None, 3),
        ).with_columns(period_code=pl.when(country_code="GHA").then(pl.lit("2026-Q7")).otherwise("period_code")),
        "ref.operator_frame": rows_frame([], "ref.operator_frame"),
    }  # fmt: skip
    with pytest.raises(ObservatoryError) as raised:
        refuse_wrong_subscriptions(given, FOLDER)
    lines = str(raised.value).splitlines()
    assert [line.split("(")[-1] for line in lines] == [
        "row 5: GHA 2026-Q7 EMAIL)", "row 2: FRA 2026 EMAIL)", "row 3: ITA 2026 EMAIL)",
        "row 6: NPL 2026 EMAIL)",
        "row 3: ITA 2026 EMAIL; row 4: KEN 2026 EMAIL)",
    ]  # fmt: skip
    assert lines[0].startswith(
        f"{FOLDER / 'denominator.csv.gz'}: 1 row(s) have a period_code that is none: write"
    )
    right = given | {"ref.denominator": denominators(("FRA", 100, 90, 110, "survey", 10))}
    refuse_wrong_subscriptions(right, FOLDER)

"""Intervals of a release follow from what it publishes alone."""

import io
import math
from functools import cache

import polars as pl
import pytest
from scipy.stats import t as student

from jobs.base.tables.public_contracts import VARIANCE, PublicContract, public_contract, public_tables
from jobs.study.disclosure.coarse import round_up_variance
from jobs.study.public.cells import Basis, EarlierRelease
from jobs.study.public.gate import make_public_tables
from jobs.study.public.intervals import LOWER, UPPER, band_of, choose_variances, withhold_variances
from jobs.study.release.codebook import NOTES
from tests.study.public.test_gate import P_PCT
from tests.support.linked_study import study_of
from tests.support.small_study import PERIOD, Small, basis, drawn

WITH_INTERVAL = [each for each in map(public_contract, public_tables()) if VARIANCE in each.schema]
ABOUT = public_contract("public.spam_volume")


def released(small: Small, release: str = "r1", earlier: tuple[EarlierRelease, ...] = ()) -> EarlierRelease:
    study = basis(small, release)
    made = make_public_tables(study, list(earlier), [PERIOD], P_PCT, leave_out_areas=True)
    return EarlierRelease(study, made.public)


@cache
def first_release() -> EarlierRelease:
    """Release of a study that two tests change."""
    return released(drawn(5))


def outward(value: float, is_up: bool) -> float:
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return (math.ceil(value / unit - 1e-9) if is_up else math.floor(value / unit + 1e-9)) * unit


# Three series of each table whose study is made up here: a sum and its parts.
COUNTED = ("attempted", "OPERATOR", "spam_certain")
SUMS = {
    "public.countermeasure_cost": [
        ("filtering", code, "market") for code in ("stated", "marginal", "fixed")
    ],
    "public.investment": [("_T", code, "market") for code in ("_T", "operating", "capital")],
    "public.spam_route": [(*COUNTED, "_S", code) for code in ("_T", "hub", "peer")],
    "public.spam_source": [(*COUNTED, code) for code in ("_T", "EUR", "_U")],
    "public.spam_type": [(*COUNTED, code) for code in ("_T", "AD.retail", "UNK")],
}  # fmt: skip
ALIKE = [1000.0, 1100.0, 900.0, 1050.0, 950.0, 1000.0]


def intervals_of(public: pl.DataFrame) -> pl.DataFrame:
    """The rows with an interval, as the CSV has them."""
    return pl.read_csv(io.StringIO(public.write_csv())).drop_nulls("rates_variance")


def check_intervals(rows: pl.DataFrame) -> None:
    """Each interval, band and status as the codebook says: with Student's t, by code of its own."""
    for row in rows.to_dicts():
        known = row["subscriptions_variance"] + row["days_variance"]
        cv = math.sqrt(row["area_factor"] * row["rates_variance"] + known)
        both = student.ppf(0.975, row["rates_freedom"]) * cv
        below, above = (math.exp(min(arm * both, math.log(1000))) for arm in (0.9, 1.3))
        assert float(row["estimate_low"]) == pytest.approx(outward(row["estimate"] / below, False), rel=1e-9)
        assert float(row["estimate_high"]) == pytest.approx(outward(row["estimate"] * above, True), rel=1e-9)
        band = "acceptable" if cv < 0.166 else "caution" if cv <= 0.333 else "unreliable"
        assert row["cv_band_code"] == band
        assert row["obs_status_code"] in ("A", "U" if band == "unreliable" else "E")
        assert round_up_variance(row["rates_variance"]) == row["rates_variance"]


def test_the_codebook_says_how_long_the_arms_are() -> None:
    (said,) = (text for title, text in NOTES if title == "Intervals")
    assert f"divided by exp({LOWER} t s), and multiplied with exp({UPPER} t s)" in said


def test_where_bands_of_reliability_begin() -> None:
    bands = ("acceptable", "caution", "caution", "caution", "unreliable")
    assert tuple(map(band_of, (0.1659**2, 0.166**2, 0.1661**2, 0.3329**2, 0.3331**2))) == bands


@pytest.mark.long
def test_every_interval_is_made_again_from_the_csv_alone() -> None:
    """The study has many countries, whose factors give all bands."""
    rows = intervals_of(released(drawn(2, most=9)).public[ABOUT.table])
    assert rows.height > 20
    assert set(rows["cv_band_code"]) == {"acceptable", "caution", "unreliable"}
    assert rows["subscriptions_variance"].max() > 0
    check_intervals(rows)
    # One number a series.
    assert rows.group_by(*ABOUT.key[2:]).agg(pl.col("rates_variance").n_unique())["rates_variance"].max() == 1


@pytest.mark.parametrize("variance", [0.25, 6.3, 12.5])
@pytest.mark.parametrize(
    "contract", [each for each in WITH_INTERVAL if each.table != ABOUT.table], ids=lambda each: each.table
)
def test_every_table_has_its_intervals_made_so(contract: PublicContract, variance: float) -> None:
    """Six operators are alike, and their own variance is 0.005: none of the tables shows anybody."""
    amounts = ([2 * each for each in ALIKE], ALIKE, ALIKE)
    study = study_of(contract, dict(zip(SUMS[contract.table], amounts, strict=True)), variance=variance)
    made = make_public_tables(study, [], [PERIOD], P_PCT)
    assert made.findings.is_empty()
    rows = intervals_of(made.public[contract.table])
    assert rows.height == made.public[contract.table].height >= 1
    assert set(rows["rates_variance"]) == {variance}
    check_intervals(rows)


@pytest.mark.long
def test_nothing_of_the_studys_own_errors_leaves() -> None:
    """Public rows are the same, whatever the study's own ends, bands and changes are."""
    first = first_release()
    study = first.basis
    own = study.tables["study.spam_volume"]
    other = own.with_columns(
        pl.col("estimate_low", "estimate_high") * 3, cv_band_code=pl.lit("unreliable"), cv_pct=pl.lit(None)
    ).with_columns(pl.col("cv_pct").cast(own.schema["cv_pct"]))
    other = other.select(pl.col(name).cast(kind) for name, kind in own.schema.items())
    changed = Basis("r1", {**study.tables, "study.spam_volume": other})
    again = make_public_tables(changed, [], [PERIOD], P_PCT, leave_out_areas=True)
    assert first.public["public.spam_volume"].equals(again.public["public.spam_volume"])


def series_rows(given: list[tuple[str, float | None, float]]) -> pl.DataFrame:
    """Rows of series with their variance and the largest p that it is safe for."""
    return pl.DataFrame(
        [
            {"table_name": "study.spam_volume", "period_code": PERIOD, "channel_code": "EMAIL",
             "series": name, "area_code": area, "rates_variance": variance, "rates_freedom": 9.0,
             "rates_margin_pct": margin}
            for name, variance, margin in given
            for area in ("WORLD", "EUR")
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([("a", 0.5, 20), ("b", 0.8, 14), ("c", 2.0, 13)], [0.5, 0.8, 0.8]),
        ([("a", 0.5, 13.6), ("b", None, 90)], [None, None]),
        ([("a", 0.5, 13.6), ("b", 0.01, 13.7)], [0.01, 0.01]),
    ],
)
def test_a_variance_that_is_not_safe_gives_way_to_the_largest_that_is(
    given: list[tuple[str, float | None, float]], expected: list[float | None]
) -> None:
    found = choose_variances(series_rows(given), basis(drawn(5), "r1"), ABOUT, [], P_PCT)
    of_world = found.filter(pl.col("area_code") == "WORLD").sort("series")
    assert of_world["rates_variance"].to_list() == expected


@pytest.mark.parametrize(("lost", "expected"), [("a", [None, 0.01]), ("b", [None, None])])
def test_without_a_variance_no_series_has_it_and_its_series_has_none(
    lost: str, expected: list[float | None]
) -> None:
    """Series a has the variance of b. An attack that rests on what a publishes names a."""
    given = series_rows([("a", 0.5, 13.6), ("b", 0.01, 13.7)])
    chosen = choose_variances(given, basis(drawn(5), "r1"), ABOUT, [], P_PCT)
    left = withhold_variances(chosen, {("study.spam_volume", PERIOD, "EMAIL", lost)})
    assert left.filter(area_code="WORLD").sort("series")["rates_variance"].to_list() == expected


@pytest.mark.long
def test_a_variance_stands_while_one_or_two_holdings_changed() -> None:
    """One that answers late, with a rate of its own, would show itself in it."""
    small = drawn(5)
    late = next(each for each in small.operators if each.figures is None)
    first = first_release()
    late.figures = (90 * late.subscriptions, 80 * late.subscriptions, 80 * late.subscriptions)
    second = released(small, "r2", (first,))
    fresh = released(small, "r2")
    before, after, alone = (
        dict(
            each.public["public.spam_volume"]
            .group_by("quantity_code")
            .agg(pl.col("rates_variance").first())
            .rows()
        )
        for each in (first, second, fresh)
    )
    assert before == after != alone
    # Nothing changed since the second; the first is known, too.
    third = released(small, "r3", (first, second)).public["public.spam_volume"]
    assert dict(third.group_by("quantity_code").agg(pl.col("rates_variance").first()).rows()) == before

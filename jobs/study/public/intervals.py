"""Intervals, bands and statuses of a release, made of public numbers alone.

CV² = K v + d + m: an area's factor times the variance of rates of its series, and the variances of its
subscriptions and of days without logs, all columns of the row. The interval is from estimate / exp(LOWER t s)
to estimate · exp(UPPER t s), s the root of CV², t Student's at the row's degrees of freedom. Nothing of
the study's own error is in it: that is at least the norm of a linear map of contributions, and bounds them. d
follows from the study's files and m from days and weights, so no contribution is in either.
"""

import math
from collections.abc import Collection, Sequence

import polars as pl
from scipy.special import stdtrit

from jobs.base.tables.public_contracts import VARIANCE, PublicContract
from jobs.study.disclosure import rules
from jobs.study.disclosure.coarse import coarsen_outward
from jobs.study.public.cells import CONTRIBUTION, SERIES, Basis, EarlierRelease, name_cells

CONFIDENCE = 0.95
# Rates have a long tail upwards. A sample without the few that have most shows too little, and too small a
# variance, so that with equal arms the truth is above an interval ten times as often as below (Johnson 1978;
# measured in docs/estimates.md).
LOWER, UPPER = 0.9, 1.3
# Beyond a factor of a thousand a bound says nothing.
FARTHEST = 1000.0
DIGITS = 3
# Statistics Canada's: below the first a figure is acceptable, above the second unreliable.
CAUTION_PCT, UNRELIABLE_PCT = 16.6, 33.3
FREEDOM = "rates_freedom"
# Variances beside that of rates; none in rows that stand from a release without them.
KNOWN_ERRORS = ("subscriptions_variance", "days_variance")
# Whose variance a series has.
WHOSE = "variance_series"
PUBLISHED = (VARIANCE, FREEDOM, WHOSE)
ESTIMATED, UNRELIABLE = "E", "U"


def reach_of(squared_cv: float, freedom: float) -> tuple[float, float]:
    """Return the factor of an interval: an estimate is divided by it for the lower end, and multiplied for
    the upper."""
    both = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * math.sqrt(squared_cv)
    below, above = (math.exp(min(arm * both, math.log(FARTHEST))) for arm in (LOWER, UPPER))
    return below, above


def band_of(squared_cv: float) -> str:
    """The band of the coefficient of variation."""
    cv_pct = 100 * math.sqrt(squared_cv)
    if cv_pct < CAUTION_PCT:
        return "acceptable"
    return "caution" if cv_pct <= UNRELIABLE_PCT else "unreliable"


def add_intervals(made: pl.DataFrame, status: pl.Series) -> pl.DataFrame:
    """Public rows with interval, band and status.

    Args:
        status: the study's, of which it does not count whether its own error makes a figure unreliable.
    """
    ends: list[tuple[float | None, float | None, str | None]] = []
    squared = pl.col("area_factor") * pl.col(VARIANCE) + pl.sum_horizontal(KNOWN_ERRORS)
    for value, squared_cv, freedom in made.select(
        pl.col("estimate").cast(pl.Float64), squared_cv=squared, freedom=FREEDOM
    ).rows():
        if squared_cv is None:
            ends.append((None, None, None))
            continue
        below, above = reach_of(squared_cv, freedom)
        low, high = coarsen_outward(value / below, DIGITS, -1), coarsen_outward(value * above, DIGITS, 1)
        ends.append((low, high, band_of(squared_cv)))
    lows, highs, bands = zip(*ends, strict=True) if ends else ((), (), ())
    kinds = made.schema
    return made.with_columns(
        estimate_low=pl.Series(lows, dtype=pl.Float64).cast(kinds["estimate_low"]),
        estimate_high=pl.Series(highs, dtype=pl.Float64).cast(kinds["estimate_high"]),
        cv_band_code=pl.Series(bands, dtype=pl.String),
    ).with_columns(
        obs_status_code=pl.when(~status.is_in([ESTIMATED, UNRELIABLE]))
        .then(status)
        .when(pl.col("cv_band_code") == "unreliable")
        .then(pl.lit(UNRELIABLE))
        .otherwise(pl.lit(ESTIMATED))
    )


# --- which variance stands ---------------------------------------------------------------------------


def choose_variances(
    rows: pl.DataFrame,
    basis: Basis,
    contract: PublicContract,
    earlier: Sequence[EarlierRelease],
    p_pct: float,
) -> pl.DataFrame:
    """The rows that leave, with the variance that their series publishes: its own where that is safe; else
    the largest of its period and channel that is; else none, and no interval. While one or two holdings of
    the series changed since any earlier release, the variance that was published last stands."""
    if VARIANCE not in contract.schema or rows.is_empty():
        return rows
    own = rows.select(*SERIES, VARIANCE, FREEDOM, "rates_margin_pct").unique(SERIES, maintain_order=True)
    is_safe = (pl.col("rates_margin_pct") >= p_pct).fill_null(False) & pl.col(VARIANCE).is_not_null()
    safe = own.filter(is_safe)
    safe = safe.with_columns(pl.col("series").alias(WHOSE))
    widest = safe.sort(VARIANCE, descending=True).unique(SERIES[:3], keep="first", maintain_order=True)
    chosen = (
        own.select(SERIES)
        .join(safe.drop("rates_margin_pct"), on=SERIES, how="left")
        .join(widest.drop("series"), on=SERIES[:3], how="left", suffix="_widest")
        .select(*SERIES, *(pl.coalesce(name, f"{name}_widest").alias(name) for name in PUBLISHED))
    )
    published_before = latest_variances(basis, contract, earlier)
    published_before = published_before.with_columns(pl.col("series").alias(WHOSE))
    both = chosen.join(published_before, on=SERIES, how="left", suffix="_before")
    stands = pl.col("stands").fill_null(False)
    now = both.select(
        *SERIES,
        *(
            pl.when(stands).then(pl.col(f"{name}_before")).otherwise(pl.col(name)).alias(name)
            for name in PUBLISHED
        ),
    )
    return rows.drop(VARIANCE, FREEDOM).join(now, on=SERIES, how="left", maintain_order="left")


def withhold_variances(rows: pl.DataFrame, series: Collection[tuple[str, ...]]) -> pl.DataFrame:
    """The rows, without any variance in these series and in those that have theirs: table, period, channel
    and codes."""
    if WHOSE not in rows.columns:
        return rows
    is_lost = pl.any_horizontal(
        pl.concat_list(*SERIES[:3], of).is_in([list(names) for names in series]) for of in (SERIES[3], WHOSE)
    ).fill_null(False)
    return rows.with_columns(pl.when(~is_lost).then(pl.col(name)).alias(name) for name in PUBLISHED)


def latest_variances(
    basis: Basis, contract: PublicContract, earlier: Sequence[EarlierRelease]
) -> pl.DataFrame:
    """The variance that each series published last, and whether it has to stand."""
    kinds = {**dict.fromkeys(SERIES, pl.String), VARIANCE: pl.Float64, FREEDOM: pl.Float64}
    found = pl.DataFrame(schema={**kinds, "stands": pl.Boolean})
    for each in earlier:
        if contract.table not in each.public:
            continue
        public = name_cells(each.public[contract.table], contract).filter(pl.col("stands_from").is_null())
        last = public.select(*SERIES, VARIANCE, FREEDOM).unique(SERIES, maintain_order=True)
        before, now = (
            of.tables[CONTRIBUTION].join(last, on=SERIES, how="semi") for of in (each.basis, basis)
        )
        changed = rules.count_changed(before, now, SERIES)
        said = (
            last.join(changed, on=SERIES, how="left")
            .with_columns(stands=~rules.may_change(pl.col("changed").fill_null(0)))
            .join(found.select(*SERIES, stood="stands"), on=SERIES, how="left")
            .with_columns(stands=pl.col("stands") | pl.col("stood").fill_null(False))
            .select(list(found.columns))
        )
        found = pl.concat([found.join(said, on=SERIES, how="anti"), said])
    return found

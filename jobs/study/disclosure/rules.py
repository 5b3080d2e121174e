"""The primary rules: which rows may leave.

Contributions x of a cell are unweighted sums by holding: operators of one holding know each other's figures.
What the estimate adds for silent operators protects nobody, since whoever has the frame can compute it.

- Threshold: at least HOLDINGS holdings contributed; MONEY_HOLDINGS for money
  (jobs/base/tables/thresholds.py; a table's contract may ask for more).
- p%: X - x1 - x2 >= p/100 x1 (SDC Handbook, 4.2). The second largest, who takes its own contribution off the
  total, must not find the largest within p%. A total of nothing shows that everyone had nothing, and fails.
- Own rate: silent operators of a country are estimated at its own operators' rate. Otherwise a country's
  figure would show the rate of other countries' operators. A country that nobody answered for has no other
  rate.
- No month, and no money for single countries.
- A holding that waived is not protected; it stays an attacker. A cell in which nobody is protected may leave.
- A cell with a contribution that is null, negative or no number, or of an unknown holding, fails both rules.
- Revision: an area's figure changes only if no holding or at least REVISED holdings changed since it was
  published. Otherwise the difference of two figures would show one or two holdings' change.
"""

from collections.abc import Sequence

import polars as pl

REVISED = 3
# A country's own rate stands where its respondents have half of its subscriptions.
OWN_RATE_PCT = 50
# The columns that sum_by_holding() and judge_cells() add.
ENOUGH, UNDOMINATED = "has_enough_holdings", "is_undominated"


def sum_by_holding(contribution: pl.DataFrame, cell: Sequence[str]) -> pl.DataFrame:
    """The sum of each holding in each cell, and whether it is protected: a holding waives with all of its
    contributions to the cell or not at all. is_sound: all of its contributions are amounts, of a holding
    that is known."""
    x = pl.col("contribution").cast(pl.Float64)
    is_sound = (x.is_finite() & (x >= 0) & pl.col("holding_id").is_not_null()).fill_null(False)
    return contribution.group_by(*cell, "holding_id").agg(
        pl.col("contribution").sum(),
        is_protected=~pl.col("is_waived").fill_null(False).all(),
        is_sound=is_sound.all(),
    )


def judge_cells(
    contribution: pl.DataFrame, cell: Sequence[str], least: pl.Expr, p_pct: float
) -> pl.DataFrame:
    """Return whether each cell has enough holdings, and whether none of them dominates it.

    Args:
        contribution: a row for each respondent in each cell that it is in.
        least: the threshold, of columns of the cell.
    """
    x, is_protected = pl.col("contribution"), pl.col("is_protected")
    found = (
        sum_by_holding(contribution, cell)
        .sort(*cell, "contribution", "holding_id", descending=[False] * len(cell) + [True, False])
        .group_by(cell, maintain_order=True)
        .agg(
            holdings=pl.len(),
            protected=is_protected.sum(),
            total=x.sum(),
            first=x.first(),
            second=x.get(1, null_on_oob=True).fill_null(0.0),
            target=x.filter(is_protected).max().fill_null(0.0),
            is_sound=pl.col("is_sound").all(),
        )
    )
    # The holding that knows most beside the largest protected one.
    knows = pl.when(pl.col("target") == pl.col("first")).then(pl.col("second")).otherwise(pl.col("first"))
    rest = pl.col("total") - pl.col("target") - knows
    nobody, is_sound = pl.col("protected") == 0, pl.col("is_sound")
    return found.with_columns(
        (is_sound & (nobody | (pl.col("holdings") >= least))).alias(ENOUGH),
        (is_sound & (nobody | ((pl.col("target") > 0) & (rest >= p_pct / 100 * pl.col("target"))))).alias(
            UNDOMINATED
        ),
    ).select(*cell, "holdings", ENOUGH, UNDOMINATED)


def is_month(period: pl.Expr) -> pl.Expr:
    return period.str.contains(r"^\d{4}-\d{2}$")


def has_own_rate(coverage_pct: pl.Expr) -> pl.Expr:
    """Return whether a country's silent operators are estimated at its own operators' rate."""
    return coverage_pct.cast(pl.Float64).fill_nan(None) >= OWN_RATE_PCT


def count_changed(before: pl.DataFrame, now: pl.DataFrame, cell: Sequence[str]) -> pl.DataFrame:
    """Count the holdings that changed in each cell: `changed`. One changed that joined or left, that bought
    or sold an operator, or of whose operators a contribution or the subscriptions are others.

    Args:
        before, now: a row for each respondent in each cell that it is in.
    """
    whose = [*cell, "respondent_id"]
    facts = ["holding_id", "contribution", "own_subscriptions"]
    both = before.select(*whose, *facts).join(
        now.select(*whose, *facts), on=whose, how="full", coalesce=True, suffix="_now"
    )
    differs = pl.any_horizontal(~pl.col(name).eq_missing(pl.col(f"{name}_now")) for name in facts)
    owners = both.filter(differs).select(
        *cell, pl.concat_list("holding_id", "holding_id_now").alias("holding_id")
    )
    return (
        owners.explode("holding_id")
        .drop_nulls("holding_id")
        .group_by(cell)
        .agg(changed=pl.col("holding_id").n_unique())
    )


def may_change(changed: pl.Expr) -> pl.Expr:
    """Return whether a figure may change after so many holdings changed."""
    return (changed == 0) | (changed >= REVISED)

"""The primary rules: textbook cells, an independent program cell for cell, waivers, and changes."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from jobs.base.tables.thresholds import HOLDINGS, MONEY_HOLDINGS
from jobs.study.disclosure import rules

CELL = ["cell"]


def contributions(*rows: tuple[str, str, float], waived: frozenset[str] = frozenset()) -> pl.DataFrame:
    """Rows of cell, holding and contribution; each is an operator of its own."""
    return pl.DataFrame(
        [
            {"cell": cell, "holding_id": holding, "respondent_id": f"{holding}-{at}", "contribution": value,
             "own_subscriptions": None, "is_waived": holding in waived}
            for at, (cell, holding, value) in enumerate(rows)
        ],
        schema_overrides={"own_subscriptions": pl.Int64, "contribution": pl.Float64},
    )  # fmt: skip


def judged(rows: pl.DataFrame, p_pct: float, least: int = HOLDINGS) -> dict[str, tuple[bool, bool]]:
    found = rules.judge_cells(rows, CELL, pl.lit(least), p_pct)
    return {row["cell"]: (row[rules.ENOUGH], row[rules.UNDOMINATED]) for row in found.to_dicts()}


def of(*values: float) -> pl.DataFrame:
    return contributions(*(("a", f"h{at}", value) for at, value in enumerate(values)))


def test_the_handbooks_cells() -> None:
    """SDC Handbook, chapter 4: 52,000 and 50,000 of 110,000 are safe with p = 10, though two have 92.7%."""
    assert judged(of(52_000, 50_000, 8_000), 10) == {"a": (True, True)}
    # The limit: what is left is exactly p% of the largest, or a hundredth less.
    assert judged(of(100, 50, 10), 10) == {"a": (True, True)}
    assert judged(of(100, 50, 9.99), 10) == {"a": (True, False)}
    # Weighted 4 x 100 + 7 x 10 = 470: extrapolation protects nobody, so the unweighted sums decide.
    assert judged(of(100, 10, 5), 10) == {"a": (True, False)}


def test_two_holdings_never_suffice_and_a_total_of_nothing_shows_everyone() -> None:
    assert judged(of(60, 50), 13.7) == {"a": (False, False)}
    assert judged(of(0, 0, 0, 0), 13.7) == {"a": (True, False)}


def test_what_no_holding_dominates_has_three() -> None:
    """The threshold follows from p%: without the two largest something must be left."""
    random = np.random.default_rng(22)
    rows = [
        (f"{cell}", f"{cell}-{at}", float(random.integers(0, 20)))
        for cell in range(500)
        for at in range(random.integers(1, 5))
    ]
    waived = frozenset(holding for _, holding, _ in rows if random.random() < 0.2)
    found = judged(contributions(*rows, waived=waived), 1e-6)
    assert not any(undominated and not enough for enough, undominated in found.values())
    assert sum(undominated for _, undominated in found.values()) > 50


def test_operators_of_a_holding_are_one() -> None:
    rows = contributions(("a", "x", 40), ("a", "x", 40), ("a", "y", 50), ("a", "z", 9))
    # 80 of x, and only 9 left beside y: 9 < 13.7% of 80.
    assert judged(rows, 13.7) == {"a": (True, False)}
    assert judged(contributions(("a", "x", 1), ("a", "x", 1), ("a", "y", 1)), 13.7)["a"][0] is False


def test_money_needs_five_holdings() -> None:
    assert judged(of(5, 5, 5, 5), 13.7, MONEY_HOLDINGS) == {"a": (False, True)}
    assert judged(of(5, 5, 5, 5, 5), 13.7, MONEY_HOLDINGS) == {"a": (True, True)}


def test_who_waived_is_not_protected_and_still_attacks() -> None:
    rows = [("a", "x", 100.0), ("a", "y", 5.0), ("a", "z", 4.0)]
    assert judged(contributions(*rows), 13.7) == {"a": (True, False)}
    # Without x only y is sought: x takes its own 100 off, and z's 4 are left.
    assert judged(contributions(*rows, waived=frozenset("x")), 13.7) == {"a": (True, True)}
    two = [("a", "x", 100.0), ("a", "y", 5.0)]
    assert judged(contributions(*two, waived=frozenset("x")), 13.7) == {"a": (False, False)}
    assert judged(contributions(*two, waived=frozenset("xy")), 13.7) == {"a": (True, True)}


def test_a_holding_waives_with_all_its_operators_or_not_at_all() -> None:
    rows = contributions(("a", "x", 60), ("a", "x", 40), ("a", "y", 5), ("a", "z", 4))
    one = rows.with_columns(is_waived=pl.col("contribution") == 60)
    assert judged(one, 13.7) == {"a": (True, False)}


def test_changes_are_counted_by_holding() -> None:
    before = contributions(("a", "x", 1), ("a", "y", 2), ("a", "z", 3), ("b", "x", 1))
    assert rules.count_changed(before, before, CELL).is_empty()
    corrected = before.with_columns(
        contribution=pl.when(pl.col("holding_id") == "y").then(9.0).otherwise("contribution")
    )
    assert rules.count_changed(before, corrected, CELL).rows() == [("a", 1)]
    # z's operator is sold to x: both changed. One that is gone changed, too.
    sold = before.with_columns(
        holding_id=pl.when(pl.col("holding_id") == "z").then(pl.lit("x")).otherwise("holding_id")
    )
    assert rules.count_changed(before, sold, CELL).rows() == [("a", 2)]
    gone = before.filter((pl.col("cell") == "b") | (pl.col("holding_id") != "z"))
    assert rules.count_changed(before, gone, CELL).rows() == [("a", 1)]
    may = pl.DataFrame({"n": [0, 1, 2, 3, 4]}).select(rules.may_change(pl.col("n"))).to_series().to_list()
    assert may == [True, False, False, True, True]


@pytest.mark.parametrize("p_pct", [10, 25])
def test_the_rules_are_tau_arguss_cell_for_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, p_pct: int
) -> None:
    """pytauargus counts rows as contributors unless it has holdings and rules by holding (P|…|FREQ|FREQ)."""
    import pytauargus

    # It leaves logs where it runs.
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(p_pct)
    rows = []
    for cell in range(300):
        for operator in range(random.integers(1, 8)):
            holding = f"h{random.integers(0, 5)}"
            rows.append((f"c{cell:03d}", holding, float(np.round(random.lognormal(6, 2) + 1)), operator))
    micro = pl.DataFrame(rows, schema=["cell", "holding", "x", "operator"], orient="row").sort("holding")
    found = pytauargus.protect(
        micro.drop("operator"),
        ["cell"],
        response="x",
        holding_var="holding",
        safety_rules=f"P({p_pct},1)|P(0,0)|P({p_pct},1)|FREQ(3,10)|FREQ(3,10)",
        suppress=None,
        workdir=str(tmp_path),
    )
    table = found.tables[0].dataframe()
    theirs = {
        str(name).strip(): str(status).strip() == "S"
        for name, status in zip(table["cell"], table["status"], strict=True)
    }
    ours = judged(contributions(*((cell, holding, x) for cell, holding, x, _ in rows)), p_pct)
    del theirs["Total"]
    assert {cell: all(passed) for cell, passed in ours.items()} == theirs
    assert 20 < sum(theirs.values()) < 280

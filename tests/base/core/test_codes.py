"""The code of the first condition that holds."""

import polars as pl

from jobs.base.core.codes import choose_case, choose_code

ROWS = pl.DataFrame({"sent": [True, True, None, False], "seen": [False, True, True, None]})


def test_the_first_condition_that_holds_names_the_row() -> None:
    chosen = choose_code(both=pl.col("sent") & pl.col("seen"), seen="seen", sent="sent", otherwise="none")
    assert ROWS.select(chosen).to_series().to_list() == ["sent", "both", "seen", "none"]


def test_without_another_code_the_rest_is_null_or_an_expression() -> None:
    rest = choose_code(sent="sent"), choose_code(sent="sent", otherwise=pl.lit("seen"))
    assert [ROWS.select(each).to_series().to_list() for each in rest] == [
        ["sent", "sent", None, None],
        ["sent", "sent", "seen", "seen"],
    ]


def test_cases_may_share_a_code_or_have_none() -> None:
    chosen = choose_case(("sent", None), ("seen", "later"), otherwise=pl.lit("else"))
    assert ROWS.select(chosen).to_series().to_list() == [None, None, "later", "else"]

"""A price or quantity of ref.cost_parameter, explained: its points, its source, and where it is used."""

from functools import cache

import polars as pl

from jobs.base.core.numbers import format_number, join_ends
from jobs.base.costs.figure import Explained, FormulaStep, Scope, input_of
from jobs.base.costs.model_figures import channel_names
from jobs.base.costs.price_areas import AREA, world_prices
from jobs.base.figures import words
from jobs.base.tables.contracts import Row, reference_table
from jobs.base.tables.reference_version import reference_version

TABLE = "ref.cost_parameter"
INVESTMENT_LABELS = {
    "yes": "counts as investment",
    "no": "does not count as investment: a social cost or a transfer",
    "input": "a quantity that prices are multiplied by",
    "check": "a published total to compare with, never added",
}


@cache
def parameters_in_force() -> dict[str, Row]:
    """Every parameter in force, by its code, as it holds in the world."""
    return {
        row["parameter_code"]: row
        for row in world_prices(reference_table(TABLE)).rows(named=True)
        if row["valid_to"] is None
    }


def area_facts(code: str) -> list[tuple[str, str]]:
    """The points of the parameter in areas that have a row of their own."""
    rows = reference_table(TABLE).filter(
        pl.col("parameter_code") == code, pl.col(AREA).is_not_null(), pl.col("valid_to").is_null()
    )
    return [
        (
            f"in {row[AREA]}",
            f"{format_number(row['central'])} ({join_ends(*map(format_number, (row['low'], row['high'])))}),"
            f" of {row['price_year']}: {row['source']}",
        )
        for row in rows.sort(AREA).rows(named=True)
    ]


def explain_parameter(code: str) -> Explained:
    """The parameter of this code."""
    row = parameters_in_force()[code]
    measures = row["countermeasures"]
    if row["fixed_for"]:
        charged = "by nobody: `observatory cost fixed` proposes it as a fixed cost of " + words.lower_first(
            words.code_name("countermeasure", row["fixed_for"])
        )
    elif not measures:
        charged = "to no measure from logs: for estimates of the study and an operator's own figures"
    elif measures == words.TOTAL:
        charged = "to every measure whose work logs show"
    else:
        charged = "to " + words.join_words(
            words.code_name("countermeasure", each) for each in measures.split("|")
        )
    facts = [("charged", charged), ("channels", channel_names(row["channels"]))]
    if row["currency_code"]:
        facts.insert(0, ("prices of", f"{row['price_year']}, in {row['currency_code']}, not deflated"))
    else:
        facts.insert(0, ("as of", str(row["price_year"])))
    facts += [("role", INVESTMENT_LABELS[row["counts_as_investment"]]), ("borne by", row["cost_bearer"])]
    if row["bias_code"]:
        facts.append(("known error", {"over": "too high", "under": "too low"}[row["bias_code"]]))
    if row["note"]:
        facts.append(("note", row["note"]))
    facts += area_facts(code)
    formula = row["driver_formula"]
    return Explained(
        name=code,
        title=row["description"],
        estimand_code="base" if row["currency_code"] else "quantity",
        unit=row["unit_text"],
        currency_code=row["currency_code"],
        scope=Scope("parameter", "001", str(row["price_year"]), (row["channels"], "_T")),
        facts=facts,
        compared="",
        central=row["central"],
        points=(row["low"], row["central"], row["high"]),
        steps=[FormulaStep("A year's cost", formula, formula, "")] if formula else [],
        inputs=[input_of(row, code)],
        versions=[(TABLE, f"file {reference_version(TABLE)}")],
    )

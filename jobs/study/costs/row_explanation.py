"""Figures of study tables without an explanation of their own: estimates of areas by the columns that all of
them share, other rows column by column."""

from decimal import Decimal

from jobs.base.core.numbers import format_number, to_decimal
from jobs.base.costs.figure import Explained, FormulaStep, Scope
from jobs.base.figures import words
from jobs.base.tables.contracts import Contract, Field, Row, read_contract
from jobs.base.tables.series import ALL, PARTS
from jobs.study.costs.breakdown import divide
from jobs.study.costs.facts import estimate_of, list_facts, name_units
from jobs.study.costs.study_rows import StudyRow, area_name, computed_when, countries_of, versions_of

# Columns that every table of estimates has.
ESTIMATED = {"estimate", "reported", "at_050", "per_subscription"}
# Columns of a key that name a part of a figure, of which two may have nothing in common; others name what
# figures must share to be added, the unit last.
PARTS_BY = (
    "channel_code", "strategy_code", "spam_type_code", "source_region_code", "source_country_code",
    "origin_region_code", "link_code", "transit_code",
)  # fmt: skip
UNIT = "unit_code"
OTHERS = "Operators that did not answer are taken to be like respondents of their region, class and size."


def explain_row(study_row: StudyRow) -> Explained:
    """The row of any table of the study, with an interval where it has one."""
    contract, row = read_contract(study_row.table), study_row.row
    is_estimated = set(contract.columns) >= ESTIMATED
    is_money = "cost_component_code" in contract.key
    unit = unit_of(contract, row)
    named = [each for each in contract.fields if each.name in contract.key]
    return Explained(
        name=study_row.name,
        title=f"{study_row.table}: {', '.join(name_code(each, row) for each in named)}",
        estimand_code="operating_cost" if is_money else "quantity",
        unit=unit,
        currency_code="USD" if is_money else None,
        scope=scope_of(study_row, contract),
        facts=[
            ("a row is", contract.description.split(". ")[0]),
            *(
                list_facts(study_row, unit, "messages or calls")
                if is_estimated
                else list_values(contract, row)
            ),
        ],
        compared=computed_when(study_row),
        estimate=None if row.get("estimate") is None else estimate_of(row),
        steps=list_formula_steps(row, unit) if is_estimated else [],
        versions=versions_of(study_row, *contract.reads),
        divided=divide(study_row) if is_estimated else [],
        assumptions=[OTHERS] if is_estimated else [],
    )


def unit_of(contract: Contract, row: Row) -> str:
    """The unit of a row's estimate; that of its table where the row has none of its own."""
    if "cost_component_code" in contract.key:
        return f"USD over {row['period_code']}"
    return name_units(row[UNIT]) if row.get(UNIT) else "as the table has it"


def name_code(field: Field, row: Row) -> str:
    """A value of a key in words."""
    value = str(row[field.name])
    if field.name == "area_code":
        return area_name(value).removeprefix("the ")
    if field.name == "period_code":
        return words.format_period(value)
    if field.codelist is None or field.codelist.startswith("ref.") or value == PARTS:
        return {ALL: "all", PARTS: "all parts together"}.get(value, value)
    return words.type_name(value) if field.codelist == "type" else words.code_name(field.codelist, value)


def scope_of(study_row: StudyRow, contract: Contract) -> Scope:
    """Scope of a row. All parts together include each part."""
    row, period = study_row.row, str(study_row.row.get("period_code") or "")
    area = row.get("area_code")
    part = [ALL if row[name] == PARTS else row[name] for name in contract.key if name in PARTS_BY]
    apart = {*PARTS_BY, "period_code", "area_code", UNIT}
    quantity = [str(row[name]) for name in contract.key if name not in apart]
    if UNIT in contract.key:
        quantity.append(str(row[UNIT]))
    countries = countries_of(area, period) if area else frozenset[str]()
    return Scope(study_row.table, area or study_row.name, period, tuple(part), tuple(quantity), countries)


def list_formula_steps(row: Row, unit: str) -> list[FormulaStep]:
    """Return the step from what respondents reported to all operators."""
    estimate, reported = to_decimal(row["estimate"]), to_decimal(row["reported"])
    numbers = f"{format_number(reported)} + {format_number(estimate - reported)}"
    total = f"{format_number(estimate)} {unit}"
    return [FormulaStep("All operators", "reported+estimated_for_others", numbers, total)]


def list_values(contract: Contract, row: Row) -> list[tuple[str, str]]:
    """The columns of a row outside its key that have a value, each with its unit and what it is."""
    found = []
    for each in contract.fields:
        value = row[each.name]
        if each.name in contract.key or value is None or isinstance(value, list | dict):
            continue
        text = (
            format_number(value) if isinstance(value, int | float | Decimal) and value is not True else value
        )
        unit = f" {each.unit}" if each.unit and each.unit not in ("none", "its table") else ""
        unit = unit.replace(" %", "%")
        found.append((each.name, f"{text}{unit}. {each.description}"))
    return found

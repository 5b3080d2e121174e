"""Rules that a contract cannot state: what must hold between tables.

Each is a query that lays the tables' totals side by side, and conditions on its rows. The query is SQL that
Polars and SQLite read alike; a table stands in it as `gold_spam_volume_daily`, the rule's own as `{batch}`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from expectations.rules import Rule, condition
from jobs.base.figures.counting_rules import RECEIVED_MEASURES, SENT_MEASURES
from jobs.base.tables.contracts import list_tables, read_contract

VOLUME = "gold.spam_volume_daily"
MEASURES = ("units", "spam_certain", "spam_possible")


@dataclass(frozen=True)
class CrossRule:
    """A rule over several tables, or over several rows of one.

    Attributes:
        table: the one that the rule is kept with.
        others: the tables that the query reads beside it.
        key: the columns that name a row of the query.
        rules: conditions that hold in each of its rows.
    """

    table: str
    others: tuple[str, ...]
    key: tuple[str, ...]
    query: str
    rules: list[Rule]


def sql_name(table: str) -> str:
    """A table's name in SQL."""
    return table.replace(".", "_")


def total(value: str) -> str:
    """The sum of values, null if there is none. Polars' SUM alone would be 0."""
    return f"CASE WHEN COUNT({value}) > 0 THEN SUM({value}) END"


def side_by_side(by: Sequence[str], sides: Sequence[tuple[Mapping[str, str], str]]) -> str:
    """A query that adds up each side's figures, by the columns that they share. A figure that a side lacks
    for a group is null.

    Args:
        sides: figures by name, as SQL, and what follows FROM.
    """
    names = [name for figures, _ in sides for name in figures]
    parts = [
        f"SELECT {', '.join(by)}, "
        + ", ".join(f"{figures.get(name, 'NULL')} AS {name}" for name in names)
        + f" FROM {source}"
        for figures, source in sides
    ]
    sums = ", ".join(f"{total(name)} AS {name}" for name in names)
    return (
        f"SELECT {', '.join(by)}, {sums} FROM ({' UNION ALL '.join(parts)}) AS parts GROUP BY {', '.join(by)}"
    )


# --- gold -----------------------------------------------------------------------------------------------


def totals_equal(table: str) -> CrossRule:
    """Return the rule that a table which counts the volume by more or other columns adds up to it."""
    by = tuple(name for name in read_contract(VOLUME).key if name in read_contract(table).key)
    sides = [
        ({f"detail_{name}": name for name in MEASURES}, "{batch}"),
        ({f"volume_{name}": name for name in MEASURES}, sql_name(VOLUME)),
    ]
    rules = [
        condition(
            f"{name}_equal_volume",
            f"detail_{name} = volume_{name}",
            f"{name} of {table} add up to those of {VOLUME}",
        )
        for name in MEASURES
    ]
    return CrossRule(table, (VOLUME,), by, side_by_side(by, sides), rules)


def counts_volume(table: str) -> bool:
    """Return whether a table counts the volume by day in other parts."""
    contract = read_contract(table)
    return contract.period == "period_date" and table != VOLUME and {*MEASURES} <= {*contract.columns}


def marked_equal_certain() -> CrossRule:
    """Marked units equal certain spam by the operators' own definition. The row of all filters (_T) counts: a
    message that two filters marked is in the rows of both."""
    by = ("operator_id", "period_date", "channel_code", "unit_code")
    untyped = "CASE WHEN spam_type_code = 'UNK' THEN spam_certain ELSE 0 END"
    sides = [
        ({"marked": "units_marked", "untyped": "units_untyped"}, "{batch} WHERE engine_code = '_T'"),
        (
            {"certain": "spam_certain", "certain_untyped": untyped},
            "gold_spam_type_daily WHERE definition_code = 'OPERATOR' AND spam_certain > 0",
        ),
    ]
    says = "what was marked, and what of it has no type, add up to OPERATOR in gold.spam_type_daily"
    rule = condition("marked_equal_certain", "marked = certain AND untyped = certain_untyped", says)
    return CrossRule(
        "gold.type_coverage_daily", ("gold.spam_type_daily",), by, side_by_side(by, sides), [rule]
    )


def hours_equal_volume() -> CrossRule:
    """Return the rule that a day's hours add up to its volume, which has each unit once under OPERATOR."""
    by = ("operator_id", "period_date", "channel_code", "direction_code", "unit_code")
    days = (
        f"(SELECT {', '.join(by)}, SUM(units) AS units FROM {sql_name(VOLUME)}"
        f" WHERE definition_code = 'OPERATOR' AND unit_code <> 'segment' GROUP BY {', '.join(by)}) AS days"
        " WHERE units > 0"
    )
    query = side_by_side(by, [({"hours": "units"}, "{batch}"), ({"volume": "units"}, days)])
    says = f"units of gold.traffic_hourly_daily add up to those of {VOLUME}"
    rule = condition("units_equal_volume", "hours = volume", says)
    return CrossRule("gold.traffic_hourly_daily", (VOLUME,), by, query, [rule])


# --- study ----------------------------------------------------------------------------------------------

CELL = ("period_code", "channel_code", "measure_code", "definition_code")
PAIR = (*CELL, "origin_region_code", "destination_region_code")
SIDES = ("sent", "received")


def links_add_up() -> CrossRule:
    """Return the rule that the kinds of link of a pair of regions add up to its row of all links."""
    names = [f"{side}_{name}" for side in SIDES for name in MEASURES]
    sides = [
        ({f"{part}_{name}": name for name in names}, f"{{batch}} WHERE link_code {sign} '_T'")
        for part, sign in (("links", "<>"), ("all", "="))
    ]
    rules = [
        condition(
            f"{side}_links_add_up",
            " AND ".join(f"links_{side}_{name} = all_{side}_{name}" for name in MEASURES),
            f"what was {side} by the kinds of link adds up to that of all links",
        )
        for side in SIDES
    ]
    return CrossRule("study.mirror", (), PAIR, side_by_side(PAIR, sides), rules)


def counted_within_given() -> CrossRule:
    """Return the rule that study.mirror has no more units of a cell than operators gave, on either side."""
    by = (*CELL, "side")
    parts = []
    for side, end, direction, measures in (
        ("sent", "origin", "outbound", SENT_MEASURES),
        ("received", "destination", "inbound", RECEIVED_MEASURES),
    ):
        # What has no other end stands in each of a region's rows.
        of_region = ", ".join([*CELL, f"{end}_region_code"])
        parts.append(
            f"SELECT {', '.join(CELL)}, '{side}' AS side, 1 AS row_count,"
            f" {total(f'{side}_units')} + MAX({side}_unplaced_units) AS counted_units, NULL AS given_units"
            f" FROM {{batch}} WHERE link_code = '_T' GROUP BY {of_region}"
        )
        of_unit = " ".join(f"WHEN '{unit}' THEN '{measure}'" for unit, measure in measures.items())
        parts.append(
            f"SELECT period_code, channel_code, CASE unit_code {of_unit} END AS measure_code,"
            f" definition_code, '{side}' AS side, 0 AS row_count, NULL AS counted_units,"
            f" units AS given_units FROM study_submission WHERE direction_code = '{direction}'"
        )
    query = (
        f"SELECT {', '.join(by)}, {total('counted_units')} AS counted_units, {total('given_units')} AS"
        f" given_units FROM ({' UNION ALL '.join(parts)}) AS parts GROUP BY {', '.join(by)}"
        " HAVING SUM(row_count) > 0"
    )
    says = "study.mirror has no more units than operators gave in study.submission"
    rule = condition("counted_within_given", "counted_units <= given_units", says)
    return CrossRule("study.mirror", ("study.submission",), by, query, [rule])


SPENT = ("estimate", "reported")
# Each row is rounded to cents; beyond them sums of doubles differ in their last digits.
ADD_UP = " AND ".join(
    f"coalesce(abs(parts_{name} - whole_{name}) <= 0.005 * row_count + 1e-9 * whole_{name},"
    f" parts_{name} IS NULL AND whole_{name} IS NULL)"
    for name in SPENT
)


def parts_add_up(name: str, part: str, says: str) -> CrossRule:
    """Return the rule that spending by strategies or components adds up to the whole, estimated and
    reported."""
    by = tuple(
        column
        for column in ("period_code", "area_code", "channel_code", "strategy_code", "component_code")
        if column != part
    ) + ("conversion_code",)
    # Posts have no components; they belong to strategies as money does.
    where = " WHERE component_code <> 'posts'" if part == "component_code" else ""
    sums = ", ".join(
        total(f"CASE WHEN {part} {sign} '_T' THEN CAST({figure} AS DOUBLE) END") + f" AS {side}_{figure}"
        for side, sign in (("parts", "<>"), ("whole", "="))
        for figure in SPENT
    )
    groups = ", ".join(by)
    query = f"SELECT {groups}, COUNT(*) AS row_count, {sums} FROM {{batch}}{where} GROUP BY {groups}"
    return CrossRule("study.investment", (), by, query, [condition(name, ADD_UP, says)])


def cross_rules() -> list[CrossRule]:
    """Every rule between tables."""
    return [
        *(
            totals_equal(table)
            for table in list_tables()
            if table.startswith("gold.") and counts_volume(table)
        ),
        marked_equal_certain(),
        hours_equal_volume(),
        parts_add_up(
            "components_add_up",
            "component_code",
            "capital and operating cost add up to the whole, but for rounding",
        ),
        parts_add_up(
            "strategies_add_up",
            "strategy_code",
            "strategies add up to that of all strategies, but for rounding",
        ),
        links_add_up(),
        counted_within_given(),
    ]

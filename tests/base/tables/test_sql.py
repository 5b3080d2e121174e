"""SQL conditions as Polars expressions give DuckDB's answer to the same text, nulls included."""

import datetime as dt
import random
import re
from collections.abc import Iterator
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from expectations.between import cross_rules
from jobs.base.core.errors import ObservatoryError
from jobs.base.figures.counting_rules import HAD_CONTENT
from jobs.base.tables.contracts import list_tables, polars_schema, read_contract
from jobs.base.tables.public_contracts import PublicContract, public_contract, public_tables
from jobs.base.tables.sql import parse_condition, parse_expression
from tests.support.examples import examples

ROW = {
    **dict.fromkeys(("i", "j"), pl.Int64),
    **dict.fromkeys(("x", "y"), pl.Float64),
    **dict.fromkeys(("s", "t"), pl.String),
    **dict.fromkeys(("b", "c"), pl.Boolean),
    "d": pl.Date,
}
# Halves are exact as doubles and as the decimals that DuckDB makes of literals.
VALUES: dict[Any, list[Any]] = {
    pl.Int64: [-7, -1, 0, 1, 2, 100],
    pl.Float64: [-2.5, -0.5, 0.0, 0.5, 1.0, 3.5],
    pl.String: ["", "a", "A", "ab", "b%", "a_b", "é", "a\nb", "a.b"],
    pl.Boolean: [True, False],
    pl.Date: [dt.date(2026, 1, 1), dt.date(2026, 2, 28)],
}
PATTERNS = ["", "a", "a%", "%b", "_", "%_b%", "a_b", "%.%", "é", "%%"]
SIGNS = st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="])


def literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).upper()


def some(kind: Any) -> st.SearchStrategy[str]:
    return st.sampled_from([literal(value) for value in VALUES[kind] if value != "a\nb"])


def of(kind: Any) -> st.SearchStrategy[str]:
    return st.sampled_from([name for name, each in ROW.items() if each == kind])


texts = st.one_of(
    of(pl.String), some(pl.String), st.builds("coalesce({}, {})".format, of(pl.String), some(pl.String))
)
dates = st.one_of(of(pl.Date), st.builds("DATE '{}'".format, st.sampled_from(VALUES[pl.Date])))


conditions: st.SearchStrategy[str] = st.deferred(lambda: st.one_of(simple, compared, combined))
numbers: st.SearchStrategy[str] = st.deferred(lambda: st.one_of(counts, counts, computed))
counts: st.SearchStrategy[str] = st.one_of(of(pl.Int64), of(pl.Float64), some(pl.Int64), some(pl.Float64))
computed: st.SearchStrategy[str] = st.one_of(
    st.builds("length({})".format, texts),
    st.builds("CAST({} AS BIGINT)".format, conditions),
    st.builds("(i % {})".format, some(pl.Int64)),
    st.builds("({} {} {})".format, numbers, st.sampled_from("+-*/"), numbers),
    st.builds("(- {})".format, numbers),
    st.builds("abs({})".format, numbers),
    st.builds("{}({}, {})".format, st.sampled_from(["coalesce", "least", "greatest"]), numbers, numbers),
    st.builds("CASE WHEN {} THEN {} WHEN {} THEN {} END".format, conditions, numbers, conditions, numbers),
    st.builds("CASE {} WHEN {} THEN {} ELSE {} END".format, numbers, numbers, numbers, numbers),
    st.builds("if({}, {}, {})".format, conditions, numbers, numbers),
)
simple: st.SearchStrategy[str] = of(pl.Boolean) | st.sampled_from(["TRUE", "FALSE", "NULL::BOOLEAN"])
negated = st.sampled_from(["", "NOT "])
text_list = st.lists(some(pl.String) | st.just("NULL"), min_size=1, max_size=3).map(", ".join)
number_list = st.lists(counts | st.just("NULL"), min_size=1, max_size=3).map(", ".join)
compared: st.SearchStrategy[str] = st.one_of(
    st.builds("({} {} {})".format, numbers, SIGNS, numbers),
    st.builds("({} {} {})".format, texts, SIGNS, texts),
    st.builds("({} {} {})".format, dates, SIGNS, dates),
    st.builds("({} {}BETWEEN {} AND {})".format, numbers, negated, numbers, numbers),
    st.builds("({} {}IN ({}))".format, texts, negated, text_list),
    st.builds("({} {}IN ({}))".format, numbers, negated, number_list),
    st.builds("({} {}LIKE '{}')".format, texts, negated, st.sampled_from(PATTERNS)),
    st.builds("({} LIKE '{}' ESCAPE '!')".format, texts, st.sampled_from(["%!%", "a!_b", "!!%", "!%_"])),
    st.builds("({} IS {}NULL)".format, numbers | texts | dates, negated),
)
combined: st.SearchStrategy[str] = st.one_of(
    st.builds("({} {} {})".format, conditions, st.sampled_from(["AND", "OR", "=", "<>"]), conditions),
    st.builds("(NOT {})".format, conditions),
    st.builds("coalesce({}, {})".format, conditions, conditions),
    st.builds("({} IS {})".format, conditions, st.sampled_from(["NULL", "NOT NULL", "TRUE", "NOT FALSE"])),
    st.builds("({} IN ({}, NULL))".format, conditions, conditions),
    st.builds("if({}, {}, {})".format, conditions, conditions, conditions),
)
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | st.sampled_from(VALUES[kind]) for name, kind in ROW.items()}),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("SET ieee_floating_point_ops = false; SET error_on_division_by_zero = false")
    return made


@examples(250)
@given(conditions, ROWS)
@example("(NULL::BOOLEAN = coalesce(b, TRUE))", [dict.fromkeys(ROW), dict.fromkeys(ROW)])
def test_duckdb_gives_the_same_answer(
    connection: duckdb.DuckDBPyConnection, text: str, rows: list[dict[str, Any]]
) -> None:
    frame = pl.DataFrame(rows, schema=ROW, orient="row")
    found = frame.with_columns(parse_expression(text).alias("found"))["found"]
    connection.register("rows", frame.with_row_index("place").to_arrow())
    wanted = connection.execute(f"SELECT {text} FROM rows ORDER BY place").fetchall()
    assert found.to_list() == [value for (value,) in wanted]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("size(codes) = 2", [True, False, None]),
        ("codes[0] = 'a'", [True, None, None]),
        ("codes[1]", ["b", None, None]),
        ("points.low <= points.high", [True, None, None]),
        ("coalesce(points.low <= points.high, TRUE)", [True, True, True]),
        (r"text LIKE '%.\_T.%'", [True, False, None]),
        ("text LIKE '%._T.%'", [True, True, None]),
        ("text ILIKE 'b%'", [True, False, None]),
        ("text NOT LIKE '%Q%'", [True, True, None]),
        ("-10", [-10] * 3),
        ("1e-9 * 2 < 0.005", [True] * 3),
        ("number / 0", [None] * 3),
        ("number % 0", [None] * 3),
        ("number % 3", [-1, 2, None]),
        ("number div 3", [-2, 1, None]),
        ("number <=> NULL", [False, False, True]),
        ("greatest(number, NULL)", [-7, 5, None]),
        ("DATE '2026-01-01' < DATE '2026-01-02'", [True] * 3),
        ("at = TIMESTAMP '2026-01-01 01:00:00+01:00'", [True, False, None]),
    ],
)
def test_what_duckdb_writes_otherwise(text: str, wanted: list[Any]) -> None:
    midnight = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    rows = [
        {"codes": ["a", "b"], "text": "B._T.", "points": {"low": 1, "high": 2}, "number": -7, "at": midnight},
        {"codes": [], "text": "c.xT.", "points": None, "number": 5, "at": midnight + dt.timedelta(1)},
        {},
    ]
    frame = pl.DataFrame(
        rows,
        schema={
            "codes": pl.List(pl.String),
            "text": pl.String,
            "points": pl.Struct({"low": pl.Int64, "high": pl.Int64}),
            "number": pl.Int64,
            "at": pl.Datetime("us", "UTC"),
        },
    )
    assert frame.with_columns(parse_expression(text).alias("found"))["found"].to_list() == wanted


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("upper(s) = 'A'", "'UPPER.s.': Upper is not supported"),
        ("reflect('a', 'b')", "Anonymous is not supported"),
        ("sum(i) > 1", "Sum is not supported"),
        ("EXISTS (SELECT 1)", "Exists is not supported"),
        ("i IN (SELECT 1)", "In is not supported"),
        ("SELECT 1", "Select is not supported"),
        ("i = 1; DROP TABLE t", "Block is not supported"),
        ("s LIKE t", "Like is not supported"),
        ("s LIKE 'a!b' ESCAPE '!'", "! stands before %, _ or ! only"),
        ("codes[i]", "Bracket is not supported"),
        ("CAST(i AS DECIMAL(9,2))", "Cast is not supported"),
        ("i = = 1", "cannot parse 'i = = 1'"),
        ("", "cannot parse"),
    ],
)
def test_other_sql_is_refused_by_name(text: str, told: str) -> None:
    with pytest.raises(ObservatoryError, match=told):
        parse_expression(text)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("units > 1", [1]),
        ("units > '1'", [1]),
        ("channel_code = 'SMS'", [0]),
        ("period_date >= '2026-11-25'", [1]),
        ("period_date >= DATE '2026-11-25'", [1]),
        ("'2026-11-25' > period_date", [0]),
        ("period_date BETWEEN '2026-11-01' AND '2026-11-24'", [0]),
        ("period_date IN ('2026-11-24', '2026-11-25')", [0, 1]),
        ("period_date IS NULL", []),
        ("TRUE", [0, 1]),
        ("NULL", []),
    ],
)
def test_a_condition_selects_rows_of_a_table(text: str, places: list[int]) -> None:
    table = "gold.spam_volume_daily"
    rows = [
        {"period_date": dt.date(2026, 11, 24), "channel_code": "SMS", "units": 1},
        {"period_date": dt.date(2026, 11, 25), "channel_code": "EMAIL", "units": 2},
    ]
    frame = pl.DataFrame(rows).with_row_index("place")
    assert frame.filter(parse_condition(text, table, polars_schema(table)))["place"].to_list() == places


def test_a_condition_compares_times_in_utc() -> None:
    at = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
    frame = pl.DataFrame({"first_at": [at]}, schema={"first_at": pl.Datetime("us", "UTC")})
    for text, holds in (
        ("first_at = '2026-11-24 12:00:00'", True),
        ("first_at = '2026-11-24T13:00:00+01:00'", True),
        ("first_at > '2026-11-24 12:00:00'", False),
        ("first_at > '2026-11-24'", True),
    ):
        assert (
            frame.filter(
                parse_condition(text, "gold.campaign_daily", polars_schema("gold.campaign_daily"))
            ).height
            == holds
        )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("unitz > 1", "gold.spam_volume_daily has no column 'unitz'"),
        ("units", "'units' is not a condition: its type is Int64"),
        ("units = 'many'", "'many' is not a value of type Int64"),
        ("period_date = 'today'", "'today' is not a value of type Date"),
        ("period_date = 20261124", "'20261124' is not a value of type Date"),
        ("channel_code = 1", "cannot compare string"),
        ("units > 1 AND", "cannot parse"),
        ("upper(channel_code) = 'SMS'", "'UPPER.channel_code.': Upper is not supported"),
    ],
)
def test_a_condition_is_refused_with_the_columns(text: str, told: str) -> None:
    with pytest.raises(ObservatoryError, match=f"^{told}.*Columns: operator_id, period_date,"):
        parse_condition(text, "gold.spam_volume_daily", polars_schema("gold.spam_volume_daily"))


@pytest.mark.parametrize("table", [table for table in list_tables() if read_contract(table).checks])
def test_checks_of_contracts_are_conditions(table: str) -> None:
    kinds = polars_schema(table)
    nulls = pl.DataFrame({name: [None] for name in kinds}, schema=kinds)
    for _, text in read_contract(table).checks:
        assert nulls.select(parse_expression(text)).dtypes == [pl.Boolean]


def test_other_rules_are_conditions() -> None:
    rules = [rule for each in cross_rules() for rule in each.rules]
    assert rules
    for text in (HAD_CONTENT, *(rule.condition for rule in rules)):
        parse_expression(text)


def texts_of(contract: PublicContract) -> Iterator[str]:
    """All SQL of a published table's contract."""
    yield contract.rows
    if contract.protect is not None:
        yield from (contract.protect.countries, contract.protect.leave_out)
    yield from (each.by for each in contract.columns if each.way == "digits")


def any_value(kind: pl.DataType, codes: list[str], place: int) -> Any:
    """A value of a type, or null for every fourth place."""
    if place % 4 == 3:
        return None
    return (
        codes[place % len(codes)]
        if kind == pl.String
        else pl.Series([str(place)]).cast(kind, strict=False)[0]
    )


@pytest.mark.parametrize("table", public_tables())
def test_what_leaves_rests_on_conditions_that_duckdb_reads_alike(
    connection: duckdb.DuckDBPyConnection, table: str
) -> None:
    contract = public_contract(table)
    texts = sorted(set(texts_of(contract)))
    codes = [*re.findall(r"'([^']*)'", " ".join(texts)), "none of them"]
    kinds = {name: kind for name, kind in polars_schema(contract.source).items() if not kind.is_nested()}
    rng = random.Random(table)
    frame = pl.DataFrame(
        [
            {name: any_value(kind, codes, rng.randrange(16)) for name, kind in kinds.items()}
            for _ in range(60)
        ],
        schema=kinds,
    )
    connection.register("rows", frame.with_row_index("place").to_arrow())
    for text in texts:
        found = frame.with_columns(parse_expression(text).alias("found"))["found"].to_list()
        wanted = connection.execute(f"SELECT {text} FROM rows ORDER BY place").fetchall()
        assert found == [value for (value,) in wanted], text

"""Definitions of spam: what a predicate may hold, and that three-valued logic counts as it should."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import Row, SparkSession

from jobs.contracts import struct_type
from jobs.errors import ObservatoryError
from jobs.gold.counting import UNITS, counted, predicate
from jobs.lake import Lake

# What each attribute of a message may be when it is known.
KNOWN: dict[str, list[Any]] = {
    "is_antispam": [True, False],
    "outcome_code": ["delivered", "rejected", "tagged", "bounced"],
    "commercial_code": ["none", "one_of", "primary"],
    "consent_code": ["none", "revoked", "express"],
    "is_header_forged": [True, False],
    "is_optout_present": [True, False],
    "is_sender_identified": [True, False],
    "is_bulk": [True, False],
    "is_malicious": [True, False],
    "score": [0.5, 15.0],
}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("is_bulk = TRUE AND", "does not parse"),
        ("is_bulk = = TRUE", "does not parse"),
        ("is_bulk = TRUE; DROP TABLE message", "does not parse|only"),
        ("is_bulky = TRUE", "no column 'is_bulky'"),
        ("m.is_bulky = TRUE", "no column 'is_bulky'"),
        ("reflect('java.lang.System', 'getenv', 'HOME') = ''", "only"),
        ("java_method('java.lang.Runtime', 'getRuntime') = ''", "only"),
        ("coalesce(is_bulk, TRUE)", "only"),
        ("upper(outcome_code) = 'REJECTED'", "only"),
        ("is_bulk IS NULL", "only"),
        ("is_bulk IS NOT TRUE", "only"),
        ("is_bulk <=> TRUE", "only"),
        ("consent_code = NULL", "only"),
        ("consent_code IN ('none', NULL)", "only"),
        ("consent_code IN (SELECT consent_code FROM t)", "only"),
        ("EXISTS (SELECT 1 FROM t)", "only"),
        ("score BETWEEN 1 AND 2", "only"),
        ("outcome_code LIKE 'rej%'", "only"),
        ("outcome_code RLIKE 'rej.*'", "only"),
        ("CASE WHEN is_bulk THEN TRUE ELSE FALSE END", "only"),
        ("CAST(score AS BOOLEAN)", "only"),
        ("score + 1 > 2", "only"),
        ("score > -1", "only"),
        ("symbols[0] = 'X'", "only"),
        ("is_bulk AS spam", "only"),
        ("*", "only"),
        ("", "does not parse|only"),
    ],
)
def test_a_predicate_is_refused_with_its_row_and_a_reason(text: str, told: str) -> None:
    with pytest.raises(ObservatoryError, match=told) as error:
        predicate(text, "CASE_LAW")
    assert "ref.definition, row CASE_LAW" in str(error.value)


# --- truth tables -----------------------------------------------------------------------------------

YES, NO, OPEN = (1, 1), (0, 0), (0, 1)
TABLES: list[tuple[str, dict[str, Any], tuple[int, int]]] = [
    # OPERATOR: a measure against spam acted, and stopped or marked it.
    *[
        ("OPERATOR", {"is_antispam": acted, "outcome_code": outcome}, told)
        for outcome in ("rejected", "discarded", "quarantined", "tagged", "deferred")
        for acted, told in ((True, YES), (False, NO), (None, OPEN))
    ],
    *[
        ("OPERATOR", {"is_antispam": acted, "outcome_code": outcome}, NO)
        for outcome in ("delivered", "bounced", "expired", "queued")
        for acted in (True, False, None)
    ],
    # CAN_SPAM: commercial in purpose, and one of four faults.
    *[
        ("CAN_SPAM", {"commercial_code": purpose} | fault, told if purpose == "primary" else other)
        for fault, told, other_unknown in (
            ({"is_header_forged": True}, YES, OPEN),
            ({"is_optout_present": False}, YES, OPEN),
            ({"is_sender_identified": False}, YES, OPEN),
            ({"consent_code": "revoked"}, YES, OPEN),
            ({}, OPEN, OPEN),
            (
                {
                    "is_header_forged": False,
                    "is_optout_present": True,
                    "is_sender_identified": True,
                    "consent_code": "none",
                },
                NO,
                NO,
            ),
        )
        for purpose, other in (("primary", NO), ("one_of", NO), ("none", NO), (None, other_unknown))
    ],
    # SPAMHAUS_UBE: bulk, and no express consent.
    *[
        ("SPAMHAUS_UBE", {"is_bulk": bulk, "consent_code": consent}, told)
        for bulk, consent, told in (
            (True, "none", YES),
            (True, "revoked", YES),
            (True, "express", NO),
            (True, None, OPEN),
            (False, "none", NO),
            (False, "express", NO),
            (False, None, NO),
            (None, "none", OPEN),
            (None, "express", NO),
            (None, None, OPEN),
        )
    ],
]


def row(operator: str, values: dict[str, Any]) -> tuple[Any, ...]:
    """A message of silver.message that is delivered by mail, but for these values."""
    base = {
        "operator_id": operator,
        "channel_code": "EMAIL",
        "grain_code": "recipient",
        "outcome_code": "delivered",
        "is_message_row": True,
    }
    return tuple((base | values).get(name) for name in struct_type("silver.message").names)


def test_truth_tables(spark: SparkSession) -> None:
    rows = [row(f"{place}", values) for place, (_, values, _) in enumerate(TABLES)]
    message = spark.createDataFrame(rows, struct_type("silver.message"))
    figures = counted(message, Lake(spark, "").reference("ref.definition"), ["operator_id", "channel_code"])
    found = {
        (cell.operator_id, cell.definition_code): (cell.spam_certain, cell.spam_possible)
        for cell in figures.filter("unit_code = 'recipient'").collect()
    }
    wrong = [
        (code, values, told, found[f"{place}", code])
        for place, (code, values, told) in enumerate(TABLES)
        if found[f"{place}", code] != told
    ]
    assert wrong == []


# --- what holds for any predicate ---------------------------------------------------------------------


def literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).upper()


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(KNOWN)))
    values = KNOWN[name]
    if draw(st.booleans()):
        some = draw(st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True))
        return f"{name} IN ({', '.join(map(literal, some))})"
    sign = draw(st.sampled_from(["=", "<>"] + (["<", ">="] if name == "score" else [])))
    return f"{name} {sign} {literal(draw(st.sampled_from(values)))}"


PREDICATES = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.builds("({} AND {})".format, inner, inner),
        st.builds("({} OR {})".format, inner, inner),
        st.builds("NOT ({})".format, inner),
    ),
    max_leaves=6,
)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """What logs may tell of a message: each attribute, or nothing of it."""
    told: dict[str, Any] = {
        name: draw(st.none() | st.sampled_from(values))
        for name, values in KNOWN.items()
        if name != "outcome_code"
    }
    grain = draw(st.sampled_from(["recipient", "attempt", "call"]))
    return told | {
        "outcome_code": draw(st.sampled_from(KNOWN["outcome_code"])),
        "grain_code": grain,
        "is_message_row": grain == "recipient" and draw(st.booleans()),
        "segment_count": draw(st.none() | st.integers(1, 4)),
    }


@st.composite
def learned(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A few messages, and the same after something unknown was learned."""
    before = draw(st.lists(messages(), min_size=1, max_size=3))
    after = [
        {
            name: draw(st.none() | st.sampled_from(KNOWN[name])) if value is None and name in KNOWN else value
            for name, value in message.items()
        }
        for message in before
    ]
    return before, after


def examples(of: st.SearchStrategy[Any], count: int) -> list[Any]:
    """So many values drawn by Hypothesis, so that one Spark job can take them all."""
    drawn: list[Any] = []

    @settings(max_examples=count, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(of)
    def gather(value: Any) -> None:
        drawn.append(value)

    gather()
    return drawn


@pytest.fixture(scope="module")
def cells(spark: SparkSession) -> dict[tuple[str, str, str], Row]:
    """Figures of 120 frames under 16 predicates, before and after something was learned, in one job."""
    rows = []
    for place, (before, after) in enumerate(examples(learned(), 120)):
        rows += [row(f"before-{place}", message) for message in before]
        rows += [row(f"after-{place}", message) for message in after]
    texts = list(dict.fromkeys(examples(PREDICATES, 60)))[-16:]
    assert len(texts) == 16
    known = struct_type("ref.definition").names
    definitions = [
        tuple(
            {"definition_code": f"D{place}", "channels": "*", "predicate": text}.get(name) for name in known
        )
        for place, text in enumerate(texts)
    ]
    figures = counted(
        spark.createDataFrame(rows, struct_type("silver.message")),
        spark.createDataFrame(definitions, struct_type("ref.definition")),
        ["operator_id", "channel_code"],
    )
    return {(cell.operator_id, cell.unit_code, cell.definition_code): cell for cell in figures.collect()}


def test_certain_within_possible_within_units(cells: dict[tuple[str, str, str], Row]) -> None:
    assert {unit for _, unit, _ in cells} == set(UNITS)
    assert all(0 <= cell.spam_certain <= cell.spam_possible <= cell.units for cell in cells.values())
    # The examples are worth asking: some are open, some decided either way.
    assert any(cell.spam_certain < cell.spam_possible for cell in cells.values())
    assert any(cell.spam_certain == cell.units for cell in cells.values())
    assert any(cell.spam_possible == 0 for cell in cells.values())


def test_learning_an_attribute_never_widens_the_interval(cells: dict[tuple[str, str, str], Row]) -> None:
    narrowed = 0
    for (operator, unit, code), before in cells.items():
        if operator.startswith("before-"):
            after = cells[operator.replace("before-", "after-"), unit, code]
            assert after.units == before.units
            assert before.spam_certain <= after.spam_certain <= after.spam_possible <= before.spam_possible
            narrowed += before.spam_possible - before.spam_certain > after.spam_possible - after.spam_certain
    assert narrowed > 100


def test_units_do_not_depend_on_the_definition(cells: dict[tuple[str, str, str], Row]) -> None:
    by_unit = sorted(cells.values(), key=lambda cell: (cell.operator_id, cell.unit_code))
    for _, same in itertools.groupby(by_unit, key=lambda cell: (cell.operator_id, cell.unit_code)):
        assert len({cell.units for cell in same}) == 1

"""Definitions of spam: what a predicate may hold, and that three-valued logic counts as it should."""

import csv
import datetime as dt
import itertools
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.attributes import ATTRIBUTES
from jobs.base.tables.contracts import REFERENCE, read_contract, reference_table, rows_frame
from jobs.operators.gold.shared.counting import PER_MASK, READ, count_units, mark_messages
from jobs.operators.gold.shared.measures import UNITS
from jobs.operators.gold.shared.predicates import operator_definitions, read_definitions, rewrite_predicate
from tests.support.gold_tables import count_table

Row = dict[str, Any]

# What each attribute of a message may be when it is known.
KNOWN: dict[str, list[Any]] = {
    "is_antispam": [True, False],
    "outcome_code": ["delivered", "rejected", "tagged", "bounced"],
    "is_marked": [True, False],
    "commercial_code": ["none", "cause", "one_of", "primary"],
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
        ("IS_BULK = TRUE", "no column 'IS_BULK'"),
        ("is_bulk = is_bulky", "no column 'is_bulky'"),
        ("consent_code IN (is_bulky)", "no column 'is_bulky'"),
        # A name that another table might have, or that quotes would let pass.
        ("m.is_bulk = TRUE", "without a table's name"),
        ("silver.message.is_bulk = TRUE", "without a table's name"),
        ("`is_bulk` = TRUE", "without a table's name or quotes"),
        ("`is_bulk = TRUE OR is_bulk` = TRUE", "without a table's name or quotes"),
        # What runs code or reads something else.
        ("reflect('java.lang.System', 'getenv', 'HOME') = ''", "only"),
        ("java_method('java.lang.Runtime', 'getRuntime') = ''", "only"),
        ("current_user() = 'root'", "only"),
        ("consent_code IN (SELECT consent_code FROM t)", "only"),
        ("consent_code IN (reflect('java.lang.System', 'getenv', 'HOME'))", "only"),
        ("(SELECT TRUE)", "only"),
        ("EXISTS (SELECT 1 FROM t)", "only"),
        ("SELECT TRUE", "only"),
        ("exists(symbols, x -> x = 'A')", "only"),
        ("symbols -> 'a'", "only"),
        ("outcome_code = :name", "only"),
        ("outcome_code = ?", "only"),
        ("${spark.master} = 'x'", "does not parse|only"),
        # What sees a NULL as a value, so that learning more might widen an interval.
        ("coalesce(is_bulk, TRUE)", "only"),
        ("is_bulk IS NULL", "only"),
        ("is_bulk IS NOT TRUE", "only"),
        ("is_bulk IS DISTINCT FROM TRUE", "only"),
        ("is_bulk <=> TRUE", "only"),
        ("CASE WHEN is_bulk THEN TRUE ELSE FALSE END", "only"),
        ("if(is_bulk, TRUE, FALSE)", "only"),
        # What is NULL whatever is known.
        ("NULL", "only"),
        ("is_bulk = NULL", "only"),
        ("consent_code <> NULL", "only"),
        ("consent_code IN ('none', NULL)", "only"),
        ("consent_code NOT IN (NULL)", "only"),
        # What changes a value before it is compared.
        ("upper(outcome_code) = 'REJECTED'", "only"),
        ("CAST(score AS BOOLEAN)", "only"),
        ("score::int = 1", "only"),
        ("score = 1L", "only"),
        ("period_date = DATE '2026-01-01'", "only"),
        ("score + 1 > 2", "only"),
        ("score > -1", "only"),
        ("symbols[0] = 'X'", "only"),
        ("is_bulk AS spam", "only"),
        ("outcome_code COLLATE UTF8_LCASE = 'REJECTED'", "only"),
        ("score BETWEEN 1 AND 2", "only"),
        ("outcome_code LIKE 'rej%'", "only"),
        ("outcome_code RLIKE 'rej.*'", "only"),
        ("(is_bulk, score) = (TRUE, 1)", "only"),
        ("is_bulk & TRUE", "only"),
        ("*", "only"),
        ("", "does not parse|only"),
        # Texts that one parser may end elsewhere than another.
        (r"sender_domain = 'a\' OR is_bulk'", "cannot be compared"),
        ("sender_domain = 'it''s'", "only"),
        ("sender_domain = 'a' 'b'", "only"),
        ("sender_domain = r'a'", "only"),
        ("sender_domain = X'41'", "only"),
        ("sender_domain = 'a\nb'", "cannot be compared"),
        # What is never a condition, or compares what cannot be.
        ("1", "no condition"),
        ("'spam'", "no condition"),
        ("score", "'score' is no condition"),
        ("NOT score", "'score' is no condition"),
        ("consent_code AND is_bulk", "'consent_code' is no condition"),
        ("1 = 1", "no column; a comparison needs one"),
        ("is_bulk = TRUE = TRUE", "no column; a comparison needs one"),
        ("(is_bulk OR is_malicious) = TRUE", "no column; a comparison needs one"),
        ("is_bulk > FALSE", "has no order"),
        ("is_bulk = 'yes'", "cannot be compared with 'is_bulk', which is boolean"),
        ("is_bulk = 1", "cannot be compared"),
        ("score = '15'", "cannot be compared"),
        ("score = 1e3", "cannot be compared"),
        ("score = is_bulk", "'score' is double and 'is_bulk' boolean"),
        ("symbols = 'X'", "no column 'symbols'"),
        ("spam_type_codes = 'X'", "which a predicate cannot compare"),
        ("consent_code = 'unknown'", "consent_code has no code 'unknown'; see the list consent"),
        ("consent_code IN ('none', 'withdrawn')", "has no code 'withdrawn'"),
    ],
)
def test_a_predicate_is_refused_with_its_row_and_a_reason(text: str, told: str) -> None:
    with pytest.raises(ObservatoryError, match=told) as error:
        read_definitions(defined({"predicate": text}))
    assert str(error.value).startswith("ref.definition, row CASE_LAW from 2026-01-01: ")


DEFINED = {
    "definition_code": "CASE_LAW",
    "channels": "*",
    "predicate": "is_bulk",
    "valid_from": dt.date(2026, 1, 1),
    "valid_to": None,
}


def defined(*rules: Row) -> pl.DataFrame:
    """ref.definition with these rows, each DEFINED but for what it names."""
    return rows_frame([DEFINED | rule for rule in rules], "ref.definition")


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("is_bulk", "is_bulk"),
        ("NOT is_bulk", "NOT is_bulk"),
        ("! is_bulk", "NOT is_bulk"),
        ("TRUE", "TRUE"),
        ("is_bulk == true", "is_bulk = TRUE"),
        ("TRUE != is_bulk", "is_bulk <> TRUE"),
        ("2.5 < score", "score > 2.5"),
        ("2 >= (score)", "score <= 2"),
        ("consent_code NOT IN ('none')", "NOT consent_code IN ('none')"),
        ('consent_code = "none"', "consent_code = 'none'"),
        ("is_bulk /* OR TRUE */ = TRUE -- AND FALSE", "is_bulk = TRUE"),
        ("origin_claimed_code <> origin_observed_code", "origin_claimed_code <> origin_observed_code"),
        (
            "NOT is_bulk OR is_malicious AND (is_bulk OR is_header_forged)",
            "(NOT is_bulk OR (is_malicious AND (is_bulk OR is_header_forged)))",
        ),
        ("NOT (is_bulk OR is_malicious)", "NOT (is_bulk OR is_malicious)"),
    ],
)
def test_a_predicate_is_written_anew(text: str, sql: str) -> None:
    assert rewrite_predicate(text, "here") == sql
    assert rewrite_predicate(sql, "here") == sql


def test_rows_of_one_definition_take_turns() -> None:
    first = {"valid_to": dt.date(2026, 7, 1)}
    second = {"valid_from": dt.date(2026, 7, 1)}
    assert [each.valid_from.month for each in read_definitions(defined(second, first))["CASE_LAW"]] == [1, 7]
    with pytest.raises(ObservatoryError, match="row CASE_LAW from 2026-07-01: the row from 2026-01-01 still"):
        read_definitions(defined({}, second))
    with pytest.raises(ObservatoryError, match="still holds"):
        read_definitions(defined({"valid_to": dt.date(2026, 7, 2)}, second))
    with pytest.raises(ObservatoryError, match="unknown channel 'MAIL'"):
        read_definitions(defined({"channels": "SMS|MAIL"}))


# --- truth tables -----------------------------------------------------------------------------------

YES, NO, OPEN = (1, 1), (0, 0), (0, 1)
MARKETING: Row = {"commercial_code": "one_of"}
FAIR: Row = {"is_sender_identified": True, "is_optout_present": True}
COLD_CALL: Row = {"channel_code": "VOICE_CS", "is_recipient_natural": True, "consent_code": "none"}
REGISTERED: Row = {
    "is_exempt": False,
    "is_sender_registered": True,
    "is_template_registered": True,
    "is_preference_refused": False,
    "consent_code": "none",
}
TABLES: list[tuple[str, Row, tuple[int, int]]] = [
    # OPERATOR: a measure against spam acted, and stopped or marked it.
    *[
        ("OPERATOR", {"is_antispam": acted, "outcome_code": outcome}, told)
        for outcome in ("rejected", "discarded", "quarantined", "tagged", "deferred")
        for acted, told in ((True, YES), (False, NO), (None, OPEN))
    ],
    *[
        ("OPERATOR", {"is_antispam": acted, "outcome_code": outcome, "is_marked": False}, NO)
        for outcome in ("delivered", "bounced", "expired", "queued")
        for acted in (True, False, None)
    ],
    # What it marked stays marked.
    *[
        ("OPERATOR", {"is_antispam": acted, "outcome_code": outcome, "is_marked": True}, told)
        for outcome in ("tagged", "bounced", "expired", "queued", "deferred")
        for acted, told in ((True, YES), (False, NO), (None, OPEN))
    ],
    # CAN_SPAM: commercial in purpose, and one of five faults.
    *[
        ("CAN_SPAM", {"commercial_code": purpose} | fault, told if purpose == "primary" else other)
        for fault, told, other_unknown in (
            ({"is_header_forged": True}, YES, OPEN),
            ({"is_optout_present": False}, YES, OPEN),
            ({"is_sender_identified": False}, YES, OPEN),
            ({"is_optout_honoured": False}, YES, OPEN),
            ({"is_subject_deceptive": True}, YES, OPEN),
            ({"consent_code": "revoked"}, OPEN, OPEN),
            ({}, OPEN, OPEN),
            (
                {
                    "is_header_forged": False,
                    "is_optout_present": True,
                    "is_sender_identified": True,
                    "is_optout_honoured": True,
                    "is_subject_deceptive": False,
                    "consent_code": "none",
                },
                NO,
                NO,
            ),
        )
        for purpose, other in (
            *(("primary", NO), ("one_of", NO), ("cause", NO), ("none", NO)),
            (None, other_unknown),
        )
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
    # EPRIVACY_13: direct marketing, and no consent of a natural person, or, in electronic mail, a hidden
    # sender or no way out.
    *[
        ("EPRIVACY_13", MARKETING | FAIR | values, told)
        for values, told in (
            ({"is_recipient_natural": True, "consent_code": "none"}, YES),
            ({"is_recipient_natural": True, "consent_code": "inferred"}, YES),
            ({"is_recipient_natural": True, "consent_code": "revoked"}, YES),
            ({"is_recipient_natural": True, "consent_code": "soft"}, NO),
            ({"is_recipient_natural": True, "consent_code": "express"}, NO),
            ({"is_recipient_natural": True}, OPEN),
            ({"is_recipient_natural": False, "consent_code": "none"}, NO),
            ({"consent_code": "none"}, OPEN),
            ({"consent_code": "express"}, NO),
            ({"is_recipient_natural": False, "is_sender_identified": False}, YES),
            ({"is_recipient_natural": False, "is_optout_present": False}, YES),
            ({"is_recipient_natural": False, "is_optout_present": None}, OPEN),
            ({"is_recipient_natural": True, "consent_code": "none", "commercial_code": "none"}, NO),
            ({"is_recipient_natural": True, "consent_code": "none", "commercial_code": None}, OPEN),
            # A party's or a charity's marketing is direct marketing too.
            ({"is_recipient_natural": True, "consent_code": "none", "commercial_code": "cause"}, YES),
            ({"consent_code": "none", "commercial_code": "cause"}, OPEN),
            ({"is_recipient_natural": True, "consent_code": "express", "commercial_code": "cause"}, NO),
            # Hidden senders and stop addresses are a matter of electronic mail.
            *(
                ({"is_recipient_natural": False, "channel_code": channel} | fault, told)
                for channel, told in (("SMS", YES), ("MMS", YES), ("FAX", NO), ("VOICE_CS", NO))
                for fault in ({"is_sender_identified": False}, {"is_optout_present": False})
            ),
            ({"is_recipient_natural": False, "channel_code": "FAX", "is_optout_present": None}, NO),
            (
                {
                    "is_recipient_natural": False,
                    "channel_code": "VOICE_IP",
                    "is_automated": True,
                    "is_sender_identified": False,
                },
                NO,
            ),
            ({"channel_code": "FAX", "is_recipient_natural": True, "consent_code": "none"}, YES),
            ({**COLD_CALL, "is_automated": True}, YES),
            ({**COLD_CALL, "is_automated": True, "commercial_code": "cause"}, YES),
            ({**COLD_CALL, "is_automated": False}, NO),
            ({**COLD_CALL, "is_automated": None}, OPEN),
        )
    ],
    # SPAM_ACT_2003: commercial or dishonest; exempt senders must only be named.
    *[
        ("SPAM_ACT_2003", MARKETING | FAIR | {"is_exempt": False} | values, told)
        for values, told in (
            ({"consent_code": "none"}, YES),
            ({"consent_code": "inferred"}, NO),
            ({"consent_code": "soft"}, NO),
            ({}, OPEN),
            ({"consent_code": "express", "is_optout_present": False}, YES),
            ({"consent_code": "none", "is_exempt": True}, NO),
            ({"consent_code": "none", "is_exempt": None}, OPEN),
            ({"is_exempt": True, "is_sender_identified": False}, YES),
            ({"is_exempt": True, "is_sender_identified": None}, OPEN),
            ({"consent_code": "none", "commercial_code": "none", "is_malicious": True}, YES),
            ({"consent_code": "none", "commercial_code": "none", "is_malicious": False}, NO),
            ({"consent_code": "none", "commercial_code": "none"}, OPEN),
            ({"consent_code": "none", "commercial_code": None, "is_malicious": True}, YES),
            ({"consent_code": "none", "commercial_code": "cause", "is_malicious": False}, NO),
        )
    ],
    # CASL: one commercial purpose, and no consent, no name or no way out.
    *[
        ("CASL", MARKETING | FAIR | {"is_exempt": False} | values, told)
        for values, told in (
            ({"consent_code": "none"}, YES),
            ({"consent_code": "revoked"}, YES),
            ({"consent_code": "inferred"}, NO),
            ({"consent_code": "express"}, NO),
            ({}, OPEN),
            ({"consent_code": "express", "is_sender_identified": False}, YES),
            ({"consent_code": "express", "is_optout_present": False}, YES),
            ({"consent_code": "express", "is_optout_present": None}, OPEN),
            ({"consent_code": "none", "commercial_code": "none"}, NO),
            ({"consent_code": "none", "commercial_code": "cause"}, NO),
            ({"consent_code": "none", "commercial_code": None}, OPEN),
            ({"consent_code": "none", "is_exempt": True}, NO),
            ({"consent_code": "none", "is_exempt": None}, OPEN),
        )
    ],
    # TCCCPR: promotional, and not by the registers. A call has no template.
    *[
        ("TCCCPR", MARKETING | REGISTERED | {"channel_code": "SMS"} | values, told)
        for values, told in (
            ({}, NO),
            ({"is_sender_registered": False}, YES),
            ({"is_sender_registered": None}, OPEN),
            ({"is_template_registered": False}, YES),
            ({"is_template_registered": None}, OPEN),
            ({"is_template_registered": None, "channel_code": "VOICE_CS"}, NO),
            ({"is_template_registered": False, "channel_code": "VOICE_IP"}, NO),
            ({"is_preference_refused": True, "consent_code": "none"}, YES),
            ({"is_preference_refused": True, "consent_code": "express"}, NO),
            ({"is_preference_refused": True, "consent_code": "inferred"}, NO),
            ({"is_preference_refused": True, "consent_code": None}, OPEN),
            ({"is_preference_refused": None, "consent_code": "none"}, OPEN),
            ({"is_preference_refused": False, "consent_code": "none"}, NO),
            ({"consent_code": "revoked"}, YES),
            ({"is_sender_registered": False, "commercial_code": "none"}, NO),
            ({"is_sender_registered": False, "commercial_code": "cause"}, NO),
            ({"is_sender_registered": False, "commercial_code": None}, OPEN),
            ({"is_sender_registered": False, "is_exempt": True}, NO),
            ({"is_sender_registered": False, "is_exempt": None}, OPEN),
        )
    ],
    # Bulk and unsolicited, whatever it says; Singapore's law only where it is commercial.
    *[
        (code, {"channel_code": channel, "is_bulk": bulk, "consent_code": consent, **purpose}, told)
        for code, channel, purpose in (
            ("RFC_5039", "VOICE_IP", {}),
            ("RFC_5039", "IM", {"commercial_code": "none"}),
            ("ITU_T_SG2", "EMAIL", {}),
            ("ITU_T_SG2", "SMS", {"commercial_code": "none"}),
            ("SINGAPORE_SCA", "SMS", {"commercial_code": "primary"}),
        )
        for bulk, consent, told in (
            (True, "none", YES),
            (True, "revoked", YES),
            (True, "soft", NO),
            (True, "inferred", NO),
            (True, "express", NO),
            (True, None, OPEN),
            (False, "none", NO),
            (False, None, NO),
            (None, "none", OPEN),
            (None, "express", NO),
            (None, None, OPEN),
        )
    ],
    *[
        ("SINGAPORE_SCA", {"is_bulk": True, "consent_code": "none", "commercial_code": purpose}, told)
        for purpose, told in (("primary", YES), ("one_of", NO), ("cause", NO), ("none", NO), (None, OPEN))
    ],
]


def row(operator: str, values: Row) -> Row:
    """A message of silver.message that is delivered by mail, but for these values."""
    return {
        "operator_id": operator,
        "period_date": dt.date(2026, 11, 24),
        "channel_code": "EMAIL",
        "grain_code": "recipient",
        "outcome_code": "delivered",
        "is_message_row": True,
    } | values


def test_each_definition_is_seen_true_false_and_open() -> None:
    with (REFERENCE / "definition.csv").open(newline="", encoding="utf-8") as file:
        defined = {each["definition_code"] for each in csv.DictReader(file)}
    assert {(code, told) for code, _, told in TABLES} == {
        (code, told) for code in defined for told in (YES, NO, OPEN)
    }


def figures(rows: list[Row], definition: pl.DataFrame, by: list[str]) -> list[Row]:
    """The counted rows."""
    return count_units(rows_frame(rows, "silver.message"), definition, by).to_dicts()


def recipients(cells: list[Row]) -> list[Row]:
    return [cell for cell in cells if cell["unit_code"] == "recipient"]


MEASURES = ("units", "spam_certain", "spam_possible")


def measures(cell: Row) -> tuple[int, ...]:
    return tuple(cell[name] for name in MEASURES)


def test_truth_tables() -> None:
    rows = [row(f"{place}", values) for place, (_, values, _) in enumerate(TABLES)]
    cells = figures(rows, reference_table("ref.definition"), ["operator_id", "channel_code"])
    found = {(cell["operator_id"], cell["definition_code"]): measures(cell)[1:] for cell in recipients(cells)}
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
def messages(draw: st.DrawFn) -> Row:
    """Draw a message of the logs: each attribute, or nothing of it."""
    told: Row = {
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
def learned(draw: st.DrawFn) -> tuple[list[Row], list[Row]]:
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
    """Draw values by Hypothesis, which one frame takes together."""
    drawn: list[Any] = []

    @settings(max_examples=count, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(of)
    def gather(value: Any) -> None:
        drawn.append(value)

    gather()
    return drawn


@pytest.fixture(scope="module")
def cells() -> dict[tuple[str, str, str], Row]:
    """Figures of 120 frames under 16 predicates, before and after something was learned."""
    rows = []
    for place, (before, after) in enumerate(examples(learned(), 120)):
        rows += [row(f"before-{place}", message) for message in before]
        rows += [row(f"after-{place}", message) for message in after]
    texts = list(dict.fromkeys(examples(PREDICATES, 60)))[-16:]
    assert len(texts) == 16
    rules = [{"definition_code": f"D{place}", "predicate": text} for place, text in enumerate(texts)]
    found = figures(rows, defined(*rules), ["operator_id", "channel_code"])
    return {(cell["operator_id"], cell["unit_code"], cell["definition_code"]): cell for cell in found}


@pytest.mark.long
def test_certain_within_possible_within_units(cells: dict[tuple[str, str, str], Row]) -> None:
    assert {unit for _, unit, _ in cells} == set(UNITS)
    found = [measures(cell) for cell in cells.values()]
    assert all(0 <= certain <= possible <= units for units, certain, possible in found)
    # The examples are worth asking: some are open, some decided either way.
    assert any(certain < possible for _, certain, possible in found)
    assert any(certain == units for units, certain, _ in found)
    assert any(possible == 0 for _, _, possible in found)


@pytest.mark.long
def test_learning_an_attribute_never_widens_the_interval(cells: dict[tuple[str, str, str], Row]) -> None:
    narrowed = 0
    for (operator, unit, code), cell in cells.items():
        if operator.startswith("before-"):
            units, certain, possible = measures(cell)
            later = measures(cells[operator.replace("before-", "after-"), unit, code])
            assert later[0] == units
            assert certain <= later[1] <= later[2] <= possible
            narrowed += possible - certain > later[2] - later[1]
    assert narrowed > 100


@pytest.mark.long
def test_units_do_not_depend_on_the_definition(cells: dict[tuple[str, str, str], Row]) -> None:
    def place(cell: Row) -> tuple[str, str]:
        return cell["operator_id"], cell["unit_code"]

    for _, same in itertools.groupby(sorted(cells.values(), key=place), key=place):
        assert len({cell["units"] for cell in same}) == 1


# --- when and where a definition holds, and how many there may be --------------------------------------


def test_a_definition_holds_on_its_days_and_channels_only() -> None:
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=day) for day in range(6)]
    rows = [
        row("days", {"period_date": day, "channel_code": channel, "is_bulk": True})
        for day in days
        for channel in ("EMAIL", "SMS")
    ]
    rules: list[Row] = [
        {"definition_code": "OLD", "valid_to": days[2]},
        {"definition_code": "MAIL", "channels": "EMAIL", "valid_from": days[4]},
        {
            "definition_code": "CHANGED",
            "valid_from": days[1],
            "valid_to": days[3],
            "predicate": "is_malicious",
        },
        {"definition_code": "CHANGED", "valid_from": days[3], "predicate": "NOT is_bulk"},
    ]
    found = {
        (cell["definition_code"], days.index(cell["period_date"]), cell["channel_code"]): measures(cell)
        for cell in recipients(figures(rows, defined(*rules), ["period_date", "channel_code"]))
    }
    both = ("EMAIL", "SMS")
    assert found == {
        **{("OLD", day, channel): (1, 1, 1) for day in (0, 1) for channel in both},
        **{("MAIL", day, "EMAIL"): (1, 1, 1) for day in (4, 5)},
        **{("CHANGED", day, channel): (1, 0, 1) for day in (1, 2) for channel in both},
        **{("CHANGED", day, channel): (1, 0, 0) for day in (3, 4, 5) for channel in both},
    }
    operators = defined(*(rule | {"definition_code": "OPERATOR"} for rule in rules[2:]))
    assert len(operator_definitions(operators)) == 2
    assert [each.predicate for each in operator_definitions(operators, days[3])] == ["NOT is_bulk"]
    with pytest.raises(ObservatoryError, match="no row OPERATOR that holds on 2026-01-01, "):
        operator_definitions(operators, days[0])


def test_without_the_operators_definition_coverage_says_what_is_missing() -> None:
    others = reference_table("ref.definition").filter(pl.col("definition_code") != "OPERATOR")
    with pytest.raises(ObservatoryError, match="definition.csv has no row OPERATOR, .*: add it"):
        count_table("gold.type_coverage_daily", rows_frame([], "silver.message"), others)


def test_more_definitions_than_one_mask_holds() -> None:
    count = 2 * PER_MASK + 3
    rows = [row("many", {"score": float(score)}) for score in range(count)]
    rules = [{"definition_code": f"D{place:03}", "predicate": f"score < {place}"} for place in range(count)]
    cells = figures([*rows, row("many", {})], defined(*rules), ["operator_id"])
    found = {cell["definition_code"]: measures(cell) for cell in recipients(cells)}
    assert found == {f"D{place:03}": (count + 1, place, place + 1) for place in range(count)}


def test_without_a_definition_nothing_is_counted() -> None:
    assert figures([row("none", {})], defined(), ["operator_id"]) == []


def test_messages_are_marked_once() -> None:
    message = rows_frame([row("once", {})], "silver.message")
    once = mark_messages(message, reference_table("ref.definition"))
    assert mark_messages(once, defined()) is once
    assert set(message.columns) < set(once.columns)


def test_gold_reads_every_column_that_definitions_name() -> None:
    assert set(READ) <= set(read_contract("silver.message").columns)
    assert len(READ) == len(set(READ))
    assert set(ATTRIBUTES) <= set(READ)
    named = {
        name
        for rows in read_definitions(reference_table("ref.definition")).values()
        for each in rows
        for name in each.spam.meta.root_names()
    }
    assert named <= set(READ)

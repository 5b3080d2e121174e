"""The reference tables and code lists: dated, sourced, consistent with each other."""

import csv
import datetime as dt
import re
from functools import cache
from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from jobs.base.figures.areas import HALVES, RESOLUTION
from jobs.base.tables.attributes import ATTRIBUTES as KINDS
from jobs.operators.protect.rules import valid_rows

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
TABLES = sorted((SCHEMAS / "reference").glob("*.csv"))
LISTS = sorted((SCHEMAS / "codelists").glob("*.csv"))

# What a predicate may use: columns that silver.message has, with their type for evaluation here.
ATTRIBUTES = {
    "channel_code": "VARCHAR",
    "outcome_code": "VARCHAR",
    "is_antispam": "BOOLEAN",
    "is_marked": "BOOLEAN",
    **{name: {"string": "VARCHAR", "boolean": "BOOLEAN"}[kind] for name, kind in KINDS.items()},
}


@cache
def table(name: str) -> list[dict[str, str]]:
    return rows_of(SCHEMAS / "reference" / f"{name}.csv")


@cache
def codes(name: str) -> set[str]:
    return {row["code"] for row in rows_of(SCHEMAS / "codelists" / f"{name}.csv")}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def column(name: str, field: str) -> set[str]:
    return {row[field] for row in table(name)} - {""}


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_row_is_dated_and_sourced(path):
    rows = rows_of(path)
    assert rows
    for row in rows:
        assert None not in row and None not in row.values(), "a row has too many or too few columns"
        assert row["source"]
        assert not row["valid_to"] or dt.date.fromisoformat(row["valid_from"]) < dt.date.fromisoformat(
            row["valid_to"]
        )
        assert dt.date.fromisoformat(row["valid_from"]) >= dt.date(1971, 1, 1)
        for value in row.values():
            # Spark and Python read the files alike only without these.
            assert '"' not in value and "\n" not in value and value == value.strip()


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_code_lists_name_and_describe_each_code_once(path):
    rows = rows_of(path)
    assert [row["code"] for row in rows] == list(dict.fromkeys(row["code"] for row in rows))
    assert all(row["name"] and row["description"] for row in rows)


@pytest.mark.parametrize(
    ("name", "field", "codelist"),
    [
        ("type_rule", "spam_type_code", "type"),
        ("type_rule", "engine_code", "engine"),
        ("countermeasure_rule", "countermeasure_code", "countermeasure"),
        ("countermeasure_rule", "x1231_strategy_code", "strategy"),
        ("countermeasure_rule", "stage_code", "stage"),
        ("countermeasure_rule", "engine_code", "engine"),
        ("channel_class", "channel_code", "channel"),
        ("channel_class", "x1244_class_code", "x1244_class"),
        ("measure", "unit_code", "unit"),
        ("measure", "stage_code", "stage"),
        ("measure", "outcome_code", "outcome"),
        ("cost_model", "estimand_code", "estimand"),
    ],
)
def test_codes_are_listed(name, field, codelist):
    assert column(name, field) <= codes(codelist)


def test_joined_codes_are_listed():
    for row in table("definition"):
        assert set(row["channels"].split("|")) <= codes("channel")
    for row in table("cost_model"):
        assert set(row["channels"].split("|")) <= codes("channel") | {"_T"}
    for row in table("cost_parameter"):
        assert set(row["channels"].split("|")) <= codes("channel") | {"_T"}
        assert set(filter(None, row["countermeasures"].split("|"))) <= codes("countermeasure") | {"_T"}


@pytest.mark.parametrize(
    ("name", "key", "least"),
    [
        ("type_rule", ["rule_id"], 1207),
        ("countermeasure_rule", ["rule_id"], 434),
        ("attribute_rule", ["rule_id"], 19),
        ("attribute_rule", ["attribute", "match_on", "pattern"], 19),
        ("definition", ["definition_code", "valid_from"], 10),
        ("measure", ["measure_code", "unit_code", "stage_code", "outcome_code"], 300),
        ("country", ["iso3"], 249),
        ("country_name", ["iso3"], 249),
        ("former_currency", ["iso3", "valid_from"], 14),
        ("channel_class", ["channel_code", "x1244_class_code"], 10),
        ("country_group", ["m49", "group_code", "valid_from"], 587),
        ("population", ["iso3"], 236),
        ("cost_parameter", ["parameter_code", "price_area_code"], 70),
        ("exchange_rate", ["currency_code"], 30),
        ("cost_model", ["model_code", "output_code"], 117),
        ("cost_model_parameter", ["model_code", "parameter_code"], 167),
    ],
)
def test_keys_are_unique_and_nothing_is_lost(name, key, least):
    keys = [tuple(row[field] for field in key) for row in table(name)]
    assert len(keys) == len(set(keys)) >= least


@pytest.mark.parametrize("name", ["type_rule", "countermeasure_rule"])
def test_every_pattern_compiles(name):
    patterns = [row["pattern"] for row in table(name) if row["match_on"].endswith("_regex")]
    assert len(patterns) > 100
    for pattern in patterns:
        re.compile(pattern)


def test_predicates_hold_only_what_three_valued_logic_can_take():
    allowed = (exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT)
    allowed += (exp.GTE, exp.In, exp.And, exp.Or, exp.Not, exp.Paren)
    for row in table("definition"):
        for node in sqlglot.parse_one(row["predicate"], dialect="spark").walk():
            assert isinstance(node, allowed), f"{row['definition_code']}: {node.sql()}"
            assert not isinstance(node, exp.Column) or node.name in ATTRIBUTES


@pytest.mark.parametrize(
    ("definition", "message", "is_spam"),
    [
        ("OPERATOR", {"is_antispam": True, "outcome_code": "rejected"}, True),
        ("OPERATOR", {"is_antispam": True, "outcome_code": "tagged"}, True),
        ("OPERATOR", {"is_antispam": False, "outcome_code": "rejected"}, False),
        ("OPERATOR", {"is_antispam": None, "outcome_code": "rejected"}, None),
        ("OPERATOR", {"is_antispam": None, "outcome_code": "delivered", "is_marked": False}, False),
        ("OPERATOR", {"is_antispam": True, "outcome_code": "delivered", "is_marked": False}, False),
        ("OPERATOR", {"is_antispam": True, "outcome_code": "bounced", "is_marked": True}, True),
        ("OPERATOR", {"is_antispam": False, "outcome_code": "bounced", "is_marked": False}, False),
        ("OPERATOR", {"is_antispam": None, "outcome_code": "queued", "is_marked": True}, None),
        ("CAN_SPAM", {"commercial_code": "none"}, False),
        ("CAN_SPAM", {"commercial_code": "primary"}, None),
        ("CAN_SPAM", {"commercial_code": "primary", "is_header_forged": True}, True),
        ("CAN_SPAM", {"commercial_code": None, "is_header_forged": True}, None),
        (
            "CAN_SPAM",
            {
                "commercial_code": "primary",
                "is_header_forged": False,
                "is_optout_present": True,
                "is_sender_identified": True,
                "is_optout_honoured": True,
                "is_subject_deceptive": False,
            },
            False,
        ),
        ("SPAMHAUS_UBE", {"is_bulk": True, "consent_code": "none"}, True),
        ("SPAMHAUS_UBE", {"is_bulk": True, "consent_code": "express"}, False),
        ("SPAMHAUS_UBE", {"is_bulk": True}, None),
        ("SPAMHAUS_UBE", {"consent_code": "express"}, False),
    ],
)
def test_definitions_are_three_valued(definition, message, is_spam):
    predicate = next(row["predicate"] for row in table("definition") if row["definition_code"] == definition)
    values = ", ".join(
        f"CAST($v{place} AS {kind}) AS {name}" for place, (name, kind) in enumerate(ATTRIBUTES.items())
    )
    bound = {f"v{place}": message.get(name) for place, name in enumerate(ATTRIBUTES)}
    with duckdb.connect() as own:
        assert own.execute(f"SELECT {predicate} FROM (SELECT {values})", bound).fetchall() == [(is_spam,)]


def test_attribute_rules_give_values_that_the_attribute_can_have():
    known = {"commercial_code": codes("commercial"), "consent_code": codes("consent")}
    for row in table("attribute_rule"):
        assert row["attribute"] in ATTRIBUTES
        assert row["value"] in known.get(row["attribute"], {"TRUE", "FALSE"})
        if row["match_on"] == "type":
            assert any(code.startswith(row["pattern"].rstrip("*")) for code in codes("type"))
        elif row["match_on"] == "countermeasure":
            assert row["pattern"] in codes("countermeasure")
        else:
            assert row["match_on"] == "symbol"


def test_the_typologies_of_the_itu_are_listed():
    """Domain facts, section 3: the study's types of content, and X.1244's classes with their places."""
    groups = {
        "AD": "retail pharma adult gambling finance political",
        "FRAUD": "advance-fee lottery loan impersonation invest bec",
        "PHISH": "mail smish vish spear",
        "MALWARE": "attach link ransom",
        "PHONE": "robocall wangiri prs-irsf flash-call",
    }
    types = {f"{group}.{member}" for group, members in groups.items() for member in members.split()}
    # Bypass is a route and no content: a type of it would count twice.
    assert codes("type") == types | {"OTHER", "UNK"}
    rows = rows_of(SCHEMAS / "codelists" / "x1244_class.csv")
    places = {
        (row["is_real_time"], medium): {
            each["code"]
            for each in rows
            if each["is_real_time"] == row["is_real_time"] and medium in each["media"].split("|")
        }
        for row in rows
        for medium in ("voice", "text", "video")
    }
    stored = {"MULTIMEDIA_MESSAGE", "P2P", "WEBSITE"}
    assert places == {
        ("true", "voice"): {"VOIP", "MULTIMODAL"},
        ("true", "text"): {"IM", "CHAT", "MULTIMODAL"},
        ("true", "video"): {"MULTIMODAL"},
        **{("false", medium): stored for medium in ("voice", "text", "video")},
    }
    assert column("channel_class", "x1244_class_code") == codes("x1244_class")


def included(measure: str) -> set[tuple[str, str, str]]:
    return {
        (row["unit_code"], row["stage_code"], row["outcome_code"])
        for row in table("measure")
        if row["measure_code"] == measure and row["is_included"] == "true"
    }


def test_only_recipients_and_attempts_are_ever_added():
    for measure in column("measure", "measure_code"):
        units = {unit for unit, _, _ in included(measure)}
        assert len(units) == 1 or units == {"recipient", "attempt"}, measure


def test_measures_nest():
    cells = {
        (unit, stage, outcome)
        for unit in ("recipient", "attempt")
        for stage in codes("stage")
        for outcome in codes("outcome")
    }
    assert included("attempted") == cells
    assert included("delivered") < included("accepted") < included("attempted")
    assert included("blocked").isdisjoint(included("delivered"))
    assert included("maawg_abusive").isdisjoint(included("maawg_unaltered_delivered"))
    assert included("maawg_unaltered_delivered") < included("delivered")


def test_country_groups_on_a_day():
    def members(group: str, day: dt.date) -> set[str]:
        return {row["iso3"] for row in valid_rows(table("country_group"), day) if row["group_code"] == group}

    assert column("country_group", "iso3") <= column("country", "iso3")
    assert column("former_currency", "iso3") <= column("country", "iso3")
    # Another than the one of today, and until a day.
    now = {row["iso3"]: row["currency"] for row in table("country")}
    assert all(
        row["valid_from"] < row["valid_to"] and row["currency"] != now[row["iso3"]] and row["source"]
        for row in table("former_currency")
    )
    assert len(members("LDC", dt.date(2026, 11, 23))) == 44
    assert "STP" in members("LDC", dt.date(2024, 12, 12)) and "STP" not in members(
        "LDC", dt.date(2024, 12, 13)
    )
    assert len(members("LLDC", dt.date(2026, 11, 23))) == 32
    # Developing countries and all others are the world, on every day on which either list changes; the
    # Resolution's footnote counts its groups among the former.
    listed = {row["iso3"] for row in table("country") if row["itu_region"]}
    rows = [row for row in table("country_group") if row["group_code"] in HALVES]
    days = {row[name] for row in rows for name in ("valid_from", "valid_to") if row[name]}
    for day in sorted({*map(dt.date.fromisoformat, days), dt.date(2026, 11, 23)}):
        developing, developed = (members(name, day) for name in HALVES)
        assert developing | developed == listed and not developing & developed
        assert all(members(group, day) & listed <= developing for group in RESOLUTION)
    assert len(developing) == 152 and {"IND", "RUS", "TUR"} <= developing and {"JPN", "KOR"} <= developed
    assert sum(row["itu_member"] == "true" for row in table("country")) == 194


def test_rates_and_parameters_have_ordered_points_in_known_currencies():
    rates = {row["currency_code"] for row in table("exchange_rate")}
    for row in table("exchange_rate"):
        points = [float(row[name]) for name in ("usd_per_unit_low", "usd_per_unit", "usd_per_unit_high")]
        assert 0 < points[0] <= points[1] <= points[2]
        assert row["source_kind"] != "published" or points[0] == points[2]
    for row in table("cost_parameter"):
        assert float(row["low"]) <= float(row["central"]) <= float(row["high"])
        assert not row["currency_code"] or row["currency_code"] in rates
        assert row["counts_as_investment"] == "yes" or not row["countermeasures"]


def test_figures_of_cost_models_are_of_known_places_and_their_inputs_are_used():
    places = column("country", "iso3") | {"001", "150", "_X"}
    models = table("cost_model")
    assert {each for code in column("cost_model", "geography_code") for each in code.split("|")} <= places
    assert column("cost_model", "source_read") <= {"issuer", "secondary"}
    assert column("cost_model_parameter", "source_kind") <= {"published", "implied", "constant", "assumption"}
    for row in table("cost_model_parameter"):
        own = [each["formula"] for each in models if each["model_code"] == row["model_code"]]
        used = any(re.search(rf"\b{row['parameter_code']}\b", formula) for formula in own)
        assert used, f"{row['model_code']}: no formula takes {row['parameter_code']}"

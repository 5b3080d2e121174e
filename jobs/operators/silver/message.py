"""silver.message: one row per message and recipient, or per attempt refused before a message existed.

Hops through filters are folded into the message that came in, temporary refusals into what followed them,
verdicts joined, attributes derived. Counting rules: docs/counting.md.

Attributes come from facts that the operator states about its messages, else from ref.attribute_rule by type,
symbols or acting measure. The steps, and what they pass to each other, are in
jobs/operators/silver/pipeline.py.
"""

import datetime as dt
from typing import Any

import polars as pl

from jobs.base.core.column_types import ColumnTypes
from jobs.base.tables.attributes import ATTRIBUTES
from jobs.base.tables.contracts import Row, read_contract
from jobs.base.tables.validity import is_day_within
from jobs.operators.silver.hops import fold_hops, place_files
from jobs.operators.silver.message_outcome import (
    decide_direction,
    decide_outcome,
    mark_message_rows,
    name_all_recipients,
)
from jobs.operators.silver.message_verdicts import choose_verdicts
from jobs.operators.silver.type_evidence import tells_strongly, type_names

# The start of rows of a reference table that have no start of their own (schemas/reference/NOTES.md).
NO_START = dt.date(1990, 1, 1)
KINDS: ColumnTypes = {"boolean": pl.Boolean, "string": pl.String}


def attribute_columns(attribute_rule: pl.DataFrame) -> list[pl.Expr]:
    """Each attribute of a message on its day; null where no rule matches."""
    rules = attribute_rule.sort(pl.col("priority").cast(pl.Int64), "pattern").to_dicts()
    return [
        attribute_column(name, KINDS[kind], [rule for rule in rules if rule["attribute"] == name])
        for name, kind in ATTRIBUTES.items()
    ]


def attribute_column(name: str, kind: Any, rules: list[Row]) -> pl.Expr:
    """The value of the first rule that matches."""
    found = pl.lit(None, dtype=kind)
    for rule in reversed(rules):
        value = rule["value"].upper() == "TRUE" if kind == pl.Boolean else rule["value"]
        found = pl.when(rule_matches(rule)).then(pl.lit(value, dtype=kind)).otherwise(found)
    return found.alias(name)


def rule_matches(rule: Row) -> pl.Expr:
    """Return whether the rule holds on a row's day and the row has its symbol, a type by a strong rule, or
    its measure. A pattern that ends in * matches every value with that beginning."""
    found = pattern_fits(rule["match_on"], rule["pattern"], rule["value"])
    # Most rules have no start and no end: they cost no comparison.
    has_start = (rule["valid_from"] or NO_START) > NO_START
    return found & is_day_within(rule["valid_from"] if has_start else None, rule["valid_to"])


def pattern_fits(match_on: str, pattern: str, value: str) -> pl.Expr:
    """Return whether a row has the pattern.

    Of types, only those by a strong rule on the server's or a filter's evidence: a weak keyword may name a
    type, but not decide that something is spam, and another's type does not withdraw it. `cause` means that
    nothing is sold: it holds if the same evidence found no type that sells.
    """
    if match_on == "symbol":
        return pl.col("symbols").list.contains(pattern)
    if match_on == "type":
        return tells_strongly("pure_types" if value == "cause" else "strong_types", pattern)
    column = pl.col("countermeasure_code")
    return column.str.starts_with(pattern[:-1]) if pattern.endswith("*") else column == pattern


OPERATOR_DAY = ["operator_id", "period_date"]
NAMING = ["queue_id", "message_id_hash", "sender_hash", "recipient_hash"]
# How facts name messages, the most specific first, as in jobs/operators/formats/knowledge.
KEYS = (
    ("queue_id", "recipient_hash"),
    ("queue_id",),
    ("message_id_hash", "recipient_hash"),
    ("message_id_hash",),
    ("sender_hash", "recipient_hash"),
    ("sender_hash",),
    ("recipient_hash",),
)


def fill_known(message: pl.DataFrame, operator_knowledge: pl.DataFrame) -> pl.DataFrame:
    """The messages with each attribute from the operator's facts, else from rules.

    A more specific fact comes before a general one.
    """
    keys = []
    joined = message
    for place, key in enumerate(KEYS):
        facts = operator_knowledge.filter(
            *(pl.col(name).is_not_null() if name in key else pl.col(name).is_null() for name in NAMING)
        )
        if facts.is_empty():
            continue
        on = [*OPERATOR_DAY, *key]
        agreed = [agreed_value(name).alias(f"{place}_{name}") for name in ATTRIBUTES]
        joined = joined.join(facts.group_by(on).agg(agreed), on=on, how="left", maintain_order="left")
        keys.append(place)
    if not keys:
        return message
    return joined.select(
        pl.coalesce(*(f"{place}_{name}" for place in keys), name).alias(name) if name in ATTRIBUTES else name
        for name in message.columns
    )


def agreed_value(attribute: str) -> pl.Expr:
    """The value that all facts on the same messages give; null where they differ."""
    value = pl.col(attribute)
    return pl.when(value.min() == value.max()).then(value.min())


# Columns of silver.transmission that nothing after the hops needs.
NOT_NEEDED = [
    *("transmission_hash", "entry_code", "previous_queue_key", "next_queue_key", "is_handoff", "client_hash"),
    *("account_hash", "reply_code", "dsn_code", "place_key", "file_key"),
]


def open_rows(
    transmission: pl.DataFrame,
    verdict: pl.DataFrame,
    links: pl.DataFrame,
    later: pl.DataFrame,
    by_id: pl.DataFrame,
    operator_knowledge: pl.DataFrame,
    attribute_rule: pl.DataFrame,
) -> pl.DataFrame:
    """silver.message of a bucket, with temporary refusals that may have been followed up.

    Args:
        links, later: as fold_hops() takes them.
        by_id: verdicts without a queue id whose message lies here.
    """
    exact = verdict.filter(pl.col("queue_id").is_not_null())
    spoken = exact if by_id.is_empty() else pl.concat([exact, by_id.select(exact.columns)])
    names = type_names(transmission, spoken)
    folded = fold_hops(place_files(transmission), links, later)
    # What only links and files needed goes before rows become wide.
    narrow_rows = folded.drop(NOT_NEEDED)
    judged = narrow_rows.join(
        choose_verdicts(folded, spoken, names), on="file", how="left", maintain_order="left"
    )
    marked = mark_message_rows(decide_outcome(name_all_recipients(judged), names))
    attributed = marked.with_columns(*attribute_columns(attribute_rule), direction_code=decide_direction())
    return fill_known(attributed, operator_knowledge).select(read_contract("silver.message").columns)

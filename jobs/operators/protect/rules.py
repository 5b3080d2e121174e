"""The rules by which types (message_types.py) and countermeasures (countermeasures.py) are determined.

They are rows of ref.type_rule and ref.countermeasure_rule, valid from `valid_from` until before
`valid_to`. `match_on` states what a rule matches: names that end in `_regex` are searched for
anywhere in the value, as Python's re does; all others must be equal.

A row of a kind that nothing here matches is refused when the tables are read: it would look like a rule.

A row holds for its own engine; `any` holds for all, `sms_firewall` for every SMS, MMS and RCS source, `calls`
and `sip` for every source of calls, and each for the formats that name it (`rules_of` of the list of
formats). Where a row of an engine and a row of `any` have the same pattern, the engine's replaces the other.

Everything is worked out once for each distinct value (jobs/base/tables/matching.py).
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TypeVar

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.figures.channels import CALLS
from jobs.base.tables.contracts import REFERENCE, engines_of_format, read_csv_rows
from jobs.base.tables.matching import Matcher, make_matcher

MOBILE = ("SMS", "MMS", "RCS")
# What each kind of rule matches on. Of a verdict its symbols, its action and the mail's subject; some formats
# have the names of viruses among their symbols.
SYMBOL = ("symbol", "symbol_regex")
SIGNATURE = ("signature_regex",)
ACTION = ("action",)
TEXT = ("text_regex",)
# Of a transmission, columns: whatever became of it; where it was refused; where it is a call.
ALWAYS_TYPED = {"text": TEXT, "subject": TEXT, "category": ("category_regex",)}
REFUSAL_TYPED = {
    "reply_text": ("reject_text_regex", "sip_reason_regex"),
    "log_text": ("log_text_regex",),
    "reply_code": ("sip_code", "dlr_status"),
}
CALL_TYPED = {
    "display_name": TEXT,
    "user_agent": ("sip_ua_regex",),
    "sender": ("caller_number_regex",),
    "recipient": ("called_number_regex",),
}
# Of a refusal a list and its return code, whole or by one bit of its last octet.
LISTING = ("dnsbl_code", "dnsbl_bit")
# Of a complaint.
FEEDBACK = ("feedback_type",)
# Columns of a refusal that show which measure it was.
REFUSAL_MEASURED = {
    "reply": ("reject_text_regex", "sip_reason_regex"),
    "log_text": ("log_text_regex",),
    "event": ("event_regex", "status"),
    "dnsbl_zone": ("dnsbl_zone", "dnsbl_zone_regex"),
    "reply_code": (
        "smpp_status",
        "smpp_status_regex",
        "dlr_status",
        "dlr_mask",
        "sip_code",
        "sip_code_regex",
    ),
    # Tables of numbers that a delimited log's profile names (`means`).
    "map_error": ("map_error",),
    "rp_cause": ("rp_cause",),
    "tp_fcs": ("tp_fcs",),
    "verstat": ("verstat",),
    "number": ("dest_number",),
}
KINDS = {
    "type_rule": sorted(
        {
            *SYMBOL,
            *SIGNATURE,
            *ACTION,
            *chain.from_iterable((ALWAYS_TYPED | REFUSAL_TYPED).values()),
            *chain.from_iterable(CALL_TYPED.values()),
            *LISTING,
            *FEEDBACK,
        }
    ),
    "countermeasure_rule": sorted({*SYMBOL, *ACTION, *chain.from_iterable(REFUSAL_MEASURED.values())}),
}


@dataclass(frozen=True)
class TypeRule:
    """One row of ref.type_rule; a smaller priority wins."""

    rule_id: str
    engine_code: str
    match_on: str
    pattern: str
    priority: int
    spam_type_code: str
    is_strong: bool


@dataclass(frozen=True)
class MeasureRule:
    """One row of ref.countermeasure_rule; is_antispam is None where the measure's reason is unknown."""

    rule_id: str
    engine_code: str
    match_on: str
    pattern: str
    priority: int
    countermeasure_code: str
    x1231_strategy_code: str | None
    is_antispam: bool | None


@dataclass(frozen=True)
class Rules:
    """The rules of one day. Picklable; expressions are compiled once in each process, when first used."""

    types: tuple[TypeRule, ...]
    measures: tuple[MeasureRule, ...]

    def __hash__(self) -> int:
        # Matchers are looked up by their rules: hashing each of a thousand would cost more than most matches.
        return hash((len(self.types), len(self.measures)))


Rule = TypeVar("Rule", TypeRule, MeasureRule)


# --- loading ---------------------------------------------------------------------------------------


def load_rules(folder: Path | str = REFERENCE, on: dt.date | None = None) -> Rules:
    """The rules in a folder's type_rule.csv and countermeasure_rule.csv that are valid on a day.

    Without a day: today. Raises ObservatoryError that names a row of a kind that nothing matches.
    """
    return _load_rules(Path(folder), on or dt.datetime.now(dt.UTC).date())


def split_by_rules(
    rows: pl.DataFrame, at: str, folder: Path | str = REFERENCE
) -> list[tuple[Rules, pl.DataFrame]]:
    """The rows by the rules that hold on the UTC day of a timestamp; nearly always they are all in one part.

    What was sent while a rule held is typed by it whenever it is read.
    """
    days = change_days(Path(folder))
    place = pl.Series(days, dtype=pl.Date).search_sorted(rows[at].dt.date(), side="right")
    parts = rows.with_columns(place.alias("__place")).partition_by("__place", as_dict=True, include_key=False)
    return [
        (load_rules(folder, days[int(place) - 1] if place else dt.date.min), part)
        for (place,), part in parts.items()
    ]


@cache
def change_days(folder: Path) -> tuple[dt.date, ...]:
    """The days on which a rule begins to hold, or holds no more, in order."""
    tables = (read_rules(folder, name) for name in KINDS)
    named = {row[name] for row in chain.from_iterable(tables) for name in ("valid_from", "valid_to")}
    return tuple(sorted(map(dt.date.fromisoformat, named - {""})))


@cache
def _load_rules(folder: Path, on: dt.date) -> Rules:
    return Rules(
        types=tuple(
            TypeRule(*shared_columns(row), row["spam_type_code"], row["is_strong"] == "true")
            for row in valid_rows(read_rules(folder, "type_rule"), on)
        ),
        measures=tuple(
            MeasureRule(
                *shared_columns(row),
                row["countermeasure_code"],
                row["x1231_strategy_code"] or None,
                {"true": True, "false": False, "": None}[row["is_antispam"]],
            )
            for row in valid_rows(read_rules(folder, "countermeasure_rule"), on)
        ),
    )


def read_rules(folder: Path, table: str) -> list[dict[str, str]]:
    """The rows of a table of rules, each of a kind that something matches."""
    rows = list(read_csv_rows(folder / f"{table}.csv"))
    for row in rows:
        if row["match_on"] not in KINDS[table]:
            raise ObservatoryError(
                f"{table}.csv, row {row['rule_id']}: nothing matches on '{row['match_on']}', so that"
                f" the row would never apply; delete it, or make it one of {', '.join(KINDS[table])}"
            )
    return rows


def shared_columns(row: Mapping[str, str]) -> tuple[str, str, str, str, int]:
    return row["rule_id"], row["engine_code"], row["match_on"], row["pattern"], int(row["priority"])


def valid_rows(rows: Iterable[dict[str, str]], on: dt.date) -> list[dict[str, str]]:
    """The rows of a dated table that are valid on a day."""
    day = on.isoformat()
    return [
        row for row in rows if row["valid_from"] <= day and (not row["valid_to"] or day < row["valid_to"])
    ]


def list_engines(engine: str, channel: str | None) -> tuple[str, ...]:
    """The engines whose rules hold for a source, its own first."""
    mobile = ("sms_firewall",) if channel in MOBILE else ()
    calls = ("calls", "sip") if channel in CALLS else ()
    return tuple(dict.fromkeys((engine, *mobile, *calls, *engines_of_format(engine), "any")))


def select_in_scope(rules: Sequence[Rule], engine: str, channel: str | None) -> list[Rule]:
    """The rules that hold for an engine and channel, best first."""
    engines = list_engines(engine, channel)
    own = {(rule.match_on, rule.pattern) for rule in rules if rule.engine_code in engines[:-1]}
    kept = [
        rule
        for rule in rules
        if rule.engine_code in engines
        and not (rule.engine_code == "any" and (rule.match_on, rule.pattern) in own)
    ]
    return sorted(kept, key=lambda rule: (rule.priority, rule.engine_code == "any", rule.rule_id))


# --- matching ------------------------------------------------------------------------------------


@cache
def type_rules(rules: Rules, engine: str, channel: str | None) -> tuple[TypeRule, ...]:
    return tuple(select_in_scope(rules.types, engine, channel))


@cache
def type_matcher(rules: Rules, engine: str, channel: str | None, match_on: tuple[str, ...]) -> Matcher:
    return make_matcher(type_rules(rules, engine, channel), *match_on)


@cache
def measure_rules(rules: Rules, engine: str, channel: str | None) -> tuple[MeasureRule, ...]:
    return tuple(select_in_scope(rules.measures, engine, channel))


@cache
def measure_matcher(rules: Rules, engine: str, channel: str | None, match_on: tuple[str, ...]) -> Matcher:
    return make_matcher(measure_rules(rules, engine, channel), *match_on)

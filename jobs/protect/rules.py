"""Rules that tell a spam type from symbols and texts, and a countermeasure from refusals and verdicts.

The rules are rows of ref.type_rule and ref.countermeasure_rule, valid from `valid_from` until before
`valid_to`. What a rule matches on is told by `match_on`: names that end in `_regex` are searched for
anywhere in the value, as Python's re does; all others must be equal.

A row of a kind that nothing here matches is refused when the tables are read: it would look like a rule.

A row holds for its own engine; `any` holds for all, `sms_firewall` for Kannel and every SMS, MMS and RCS
source, `calls` for every source of calls, `sip` for these and for Kamailio's and OpenSIPS's instant messages,
`kannel` also for kannel_smsbox, `spamassassin` also for
amavis and exim, `clamav` also for amavis, exim and rspamd. Where a row of an engine and a row of `any` have
the same pattern, the engine's replaces the other.

Everything is worked out once for each distinct value (jobs/core/matching.py).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from jobs.core.channels import CALLS
from jobs.core.contracts import REFERENCE, csv_rows
from jobs.core.errors import ObservatoryError
from jobs.core.matching import Matcher, by_distinct, found_in_lists, matcher, places_of

MOBILE = ("SMS", "MMS", "RCS")
# Formats whose servers speak SIP; Asterisk's records have no codes, and rules on those do not touch them.
SIP = ("kamailio", "kamailio_flat", "asterisk")
ALSO = {
    "amavis": ("spamassassin", "clamav"),
    "exim": ("spamassassin", "clamav"),
    "rspamd": ("clamav",),
    "kannel_smsbox": ("kannel",),
}
# When two types are told equally well, the more harmful one is taken.
HARM = ("MALWARE", "PHISH", "FRAUD", "PHONE", "AD", "OTHER")
UNKNOWN_TYPE = "UNK"
NO_MEASURE = "NONE"
# Symbols of these say that the module looked; they act only where the verdict is a deferral.
DEFERRING = {"GREYLIST", "RATE_LIMIT"}
DEFERRALS = {"soft reject", "greylist"}
# The measure of a filter that calls a message spam and does with it what no rule knows.
SPAM_FILTER = ("CONTENT_FILTER", "filtering", True)
# Verdicts that leave a message alone, as do those whose rule says NONE.
PASSING = {"no action", "accept"}
# Below this priority a rule on a DNSBL zone knows the zone; above, it only recognises the form of a name.
KNOWN_ZONE = 50
# What each kind of rule matches on. Of a verdict its symbols, its action and the mail's subject; Amavis names
# the viruses that its scanners found among its symbols.
SYMBOL = ("symbol", "symbol_regex")
SIGNATURE = {"amavis": ("signature_regex",)}
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
# Of a refusal, columns that tell which measure it was.
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
            *chain.from_iterable(SIGNATURE.values()),
            *ACTION,
            *chain.from_iterable((ALWAYS_TYPED | REFUSAL_TYPED).values()),
            *chain.from_iterable(CALL_TYPED.values()),
            *LISTING,
            *FEEDBACK,
        }
    ),
    "countermeasure_rule": sorted({*SYMBOL, *ACTION, *chain.from_iterable(REFUSAL_MEASURED.values())}),
}
# Outcomes that need no measure: the message got through, or may still.
PASSED = ("delivered", "queued")

TYPED: dict[str, Any] = {
    "spam_type_code": pl.String,
    "spam_type_codes": pl.List(pl.String),
    "is_type_strong": pl.Boolean,
    "type_priority": pl.Int32,
}
ACTED: dict[str, Any] = {
    "countermeasure_code": pl.String,
    "x1231_strategy_code": pl.String,
    "is_antispam": pl.Boolean,
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
    return _load(Path(folder), on or dt.datetime.now(dt.UTC).date())


def in_force(rows: pl.DataFrame, at: str, folder: Path | str = REFERENCE) -> list[tuple[Rules, pl.DataFrame]]:
    """The rows by the rules that hold on the UTC day of a timestamp; nearly always they are all in one part.

    What was sent while a rule held is typed by it whenever it is read.
    """
    days = changes(Path(folder))
    place = pl.Series(days, dtype=pl.Date).search_sorted(rows[at].dt.date(), side="right")
    parts = rows.with_columns(place.alias("__place")).partition_by("__place", as_dict=True, include_key=False)
    return [
        (load_rules(folder, days[int(place) - 1] if place else dt.date.min), part)
        for (place,), part in parts.items()
    ]


@cache
def changes(folder: Path) -> tuple[dt.date, ...]:
    """The days on which a rule begins to hold, or holds no more, in order."""
    tables = (matched(folder, name) for name in KINDS)
    named = {row[name] for row in chain.from_iterable(tables) for name in ("valid_from", "valid_to")}
    return tuple(sorted(map(dt.date.fromisoformat, named - {""})))


@cache
def _load(folder: Path, on: dt.date) -> Rules:
    return Rules(
        types=tuple(
            TypeRule(*shared(row), row["spam_type_code"], row["is_strong"] == "true")
            for row in rules_on(matched(folder, "type_rule"), on)
        ),
        measures=tuple(
            MeasureRule(
                *shared(row),
                row["countermeasure_code"],
                row["x1231_strategy_code"] or None,
                {"true": True, "false": False, "": None}[row["is_antispam"]],
            )
            for row in rules_on(matched(folder, "countermeasure_rule"), on)
        ),
    )


def matched(folder: Path, table: str) -> list[dict[str, str]]:
    """The rows of a table of rules, each of a kind that something matches."""
    rows = list(csv_rows(folder / f"{table}.csv"))
    for row in rows:
        if row["match_on"] not in KINDS[table]:
            raise ObservatoryError(
                f"{table}.csv, row {row['rule_id']}: nothing matches on '{row['match_on']}', so that"
                f" the row would never apply; delete it, or make it one of {', '.join(KINDS[table])}"
            )
    return rows


def shared(row: Mapping[str, str]) -> tuple[str, str, str, str, int]:
    return row["rule_id"], row["engine_code"], row["match_on"], row["pattern"], int(row["priority"])


def rules_on(rows: Iterable[dict[str, str]], on: dt.date) -> list[dict[str, str]]:
    """The rows of a dated table that are valid on a day."""
    day = on.isoformat()
    return [
        row for row in rows if row["valid_from"] <= day and (not row["valid_to"] or day < row["valid_to"])
    ]


def engines_of(engine: str, channel: str | None) -> tuple[str, ...]:
    """The engines whose rules hold for a source, its own first."""
    mobile = ("sms_firewall",) if engine == "kannel" or channel in MOBILE else ()
    calls = ("calls", "sip") if channel in CALLS else ("sip",) if engine in SIP else ()
    return tuple(dict.fromkeys((engine, *mobile, *calls, *ALSO.get(engine, ()), "any")))


def in_scope(rules: Sequence[Rule], engine: str, channel: str | None) -> list[Rule]:
    """The rules that hold for an engine and channel, best first."""
    engines = engines_of(engine, channel)
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
    return tuple(in_scope(rules.types, engine, channel))


@cache
def type_matcher(rules: Rules, engine: str, channel: str | None, match_on: tuple[str, ...]) -> Matcher:
    return matcher(type_rules(rules, engine, channel), *match_on)


@cache
def measure_rules(rules: Rules, engine: str, channel: str | None) -> tuple[MeasureRule, ...]:
    return tuple(in_scope(rules.measures, engine, channel))


@cache
def measure_matcher(rules: Rules, engine: str, channel: str | None, match_on: tuple[str, ...]) -> Matcher:
    return matcher(measure_rules(rules, engine, channel), *match_on)


# --- types -----------------------------------------------------------------------------------------


def type_of_verdicts(
    symbols: pl.Series,
    engine: str,
    channel: str | None = None,
    rules: Rules | None = None,
    action: pl.Series | None = None,
    subject: pl.Series | None = None,
) -> pl.DataFrame:
    """What the symbols, the action and the mail's subject of each verdict tell of a message's type.

    symbols: lists of names. action: as the engine names it. subject: decoded. Rows of the answer:
    spam_type_code, null where no rule matched and UNK where rules say only that the content is not told;
    spam_type_codes, all types that any rule told, weak ones too, sorted; is_type_strong, whether strong
    evidence tells spam_type_code, and type_priority, the priority of the rule that tells it best, null where
    there is none. A weak type says what a spam message is about; it is no reason to call it spam.
    """
    rules = rules or load_rules()
    places = places_of_verdicts(symbols, engine, channel, rules, action, subject)
    return types(places, places_of, type_rules(rules, engine, channel))


def places_of_verdicts(
    symbols: pl.Series,
    engine: str,
    channel: str | None,
    rules: Rules,
    action: pl.Series | None,
    subject: pl.Series | None,
) -> pl.Series:
    """The places in type_rules() of the rules that match each verdict, as `3,17`."""
    match = type_matcher(rules, engine, channel, (*SYMBOL, *SIGNATURE.get(engine, ())))
    found = [found_in_lists(symbols, match)]
    if action is not None:
        found.append(told(action, type_matcher(rules, engine, channel, ACTION)))
    if subject is not None:
        found.append(told(subject, type_matcher(rules, engine, channel, TEXT)))
    return pl.select(pl.concat_str(found, separator=",", ignore_nulls=True).alias("places"))["places"]


def type_of_texts(
    texts: pl.Series,
    engine: str,
    channel: str | None = None,
    rules: Rules | None = None,
    match_on: Collection[str] = TEXT,
) -> pl.DataFrame:
    """What subjects, message texts or refusals tell of the type; columns as of type_of_verdicts().

    match_on: add "reject_text_regex" for the text of a refusal.
    """
    rules = rules or load_rules()
    match = type_matcher(rules, engine, channel, tuple(sorted(match_on)))
    return types(texts.cast(pl.String), match, type_rules(rules, engine, channel))


def told(values: pl.Series, match: Callable[[str], Collection[int]]) -> pl.Series:
    """The places of the rules that match each value, as `3,17`; null where none does."""
    if values.null_count() == len(values) or (isinstance(match, Matcher) and match.is_empty):
        return pl.Series(values.name, [None], dtype=pl.String).new_from_index(0, len(values))

    def results(distinct: list[str]) -> pl.DataFrame:
        joined = [",".join(map(str, found)) if (found := match(value)) else None for value in distinct]
        return pl.DataFrame({"places": pl.Series(joined, dtype=pl.String)})

    return by_distinct(values.cast(pl.String), results)["places"]


def types(
    values: pl.Series, places: Callable[[str], Collection[int]], rules: tuple[TypeRule, ...]
) -> pl.DataFrame:
    """One row for each value, from the rules that match it."""
    decided: dict[frozenset[int], Primary] = {}

    def results(distinct: list[str]) -> pl.DataFrame:
        rows = []
        for value in distinct:
            found = frozenset(places(value))
            if found not in decided:
                decided[found] = primary_type([rules[place] for place in sorted(found)])
            rows.append(decided[found])
        columns = list(zip(*rows, strict=True)) or [()] * len(TYPED)
        return pl.DataFrame(
            {
                name: pl.Series(column, dtype=kind)
                for (name, kind), column in zip(TYPED.items(), columns, strict=True)
            }
        )

    return by_distinct(values, results).with_columns(pl.col("spam_type_codes").fill_null([]))


# A type, all types, whether the evidence of the first is strong, and its rule's priority: as TYPED.
Primary = tuple[str | None, list[str], bool | None, int | None]


def primary_type(matched: Sequence[TypeRule]) -> Primary:
    """The type that the matching rules tell, all types, whether the evidence is strong, and its priority.

    What the server and several filters tell is held against each other in the order of primary_rule()
    (jobs/silver/type_evidence.py).
    """
    best = primary_rule(matched)
    if best is None:
        return None, [], None, None
    told = {rule.spam_type_code for rule in matched}
    return best.spam_type_code, sorted(told - {UNKNOWN_TYPE}), best.is_strong, best.priority


def primary_rule(matched: Sequence[TypeRule]) -> TypeRule | None:
    """The rule that decides the type: a type beats UNK; strong beats weak; then the smaller priority wins,
    then the type that most rules tell, then the more harmful group, then an engine's own rule."""
    told = Counter(rule.spam_type_code for rule in matched)

    def order(rule: TypeRule) -> tuple[bool, bool, int, int, int, bool, str]:
        code = rule.spam_type_code
        group = code.split(".")[0]
        harm = HARM.index(group) if group in HARM else len(HARM)
        return (
            code == UNKNOWN_TYPE,
            not rule.is_strong,
            rule.priority,
            -told[code],
            harm,
            rule.engine_code == "any",
            code,
        )

    return min(matched, key=order, default=None)


# --- countermeasures -------------------------------------------------------------------------------


def countermeasure_of_refusals(frame: pl.DataFrame, rules: Rules | None = None) -> pl.DataFrame:
    """Which measure refused: countermeasure_code, x1231_strategy_code, is_antispam, one row for each row.

    Reads format_code and channel_code, and what there is of reply_text, log_text, dnsbl_zone, event,
    reply_code (SMPP status as 0x and eight digits, DLR state, SIP code, or a number of a table, such as
    `map_error 27`), verstat, recipient and outcome_code.
    A row is a refusal if its outcome is none of delivered and queued; without outcome_code, if it has
    any text, list or event. The rule with the smallest priority wins, but where a text only says that
    some list refused, the rule on that list decides.

    Rows that are no refusal are null, except reports of spam (messages to 7726 and the like), which
    are USER_REPORT. A refusal that no rule knows is UNKNOWN, and is_antispam is null.
    """
    return refusals_with_rules(frame, rules or load_rules()).select(list(ACTED))


def refusals_with_rules(frame: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """The same with rule_id, the rule that decided; null where none did."""
    missing = {
        name: pl.lit(None, dtype=pl.String)
        for name in ("reply_text", "log_text", "dnsbl_zone", "event", "reply_code", "recipient", "verstat")
        if name not in frame.columns
    }
    rows = (
        frame.lazy()
        .with_row_index("__row")
        .with_columns(**missing)
        .select(
            "__row",
            "format_code",
            "channel_code",
            "log_text",
            "event",
            # A call that went on and failed later was not refused for its signature.
            pl.when(pl.col("outcome_code") == "rejected").then("verstat").alias("verstat")
            if "outcome_code" in frame.columns
            else "verstat",
            *(
                pl.col("reply_code").str.extract(rf"^{table} (\d+)$").alias(table)
                for table in ("map_error", "rp_cause", "tp_fcs")
            ),
            pl.col("dnsbl_zone").str.to_lowercase(),
            pl.col("reply_text").str.replace(r"; from=<.*$", "").alias("reply"),
            pl.when(pl.col("reply_code").str.starts_with("0x"))
            .then(pl.col("reply_code").str.to_lowercase())
            .otherwise("reply_code"),
            pl.when(pl.col("channel_code") != "EMAIL")
            .then(pl.col("recipient").str.strip_chars_start("+"))
            .alias("number"),
            is_refusal(frame.columns).alias("is_refusal"),
            pl.col("outcome_code").eq("expired").alias("is_expired")
            if "outcome_code" in frame.columns
            else pl.lit(False).alias("is_expired"),
        )
        .collect()
    )
    parts = [
        refused(part, measure_rules(rules, str(engine), str(channel)), rules, str(engine), str(channel))
        for (engine, channel), part in rows.partition_by("format_code", "channel_code", as_dict=True).items()
    ]
    if not parts:
        return pl.DataFrame(schema=ACTED | {"rule_id": pl.String})
    return pl.concat(parts).sort("__row").drop("__row")


def is_refusal(columns: Collection[str]) -> pl.Expr:
    """Whether a row tells of something that did not get through."""
    if "outcome_code" in columns:
        return pl.col("outcome_code").is_in(PASSED).not_().fill_null(False)
    return pl.any_horizontal(pl.col("reply_text", "log_text", "dnsbl_zone", "event").is_not_null())


def refused(
    part: pl.DataFrame, scope: tuple[MeasureRule, ...], rules: Rules, engine: str, channel: str
) -> pl.DataFrame:
    """The rows of one engine and channel with the measure that acted."""
    # Rules look at refusals only; but a report of spam, found by its number, is one whatever its outcome.
    passed = ~part["is_refusal"]
    places = {
        column: best_places(
            part[column] if column in ("number", "dnsbl_zone") else part[column].set(passed, None),
            measure_matcher(rules, engine, channel, match_on),
        )
        for column, match_on in REFUSAL_MEASURED.items()
    }
    table = pl.DataFrame(places).with_columns(part["is_refusal"], part["is_expired"], part["__row"])
    evidence = [column for column in REFUSAL_MEASURED if column != "number"]
    table = table.with_columns(
        pl.when("is_refusal").then(pl.min_horizontal(*evidence, "number")).otherwise("number").alias("place")
    )
    names_list_only = [place for place, rule in enumerate(scope) if rule.countermeasure_code == "DNSBL"]
    known_zone = [
        place
        for place, rule in enumerate(scope)
        if rule.match_on.startswith("dnsbl_zone") and rule.priority <= KNOWN_ZONE
    ]
    place = (
        pl.when(pl.col("place").is_in(names_list_only) & pl.col("dnsbl_zone").is_in(known_zone))
        .then("dnsbl_zone")
        .otherwise("place")
        .alias("place")
    )
    codes = pl.DataFrame(
        {
            "place": pl.Series(range(len(scope)), dtype=pl.Int32),
            "countermeasure_code": pl.Series([rule.countermeasure_code for rule in scope], dtype=pl.String),
            "x1231_strategy_code": pl.Series([rule.x1231_strategy_code for rule in scope], dtype=pl.String),
            "is_antispam": pl.Series([rule.is_antispam for rule in scope], dtype=pl.Boolean),
            "rule_id": pl.Series([rule.rule_id for rule in scope], dtype=pl.String),
        }
    )
    named = table.with_columns(place).join(codes, on="place", how="left", maintain_order="left")
    unnamed = pl.col("place").is_null() & pl.col("is_refusal")
    return named.select(
        "__row",
        pl.when(unnamed & pl.col("is_expired"))
        .then(pl.lit("DELIVERY_FAILURE"))
        .when(unnamed)
        .then(pl.lit("UNKNOWN"))
        .otherwise("countermeasure_code")
        .alias("countermeasure_code"),
        "x1231_strategy_code",
        pl.when(unnamed & pl.col("is_expired")).then(False).otherwise("is_antispam").alias("is_antispam"),
        "rule_id",
    )


def best_places(values: pl.Series, match: Matcher) -> pl.Series:
    """For each value the place of the best rule that matches; null where none does."""
    if values.null_count() == len(values) or match.is_empty:
        return pl.Series(values.name, [None] * len(values), dtype=pl.Int32)

    def results(distinct: list[str]) -> pl.DataFrame:
        best = [found[0] if (found := match(value)) else None for value in distinct]
        return pl.DataFrame({"place": pl.Series(best, dtype=pl.Int32)})

    return by_distinct(values, results)["place"].alias(values.name)


def countermeasure_of_verdicts(
    action: pl.Series,
    symbols: pl.Series,
    engine: str,
    rules: Rules | None = None,
    is_spam: pl.Series | None = None,
) -> pl.DataFrame:
    """Which measure of a filter acted, and which contributed.

    action: as the engine names it. symbols: lists of names. is_spam: whether the engine calls the message
    spam. Columns: those of countermeasure_of_refusals() for the acting measure, and countermeasure_codes, the
    measures that the symbols name, sorted. Symbols are read before the action where they name a mechanism:
    `soft reject` is greylisting only with the symbol that says so. No measure acted on a message that the
    engine let pass. Where no rule knows the action, or none is logged, the measure is CONTENT_FILTER if the
    engine calls the message spam, else UNKNOWN or none.
    """
    rules = rules or load_rules()
    scope = measure_rules(rules, engine, "EMAIL")
    by_symbol = measure_matcher(rules, engine, "EMAIL", SYMBOL)
    by_action = measure_matcher(rules, engine, "EMAIL", ACTION)

    def results(distinct: list[str]) -> pl.DataFrame:
        rows = []
        for value in distinct:
            found, flag, name = value.split("|", 2)
            named = [scope[place] for place in places_of(found)]
            rows.append(verdict_measure(name, named, by_action(name), scope, flag == "true"))
        columns = list(zip(*rows, strict=True)) or [()] * 4
        schema = {**ACTED, "countermeasure_codes": pl.List(pl.String)}
        return pl.DataFrame(
            {
                name: pl.Series(column, dtype=kind)
                for (name, kind), column in zip(schema.items(), columns, strict=True)
            }
        )

    found = found_in_lists(symbols, by_symbol, best=True)
    flag = pl.lit("") if is_spam is None else is_spam.cast(pl.String).fill_null("")
    keys = pl.select(pl.concat_str(found, flag, action.cast(pl.String).fill_null(""), separator="|"))
    return by_distinct(keys.to_series(), results)


def verdict_measure(
    action: str,
    named: Sequence[MeasureRule],
    by_action: tuple[int, ...],
    scope: Sequence[MeasureRule],
    is_spam: bool,
) -> tuple[str | None, str | None, bool | None, list[str]]:
    """The acting measure of one verdict, and all that its symbols name."""
    contributing = sorted({rule.countermeasure_code for rule in named} - {NO_MEASURE})
    acting = acting_rule(action, named, by_action, scope)
    if is_passed(action, is_spam) or (acting is not None and acting.countermeasure_code == NO_MEASURE):
        return None, None, None, contributing
    if acting is None:
        return (*(SPAM_FILTER if is_spam else ("UNKNOWN", None, None)), contributing)
    return acting.countermeasure_code, acting.x1231_strategy_code, acting.is_antispam, contributing


def is_passed(action: str, is_spam: bool) -> bool:
    """Whether a verdict lets the message pass, whatever its symbols name."""
    return action in PASSING or not (action or is_spam)


def acting_rule(
    action: str, named: Sequence[MeasureRule], by_action: Sequence[int], scope: Sequence[MeasureRule]
) -> MeasureRule | None:
    """The rule on a verdict's measure: of its action, or of a symbol that names the mechanism."""
    acting = scope[by_action[0]] if by_action else None
    if acting is not None and acting.countermeasure_code == NO_MEASURE:
        return acting
    mechanisms = [
        rule
        for rule in named
        if rule.countermeasure_code != NO_MEASURE
        and (acting is None or rule.priority < acting.priority)
        and (rule.countermeasure_code in DEFERRING) == (action in DEFERRALS)
    ]
    return mechanisms[0] if acting is not None and mechanisms else acting

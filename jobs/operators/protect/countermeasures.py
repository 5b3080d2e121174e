"""Countermeasures by ref.countermeasure_rule: which one refused a message, or acted on a verdict."""

from collections.abc import Collection, Sequence

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.tables.contracts import column_types
from jobs.base.tables.matching import Matcher, map_distinct_rows, map_texts, match_lists, split_places
from jobs.operators.protect.rules import (
    ACTION,
    REFUSAL_MEASURED,
    SYMBOL,
    MeasureRule,
    Rules,
    load_rules,
    measure_matcher,
    measure_rules,
)
from jobs.operators.protect.shapes import PASSING

NO_MEASURE = "NONE"
# Symbols of these say that the module looked; they act only where the verdict is a deferral.
DEFERRING = {"GREYLIST", "RATE_LIMIT"}
DEFERRALS = {"soft reject", "greylist"}
# The measure of a filter that calls a message spam, where no rule matches its action.
SPAM_FILTER = ("CONTENT_FILTER", "filtering", True)
# Up to this priority a rule on a DNSBL names the zone; above, it matches the form of a zone's name only.
KNOWN_ZONE = 50
# Outcomes that need no measure: the message got through, or may still.
PASSED = ("delivered", "queued")
ACTED = column_types("countermeasure_code", "x1231_strategy_code", "is_antispam") | {"rule_id": pl.String}


def countermeasure_of_refusals(frame: pl.DataFrame, rules: Rules | None = None) -> pl.DataFrame:
    """The measure that refused, one row for each row: countermeasure_code, x1231_strategy_code, is_antispam,
    and rule_id, the rule that decided, null where none did.

    Reads format_code and channel_code, and what there is of reply_text, log_text, dnsbl_zone, event,
    reply_code (SMPP status as 0x and eight digits, DLR state, SIP code, or a number of a table, such as
    `map_error 27`), verstat, recipient and outcome_code.
    A row is a refusal if its outcome is none of delivered and queued; without outcome_code, if it has
    any text, list or event. The rule with the smallest priority wins, but where a text only says that
    some list refused, the rule on that list decides.

    Rows that are no refusal are null, except reports of spam (messages to 7726 and the like), which
    are USER_REPORT. A refusal that no rule matches is UNKNOWN, and is_antispam is null.
    """
    rules = rules or load_rules()
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
        find_acting_rules(
            part, measure_rules(rules, str(engine), str(channel)), rules, str(engine), str(channel)
        )
        for (engine, channel), part in rows.partition_by("format_code", "channel_code", as_dict=True).items()
    ]
    if not parts:
        return pl.DataFrame(schema=ACTED)
    return pl.concat(parts).sort("__row").drop("__row")


def is_refusal(columns: Collection[str]) -> pl.Expr:
    """Return whether a row is about something that did not get through."""
    if "outcome_code" in columns:
        return pl.col("outcome_code").is_in(PASSED).not_().fill_null(False)
    return pl.any_horizontal(pl.col("reply_text", "log_text", "dnsbl_zone", "event").is_not_null())


def find_acting_rules(
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
        [
            (place, rule.countermeasure_code, rule.x1231_strategy_code, rule.is_antispam, rule.rule_id)
            for place, rule in enumerate(scope)
        ],
        {"place": pl.Int32, **ACTED},
        orient="row",
    )
    named = table.with_columns(place).join(codes, on="place", how="left", maintain_order="left")
    unnamed = pl.col("place").is_null() & pl.col("is_refusal")
    return named.select(
        "__row",
        choose_code(
            DELIVERY_FAILURE=unnamed & pl.col("is_expired"),
            UNKNOWN=unnamed,
            otherwise=pl.col("countermeasure_code"),
        ).alias("countermeasure_code"),
        "x1231_strategy_code",
        pl.when(unnamed & pl.col("is_expired")).then(False).otherwise("is_antispam").alias("is_antispam"),
        "rule_id",
    )


def best_places(values: pl.Series, match: Matcher) -> pl.Series:
    """Return for each value the place of the best rule that matches; null where none does."""
    if values.null_count() == len(values) or match.is_empty:
        return pl.Series(values.name, [None] * len(values), dtype=pl.Int32)
    return map_texts(values, lambda value: found[0] if (found := match(value)) else None, pl.Int32)


def countermeasure_of_verdicts(
    action: pl.Series,
    symbols: pl.Series,
    engine: str,
    rules: Rules | None = None,
    is_spam: pl.Series | None = None,
) -> pl.DataFrame:
    """The measure of a filter that acted, and those that contributed.

    Columns: those of countermeasure_of_refusals() for the acting measure, and countermeasure_codes, the
    measures that the symbols name, sorted. Symbols are read before the action where they name a mechanism:
    `soft reject` is greylisting only with the symbol that says so. No measure acted on a message that the
    engine let pass. Where no rule knows the action, or none is logged, the measure is CONTENT_FILTER if the
    engine calls the message spam, else UNKNOWN or none.

    Args:
        action: as the engine names it.
        symbols: lists of names.
        is_spam: whether the engine calls the message spam.
    """
    rules = rules or load_rules()
    scope = measure_rules(rules, engine, "EMAIL")
    by_symbol = measure_matcher(rules, engine, "EMAIL", SYMBOL)
    by_action = measure_matcher(rules, engine, "EMAIL", ACTION)

    def decide_distinct(distinct: list[str]) -> pl.DataFrame:
        rows = []
        for value in distinct:
            found, flag, name = value.split("|", 2)
            named = [scope[place] for place in split_places(found)]
            rows.append(verdict_measure(name, named, by_action(name), scope, flag == "true"))
        return pl.DataFrame(rows, {**ACTED, "countermeasure_codes": pl.List(pl.String)}, orient="row")

    found = match_lists(symbols, by_symbol, best=True)
    flag = pl.lit("") if is_spam is None else is_spam.cast(pl.String).fill_null("")
    keys = pl.select(pl.concat_str(found, flag, action.cast(pl.String).fill_null(""), separator="|"))
    return map_distinct_rows(keys.to_series(), decide_distinct)


def verdict_measure(
    action: str,
    named: Sequence[MeasureRule],
    by_action: tuple[int, ...],
    scope: Sequence[MeasureRule],
    is_spam: bool,
) -> tuple[str | None, str | None, bool | None, str | None, list[str]]:
    """The acting measure of one verdict with its rule, and all that its symbols name."""
    contributing = sorted({rule.countermeasure_code for rule in named} - {NO_MEASURE})
    acting = acting_rule(action, named, by_action, scope)
    if is_passed(action, is_spam) or (acting is not None and acting.countermeasure_code == NO_MEASURE):
        return None, None, None, None, contributing
    if acting is None:
        return (*(SPAM_FILTER if is_spam else ("UNKNOWN", None, None)), None, contributing)
    codes = acting.countermeasure_code, acting.x1231_strategy_code, acting.is_antispam
    return *codes, acting.rule_id, contributing


def is_passed(action: str, is_spam: bool) -> bool:
    """Return whether a verdict lets the message pass, whatever its symbols name."""
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

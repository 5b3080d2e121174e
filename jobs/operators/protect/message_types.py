"""Types of spam by ref.type_rule: from symbols, actions, subjects and texts."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence

import polars as pl

from jobs.base.tables.contracts import column_types, names_signatures
from jobs.base.tables.matching import Matcher, map_distinct_rows, map_texts, match_lists, split_places
from jobs.operators.protect.rules import (
    ACTION,
    SIGNATURE,
    SYMBOL,
    TEXT,
    Rules,
    TypeRule,
    load_rules,
    type_matcher,
    type_rules,
)

# Of two types with equal evidence, the more harmful one is taken.
HARM = ("MALWARE", "PHISH", "FRAUD", "PHONE", "AD", "OTHER")
UNKNOWN_TYPE = "UNK"

TYPED = column_types("spam_type_code", "spam_type_codes", "is_type_strong", "type_priority")


def type_of_verdicts(
    symbols: pl.Series,
    engine: str,
    channel: str | None = None,
    rules: Rules | None = None,
    action: pl.Series | None = None,
    subject: pl.Series | None = None,
) -> pl.DataFrame:
    """A message's type by the symbols, the action and the mail's subject of each verdict.

    Rows of the answer: spam_type_code, null where no rule matched and UNK where rules state only that the
    content is unknown; spam_type_codes, all types that any rule matched, weak ones too, sorted;
    is_type_strong, whether strong evidence gives spam_type_code, and type_priority, the priority of the rule
    that gives it, null where there is none. A weak type says what a spam message is about; it is no reason to
    call it spam.

    Args:
        symbols: lists of names.
        action: as the engine names it.
        subject: decoded.
    """
    rules = rules or load_rules()
    places = places_of_verdicts(symbols, engine, channel, rules, action, subject)
    return decide_types(places, split_places, type_rules(rules, engine, channel))


def places_of_verdicts(
    symbols: pl.Series,
    engine: str,
    channel: str | None,
    rules: Rules,
    action: pl.Series | None,
    subject: pl.Series | None,
) -> pl.Series:
    """The places in type_rules() of the rules that match each verdict, as `3,17`.

    Args:
        symbols: a list of names for each verdict.
        action: as the engine names it; None: no rule on actions is tried.
        subject: decoded; None: no rule on texts is tried.
    """
    match = type_matcher(rules, engine, channel, (*SYMBOL, *(SIGNATURE if names_signatures(engine) else ())))
    found = [match_lists(symbols, match)]
    if action is not None:
        found.append(matching_places(action, type_matcher(rules, engine, channel, ACTION)))
    if subject is not None:
        found.append(matching_places(subject, type_matcher(rules, engine, channel, TEXT)))
    return pl.select(pl.concat_str(found, separator=",", ignore_nulls=True).alias("places"))["places"]


def type_of_texts(
    texts: pl.Series,
    engine: str,
    channel: str | None = None,
    rules: Rules | None = None,
    match_on: Collection[str] = TEXT,
) -> pl.DataFrame:
    """The type by subjects, message texts or refusals; columns as of type_of_verdicts().

    Args:
        match_on: add "reject_text_regex" for the text of a refusal.
    """
    rules = rules or load_rules()
    match = type_matcher(rules, engine, channel, tuple(sorted(match_on)))
    return decide_types(texts.cast(pl.String), match, type_rules(rules, engine, channel))


def matching_places(values: pl.Series, match: Callable[[str], Collection[int]]) -> pl.Series:
    """The places of the rules that match each value, as `3,17`; null where none does."""
    if values.null_count() == len(values) or (isinstance(match, Matcher) and match.is_empty):
        return pl.Series(values.name, [None], dtype=pl.String).new_from_index(0, len(values))
    return map_texts(values, lambda value: ",".join(map(str, found)) if (found := match(value)) else None)


def decide_types(
    values: pl.Series, places: Callable[[str], Collection[int]], rules: tuple[TypeRule, ...]
) -> pl.DataFrame:
    """One row for each value, from the rules that match it."""
    decided: dict[frozenset[int], Primary] = {}

    def decide_distinct(distinct: list[str]) -> pl.DataFrame:
        rows = []
        for value in distinct:
            found = frozenset(places(value))
            if found not in decided:
                decided[found] = primary_type([rules[place] for place in sorted(found)])
            rows.append(decided[found])
        return pl.DataFrame(rows, TYPED, orient="row")

    return map_distinct_rows(values, decide_distinct).with_columns(pl.col("spam_type_codes").fill_null([]))


# A type, all types, whether the evidence of the first is strong, and its rule's priority: as TYPED.
Primary = tuple[str | None, list[str], bool | None, int | None]


def primary_type(matched: Sequence[TypeRule]) -> Primary:
    """The type by the matching rules, all types, whether the evidence is strong, and its priority.

    Types by the server and several filters are compared in the order of primary_rule()
    (jobs/operators/silver/type_evidence.py).
    """
    best = primary_rule(matched)
    if best is None:
        return None, [], None, None
    codes = {rule.spam_type_code for rule in matched}
    return best.spam_type_code, sorted(codes - {UNKNOWN_TYPE}), best.is_strong, best.priority


def primary_rule(matched: Sequence[TypeRule]) -> TypeRule | None:
    """The rule that decides the type: a type beats UNK; strong beats weak; then the smaller priority wins,
    then the type of most rules, then the more harmful group, then an engine's own rule."""
    votes = Counter(rule.spam_type_code for rule in matched)

    def rank_rule(rule: TypeRule) -> tuple[bool, bool, int, int, int, bool, str]:
        code = rule.spam_type_code
        group = code.split(".")[0]
        harm = HARM.index(group) if group in HARM else len(HARM)
        return (
            code == UNKNOWN_TYPE,
            not rule.is_strong,
            rule.priority,
            -votes[code],
            harm,
            rule.engine_code == "any",
            code,
        )

    return min(matched, key=rank_rule, default=None)

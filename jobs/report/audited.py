"""What a page says of filters' errors: ends of spam with them, where they come from, and who has none.

gold.spam_corrected_monthly has what audits and tests make of each operator's month; here its rows are added
up. The parts of a volume add up; so do the intervals of several operators and months, whose samples are drawn
apart: their distances from the estimates add as squares (Zou and Donner 2008), the ends of the parts that are
counted as they are. A test elsewhere is one for all months of an operator, so its distances in them add up as
they are before they are squared.

Assumed is that labels and tests are right, that what was not labelled of a stratum is like what was, and that
a month's shares of each call hold for what came of the month after its sample was drawn. A label says whether
a message is spam to the operator, so it speaks for the definitions that ask nothing but what the operator's
measures did; it says so of a month and a channel, of recipients, and of a type. Of a day, a stage, a country
or a route it speaks as far as filters err alike in all of them (jobs/gold/correcting.py). What never had
content (attempts, calls) was in no sample and is never corrected.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from jobs.core import words
from jobs.core.attributes import asked
from jobs.core.shares import CALL_SHARES
from jobs.gold.correcting import AUDITED, DISTANCES, ESTIMATES, SIDES, squares
from jobs.report.blocks import SHARES, Block, Cell, Column, Section, Table, interval, number
from jobs.report.figures import ENDS_OF_SPAM, SUMS
from jobs.report.study import Study, channel_name

# What a column of ranges that include the filters' errors is called.
HEADING = "Corrected for filter error"
# What a definition asks that no label records, in a word.
UNTOLD = {
    "is_bulk": "bulk",
    "commercial_code": "purpose",
    "consent_code": "consent",
    "is_optout_present": "opt-out",
    "is_optout_honoured": "opt-out",
    "is_sender_identified": "sender identification",
    "is_header_forged": "forged headers",
    "is_subject_deceptive": "deceptive subjects",
    "is_recipient_natural": "natural persons",
    "is_automated": "automated calls",
    "is_exempt": "exemptions",
    "is_malicious": "malicious content",
    "is_sender_registered": "registers",
    "is_template_registered": "registers",
    "is_preference_refused": "registers",
}


@dataclass(frozen=True)
class Corrected:
    """A channel's spam with the filters' error in it. share: of the messages whose content was seen, how many
    an audit or a test speaks for; 0 where there is none, and then the ends are those that were counted."""

    low: int
    high: int
    share: float
    methods: tuple[str, ...]


def corrected(total: dict[str, Any], errors: pl.DataFrame, seen_units: int | None = None) -> Corrected:
    """total: units, spam_certain and spam_possible of a channel or a type. errors: the rows of that figure.
    seen_units: of how many messages content was seen, where rows of other months are not among them."""
    sums = errors.select(pl.col("seen_units", *AUDITED, "audited_spam").sum()).row(0, named=True)
    certain, possible = (total[f"spam_{end}"] - sums[f"audited_{end}"] for end in ("certain", "possible"))
    spam = float(sums["audited_spam"])
    # An audit is of its own month; a test elsewhere is one for all months of an operator.
    of_operators = errors.group_by("operator_id").agg(pl.col(DISTANCES).sum()).select(**squares())
    below, above = (math.sqrt(float(of_operators[side].sum())) for side in SIDES)
    return Corrected(
        low=max(math.floor(certain + spam - below), 0),
        high=min(math.ceil(possible + spam + above), total["units"]),
        share=words.share_of(sums["audited_units"], seen_units or sums["seen_units"]),
        methods=tuple(sorted(set(errors["quality_method_code"].drop_nulls()))),
    )


@cache
def untold(definition: str) -> tuple[str, ...]:
    """What a definition asks of a message that a label does not record; nothing if labels suffice."""
    rows = [row for row in words.reference("definition") if row["definition_code"] == definition]
    return tuple(dict.fromkeys(UNTOLD[name] for name in asked(row["predicate"] for row in rows)))


def of_definition(study: Study, row: dict[str, Any]) -> Cell:
    """The share of spam by a definition with the filters' errors in it, or why it has none."""
    asks = untold(row["definition_code"])
    if asks:
        return number(f"labels do not record {words.listed(asks)}", "muted")
    return share_cell(study, row)


def share_cell(study: Study, row: dict[str, Any]) -> Cell:
    """The share of an OPERATOR row of a channel with the filters' errors in it."""
    found = of_channel(study, row)
    if not found.share:
        return number("not audited", "muted")
    return number(
        words.percent_range(*(words.share_of(end, row["units"]) for end in (found.low, found.high)))
    )


def of_type(study: Study, row: dict[str, Any]) -> Corrected:
    """row: channel_code, spam_type_code, spam_certain and spam_possible of a type, and the units of all."""
    of_channel = errors_of(study, row["channel_code"], words.TOTAL)
    errors = errors_of(study, row["channel_code"], row["spam_type_code"])
    return corrected(row, errors, int(of_channel["seen_units"].sum()))


def errors_of(study: Study, channel: str, spam_type: str) -> pl.DataFrame:
    """What audits and tests make of a channel's type, or of the channel, in operators' months."""
    is_mine = (pl.col("channel_code") == channel) & (pl.col("spam_type_code") == spam_type)
    return study.figures["errors"].filter(is_mine)


def ends(row: dict[str, Any]) -> tuple[int, int]:
    """Spam of a part of a channel, as a day or a country, with the filters' errors in it, in whole units."""
    return math.floor(row["spam_low"]), min(math.ceil(row["spam_high"]), row["units"])


def share_of_part(row: dict[str, Any]) -> Cell:
    """The share of spam in a part of a channel with the filters' errors in it."""
    return unaudited(row) or number(
        words.percent_range(*(words.share_of(end, row["units"]) for end in ends(row)))
    )


def count_of_part(row: dict[str, Any]) -> Cell:
    """Spam of a part of a channel with the filters' errors in it."""
    return unaudited(row) or number(words.plenty_range(*ends(row)))


def unaudited(row: dict[str, Any]) -> Cell | None:
    """The cell of a part that no audit speaks for. What had no content to look at is no want of an audit."""
    if row["audited_units"]:
        return None
    return number("not audited", "muted") if row["seen_units"] else number("")


def added(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Parts as one: their ends may be added, which is as wide as they are or wider."""
    return {name: sum(row[name] for row in rows) for name in (*SUMS, *ENDS_OF_SPAM)}


def is_told(rows: list[dict[str, Any]]) -> bool:
    """Whether an audit speaks for any of these parts: without one, a table has no column of errors."""
    return any(row["audited_units"] for row in rows)


def on_parts(study: Study, figure: str, assumed: str) -> list[str]:
    """What to say of a figure by parts: where its errors come from, what they assume, and who has none."""
    partly: list[str] = []
    silent: defaultdict[str, list[str]] = defaultdict(list)
    is_any_told = False
    for channel, table in study.per_channel(figure):
        name = channel_name(channel, inside=True)
        seen, audited = (int(table[column].sum()) for column in ("seen_units", "audited_units"))
        if not audited:
            silent[why_silent(study, channel, seen)].append(name)
            continue
        is_any_told = True
        if audited < seen:
            partly.append(f"{words.percent(words.share_of(audited, seen))} of the {name}")
    of_parts = f" It covers {words.listed(partly)} whose content filters saw." if partly else ""
    notes = [f"{HEADING} {assumed}{of_parts}"] if is_any_told else []
    return notes + [sentence.format(words.listed(names)) for sentence, names in silent.items()]


def why_silent(study: Study, channel: str, seen: int) -> str:
    """Why no audit speaks for a figure of a channel of which so many units had content, as a sentence with a
    place for the channel."""
    known = study.figures["quality"].filter(
        pl.col("channel_code") == channel, pl.col("prevalence").is_not_null()
    )
    if not len(known):
        return "Not audited, so shown as filters saw it: {}."
    if not seen:
        return (
            "Shown as filters saw it: {}. What is counted here had no content, or comes from an earlier"
            " version until gold is computed again."
        )
    if not sum(known[name].count() for name in CALL_SHARES):
        return (
            "Shown as filters saw it until gold is computed again, because rows of an earlier version do not"
            " record content: {}."
        )
    return "Shown as filters saw it, because no audit covers what is counted here: {}."


# What is assumed of parts that are not the filter's own doing.
ALIKE = (
    "by an audit or test of each channel's month, assuming that a filter errs alike in all of it. If spam of"
    " one source gets through more often than that of others, these ranges do not contain the truth."
)


def of_channel(study: Study, total: dict[str, Any]) -> Corrected:
    return corrected(total, errors_of(study, total["channel_code"], words.TOTAL))


def with_error(study: Study, total: dict[str, Any]) -> dict[str, Any]:
    """The row of a channel with the filters' error in the ends of its spam."""
    found = of_channel(study, total)
    return total | {"spam_certain": found.low, "spam_possible": found.high}


def says(found: Corrected) -> str:
    """Whether a channel's interval includes filter error, and by what."""
    if not found.share:
        return "Not audited: the range does not include filter error."
    how = words.listed("by audit" if code == "audit" else "by a test elsewhere" for code in found.methods)
    if found.share == 1:
        return f"The interval includes filter error ({how})."
    share = words.percent(found.share)
    return f"The interval includes filter error for {share} of the messages that filters saw ({how})."


def note(study: Study) -> str:
    """The sentence below the headline."""
    whole: list[str] = []
    partly: list[str] = []
    never: list[str] = []
    for total in study.totals:
        name = channel_name(total["channel_code"], inside=True)
        share = of_channel(study, total).share
        (whole if share == 1 else partly if share else never).append(name)
    parts = [f"The interval of {words.listed(whole)} includes filter error."] if whole else []
    parts += [f"That of {words.listed(partly)} includes it in part."] if partly and whole else []
    if partly and not whole:
        parts.append(f"The interval of {words.listed(partly)} includes filter error in part.")
    if never:
        parts.append(f"Not audited: {words.listed(never)}, whose ranges do not include filter error.")
    return " ".join(parts)


def by_filter(study: Study) -> Section:
    """How often filters err: a block for each channel, a row for each operator and month."""
    blocks, missing, findings = [], [], []
    for channel, table in study.per_channel("quality"):
        name = channel_name(channel)
        rows = table.filter(pl.col("prevalence").is_not_null()).sort("operator_id", "period_code").to_dicts()
        total = next(each for each in study.totals if each["channel_code"] == channel)
        found = of_channel(study, total)
        if not rows:
            missing.append(f"{name} is not audited: its figures are as filters saw it.")
            continue
        counted = words.percent_range(
            *(words.share_of(total[end], total["units"]) for end in ("spam_certain", "spam_possible"))
        )
        ends = words.percent_range(*(words.share_of(end, total["units"]) for end in (found.low, found.high)))
        findings.append(f"{name}: {counted} was spam as filters acted, {ends} corrected for filter error.")
        lines = [
            [
                Cell(
                    f"{study.operator_name(row['operator_id'])}, {words.period(row['period_code'])}",
                    how_known(row),
                    interval(row["prevalence_low"], row["prevalence"], row["prevalence_high"], 1),
                ),
                *(number(estimate(row, each)) for each in ESTIMATES),
            ]
            for row in rows
        ]
        columns = [Column("Operator and month", "text"), Column("Spam in what it saw")]
        columns += [Column("Of spam, caught", is_minor=True), Column("Of the rest, let pass", is_minor=True)]
        rates = Table(f"Filters of {words.inside(name)}", columns, lines, axis=SHARES)
        blocks.append(Block(name, rates, "quality.csv"))
        blocks += by_part(study, channel)
    note = (
        "Estimates with 95% intervals, of messages whose content filters saw. Refusals before content stay as"
        " counted."
    )
    notes = [note] if blocks else []
    return Section("filters", "How often filters err", "\n".join(findings), blocks, missing, notes)


def by_part(study: Study, channel: str) -> list[Block]:
    """Where a channel's filters err: a row for each part that was audited."""
    table = study.figures["quality_parts"].filter(pl.col("channel_code") == channel)
    if not len(table):
        return []
    name = channel_name(channel)
    order = ["operator_id", "period_code", "stratum_code"]
    lines = [
        [
            Cell(
                part_name(row["stratum_code"], channel),
                f"{study.operator_name(row['operator_id'])}, {words.period(row['period_code'])}:"
                f" {words.whole(row['labelled_count'])} labels of {words.whole(row['units'])} messages",
            ),
            number(estimate(row, "prevalence") or "too few labels", "" if row["prevalence"] else "muted"),
            *(number(estimate(row, each)) for each in ESTIMATES[1:]),
        ]
        for row in table.sort(order).to_dicts()
    ]
    columns = [Column("Part", "text"), Column("Spam in it")]
    columns += [Column("Of spam, caught", is_minor=True), Column("Of the rest, let pass", is_minor=True)]
    caption = f"Where filters of {words.inside(name)} err"
    note = "A cell is empty if the filter treated the whole part alike, or if labels are too few."
    return [Block(f"{name}, in parts", Table(caption, columns, lines), "quality_parts.csv", note=note)]


def part_name(code: str, channel: str) -> str:
    """A part by its stratum's code: units with or without a type by the logs, or a band of the score."""
    typed, _, band = code.removeprefix(f"{channel}._T.").partition(".")
    if band == "_T":
        return {"typed": "Type known", "untyped": "Type not known"}[typed]
    if band.startswith(("lt", "ge")):
        return f"Score {'below' if band.startswith('lt') else 'from'} {band[2:]}"
    return {"none": "No score", "any": "Any score"}.get(band, f"Score {band.replace('to', ' to ')}")


def how_known(row: dict[str, Any]) -> str:
    how = words.name("quality_method", row["quality_method_code"])
    if row["quality_method_code"] != "audit":
        return f"{how}, a test elsewhere"
    labelled, drawn = (words.whole(row[name]) for name in ("labelled_count", "sampled_count"))
    return f"{how}: {labelled} of {drawn} drawn were labelled"


def estimate(row: dict[str, Any], name: str) -> str:
    """An estimate with its interval, as 44.1% (41.0–47.2%)."""
    if row[name] is None:
        return ""
    ends = words.percent_range(row[f"{name}_low"], row[f"{name}_high"])
    return f"{words.percent(row[name])} ({ends})"

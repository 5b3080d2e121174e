"""Filter error on the page: spam corrected for it, how it was corrected, and which channels were not.

gold.spam_corrected_monthly has the results of audits and tests for each operator and month; here its rows are
added up. Volumes add up. The intervals of several operators and months combine as independent ones: their
distances from the estimates add as squares (Zou and Donner 2008), and the bounds of counted parts add up. One
test elsewhere serves all months of an operator, so its distances in them are added before they are squared.

Assumptions: labels and tests are right; the unlabelled messages of a stratum are like the labelled ones; a
month's rates hold for messages that arrived after its sample was drawn. A label states whether a message is
spam to the operator, for a month, a channel and a type, so it can correct only definitions that depend on the
operator's measures alone. A day, a stage, a country or a route is corrected under the assumption that filters
err alike in all of them (jobs/operators/gold/shared/correcting.py). Units without content (attempts, calls)
are in no sample and are never corrected.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cache

import polars as pl

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.page.blocks import SHARES, Block, Cell, Column, Section, Table, number_cell, range_bar
from jobs.base.tables.attributes import asked_attributes
from jobs.base.tables.contracts import Row, reference_rows
from jobs.operators.gold.shared.correcting import AUDITED, DISTANCES, ESTIMATES, SIDES, squared_distances
from jobs.operators.report.figures import ENDS_OF_SPAM, SUMS
from jobs.operators.report.report import Report, Spam, channel_name

# The heading of a column of corrected ranges.
HEADING = "Corrected for filter error"
# Attributes that a definition may depend on and no label records, each with a word for it.
UNLABELLED = {
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
class CorrectedChannel:
    """A channel's spam corrected for filter error.

    Attributes:
        low, high: bounds in whole units.
        share: the part of the messages with seen content that an audit or a test covers; if it is 0, the
            bounds are those that were counted.
    """

    low: int
    high: int
    share: float
    methods: tuple[str, ...]


def correct_spam(counted: Spam, errors: pl.DataFrame, seen_units: int | None = None) -> CorrectedChannel:
    """Spam corrected for filter error.

    Args:
        counted: of a channel or a type.
        errors: its rows of that figure.
        seen_units: messages with seen content, if `errors` has not the rows of all months.
    """
    sums = errors.select(pl.col("seen_units", *AUDITED, "audited_spam").sum()).row(0, named=True)
    certain, possible = counted.certain - sums["audited_certain"], counted.possible - sums["audited_possible"]
    spam = float(sums["audited_spam"])
    # An audit covers its own month; one test elsewhere covers all months of an operator.
    of_operators = errors.group_by("operator_id").agg(pl.col(DISTANCES).sum()).select(**squared_distances())
    below, above = (math.sqrt(float(of_operators[side].sum())) for side in SIDES)
    return CorrectedChannel(
        low=max(math.floor(certain + spam - below), 0),
        high=min(math.ceil(possible + spam + above), counted.units),
        share=numbers.share_of(sums["audited_units"], seen_units or sums["seen_units"]),
        methods=tuple(sorted(set(errors["quality_method_code"].drop_nulls()))),
    )


@cache
def list_unlabelled(definition: str) -> tuple[str, ...]:
    """Attributes that a definition depends on and labels do not record; empty if labels suffice."""
    rows = [row for row in reference_rows("definition") if row["definition_code"] == definition]
    return tuple(
        dict.fromkeys(UNLABELLED[name] for name in asked_attributes(row["predicate"] for row in rows))
    )


def is_audited(report: Report, channel: str) -> bool:
    """Return whether an audit or a test covers any of a channel's spam."""
    return int(errors_of(report, channel, words.TOTAL)["audited_units"].sum()) > 0


def definition_cell(report: Report, channel: str, definition: str, counted: Spam) -> Cell:
    """The share of a channel's spam under a definition, corrected for filter error, or why it is not."""
    asks = list_unlabelled(definition)
    if asks:
        return number_cell(f"labels do not record {words.join_words(asks)}", "muted")
    return share_cell(report, channel, counted)


def share_cell(report: Report, channel: str, counted: Spam) -> Cell:
    """The share of a channel's spam by the operators' own definition, corrected for filter error."""
    found = correct_channel(report, channel, counted)
    if not found.share:
        return number_cell("not audited", "muted")
    return number_cell(numbers.format_parts(found.low, found.high, counted.units))


def correct_type(report: Report, channel: str, spam_type: str, counted: Spam) -> CorrectedChannel:
    """Spam of a type corrected for filter error.

    Args:
        counted: spam of the type in units of all types.
    """
    of_channel = errors_of(report, channel, words.TOTAL)
    return correct_spam(counted, errors_of(report, channel, spam_type), int(of_channel["seen_units"].sum()))


def errors_of(report: Report, channel: str, spam_type: str) -> pl.DataFrame:
    """The results of audits and tests for a type of a channel, or for the channel: a row per operator and
    month."""
    is_mine = (pl.col("channel_code") == channel) & (pl.col("spam_type_code") == spam_type)
    return report.figures.errors.filter(is_mine)


def spam_bounds(row: Row) -> tuple[int, int]:
    """Bounds of the spam in a part of a channel (a day, a country), corrected for filter error, in whole
    units."""
    return math.floor(row["spam_low"]), min(math.ceil(row["spam_high"]), row["units"])


def part_share_cell(row: Row) -> Cell:
    """The share of spam in a part of a channel, corrected for filter error."""
    return unaudited_cell(row) or number_cell(numbers.format_parts(*spam_bounds(row), row["units"]))


def part_count_cell(row: Row) -> Cell:
    """Spam in a part of a channel, corrected for filter error."""
    return unaudited_cell(row) or number_cell(numbers.format_range(*spam_bounds(row)))


def unaudited_cell(row: Row) -> Cell | None:
    """The cell of a part that no audit covers; empty if nothing in it had content, so no audit is missing."""
    if row["audited_units"]:
        return None
    return number_cell("not audited", "muted") if row["seen_units"] else number_cell("")


def add_parts(rows: list[Row]) -> Row:
    """Parts as one row. Bounds are added, so the sum's interval is as wide as theirs or wider."""
    return {name: sum(row[name] for row in rows) for name in (*SUMS, *ENDS_OF_SPAM)}


def has_audit(rows: list[Row]) -> bool:
    """Return whether an audit covers any of these parts; if none does, a table has no corrected column."""
    return any(row["audited_units"] for row in rows)


def part_notes(report: Report, figure: pl.DataFrame, assumed: str) -> list[str]:
    """Notes on a figure by parts: how it was corrected, what that assumes, and which channels were not."""
    partly: list[str] = []
    silent: defaultdict[str, list[str]] = defaultdict(list)
    has_any_audit = False
    for channel, table in report.split_by_channel(figure):
        name = channel_name(channel, inside=True)
        seen, audited = (int(table[column].sum()) for column in ("seen_units", "audited_units"))
        if not audited:
            silent[explain_no_audit(report, channel, seen)].append(name)
            continue
        has_any_audit = True
        if audited < seen:
            partly.append(f"{numbers.format_part(audited, seen)} of the {name}")
    of_parts = f" It covers {words.join_words(partly)} whose content filters saw." if partly else ""
    notes = [f"{HEADING} {assumed}{of_parts}"] if has_any_audit else []
    return notes + [sentence.format(words.join_words(names)) for sentence, names in silent.items()]


def explain_no_audit(report: Report, channel: str, seen: int) -> str:
    """The reason why no audit covers a channel's figure: a sentence with {} for the channel.

    Args:
        seen: the channel's units that had content.
    """
    known = report.figures.quality.filter(
        pl.col("channel_code") == channel, pl.col("prevalence").is_not_null()
    )
    if not len(known):
        return "Not audited, so shown as filters saw it: {}."
    if not seen:
        return "Shown as filters saw it, because what is counted here had no content: {}."
    return "Shown as filters saw it, because no audit covers what is counted here: {}."


# How parts that do not depend on the filter (days, countries, routes) are corrected.
ALIKE = (
    "by an audit or test of each channel's month, assuming that a filter errs alike in all of it. If spam of"
    " one source gets through more often than that of others, these ranges do not contain the truth."
)


def correct_channel(report: Report, channel: str, counted: Spam) -> CorrectedChannel:
    return correct_spam(counted, errors_of(report, channel, words.TOTAL))


def correct_bounds(report: Report, channel: str, counted: Spam) -> Spam:
    """A channel's spam with bounds that are corrected for filter error."""
    found = correct_channel(report, channel, counted)
    return Spam(counted.units, found.low, found.high)


def describe_error(found: CorrectedChannel) -> str:
    """Return whether a channel's interval includes filter error, and by what."""
    if not found.share:
        return "Not audited: the range does not include filter error."
    how = words.join_words("by audit" if code == "audit" else "by a test elsewhere" for code in found.methods)
    if found.share == 1:
        return f"The interval includes filter error ({how})."
    share = numbers.format_share(found.share)
    return f"The interval includes filter error for {share} of the messages that filters saw ({how})."


def audit_note(report: Report) -> str:
    """The sentence below the headline."""
    whole: list[str] = []
    partly: list[str] = []
    never: list[str] = []
    for channel, counted in report.totals.items():
        name = channel_name(channel, inside=True)
        share = correct_channel(report, channel, counted).share
        (whole if share == 1 else partly if share else never).append(name)
    parts = [f"The interval of {words.join_words(whole)} includes filter error."] if whole else []
    parts += [f"That of {words.join_words(partly)} includes it in part."] if partly and whole else []
    if partly and not whole:
        parts.append(f"The interval of {words.join_words(partly)} includes filter error in part.")
    if never:
        parts.append(f"Not audited: {words.join_words(never)}, whose ranges do not include filter error.")
    return " ".join(parts)


def filters_section(report: Report) -> Section:
    """The error rates of filters: a block for each channel, a row for each operator and month."""
    blocks, missing = [], []
    for channel, table in report.split_by_channel(report.figures.quality):
        name = channel_name(channel)
        rows = table.filter(pl.col("prevalence").is_not_null()).sort("operator_id", "period_code").to_dicts()
        total = report.totals[channel]
        corrected = correct_bounds(report, channel, total)
        if not rows:
            missing.append(
                f"{name} is not audited: its figures are as filters saw it. “observatory audit sample” draws"
                " messages for people to label."
            )
            continue
        finding = (
            f"{name}: {total.range} was spam as filters acted, {corrected.range} corrected for filter error."
        )
        lines = [
            [
                Cell(
                    f"{report.operator_name(row['operator_id'])}, {words.format_period(row['period_code'])}",
                    describe_method(row),
                    range_bar(row["prevalence_low"], row["prevalence"], row["prevalence_high"], 1),
                ),
                *(number_cell(format_estimate(row, each)) for each in ESTIMATES),
            ]
            for row in rows
        ]
        columns = [Column("Operator and month", "text"), Column("Spam in what it saw")]
        columns += [Column("Of spam, caught", is_minor=True), Column("Of the rest, let pass", is_minor=True)]
        rates = Table(f"Filters of {words.lower_first(name)}", columns, lines, axis=SHARES)
        blocks.append(Block(name, rates, "quality.csv", finding=finding))
        blocks += part_blocks(report, channel)
    note = (
        "Estimates with 95% intervals, of messages whose content filters saw. Refusals before content stay as"
        " counted."
    )
    notes = [note] if blocks else []
    return Section("filters", "How often filters err", "", blocks, missing, notes)


def part_blocks(report: Report, channel: str) -> list[Block]:
    """The errors of a channel's filters by part: a row for each part that was audited."""
    table = report.figures.quality_parts.filter(pl.col("channel_code") == channel)
    if not len(table):
        return []
    name = channel_name(channel)
    order = ["operator_id", "period_code", "stratum_code"]
    lines = [
        [
            Cell(
                part_name(row["stratum_code"], channel),
                f"{report.operator_name(row['operator_id'])}, {words.format_period(row['period_code'])}:"
                f" {row['labelled_count']:,} labels of {row['units']:,} messages",
            ),
            number_cell(
                format_estimate(row, "prevalence") or "too few labels", "" if row["prevalence"] else "muted"
            ),
            *(number_cell(format_estimate(row, each)) for each in ESTIMATES[1:]),
        ]
        for row in table.sort(order).to_dicts()
    ]
    columns = [Column("Part", "text"), Column("Spam in it")]
    columns += [Column("Of spam, caught", is_minor=True), Column("Of the rest, let pass", is_minor=True)]
    caption = f"Where filters of {words.lower_first(name)} err"
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


def describe_method(row: Row) -> str:
    how = words.code_name("quality_method", row["quality_method_code"])
    if row["quality_method_code"] != "audit":
        return f"{how}, a test elsewhere"
    labelled, drawn = (numbers.format_count(row[name]) for name in ("labelled_count", "sampled_count"))
    return f"{how}: {labelled} of {drawn} drawn were labelled"


def format_estimate(row: Row, name: str) -> str:
    """An estimate with its interval, as 44.1% (41.0–47.2%)."""
    if row[name] is None:
        return ""
    ends = numbers.format_interval(row[f"{name}_low"], row[f"{name}_high"], numbers.format_share)
    return f"{numbers.format_share(row[name])} ({ends})"

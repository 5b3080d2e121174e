"""Estimated spending against spam on a terminal, the gaps to its targets, and public money."""

from typing import Any

import polars as pl
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from jobs.base.core.numbers import format_compact, format_money, format_whole_percent
from jobs.base.figures import words
from jobs.base.figures.reliability import mark_of
from jobs.cli.arguments import SpendingTarget
from jobs.cli.study.study_tables import (
    estimates_table,
    explain_signs,
    format_cv,
    format_interval,
    is_of_period,
    latest_period,
    make_objects,
    name_area,
    select_estimates,
)
from jobs.study.estimates.steps.investment_targets import ASSUMED

# So many administrations; the others are counted.
ADMINISTRATIONS = 12
# Dollars for each mailbox or subscription, and for 1,000 messages or calls of all traffic.
SPENDING_HEADS = ("", "estimate", "95% interval", "CV", "cov.", "each,\nyear", "/1,000")


def investment_tables(
    spending: pl.DataFrame, gaps: pl.DataFrame, chosen: pl.DataFrame
) -> list[RenderableType]:
    """Tables of spending on all strategies at market rates, and of what is missing to each target, by
    channel; then the assumptions.

    Args:
        chosen: ref.investment_target, the targets in force.
    """
    period = latest_period(spending)
    found = select_estimates(
        spending,
        is_of_period(period),
        pl.col("strategy_code") == "_T",
        pl.col("component_code") == "_T",
        pl.col("conversion_code") == "market",
    )
    held = make_objects(gaps.filter(pl.col("area_kind_code") != "country", is_of_period(period)))
    gaps_of = {(row.channel_code, row.area_code, row.target_code): row for row in held}
    targets = [each.value for each in SpendingTarget if any(row.target_code == each for row in held)]
    assumed = chosen.filter(target_code="norm", source=ASSUMED)
    dated = f"{period}" + (", norm a placeholder that nobody chose" if assumed.height else "")
    tables: list[RenderableType] = []
    channels = list(dict.fromkeys(row.channel_code for row in found))
    for channel in channels:
        own = [row for row in found if row.channel_code == channel]
        table = estimates_table(f"{channel}: spending in {period}, US dollars", *SPENDING_HEADS)
        for row in own:
            table.add_row(
                name_area(row), row.conf_status_code, format_compact(row.estimate),
                format_interval(row.estimate_low, row.estimate_high), format_cv(row),
                format_whole_percent(row.coverage_pct), format_money(row.per_subscription),
                format_compact(row.per_thousand_units),
            )  # fmt: skip
        tables.append(table)
        if targets:
            tables += [
                targets_table(f"{channel}: targets in {dated}", own, targets, gaps_of),
                gap_intervals_table(f"{channel}: what is missing in {dated}", own, targets, gaps_of),
            ]
    notes = [*explain_signs(found), *note_uncounted(found), *note_missing_norms(channels, chosen)]
    return [*tables, *map(Text, notes), *spending_assumptions(found), *gap_assumptions(held)]


def targets_table(
    title: str, spent: list[Any], targets: list[str], gaps: dict[tuple[str, str, str], Any]
) -> Table:
    """The targets side by side: dollars for each subscription and year, and what an area lacks of them."""
    heads = [head for target in targets for head in (target, "gap")]
    table = estimates_table(f"{title}, dollars each per year, and what is missing in all", "spent", *heads)
    for row in spent:
        cells: list[str] = []
        for target in targets:
            gap = gaps.get((row.channel_code, row.area_code, target))
            if gap is None or gap.gap is None:
                cells += ["", ""]
            else:
                cells += [format_money(gap.target_per_subscription), format_compact(gap.gap)]
        table.add_row(mark_area(row), format_money(row.per_subscription), *cells)
    return table


def mark_area(row: Any) -> str:
    """An area with the mark of its spending: a gap varies between samples as the spending in it."""
    return f"{name_area(row)} {mark_of(row.cv_band_code)}".rstrip()


def gap_intervals_table(
    title: str, spent: list[Any], targets: list[str], gaps: dict[tuple[str, str, str], Any]
) -> Table:
    """The 95% interval of what an area lacks of each target."""
    table = estimates_table(f"{title}, 95% intervals", *targets)
    for row in spent:
        found = [gaps.get((row.channel_code, row.area_code, target)) for target in targets]
        table.add_row(
            mark_area(row),
            *(
                "" if gap is None or gap.gap is None else format_interval(gap.gap_low, gap.gap_high, "–")
                for gap in found
            ),
        )
    return table


def note_uncounted(rows: list[Any]) -> list[str]:
    """A line on the channels of which spending is held against no traffic, in an area or in all."""
    channels = sorted({row.channel_code for row in rows if row.per_thousand_units is None})
    if not channels:
        return []
    return [
        f"/1,000 is – for {words.join_words(channels)} where no package has a month of the year: it divides"
        " by traffic of logs, not of answers."
    ]


def note_missing_norms(channels: list[str], chosen: pl.DataFrame) -> list[str]:
    """A line for each channel without a gap, because the norms name only other channels."""
    named = sorted(chosen.filter(pl.col("target_code") == "norm")["channel_code"])
    if not named or "_T" in named:
        return []
    return [
        f"No gap to the norm for {channel}: the norm names only {words.join_words(named)}."
        f" Add --norm {channel}=AMOUNT, or {channel} to [study.gap] norm."
        for channel in channels
        if channel not in named
    ]


def spending_assumptions(found: list[Any]) -> list[RenderableType]:
    """Assumptions behind the estimates of spending."""
    if not found:
        return []
    # Polars takes a moment to load, and other commands of the study need none.
    from jobs.base.costs.investment_assumptions import list_assumptions
    from jobs.base.tables.contracts import reference_table

    assumptions = list_assumptions(
        reference_table("ref.cost_parameter"), reference_table("ref.investment_assumption")
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(overflow="fold")
    for sentence in assumptions:
        table.add_row(Text(sentence))
    return [Text("Spending is an estimate. Assumptions:"), table]


PUBLIC = {
    "sp711": "national means", "sp701": "own purchases", "sp704": "in use", "sp705": "running",
    "sp706": "days",
}  # fmt: skip
PUBLIC_SPENDING_NOTE = (
    "As answered, not annualised. Answers may overlap: neither added to each other nor to spending."
)


def public_spending_table(frame: pl.DataFrame) -> list[RenderableType]:
    """Public spending of the last year by administration, in US dollars, and person days: the answered total
    of a question, else the sum of its parts."""
    period = latest_period(frame)
    answers: dict[str, dict[str, list[Any]]] = {}
    for row in make_objects(frame.filter(is_of_period(period))):
        whose = f"{row.country_code} {row.respondent_id}"
        answers.setdefault(whose, {}).setdefault(row.question_code, []).append(row)
    if not answers:
        return []
    asked = [code for code in PUBLIC if any(code in of for of in answers.values())]
    table = estimates_table(f"Public money in {period}, US dollars", *(PUBLIC[code] for code in asked))
    for whose, of in sorted(answers.items())[:ADMINISTRATIONS]:
        table.add_row(Text(whose), *(question_total(of.get(code, [])) for code in asked))
    more = len(answers) - ADMINISTRATIONS
    rest = f" And {more} more: `observatory show study.public_spending`." if more > 0 else ""
    table.caption = PUBLIC_SPENDING_NOTE + rest
    return [table]


def question_total(rows: list[Any]) -> str:
    """The answered total of a question, else the sum of its parts."""
    whole = [row for row in rows if row.part_code in (None, "_T")] or rows
    figures = [row.person_days if row.market_amount is None else row.market_amount for row in whole]
    return format_compact(sum(figures)) if figures else ""


def gap_assumptions(held: list[Any]) -> list[RenderableType]:
    """Assumptions behind the gaps, deduplicated: first those of all targets and channels, then the others
    with the targets and channels that they belong to."""
    of_targets = {(row.target_code, row.channel_code): row.assumptions for row in held}
    where: dict[str, list[tuple[str, str]]] = {}
    for key in sorted(of_targets):
        for sentence in of_targets[key]:
            where.setdefault(sentence, []).append(key)
    if not of_targets:
        return []
    head = Text("The gap is an estimate of the investment that is necessary in addition. Assumptions:")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", vertical="top")
    table.add_column(overflow="fold")
    for sentence, keys in sorted(where.items(), key=lambda item: len(item[1]) < len(of_targets)):
        channels = sorted({channel for _, channel in keys})
        targets = sorted({target for target, _ in keys})
        every = sorted({channel for target, channel in of_targets if target in targets})
        whose = "all" if len(keys) == len(of_targets) else ", ".join(targets)
        table.add_row(whose if channels == every else f"{whose}, {', '.join(channels)}", Text(sentence))
    return [head, table]

"""The charts of measures, costs, investment, policy and users, and of what others published, each with its
figures as a table."""

from collections.abc import Callable
from functools import partial

import polars as pl

from jobs.base.core import languages
from jobs.base.core.numbers import round_significant
from jobs.base.figures import words
from jobs.base.figures.reliability import may_be_quoted
from jobs.base.page.blocks import Cell, Column, Table, number_cell
from jobs.base.tables.contracts import Row
from jobs.base.tables.series import ALL
from jobs.study.release.released_tables import AREA, WHOLE
from jobs.study.site.cells import (
    COMPONENTS,
    RATE,
    RATES,
    amount_cell,
    area_column,
    areas_in,
    band_cell,
    english_cell,
    head_cell,
    interval_cell,
    label_of,
    quarter_cell,
    quarter_text,
    short,
    text_column,
)
from jobs.study.site.figures import (
    SiteFigure,
    line_from_zero,
    log_axis,
    log_bar,
    log_labels,
    plain_bar,
    table_by_area,
    top_of,
)
from jobs.study.site.names import name_listed, name_question, name_strategy
from jobs.study.site.published_release import PublishedRelease, split_by_channel, total_spending
from jobs.study.site.sentences import (
    DIGITS,
    head_channel,
    money_title,
    name_area,
    name_period,
    quote_before_noun,
    show_share,
    whole_row,
)
from jobs.study.site.table_views import (
    gap_columns,
    head_areas,
    interval_column,
    investment_columns,
    least_columns,
    reading_note,
    reliability_column,
    shown_table,
    user_columns,
)
from jobs.study.site.texts import say

# Answers that say that there is nothing.
NOTHING = ("no", "NONE", "zero")


def measure_figures(release: PublishedRelease) -> list[SiteFigure]:
    return [*use_figures(release), *cost_figures(release)]


def use_figures(release: PublishedRelease) -> list[SiteFigure]:
    found = []
    for channel, own in split_by_channel(release.last("countermeasure")):
        title = say("measures.use", channel=head_channel(channel)) + most_used(own)
        names = {code: name_strategy(code) for code in words.codelist_rows("strategy")}
        table = table_by_area(title, own, "strategy_code", names, quarter_cell)
        period = name_period(own["period_code"][0])
        found.append(SiteFigure("countermeasure", title, period, table, reading_note("countermeasure", own)))
    return found


def most_used(rows: pl.DataFrame) -> str:
    """The strategies that most holdings of all countries together have in operation."""
    whole = rows.filter(pl.col(AREA).is_in(WHOLE)).to_dicts()
    if not whole:
        return ""
    first = max(whole, key=lambda row: float(row["share_from_pct"]))
    used = [
        name_strategy(row["strategy_code"])
        for row in whole
        if row["share_from_pct"] == first["share_from_pct"]
    ]
    return f"{say('between')}{languages.join_parts(used)} {quarter_text(first)} ({name_area(first)})"


def cost_figures(release: PublishedRelease) -> list[SiteFigure]:
    """Running cost of countermeasures: by area and component, and by area and strategy."""
    found = []
    for channel, own in split_by_channel(release.last("countermeasure_cost")):
        stated = own.filter(pl.col("cost_component_code") == "stated", pl.col("strategy_code") == ALL)
        title = money_title("cost", channel, whole_row(stated))
        about = say("cost.about", period=name_period(own["period_code"][0]))
        note = reading_note("countermeasure_cost", own)
        table = cost_table(title, own.filter(pl.col("strategy_code") == ALL))
        found.append(SiteFigure("countermeasure_cost", title, about, table, note))
        by_strategy = own.filter(pl.col("cost_component_code") == "stated", pl.col("strategy_code") != ALL)
        if by_strategy.height:
            title = say("cost.strategy", channel=head_channel(channel))
            title += largest_title(by_strategy, "strategy_code", name_strategy, "≥ ")
            table = amounts_table(title, by_strategy, "strategy_code", name_strategy, "≥ ")
            found.append(SiteFigure("countermeasure_cost", title, about, table, say("brackets.note")))
    return found


def cost_table(title: str, rows: pl.DataFrame) -> Table:
    """A line for each area: each component, and interval, rate and reliability of both together."""
    of_area = {own[AREA][0]: own.to_dicts() for own in rows.partition_by(AREA, maintain_order=True)}
    low, high = log_axis(rows.filter(pl.col("cost_component_code") == "stated").to_dicts())
    columns = [
        area_column(), *(Column(say(f"cost.{each}")) for each in COMPONENTS), interval_column()[0],
        *(column for column, _ in least_columns(say)), reliability_column()[0],
    ]  # fmt: skip
    lines = []
    for own in of_area.values():
        of = {row["cost_component_code"]: row for row in own}
        both = of.get("stated")
        empty = dict.fromkeys((*RATES, "cv_band_code"))
        lines.append(
            [
                head_cell(own[0], log_bar(both, low, high) if both else ()),
                *(amount_cell(of.get(each), sign) for each, sign in COMPONENTS.items()),
                interval_cell(both or {}),
                *(write_cell(both or empty) for _, write_cell in least_columns(say)),
                band_cell(both or empty),
            ]
        )
    return Table(title, columns, lines, axis=log_labels(low, high))


def amounts_table(
    title: str, rows: pl.DataFrame, column: str, name: Callable[[str], str], sign: str = ""
) -> Table:
    """Amounts: a line for each area, a column for each code; kinds of spending after the strategies."""
    of_strategies = words.codelist_rows("strategy")
    codes = sorted(set(rows[column]), key=lambda code: (code not in of_strategies, code))
    names = {code: name(code) for code in codes}
    return table_by_area(title, rows, column, names, partial(amount_cell, sign=sign))


def investment_figures(release: PublishedRelease) -> list[SiteFigure]:
    market = release.last("investment").filter(pl.col("conversion_code") == "market")
    found = []
    for channel, own in split_by_channel(total_spending(release.last("investment"))):
        title, listed = money_title("investment", channel, whole_row(own)), own.to_dicts()
        scale = top_of(listed, *RATE)
        shown = [head_areas(partial(plain_bar, names=RATE, scale=scale)), *investment_columns()]
        table = shown_table(title, listed, shown, line_from_zero(scale))
        about = say("investment.about", period=name_period(own["period_code"][0]))
        note = f"{say('compare.note')} {reading_note('investment', own)}"
        found.append(SiteFigure("investment", title, about, table, note))
        parts = market.filter(
            pl.col("channel_code") == channel,
            (pl.col("strategy_code") != ALL) | (pl.col("component_code") != ALL),
        ).with_columns(
            part=pl.when(pl.col("strategy_code") != ALL).then("strategy_code").otherwise("component_code")
        )
        if parts.height:
            title = say("investment.parts", channel=head_channel(channel))
            title += largest_title(parts.filter(pl.col("component_code") == ALL), "part", part_name)
            table = amounts_table(title, parts, "part", part_name)
            found.append(SiteFigure("investment", title, about, table, say("brackets.note")))
    return [*found, *gap_figures(release)]


def largest_title(rows: pl.DataFrame, column: str, name: Callable[[str], str], sign: str = "") -> str:
    """The largest amount of all countries together that may be quoted: ; filters 23.4M (World)."""
    whole = rows.filter(pl.col(AREA).is_in(WHOLE)).to_dicts()
    quoted = [row for row in whole if row["estimate"] and may_be_quoted(row["cv_band_code"])]
    if not quoted:
        return ""
    row = max(quoted, key=lambda each: float(each["estimate"]))
    shown = short(round_significant(row["estimate"], DIGITS))
    return f"{say('between')}{name(row[column])} {sign}{shown} ({name_area(row)})"


def part_name(code: str) -> str:
    """A strategy or a component of spending."""
    if code in words.codelist_rows("strategy"):
        return name_strategy(code)
    return name_listed("investment_component", code)


def gap_figures(release: PublishedRelease) -> list[SiteFigure]:
    found = []
    for channel, own in split_by_channel(release.last("investment_gap")):
        row = whole_row(own)
        given = {"channel": head_channel(channel)}
        norm = short(own["target_per_subscription"][0])
        title = say("gap.plain", **given, norm=norm)
        if row is not None and row["gap"] and may_be_quoted(row["cv_band_code"]):
            gap = quote_before_noun(row["gap"])
            title = say("gap.title", **given, gap=gap, area=name_area(row))
        about = say("investment.about", period=name_period(own["period_code"][0]))
        table = shown_table(title, own.to_dicts(), [head_areas(), *gap_columns()])
        found.append(SiteFigure("investment_gap", title, about, table, reading_note("investment_gap", own)))
    return found


def policy_figures(release: PublishedRelease) -> list[SiteFigure]:
    """A table for each pillar: a line for each question and answer, a column for each area but regions."""
    rows = release.last("policy").filter(pl.col("area_kind_code") != "region")
    areas = areas_in(rows)
    found = []
    for pillar in words.codelist_rows("gci_pillar"):
        own = rows.filter(pl.col("pillar_code") == pillar)
        if own.is_empty():
            continue
        of = {(row["indicator_code"], row["answer_code"], row[AREA]): row for row in own.to_dicts()}
        asked = (
            own.select("indicator_code", "answer_code", "indicator_text")
            .unique()
            .sort("indicator_code", "answer_code")
        )
        lines = [
            [
                Cell(name_question(code, text)),
                Cell(name_listed("policy_answer", answer), tone="muted"),
                *(number_cell(quarter_text(of.get((code, answer, area)))) for area in areas),
            ]
            for code, answer, text in asked.rows()
        ]  # fmt: skip
        title = say("policy.title", pillar=name_listed("gci_pillar", pillar)) + most_answered(own)
        columns = [
            text_column("policy.line"), text_column("policy.answer"),
            *(Column(label) for label in areas.values()),
        ]  # fmt: skip
        about = say("between").join(map(name_period, sorted(set(own["period_code"]))))
        found.append(SiteFigure("policy", title, about, Table(title, columns, lines), say("policy.note")))
    return found


def most_answered(rows: pl.DataFrame) -> str:
    """The answer of most administrations of all countries together, of those that say that there is
    something: ; spam law: consent before 50–75% (World). Empty where several are as frequent."""
    some = ~pl.col("answer_code").is_in(NOTHING)
    whole = rows.filter(pl.col(AREA).is_in(WHOLE), some).to_dicts()
    most = max((float(row["share_from_pct"]) for row in whole), default=None)
    first = [row for row in whole if float(row["share_from_pct"]) == most]
    if len(first) != 1:
        return ""
    row = first[0]
    asked = name_question(row["indicator_code"], row["indicator_text"])
    if row["answer_code"] != "yes":
        asked += f": {name_listed('policy_answer', row['answer_code'])}"
    return f"{say('between')}{asked} {quarter_text(row)} ({label_of(row)})"


def user_figures(release: PublishedRelease) -> list[SiteFigure]:
    found = []
    for channel, own in split_by_channel(release.last("user_cost")):
        title = say("users.title", channel=head_channel(channel))
        what = (text_column("users.what"), lambda row: english_cell(row["description"]))
        table = shown_table(title, own.to_dicts(), [head_areas(), what, *user_columns()])
        about = say("users.about", period=name_period(own["period_code"][0]))
        found.append(SiteFigure("user_cost", title, about, table, reading_note("user_cost", own)))
    return found


def other_figures(release: PublishedRelease) -> list[SiteFigure]:
    """Volumes and costs that others printed."""
    return [*published_figures(release), *model_figures(release)]


def published_figures(release: PublishedRelease) -> list[SiteFigure]:
    rows = release.tables["published_volume"]
    if rows.is_empty():
        return []
    issuers = languages.join_parts(sorted(set(rows["issuer"])))
    title = f"{say('others.volumes')}{say('between')}{issuers}"
    lines = [
        [
            english_cell(row["statistic_text"]),
            Cell(row["issuer"]),
            Cell(row["period_code"]),
            Cell(label_of(row)),
            Cell(printed_text(row)),
            Cell(own_text(row)),
            english_cell(row["base_text"] or "", "muted"),
            english_cell(row["source"], "muted"),
        ]
        for row in rows.sort("channel_code", "period_code").to_dicts()
    ]  # fmt: skip
    columns = [
        text_column("others.figure"), text_column("others.issuer"), text_column("others.period"),
        area_column(), text_column("others.printed"), text_column("others.own"),
        Column(say("others.base"), "text", True), Column(say("others.source"), "text", True),
    ]  # fmt: skip
    table = Table(title, columns, lines)
    return [SiteFigure("published_volume", title, "", table, made_up="others.tag")]


def own_text(row: Row) -> str:
    """The study's own figure beside one of others, counted alike: 2.27bn a day (quarter 4 of 2026)."""
    if not row["own_value"]:
        return ""
    code = row["comparison_code"]
    value = show_share(row["own_value"]) if code == "share" else short(row["own_value"])
    return say(f"others.{code}", value=value, period=name_period(row["own_period_code"]))


def printed_text(row: Row) -> str:
    """A figure as others printed it: at least 58.5bn calls a year."""
    code = row["published_bound_code"]
    bound = f"{name_listed('published_bound', code)} " if code else ""
    return f"{bound}{short(row['printed_value'])} {row['unit_text']}"


def model_figures(release: PublishedRelease) -> list[SiteFigure]:
    rows = release.tables["cost"]
    if rows.is_empty():
        return []
    title = say("others.costs")
    lines = [
        [
            Cell(f"{row['model_code']}: {row['output_code']}"),
            Cell(row["period_code"]),
            Cell(name_listed("estimand", row["estimand_code"]), tone="muted"),
            Cell(f"{short(row['amount_printed'])} {row['unit_text']}"),
            number_cell(short(row["amount_central"])),
        ]
        for row in rows.to_dicts()
    ]
    columns = [
        text_column("others.model"), text_column("others.period"), text_column("others.kind"),
        text_column("others.printed"), Column(say("others.again")),
    ]  # fmt: skip
    return [SiteFigure("cost", title, "", Table(title, columns, lines), made_up="")]

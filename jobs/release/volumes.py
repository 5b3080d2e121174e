"""The sections on how much spam there is: over time, by definition, by type."""

from __future__ import annotations

from typing import Any

import polars as pl
from markupsafe import Markup

from jobs.release import audited, charts, words
from jobs.release.blocks import Block, Cell, Column, Part, Picture, Section, Table, number, stacked
from jobs.release.figures import COUNTED, DEFINITION, SUMS
from jobs.release.study import (
    CERTAIN_LEGEND,
    UNDECIDED_LEGEND,
    Study,
    channel_name,
    share_bar,
    spam_range,
    spam_shares,
)

DAYS_SHOWN = 31


# --- over time ------------------------------------------------------------------------------------


def over_time(study: Study) -> Section:
    blocks, findings = [], []
    for channel, rows in study.per_channel("daily"):
        daily = rows.sort("period_date")
        name = channel_name(channel)
        findings.append(time_finding(name, daily))
        shown = daily.tail(DAYS_SHOWN)
        blocks.append(
            Block(
                heading=name,
                pictures=[
                    Picture(
                        Markup(
                            charts.volume_chart(daily, f"{name}: all and spam per day, as in the table below")
                        ),
                        heading="Recipients and attempts per day",
                    ),
                    Picture(
                        Markup(
                            charts.share_chart(daily, f"{name}: spam share per day, as in the table below")
                        ),
                        heading="Of these, spam",
                    ),
                ],
                table=Table(
                    f"{name} per day",
                    [
                        Column("Day", "text"),
                        Column("All"),
                        Column("Spam, certain"),
                        Column("Spam, possible"),
                        Column("Share"),
                    ],
                    [
                        [
                            Cell(words.day(row["period_date"])),
                            number(words.whole(row["units"])),
                            number(words.whole(row["spam_certain"])),
                            number(words.whole(row["spam_possible"])),
                            number(spam_range(row)),
                        ]
                        for row in shown.to_dicts()
                    ],
                    total=len(daily),
                ),
                csv="daily.csv",
            )
        )
    return Section(
        "time",
        "Volume over time",
        "\n".join(findings),
        blocks,
        study.missing("daily"),
        legend=[UNDECIDED_LEGEND],
    )


def time_finding(name: str, daily: pl.DataFrame) -> str:
    with_share = daily.filter(pl.col("units") > 0).with_columns(
        share=pl.col("spam_certain") / pl.col("units")
    )
    if len(with_share) < 2:
        return f"{name}: one day only, so nothing to compare yet."
    low = with_share.sort("share", "period_date").row(0, named=True)
    high = with_share.sort("share", "period_date").row(-1, named=True)
    if low["share"] == high["share"]:
        return f"{name}: the spam share stayed at {words.percent(low['share'])}."
    return (
        f"{name}: certain spam ranged from {words.percent(low['share'])} on {short_day(low)}"
        f" to {words.percent(high['share'])} on {short_day(high)}."
    )


def short_day(row: dict[str, Any]) -> str:
    return words.day(row["period_date"]).rsplit(words.NARROW, 1)[0]


# --- by definition --------------------------------------------------------------------------------


def by_definition(study: Study) -> Section:
    counted = study.figures["volume"].filter(pl.col("direction_code").is_in(COUNTED))
    blocks, findings = [], []
    for channel in study.channels:
        name = channel_name(channel, inside=True)
        table = counted.filter(pl.col("channel_code") == channel)
        summed = table.group_by("definition_code").agg(pl.col(list(SUMS)).sum())
        rows = {row["definition_code"]: row for row in summed.to_dicts() if row["units"]}
        lines = []
        for about in words.reference("definition"):
            row = rows.get(about["definition_code"])
            place = "" if about["jurisdiction"] == words.TOTAL else words.country(about["jurisdiction"])
            if row is None:
                head = Cell(about["name"], place, (), "muted")
                lines.append([head, number(f"not for {name}"), number(""), number("")])
                continue
            head = Cell(about["name"], place, share_bar(row))
            with_error = error_cell(study, row | {"channel_code": channel})
            lines.append([head, number(spam_range(row)), number(words.percent(undecided(row))), with_error])
        if len(rows) > 1:
            findings.append(definition_finding(channel_name(channel), rows))
        columns = [Column("Definition", "text"), Column("Spam share"), Column("Undecided")]
        columns.append(Column("With filters' errors", is_minor=True))
        caption = f"Spam share of {name} under each definition"
        blocks.append(Block(channel_name(channel), Table(caption, columns, lines), "volume.csv"))
    if blocks:
        findings.append(
            "Logs rarely know consent: the wider a bar, the more a definition asks what they cannot tell."
        )
    return Section(
        "definitions",
        "The same traffic under each definition of spam",
        "\n".join(findings),
        blocks,
        study.missing("volume"),
        legend=[CERTAIN_LEGEND, UNDECIDED_LEGEND, ("rest", "not spam")],
    )


def error_cell(study: Study, row: dict[str, Any]) -> Cell:
    """The share with the filters' errors in it. Labels say what the operator takes for spam: they correct no
    other definition."""
    if row["definition_code"] != DEFINITION or not audited.of_channel(study, row).share:
        return number("no audit", "muted")
    return number(spam_range(audited.with_error(study, row)))


def undecided(row: dict[str, Any]) -> float:
    low, high = spam_shares(row)
    return high - low


def definition_finding(name: str, rows: dict[str, dict[str, Any]]) -> str:
    """How far the definitions lie apart."""
    widest = max(rows.values(), key=lambda row: (undecided(row), row["definition_code"]))
    code = widest["definition_code"]
    if code == DEFINITION:
        return f"{name}: no definition leaves more than {words.percent(undecided(widest))} undecided."
    mine = f"{name}: {spam_range(rows[DEFINITION])} is spam as operators act"
    low, high = (words.percent(share) for share in spam_shares(widest))
    return f"{mine}; by “{words.definition_name(code)}” anything between {low} and {high}."


# --- types ----------------------------------------------------------------------------------------


def by_type(study: Study) -> Section:
    blocks, findings, missing = [], [], study.missing("types")
    for channel, table in study.per_channel("types"):
        name = channel_name(channel, inside=True)
        # What is not spam for certain has no type of its own: it is shown with what has none.
        known = table.filter(pl.col("spam_possible") > 0).with_columns(
            pl.col("spam_type_code").fill_null("UNK").replace(words.UNKNOWN, "UNK")
        )
        summed = known.group_by("spam_type_code").agg(pl.col(list(SUMS)).sum())
        order = [pl.col("spam_type_code") == "UNK", -pl.col("spam_certain"), "spam_type_code"]
        rows = summed.sort(order).to_dicts()
        if not rows:
            missing.append(f"No {name} may be spam, so there is no type to show.")
            continue
        total = sum(row["spam_certain"] for row in rows)
        if total:
            findings.append(type_finding(name, rows, total))
        scale = max(row["spam_certain"] for row in rows)
        lines = [
            [
                Cell(
                    words.type_name(row["spam_type_code"]),
                    type_says(row["spam_type_code"]),
                    type_bar(row, scale),
                ),
                number(words.percent(words.share_of(row["spam_certain"], total))),
                number(words.whole(row["spam_certain"])),
                number(words.whole(row["spam_possible"] - row["spam_certain"])),
            ]
            for row in rows
        ]
        columns = [
            Column("Type", "text"),
            Column("Share"),
            Column("Spam, certain"),
            Column("Undecided", is_minor=True),
        ]
        caption = f"Types of {name} spam"
        blocks.append(Block(channel_name(channel), Table(caption, columns, lines), "types.csv"))
    return Section("types", "Types of spam", "\n".join(findings), blocks, missing)


def type_finding(name: str, rows: list[dict[str, Any]], total: int) -> str:
    unknown = sum(row["spam_certain"] for row in rows if row["spam_type_code"] == "UNK")
    untold = f"for {words.percent(words.share_of(unknown, total))} the logs tell no type"
    first = rows[0]
    if first["spam_type_code"] == "UNK" or not first["spam_certain"]:
        return f"Of {name} spam: {untold}."
    largest = words.inside(words.type_name(first["spam_type_code"]))
    share = words.percent(words.share_of(first["spam_certain"], total))
    return f"The largest type of {name} spam is {largest}, {share}; {untold}."


def type_bar(row: dict[str, Any], scale: int) -> tuple[Part, ...]:
    kind = "other" if row["spam_type_code"] == "UNK" else "certain"
    return stacked((kind, row["spam_certain"]), scale=scale)


def type_says(code: str | None) -> str:
    return "" if code == "UNK" else words.says("type", code)

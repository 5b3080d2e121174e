"""The sections on where spam comes from and where it ends: routes, sources, stages."""

from __future__ import annotations

from typing import Any

import polars as pl
from markupsafe import Markup

from jobs.release import sankey, words
from jobs.release.blocks import Block, Cell, Column, Part, Picture, Section, Table, number, stacked
from jobs.release.study import CERTAIN_LEGEND, UNDECIDED_LEGEND, Study, channel_name, spam_range

STAGES = ("connect", "envelope", "content", "delivery")
ROUTES_SHOWN = 12
ORIGINS = {"observed": "Country of the connecting address", "claimed": "Country of the calling number"}


# --- routes ---------------------------------------------------------------------------------------


def flows_of(rows: pl.DataFrame) -> list[sankey.Flow]:
    ends = ("origin_code", "inbound_link_code", "destination_code")
    return [
        sankey.Flow(tuple(row[end] for end in ends), row["spam_certain"])
        for row in rows.sort(pl.all()).to_dicts()
        if row["spam_certain"] > 0
    ]


def route_names(flow: tuple[str, str, str]) -> tuple[str, str, str]:
    return (
        words.country(flow[0]),
        words.name("route", flow[1]).replace("Unknown", "Link unknown"),
        words.country(flow[2]),
    )


def by_route(study: Study) -> Section:
    blocks, findings = [], []
    missing = study.missing("routes")
    for channel, rows in study.per_channel("routes"):
        name = channel_name(channel)
        flows = flows_of(rows)
        if not flows:
            missing.append(
                f"No certain spam came by {channel_name(channel, inside=True)}, so there is no route to draw."
            )
            continue
        total = sum(flow.value for flow in flows)
        named = [route_names(flow.codes) for flow in flows]
        names = [{flow.codes[i]: text[i] for flow, text in zip(flows, named, strict=True)} for i in range(3)]
        first = sankey.highlighted(flows)
        if first is not None:
            findings.append(
                f"{name}: the largest known route is {' → '.join(route_names(first.codes))}, with"
                f" {words.percent(first.value / total)} of the spam."
            )
        kind = rows["origin_kind"][0]
        title = f"{name} spam by origin, inbound link and recipient's country, as in the table below"
        largest = rows.sort([-pl.col("spam_certain"), pl.all().exclude("spam_certain")])
        blocks.append(
            Block(
                heading=name,
                pictures=[
                    Picture(
                        Markup(sankey.draw(flows, names, title, 920, 185)),
                        Markup(sankey.draw(flows, names, title, 390, 0)),
                        heading=f"{ORIGINS[kind]} → inbound link → country of the recipient",
                    )
                ],
                table=Table(
                    f"Largest routes of {channel_name(channel, inside=True)} spam",
                    [
                        Column("Origin", "text"),
                        Column("Inbound link", "text"),
                        Column("To", "text"),
                        Column("Spam, certain"),
                        Column("Share"),
                    ],
                    [
                        [
                            *(
                                Cell(text)
                                for text in route_names(
                                    (
                                        row["origin_code"],
                                        row["inbound_link_code"],
                                        row["destination_code"],
                                    )
                                )
                            ),
                            number(words.whole(row["spam_certain"])),
                            number(words.percent(row["spam_certain"] / total)),
                        ]
                        for row in largest.head(ROUTES_SHOWN).to_dicts()
                    ],
                    total=len(rows),
                ),
                csv="routes.csv",
                note=(
                    "Width is certain spam. The marked route is the largest that is known from end to end;"
                    " pale grey is unknown."
                ),
            )
        )
    return Section("routes", "Routes", "\n".join(findings), blocks, missing)


# --- sources --------------------------------------------------------------------------------------


def by_source(study: Study) -> Section:
    blocks, findings, missing = [], [], study.missing("countries")
    for channel, table in study.per_channel("countries"):
        name = channel_name(channel)
        order = [
            pl.col("source_country_code") == words.UNKNOWN,
            pl.col("source_country_code") == words.OTHER,
            -pl.col("spam_certain"),
            -pl.col("units"),
            "source_country_code",
        ]
        rows = table.sort(order).to_dicts()
        total, scale = sum(row["spam_certain"] for row in rows), max(row["spam_possible"] for row in rows)
        first = rows[0]
        if total and first["source_country_code"] not in (words.UNKNOWN, words.OTHER):
            place, share = words.country(first["source_country_code"]), first["spam_certain"] / total
            findings.append(
                f"{name}: the largest source, {place}, sent {words.percent(share)} of the spam;"
                f" {spam_range(first)} of what it sent is spam."
            )
        lines = []
        for row in rows:
            vague = row["source_country_code"] in (words.UNKNOWN, words.OTHER)
            others = words.counted(row["country_count"], "other country", "other countries").capitalize()
            bar = stacked(
                ("other" if vague else "certain", row["spam_certain"]),
                ("undecided", row["spam_possible"] - row["spam_certain"]),
                scale=scale,
            )
            lines.append(
                [
                    Cell(words.country(row["source_country_code"], others), bar=bar),
                    number(words.whole(row["spam_certain"])),
                    number(words.percent(words.share_of(row["spam_certain"], total))),
                    number(spam_range(row)),
                ]
            )
        columns = [
            Column("Country", "text"),
            Column("Spam, certain"),
            Column("Of all spam"),
            Column("Spam in what it sent", is_minor=True),
        ]
        blocks.append(
            Block(
                f"{name} by country",
                Table(f"Countries that {channel_name(channel, inside=True)} spam came from", columns, lines),
                "countries.csv",
            )
        )
    for channel, table in study.per_channel("networks"):
        name = channel_name(channel)
        rows = table.sort(
            [-pl.col("spam_certain"), -pl.col("units"), pl.all().exclude("spam_certain", "units")]
        ).to_dicts()
        scale = max(row["spam_possible"] for row in rows)
        lines = [
            [
                Cell(
                    row["source_network"],
                    network_sub(row),
                    stacked(
                        ("certain", row["spam_certain"]),
                        ("undecided", row["spam_possible"] - row["spam_certain"]),
                        scale=scale,
                    ),
                ),
                number(words.whole(row["spam_certain"])),
                number(spam_range(row)),
            ]
            for row in rows
        ]
        columns = [Column("Network", "text"), Column("Spam, certain"), Column("Spam in what it sent")]
        blocks.append(
            Block(
                f"{name} by network",
                Table(f"Networks that sent most {channel_name(channel, inside=True)} spam", columns, lines),
                "networks.csv",
            )
        )
    notes = []
    if "SMS" in study.channels:
        notes.append("An SMS has no address: its country is that of the calling number, which can be forged.")
    if study.location_name is None:
        notes.append(
            "No table of address ranges is set, so addresses have no country. Set [location] to have one."
        )
    else:
        notes.append(
            f"Addresses are located by {study.location_name}. Databases disagree on some 4–7% of addresses."
        )
    return Section(
        "sources", "Sources", "\n".join(findings), blocks, missing, notes, [CERTAIN_LEGEND, UNDECIDED_LEGEND]
    )


def network_sub(row: dict[str, Any]) -> str:
    system = f"AS{row['source_asn']}" if row["source_asn"] else "system unknown"
    return f"{system}, {words.country(row['source_country_code'])}"


# --- stages ---------------------------------------------------------------------------------------


def reaches() -> set[str]:
    """Outcomes that count as delivered, by ref.measure."""
    rows = words.reference("measure")
    return {
        r["outcome_code"] for r in rows if r["measure_code"] == "delivered" and r["is_included"] == "true"
    }


def by_stage(study: Study) -> Section:
    blocks, findings = [], []
    for channel, table in study.per_channel("stages"):
        name = channel_name(channel)
        total = int(table["units"].sum())
        stopped = table.filter(~pl.col("outcome_code").is_in(sorted(reaches())))
        left, lines = (
            total,
            [
                [
                    Cell("Attempted", bar=(Part("rest", 0, 100),), tone="strong"),
                    number(""),
                    number(""),
                    number(words.whole(total)),
                ]
            ],
        )
        for stage in STAGES:
            here = stopped.filter(pl.col("stage_code") == stage)
            halted, spam = int(here["units"].sum()), int(here["spam_certain"].sum())
            left -= halted
            lines.append(
                [
                    Cell(
                        words.name("stage", stage),
                        stage_says(here),
                        stacked(("rest", left), ("certain", spam), ("other", halted - spam), scale=total),
                    ),
                    number(words.whole(halted)),
                    number(words.whole(spam)),
                    number(words.whole(left)),
                ]
            )
        tagged = int(table.filter(pl.col("outcome_code") == "tagged")["units"].sum())
        end = stacked(("rest", left - tagged), ("undecided", tagged), scale=total)
        lines.append(
            [
                Cell("Delivered", f"{words.whole(tagged)} marked as spam" if tagged else "", end, "strong"),
                number(""),
                number(""),
                number(words.whole(left)),
            ]
        )
        early = halted_at(stopped, "connect", "envelope")
        findings.append(
            f"{name}: of {words.plenty(total)} attempted, {words.percent(words.share_of(left, total))} were"
            f" delivered; {words.percent(words.share_of(early, total))} were stopped before their content."
        )
        columns = [
            Column("Stage", "text"),
            Column("Stopped"),
            Column("Of that, spam", is_minor=True),
            Column("Left"),
        ]
        blocks.append(Block(name, Table(f"{name} from attempt to delivery", columns, lines), "stages.csv"))
    legend = [
        ("certain", "stopped as spam"),
        ("other", "stopped for another reason or not known"),
        ("rest", "went on"),
        ("undecided", "marked as spam, delivered"),
    ]
    return Section(
        "stages", "Where it was decided", "\n".join(findings), blocks, study.missing("stages"), legend=legend
    )


def halted_at(stopped: pl.DataFrame, *stages: str) -> int:
    return int(stopped.filter(pl.col("stage_code").is_in(stages))["units"].sum())


def stage_says(here: pl.DataFrame) -> str:
    """The outcomes of a stage, the most frequent first."""
    rows = here.group_by("outcome_code").agg(pl.col("units").sum()).sort([-pl.col("units"), "outcome_code"])
    return ", ".join(
        f"{words.inside(words.name('outcome', r['outcome_code']))} {words.whole(r['units'])}"
        for r in rows.to_dicts()
    )

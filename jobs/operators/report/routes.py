"""The section on routes: origin, inbound link and destination of spam, transit, and signs of bypass."""

import polars as pl

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.page import sankey
from jobs.base.page.blocks import Block, Cell, Column, Picture, Section, Table, number_cell, stack_parts
from jobs.operators.report import audited, sources
from jobs.operators.report.report import Report, channel_name

ROUTES_SHOWN = 12
SIGNS = (
    "A sign of bypass is a reason to look, not a proof, and depends on no definition of spam: traffic with a"
    " sign may be wanted. A unit may show several signs, so signs are never added."
)
SIM_BOXES_OF_CALLS = (
    "Calls are examined for SIM boxes only where a log has the callers' radio cells. Logs of Kamailio and"
    " Asterisk have none: no row there does not mean no SIM box."
)
# The transit code of traffic that crossed no other network.
NONE = "on-net"
OBSERVED = "country of the connecting address or network"


def route_names(flow: tuple[str, str, str]) -> tuple[str, str, str]:
    return (
        words.country_name(flow[0]),
        words.code_name("route", flow[1]).replace("Unknown", "Link unknown"),
        words.country_name(flow[2]),
    )


def origin_heading(channel: str, kind: str) -> str:
    """The heading for origins of a channel.

    Args:
        kind: observed, claimed or both.
    """
    claimed = "country of the sender's domain" if channel == "EMAIL" else "country of the calling number"
    texts = {"observed": OBSERVED, "claimed": claimed, "both": f"{OBSERVED}, else {claimed}"}
    return texts[kind].capitalize()


def origin_claim(report: Report, channel: str, flow: sankey.Flow) -> str:
    """A clause if the origin of a route is only claimed; empty otherwise."""
    origin, link, _ = flow.codes
    if link == NONE or not sources.claimed_share(report, channel, origin):
        return ""
    return f"; its origin is that of {sources.SOURCE[channel == 'EMAIL']}, which can be forged"


def routes_section(report: Report) -> Section:
    blocks = []
    missing = report.list_missing(report.figures.routes)
    for channel, rows in report.split_by_channel(report.figures.routes):
        name = channel_name(channel)
        ends = ("origin_code", "inbound_link_code", "destination_code")
        flows = [
            sankey.Flow(tuple(row[end] for end in ends), row["spam_certain"])
            for row in rows.sort(pl.all()).to_dicts()
            if row["spam_certain"] > 0
        ]
        if not flows:
            missing.append(
                f"No certain spam came by {channel_name(channel, inside=True)}, so there is no route to draw."
            )
            continue
        total = sum(flow.value for flow in flows)
        named = [route_names(flow.codes) for flow in flows]
        names = [{flow.codes[i]: text[i] for flow, text in zip(flows, named, strict=True)} for i in range(3)]
        finding, first = "", sankey.largest_known_route(flows)
        if first is not None:
            finding = (
                f"{name}: the largest known route is {' → '.join(route_names(first.codes))}, with"
                f" {numbers.format_part(first.value, total)} of the"
                f" spam{origin_claim(report, channel, first)}."
            )
        kind, has_audit = rows["origin_kind"][0], audited.has_audit(rows.to_dicts())
        title = f"{name} spam by origin, inbound link and recipient's country, as in the table below"
        largest = rows.sort([-pl.col("spam_certain"), pl.all().exclude("spam_certain")])
        blocks.append(
            Block(
                heading=name,
                finding=finding,
                pictures=[
                    Picture(
                        sankey.draw_sankey(flows, names, title, 920, 185),
                        sankey.draw_sankey(flows, names, title, 390, 0),
                        heading=f"{origin_heading(channel, kind)} → inbound link → country of the recipient",
                    )
                ],
                table=Table(
                    f"Largest routes of {channel_name(channel, inside=True)} spam",
                    [
                        Column("Origin", "text"),
                        Column("Inbound link", "text"),
                        Column("To", "text"),
                        Column("Spam, certain"),
                        Column("Share", is_minor=has_audit),
                        *([Column(audited.HEADING)] if has_audit else []),
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
                            number_cell(numbers.format_count(row["spam_certain"])),
                            number_cell(numbers.format_part(row["spam_certain"], total)),
                            *([audited.part_count_cell(row)] if has_audit else []),
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
    blocks += [*transit_blocks(report), *bypass_blocks(report)]
    notes = audited.part_notes(report, report.figures.routes, audited.ALIKE)
    if len(report.figures.bypass):
        notes.append(SIGNS)
    # Without this note one could take the absence of these kinds for zero.
    kinds = words.codelist_rows("bypass").values()
    unrecorded = [words.lower_first(row["name"]) for row in kinds if row["is_recorded"] == "false"]
    notes += [
        f"Not examined, because no log records it: {words.join_words(unrecorded)}.",
        SIM_BOXES_OF_CALLS,
    ]
    return Section("routes", "Routes", "", blocks, missing, notes)


def transit_blocks(report: Report) -> list[Block]:
    """Spam by the kind of network in between, for channels whose logs record one."""
    blocks = []
    for channel, table in report.split_by_channel(report.figures.transits):
        order = [pl.col("transit_code") == words.UNKNOWN, -pl.col("spam_certain"), "transit_code"]
        rows = table.filter(pl.col("spam_certain") > 0).sort(order).to_dicts()
        if not any(row["transit_code"] not in (words.UNKNOWN, NONE) for row in rows):
            continue
        has_audit = audited.has_audit(rows)
        total, scale = (f(row["spam_certain"] for row in rows) for f in (sum, max))
        lines = [
            [
                Cell(
                    words.code_name("route", row["transit_code"]),
                    words.code_description("route", NONE) if row["transit_code"] == NONE else "",
                    bar=stack_parts(
                        ("other" if row["transit_code"] == words.UNKNOWN else "certain", row["spam_certain"]),
                        scale=scale,
                    ),
                ),
                number_cell(numbers.format_count(row["spam_certain"])),
                number_cell(numbers.format_part(row["spam_certain"], total)),
                *([audited.part_count_cell(row)] if has_audit else []),
            ]
            for row in rows[:ROUTES_SHOWN]
        ]
        columns = [Column("Network in between", "text"), Column("Spam, certain"), Column("Share")]
        columns += [Column(audited.HEADING)] if has_audit else []
        name = channel_name(channel)
        caption = f"Networks that {channel_name(channel, inside=True)} spam passed on its way"
        ways = Table(caption, columns, lines, len(rows), ("0", numbers.format_count(scale)))
        blocks.append(Block(f"{name} in transit", ways, "transits.csv"))
    return blocks


def bypass_blocks(report: Report) -> list[Block]:
    """Signs of bypass by inbound link, of calls too, because SIM boxes carry calls."""
    table = report.figures.bypass
    blocks = []
    for channel in [code for code in words.codelist_rows("channel") if code in set(table["channel_code"])]:
        name = channel_name(channel)
        order = [-pl.col("units_flagged"), -pl.col("units_examined"), "bypass_code", "inbound_link_code"]
        rows = table.filter(pl.col("channel_code") == channel).sort(order).to_dicts()
        first, scale = rows[0], max(numbers.share_of(r["units_flagged"], r["units_examined"]) for r in rows)
        finding = ""
        if first["units_flagged"]:
            finding = (
                f"{name}: {numbers.format_rounded(first['units_flagged'])} of"
                f" {numbers.format_rounded(first['units_examined'])} examined"
                f" that came by {words.lower_first(words.code_name('route', first['inbound_link_code']))}"
                " show the sign"
                f" “{words.lower_first(words.code_name('bypass', first['bypass_code']))}”."
            )
        # A sign is explained in its first row.
        firsts = {row["bypass_code"]: row for row in reversed(rows)}
        lines = [
            [
                Cell(
                    words.code_name("bypass", row["bypass_code"]),
                    words.code_description("bypass", row["bypass_code"])
                    if firsts[row["bypass_code"]] is row
                    else "",
                    stack_parts(
                        ("certain", numbers.share_of(row["units_flagged"], row["units_examined"])),
                        scale=scale,
                    ),
                ),
                Cell(words.code_name("route", row["inbound_link_code"]).replace("Unknown", "Link unknown")),
                number_cell(numbers.format_count(row["units_flagged"])),
                number_cell(numbers.format_count(row["units_examined"])),
                number_cell(numbers.format_part(row["units_flagged"], row["units_examined"])),
            ]
            for row in rows
        ]
        columns = [
            Column("Sign of bypass", "text"),
            Column("Inbound link", "text"),
            Column("With the sign"),
            Column("Examined", is_minor=True),
            Column("Share"),
        ]
        blocks.append(
            Block(
                f"{name}, signs of bypass",
                Table(
                    f"{name} that shows a sign of bypass",
                    columns,
                    lines,
                    axis=("0%", numbers.format_share(scale)),
                ),
                "bypass.csv",
                finding=finding,
            )
        )
    return blocks

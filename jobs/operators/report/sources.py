"""The section on sources: countries on a map and in a table, and networks.

An origin that is only claimed, by a calling number or by a sender's domain, can be forged: no sentence says
that its country sent the traffic.
"""

from dataclasses import replace

import polars as pl

from jobs.base.core import numbers
from jobs.base.figures import words
from jobs.base.page import world_map
from jobs.base.page.blocks import Block, Cell, Column, Picture, Section, Table, number_cell, stack_parts
from jobs.base.tables.contracts import Row
from jobs.operators.report import audited
from jobs.operators.report.figures import ENDS_OF_SPAM, SUMS
from jobs.operators.report.report import CERTAIN_LEGEND, UNDECIDED_LEGEND, Report, Spam, channel_name

# What claims an origin, of mail or not.
SOURCE = {True: "the sender's domain", False: "the calling number"}
# The signs that the calling number is not the sender's.
SIGNS = ("SPOOFED_CLI", "HOME_MISMATCH")


def claimed_by_country(report: Report, channel: str) -> dict[str, tuple[int, int]]:
    """A country's certain spam whose origin is only claimed, and all its certain spam, by country; empty if
    no origin is only claimed."""
    table = report.figures.origins.filter(pl.col("channel_code") == channel)
    is_claimed = pl.col("origin_kind") == "claimed"
    sums = table.group_by("origin_code").agg(
        claimed=pl.col("spam_certain").filter(is_claimed).sum(), total=pl.col("spam_certain").sum()
    )
    found = {code: (claimed, total) for code, claimed, total in sums.rows()}
    return found if any(claimed for claimed, _ in found.values()) else {}


def claimed_share(report: Report, channel: str, country: str) -> float:
    """The share of a country's certain spam whose origin is only claimed."""
    return numbers.share_of(*claimed_by_country(report, channel).get(country, (0, 0)))


def claimed_share_cell(claimed: dict[str, tuple[int, int]], rows: list[Row], row: Row) -> Cell:
    """The share of a row's certain spam whose origin is only claimed. The row of other countries sums up the
    countries that have no row of their own."""
    code = row["source_country_code"]
    if code == words.UNKNOWN:
        return number_cell("")
    if code != words.OTHER:
        return number_cell(numbers.format_part(*claimed.get(code, (0, 0))))
    last = [each["source_country_code"] for each in rows if each["source_country_code"] != words.UNKNOWN]
    parts = [claimed.get(each, (0, 0)) for each in last[-row["country_count"] :]]
    return number_cell(numbers.format_part(sum(a for a, _ in parts), sum(b for _, b in parts)))


def describe_flagged(report: Report, channel: str) -> str:
    """The units that are flagged of those examined, by sign, in words; a unit may show several signs."""
    table = report.figures.bypass.filter(pl.col("channel_code") == channel)
    parts = []
    for sign in SIGNS:
        rows = table.filter(pl.col("bypass_code") == sign)
        examined, found = int(rows["units_examined"].sum() or 0), int(rows["units_flagged"].sum() or 0)
        if found:
            what = words.lower_first(words.code_name("bypass", sign))
            parts.append(
                f"{numbers.format_count(found)} of {numbers.format_count(examined)} examined are flagged as"
                f" {what}"
            )
    return f" ({'; '.join(parts)})" if parts else ""


COUNTRIES_SHOWN = 12


def sources_section(report: Report) -> Section:
    blocks, missing = [], report.list_missing(report.figures.countries)
    for channel, table in report.split_by_channel(report.figures.countries):
        order = [
            pl.col("source_country_code") == words.UNKNOWN,
            -pl.col("spam_certain"),
            -pl.col("units"),
            "source_country_code",
        ]
        rows = table.sort(order).to_dicts()
        name, total = channel_name(channel), sum(row["spam_certain"] for row in rows)
        finding, first = "", rows[0]
        if total and first["source_country_code"] != words.UNKNOWN:
            has_unknown = any(
                row["spam_certain"] for row in rows if row["source_country_code"] == words.UNKNOWN
            )
            finding = source_finding(report, channel, first, total, has_unknown)
        blocks.append(replace(country_block(report, channel, rows, total), finding=finding))
    for channel, table in report.split_by_channel(report.figures.networks):
        name = channel_name(channel)
        rows = table.sort(
            [-pl.col("spam_certain"), -pl.col("units"), pl.all().exclude("spam_certain", "units")]
        ).to_dicts()
        scale, has_audit = max(row["spam_possible"] for row in rows), audited.has_audit(rows)
        lines = [
            [
                Cell(
                    row["source_network"],
                    network_subtitle(row),
                    stack_parts(
                        ("certain", row["spam_certain"]),
                        ("undecided", row["spam_possible"] - row["spam_certain"]),
                        scale=scale,
                    ),
                ),
                number_cell(numbers.format_count(row["spam_certain"])),
                number_cell(Spam.read_row(row).range),
                *([audited.part_share_cell(row)] if has_audit else []),
            ]
            for row in rows
        ]
        columns = [Column("Network", "text"), Column("Spam, certain"), Column("Spam in what it sent")]
        columns += [Column(audited.HEADING)] if has_audit else []
        blocks.append(
            Block(
                f"{name} by network",
                Table(
                    f"Networks that sent most {channel_name(channel, inside=True)} spam",
                    columns,
                    lines,
                    axis=("0", numbers.format_count(scale)),
                ),
                "networks.csv",
            )
        )
    notes: list[str] = []
    if "SMS" in report.channels:
        notes.append(
            "An SMS has no address: unless the operator's own subscriber sent it, its country is that of the"
            " calling number, which can be forged."
        )
    if "EMAIL" in report.channels:
        notes.append(
            "A mail from an address of unknown country is placed by its sender's domain, if that names one."
        )
    if report.location_name is None:
        notes.append(
            "No table of address ranges is set, so addresses have no country. Set [location] to have one."
        )
    else:
        notes.append(
            f"Addresses are located by {report.location_name}. Databases disagree on some 4–7% of addresses."
        )
    notes += audited.part_notes(report, report.figures.countries, audited.ALIKE)
    return Section("sources", "Sources", "", blocks, missing, notes, [CERTAIN_LEGEND, UNDECIDED_LEGEND])


def source_finding(report: Report, channel: str, row: Row, total: int, has_unknown: bool = False) -> str:
    """The largest source, and the share of its spam whose origin is only claimed. Only an observed source is
    said to have sent it."""
    name, place = channel_name(channel), words.country_name(row["source_country_code"])
    share = row["spam_certain"] / total
    claimed = claimed_share(report, channel, row["source_country_code"])
    known = "known " if has_unknown else ""
    text, traffic = f"{name}: the largest {known}source, {place}, ", "what it sent"
    if not claimed:
        text += f"sent {numbers.format_share(share)} of the spam"
    else:
        by, traffic = SOURCE[channel == "EMAIL"], "its traffic"
        if claimed == 1:
            text += f"is claimed by {numbers.format_share(share)} of the spam, by {by}"
        else:
            text += (
                f"has {numbers.format_share(share)} of the spam, {numbers.format_share(share * claimed)}"
                " only as claimed by"
                f" {by}"
            )
        text += f", which can be forged{describe_flagged(report, channel)}"
    return f"{text}; {Spam.read_row(row).range} of {traffic} is spam."


def country_block(report: Report, channel: str, rows: list[Row], total: int) -> Block:
    """The map and the table of a channel's countries; the unknown ones are the last row."""
    name = channel_name(channel)
    shown = largest_countries(rows)
    scale = max(row["spam_possible"] for row in shown)
    has_audit, claimed = audited.has_audit(rows), claimed_by_country(report, channel)
    lines = []
    for row in shown:
        vague = row["source_country_code"] in (words.UNKNOWN, words.OTHER)
        others = numbers.format_noun(
            row.get("country_count", 0), "other country", "other countries"
        ).capitalize()
        bar = stack_parts(
            ("other" if vague else "certain", row["spam_certain"]),
            ("undecided", row["spam_possible"] - row["spam_certain"]),
            scale=scale,
        )
        lines.append(
            [
                Cell(words.country_name(row["source_country_code"], others), bar=bar),
                number_cell(numbers.format_count(row["spam_certain"])),
                number_cell(numbers.format_part(row["spam_certain"], total)),
                *([claimed_share_cell(claimed, rows, row)] if claimed else []),
                number_cell(Spam.read_row(row).range),
                *([audited.part_share_cell(row)] if has_audit else []),
            ]
        )
    columns = [
        Column("Country", "text"),
        Column("Spam, certain"),
        Column("Of all spam"),
        *([Column("Origin only claimed")] if claimed else []),
        Column("Spam in its traffic", is_minor=True),
        *([Column(audited.HEADING)] if has_audit else []),
    ]
    known = world_map.load_positions()
    places = [
        world_map.MapCountry(
            words.country_name(row["source_country_code"]),
            *known[row["source_country_code"]],
            row["spam_certain"],
        )
        for row in rows
        if row["source_country_code"] in known
    ]
    title = f"World map: {name} spam by country it came from, as in the table below"
    pictures = [
        Picture(
            world_map.draw_map(places, title, 920, 12),
            world_map.draw_map(places, title, 390, 5),
            heading=map_heading(rows, total, bool(claimed)),
        )
    ]
    came = "came from or claims" if claimed else "came from"
    caption = f"Countries that {channel_name(channel, inside=True)} spam {came}"
    return Block(
        f"{name} by country",
        Table(caption, columns, lines, axis=("0", numbers.format_count(scale))),
        "countries.csv",
        pictures if any(place.value for place in places) else [],
        world_map.NOTE.format("certain spam"),
        is_table_open=True,
    )


def largest_countries(rows: list[Row]) -> list[Row]:
    """The first rows, the other known countries as one row, and the unknown ones."""
    known = [row for row in rows if row["source_country_code"] != words.UNKNOWN]
    unknown = [row for row in rows if row["source_country_code"] == words.UNKNOWN]
    shown, rest = known[:COUNTRIES_SHOWN], known[COUNTRIES_SHOWN:]
    if rest:
        added = {name: sum(row[name] for row in rest) for name in (*SUMS, *ENDS_OF_SPAM)}
        one = rest[0] | added | {"source_country_code": words.OTHER, "country_count": len(rest)}
        shown = [*shown, one]
    return shown + unknown


def map_heading(rows: list[Row], total: int, is_claimed: bool) -> str:
    unknown = sum(row["spam_certain"] for row in rows if row["source_country_code"] == words.UNKNOWN)
    share = numbers.format_part(unknown, total)
    more = f"; {share} is of unknown origin and not on the map" if unknown else ""
    return f"Certain spam by country{', observed or else claimed' if is_claimed else ''}{more}"


def network_subtitle(row: Row) -> str:
    system = f"AS{row['source_asn']}" if row["source_asn"] else "AS unknown"
    if row["source_country_code"] == words.UNKNOWN:
        return f"{system}, country unknown" if row["source_asn"] else "AS and country unknown"
    return f"{system}, {words.country_name(row['source_country_code'])}"

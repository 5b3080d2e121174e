"""The charts of volumes, changes, types, sources and routes, each with its figures as a table: rows of the
release in, cells and bars out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations

import polars as pl

from jobs.base.core import languages, numbers
from jobs.base.figures import words
from jobs.base.figures.reliability import may_be_quoted
from jobs.base.page.blocks import Cell, Column, Part, Picture, Table, number_cell, range_bar, stack_parts
from jobs.base.page.world_map import MapCountry, draw_map, load_positions
from jobs.base.tables.contracts import Row, reference_rows
from jobs.base.tables.series import ALL, PARTS, UNPLACED
from jobs.study.release.released_tables import AREA, AREAS, PART, WHOLE, names_of
from jobs.study.site.cells import (
    RATE,
    ShownColumn,
    amount_cell,
    area_column,
    band_cell,
    head_cell,
    label_of,
    rank_cell,
    rate_cell,
    share_cell,
    share_text,
    short,
    text_column,
)
from jobs.study.site.names import name_code, name_country, name_region, name_type, own_area_codes, sort_key
from jobs.study.site.published_release import QUANTITIES, PublishedRelease, better_quantity, split_by_channel
from jobs.study.site.sentences import (
    change_ends,
    change_rows,
    comparison_title,
    has_interval,
    has_share,
    head_channel,
    main_rows,
    name_area,
    name_period,
    part_title,
    quote_share,
    quoted_change,
    rate_title,
    show_share,
    volume_title,
)
from jobs.study.site.table_views import (
    change_columns,
    head_areas,
    interval_column,
    part_columns,
    reading_note,
    reliability_column,
    shown_table,
    volume_columns,
)
from jobs.study.site.texts import say

# Shades of a matrix, by share in percent.
SHADES = (5, 15, 30, 50)
# Width and number of names of the map, on wide and on narrow screens.
MAPS = ((960, 12), (480, 5))


@dataclass(frozen=True)
class SiteFigure:
    """A chart of the site, with its table and texts.

    Attributes:
        source: the table of the release.
        about: unit, definition, what was done, period.
        note: how to read it.
        is_english: its table is of English texts in every language.
        made_up: the text that marks a figure of a made-up release; empty where its numbers are those of
            others.
    """

    source: str
    title: str
    about: str
    table: Table
    note: str = ""
    picture: Picture | None = None
    is_english: bool = False
    made_up: str = "made_up"


def table_by_area(
    title: str, rows: pl.DataFrame, column: str, names: Mapping[str, str], write: Callable[[Row | None], Cell]
) -> Table:
    """A line for each area, a column for each code.

    Args:
        names: of the codes, in order.
        write: a cell of a row, or of none.
    """
    of = {(row[AREA], row[column]): row for row in rows.to_dicts()}
    heads = {row[AREA]: head_cell(row) for row in of.values()}
    lines = [[head, *(write(of.get((area, code))) for code in names)] for area, head in heads.items()]
    return Table(title, [area_column(), *map(Column, names.values())], lines)


def describe_volume(rows: pl.DataFrame) -> str:
    """Unit, definition, seen or corrected, and period of rows of one series."""
    row = rows.row(0, named=True)
    parts = (
        say(f"unit.{row['unit_code']}"), say("definition"), say(f"quantity.{row['quantity_code']}"),
        name_period(row["period_code"]),
    )  # fmt: skip
    return say("between").join(parts)


def log_axis(rows: Sequence[Row]) -> tuple[int, int]:
    """The powers of ten between which all values lie."""
    values = [
        float(row[name])
        for row in rows
        for name in ("estimate_low", "estimate", "estimate_high")
        if row[name] and float(row[name]) > 0
    ]
    if not values:
        return 0, 1
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def log_labels(low: int, high: int) -> tuple[str, ...]:
    """A label for each power of ten, of every second or third where there are many."""
    step = next(
        step for step in (1, 2, 3, high - low) if (high - low) % step == 0 and (high - low) // step <= 5
    )
    return tuple(languages.format_compact(10**power) for power in range(low, high + 1, step))


def log_bar(row: Row, low: int, high: int) -> tuple[Part, ...]:
    """An interval with its estimate on a scale of powers of ten; the estimate alone without one."""

    def at(value: str) -> float:
        return math.log10(max(float(value), 10**low)) - low

    if not row["estimate"] or float(row["estimate"]) <= 0:
        return ()
    ends = ("estimate_low", "estimate_high") if has_interval(row) else ("estimate", "estimate")
    return range_bar(at(row[ends[0]]), at(row["estimate"]), at(row[ends[1]]), high - low)


def plain_bar(row: Row, names: tuple[str, str, str], scale: float) -> tuple[Part, ...]:
    """An interval with its estimate on a scale from zero.

    Args:
        names: of the ends and the estimate between.
    """
    if not row[names[1]]:
        return ()
    low, middle, high = (float(row[name] or row[names[1]]) for name in names)
    return range_bar(low, middle, high, scale)


def share_bar(row: Row, scale: float) -> tuple[Part, ...]:
    return stack_parts(("certain", float(row["share_pct"] or 0)), scale=scale)


def top_of(rows: Sequence[Row], *names: str) -> float:
    return max((float(row[name]) for row in rows for name in names if row[name]), default=0.0)


def line_from_zero(scale: float) -> tuple[str, str]:
    return "0", short(str(scale))


def volume_figures(release: PublishedRelease) -> list[SiteFigure]:
    areas = release.every_volume.filter(pl.col("area_kind_code") != "country")
    found = []
    for channel, of_channel in split_by_channel(release.every_volume):
        for period in sorted(set(of_channel["period_code"]), reverse=True):
            own = better_quantity(areas.filter(channel_code=channel, period_code=period))
            if own.height:
                found.append(volume_figure(volume_title(channel, own), own))
                found.append(rate_figure(channel, own))
        found += change_figures(release, channel)
    return found


def country_figures(release: PublishedRelease) -> dict[str, SiteFigure]:
    """Return each channel's figure of volumes by country, of countries with a row of their own."""
    countries = release.volumes.filter(pl.col("area_kind_code") == "country")
    found = {}
    for channel, own in split_by_channel(countries):
        rows = better_quantity(own)
        title = say("volume.countries", channel=head_channel(channel), count=rows.height)
        found[channel] = volume_figure(title, sort_by_name(rows))
    return found


def volume_figure(title: str, rows: pl.DataFrame) -> SiteFigure:
    """Volumes with intervals on a scale of powers of ten."""
    listed = rows.to_dicts()
    low, high = log_axis(listed)
    shown = [head_areas(lambda row: log_bar(row, low, high)), *volume_columns("spam")]
    table = shown_table(title, listed, shown, log_labels(low, high))
    note = f"{say('volume.scale')} {say('compare.note')} {reading_note('spam_volume', rows)}"
    return SiteFigure("spam_volume", title, describe_volume(rows), table, note)


def rate_figure(channel: str, rows: pl.DataFrame) -> SiteFigure:
    """Volumes for each subscription: what makes small and large areas comparable."""
    listed, title = rows.to_dicts(), rate_title(channel, rows)
    scale = top_of(listed, *RATE)
    shown = [
        head_areas(lambda row: plain_bar(row, RATE, scale)),
        (Column(say("rate")), rate_cell),
        interval_column(RATE[0], RATE[-1]),
        (Column(say("rank"), is_minor=True), rank_cell),
        reliability_column(),
    ]
    table = shown_table(title, listed, shown, line_from_zero(scale))
    notes = [say("compare.note"), *apart_notes(listed), reading_note("spam_volume", rows)]
    return SiteFigure("spam_volume", title, describe_volume(rows), table, " ".join(notes))


def apart_notes(rows: Sequence[Row]) -> list[str]:
    """Notes on ranks, and on regions that differ in their rates, of those that may be quoted."""
    ranks = [say("rate.rank")] if any(row["rank_from"] for row in rows) else []
    ends = {
        name_region(own_area_codes()[row[AREA].removesuffix(PART)]): (row["rate_low"], row["rate_high"])
        for row in rows
        if row["area_kind_code"] == "region" and row["rate_low"] and row["rate_high"]
        and may_be_quoted(row["cv_band_code"])
    }  # fmt: skip
    if len(ends) < 2:
        return ranks
    apart = [
        f"{lower} < {upper}"
        for lower, upper in permutations(ends, 2)
        if float(ends[lower][1]) < float(ends[upper][0])
    ]
    if not apart:
        return [*ranks, say("rate.together")]
    every = len(ends) * (len(ends) - 1) // 2
    return [*ranks, say("rate.apart", all=every, apart=len(apart), pairs=say("between").join(apart))]


def comparison_figures(release: PublishedRelease, area: str) -> list[SiteFigure]:
    """Shares of traffic that are spam, of an area, its region and all countries together. Countries have no
    published rates: shares alone compare them."""
    order = [area, *region_of(area), *WHOLE]
    found = []
    for channel, own in split_by_channel(release.volumes.filter(pl.col(AREA).is_in(order))):
        by_quantity = [own.filter(pl.col("quantity_code") == quantity) for quantity in QUANTITIES]
        rows = next((each for each in by_quantity if has_both(each, area)), None)
        if rows is None:
            continue
        listed = sorted(rows.to_dicts(), key=lambda row: order.index(row[AREA]))
        title = comparison_title(channel, listed[0], listed[-1])
        scale = top_of(listed, "share_pct")
        shown: list[ShownColumn] = [
            head_areas(partial(share_bar, scale=scale)),
            (Column(say("of_traffic")), share_cell),
            (Column(say("spam")), amount_cell),
            interval_column(),
            (text_column("reliability.share"), partial(band_cell, column="share_cv_band_code")),
        ]
        table = shown_table(title, listed, shown, ("0", show_share(str(scale))))
        note = f"{say('beside.note')} {reading_note('spam_volume', rows)}"
        found.append(SiteFigure("spam_volume", title, describe_volume(rows), table, note))
    return found


def has_both(rows: pl.DataFrame, area: str) -> bool:
    """Return whether an area and all countries together have a share."""
    areas = set(rows.filter(pl.col("share_pct").is_not_null())[AREA])
    return area in areas - set(WHOLE) and not areas.isdisjoint(WHOLE)


def region_of(area: str) -> tuple[str, ...]:
    """The codes that the region of a country may have; none for an area that is no country."""
    regions = (row["itu_region"] for row in reference_rows("country") if row["m49"] == area)
    return tuple(code for region in regions if region for code in (AREAS[region][0], AREAS[region][0] + PART))


def change_figures(release: PublishedRelease, channel: str) -> list[SiteFigure]:
    rows = change_rows(release).filter(pl.col("channel_code") == channel)
    if rows.is_empty():
        return []
    before = name_period(rows["earlier_period_code"][0])
    given = {"channel": head_channel(channel), "before": before}
    volume = main_rows(release).get(channel)
    row = quoted_change(release, volume) if volume else None
    title = say("change.plain", **given)
    if row is not None:
        change = languages.format_change(row["change_pct"])
        title = say("change.title", **given, change=change, area=name_area(row))
        if row["change_code"]:
            # Most are not sure to be a rise or a fall: the title must not say more than the card.
            title = f"{title} ({say('range', **change_ends(row))})"
    table = shown_table(title, rows.to_dicts(), [head_areas(), *change_columns()])
    note = reading_note("volume_change", rows)
    return [SiteFigure("volume_change", title, describe_volume(rows), table, note)]


def map_figure(release: PublishedRelease) -> SiteFigure | None:
    """The map of the first channel with countries that have rows of their own."""
    for channel, own in split_by_channel(release.volumes.filter(pl.col("area_kind_code") == "country")):
        rows = sort_by_name(better_quantity(own))
        places = [place for row in rows.to_dicts() if (place := place_of(row))]
        # Which country is first depends on which have rows: no title names one.
        title = say("map", channel=head_channel(channel), count=len(places))
        spoken = f"{title} ({say('made_up')})" if release.is_made_up else title
        note = say("map.note", quantity=say(f"quantity.{rows['quantity_code'][0]}"))
        table = volume_figure(title, rows).table
        picture = Picture(*(draw_map(places, spoken, width, labels) for width, labels in MAPS))
        return SiteFigure("spam_volume", title, describe_volume(rows), table, note, picture)
    return None


def place_of(row: Row) -> MapCountry | None:
    """A country's row on the map; None where the map does not have the country."""
    iso3 = own_area_codes()[row[AREA]]
    at = load_positions().get(iso3)
    return MapCountry(name_country(iso3), *at, int(float(row["estimate"]))) if at else None


def sort_by_name(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by the names of their areas."""
    order = sorted(range(rows.height), key=lambda at: sort_key(label_of(rows.row(at, named=True))))
    return rows[order]


def type_figures(release: PublishedRelease) -> list[SiteFigure]:
    names = {code: name_type(code) for code in names_of("type")}
    rows = release.last("spam_type").filter(~pl.col("spam_type_code").is_in([ALL, PARTS]))
    found = []
    for channel, own in split_by_channel(rows):
        best = better_quantity(own)
        found += part_figures(channel, best, "spam_type_code", "part.type", names)
        families = best.filter(pl.col("spam_type_code").is_in([*words.FAMILIES, "OTHER", "UNK"]))
        listed = families if families.height else best
        found += matrix("spam_type", channel, listed, "spam_type_code", names)
    return found


def source_figures(release: PublishedRelease) -> list[SiteFigure]:
    names = {code: name_region(code) for code in (*AREAS, "_U")}
    rows = release.last("spam_source").filter(~pl.col("source_region_code").is_in([ALL, PARTS]))
    found = []
    for channel, own in split_by_channel(rows):
        found += matrix("spam_source", channel, own, "source_region_code", names)
        found += part_figures(channel, own, "source_region_code", "part.source", names)
    return found


def route_figures(release: PublishedRelease) -> list[SiteFigure]:
    names = {code: name_code("route", code, name) for code, name in names_of("route").items()}
    rows = release.last("spam_route").filter(
        pl.col("origin_region_code") == PARTS, pl.col("link_code") != ALL
    )
    found = []
    for channel, own in split_by_channel(rows):
        found += part_figures(channel, own, "link_code", "part.route", names)
        found += matrix("spam_route", channel, own, "link_code", names)
    return found


def part_figures(
    channel: str, rows: pl.DataFrame, column: str, heading: str, names: dict[str, str]
) -> list[SiteFigure]:
    """Shares of the parts of all countries together, the largest first, what has no known place last."""
    own = rows.filter(pl.col(AREA).is_in(WHOLE))
    if own.is_empty():
        return []
    is_unplaced = pl.col(column).is_in(UNPLACED)
    listed = own.sort(is_unplaced, -pl.col("share_pct").cast(pl.Float64), column, nulls_last=True).to_dicts()
    scale = top_of(listed, "share_pct")
    title = part_title(channel, own, names, column)
    head = (
        text_column(heading),
        lambda row: Cell(names[row[column]], bar=share_bar(row, scale)),
    )
    table = shown_table(title, listed, [head, *part_columns()], ("0", show_share(str(scale))))
    source = SOURCE_OF[column]
    return [SiteFigure(source, title, describe_volume(own), table, reading_note(source, own))]


SOURCE_OF = {"spam_type_code": "spam_type", "source_region_code": "spam_source", "link_code": "spam_route"}


def matrix(
    source: str, channel: str, rows: pl.DataFrame, column: str, names: dict[str, str]
) -> list[SiteFigure]:
    """Shares: a row for each area, a column for each part. Those of low reliability in brackets."""
    # An area without a share would be a line of dashes.
    rows = rows.filter(pl.col("share_pct").is_not_null().any().over(AREA))
    codes = [code for code in names if code in set(rows[column])]
    codes.sort(key=lambda code: code in UNPLACED)
    if rows.is_empty():
        return []
    title = matrix_title(source, channel, rows, column, names)
    table = table_by_area(title, rows, column, {code: names[code] for code in codes}, shade_cell)
    reading = [say("sources.matrix_note")] if source == "spam_source" else []
    note = " ".join([*reading, say("matrix.note"), say("brackets.note")])
    return [SiteFigure(source, title, describe_volume(rows), table, note)]


def matrix_title(source: str, channel: str, rows: pl.DataFrame, column: str, names: Mapping[str, str]) -> str:
    """Write the range of areas' shares of the part that is largest for all countries together."""
    key, given = (
        "sources.matrix" if source == "spam_source" else "part.matrix",
        {"channel": head_channel(channel)},
    )
    quoted = [row for row in rows.to_dicts() if has_share(row) and row[column] not in UNPLACED]
    whole = [row for row in quoted if row[AREA] in WHOLE]
    if not whole:
        return say(key, **given)
    code = max(whole, key=lambda row: float(row["share_pct"]))[column]
    shares = sorted((row["share_pct"] for row in quoted if row[column] == code), key=float)
    low, high = quote_share(shares[0]), quote_share(shares[-1])
    if low == high:
        return say(key, **given)
    return say(f"{key}_spread", **given, part=names[code], low=low, high=high)


def shade_cell(row: Row | None) -> Cell:
    """A share with a shade for its size; one of low reliability in brackets, without a shade."""
    if row is None or not row["share_pct"]:
        return number_cell(numbers.DASH, "muted")
    if not may_be_quoted(row["share_cv_band_code"]):
        return number_cell(share_cell(row).text, "muted")
    return number_cell(share_text(row), f"shade{sum(float(row['share_pct']) >= edge for edge in SHADES)}")

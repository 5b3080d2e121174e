"""The charts of the site, each with its figures as a table: rows of the release in, cells and bars out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations

import polars as pl

from jobs.base.core import languages, numbers
from jobs.base.core.numbers import Number, round_significant
from jobs.base.costs.prices import count_prices, describe_prices
from jobs.base.figures import words
from jobs.base.figures.reliability import may_be_quoted
from jobs.base.page.blocks import Cell, Column, Part, Picture, Table, number_cell, range_bar, stack_parts
from jobs.base.page.world_map import MapCountry, draw_map, load_positions
from jobs.base.tables.contracts import Row, reference_rows
from jobs.base.tables.series import ALL, PARTS, UNPLACED
from jobs.study.release.released_tables import AREA, AREA_NAME, AREAS, PART, WHOLE, names_of
from jobs.study.site.names import (
    name_code,
    name_country,
    name_listed,
    name_place,
    name_question,
    name_region,
    name_strategy,
    name_type,
    own_area_codes,
    sort_key,
)
from jobs.study.site.published_release import (
    QUANTITIES,
    SPENDING_BAND,
    PublishedRelease,
    better_quantity,
    split_by_channel,
    total_spending,
)
from jobs.study.site.sentences import (
    DIGITS,
    change_ends,
    change_rows,
    comparison_title,
    has_interval,
    has_share,
    head_channel,
    main_rows,
    money_title,
    name_area,
    name_band,
    name_period,
    part_title,
    quote_before_noun,
    quote_share,
    quoted_change,
    rate_title,
    show_share,
    volume_title,
    whole_row,
)
from jobs.study.site.texts import say

# A column of a table, and its cell of a row.
ShownColumn = tuple[Column, Callable[[Row], Cell]]
# Of running cost what it is for each, and the text that heads its column.
RATES = {"rate_per_subscription": "rate", "cost_per_thousand": "cost.thousand"}
RATE = ("rate_low", "rate_per_subscription", "rate_high")
COMPONENTS = {"marginal": "", "fixed": "≥ ", "stated": "≥ "}
# Shades of a matrix, by share in percent.
SHADES = (5, 15, 30, 50)
# Answers that say that there is nothing.
NOTHING = ("no", "NONE", "zero")
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


# --- cells ------------------------------------------------------------------------------------------


def english_cell(text: str, tone: str = "") -> Cell:
    """A text of a source, which is in English on every page."""
    return Cell(text, tone=tone, language="" if languages.is_english() else "en")


def text_column(key: str) -> Column:
    return Column(say(key), "text")


def area_column() -> Column:
    return text_column("area")


def areas_in(rows: pl.DataFrame) -> dict[str, str]:
    """The areas of rows with their names, in their order."""
    listed = rows.select(AREA, AREA_NAME).unique(maintain_order=True).rows()
    return {code: name_place(code, label) for code, label in listed}


def head_cell(row: Row, bar: tuple[Part, ...] | None = None) -> Cell:
    """The area of a row as its heading; all countries together stand out."""
    return Cell(label_of(row), bar=bar, tone="strong" if row[AREA] in WHOLE else "")


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


def short(value: Number | None) -> str:
    return numbers.DASH if value is None else languages.format_compact(value)


def bracket(text: str, band: str | None) -> str:
    """A figure, in brackets if it is of low reliability."""
    return f"({text})" if text and not may_be_quoted(band) else text


def amount_cell(row: Row | None, sign: str = "") -> Cell:
    """An amount with the sign of its bound; one of low reliability in brackets."""
    if row is None:
        return number_cell(numbers.DASH, "muted")
    return number_cell(bracket(sign + short(row["estimate"]), row["cv_band_code"]))


def interval_cell(row: Row, low: str = "estimate_low", high: str = "estimate_high") -> Cell:
    if not (row.get(low) and row.get(high)):
        return number_cell("", "muted")
    if row.get("area_factor") and not float(row["area_factor"]):
        # Where nothing is estimated, both ends are the figure itself.
        return Cell(say("interval.none"), tone="muted")
    return number_cell(f"{short(row[low])}{numbers.DASH}{short(row[high])}", "muted")


def change_interval_cell(row: Row) -> Cell:
    return number_cell(say("range", **change_ends(row)) if row["change_code"] else "", "muted")


def change_cell(row: Row) -> Cell:
    return number_cell(languages.format_change(row["change_pct"]) if row["change_pct"] else "")


def direction_cell(row: Row) -> Cell:
    """Return whether a change is a rise, a fall, or either."""
    return Cell(name_listed("change", row["change_code"]) if row["change_code"] else "")


def band_cell(row: Row, column: str = "cv_band_code") -> Cell:
    return Cell(name_band(row[column]), tone="muted")


def share_text(row: Row) -> str:
    return show_share(row["share_pct"]) if row["share_pct"] else ""


def share_cell(row: Row) -> Cell:
    return number_cell(bracket(share_text(row), row["share_cv_band_code"]))


def plain_cell(row: Row, name: str) -> Cell:
    """A figure that has no reliability of its own."""
    return number_cell(short(row[name]) if row[name] else "")


def judged_cell(row: Row, name: str, band: str) -> Cell:
    """A figure, in brackets if its band says so."""
    return number_cell(bracket(plain_cell(row, name).text, row[band]))


def rate_cell(row: Row) -> Cell:
    return judged_cell(row, "rate_per_subscription", "cv_band_code")


def least_cell(row: Row, name: str) -> Cell:
    """Lower bound of a unit cost."""
    return number_cell(
        bracket(f"≥ {languages.format_significant(row[name])}", row["cv_band_code"]) if row[name] else ""
    )


def class_cell(row: Row, codelist: str) -> Cell:
    code = row[f"{codelist}_code"]
    return Cell(name_listed(codelist, code) if code else "", tone="muted whole")


# --- columns ----------------------------------------------------------------------------------------


def head_amounts(key: str) -> str:
    """The heading of amounts of money."""
    return say("dollars", what=say(key))


def interval_column(low: str = "estimate_low", high: str = "estimate_high") -> ShownColumn:
    return Column(say("interval"), is_minor=True), partial(interval_cell, low=low, high=high)


def reliability_column() -> ShownColumn:
    return text_column("reliability"), band_cell


def class_columns() -> list[ShownColumn]:
    """Return the columns that show how much of an area answered."""
    return [
        (Column(say("holdings"), "text", True), partial(class_cell, codelist="holdings_class")),
        (Column(say("subscriptions"), "text", True), partial(class_cell, codelist="coverage_class")),
    ]


def volume_columns(heading: str = "figure") -> list[ShownColumn]:
    return [
        (Column(say(heading)), amount_cell),
        interval_column(),
        (Column(say("of_traffic")), share_cell),
        reliability_column(),
    ]


def volume_columns_of_area() -> list[ShownColumn]:
    *first, last = volume_columns()
    return [*first, (Column(say("rate")), rate_cell), last]


def change_columns() -> list[ShownColumn]:
    return [
        (Column(say("change")), change_cell),
        (Column(say("interval"), is_minor=True), change_interval_cell),
        (text_column("direction"), direction_cell),
        (Column(say("spam")), partial(plain_cell, name="estimate")),
        *class_columns(),
    ]


def part_columns() -> list[ShownColumn]:
    return [
        (Column(say("share")), share_cell),
        (Column(say("rank"), is_minor=True), rank_cell),
        (Column(say("spam")), amount_cell),
        interval_column(),
        (text_column("reliability"), part_band_cell),
    ]


def use_columns() -> list[ShownColumn]:
    return [(Column(say("share")), quarter_cell)]


def cost_columns() -> list[ShownColumn]:
    """Return the columns of costs, of both components and of each: the amount with its bound's sign."""
    return [
        (
            Column(head_amounts("figure")),
            lambda row: amount_cell(row, COMPONENTS[row["cost_component_code"]]),
        ),
        interval_column(),
        *least_columns(head_amounts),
        reliability_column(),
    ]


def least_columns(head: Callable[[str], str]) -> list[ShownColumn]:
    return [
        (Column(head(text), is_minor=True), partial(least_cell, name=name)) for name, text in RATES.items()
    ]


def investment_columns() -> list[ShownColumn]:
    return [
        (Column(head_amounts("rate")), rate_cell),
        interval_column(RATE[0], RATE[-1]),
        (Column(head_amounts("investment.total")), amount_cell),
        interval_column(),
        class_columns()[-1],
        reliability_column(),
    ]


def gap_columns() -> list[ShownColumn]:
    return [
        (Column(head_amounts("gap.needed")), partial(plain_cell, name="necessary")),
        (Column(head_amounts("gap.spent")), partial(judged_cell, name="spend", band=SPENDING_BAND)),
        (Column(head_amounts("gap.gap")), partial(judged_cell, name="gap", band="cv_band_code")),
        interval_column("gap_low", "gap_high"),
        reliability_column(),
    ]


def user_columns() -> list[ShownColumn]:
    return [
        (Column(head_amounts("users.modelled")), modelled_cell),
        (
            Column(say("users.points"), is_minor=True),
            partial(interval_cell, low="modelled_p05", high="modelled_p95"),
        ),
        (Column(say("users.hours")), partial(plain_cell, name="hours_p50")),
        (Column(say("users.rests"), "text", True), partial(class_cell, codelist="user_basis")),
    ]


@dataclass(frozen=True)
class TableView:
    """Layout of a table on pages.

    Attributes:
        title: the text that names it.
        columns: of its figures, the same on the page of its subject and on those of areas.
        notes: the texts on how to read them.
    """

    title: str
    columns: Callable[[], list[ShownColumn]]
    notes: tuple[str, ...] = ()


# In the order of an area's page.
TABLES: Mapping[str, TableView] = {
    "spam_volume": TableView("page.volume", volume_columns_of_area),
    "volume_change": TableView(
        "change", change_columns, ("change.note", "unsure.change", "why_change", "why_held")
    ),
    "spam_type": TableView("page.types", part_columns, ("part.note",)),
    "spam_source": TableView("page.sources", part_columns, ("part.note",)),
    "spam_route": TableView("page.routes", part_columns, ("part.note",)),
    "countermeasure": TableView("title.use", use_columns, ("measures.use_note",)),
    "countermeasure_cost": TableView("title.cost", cost_columns, ("cost.note",)),
    "investment": TableView("page.investment", investment_columns),
    "investment_gap": TableView("title.gap", gap_columns, ("gap.note",)),
    "policy": TableView("page.policy", use_columns),
    "user_cost": TableView("page.users", user_columns, ("users.note",)),
}


def shown_table(
    title: str, rows: Sequence[Row], shown: Sequence[ShownColumn], axis: tuple[str, ...] = ()
) -> Table:
    """A line for each row. A column whose cells are all empty is left out."""
    lines = [[write_cell(row) for _, write_cell in shown] for row in rows]
    kept = [at for at in range(len(shown)) if not at or any(line[at].text for line in lines)]
    return Table(
        title, [shown[at][0] for at in kept], [[line[at] for at in kept] for line in lines], axis=axis
    )


def reading_note(table: str, rows: pl.DataFrame) -> str:
    """Write how to read the columns of a table's rows."""
    given = {"prices": prices_text()}
    if "target_per_subscription" in rows.columns:
        given["norm"] = short(rows["target_per_subscription"][0])
    notes = [say(key, **given) for key in TABLES[table].notes]
    if table == "spam_volume" and QUANTITIES[0] in rows["quantity_code"]:
        notes.append(say("volume.rounded"))
    return " ".join([*notes, say("brackets.note")] if "cv_band_code" in rows.columns else notes)


def head_areas(write_bar: Callable[[Row], tuple[Part, ...]] | None = None) -> ShownColumn:
    """The column of areas, which heads the rows."""
    return area_column(), lambda row: head_cell(row, write_bar(row) if write_bar else None)


def describe_volume(rows: pl.DataFrame) -> str:
    """Unit, definition, seen or corrected, and period of rows of one series."""
    row = rows.row(0, named=True)
    parts = (
        say(f"unit.{row['unit_code']}"), say("definition"), say(f"quantity.{row['quantity_code']}"),
        name_period(row["period_code"]),
    )  # fmt: skip
    return say("between").join(parts)


# --- scales -----------------------------------------------------------------------------------------


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


# --- volume -----------------------------------------------------------------------------------------


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


def label_of(row: Row) -> str:
    """An area as a row's heading."""
    return name_place(row[AREA], row[AREA_NAME])


def sort_by_name(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows by the names of their areas."""
    order = sorted(range(rows.height), key=lambda at: sort_key(label_of(rows.row(at, named=True))))
    return rows[order]


# --- types, sources, routes -------------------------------------------------------------------------


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


def rank_cell(row: Row) -> Cell:
    ends = (row["rank_from"], row["rank_to"])
    return number_cell(numbers.merge_ends(*ends) if all(ends) else "", "muted")


def part_band_cell(row: Row) -> Cell:
    """Return the cell of a share's reliability; for a total, which has no share, that of its figure."""
    return band_cell(row, "share_cv_band_code" if row["share_pct"] else "cv_band_code")


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


# --- measures and money -----------------------------------------------------------------------------


def quarter_text(row: Row | None) -> str:
    """A share as a quarter: 25–50%."""
    if row is None:
        return numbers.DASH
    return f"{row['share_from_pct']}{numbers.DASH}{show_share(row['share_below_pct'])}"


def quarter_cell(row: Row | None) -> Cell:
    return number_cell(quarter_text(row))


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


def prices_text() -> str:
    if languages.is_english():
        return describe_prices()
    judged, count = count_prices()
    return say("cost.prices", judged=judged, all=count)


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


# --- policy, users, others --------------------------------------------------------------------------


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


def modelled_cell(row: Row) -> Cell:
    """A modelled cost with the sign of its bound."""
    return number_cell(words.bound_sign(row["bound_code"]) + short(row["modelled_p50"]))


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

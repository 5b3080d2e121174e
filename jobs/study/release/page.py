"""A page of a release: its main figures as tables with bars, from released tables alone.

It loads nothing, runs no script, and stands beside a release, whose files never change. The same release
gives the same bytes.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from jobs.base.core import numbers
from jobs.base.core.errors import ObservatoryError
from jobs.base.costs.prices import describe_prices
from jobs.base.figures import words
from jobs.base.figures.reliability import mark_of, may_be_quoted
from jobs.base.page.blocks import Block, Cell, Column, Section, Table, number_cell, range_bar
from jobs.base.page.templates import render_template
from jobs.base.tables.public_contracts import public_contract
from jobs.study.release.comparing import tables_in
from jobs.study.release.manifest import read_manifest
from jobs.study.release.released_tables import AREAS, WHOLE

TEMPLATES = Path(__file__).parent / "templates"
WORLD_NAME, THE_WORLDS = AREAS["WORLD"][1], "the world's operators"
VOLUME, CHANGE, COST = "spam_volume", "volume_change", "countermeasure_cost"
USERS = "user_cost"
# Of volumes the units that stand for a channel, and the quantity, the better first.
UNITS = {"attempted": "recipients and attempts", "call": "calls"}
QUANTITIES = {"spam_corrected": "corrected for filter error", "spam_certain": "as filters saw it"}
# What components are called, and the sign of those that are lower bounds.
COMPONENTS = {"marginal": ("Marginal", ""), "fixed": ("Fixed", "≥ "), "stated": ("Both", "≥ ")}
MARKS_NOTE = (
    "Marks show how far an estimate would vary between samples. !: its coefficient of variation is 16.6 to"
    " 33.3%, use it with caution. !!: above that, of low reliability, for tables alone and not to be quoted."
)
DERIVED_NOTE = (
    "Shares, and figures for each subscription, follow from published figures alone; subscriptions are those"
    " of the study's files. A share has the mark of the less certain of its two figures, and no interval."
)
INTERVAL, RATE = Column("95% interval", is_minor=True), Column("Each subscription", is_minor=True)
COST_NOTES = (
    f"Marginal cost is effort measured in operators' logs, times {describe_prices()}. Fixed cost (licences,"
    " staff) is what operators stated. An operator that stated none adds none, so fixed cost and both"
    " together are lower bounds, marked ≥; what the study imputes for such operators stays with the study.",
    "It is the cost of whole channels, spam or not, in US dollars at market rates, for all operators of an"
    " area as estimated from those that sent their costs. It is not the spending that operators answered, and"
    " never added to it. Bars and intervals are of both together, without what was not stated.",
    "All strategies are more than the sum of those shown: cost that serves several strategies is in them"
    " alone. A dash: fewer than five holdings had any, or one of them dominates it.",
    MARKS_NOTE,
)
VOLUME_NOTES = (
    "Definition OPERATOR: what operators themselves block or mark. Intervals are of 95%, their ends moved"
    " outward; they hold if operators that did not answer are like those that did.",
    MARKS_NOTE,
)
CHANGE_NOTES = (
    "Both figures are estimated from the operators that have one in both periods, so that those that joined"
    " or left change nothing. Spam as filters saw it, by the definition OPERATOR.",
    "No interval of a change is published: with the figures it would show what single operators contributed."
    " A change of a few percent may be none. It is surer the more holdings reported and the more of the"
    " subscriptions they have. Three digits of each figure make it good to about one percentage point.",
)
USER_NOTES = (
    "These amounts are modelled, not measured, and never added to what countermeasures cost, to spending or"
    " to each other: models value the same time, nuisance and harm in different ways.",
    "Of an area they are its published spam times what a published model, or a judgement of this project,"
    " says of each message or call; time at the wages of the area's countries, where they are known. The 5"
    " and 95% points are the model's. How sure the spam is comes on top.",
    "≤: all spam that was counted is taken to have reached users. ~: that too, and scams of unknown type are"
    " missing. What operators and business users lose no model says by area; the table cost has what others"
    " print.",
)
USER_COLUMNS = [
    Column("Area", "text"), Column("What", "text"), Column("Modelled"), Column("5 to 95%", is_minor=True),
    Column("Hours"), Column("Rests on", "text"),
]  # fmt: skip
Row = dict[str, str]
CHANGE_RESTS_ON = ("holdings_class", "coverage_class")
KNOWN_ERRORS = ("subscriptions_variance", "days_variance")
# By area, strategy and component.
CostRows = dict[tuple[str, str, str], Row]


def write_page(folder: Path, output: Path) -> Path:
    """Write index.html and the tables behind it as CSV; the path of index.html.

    folder: of one release. Raises ObservatoryError if it is none, or if output lies in it.
    """
    about = read_manifest(folder)
    if output.resolve().is_relative_to(folder.resolve()):
        raise ObservatoryError(f"{output} lies in the release, which never changes: name another --output")
    tables = tables_in(folder)
    output.mkdir(parents=True, exist_ok=True)
    for name in SECTIONS:
        for file in (folder / "data").glob(f"{name}.*csv"):
            (output / f"{name}.csv").write_bytes(file.read_bytes())
    page = render_template(
        TEMPLATES,
        "page.html.j2",
        title=f"{about['title']}, {about['version']}",
        sections=[make(tables.get(name, no_rows(name))) for name, make in SECTIONS.items()],
        sources={f"{name}.csv": f"Source: table {name} of the release." for name in SECTIONS},
    )
    index = output / "index.html"
    index.write_text(page, encoding="utf-8")
    return index


def volume_section(rows: pl.DataFrame) -> Section:
    """Spam of the last period by channel and area."""
    listed = rows.filter(
        pl.col("definition_code") == "OPERATOR",
        pl.col("unit_code").is_in(list(UNITS)),
        pl.col("quantity_code").is_in(list(QUANTITIES)),
        pl.col("area_kind_code") != "country",
    )
    blocks, found = [], []
    for channel, of_channel in by_channel(listed):
        quantity = next(each for each in QUANTITIES if each in set(of_channel["quantity_code"]))
        own = of_channel.filter(pl.col("quantity_code") == quantity)
        unit = UNITS[own["unit_code"][0]]
        heading = f"{channel}: spam in {name_period(own)}, {unit}, {QUANTITIES[quantity]}"
        scale = highest(own)
        lines = [
            [
                area_cell(row, scale), number_cell(show_estimate(row)), interval_cell(row), share_cell(row),
                rate_cell(row),
            ]
            for row in own.to_dicts()
        ]  # fmt: skip
        columns = [Column("Area", "text"), Column("Spam"), INTERVAL, Column("Of traffic"), RATE]
        blocks.append(Block(heading, with_axis(heading, columns, lines, scale), f"{VOLUME}.csv"))
        found += [
            (
                row["area_name"],
                f"{quote_estimate(row)} {unit} by {words.lower_first(channel)} in {name_period(own)},"
                f" {QUANTITIES[quantity]}",
            )
            for row in own.to_dicts()
            if row["area_code"] in WHOLE and may_be_quoted(row["cv_band_code"])
        ]
    finding = " ".join(
        f"{'The world' if area == WORLD_NAME else area} received spam: {'; '.join(texts)}."
        for area, texts in by_area(found)
    )
    missing = [] if blocks else ["No volume of an area left."]
    derived = [DERIVED_NOTE] if "share_pct" in listed.columns else []
    notes = [*VOLUME_NOTES, *derived, *describe_subscriptions(listed), *describe_revisions(rows)]
    return Section("volume", "How much spam there is", finding, blocks, missing, notes)


def describe_revisions(rows: pl.DataFrame) -> list[str]:
    """How many figures of spam were published before, and what became of them; of releases that say so."""
    if "revision_code" not in rows.columns or rows.is_empty():
        return []
    count = dict(rows.group_by("revision_code").len().iter_rows())
    before = rows.height - count.get("NEW", 0)
    if not before:
        return ["No figure of spam was published before, so none is revised."]
    revised, same, stands = (f"{count.get(code, 0):,}" for code in ("REVISED", "SAME", "STANDS"))
    return [
        f"Of {rows.height:,} figures of spam {before:,} were published before: {revised} are revised, {same}"
        f" are unchanged, and {stands} stand as they were, since fewer than three holdings changed. The file"
        " revision-triangle has each as each release had it."
    ]


def describe_subscriptions(rows: pl.DataFrame) -> list[str]:
    """How much of the intervals of all countries together is due to errors of subscriptions, by channel."""
    if not {"rates_variance", *KNOWN_ERRORS} <= set(rows.columns):
        return []
    shares = []
    for channel, own in by_channel(rows.drop_nulls("rates_variance")):
        terms = own.filter(pl.col("area_code").is_in(WHOLE)).select(
            pl.col("area_factor", "rates_variance", *KNOWN_ERRORS).cast(pl.Float64)
        )
        for factor, variance, subscriptions, days in terms.drop_nulls().head(1).rows():
            whole = factor * variance + subscriptions + days
            shares.append((channel, 100 * subscriptions / whole if whole > 0 else 0.0))
    if not any(share for _, share in shares):
        return ["Subscriptions are taken as exact: the study states no error of them."] if shares else []
    listed = ", ".join(f"{numbers.format_whole_percent(share)} ({channel})" for channel, share in shares)
    return [
        f"Of the squared width of the intervals of all countries together {listed} is due to errors of"
        " subscriptions. They are the study's judgement unless its sources state them."
    ]


def change_section(rows: pl.DataFrame) -> Section:
    """Spam of the last period beside that of the one before, by channel and area, and the change."""
    listed = rows.filter(
        pl.col("definition_code") == "OPERATOR",
        pl.col("unit_code").is_in(list(UNITS)),
        pl.col("quantity_code") == "spam_certain",
    )
    is_later = pl.col("match_code") == "with_before"
    pair = ("area_code", "channel_code", "unit_code", "later_period_code")
    before = listed.filter(~is_later).select(*pair, before="estimate")
    blocks, found = [], []
    for channel, own in by_channel(listed.filter(is_later, pl.col("change_pct").is_not_null())):
        changes = own.join(before, on=pair, maintain_order="left").to_dicts()
        earlier, later = (words.format_period(own[f"{name}_period_code"][0]) for name in ("earlier", "later"))
        heading = f"{channel}: spam from {earlier} to {later}"
        lines = [
            [
                Cell(row["area_name"], tone="strong" if row["area_code"] in WHOLE else ""),
                number_cell(short(row["before"])),
                number_cell(short(row["estimate"])),
                number_cell(numbers.format_change(row["change_pct"])),
                *(Cell(words.code_name(name, row[f"{name}_code"]), tone="muted") for name in CHANGE_RESTS_ON),
            ]
            for row in changes
        ]
        columns = [
            Column("Area", "text"), Column(earlier), Column(later), Column("Change"),
            Column("Holdings", "text", is_minor=True), Column("Of subscriptions", "text", is_minor=True),
        ]  # fmt: skip
        blocks.append(Block(heading, Table(heading, columns, lines), f"{CHANGE}.csv"))
        found += [
            (
                row["area_name"],
                f"{numbers.format_change(row['change_pct'])} by {words.lower_first(channel)} from {earlier}"
                f" to {later}",
            )
            for row in changes
            if row["area_code"] in WHOLE
        ]
    finding = " ".join(
        f"Spam in {'the world' if area == WORLD_NAME else area} changed: {'; '.join(texts)}."
        for area, texts in by_area(found)
    )
    missing = [] if blocks else ["No change left: there is no period before, or too few reported in both."]
    return Section("change", "How it changed", finding, blocks, missing, list(CHANGE_NOTES))


def cost_section(rows: pl.DataFrame) -> Section:
    """Build the section on the running cost of countermeasures in the last period: marginal, fixed as stated
    and both by area; and both by strategy and area."""
    blocks, found = [], []
    for channel, own in by_channel(rows):
        of = {
            (row["area_code"], row["strategy_code"], row["cost_component_code"]): row
            for row in own.to_dicts()
        }
        areas = {row["area_code"]: row["area_name"] for row in own.to_dicts()}
        drawn = own.filter(strategy_code=words.TOTAL, cost_component_code="stated")
        period, scale = name_period(own), highest(drawn)
        heading = f"{channel}: US dollars in {period} by area"
        columns = [Column("Area", "text"), *(Column(name) for name, _ in COMPONENTS.values()), INTERVAL, RATE]
        lines = component_lines(of, areas, scale)
        blocks.append(Block(heading, with_axis(heading, columns, lines, scale), f"{COST}.csv"))
        heading = f"{channel}: US dollars in {period} by area and strategy, marginal and fixed together"
        if table := strategy_table(heading, of, areas):
            blocks.append(Block(heading, table, f"{COST}.csv"))
        found += [
            (
                both["area_name"],
                f"{quote_estimate(both)} US dollars for {words.lower_first(channel)} in {period}, without"
                " fixed cost that was not stated",
            )
            for both in (of.get((code, words.TOTAL, "stated")) for code in WHOLE)
            if both is not None and may_be_quoted(both["cv_band_code"])
        ]
    finding = " ".join(
        f"Countermeasures cost {THE_WORLDS if area == WORLD_NAME else f'operators of {area}'}"
        f" {'; '.join(texts)}."
        for area, texts in by_area(found)
    )
    missing = [] if blocks else ["No cost left: five holdings of an area need to have some."]
    return Section("cost", "What countermeasures cost to run", finding, blocks, missing, list(COST_NOTES))


def component_lines(of: CostRows, areas: dict[str, str], scale: float) -> list[list[Cell]]:
    """A line for each area: its bar, each component, and of both together interval and rate."""
    lines = []
    for code, name in areas.items():
        parts = {each: of.get((code, words.TOTAL, each)) for each in COMPONENTS}
        both = parts["stated"]
        bar = area_cell(both or {"area_code": code, "area_name": name}, scale)
        amounts = [bounded_cell(row, each) for each, row in parts.items()]
        lines.append([bar, *amounts, interval_cell(both), rate_cell(both, COMPONENTS["stated"][1])])
    return lines


def strategy_table(heading: str, of: CostRows, areas: dict[str, str]) -> Table | None:
    """A line for each area with both components of each strategy; None where no strategy left."""
    given = {strategy for _, strategy, component in of if component == "stated"}
    strategies = [each for each in words.codelist_rows("strategy") if each in given]
    if not strategies:
        return None
    columns = [Column("Area", "text"), *(Column(name_strategy(each)) for each in strategies)]
    cells = [
        [Cell(name), *(bounded_cell(of.get((code, each, "stated")), "stated") for each in strategies)]
        for code, name in areas.items()
    ]
    return Table(heading, columns, cells)


def user_section(rows: pl.DataFrame) -> Section:
    """What published models say that spam costs those who receive it, by area."""
    blocks = []
    for channel, own in by_channel(rows):
        heading = f"{channel}: modelled US dollars in {name_period(own)} by area"
        listed = own.sort(~pl.col("area_code").is_in(WHOLE), "area_code", "user_cost_code")
        lines = [user_line(row) for row in listed.to_dicts()]
        blocks.append(Block(heading, Table(heading, USER_COLUMNS, lines), f"{USERS}.csv"))
    missing = [] if blocks else ["No modelled figure left: no spam of an area is published."]
    return Section("users", "What models say that spam costs users", "", blocks, missing, list(USER_NOTES))


def user_line(row: Row) -> list[Cell]:
    """A model of an area: its median with the sign of its bound, its points, hours, and what it rests on."""
    points = numbers.DASH.join(short(row[name]) for name in ("modelled_p05", "modelled_p95"))
    basis = words.lower_first(words.code_name("user_basis", row["user_basis_code"]))
    return [
        Cell(row["area_name"], tone="strong" if row["area_code"] in WHOLE else ""),
        Cell(row["description"]),
        number_cell(words.bound_sign(row["bound_code"]) + short(row["modelled_p50"])),
        number_cell(points, "muted"),
        number_cell(short(row["hours_p50"]) if row["hours_p50"] else ""),
        Cell(f"{basis}, at its own wages" if row["hours_p50"] and not row["hour_factor"] else basis),
    ]


# The table of each section; earlier releases lack some.
SECTIONS = {VOLUME: volume_section, CHANGE: change_section, COST: cost_section, USERS: user_section}


def no_rows(name: str) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(public_contract(f"public.{name}").schema, pl.String))


# --- shared ------------------------------------------------------------------------------------------


def by_area(found: list[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Group findings by the name of the area: channels may have different countries."""
    for area in dict.fromkeys(name for name, _ in found):
        yield area, [text for name, text in found if name == area]


def by_channel(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The name of each channel, and the rows of its last period, those of the world first."""
    for code in words.codelist_rows("channel"):
        own = rows.filter(pl.col("channel_code") == code)
        if own.height:
            last = own.filter(pl.col("period_code") == own["period_code"].max())
            yield words.code_name("channel", code), last.sort(~pl.col("area_code").is_in(WHOLE), "area_code")


def with_axis(caption: str, columns: list[Column], lines: list[list[Cell]], scale: float) -> Table:
    return Table(caption, columns, lines, axis=("0", numbers.format_compact(round(scale))))


def area_cell(row: Row, scale: float) -> Cell:
    """An area's name, with the bar of its interval if it has one."""
    tone = "strong" if row["area_code"] in WHOLE else ""
    if not has_interval(row):
        return Cell(row["area_name"], bar=(), tone=tone)
    low, middle, high = (float(row[name]) for name in ("estimate_low", "estimate", "estimate_high"))
    return Cell(row["area_name"], bar=range_bar(low, middle, high, scale), tone=tone)


def bounded_cell(row: Row | None, component: str) -> Cell:
    """A figure of a component with the sign of its bound; a dash for one that did not leave."""
    if row is None:
        return number_cell(numbers.DASH, "muted")
    return number_cell(COMPONENTS[component][1] + show_estimate(row))


def share_cell(row: Row) -> Cell:
    """The share of all traffic, with the mark of its band; nothing in releases without shares."""
    share = row.get("share_pct")
    return number_cell(f"{share}% {mark_of(row['share_cv_band_code'])}".rstrip() if share else "", "muted")


def rate_cell(row: Row | None, sign: str = "") -> Cell:
    """The figure for each subscription, after the sign of its bound."""
    rate = row.get("rate_per_subscription") if row else None
    return number_cell(sign + rate if rate else "", "muted")


def interval_cell(row: Row | None) -> Cell:
    if row is None or not has_interval(row):
        return number_cell("")
    return number_cell(f"{short(row['estimate_low'])}{numbers.DASH}{short(row['estimate_high'])}", "muted")


def has_interval(row: Row) -> bool:
    return bool(row.get("estimate_low") and row.get("estimate_high"))


def highest(rows: pl.DataFrame) -> float:
    """Where bars end: at the largest upper end, which may be a region's."""
    ends = rows.select(pl.coalesce("estimate_high", "estimate").cast(pl.Float64).max())
    return float(ends.item() or 0.0)


def show_estimate(row: Row) -> str:
    """An estimate, with the mark of its band."""
    return f"{short(row['estimate'])} {mark_of(row['cv_band_code'])}".rstrip()


def quote_estimate(row: Row) -> str:
    """An estimate in a sentence, with its interval."""
    ends = f" ({short(row['estimate_low'])} to {short(row['estimate_high'])})" if has_interval(row) else ""
    return short(row["estimate"]) + ends


def short(value: str) -> str:
    return numbers.format_compact(round(float(value)))


def name_period(rows: pl.DataFrame) -> str:
    return words.format_period(rows["period_code"][0])


def name_strategy(code: str) -> str:
    return words.code_name("strategy", code).removesuffix(" strategies")

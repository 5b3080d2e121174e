"""The tables of the site: columns of each, the same on the page of its subject and on those of areas."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from jobs.base.page.blocks import Column, Part, Table
from jobs.base.tables.contracts import Row
from jobs.study.site.cells import (
    COMPONENTS,
    RATE,
    RATES,
    ShownColumn,
    amount_cell,
    area_column,
    band_cell,
    change_cell,
    change_interval_cell,
    class_cell,
    direction_cell,
    head_amounts,
    head_cell,
    interval_cell,
    judged_cell,
    least_cell,
    modelled_cell,
    part_band_cell,
    plain_cell,
    prices_text,
    quarter_cell,
    rank_cell,
    rate_cell,
    share_cell,
    short,
    text_column,
)
from jobs.study.site.published_release import QUANTITIES, SPENDING_BAND
from jobs.study.site.texts import say


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

"""Cells of the site's tables: a row of the release in, a text with its band or bar out."""

from collections.abc import Callable

import polars as pl

from jobs.base.core import languages, numbers
from jobs.base.core.numbers import Number
from jobs.base.costs.prices import count_prices, describe_prices
from jobs.base.figures import words
from jobs.base.figures.reliability import may_be_quoted
from jobs.base.page.blocks import Cell, Column, Part, number_cell
from jobs.base.tables.contracts import Row
from jobs.study.release.released_tables import AREA, AREA_NAME, WHOLE
from jobs.study.site.names import name_listed, name_place
from jobs.study.site.sentences import change_ends, name_band, show_share
from jobs.study.site.texts import say

# A column of a table, and its cell of a row.
ShownColumn = tuple[Column, Callable[[Row], Cell]]
# Of running cost what it is for each, and the text that heads its column.
RATES = {"rate_per_subscription": "rate", "cost_per_thousand": "cost.thousand"}
RATE = ("rate_low", "rate_per_subscription", "rate_high")
COMPONENTS = {"marginal": "", "fixed": "≥ ", "stated": "≥ "}


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


def head_amounts(key: str) -> str:
    """The heading of amounts of money."""
    return say("dollars", what=say(key))


def label_of(row: Row) -> str:
    """An area as a row's heading."""
    return name_place(row[AREA], row[AREA_NAME])


def rank_cell(row: Row) -> Cell:
    ends = (row["rank_from"], row["rank_to"])
    return number_cell(numbers.merge_ends(*ends) if all(ends) else "", "muted")


def part_band_cell(row: Row) -> Cell:
    """Return the cell of a share's reliability; for a total, which has no share, that of its figure."""
    return band_cell(row, "share_cv_band_code" if row["share_pct"] else "cv_band_code")


def quarter_text(row: Row | None) -> str:
    """A share as a quarter: 25–50%."""
    if row is None:
        return numbers.DASH
    return f"{row['share_from_pct']}{numbers.DASH}{show_share(row['share_below_pct'])}"


def quarter_cell(row: Row | None) -> Cell:
    return number_cell(quarter_text(row))


def prices_text() -> str:
    if languages.is_english():
        return describe_prices()
    judged, count = count_prices()
    return say("cost.prices", judged=judged, all=count)


def modelled_cell(row: Row) -> Cell:
    """A modelled cost with the sign of its bound."""
    return number_cell(words.bound_sign(row["bound_code"]) + short(row["modelled_p50"]))

"""The study's frame, denominators, price levels and economy, built from what an officer can have: downloads
of ITU and the World Bank, lists of operators, and a workbook filled in by hand.

What people filled in stands before downloads. Rows that the study's files have already and no source replaces
stay, so nothing is lost.
"""

import csv
import io
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.numbers import format_compact, format_count
from jobs.base.core.periods import last_day
from jobs.base.figures.sizes import class_of, size_of
from jobs.base.settings.countries import country_codes
from jobs.base.tables.contracts import Row, read_contract, reference_rows
from jobs.base.tables.csv_tables import file_of, parse_columns, read_cells, read_table
from jobs.study.desk.downloads import CountryFigure, load_sources, parse_rows, read_download, read_texts
from jobs.study.desk.filled_rows import (
    DENOMINATOR,
    ECONOMY,
    FRAME,
    PRICES,
    FilledRows,
    add_dollars,
    number_text,
    read_list,
    read_workbook,
)
from jobs.study.desk.frame_remarks import FrameRemarks, describe_change, has_errors, is_changed
from jobs.study.estimates.steps.frame import describe_wrong_subscriptions
from jobs.study.estimates.steps.sample import ENDS, SHARED
from jobs.study.questionnaire.respondents import currency_on, read_respondents, row_problems

READ = (".csv", ".zip", ".xlsx", ".xlsm", ".xlsb", ".xltm")
# Years of price levels and economy before the study's.
EARLIER = 10
AMOUNTS = ("deflator_index", "ppp_rate", "market_rate")
# Where a row comes from, in messages: file and sheet or row.
PLACE = "place"
# By country, name and year.
Known = dict[tuple[str, str, int], CountryFigure]


@dataclass
class FrameSources:
    """Contents of the files of a folder.

    Attributes:
        read: each file's name and kind.
    """

    figures: list[CountryFigure] = field(default_factory=list)
    filled: FilledRows = field(default_factory=FilledRows)
    read: list[tuple[str, str]] = field(default_factory=list)


def read_sources(folder: Path, year: int) -> FrameSources:
    """Read every file of a folder. Raises ObservatoryError with all that is wrong of all files."""
    files = sorted(each for each in folder.iterdir() if each.is_file()) if folder.is_dir() else []
    files = [each for each in files if not each.name.startswith((".", "~$"))]
    if not files:
        raise ObservatoryError(
            f"{folder} holds no file: put downloads of ITU and the World Bank, lists of operators, or the"
            " workbook of `observatory study frame --workbook FILE` there"
        )
    found, wrong = FrameSources(), []
    for file in files:
        try:
            read_source(file, year, found)
        except ObservatoryError as error:
            wrong.append(str(error))
    wrong += found.filled.wrong
    wrong += repeated(found.filled)
    if wrong:
        raise ObservatoryError("\n".join([*wrong, "Nothing was written."]))
    return found


def read_source(file: Path, year: int, found: FrameSources) -> None:
    if file.suffix.lower() not in READ:
        raise ObservatoryError(
            f"{file}: CSV, a zip of it, or .xlsx are read; move the file out of the folder"
        )
    if file.suffix.lower() not in (".csv", ".zip"):
        read_workbook(file, found.filled, year)
        found.read.append((file.name, "filled in by hand"))
        return
    for text in read_texts(file):
        figures = read_download(parse_rows(text, file), file)
        if figures is not None:
            found.figures += figures
            of = figures[0].source.partition(",")[0] if figures else "no figure of a country"
            found.read.append((file.name, of))
        elif read_list(parse_rows(text, file), file, found.filled, year):
            found.read.append((file.name, "list of operators"))
        else:
            layouts = "; ".join(
                f"{each['name']}: {', '.join(each['columns'].values())}"
                for each in load_sources()["downloads"]
            )
            raise ObservatoryError(
                f"{file}: of no layout that is known. Headings that are: {layouts}; list of operators:"
                " country, operator, service, subscriptions"
            )


def repeated(filled: FilledRows) -> list[str]:
    """A line for each thing that was filled in twice: an operator and channel, subscriptions of a country and
    channel, also of two years, since one of them is of the study; a price or an amount of a year."""
    keys = {
        FRAME: ("respondent_id", "channel_code"),
        DENOMINATOR: ("country_code", "channel_code"),
        PRICES: ("country_code", "price_year"),
        ECONOMY: ("country_code", "price_year"),
    }
    wrong = []
    for table, key in keys.items():
        seen: dict[tuple[Any, ...], Row] = {}
        for row in filled.rows[table]:
            own = tuple(row[name] for name in key)
            first = seen.setdefault(own, row)
            if first is not row:
                periods = [str(each["period_code"]) for each in (first, row)] if table == DENOMINATOR else []
                of = f" (of {' and '.join(periods)})" if len(set(periods)) > 1 else ""
                # Such as voice of mobile and of fixed subscriptions.
                both = "; where both count, write one row of the channel with their sum"
                wrong.append(
                    f"{read_contract(table).name}: {' '.join(map(str, own))} stands twice{of}: keep the one"
                    f" that is of the study{both if table == FRAME else ''} ({first[PLACE]}; {row[PLACE]})"
                )
    return wrong


def build_tables(
    sources: FrameSources, countries: Sequence[str], year: int, share: float, remarks: FrameRemarks
) -> dict[str, list[Row]]:
    """New rows of the four tables."""
    values = best_figures(sources.figures, year, share, remarks)
    frame = [
        row | {"size_code": size_of(int(row["subscriptions"]))}
        for row in sources.filled.rows[FRAME]
        if row["country_code"] in countries
    ]
    by_hand = {(row["country_code"], row["channel_code"]) for row in sources.filled.rows[DENOMINATOR]}
    # Subscriptions of a channel that no operator is asked about would be estimated at nobody's rate.
    asked = {row["channel_code"] for row in frame}
    denominators = [
        *(row for row in sources.filled.rows[DENOMINATOR] if row["country_code"] in countries),
        *(
            row
            for row in derive_subscriptions(values, countries)
            if (row["country_code"], row["channel_code"]) not in by_hand
            and (not asked or row["channel_code"] in asked)
        ),
    ]
    prices = sources.filled.rows[PRICES]
    made = yearly_rows(PRICES, AMOUNTS, values, prices, add_dollars(countries), year)
    priced = {(row["country_code"], row["price_year"]) for row in made}
    for row in prices:
        country, of_year = row["country_code"], int(row["price_year"])
        if "wage_per_day" in row and (country, of_year) not in priced:
            line = f"prices {of_year}, without which its wage does not count"
            remarks.missing.setdefault(country, []).append(line)
    return {
        FRAME: frame,
        DENOMINATOR: denominators,
        PRICES: made,
        ECONOMY: economy_rows(values, sources.filled.rows[ECONOMY], year),
    }


def economy_rows(values: Known, by_hand: Sequence[Row], year: int) -> list[Row]:
    """The economy of all countries that a source has. The study's own file replaces the project's as a whole,
    and areas need all of their countries: countries without a product in a source keep the project's."""
    own = yearly_rows(ECONOMY, (), values, by_hand, sorted(country_codes()), year)
    known = {row["country_code"] for row in own if "gdp_amount" in row}
    of_project = [row for row in reference_rows("economy") if row["country_code"] not in known]
    mine = {(row["country_code"], row["price_year"]): row for row in own}
    for row in of_project if own else []:
        filled = {name: cell for name, cell in row.items() if cell}
        key = (row["country_code"], int(row["price_year"]))
        mine[key] = filled | mine.get(key, {})
    return [*mine.values()]


def best_figures(figures: Iterable[CountryFigure], year: int, share: float, remarks: FrameRemarks) -> Known:
    """The figure of each country, name and year up to the study's: that of the first source. Others that
    differ from it are noted, those of the same source however near they are."""
    found: Known = {}
    for each in sorted(figures, key=lambda one: one.rank):
        if each.year > year:
            continue
        first = found.setdefault((each.country, each.name, each.year), each)
        shown, other = format_compact(first.value), format_compact(each.value)
        if each.rank == first.rank and shown != other:
            remarks.changed.setdefault(each.country, []).append(
                f"{each.name} {each.year} twice: {shown} ({first.source}) stands, {other} ({each.source}) not"
            )
        elif each.rank != first.rank and is_changed(first.value, each.value, share):
            remarks.changed.setdefault(each.country, []).append(
                f"{each.name} {each.year}: {describe_change(each.value, first.value)}, by"
                f" {each.source.partition(',')[0]} and {first.source.partition(',')[0]}"
            )
    return found


def derive_subscriptions(values: Known, countries: Sequence[str]) -> list[Row]:
    """Subscriptions of each country and channel, of the last year of which all of its figures are known."""
    rows = []
    for country in countries:
        for channel, of in load_sources()["channels"].items():
            plus, minus = of["plus"], of.get("minus", [])
            years = [
                {year for who, name, year in values if who == country and name == each}
                for each in plus + minus
            ]
            whole = set.intersection(*years)
            if not whole:
                continue
            year = max(whole)
            used = [values[country, name, year] for name in plus + minus]
            total = sum(each.value for each in used[: len(plus)]) - sum(
                each.value for each in used[len(plus) :]
            )
            if total > 0:
                source = "; ".join(each.source for each in used)
                rows.append(
                    {"country_code": country, "period_code": str(year), "channel_code": channel,
                     "subscriptions": round(total), "source": source}
                )  # fmt: skip
    return rows


def yearly_rows(
    table: str,
    needed: Sequence[str],
    values: Known,
    by_hand: Iterable[Row],
    countries: Sequence[str],
    year: int,
) -> list[Row]:
    """Rows by country and year of prices or economy: what was filled in, and the rest from downloads. A row
    that lacks what is needed is none.

    Args:
        needed: columns that a row must have.
        values: figures of downloads, by country, column and year.
        by_hand: rows of the workbook; each of their values goes before a download's.
        year: the last year; EARLIER years before it are looked at, too.
    """
    names = [each.name for each in read_contract(table).fields if each.unit not in (None, "none")]
    filled = {(row["country_code"], int(row["price_year"])): row for row in by_hand}
    rows = []
    for country in countries:
        for each in range(year - EARLIER, year + 1):
            own = filled.get((country, each), {})
            known = {name: values[country, name, each] for name in names if (country, name, each) in values}
            row: Row = {name: figure.value for name, figure in known.items()} | own
            if any(name not in row for name in needed) or not set(names) & set(row):
                continue
            sources = [*dict.fromkeys(figure.source for name, figure in known.items() if name not in own)]
            row |= {"country_code": country, "price_year": each}
            row["source"] = "; ".join([*([own["source"]] if own else []), *sources])
            if table == PRICES:
                row["currency_code"] = currency_on(country, last_day(str(each))) or "USD"
            rows.append(row)
    return rows


def merge_rows(table: str, new: Sequence[Row], existing: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The table's rows as they will stand, each with its place: the new ones, and those before that none of
    them replaces.

    Args:
        existing: of existing_rows().
    """
    contract = read_contract(table)
    before = [dict(row) for row in existing]
    made = [
        {name: number_text(row[name]) for name in (*contract.columns, PLACE) if row.get(name) is not None}
        for row in new
    ]
    if table == FRAME:
        rows = continue_operators(made, before)
    else:
        known = {tuple(row[name] for name in contract.key): row for row in before}
        replaced = [known.pop(tuple(row[name] for name in contract.key), {}) for row in made]
        rows = [*map(keep_errors, made, replaced), *known.values()]
    return sorted(rows, key=lambda row: [row[name] for name in contract.key])


def keep_errors(row: dict[str, str], before: dict[str, str]) -> dict[str, str]:
    """A row of subscriptions with the errors that people stated of the one before, unless it has its own."""
    if has_errors(row) or not has_errors(before):
        return row
    if row["subscriptions"] == before["subscriptions"]:
        return before
    stated = {name: before[name] for name in (*ENDS, *SHARED, PLACE) if name in before}
    source = f"{row['source']}; errors: {before.get('source', 'not stated')}"
    return row | stated | {"source": source}


def continue_operators(
    made: Sequence[dict[str, str]], before: Sequence[dict[str, str]]
) -> list[dict[str, str]]:
    """The rows of operators before, and the new ones that say anything else. An operator whose subscriptions
    or owner changed gets a new row, and its row before ends the day before; a list without owners keeps those
    that are known."""
    own = ("respondent_id", "channel_code")
    open_rows = {tuple(row[name] for name in own): row for row in before if not row.get("valid_to")}
    known = [*sorted(before, key=lambda row: row["valid_from"]), *made]
    owners = {row["respondent_id"]: row["holding_id"] for row in known if "holding_id" in row}
    added = []
    for row in made:
        row.setdefault("holding_id", owners.get(row["respondent_id"], row["respondent_id"]))
        last = open_rows.get(tuple(row[name] for name in own))
        if last is None:
            added.append(row)
        elif last["valid_from"] >= row["valid_from"]:
            # Its bounds go with the subscriptions that they were of.
            stays = ("valid_from", *(ENDS if last["subscriptions"] == row["subscriptions"] else ()))
            kept = {name: last[name] for name in stays if name in last}
            last.clear()
            last.update(kept | row | {"valid_from": kept["valid_from"]})
        elif any(last[name] != row[name] for name in ("subscriptions", "holding_id")):
            last["valid_to"] = row["valid_from"]
            added.append(row)
    return [*before, *added]


def existing_rows(table: str, folder: Path) -> list[dict[str, str]]:
    """The rows of the study's own file as text, with their places; none without one.

    Raises ObservatoryError if the file is wrong.
    """
    file = file_of(folder, table)
    if file is None:
        return []
    text = read_cells(file)
    parse_columns(text, table, file)
    return [
        {name: cell for name, cell in row.items() if cell} | {PLACE: f"{file}, row {number}"}
        for number, row in enumerate(text.iter_rows(named=True), 2)
    ]


def refuse_wrong_rows(tables: Mapping[str, Sequence[Mapping[str, str]]], folder: Path) -> None:
    """Raise ObservatoryError with the rows of merge_rows() that estimates would refuse."""
    wrong = []
    for table in (DENOMINATOR, FRAME):
        contract, rows = read_contract(table), tables[table]
        text = pl.DataFrame(rows, schema=dict.fromkeys(contract.columns, pl.String))
        typed = parse_columns(text, table, folder / f"{contract.name}.csv")
        # Rows of downloads have no place.
        places = [row.get(PLACE) or row["source"] for row in rows]
        wrong += [f"{contract.name}: {line}" for line in describe_wrong_subscriptions(typed, places)]
    if wrong:
        raise ObservatoryError("\n".join([*wrong, "Nothing was written."]))


def write_tables(tables: Mapping[str, Sequence[Mapping[str, str]]], folder: Path) -> list[str]:
    """Write the files, all or none: each is first read by the reader that estimates use. An economy without
    rows is not written, because it would replace the project's own."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        written = []
        for table, rows in tables.items():
            if not rows and table == ECONOMY:
                continue
            contract = read_contract(table)
            file = Path(made) / f"{contract.name}.csv"
            with file.open("w", newline="", encoding="utf-8") as lines:
                writer = csv.DictWriter(lines, contract.columns, lineterminator="\n", extrasaction="ignore")
                writer.writeheader()
                writer.writerows(rows)
            read_table(Path(made), table)
            written.append(file)
        for file in written:
            file.replace(folder / file.name)
    return [file.name for file in written]


def list_licences(figures: Iterable[CountryFigure]) -> list[str]:
    """A line on each source of figures and its licence."""
    abouts = load_sources()["downloads"]
    return [
        f"Figures of {abouts[rank]['name']}: {abouts[rank]['licence']}"
        for rank in sorted({each.rank for each in figures})
    ]


def operators_to_ask(
    file: Path, frame: Sequence[Mapping[str, str]], names: Mapping[str, str]
) -> list[dict[str, str]]:
    """Rows for the list of respondents: of the frame's operators that nobody in it answers for, each in the
    language of its country's administration.

    Raises ObservatoryError with what the list would refuse.

    Args:
        names: of operators, by id.
    """
    listed = read_respondents(file)
    spoken = {each.country: each.language for each in listed.values() if each.role == "A"}
    answered_for = {*listed, *(each for whose in listed.values() for each in whose.operators)}
    new = {
        whose: row
        for whose, row in sorted(largest_rows(frame).items())
        if whose in names and whose not in answered_for
    }
    rows = [
        {"respondent_id": whose, "name": names[whose], "role": "O", "country": row["country_code"],
         "holding": row["holding_id"], "operator_ids": whose,
         "language": spoken.get(row["country_code"], "en"),
         "size_class": class_of(int(row["subscriptions"]))}
        for whose, row in new.items()
    ]  # fmt: skip
    wrong = [
        f"{new[row['respondent_id']][PLACE]}: {problem}" for row in rows for problem in row_problems(row)
    ]
    if wrong:
        raise ObservatoryError("\n".join([*wrong, "Nothing was written."]))
    return rows


def add_respondents(file: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Continue the list of respondents, in its own columns."""
    text = file.read_text(encoding="utf-8-sig")
    columns = csv.DictReader(io.StringIO(text)).fieldnames or ()
    with file.open("a", newline="", encoding="utf-8") as lines:
        if not text.endswith("\n"):
            lines.write("\n")
        csv.DictWriter(lines, columns, lineterminator="\n").writerows(rows)


def largest_rows(frame: Sequence[Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """Return each operator's row with the most subscriptions that stands today."""
    found: dict[str, Mapping[str, str]] = {}
    for row in frame:
        if not row.get("valid_to"):
            first = found.setdefault(row["respondent_id"], row)
            found[row["respondent_id"]] = max(first, row, key=lambda one: int(one["subscriptions"]))
    return found


def list_other_sizes(file: Path, frame: Sequence[Mapping[str, str]]) -> list[str]:
    """A line for each respondent whose size class is not that of its subscriptions in the frame."""
    largest = largest_rows(frame)
    return [
        f"{file.name}: {each.id} is {each.size_class}, and its {format_count(count)} subscriptions make it"
        f" {class_of(count)}: correct size_class there"
        for each in read_respondents(file).values()
        if each.size_class and each.id in largest
        if class_of(count := int(largest[each.id]["subscriptions"])) != each.size_class
    ]

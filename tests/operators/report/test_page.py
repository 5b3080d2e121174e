"""Titles of the report's charts state a finding, with numbers recomputed from the CSV beside the page."""

import csv
import html
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.operators.report.page import write_page
from tests.support.report_figures import ABOUT, OPERATORS, figures, validation

Row = dict[str, str]
NUMBER = r"[\d.,]*\d"


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}%"


def total(rows: list[Row], column: str = "spam_certain") -> int:
    return sum(int(row[column]) for row in rows)


def spans(row: Row) -> list[str]:
    """A share from certain to possible spam, without the sign at its lower end."""
    units = int(row["units"])
    return [share(int(row["spam_certain"]), units)[:-1], share(int(row["spam_possible"]), units)]


def rounded(value: str) -> str:
    """Three digits from ten thousand on."""
    count = int(value)
    return f"{count:,}" if count < 10_000 else f"{round(count, 3 - len(value)):,}"


def time_numbers(rows: list[Row]) -> list[str]:
    shares = {row["period_date"]: int(row["spam_certain"]) / int(row["units"]) for row in rows}
    low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    return [
        f"{100 * shares[low]:.1f}%",
        str(int(low[-2:])),
        f"{100 * shares[high]:.1f}%",
        str(int(high[-2:])),
    ]


def type_numbers(rows: list[Row]) -> list[str]:
    of_type = {row["spam_type_code"]: int(row["spam_certain"]) for row in rows}
    unknown, whole = of_type.pop("UNK"), total(rows)
    return [share(max(of_type.values()), whole), share(unknown, whole)]


def campaign_numbers(rows: list[Row]) -> list[str]:
    first = max(rows, key=lambda row: int(row["copy_count"]))
    counts = [first[name] for name in ("copy_count", "distinct_recipient_count", "distinct_sender_count")]
    counts += [first["distinct_network_count"]] if first["distinct_network_count"] != "0" else []
    return [*map(rounded, counts), share(int(first["blocked_count"]), int(first["copy_count"]))]


def route_numbers(rows: list[Row]) -> list[str]:
    known = [row for row in rows if "_U" not in row.values()]
    of_route: dict[tuple[str, ...], int] = defaultdict(int)
    for row in known:
        key = tuple(row[f"{each}_code"] for each in ("origin", "inbound_link", "destination"))
        of_route[key] += int(row["spam_certain"])
    return [share(max(of_route.values()), total(rows))]


def bypass_numbers(rows: list[Row]) -> list[str]:
    first = max(rows, key=lambda row: int(row["units_flagged"]))
    return [rounded(first["units_flagged"]), rounded(first["units_examined"])]


def source_numbers(rows: list[Row]) -> list[str]:
    first = max((row for row in rows if row["source_country_code"] != "_U"), key=lambda row: total([row]))
    return [share(total([first]), total(rows)), *spans(first)]


def claimed_numbers(rows: list[Row], bypass: list[Row]) -> list[str]:
    (flagged,) = [row for row in bypass if row["bypass_code"] == "HOME_MISMATCH"]
    part, *ends = source_numbers(rows)
    return [part, *(f"{int(flagged[name]):,}" for name in ("units_flagged", "units_examined")), *ends]


def stage_numbers(rows: list[Row]) -> list[str]:
    delivered = [row for row in rows if row["outcome_code"] in ("delivered", "tagged")]
    early = [row for row in rows if row["stage_code"] in ("connect", "envelope") and row not in delivered]
    whole = total(rows, "units")
    return [rounded(str(whole)), *(share(total(each, "units"), whole) for each in (delivered, early))]


def effort_numbers(rows: list[Row]) -> list[str]:
    acting = [row for row in rows if row["countermeasure_code"] not in ("NONE", "DELIVERY_FAILURE")]
    return [rounded(max((row["units_acted"] for row in acting), key=int))]


def hour_numbers(rows: list[Row]) -> list[str]:
    of_hour: dict[int, int] = defaultdict(int)
    for row in rows:
        if row["unit_code"] != "message":
            of_hour[int(row["hour_of_day"])] += int(row["units"])
    # Of hours alike the first.
    first = min(of_hour, key=lambda hour: (-of_hour[hour], hour))
    return [f"{first:02}", "00", f"{first + 1:02}", "00", share(of_hour[first], sum(of_hour.values()))]


TITLES: list[tuple[str, Callable[..., list[str]]]] = [
    (r": certain spam ranged from .*", time_numbers),
    (r"^The largest known type of .*", type_numbers),
    (r": the largest campaign, .*", campaign_numbers),
    (r": the largest known route is .*", route_numbers),
    (r" show the sign .*", bypass_numbers),
    (r": the largest known source, .* is claimed by .*", claimed_numbers),
    (r": the largest known source, .*", source_numbers),
    (r": of .* attempted, .*", stage_numbers),
    (r" acted most often, .*", effort_numbers),
    (r": the busiest hour of the day is .*", hour_numbers),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("titles")
    write_page(figures(), OPERATORS, validation(), ABOUT, folder)
    return folder


def read_rows(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_numbers_of_titles_are_those_of_the_tables(folder: Path) -> None:
    page = html.unescape((folder / "index.html").read_text(encoding="utf-8"))
    seen = set()
    for figure in re.findall(r"<figure.*?</figure>", page, re.DOTALL):
        title, file = (re.search(each, figure) for each in (r"<h3>(.*)</h3>", r'href="(\w+\.csv)" download'))
        if title is None or file is None or not re.search(r"\d", title[1]):
            continue
        text = title[1].replace("\xa0", " ").replace("\u202f", " ")
        compute = next((each for pattern, each in TITLES if re.search(pattern, text)), None)
        assert compute, f"nothing recomputes: {text}"
        (name,) = {row["channel_name"] for row in read_rows(folder / file[1]) if named(row, text)}
        own = [row for row in read_rows(folder / file[1]) if row["channel_name"] == name]
        given = [own]
        if compute is claimed_numbers:
            bypass = read_rows(folder / "bypass.csv")
            given.append([row for row in bypass if row["channel_name"] == name])
        assert re.findall(rf"{NUMBER}%?", text.removeprefix(name)) == compute(*given), text
        seen.add(compute)
    assert seen == {compute for _, compute in TITLES}


def named(row: Row, text: str) -> bool:
    """Return whether a title names the channel of a row."""
    return text.lower().startswith(
        row["channel_name"].lower()
    ) or f"of {row['channel_name'].lower()} spam" in (text.lower())

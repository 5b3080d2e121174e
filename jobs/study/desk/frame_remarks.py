"""Gaps and stale rows of a frame, and changes from the one before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from jobs.base.core.numbers import format_change, format_compact, to_decimal
from jobs.base.costs.prices import base_year
from jobs.study.desk.downloads import load_sources
from jobs.study.desk.filled_rows import DENOMINATOR, ECONOMY, FRAME, PRICES
from jobs.study.estimates.steps.accounts import DOLLARS
from jobs.study.estimates.steps.sample import ENDS, SHARED

Rows = Sequence[Mapping[str, str]]


@dataclass
class FrameRemarks:
    """Lines on missing, stale or changed rows, by country."""

    missing: dict[str, list[str]] = field(default_factory=dict)
    stale: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)

    def take_common(self, countries: Sequence[str], found: dict[str, list[str]]) -> list[str]:
        """Take out of one of these lists, and return, what it says of each of several countries."""
        if len(countries) < 2:
            return []
        common = [
            line
            for line in found.get(countries[0], [])
            if all(line in found.get(each, []) for each in countries)
        ]
        for country in countries if common else []:
            found[country] = [line for line in found[country] if line not in common]
            if not found[country]:
                del found[country]
        return common

    def countries(self) -> list[str]:
        return sorted({*self.missing, *self.stale, *self.changed})


def is_changed(before: float, now: float, share: float) -> bool:
    return abs(now - before) > share * abs(before)


def describe_change(before: float, now: float) -> str:
    change = format_change(100 * (to_decimal(now) / to_decimal(before) - 1), 0) if before else "from nothing"
    return f"{format_compact(before)} → {format_compact(now)} ({change})"


def note_all(
    tables: Mapping[str, Rows],
    before: Mapping[str, Rows],
    countries: Sequence[str],
    year: int,
    limits: tuple[float, int],
    remarks: FrameRemarks,
) -> None:
    """Note what is missing, stale, or differs from the files before.

    Args:
        limits: the share by which a figure may differ, and the years that it may be old.
    """
    share, years = limits
    needed = sorted({row["channel_code"] for row in tables[FRAME]}) or list(load_sources()["channels"])
    for country in countries:
        mine = rows_of(tables, country)
        channels = sorted({row["channel_code"] for row in mine[FRAME]}) or needed
        lacking = list_missing(mine, channels, year, bool(tables[ECONOMY]))
        remarks.missing.setdefault(country, [])[:0] = lacking
        remarks.stale[country] = list_stale(mine, channels, year - years)
        remarks.changed.setdefault(country, []).extend(
            [*changes(mine, rows_of(before, country), share), *list_deflator_jumps(mine[PRICES], share)]
        )
    # Bands are in dollars of their year; nothing brings those of the base year to itself.
    if DOLLARS not in countries and year != base_year():
        prices = rows_of(tables, DOLLARS)[PRICES]
        lacking = unpriced_years(prices, year)
        need = "which budget bands in dollars need"
        remarks.missing[DOLLARS] = [f"prices {' and '.join(lacking)}, {need}"] if lacking else []
        remarks.changed.setdefault(DOLLARS, []).extend(list_deflator_jumps(prices, share))
    for found in (remarks.missing, remarks.stale, remarks.changed):
        for country in [each for each, lines in found.items() if not lines]:
            del found[country]


def rows_of(tables: Mapping[str, Rows], country: str) -> dict[str, Rows]:
    return {table: [row for row in rows if row["country_code"] == country] for table, rows in tables.items()}


def list_missing(
    mine: Mapping[str, Rows], channels: Sequence[str], year: int, has_economy: bool
) -> list[str]:
    """Gaps in a country's rows: operators, subscriptions of its channels, prices of the base year and the
    study's, and its product where the study has an economy of its own."""
    lacking = sorted(set(channels) - latest_years(mine[DENOMINATOR]).keys())
    found = [] if mine[FRAME] else ["operators"]
    found += [f"subscriptions {', '.join(lacking)}"] if lacking else []
    found += list_unknown_errors(mine[DENOMINATOR])
    found += [f"prices {each}" for each in unpriced_years(mine[PRICES], year)]
    found += [] if any("wage_per_day" in row for row in mine[PRICES]) else ["wage"]
    return found + (["product"] if has_economy and not product_years(mine) else [])


def list_unknown_errors(rows: Rows) -> list[str]:
    """A line for each row of subscriptions without errors after one of its channel that has them."""
    ordered = sorted(rows, key=lambda row: (row["channel_code"], row["period_code"]))
    return [
        f"errors of {row['channel_code']} {row['period_code']}, which {last['period_code']} has"
        for last, row in pairwise(ordered)
        if last["channel_code"] == row["channel_code"] and has_errors(last) and not has_errors(row)
    ]


def has_errors(row: Mapping[str, str]) -> bool:
    return any(name in row for name in (*ENDS, *SHARED))


def unpriced_years(prices: Rows, year: int) -> list[str]:
    return sorted({str(base_year()), str(year)} - {row["price_year"] for row in prices})


def list_deflator_jumps(prices: Rows, share: float) -> list[str]:
    """A line for each deflator from the base year on that is far from the one before: a forecast may be on
    another base than the download that it continues."""
    lines = []
    for last, row in pairwise(sorted(prices, key=lambda row: int(row["price_year"]))):
        one, other = float(last["deflator_index"]), float(row["deflator_index"])
        if int(row["price_year"]) >= base_year() and is_changed(one, other, share):
            lines.append(
                f"deflator_index {row['price_year']}: {describe_change(one, other)};"
                f" are {last['price_year']} and {row['price_year']} on one base?"
            )
    return lines


def list_stale(mine: Mapping[str, Rows], channels: Sequence[str], oldest: int) -> list[str]:
    """A country's subscriptions and product that are of a year before the oldest that will do."""
    old: dict[int, list[str]] = {}
    for channel, of in sorted(latest_years(mine[DENOMINATOR]).items()):
        if channel in channels and of < oldest:
            old.setdefault(of, []).append(channel)
    found = [f"{', '.join(names)} of {of}" for of, names in sorted(old.items())]
    years = product_years(mine)
    return found + ([f"product of {max(years)}"] if years and max(years) < oldest else [])


def latest_years(rows: Rows) -> dict[str, int]:
    """The last year of which a channel's subscriptions are known."""
    found: dict[str, int] = {}
    for row in rows:
        found[row["channel_code"]] = max(found.get(row["channel_code"], 0), int(row["period_code"][:4]))
    return found


def product_years(mine: Mapping[str, Rows]) -> list[int]:
    return [int(row["price_year"]) for row in mine[ECONOMY] if "gdp_amount" in row]


def changes(
    now: Mapping[str, Rows],
    before: Mapping[str, Rows],
    share: float,
) -> list[str]:
    """A line for each last figure of a country that differs from the one before by more than the share."""
    series = {
        FRAME: (("respondent_id", "channel_code"), "valid_from", ("subscriptions",)),
        DENOMINATOR: (("channel_code",), "period_code", ("subscriptions",)),
        PRICES: ((), "price_year", ("ppp_rate", "market_rate", "wage_per_day")),
        ECONOMY: ((), "price_year", ("gdp_amount", "telecom_revenue_amount")),
    }
    lines = []
    for table, (key, when, names) in series.items():
        old, new = (last_rows(rows[table], key, when) for rows in (before, now))
        for own in sorted(old.keys() & new.keys()):
            for name in names:
                one, other = old[own].get(name), new[own].get(name)
                if one and other and is_changed(float(one), float(other), share):
                    what = " ".join([*own, "" if name == "subscriptions" else name]).strip()
                    lines.append(f"{what}: {describe_change(float(one), float(other))}")
    return lines


def last_rows(
    rows: Iterable[Mapping[str, str]], key: Sequence[str], when: str
) -> dict[tuple[str, ...], Mapping[str, str]]:
    ordered = sorted(rows, key=lambda row: row[when])
    return {tuple(row[name] for name in key): row for row in ordered}

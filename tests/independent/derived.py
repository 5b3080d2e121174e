"""Rates, shares, ranks and unit costs of a release, computed again from the other columns of its CSV files.

What equals a function of other published figures opens nothing that these do not. It imports nothing of the
project: rules are those of the release's codebook, and arithmetic is exact.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from pathlib import Path

Row = Mapping[str, str]
# The columns that name the whole of a row, by table, and the codes of that whole; the column that is ranked.
SHARES = {
    "spam_volume": ({"quantity_code": "units"}, "area_code"),
    "spam_type": ({"spam_type_code": "_S"}, "spam_type_code"),
    "spam_source": ({"source_region_code": "_S"}, "source_region_code"),
    "spam_route": ({"origin_region_code": "_S", "link_code": "_T"}, "link_code"),
}
UNIT_COSTS = "countermeasure_cost"
RATED = ("spam_volume", UNIT_COSTS, "investment")
RATES = {"rate_per_subscription": ("estimate", ROUND_HALF_EVEN), "rate_low": ("estimate_low", ROUND_FLOOR),
         "rate_high": ("estimate_high", ROUND_CEILING)}  # fmt: skip
# What tells rows of one table apart.
DIMENSIONS = (
    "period_code", "area_code", "channel_code", "unit_code", "definition_code", "quantity_code",
    "spam_type_code", "source_region_code", "origin_region_code", "link_code",
)  # fmt: skip
BANDS = ["acceptable", "caution", "unreliable"]
NOT_RANKED = ("_T", "_S", "UNK", "_U", "unknown", "AD", "FRAUD", "PHISH", "MALWARE", "PHONE")


@dataclass(frozen=True)
class Computed:
    """A derived figure: its table and column, what the release has and what follows from other columns."""

    table: str
    column: str
    published: str
    own: str


def compute_again(data: Path) -> list[Computed]:
    """Every derived figure of the tables in a release's folder `data`."""
    found = []
    tables = {name: read_rows(data, name) for name in dict.fromkeys((*SHARES, *RATED))}
    for name, rows in tables.items():
        for row in rows:
            own = (rates_of(name, row) if name in RATED else {}) | (
                {**share_of(name, row, rows), **rank_of(name, row, rows)} if name in SHARES else {}
            )
            if name == UNIT_COSTS:
                own |= thousand_of(row, tables["spam_volume"])
            found += [Computed(name, column, row[column], value) for column, value in own.items()]
    return found


def read_rows(data: Path, table: str) -> list[Row]:
    (file,) = data.glob(f"{table}.*csv")
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def digits_of(table: str, row: Row) -> int:
    return 2 if table == "countermeasure_cost" or row.get("quantity_code") == "spam_corrected" else 3


def rounded(value: Fraction, digits: int, way: str) -> str:
    """The value with so many significant digits, as releases write numbers."""
    if value == 0:
        return "0"
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    text = f"{Context(prec=digits, rounding=way).plus(exact):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rates_of(table: str, row: Row) -> dict[str, str]:
    people = row["area_subscriptions"]
    return {
        column: rounded(Fraction(row[of]) / Fraction(people), digits_of(table, row), way)
        if row[of] and people not in ("", "0")
        else ""
        for column, (of, way) in RATES.items()
    }


def thousand_of(row: Row, volumes: Sequence[Row]) -> dict[str, str]:
    """Money for 1,000 messages or calls of all traffic, and the worse band."""
    none = {"cost_per_thousand": "", "thousand_cv_band_code": ""}
    same = ("period_code", "area_code", "channel_code", "stands_from")
    codes = {"quantity_code": "units", "definition_code": "OPERATOR"}
    whole = [
        each
        for each in volumes
        if all(each[name] == row[name] for name in same)
        and all(each[name] == code for name, code in codes.items())
        and each["unit_code"] in ("attempted", "call")
    ]
    if not whole or not Fraction(whole[0]["estimate"]):
        return none
    (units,) = whole
    bands = [each["cv_band_code"] for each in (row, units)]
    cost = 1000 * Fraction(row["estimate"]) / Fraction(units["estimate"])
    return {
        "cost_per_thousand": rounded(cost, digits_of(UNIT_COSTS, row), ROUND_HALF_EVEN),
        "thousand_cv_band_code": max(bands, key=BANDS.index) if all(bands) else "",
    }


def share_of(table: str, row: Row, rows: Sequence[Row]) -> dict[str, str]:
    """The share of a row, and its band."""
    none = {"share_pct": "", "share_cv_band_code": ""}
    codes, _ = SHARES[table]
    own = [row[name] for name in codes]
    if own == list(codes.values()) or set(own) == {"_T"}:
        return none
    same = [name for name in (*DIMENSIONS, "stands_from") if name in row and name not in codes]
    whole = [
        each
        for each in rows
        if all(each[name] == row[name] for name in same)
        and all(each[name] == code for name, code in codes.items())
    ]
    if not whole or not Fraction(whole[0]["estimate"]):
        return none
    share = min(100 * Fraction(row["estimate"]) / Fraction(whole[0]["estimate"]), Fraction(100))
    bands = [each["cv_band_code"] for each in (row, whole[0])]
    digits = min(digits_of(table, each) for each in (row, whole[0]))
    return {
        "share_pct": rounded(share, digits, ROUND_HALF_EVEN),
        "share_cv_band_code": max(bands, key=BANDS.index) if all(bands) else "",
    }


def rank_of(table: str, row: Row, rows: Sequence[Row]) -> dict[str, str]:
    """The best and the worst rank that intervals leave open."""
    none = {"rank_from": "", "rank_to": ""}
    _, ranked = SHARES[table]
    low, high = ("rate_low", "rate_high") if ranked == "area_code" else ("estimate_low", "estimate_high")
    same = [name for name in DIMENSIONS if name in row and name != ranked]
    group = [
        each for each in rows if all(each[name] == row[name] for name in same) and is_ranked(each, ranked)
    ]
    if not is_ranked(row, ranked) or len(group) < 2 or not row[low] or not row[high]:
        return none
    better = sum(bool(each[low]) and Fraction(each[low]) > Fraction(row[high]) for each in group)
    worse = sum(bool(each[high]) and Fraction(each[high]) < Fraction(row[low]) for each in group)
    return {"rank_from": str(1 + better), "rank_to": str(len(group) - worse)}


def is_ranked(row: Row, ranked: str) -> bool:
    """Return whether a row is ranked: of areas regions alone; of parts those of a known kind."""
    return row["area_kind_code"] == "region" if ranked == "area_code" else row[ranked] not in NOT_RANKED

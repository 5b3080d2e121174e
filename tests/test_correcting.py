"""The filters' errors in counts by anything: days, stages, sources, routes."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from math import sqrt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import prevalence
from jobs.contracts import arrow_schema
from jobs.release import correcting
from jobs.release.figures import CALLS
from tests.test_prevalence import Truth, audited

QUALITY = "gold.filter_quality_monthly"
SHARES = {"flagged": (0.9, 0.8, 0.95), "undecided": (0.5, 0.0, 1.0), "passed": (0.1, 0.05, 0.2)}


def frame(spark: SparkSession, table: str, rows: list[dict[str, Any]]) -> DataFrame:
    schema = arrow_schema(table)
    whole = [{name: row.get(name) for name in schema.names} for row in rows]
    return spark.createDataFrame(pa.Table.from_pylist(whole, schema))


def told(operator: str, month: str = "2026-11", **changed: Any) -> dict[str, Any]:
    """An audit's row of a channel, of so few units that no part of it is small enough for chance."""
    shares = {
        f"{call}_spam_share{end}": Decimal(str(value))
        for call, values in SHARES.items()
        for end, value in zip(("", "_low", "_high"), values, strict=True)
    }
    row = {"operator_id": operator, "period_code": month, "channel_code": "EMAIL", "stratum_code": "_T"}
    row |= {"spam_type_code": "_T", "quality_method_code": "audit", "prevalence": 0}
    return row | {"units": 3, "spam_certain": 1, "spam_possible": 2} | shares | changed


def volume(operator: str, day: int, stage: str, counts: tuple[int, int, int], **more: Any) -> dict[str, Any]:
    row = {"operator_id": operator, "period_date": dt.date(2026, 11, day), "channel_code": "EMAIL"}
    row |= {"stage_code": stage, "unit_code": "recipient", "definition_code": "OPERATOR"}
    return row | dict(zip(("units", "spam_certain", "spam_possible"), counts, strict=True)) | more


def by(found: DataFrame, key: str) -> dict[Any, dict[str, Any]]:
    return {row[key]: row.asDict() for row in found.collect()}


Share = tuple[float, float, float]


def ends(
    counts: dict[str, float], shares: dict[str, Share], populations: dict[str, float]
) -> tuple[float, float, float]:
    """Spam of one part of one operator's month and the squares of its distances below and above, by the
    formula of docs/audit.md."""
    spam = below = above = 0.0
    for call, units in counts.items():
        rate, low, high = shares[call]
        left = max(1 - units / populations[call], 0) if populations[call] else 0.0
        spam += units * rate
        for end in (low, high):
            chance = 1.96**2 * units * left * max(rate * (1 - rate), end * (1 - end))
            squared = (units * (end - rate)) ** 2 + chance
            below, above = (below + squared, above) if end is low else (below, above + squared)
    return spam, below, above


def test_by_hand(spark: SparkSession) -> None:
    quality = [
        told("a"),
        # A test elsewhere is believed where there is no audit, and there alone.
        told("a", quality_method_code="rogan_gladen", flagged_spam_share=Decimal(0)),
        told("b", quality_method_code="rogan_gladen"),
        # Nobody labelled; a stratum and a type are no channel.
        told("c", prevalence=None, **dict.fromkeys(correcting.shares())),
        told("d", stratum_code="EMAIL._T._T.ge4"),
        told("d", spam_type_code="UNK"),
    ]
    rows = [
        # 100 flagged, 10 undecided, 200 passed; 40 refused before content, of which 30 for certain.
        volume("a", 1, "content", (110, 100, 110)),
        volume("a", 1, "delivery", (200, 0, 0)),
        volume("a", 1, "envelope", (40, 30, 40)),
        # Attempts and calls had no content that an audit could be of.
        volume("a", 1, "content", (7, 7, 7), unit_code="attempt"),
        volume("a", 2, "content", (100, 100, 100)),
        volume("b", 2, "content", (100, 100, 100)),
        volume("c", 3, "content", (100, 60, 80)),
        volume("d", 3, "content", (100, 60, 80)),
        # Of another month nothing is known.
        volume("a", 4, "content", (10, 5, 6)) | {"period_date": dt.date(2026, 12, 4)},
    ]
    known = correcting.rates(frame(spark, QUALITY, quality))
    found = correcting.corrected(
        frame(spark, "gold.spam_volume_daily", rows), ["channel_code", "period_date"], known
    )
    days = {day.day: row for day, row in by(found, "period_date").items()}
    first = days[1]
    assert (first["units"], first["spam_certain"], first["spam_possible"]) == (357, 137, 157)
    assert (first["seen_units"], first["audited_units"]) == (310, 310)
    # 90 + 5 + 20 of what was seen; 37 to 47 of the rest as counted.
    assert first["audited_spam"] == 115
    assert float(first["spam_low"]) == pytest.approx(37 + 115 - sqrt(10**2 + 5**2 + 10**2), abs=1e-4)
    assert float(first["spam_high"]) == pytest.approx(47 + 115 + sqrt(5**2 + 5**2 + 20**2), abs=1e-4)
    # Two operators' samples were drawn apart.
    assert float(days[2]["spam_low"]) == pytest.approx(180 - sqrt(2) * 10, abs=1e-4)
    assert float(days[2]["spam_high"]) == pytest.approx(180 + sqrt(2) * 5, abs=1e-4)
    for day, ends in ((3, (120, 160)), (4, (5, 6))):
        assert (days[day]["spam_low"], days[day]["spam_high"]) == ends
        assert (days[day]["audited_units"], days[day]["audited_spam"]) == (0, 0)


def test_routes_are_corrected_by_what_had_content_and_old_rows_are_not(spark: SparkSession) -> None:
    route = {"operator_id": "a", "period_date": dt.date(2026, 11, 1), "channel_code": "EMAIL"}
    route |= {"unit_code": "recipient", "definition_code": "OPERATOR"}
    route |= {"units": 140, "spam_certain": 60, "spam_possible": 60}
    content = {"content_units": 100, "content_certain": 20, "content_possible": 20}
    rows = [
        route | content | {"inbound_link_code": "internet"},
        # Of before content was counted, and an old row beside a new one.
        route | {"inbound_link_code": "hub"},
        route | content | {"inbound_link_code": "peer"},
        route | {"inbound_link_code": "peer"},
    ]
    known = correcting.rates(frame(spark, QUALITY, [told("a")]))
    found = correcting.corrected(
        frame(spark, "gold.spam_route_daily", rows), ["channel_code", "inbound_link_code"], known
    )
    links = by(found, "inbound_link_code")
    assert [(links[code]["seen_units"], links[code]["audited_spam"]) for code in ("internet", "hub")] == [
        (100, 18 + 8),
        (0, 0),
    ]
    assert (links["hub"]["spam_low"], links["hub"]["spam_high"]) == (60, 60)
    assert links["peer"]["spam_low"] == links["internet"]["spam_low"] + 60


def test_a_call_that_the_sample_had_none_of_stays_as_counted(spark: SparkSession) -> None:
    absent = {name: None for name in correcting.shares() if not name.startswith("passed")}
    known = correcting.rates(frame(spark, QUALITY, [told("a", **absent)]))
    rows = frame(spark, "gold.spam_volume_daily", [volume("a", 1, "content", (100, 30, 40))])
    (found,) = correcting.corrected(rows, ["channel_code"], known).collect()
    assert (found.audited_units, found.audited_spam) == (60, 6)
    assert (found.spam_low, found.spam_high) == (30 + 3, 40 + 12)


def test_only_subscribers_that_are_known_have_a_rate(spark: SparkSession) -> None:
    rows = [
        volume("a", 1, "content", (100, 100, 100)) | {"network": 1},
        volume("b", 1, "content", (100, 60, 80)) | {"network": 0},
    ]
    table = frame(spark, "gold.spam_volume_daily", rows)
    known = correcting.rates(frame(spark, QUALITY, [told("a"), told("b")]))
    (found,) = correcting.corrected(table, ["channel_code"], known, F.col("operator_id") == "a").collect()
    assert (found.rated_certain, found.rated_low, found.rated_high) == (100, 80, 95)
    assert found.audited_spam == 90 + 54 + 10 + 2


def test_a_part_has_its_chance_and_the_whole_has_none(spark: SparkSession) -> None:
    counts = {"units": 1_000, "spam_certain": 200, "spam_possible": 300}
    known = correcting.rates(frame(spark, QUALITY, [told("a", **counts)]))
    rows = [volume("a", 1, "content", (100, 20, 30)), volume("a", 2, "content", (900, 180, 270))]
    table = frame(spark, "gold.spam_volume_daily", rows)
    found = by(correcting.corrected(table, ["channel_code", "period_date"], known), "period_date")
    spam, below, above = ends(
        {"flagged": 20, "undecided": 10, "passed": 70},
        SHARES,
        {"flagged": 200, "undecided": 100, "passed": 700},
    )
    first = found[dt.date(2026, 11, 1)]
    assert float(first["audited_spam"]) == spam == 18 + 5 + 7
    assert float(first["spam_low"]) == pytest.approx(spam - sqrt(below), abs=1e-3)
    assert float(first["spam_high"]) == pytest.approx(spam + sqrt(above), abs=1e-3)
    (whole,) = correcting.corrected(table, ["channel_code"], known).collect()
    width = sqrt((200 * 0.1) ** 2 + (100 * 0.5) ** 2 + (700 * 0.05) ** 2)
    assert float(whole.spam_low) == pytest.approx(180 + 50 + 70 - width, abs=1e-3)


def test_cells_add_up_to_the_channel_in_any_order(spark: SparkSession) -> None:
    """Random volumes of three operators and two months: the parts' estimates are the channel's, the sum of
    their ends holds its ends, and neither order nor partitions change a digit."""
    rng = random.Random(5)
    rows, quality = [], []
    for operator in "abc":
        for month in (11, 12):
            shares: dict[str, Any] = {}
            for call in CALLS:
                low, value, high = sorted(Decimal(rng.randint(0, 10**8)).scaleb(-8) for _ in range(3))
                shares |= {f"{call}_spam_share": value}
                shares |= {f"{call}_spam_share_low": low, f"{call}_spam_share_high": high}
            mine = []
            for day in range(1, 11):
                for stage in ("connect", "content", "delivery"):
                    certain, possible, units = sorted(rng.randint(0, 10**6) for _ in range(3))
                    row = volume(operator, day, stage, (units, certain, possible))
                    mine.append(row | {"period_date": dt.date(2026, month, day)})
            rows += mine
            counts = {
                name: sum(row[name] for row in mine if row["stage_code"] != "connect")
                for name in ("units", "spam_certain", "spam_possible")
            }
            if (operator, month) != ("c", 12):
                quality.append(told(operator, f"2026-{month}", **shares, **counts))
    known = correcting.rates(frame(spark, QUALITY, quality))
    table = frame(spark, "gold.spam_volume_daily", rows)
    (whole,) = correcting.corrected(table, ["channel_code"], known).collect()
    for key in ("period_date", "stage_code"):
        found = correcting.corrected(table, ["channel_code", key], known).collect()
        for name in ("units", "audited_units", "audited_spam"):
            # Each part is rounded to a tenth of a thousandth.
            assert abs(sum(row[name] for row in found) - whole[name]) <= Decimal(len(found)) / 10**4
        assert sum(row["spam_low"] for row in found) <= whole["spam_low"]
        assert whole["spam_high"] <= sum(row["spam_high"] for row in found)
        for row in found:
            assert 0 <= row["spam_low"] <= row["spam_high"] <= row["units"]
        rng.shuffle(rows)
        shuffled = frame(spark, "gold.spam_volume_daily", rows).repartition(7)
        again = correcting.corrected(shuffled, ["channel_code", key], known).collect()
        assert sorted(map(tuple, again), key=str) == sorted(map(tuple, found), key=str)


# --- what the assumption costs ----------------------------------------------------------------------------

# How large the eight countries of the trials are, and so a month's days might be.
SIZES = np.array([8, 7, 6, 5, 4, 3, 2, 1]) / 36
BANDS = (0.0, 4.0)


def population(
    rng: np.random.Generator, prevalence: tuple[float, ...], evading: float
) -> tuple[Truth, dict[str, Any], Any]:
    """A month of 20,000 messages from eight countries as nobody knows it: its strata; units by the filter's
    call and country; spam by country.

    prevalence: of each country. The filter scores spam and the rest alike, whichever country they come from,
    but spam of the first lower by `evading`.
    """
    units = 20_000
    country = rng.choice(len(SIZES), units, p=SIZES)
    is_spam = rng.random(units) < np.array(prevalence)[country]
    shift = np.where(country == 0, evading, 0.0)
    score = np.where(is_spam, rng.normal(9, 5, units) - shift, rng.normal(-1, 2.8, units))
    call = np.select([score >= 15, score >= 6], ["blocked", "tagged"], "passed")
    call = np.where(rng.random(units) < 0.003, "undecided", call)
    band = np.digitize(score, BANDS)
    truth = Truth({}, {})
    for code in np.unique(call):
        for place in np.unique(band[call == code]):
            inside = (call == code) & (band == place)
            truth.units[str(code), str(place)] = int(inside.sum())
            truth.spam[str(code), str(place)] = int((inside & is_spam).sum())
    flags = {"flagged": ("blocked", "tagged"), "undecided": ("undecided",), "passed": ("passed",)}
    by_call = {
        name: np.bincount(country[np.isin(call, codes)], minlength=len(SIZES))
        for name, codes in flags.items()
    }
    return truth, by_call, np.bincount(country[is_spam], minlength=len(SIZES))


def trial(prevalence: tuple[float, ...], evading: float, seeds: int = 100) -> list[tuple[float, float]]:
    """Of each country, in how many of the trials its interval held the truth, and the mean error of its
    estimate, of the truth."""
    held, off = np.zeros(len(SIZES)), np.zeros(len(SIZES))
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        truth, by_call, spam = population(rng, prevalence, evading)
        found = prevalence_of(audited(rng, truth, 400, 10, 0.9), seed)
        shares = {}
        for call in CALLS:
            figure = getattr(found, call)
            shares[call] = (figure.value, figure.low, figure.high) if figure else (0.0, 0.0, 0.0)
        populations = {call: float(by_call[call].sum()) for call in CALLS}
        for country in range(len(SIZES)):
            counts = {call: float(by_call[call][country]) for call in CALLS}
            value, below, above = ends(counts, shares, populations)
            low, high = max(value - sqrt(below), 0), min(value + sqrt(above), sum(counts.values()))
            held[country] += low <= spam[country] <= high
            off[country] += (value - spam[country]) / spam[country] / seeds
    return [(float(one) / seeds, float(other)) for one, other in zip(held, off, strict=True)]


def prevalence_of(strata: list[prevalence.Stratum], seed: int) -> prevalence.Calls:
    found = prevalence.quality(strata, f"seed {seed}")
    assert found is not None
    return found.calls


def test_parts_hold_the_truth_where_the_filter_errs_alike() -> None:
    found = trial((0.45,) * 8, 0.0)
    print([f"{held:.0%} held, {off:+.1%} off" for held, off in found])
    assert min(held for held, _ in found) >= 0.9
    assert max(abs(off) for _, off in found) < 0.03


def test_what_parts_say_where_one_is_not_like_the_others() -> None:
    """What docs/audit.md says of it: the interval of that country does not hold its spam, and those of the
    others hold more."""
    evading = trial((0.45,) * 8, 4.0)
    print("evading", [f"{held:.0%} held, {off:+.1%} off" for held, off in evading])
    differing = trial((0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05), 0.0)
    print("differing", [f"{held:.0%} held, {off:+.1%} off" for held, off in differing])

"""The filters' errors in counts by anything: days, stages, sources, routes."""

import datetime as dt
import random
from decimal import Decimal
from math import sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest

from jobs.base.core.call_shares import CALL_SHARES, CALLS
from jobs.base.stats import prevalence
from jobs.base.stats.prevalence_by_test import correct_calls
from jobs.base.tables.contracts import rows_frame
from jobs.operators.gold.shared import correcting
from tests.base.stats.test_prevalence import Truth, audited
from tests.support.report_figures import estimated

QUALITY = "gold.filter_quality_monthly"
SHARES = {"flagged": (0.9, 0.8, 0.95), "undecided": (0.5, 0.0, 1.0), "passed": (0.1, 0.05, 0.2)}


def frame(table: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return rows_frame(rows, table)


def told(operator: str, month: str = "2026-11", **changed: Any) -> dict[str, Any]:
    """An audit's row of a channel, of so few units that no part of it is small enough for chance."""
    shares = with_ends({f"{call}_spam_share": values for call, values in SHARES.items()})
    row = {"operator_id": operator, "period_code": month, "channel_code": "EMAIL", "stratum_code": "_T"}
    row |= {"spam_type_code": "_T", "quality_method_code": "audit", "prevalence": 0}
    return row | {"units": 3, "spam_certain": 1, "spam_possible": 2} | shares | changed


def volume(operator: str, day: int, stage: str, counts: tuple[int, int, int], **more: Any) -> dict[str, Any]:
    row = {"operator_id": operator, "period_date": dt.date(2026, 11, day), "channel_code": "EMAIL"}
    row |= {"stage_code": stage, "unit_code": "recipient", "definition_code": "OPERATOR"}
    return row | dict(zip(("units", "spam_certain", "spam_possible"), counts, strict=True)) | more


def by(found: pl.DataFrame, key: str) -> dict[Any, dict[str, Any]]:
    return {row[key]: row for row in found.to_dicts()}


Share = tuple[float, float, float]
RATES = {"sensitivity": (0.8, 0.7, 0.9), "specificity": (0.95, 0.9, 0.99)}


def with_ends(values: dict[str, Share]) -> dict[str, Decimal]:
    return {
        f"{name}{end}": Decimal(str(value))
        for name, ends in values.items()
        for end, value in zip(("", "_low", "_high"), ends, strict=True)
    }


def alike(
    flagged: float, passed: float, caught: Share, clean: Share, population: float
) -> tuple[float, float, float]:
    """Estimate by sensitivity and specificity with ends, each of the two in turn at its end."""

    units = flagged + passed
    found = (flagged - units * (1 - clean[0])) / (caught[0] + clean[0] - 1)
    spam = min(max(found, 0), units)
    # How many are flagged of so much spam, so that an end tells of an estimate that was cut too.
    expected = spam * caught[0] + (units - spam) * (1 - clean[0])
    variance = spam * caught[0] * (1 - caught[0]) + (units - spam) * clean[0] * (1 - clean[0])
    left = max(1 - units / population, 0)
    chance = 1.96**2 * left * variance / (caught[0] + clean[0] - 1) ** 2

    def moved(of_spam: float, of_rest: float) -> float:
        def at(caught: float, clean: float) -> float:
            return (expected - units * (1 - clean)) / (caught + clean - 1) - spam

        return at(of_spam, clean[0]) ** 2 + at(caught[0], of_rest) ** 2

    return spam, moved(caught[2], clean[1]) + chance, moved(caught[1], clean[2]) + chance


def ends(
    counts: dict[str, float], shares: dict[str, Share], populations: dict[str, float]
) -> tuple[float, float, float]:
    """Spam of one part of one operator's month and the squares of its distances below and above, by the
    formula of docs/audit-method.md."""
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


def test_by_hand() -> None:
    quality = [
        told("a"),
        # A test elsewhere is believed where there is no audit, and there alone.
        told("a", quality_method_code="rogan_gladen", flagged_spam_share=Decimal(0)),
        told("b", quality_method_code="rogan_gladen"),
        # Nobody labelled; a stratum and a type are no channel.
        told("c", prevalence=None, **dict.fromkeys(correcting.rate_columns())),
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
    known = correcting.error_rates(frame(QUALITY, quality))
    found = correcting.correct_parts(
        frame("gold.spam_volume_daily", rows), ["channel_code", "period_date"], known
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


def test_distances_of_one_test_add_up_and_those_of_audits_as_squares() -> None:
    """Figures by hand: 100 flagged and 200 passed in each of two months of a test and of an audit."""
    months = ("2026-11", "2026-12")
    quality = [told("a", month) for month in months]
    quality += [told(name, month, quality_method_code="rogan_gladen") for name in "bc" for month in months]
    rows = [
        volume(operator, 1, "content", counts, period_date=dt.date(2026, month, 1), outcome_code=operator)
        for operator in "abc"
        for month in (11, 12)
        for counts in ((100, 100, 100), (200, 0, 0))
    ]
    known = correcting.error_rates(frame(QUALITY, quality))
    table = frame("gold.spam_volume_daily", rows)
    found = by(correcting.correct_parts(table, ["channel_code", "outcome_code"], known), "outcome_code")
    # Below, 10 of what was flagged and 10 of what was passed; above, 5 and 20; 110 of a month are spam.
    for operator, below, above in (("a", 20, sqrt(850)), ("b", 40, 50), ("c", 40, 50)):
        assert float(found[operator]["spam_low"]) == pytest.approx(220 - below, abs=1e-3), operator
        assert float(found[operator]["spam_high"]) == pytest.approx(220 + above, abs=1e-3), operator
    # Tests of several operators were made apart.
    (all_,) = correcting.correct_parts(table, ["channel_code"], known).to_dicts()
    assert float(all_["spam_low"]) == pytest.approx(660 - sqrt(20**2 + 40**2 + 40**2), abs=1e-3)
    assert float(all_["spam_high"]) == pytest.approx(660 + sqrt(850 + 50**2 + 50**2), abs=1e-3)


def test_a_year_of_one_test_is_as_wide_as_its_months_together() -> None:
    """Sensitivity and specificity come from different messages, so these two add as squares, once a year."""
    changed = with_ends(RATES) | {"quality_method_code": "rogan_gladen"}
    quality = [told("a", f"2026-{month:02}", **changed) for month in range(1, 13)]
    rows = [
        volume("a", 1, "content", (1_000, 300, 300), period_date=dt.date(2026, month, 1))
        for month in range(1, 13)
    ]
    known = correcting.error_rates(frame(QUALITY, quality))
    table = frame("gold.spam_volume_daily", rows)
    year, *_ = correcting.correct_parts(table, ["channel_code"], known).to_dicts()
    # A month: 1,000 units, (300 x .95 - 700 x .05) / .75 of them spam; moved by each end in turn.
    spam = 250 / 0.75
    below = (spam * 0.1 / 0.85, (1_000 - spam) * 0.05 / 0.7)
    above = (spam * 0.1 / 0.65, (1_000 - spam) * 0.04 / 0.79)
    assert float(year["audited_spam"]) == pytest.approx(12 * spam, abs=1e-3)
    assert float(year["spam_low"]) == pytest.approx(
        12 * (spam - sqrt(below[0] ** 2 + below[1] ** 2)), abs=1e-2
    )
    assert float(year["spam_high"]) == pytest.approx(
        12 * (spam + sqrt(above[0] ** 2 + above[1] ** 2)), abs=1e-2
    )


def test_a_test_counts_half_of_the_undecided_as_flagged_in_parts_too() -> None:
    """100 flagged, 300 undecided, 600 passed: by Rogan and Gladen (250 x .95 - 750 x .05) / .85 are spam."""
    calls = correct_calls((0.1, 0.4), (1_000, 900), (1_000, 50), "seed")
    quality = with_ends({"sensitivity": (0.9, 0.88, 0.92), "specificity": (0.95, 0.93, 0.97)})
    quality |= with_ends(
        {f"{call}_spam_share": tuple(round(end, 8) for end in share(getattr(calls, call))) for call in CALLS}
    )
    quality |= {"units": 1_000, "spam_certain": 100, "spam_possible": 400}
    known = correcting.error_rates(
        frame(QUALITY, [told("a", **quality | {"quality_method_code": "rogan_gladen"})])
    )
    rows = [
        volume("a", 1, "content", (600, 80, 280)),
        volume("a", 2, "content", (400, 20, 120)),
    ]
    table = frame("gold.spam_volume_daily", rows)
    spam = 200 / 0.85
    for is_decided_by_call in (False, True):
        found = correcting.correct_parts(
            table, ["channel_code", "period_date"], known, is_decided_by_call
        ).to_dicts()
        assert float(sum(row["audited_spam"] for row in found)) == pytest.approx(spam, abs=0.01)
        assert (
            float(sum(row["spam_low"] for row in found))
            <= spam
            <= float(sum(row["spam_high"] for row in found))
        )
    (whole,) = correcting.correct_parts(table, ["channel_code"], known).to_dicts()
    # If all of the undecided were flagged, or passed, spam is by 150 / .85 more, or less.
    rest = 1_000 - spam
    above = sqrt((spam * 0.02 / 0.83) ** 2 + (rest * 0.02 / 0.87) ** 2 + (150 / 0.85) ** 2)
    below = sqrt((spam * 0.02 / 0.87) ** 2 + (rest * 0.02 / 0.83) ** 2 + (150 / 0.85) ** 2)
    assert float(whole["spam_high"]) == pytest.approx(spam + above, abs=0.01)
    assert float(whole["spam_low"]) == pytest.approx(spam - below, abs=0.01)


def test_a_channels_estimate_is_that_of_its_parts() -> None:
    """Parts are of days, of an audit, a test with undecided messages, and an audit whose sample had none of a
    call."""
    calls = correct_calls((0.1, 0.4), (1_000, 900), (1_000, 50), "seed")
    of_test = {f"{call}_spam_share": share(getattr(calls, call)) for call in CALLS}
    of_test |= {"sensitivity": (0.9, 0.88, 0.92), "specificity": (0.95, 0.93, 0.97)}
    # Of 840 spam 756 are flagged, of 160 others 8: shares that fit an audit's sensitivity and specificity.
    of_audit = {"flagged_spam_share": (0.98952880, 0.9, 1.0), "passed_spam_share": (0.35593220, 0.3, 0.4)}
    of_audit |= {"sensitivity": (0.9, 0.88, 0.92), "specificity": (0.95, 0.93, 0.97)}
    tested = with_ends({name: rounded(each) for name, each in of_test.items()})
    quality = {
        "a": told("a", **with_ends(of_audit)),
        "b": told("b", **tested | {"quality_method_code": "rogan_gladen"}),
        "c": told("c", **with_ends(of_audit) | dict.fromkeys(columns_of("undecided_spam_share"))),
    }
    days = {
        "a": [(500, 400, 410), (510, 364, 364)],
        "b": [(600, 80, 280), (400, 20, 120)],
        "c": [(500, 400, 410), (510, 364, 364)],
    }
    for operator, counts in days.items():
        known = correcting.error_rates(frame(QUALITY, [quality[operator]]))
        table = frame(
            "gold.spam_volume_daily",
            [volume(operator, day, "content", each) for day, each in enumerate(counts, 1)],
        )
        (row,) = known.to_dicts()
        names = ("units", "spam_certain", "spam_possible")
        sums = dict(zip(names, map(sum, zip(*counts, strict=True)), strict=True))
        whole = estimated({name: float(value) for name, value in row.items() if name in CALL_SHARES
                           and value is not None} | sums)  # fmt: skip
        parts = correcting.correct_parts(table, ["channel_code", "period_date"], known).to_dicts()
        assert sum(each["audited_units"] for each in parts) == whole.units, operator
        assert float(sum(each["audited_spam"] for each in parts)) == pytest.approx(whole.spam, abs=0.01), (
            operator
        )
    assert whole.units == 1_000


def rounded(values: Share) -> Share:
    value, low, high = (round(each, 8) for each in values)
    return value, low, high


def columns_of(name: str) -> list[str]:
    return [f"{name}{end}" for end in ("", "_low", "_high")]


def test_routes_are_corrected_by_what_had_content_and_old_rows_are_not() -> None:
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
    known = correcting.error_rates(frame(QUALITY, [told("a")]))
    found = correcting.correct_parts(
        frame("gold.spam_route_daily", rows), ["channel_code", "inbound_link_code"], known
    )
    links = by(found, "inbound_link_code")
    assert [(links[code]["seen_units"], links[code]["audited_spam"]) for code in ("internet", "hub")] == [
        (100, 18 + 8),
        (0, 0),
    ]
    assert (links["hub"]["spam_low"], links["hub"]["spam_high"]) == (60, 60)
    assert links["peer"]["spam_low"] == links["internet"]["spam_low"] + 60


def test_a_call_that_the_sample_had_none_of_stays_as_counted() -> None:
    absent = {name: None for name in correcting.rate_columns() if not name.startswith("passed")}
    known = correcting.error_rates(frame(QUALITY, [told("a", **absent)]))
    rows = frame("gold.spam_volume_daily", [volume("a", 1, "content", (100, 30, 40))])
    (found,) = correcting.correct_parts(rows, ["channel_code"], known).to_dicts()
    assert (found["audited_units"], found["audited_spam"]) == (60, 6)
    assert (found["spam_low"], found["spam_high"]) == (30 + 3, 40 + 12)


def test_a_part_has_its_chance_and_the_whole_has_none() -> None:
    counts = {"units": 1_000, "spam_certain": 200, "spam_possible": 300}
    known = correcting.error_rates(frame(QUALITY, [told("a", **counts)]))
    rows = [volume("a", 1, "content", (100, 20, 30)), volume("a", 2, "content", (900, 180, 270))]
    table = frame("gold.spam_volume_daily", rows)
    found = by(correcting.correct_parts(table, ["channel_code", "period_date"], known), "period_date")
    spam, below, above = ends(
        {"flagged": 20, "undecided": 10, "passed": 70},
        SHARES,
        {"flagged": 200, "undecided": 100, "passed": 700},
    )
    first = found[dt.date(2026, 11, 1)]
    assert float(first["audited_spam"]) == spam == 18 + 5 + 7
    assert float(first["spam_low"]) == pytest.approx(spam - sqrt(below), abs=1e-3)
    assert float(first["spam_high"]) == pytest.approx(spam + sqrt(above), abs=1e-3)
    (whole,) = correcting.correct_parts(table, ["channel_code"], known).to_dicts()
    width = sqrt((200 * 0.1) ** 2 + (100 * 0.5) ** 2 + (700 * 0.05) ** 2)
    assert float(whole["spam_low"]) == pytest.approx(180 + 50 + 70 - width, abs=1e-3)


def test_days_are_corrected_by_how_the_filter_errs_and_stages_by_its_calls() -> None:
    """1,000 units, 410 of them spam: of it 328 flagged, of the rest 29.5."""
    calls = {"flagged": (0.917, 0.8, 0.95), "undecided": (0.5, 0.0, 1.0), "passed": (0.128, 0.05, 0.2)}
    quality = told(
        "a",
        **with_ends({f"{call}_spam_share": values for call, values in calls.items()} | RATES),
        units=1_010,
        spam_certain=355,
        spam_possible=365,
    )
    rows = [
        # A day of much spam, one of less, and one that the filter flagged less of than by mistake.
        volume("a", 1, "content", (200, 150, 150)),
        volume("a", 2, "content", (710, 200, 210)),
        volume("a", 3, "delivery", (100, 4, 4)),
    ]
    known = correcting.error_rates(frame(QUALITY, [quality]))
    table = frame("gold.spam_volume_daily", rows)
    keys = ["channel_code", "period_date"]
    found = {day.day: row for day, row in by(correcting.correct_parts(table, keys, known), keys[1]).items()}
    for day, (flagged, passed, undecided) in {1: (150, 50, 0), 2: (200, 500, 10), 3: (4, 96, 0)}.items():
        spam, below, above = alike(flagged, passed, RATES["sensitivity"], RATES["specificity"], 1_000)
        assert spam == pytest.approx((flagged * 0.95 - passed * 0.05) / 0.75 if day != 3 else 0)
        open_ = (undecided / 2) ** 2 + 1.96**2 * undecided * 0.25 * (1 - undecided / 10)
        row = found[day]
        assert float(row["audited_spam"]) == pytest.approx(spam + undecided / 2, abs=1e-3)
        low, high = spam + undecided / 2 - sqrt(below + open_), spam + undecided / 2 + sqrt(above + open_)
        assert float(row["spam_low"]) == pytest.approx(max(low, 0), abs=1e-3)
        assert float(row["spam_high"]) == pytest.approx(min(high, row["units"]), abs=1e-3)
    # What the filter flagged is spam at one rate, wherever it is.
    by_stage = correcting.correct_parts(table, keys, known, is_decided_by_call=True)
    last = by(by_stage, keys[1])[dt.date(2026, 11, 3)]
    assert float(last["audited_spam"]) == pytest.approx(4 * 0.917 + 96 * 0.128)


def test_a_filter_that_may_tell_nothing_is_not_turned_round() -> None:
    vague = {"sensitivity": (0.3, 0.1, 0.6), "specificity": (0.95, 0.9, 0.99)}
    known = correcting.error_rates(frame(QUALITY, [told("a", **with_ends(vague))]))
    rows = frame("gold.spam_volume_daily", [volume("a", 1, "content", (100, 30, 30))])
    (found,) = correcting.correct_parts(rows, ["channel_code"], known).to_dicts()
    assert found["audited_spam"] == 27 + 7


def test_cells_add_up_to_the_channel_in_any_order() -> None:
    """Random volumes of three operators and two months: the parts' estimates are the channel's, the sum of
    their ends holds its ends, and the order of rows changes no digit. Two operators' sensitivity is
    known: it fits the shares of calls, as an audit's does."""
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
                    certain, passed = rng.randint(3 * 10**5, 10**6), rng.randint(3 * 10**5, 10**6)
                    possible = certain + rng.randint(0, 10**4)
                    units = possible + passed
                    row = volume(operator, day, stage, (units, certain, possible))
                    mine.append(row | {"period_date": dt.date(2026, month, day)})
            rows += mine
            counts = {
                name: sum(row[name] for row in mine if row["stage_code"] != "connect")
                for name in ("units", "spam_certain", "spam_possible")
            }
            rates = {} if operator == "c" else {"sensitivity": (0.9, 0.85, 0.93)}
            if rates:
                # Of the units that are flagged or passed, such that each part has some spam and some else.
                flagged, passed = counts["spam_certain"], counts["units"] - counts["spam_possible"]
                spam = (flagged - 0.02 * (flagged + passed)) / 0.88
                rates |= {"specificity": (0.98, 0.97, 0.99)}
                shares["flagged_spam_share"] = Decimal(f"{0.9 * spam / flagged:.8f}")
                shares["passed_spam_share"] = Decimal(f"{0.1 * spam / passed:.8f}")
                for call in ("flagged", "passed"):
                    shares |= {f"{call}_spam_share_low": Decimal(0), f"{call}_spam_share_high": Decimal(1)}
            if (operator, month) != ("c", 12):
                quality.append(told(operator, f"2026-{month}", **shares, **counts, **with_ends(rates)))
    known = correcting.error_rates(frame(QUALITY, quality))
    table = frame("gold.spam_volume_daily", rows)
    (whole,) = correcting.correct_parts(table, ["channel_code"], known).to_dicts()
    (by_call,) = correcting.correct_parts(table, ["channel_code"], known, is_decided_by_call=True).to_dicts()
    assert float(by_call["audited_spam"]) == pytest.approx(float(whole["audited_spam"]), rel=1e-7)
    for key in ("period_date", "stage_code"):
        found = correcting.correct_parts(table, ["channel_code", key], known).to_dicts()
        for name in ("units", "audited_units", "audited_spam"):
            # Each part is rounded to a tenth of a thousandth.
            assert abs(sum(row[name] for row in found) - whole[name]) <= Decimal(len(found)) / 10**4
        assert sum(row["spam_low"] for row in found) <= whole["spam_low"]
        assert whole["spam_high"] <= sum(row["spam_high"] for row in found)
        for row in found:
            assert 0 <= row["spam_low"] <= row["spam_high"] <= row["units"]
        rng.shuffle(rows)
        shuffled = frame("gold.spam_volume_daily", rows)
        again = correcting.correct_parts(shuffled, ["channel_code", key], known).to_dicts()
        assert sorted(again, key=str) == sorted(found, key=str)


# --- what the assumption costs ----------------------------------------------------------------------------

# How large the eight countries of the trials are, and so a month's days might be.
SIZES = np.array([8, 7, 6, 5, 4, 3, 2, 1]) / 36
BANDS = (0.0, 4.0)


def population(
    rng: np.random.Generator, prevalence: tuple[float, ...], evading: float
) -> tuple[Truth, dict[str, Any], Any]:
    """A month of 10,000 messages from eight countries as nobody knows it: its strata; units by the filter's
    call and country; spam by country.

    Args:
        prevalence: of each country. The filter scores spam and the rest alike, whichever country they come
            from, but spam of the first lower by `evading`.
    """
    units = 10_000
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


def trial(of_country: tuple[float, ...], evading: float) -> dict[str, list[tuple[float, float]]]:
    """Measure for each country in what share of 100 trials its interval held the truth, and by how much its
    estimate was off, as a share of the truth: by sensitivity and specificity, and by the shares of calls."""
    seeds = 100
    made = {name: np.zeros((len(SIZES), 2)) for name in ("rates", "calls")}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        truth, by_call, spam = population(rng, of_country, evading)
        found = prevalence.estimate_quality(audited(rng, truth, 400, 10, 0.9), f"seed {seed}")
        assert found is not None and found.sensitivity is not None and found.specificity is not None
        shares = {call: share(getattr(found.calls, call)) for call in CALLS}
        populations = {call: float(by_call[call].sum()) for call in CALLS}
        for country in range(len(SIZES)):
            counts = {call: float(by_call[call][country]) for call in CALLS}
            known = (share(found.sensitivity), share(found.specificity))
            of_rates = alike(
                counts["flagged"], counts["passed"], *known, populations["flagged"] + populations["passed"]
            )
            of_undecided = ends({"undecided": counts["undecided"]}, shares, populations)
            estimates = {"rates": np.add(of_rates, of_undecided), "calls": ends(counts, shares, populations)}
            for name, (value, below, above) in estimates.items():
                low, high = max(value - sqrt(below), 0), min(value + sqrt(above), sum(counts.values()))
                is_held = low <= spam[country] <= high
                made[name][country] += (is_held / seeds, (value / spam[country] - 1) / seeds)
    told_ = {name: [(float(held), float(off)) for held, off in rows] for name, rows in made.items()}
    for name, rows in told_.items():
        print(name, ", ".join(f"{held:.0%} held, {off:+.1%} off" for held, off in rows))
    return told_


def share(figure: prevalence.IntervalEstimate | None) -> Share:
    return (figure.value, figure.low, figure.high) if figure else (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "of_country",
    [(0.45,) * 8, (0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05), (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)],
    ids=["as much spam from each", "most from the largest", "most from the smallest"],
)
def test_countries_hold_the_truth_where_the_filter_errs_alike(of_country: tuple[float, ...]) -> None:
    found = trial(of_country, 0.0)
    assert len(found["rates"]) == len(SIZES) and min(held for held, _ in found["rates"]) >= 0.9
    assert max(abs(off) for _, off in found["rates"]) < 0.05
    # Shares of calls hold only where countries are alike in how much spam they send.
    differs = len(set(of_country)) > 1
    assert (min(held for held, _ in found["calls"]) < 0.1) == differs


@pytest.mark.long
def test_what_is_said_where_the_filter_misses_more_of_one_countrys_spam() -> None:
    """The country's interval does not contain its spam, which is attributed to the others, as
    docs/audit-method.md says. Only labels by country could show it."""
    first, *others = trial((0.45,) * 8, 4.0)["rates"]
    assert first[0] < 0.1 and -0.5 < first[1] < -0.25
    assert all(0.05 < off < 0.15 for _, off in others)

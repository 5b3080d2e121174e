"""Bulk: presets over the day and the 29 before, and the days that a late line makes due again."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import campaigns, config, runner
from jobs.checks import Fingerprint
from jobs.errors import ObservatoryError
from jobs.gold import bulk, campaign_daily
from jobs.lake import Lake
from tests.study import run_again

DAY = dt.date(2026, 11, 24)
MESSAGE = (
    "operator_id string, period_date date, channel_code string, signature_kind_code string,"
    " signature_hash string, is_bulk boolean"
)
CAMPAIGN = (
    "operator_id string, period_date date, channel_code string, campaign_hash string, copy_count bigint,"
    " signature_hashes array<string>, senders array<string>"
)


def ago(days: int) -> dt.date:
    return DAY - dt.timedelta(days=days)


def campaign(
    operator: str, days_ago: int, copies: int, *signatures: str, channel: str = "EMAIL", senders: str = "s"
) -> tuple[Any, ...]:
    return operator, ago(days_ago), channel, min(signatures), copies, sorted(signatures), list(senders)


def campaigns_of(spark: SparkSession, rows: list[tuple[Any, ...]]) -> DataFrame:
    """Rows of gold.campaign_daily, of the kind that the messages of the same signature are of."""
    kinds = spark.createDataFrame(
        sorted({(case[3], case[2]) for case in CASES if case[3]}),
        "signature_hash string, signature_kind_code string",
    )
    named = spark.createDataFrame(rows, CAMPAIGN).withColumn("signature_hash", F.col("campaign_hash"))
    keys = [name for name in named.columns if name not in ("senders", "signature_hash")]
    return (
        named.join(kinds, on="signature_hash", how="left")
        .withColumn("sender", F.explode("senders"))
        .groupBy(*keys, "signature_kind_code")
        .agg(F.theta_sketch_agg("sender").alias("sender_sketch"))
    )


# Each message of the day with what is known of its signature's campaigns, and whether it is bulk.
CASES: list[tuple[str, str, str | None, str | None, bool | None, list[tuple[Any, ...]], bool | None]] = [
    # More than 200 a day, anywhere.
    ("che", "EMAIL", "digest", "a", None, [campaign("che", 0, 201, "a")], True),
    ("che", "EMAIL", "digest", "b", None, [campaign("che", 0, 200, "b")], False),
    ("che", "SMS", "text", "c", None, [campaign("che", 0, 201, "c", channel="SMS")], True),
    # More than 100 a day where the law says so, and of the channel that it is about.
    ("usa", "EMAIL", "digest", "d", None, [campaign("usa", 0, 101, "d")], True),
    ("che", "EMAIL", "digest", "e", None, [campaign("che", 0, 101, "e")], False),
    ("usa", "SMS", "text", "f", None, [campaign("usa", 0, 101, "f", channel="SMS")], False),
    ("sgp", "SMS", "text", "g", None, [campaign("sgp", 0, 101, "g", channel="SMS")], True),
    # More than 1,000 in 30 days.
    ("usa", "EMAIL", "digest", "h", None, [campaign("usa", n, 90, "h") for n in range(12)], True),
    ("che", "EMAIL", "digest", "i", None, [campaign("che", n, 90, "i") for n in range(12)], False),
    # 990 in 11 days; in each of the other 19 it may have had four copies, too few for a row.
    ("usa", "EMAIL", "digest", "j", None, [campaign("usa", n, 90, "j") for n in range(11)], None),
    ("usa", "EMAIL", "digest", "k", None, [campaign("usa", n, 34, "k") for n in range(30)], True),
    ("usa", "EMAIL", "digest", "l", None, [campaign("usa", n, 33, "l") for n in range(30)], False),
    # The thirty-first day is too long ago: 900, and 80 that may be.
    ("usa", "EMAIL", "digest", "m", None, [campaign("usa", n, 90, "m") for n in range(20, 32)], False),
    # Nothing today but this message: its campaign was before.
    ("usa", "EMAIL", "digest", "n", None, [campaign("usa", n, 99, "n") for n in range(1, 12)], True),
    # Two days are of one campaign by one signature that they share.
    (
        *("usa", "EMAIL", "text", "p1", None),
        [campaign("usa", 0, 60, "p1", "p2"), *(campaign("usa", n, 96, "p2", "p3") for n in range(1, 11))],
        True,
    ),
    # Behaviour proves, and disproves nothing.
    ("che", "EMAIL", "behaviour", "q", None, [campaign("che", 0, 201, "q")], True),
    ("che", "EMAIL", "behaviour", "r", None, [campaign("che", 0, 50, "r")], None),
    ("che", "EMAIL", None, None, None, [], None),
    # So does a fuzzy hash: copies that came before it was learned have their digests.
    ("che", "EMAIL", "fuzzy", "fa", None, [campaign("che", 0, 201, "fa", senders="abcd")], True),
    ("che", "EMAIL", "fuzzy", "fb", None, [campaign("che", 0, 50, "fb")], None),
    # And a subject, but for what its senders sent each: 201 copies of one, 100 of each of two, 201 of each.
    ("che", "EMAIL", "subject", "sa", None, [campaign("che", 0, 201, "sa")], True),
    ("che", "EMAIL", "subject", "sb", None, [campaign("che", 0, 201, "sb", senders="ab")], None),
    ("che", "EMAIL", "subject", "sc", None, [campaign("che", 0, 402, "sc", senders="ab")], True),
    ("che", "EMAIL", "subject", "sd", None, [], None),
    # In thirty days 1,080 of one shop, and 90 of each of twelve shops that had a day each.
    ("usa", "EMAIL", "subject", "se", None, [campaign("usa", n, 90, "se") for n in range(12)], True),
    (
        *("usa", "EMAIL", "subject", "sf", None),
        [campaign("usa", n, 90, "sf", senders="abcdefghijkl"[n]) for n in range(12)],
        None,
    ),
    # What symbols told stays where the presets do not prove more.
    ("che", "EMAIL", "digest", "s", True, [campaign("che", 0, 9, "s")], True),
    ("che", "EMAIL", None, None, True, [], True),
    # Too few even for a campaign.
    ("che", "EMAIL", "digest", "t", None, [], False),
    # Another operator's, another channel's copies are not these.
    ("che", "EMAIL", "digest", "u", None, [campaign("usa", 0, 999, "u")], False),
    ("che", "EMAIL", "digest", "v", None, [campaign("che", 0, 999, "v", channel="SMS")], False),
]


def presets(spark: SparkSession) -> list[bulk.Preset]:
    countries = spark.createDataFrame(
        [("che", "CHE"), ("usa", "USA"), ("sgp", "SGP")], "operator_id string, country_code string"
    )
    lake = Lake(spark, "")
    return bulk.presets(
        lake.reference("ref.bulk_preset"), countries, lake.reference("ref.campaign_parameter")
    )


def test_bulk_is_proved_disproved_or_left_open(spark: SparkSession) -> None:
    rows = [
        (operator, DAY, channel, kind, name, known) for operator, channel, kind, name, known, _, _ in CASES
    ]
    listed = [each for case in CASES for each in case[5]]
    message = spark.createDataFrame(rows, MESSAGE).withColumn("case", F.monotonically_increasing_id())
    made = bulk.filled(message, campaigns_of(spark, listed), presets(spark), f"period_date = DATE '{DAY}'")
    assert made.columns == message.columns
    found = [tuple(row)[:5] for row in made.drop("case", "period_date").collect()]
    wanted = [(operator, channel, kind, name, told) for operator, channel, kind, name, _, _, told in CASES]
    assert sorted(map(str, found)) == sorted(map(str, wanted))


def test_a_longer_window_than_gold_looks_back_is_refused(spark: SparkSession) -> None:
    lake = Lake(spark, "")
    rows = lake.reference("ref.bulk_preset")
    year = rows.filter("preset_code = 'CRYNWR_DAY'").withColumns(
        {"preset_code": F.lit("A_YEAR"), "window_days": F.lit(365)}
    )
    empty = spark.createDataFrame([], "operator_id string, country_code string")
    with pytest.raises(ObservatoryError, match="bulk_preset.csv, row A_YEAR: a window of 365 days is longer"):
        bulk.presets(rows.unionByName(year), empty, lake.reference("ref.campaign_parameter"))


@pytest.mark.parametrize(("messages", "told"), [(67, True), (66, False)])
def test_copies_are_counted_by_envelope_recipient_whoever_it_is(
    spark: SparkSession, messages: int, told: bool
) -> None:
    """Each message goes to three recipients, and all to the same nine: 201 copies are more than 200 a day."""
    lake = Lake(spark, "")
    of_all = {
        "operator_id": "che",
        "period_date": DAY,
        "channel_code": "SMS",
        "grain_code": "recipient",
        "signature_kind_code": "text",
        "signature_hash": "a",
        "spam_type_code": "UNK",
        "spam_type_codes": [],
        "first_at": dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC),
        "last_at": dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC),
    }
    rows = [
        of_all | {"message_hash": f"m{number}", "recipient_hash": f"r{(number + place) % 9}"}
        for number in range(messages)
        for place in range(3)
    ]
    message = lake.local(rows, "silver.message")
    campaign = campaign_daily.transform(message, lake.reference("ref.campaign_parameter"))
    (row,) = campaign.select("copy_count", "distinct_recipient_count").collect()
    assert tuple(row) == (3 * messages, 9)
    made = bulk.filled(message, campaign, presets(spark), f"period_date = DATE '{DAY}'")
    assert {each.is_bulk for each in made.select("is_bulk").collect()} == {told}


# --- days that are due again ---------------------------------------------------------------------------


def test_a_day_looks_at_itself_and_the_29_before() -> None:
    seen = campaigns.looked_at("2026-03-01")
    assert (seen[0], seen[-1], len(set(seen))) == ("2026-01-31", "2026-03-01", 30)


def test_a_changed_day_changes_the_inputs_of_the_next_29() -> None:
    days = [(dt.date(2026, 1, 1) + dt.timedelta(days=n)).isoformat() for n in range(60)]
    inputs = {("a", day): "same" for day in days} | {("b", days[5]): "same"}
    before = campaigns.with_history(inputs, {("a", days[10]): "5:x", ("b", days[5]): "5:x"})
    after = campaigns.with_history(inputs, {("a", days[10]): "6:y", ("b", days[5]): "5:x"})
    assert {key for key in inputs if before[key] != after[key]} == {("a", day) for day in days[10:40]}


def test_a_day_without_campaigns_is_as_one_that_was_never_computed() -> None:
    known = {
        (campaigns.TABLE, "a", "2026-01-01"): ("0:", "x"),
        (campaigns.TABLE, "a", "2026-01-02"): ("5:0a", "x"),
        (campaigns.TABLE, "a", "2026-01-03"): ("5:0b", "x"),
        ("gold.spam_volume_daily", "a", "2026-01-04"): ("5:0c", "x"),
    }
    told = campaigns.checksums(known, {"a": {"2026-01-03"}}, {("a", "2026-01-05"): Fingerprint(7, "0d")})
    assert told == {("a", "2026-01-02"): "5:0a", ("a", "2026-01-05"): "7:0d"}


SETTINGS = """
[lake]
root = "lake"
[[operator]]
id = "lion"
name = "Lion"
country = "SGP"
holding = "lion"
currency = "SGD"
number_prefixes = ["+65"]
[[operator.link]]
name = "HUB"
kind = "hub"
[[operator.source]]
id = "smsc"
url = "access*.log"
format = "kannel"
"""
FIRST = dt.date(2026, 11, 1)


def copies(day: int, count: int, start: int = 0) -> str:
    """Lines of so many SMS with one text, but for a code in it, on a day after the first."""
    date = FIRST + dt.timedelta(days=day)
    lines = []
    for number in range(start, start + count):
        text = f"Your prize is waiting, answer with code {number} to get it"
        lines.append(
            f"{date} 10:{number // 60:02}:{number % 60:02} Receive SMS [SMSC:HUB] [SVC:] [ACT:] [BINF:]"
            f" [FID:] [META:?smpp?] [from:+12025550100] [to:+65{number:08}] [flags:-1:0:-1:0:-1]"
            f" [msg:{len(text)}:{text}] [udh:0:]\n"
        )
    return "".join(lines)


@pytest.mark.long
def test_a_late_line_makes_a_message_of_20_days_later_bulk(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """95 copies on each of ten days, and on the first 20, later 75 more: 1,045 in 30 days. More than 1,000
    are bulk in Singapore, or more than 100 in a day."""
    (tmp_path / "access1.log").write_text(
        copies(0, 20) + "".join(copies(day, 95) for day in range(11, 21)), encoding="utf-8"
    )
    (tmp_path / "observatory.toml").write_text(SETTINGS, encoding="utf-8")
    as_it_is = runner.read_reference

    def with_a_definition_of_bulk(work: runner.Run, table: str) -> DataFrame:
        frame = as_it_is(work, table)
        if table != "ref.definition":
            return frame
        # OPERATOR stays: the coverage of types is held to it.
        ours = {"predicate": "is_bulk = TRUE", "channels": "SMS"}
        is_ours = F.col("definition_code") == "SPAMHAUS_UBE"
        changed = {name: F.when(is_ours, text).otherwise(F.col(name)) for name, text in ours.items()}
        return frame.filter(is_ours | (F.col("definition_code") == "OPERATOR")).withColumns(changed)

    monkeypatch.setattr(runner, "read_reference", with_a_definition_of_bulk)
    settings = config.load(tmp_path / "observatory.toml")
    last = FIRST + dt.timedelta(days=20)

    def counted(day: dt.date) -> tuple[int, int, int]:
        volume = Lake(spark, settings.lake.root).read("gold.spam_volume_daily")
        of_day = volume.filter((F.col("period_date") == day) & (F.col("definition_code") == "SPAMHAUS_UBE"))
        row = of_day.filter("unit_code = 'recipient'").first()
        assert row is not None
        return row.units, row.spam_certain, row.spam_possible

    run_again(spark, settings)
    # 970 are on record; days without a row may hold a few more.
    assert counted(last) == (95, 0, 95)
    assert counted(FIRST) == (20, 0, 0)
    (tmp_path / "access2.log").write_text(copies(0, 75, start=20), encoding="utf-8")
    again = run_again(spark, settings)
    assert counted(last) == (95, 95, 95)
    assert counted(FIRST) == (95, 0, 0)
    # The day before has 950: still open.
    assert counted(last - dt.timedelta(days=1)) == (95, 0, 95)
    assert again.changed[campaigns.TABLE] == {"lion": {FIRST.isoformat()}}
    assert last.isoformat() in again.changed["gold.spam_volume_daily"]["lion"]
    assert not any(run_again(spark, settings).changed.values())

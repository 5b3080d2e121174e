"""Bulk: presets over the day and the 29 before, and the days that a late line makes due again."""

from __future__ import annotations

import datetime as dt
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs import campaigns, config, runner, signatures
from jobs.checks import Fingerprint
from jobs.errors import ObservatoryError
from jobs.gold import bulk, campaign_daily
from jobs.gold.similarity import WHOSE, Thresholds, united
from jobs.lake import Lake
from tests.study import run_again

DAY = dt.date(2026, 11, 24)
MESSAGE = (
    "operator_id string, period_date date, channel_code string, signature_kind_code string,"
    " signature_hash string, signature_sketch array<int>, is_text_short boolean, is_bulk boolean"
)
CAMPAIGN = (
    "operator_id string, period_date date, channel_code string, campaign_hash string, copy_count bigint,"
    " distinct_recipient_count bigint, signature_hashes array<string>, senders array<string>"
)


def ago(days: int) -> dt.date:
    return DAY - dt.timedelta(days=days)


def campaign(
    operator: str,
    days_ago: int,
    copies: int,
    *signatures: str,
    channel: str = "EMAIL",
    senders: str = "s",
    recipients: int | None = None,
) -> tuple[Any, ...]:
    whose = operator, ago(days_ago), channel, min(signatures)
    return *whose, copies, copies if recipients is None else recipients, sorted(signatures), list(senders)


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
        .fillna("text", ["signature_kind_code"])
        .withColumn("sender", F.explode("senders"))
        .groupBy(*keys, "signature_kind_code")
        .agg(F.theta_sketch_agg("sender").alias("sender_sketch"))
    )


# Each message of the day with what is known of its signature's campaigns, and whether it is bulk.
CASES: list[tuple[str, str, str | None, str | None, bool | None, list[tuple[Any, ...]], bool | None]] = [
    # More than 200 a day, anywhere.
    ("che", "EMAIL", "digest", "a", None, [campaign("che", 0, 201, "a")], True),
    ("che", "EMAIL", "digest", "b", None, [campaign("che", 0, 200, "b")], None),
    ("che", "SMS", "text", "c", None, [campaign("che", 0, 201, "c", channel="SMS")], True),
    # More than 100 a day where the law says so, and of the channel that it is about.
    ("usa", "EMAIL", "digest", "d", None, [campaign("usa", 0, 101, "d")], True),
    ("che", "EMAIL", "digest", "e", None, [campaign("che", 0, 101, "e")], None),
    ("usa", "IM", "fuzzy", "f", None, [campaign("usa", 0, 101, "f", channel="IM")], None),
    ("sgp", "SMS", "text", "g", None, [campaign("sgp", 0, 101, "g", channel="SMS")], True),
    # More than 1,000 in 30 days, of which the thirty-first is too long ago.
    ("usa", "EMAIL", "digest", "h", None, [campaign("usa", n, 90, "h") for n in range(12)], True),
    ("che", "EMAIL", "digest", "i", None, [campaign("che", n, 90, "i") for n in range(12)], None),
    ("usa", "EMAIL", "digest", "k", None, [campaign("usa", n, 34, "k") for n in range(30)], True),
    ("usa", "EMAIL", "digest", "m", None, [campaign("usa", n, 90, "m") for n in range(19, 32)], None),
    # Nothing today but this message: its campaign was before.
    ("usa", "EMAIL", "digest", "n", None, [campaign("usa", n, 99, "n") for n in range(1, 12)], True),
    # Two days are of one campaign by one signature that they share.
    (
        *("usa", "EMAIL", "text", "p1", None),
        [campaign("usa", 0, 60, "p1", "p2"), *(campaign("usa", n, 96, "p2", "p3") for n in range(1, 11))],
        True,
    ),
    # A digest tells equal bodies only: a mail of three hundred, each with another name, has its own.
    ("che", "EMAIL", "digest", "personal", None, [], None),
    # 201 tries to reach 200 people; but the same 40 people on each of 30 days got 1,200 messages.
    ("che", "EMAIL", "digest", "ra", None, [campaign("che", 0, 201, "ra", recipients=200)], None),
    ("che", "EMAIL", "digest", "rb", None, [campaign("che", 0, 999, "rb", recipients=0)], None),
    ("usa", "EMAIL", "digest", "rc", None, [campaign("usa", n, 40, "rc") for n in range(30)], True),
    # An envelope says nothing of what was said: 201 notices of a bank, each of another account.
    ("che", "EMAIL", "behaviour", "q", None, [campaign("che", 0, 201, "q")], None),
    ("che", "VOICE_IP", "behaviour", "qc", None, [campaign("che", 0, 900, "qc", channel="VOICE_IP")], None),
    ("che", "EMAIL", None, None, None, [], None),
    # A fuzzy hash proves. Copies that came before it was learned have their digests.
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
    # What symbols or the operator told stays, whatever was counted: rules tell only that it was.
    ("che", "EMAIL", "digest", "ta", True, [campaign("che", 0, 9, "ta")], True),
    ("che", "EMAIL", None, None, True, [], True),
    ("che", "EMAIL", "digest", "tb", False, [campaign("che", 0, 201, "tb")], False),
    # Another operator's, another channel's copies are not these.
    ("che", "EMAIL", "digest", "u", None, [campaign("usa", 0, 999, "u")], None),
    ("che", "EMAIL", "digest", "v", None, [campaign("che", 0, 999, "v", channel="SMS")], None),
]


def presets(spark: SparkSession) -> list[bulk.Preset]:
    countries = spark.createDataFrame(
        [("che", "CHE"), ("usa", "USA"), ("sgp", "SGP")], "operator_id string, country_code string"
    )
    return bulk.presets(Lake(spark, "").reference("ref.bulk_preset"), countries)


def filled(
    spark: SparkSession, message: DataFrame, campaign: DataFrame, before: DataFrame | None = None
) -> DataFrame:
    """The messages of the day with is_bulk; before: those of days before."""
    seen = message if before is None else message.unionByName(before)
    parameter = Lake(spark, "").reference("ref.campaign_parameter")
    return bulk.filled(message, seen, campaign, parameter, presets(spark), f"period_date = DATE '{DAY}'")


def test_bulk_is_proved_disproved_or_left_open(spark: SparkSession) -> None:
    rows = [
        (operator, DAY, channel, kind, name, None, None, known)
        for operator, channel, kind, name, known, _, _ in CASES
    ]
    listed = [each for case in CASES for each in case[5]]
    message = spark.createDataFrame(rows, MESSAGE).withColumn("case", F.monotonically_increasing_id())
    made = filled(spark, message, campaigns_of(spark, listed))
    assert made.columns == message.columns
    columns = ("operator_id", "channel_code", "signature_kind_code", "signature_hash", "is_bulk")
    found = [tuple(row) for row in made.select(*columns).collect()]
    wanted = [(operator, channel, kind, name, told) for operator, channel, kind, name, _, _, told in CASES]
    assert sorted(map(str, found)) == sorted(map(str, wanted))


# --- texts, of which alone it can be told that they were not bulk ------------------------------------------


def texts(spark: SparkSession, rows: list[tuple[str, int, str, int]]) -> DataFrame:
    """SMS: operator, days ago, text and copies."""
    sent = pl.DataFrame(rows, schema=["operator_id", "ago", "text", "copies"], orient="row")
    empty = pl.lit(None, pl.String)
    frame = sent.with_columns(
        *(empty.alias(name) for name in ("sender", "client_network", "subject")),
        channel_code=pl.lit("SMS"),
        message_bytes=pl.lit(None, pl.Int64),
        segment_count=pl.lit(1, pl.Int32),
    )
    signed = frame.with_columns(signatures.of_transmissions(frame, b"a key of the tests' own, not real"))
    dated = signed.with_columns(
        period_date=pl.lit(DAY) - pl.duration(days=pl.col("ago")), is_bulk=pl.lit(None, pl.Boolean)
    )
    columns = [each.split(" ")[0] for each in MESSAGE.split(", ")]
    one = spark.createDataFrame(dated.select(*columns, "copies", "text").to_arrow())
    return one.withColumn("copy", F.explode(F.sequence(F.lit(1), "copies"))).drop("copy", "copies")


def told(spark: SparkSession, rows: list[tuple[str, int, str, int]]) -> dict[str, dict[str, bool | None]]:
    """is_bulk of the texts of the day, by operator and text, where nothing was sent often enough."""
    message = texts(spark, rows)
    today = F.col("period_date") == F.lit(DAY)
    nothing = campaigns_of(spark, [campaign("none", 0, 1, "none")])
    made = filled(spark, message.filter(today), nothing, message.filter(~today))
    found: dict[str, dict[str, bool | None]] = {}
    for row in made.select("operator_id", "text", "is_bulk").distinct().collect():
        found.setdefault(row.operator_id, {})[row.text] = row.is_bulk
    return found


LETTER = "I missed the train, so start without me and keep some soup"
OFFER = "Dear {}, your exclusive offer is waiting: visit our new shop today and save"
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
NAMES = [one + other for one in SYLLABLES for other in SYLLABLES[::3]][:300]


def test_a_text_is_bulk_perhaps_where_enough_are_like_it_or_may_be(spark: SparkSession) -> None:
    """In Switzerland more than 200 a day are bulk, in Singapore also more than 1,000 in 30 days."""
    word = ["station", "garden", "kitchen", "office", "library"]
    asked = "Will you be at the {} when it opens this morning, {}?"
    letters = [asked.format(place, name) for place, name in zip(word, NAMES)]  # noqa: B905
    month = range(30)
    swiss = [
        ("che", 0, LETTER, 1),
        *(("che", 0, letter, 1) for letter in letters),
        *(("che", 0, OFFER.format(name), 1) for name in NAMES),
        ("che", 0, "Our gates are open again on all days of the week and no ticket is needed", 200),
        ("che", 0, "The concert of tonight is moved to the old town hall", 201),
        # 24 hours from the evening before.
        ("che", 1, "Half price on every pair of boots until midnight", 101),
        ("che", 0, "Half price on every pair of boots until midnight", 100),
    ]
    rows = [
        *swiss,
        # A month on record, and 40 copies a day, each day to another name.
        *(("sgp", day, f"Bring {name} along to the harbour", 1) for day, name in zip(month, NAMES)),  # noqa: B905
        *(("sgp", day, OFFER.format(name), 40) for day, name in zip(month, NAMES)),  # noqa: B905
        ("sgp", 0, LETTER, 1),
    ]
    found = told(spark, rows)
    offers = [is_bulk for text, is_bulk in found["che"].items() if "exclusive" in text]
    assert (len(offers), offers.count(True)) == (300, 0)
    # What the buckets hide of texts that share so much.
    assert offers.count(False) <= 3
    others = {text: is_bulk for text, is_bulk in found["che"].items() if "exclusive" not in text}
    assert others == {
        LETTER: False,
        **dict.fromkeys(letters, False),
        "Our gates are open again on all days of the week and no ticket is needed": False,
        "The concert of tonight is moved to the old town hall": None,
        "Half price on every pair of boots until midnight": None,
    }
    assert found["sgp"][OFFER.format(NAMES[0])] is None
    assert found["sgp"][LETTER] is False


def drawn(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.ascii_lowercase, k=count))


# What a short text is made of, for whom many are sent, and how many.
EVASIONS: dict[str, tuple[Callable[[random.Random, str], str], int]] = {
    "a host each": (lambda rng, _: f"Parcel held: http://{drawn(rng, 8)}.top/pay", 1_000),
    "a bare host each": (lambda rng, _: f"USPS: your package is waiting {drawn(rng, 9)}.com/x", 1_000),
    "a host without a path": (lambda rng, _: f"Your account is closed today, see {drawn(rng, 9)}.com", 300),
    "few of a host each": (
        lambda rng, _: f"Your parcel is held, pay the fee: http://{drawn(rng, 10)}.top/x",
        300,
    ),
    "a name twice": (lambda _, name: f"Hey {name}, call me now {name}", 300),
    "a name and a host": (
        lambda rng, name: f"Hi {name}, parcel held: http://{drawn(rng, 8)}.top/pay",
        300,
    ),
}


@pytest.mark.parametrize("evasion", EVASIONS)
def test_short_texts_to_another_name_or_by_another_host_are_not_disproved(
    spark: SparkSession, evasion: str
) -> None:
    write, count = EVASIONS[evasion]
    rng = random.Random(evasion)
    sent = {write(rng, NAMES[number % len(NAMES)]) for number in range(count)}
    found = told(spark, [("che", 0, text, 1) for text in sorted(sent)])["che"]
    assert len(found) == count
    # What the buckets hide of texts that share little.
    assert list(found.values()).count(False) <= 0.03 * count


def test_a_short_text_is_not_bulk_where_none_is_like_it(spark: SparkSession) -> None:
    rows = [
        ("che", 0, "Running late, ten minutes", 1),
        ("che", 0, "Running late, ten minutes more", 1),
        ("che", 0, "The soup is on the stove", 3),
        ("che", 0, "Our garden party was so lovely http://photos.example/ann", 1),
        # Too few letters to be told apart by, without the link and with it.
        ("che", 0, "Look here: http://photos.example/bob", 1),
        ("che", 0, "On my way", 1),
    ]
    assert told(spark, rows)["che"] == {
        "Running late, ten minutes": None,
        "Running late, ten minutes more": None,
        "The soup is on the stove": False,
        "Our garden party was so lovely http://photos.example/ann": False,
        "Look here: http://photos.example/bob": None,
        "On my way": None,
    }


@pytest.mark.long
def test_a_text_with_another_host_for_each_recipient_is_one_campaign(spark: SparkSession) -> None:
    write, _ = EVASIONS["a bare host each"]
    rng = random.Random(4)
    message = texts(spark, [("che", 0, write(rng, ""), 1) for _ in range(300)])
    (thresholds,) = Thresholds.of(Lake(spark, "").reference("ref.campaign_parameter").collect())
    joined = united(message.select(*WHOSE, "signature_hash", "signature_sketch"), thresholds)
    assert joined.select("signature_hash").distinct().count() == 300
    assert joined.select("campaign_hash").distinct().count() == 1


def test_a_day_that_is_not_on_record_may_have_held_anything(spark: SparkSession) -> None:
    """A preset of 30 days is open until all of them are there; one of a day is not."""
    rows = [(operator, day, LETTER, 1) for operator in ("che", "sgp") for day in range(30) if day != 7]
    assert told(spark, rows) == {"che": {LETTER: False}, "sgp": {LETTER: None}}
    whole = [*rows, ("sgp", 7, LETTER, 1)]
    assert told(spark, whole) == {"che": {LETTER: False}, "sgp": {LETTER: False}}


def test_as_many_days_of_texts_are_read_as_presets_of_texts_look_at(spark: SparkSession) -> None:
    """The American month is of mail, whose logs hold no texts."""
    assert bulk.days_of_texts(presets(spark), ["che", "usa", "sgp"]) == {"che": 2, "usa": 2, "sgp": 30}


def test_a_longer_window_than_gold_looks_back_is_refused(spark: SparkSession) -> None:
    lake = Lake(spark, "")
    rows = lake.reference("ref.bulk_preset")
    year = rows.filter("preset_code = 'CRYNWR_DAY'").withColumns(
        {"preset_code": F.lit("A_YEAR"), "window_days": F.lit(365)}
    )
    empty = spark.createDataFrame([], "operator_id string, country_code string")
    with pytest.raises(ObservatoryError, match="bulk_preset.csv, row A_YEAR: a window of 365 days is longer"):
        bulk.presets(rows.unionByName(year), empty)


@pytest.mark.parametrize(("people", "wanted"), [(9, None), (201, True)])
def test_messages_are_counted_by_recipients_that_differ(
    spark: SparkSession, people: int, wanted: bool | None
) -> None:
    """67 messages to three recipients each are 201 copies; laws count messages, not tries to reach the same
    nine."""
    lake = Lake(spark, "")
    of_all = {
        "operator_id": "che",
        "period_date": DAY,
        "channel_code": "SMS",
        "grain_code": "recipient",
        "signature_kind_code": "text",
        "signature_hash": "a",
        "signature_sketch": list(range(32)),
        "is_text_short": False,
        "spam_type_code": "UNK",
        "spam_type_codes": [],
        "first_at": dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC),
        "last_at": dt.datetime(2026, 11, 24, 10, tzinfo=dt.UTC),
    }
    rows = [
        of_all | {"message_hash": f"m{number}", "recipient_hash": f"r{(3 * number + place) % people}"}
        for number in range(67)
        for place in range(3)
    ]
    message = lake.local(rows, "silver.message")
    campaign = campaign_daily.transform(message, lake.reference("ref.campaign_parameter"))
    (row,) = campaign.select("copy_count", "distinct_recipient_count").collect()
    assert tuple(row) == (201, people)
    made = filled(spark, message, campaign)
    assert {each.is_bulk for each in made.select("is_bulk").collect()} == {wanted}


# --- days that are due again ---------------------------------------------------------------------------


def test_a_day_looks_at_itself_and_the_29_before() -> None:
    seen = campaigns.looked_at("2026-03-01")
    assert (seen[0], seen[-1], len(set(seen))) == ("2026-01-31", "2026-03-01", 30)


def test_a_changed_day_changes_the_inputs_of_the_days_that_look_at_it() -> None:
    days = [(dt.date(2026, 1, 1) + dt.timedelta(days=n)).isoformat() for n in range(60)]
    inputs = {("a", day): "same" for day in days} | {("b", day): "same" for day in days}
    back = {"a": 2, "b": 30}

    def changed(campaign: dict[Any, str], message: dict[Any, str]) -> set[tuple[str, str]]:
        before = campaigns.with_history(inputs, {("a", days[10]): "5:x"}, {("a", days[10]): "9:x"}, back)
        after = campaigns.with_history(
            inputs, {("a", days[10]): "5:x"} | campaign, {("a", days[10]): "9:x"} | message, back
        )
        return {key for key in inputs if before[key] != after[key]}

    assert changed({("a", days[10]): "6:y"}, {}) == {("a", day) for day in days[10:40]}
    # Messages without campaigns, and a day that comes late, change what was said of texts alone.
    assert changed({}, {("a", days[10]): "9:y"}) == {("a", day) for day in days[10:12]}
    assert changed({}, {("b", days[20]): "1:z"}) == {("b", day) for day in days[20:50]}


def test_texts_are_read_of_the_days_that_are_looked_at() -> None:
    stale = {"a": {"2026-03-01", "2026-03-05"}, "b": {"2026-03-01"}}
    read = campaigns.with_texts(stale, {"a": 2, "b": 30})
    assert read["a"] == {"2026-02-28", "2026-03-01", "2026-03-04", "2026-03-05"}
    assert (min(read["b"]), max(read["b"]), len(read["b"])) == ("2026-01-31", "2026-03-01", 30)


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
            f" [FID:] [META:?smpp?] [from:+12025550100] [to:+65{day:04}{number:04}] [flags:-1:0:-1:0:-1]"
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
    # 970 are on record, and nothing of nineteen days.
    assert counted(last) == (95, 0, 95)
    assert counted(FIRST) == (20, 0, 20)
    (tmp_path / "access2.log").write_text(copies(0, 75, start=20), encoding="utf-8")
    again = run_again(spark, settings)
    assert counted(last) == (95, 95, 95)
    assert counted(FIRST) == (95, 0, 95)
    # The day before has 950: still open.
    assert counted(last - dt.timedelta(days=1)) == (95, 0, 95)
    assert again.changed[campaigns.TABLE] == {"lion": {FIRST.isoformat()}}
    assert last.isoformat() in again.changed["gold.spam_volume_daily"]["lion"]
    assert not any(run_again(spark, settings).changed.values())

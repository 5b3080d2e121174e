"""Bulk: presets over the day and the 29 before, and the days that a late line makes due again."""

import datetime as dt
import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.base.store.lake import Lake
from jobs.base.tables import sketch
from jobs.base.tables.checksum import Fingerprint
from jobs.base.tables.contracts import conform_frame, polars_schema, reference_table, rows_frame
from jobs.base.tables.merge import merge_rows
from jobs.operators.build import bulk_days
from jobs.operators.gold import bulk_daily
from jobs.operators.gold.shared import bulk, bulk_presets
from jobs.operators.gold.shared.similarity import (
    CHANNEL_DAY,
    SIGNED,
    Thresholds,
    count_neighbours,
    unite_signatures,
)
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.protect import signatures
from jobs.operators.runs.runner import run_stages
from tests.support.examples import examples
from tests.support.gold_tables import count_table
from tests.support.study import pull_again, run_again

DAY = dt.date(2026, 11, 24)
MESSAGE = {
    name: polars_schema("silver.message")[name]
    for name in (
        *("operator_id", "period_date", "channel_code", "signature_kind_code"),
        *("signature_hash", "signature_sketch", "is_text_short", "is_bulk", "key_id"),
    )
}
CAMPAIGN: dict[str, Any] = {
    "operator_id": pl.String,
    "period_date": pl.Date,
    "channel_code": pl.String,
    "campaign_hash": pl.String,
    "copy_count": pl.Int64,
    "distinct_recipient_count": pl.Int64,
    "signature_hashes": pl.List(pl.String),
    "senders": pl.List(pl.String),
}


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


def campaigns_of(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """Rows of gold.campaign_daily, of the kind that the messages of the same signature are of."""
    kinds = pl.DataFrame(
        sorted({(case[3], case[2]) for case in CASES if case[3]}),
        schema={"campaign_hash": pl.String, "signature_kind_code": pl.String},
        orient="row",
    )
    named = pl.DataFrame(rows, schema=CAMPAIGN, orient="row").join(kinds, on="campaign_hash", how="left")
    hashes = [sketch.hash_texts(senders).sort().to_list() for senders in named["senders"]]
    return named.with_columns(
        pl.col("signature_kind_code").fill_null("text"),
        sender_sketch=pl.Series(hashes, dtype=sketch.LIST),
    ).with_columns(sketch.pack_hashes(pl.col("sender_sketch")))


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


def presets() -> list[bulk_presets.Preset]:
    countries = [("che", "CHE"), ("usa", "USA"), ("sgp", "SGP")]
    operator = pl.DataFrame(countries, schema=["operator_id", "country_code"], orient="row")
    return bulk_presets.presets_by_operator(reference_table("ref.bulk_preset"), operator)


def filled(
    message: pl.DataFrame, campaign: pl.DataFrame, before: pl.DataFrame | None = None, parts: int = 1
) -> pl.DataFrame:
    """The messages of the day with is_bulk.

    Args:
        before: those of days before.
        parts: how many the messages are cut into.
    """
    seen = message if before is None else pl.concat([message, before])
    of_parts = pl.concat(bulk.count_texts(seen[part::parts]) for part in range(parts))
    text = merge_rows(of_parts, bulk.TEXT_KEY, bulk.TEXT_RULES)
    days = message.select("operator_id", "period_date").unique()
    proof = bulk.collect_evidence(text, campaign, reference_table("ref.campaign_parameter"), presets(), days)
    made = pl.concat(bulk.fill_bulk(message[part::parts], proof) for part in range(parts))
    bases = bulk_daily.partial(message, proof)
    for value in (True, False, None):
        of_value = bases.filter(pl.col("is_bulk").eq_missing(value))
        assert of_value["message_row_count"].sum() == made["is_bulk"].eq_missing(value).sum(), value
    return made


def test_bulk_is_proved_disproved_or_left_open() -> None:
    rows = [
        (operator, DAY, channel, kind, name, None, None, known, "a")
        for operator, channel, kind, name, known, _, _ in CASES
    ]
    listed = [each for case in CASES for each in case[5]]
    message = pl.DataFrame(rows, schema=MESSAGE, orient="row").with_row_index("case")
    made = filled(message, campaigns_of(listed))
    assert made.columns == message.columns
    assert made["case"].to_list() == message["case"].to_list()
    wanted = dict(enumerate(CASES))
    found = dict(made.select("case", "is_bulk").iter_rows())
    assert [wanted[place] for place, told in found.items() if told != wanted[place][6]] == []


# --- texts, of which alone it can be told that they were not bulk ------------------------------------------


def texts(rows: list[tuple[str, int, str, int]], since: int = 999) -> pl.DataFrame:
    """SMS: operator, days ago, text and copies.

    Args:
        since: how many days ago the key changed.
    """
    sent = pl.DataFrame(rows, schema=["operator_id", "ago", "text", "copies"], orient="row")
    empty = pl.lit(None, pl.String)
    frame = sent.with_columns(
        *(empty.alias(name) for name in ("sender", "client_network", "subject")),
        channel_code=pl.lit("SMS"),
        message_bytes=pl.lit(None, pl.Int64),
        segment_count=pl.lit(1, pl.Int32),
    )
    signed = frame.with_columns(signatures.sign_transmissions(frame, b"a key of the tests' own, not real"))
    dated = signed.with_columns(
        period_date=pl.lit(DAY) - pl.duration(days=pl.col("ago")),
        is_bulk=pl.lit(None, pl.Boolean),
        key_id=pl.when(pl.col("ago") <= since).then(pl.lit("b")).otherwise(pl.lit("a")),
    ).with_columns(pl.col("signature_hash") + pl.col("key_id"))
    copied = dated.select(pl.all().repeat_by("copies").explode())
    return copied.select(list(MESSAGE)).cast(pl.Schema(MESSAGE)).with_columns(copied["text"])


def told(
    rows: list[tuple[str, int, str, int]], parts: int = 1, since: int = 999
) -> dict[str, dict[str, bool | None]]:
    """is_bulk of the texts of the day, by operator and text, where nothing was sent often enough."""
    message = texts(rows, since)
    today = pl.col("period_date") == DAY
    nothing = campaigns_of([campaign("none", 0, 1, "none")])
    made = filled(message.filter(today), nothing, message.filter(~today), parts)
    found: dict[str, dict[str, bool | None]] = {}
    for operator, text, is_bulk in made.select("operator_id", "text", "is_bulk").unique().iter_rows():
        found.setdefault(operator, {})[text] = is_bulk
    return found


LETTER = "I missed the train, so start without me and keep some soup"
OFFER = "Dear {}, your exclusive offer is waiting: visit our new shop today and save"
SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
NAMES = [one + other for one in SYLLABLES for other in SYLLABLES[::3]][:300]


def test_a_text_is_bulk_perhaps_where_enough_are_like_it_or_may_be() -> None:
    """Switzerland takes more than 200 a day for bulk, Singapore also more than 1,000 in 30 days."""
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
    found = told(rows)
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
def test_short_texts_to_another_name_or_by_another_host_are_not_disproved(evasion: str) -> None:
    write, count = EVASIONS[evasion]
    rng = random.Random(evasion)
    sent = {write(rng, NAMES[number % len(NAMES)]) for number in range(count)}
    found = told([("che", 0, text, 1) for text in sorted(sent)])["che"]
    assert len(found) == count
    # What the buckets hide of texts that share little.
    assert list(found.values()).count(False) <= 0.03 * count


def test_a_short_text_is_not_bulk_where_none_is_like_it() -> None:
    rows = [
        ("che", 0, "Running late, ten minutes", 1),
        ("che", 0, "Running late, ten minutes more", 1),
        ("che", 0, "The soup is on the stove", 3),
        ("che", 0, "Our garden party was so lovely http://photos.example/ann", 1),
        # Too few letters to be told apart by, without the link and with it.
        ("che", 0, "Look here: http://photos.example/bob", 1),
        ("che", 0, "On my way", 1),
    ]
    assert told(rows)["che"] == {
        "Running late, ten minutes": None,
        "Running late, ten minutes more": None,
        "The soup is on the stove": False,
        "Our garden party was so lovely http://photos.example/ann": False,
        "Look here: http://photos.example/bob": None,
        "On my way": None,
    }


@pytest.mark.long
def test_a_text_with_another_host_for_each_recipient_is_one_campaign() -> None:
    write, _ = EVASIONS["a bare host each"]
    rng = random.Random(4)
    message = texts([("che", 0, write(rng, ""), 1) for _ in range(300)])
    (thresholds,) = Thresholds.list_thresholds(reference_table("ref.campaign_parameter"))
    joined = unite_signatures(message.select(*CHANNEL_DAY, "signature_hash", "signature_sketch"), thresholds)
    assert joined["signature_hash"].n_unique() == 300
    assert joined["campaign_hash"].n_unique() == 1


def test_a_day_that_is_not_on_record_may_have_held_anything() -> None:
    """A preset of 30 days is open until all of them are there; one of a day is not."""
    rows = [(operator, day, LETTER, 1) for operator in ("che", "sgp") for day in range(30) if day != 7]
    assert told(rows) == {"che": {LETTER: False}, "sgp": {LETTER: None}}
    whole = [*rows, ("sgp", 7, LETTER, 1)]
    assert told(whole) == {"che": {LETTER: False}, "sgp": {LETTER: False}}


@pytest.mark.parametrize("since", range(32))
def test_days_under_another_key_may_have_held_anything(since: int) -> None:
    """No text of theirs is known again. A preset of one day looks at the day before, too."""
    rows = [(operator, day, LETTER, 1) for operator in ("che", "sgp") for day in range(30)]
    wanted = {"che": {LETTER: None if since == 0 else False}, "sgp": {LETTER: None if since < 29 else False}}
    assert told(rows, since=since) == wanted


def test_as_many_days_of_texts_are_read_as_presets_of_texts_look_at() -> None:
    """The American month is of mail, whose logs hold no texts."""
    assert bulk_presets.days_of_texts(presets(), ["che", "usa", "sgp"]) == {"che": 2, "usa": 2, "sgp": 30}


def test_a_longer_window_than_gold_looks_back_is_refused() -> None:
    rows = reference_table("ref.bulk_preset")
    year = rows.filter(preset_code="CRYNWR_DAY").with_columns(
        preset_code=pl.lit("A_YEAR"), window_days=pl.lit(365, rows.schema["window_days"])
    )
    empty = pl.DataFrame(schema={"operator_id": pl.String, "country_code": pl.String})
    with pytest.raises(ObservatoryError, match="bulk_preset.csv, row A_YEAR: a window of 365 days is longer"):
        bulk_presets.presets_by_operator(pl.concat([rows, year]), empty)


@pytest.mark.parametrize(("people", "wanted"), [(9, None), (201, True)])
def test_messages_are_counted_by_recipients_that_differ(people: int, wanted: bool | None) -> None:
    """67 messages to three recipients each are 201 copies; laws count messages, not tries to reach the same
    nine."""
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
    message = rows_frame(rows, "silver.message")
    campaign = count_table("gold.campaign_daily", message, reference_table("ref.campaign_parameter"))
    assert campaign.select("copy_count", "distinct_recipient_count").rows() == [(201, people)]
    made = filled(message, conform_frame(campaign, bulk_days.TABLE))
    assert set(made["is_bulk"]) == {wanted}


# --- parts -----------------------------------------------------------------------------------------------

# What little traffic reaches: 4 in a day anywhere, and 7 in three days in Singapore.
FEW = [
    bulk_presets.Preset("FOUR", 4, 1, None, None, dt.date(1990, 1, 1), None),
    bulk_presets.Preset("SEVEN", 7, 3, ("sgp",), ("SMS", "EMAIL"), dt.date(1990, 1, 1), None),
]


def drawn_messages() -> st.SearchStrategy[pl.DataFrame]:
    sketches = [None, list(range(32)), [*range(24), *range(80, 88)], [*range(4), *range(100, 128)]]
    row = st.tuples(
        st.sampled_from(["che", "sgp"]),
        st.integers(0, 4),
        st.sampled_from(["SMS", "EMAIL"]),
        st.sampled_from(["text0", "text1", "text1", "text2", "text3", "digest9", "subject9", None]),
        st.sampled_from(["_U", "r1", "r2", "r3", "r4", "r5"]),
        st.sampled_from([None, "s1", "s2"]),
        st.sampled_from([None, None, None, True, False]),
    )

    def message_of(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        at = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
        made = []
        for operator, days, channel, name, recipient, sender, is_bulk in rows:
            kind = None if name is None else name[:-1]
            sketched = None if kind != "text" else sketches[int(name[-1])]
            made.append(
                {
                    "operator_id": operator,
                    "period_date": ago(days),
                    "channel_code": channel,
                    "signature_kind_code": kind,
                    "signature_hash": name,
                    "signature_sketch": sketched,
                    "is_text_short": None if sketched is None else name == "text3",
                    "recipient_hash": recipient,
                    "sender_hash": sender,
                    "is_bulk": is_bulk,
                    "spam_type_code": "UNK",
                    "spam_type_codes": [],
                    "first_at": at,
                    "last_at": at,
                }
            )
        return rows_frame(made, "silver.message").with_columns(offset=pl.int_range(len(made)))

    return st.lists(row, min_size=1, max_size=60).map(message_of)


@given(message=drawn_messages(), data=st.data())
@examples(60)
def test_cutting_the_messages_anywhere_gives_the_same_bulk(
    message: pl.DataFrame, data: st.DataObject
) -> None:
    parts = data.draw(st.lists(st.integers(0, 3), min_size=message.height, max_size=message.height))
    parameter = reference_table("ref.campaign_parameter").with_columns(
        parameter_value=pl.when(pl.col("parameter_code").str.starts_with("least_copies"))
        .then(2.0)
        .otherwise("parameter_value")
    )
    campaign = count_table("gold.campaign_daily", message, parameter)
    days = message.filter(pl.col("period_date") > ago(2)).select("operator_id", "period_date").unique()

    def bulk_of(frames: list[pl.DataFrame], days: pl.DataFrame) -> dict[int, bool | None]:
        text = merge_rows(pl.concat(map(bulk.count_texts, frames)), bulk.TEXT_KEY, bulk.TEXT_RULES)
        proof = bulk.collect_evidence(text, campaign, parameter, FEW, days)
        asked = [frame.join(days, on=days.columns, how="semi") for frame in frames]
        made = pl.concat(bulk.fill_bulk(frame, proof) for frame in asked)
        return dict(made.select("offset", "is_bulk").iter_rows())

    whole = bulk_of([message], days)
    cut = [message.filter(pl.Series(parts) == part) for part in sorted(set(parts))]
    assert bulk_of(cut, days) == whole
    # Day by day, as each day comes, it is the same.
    assert {
        place: told
        for (day,) in days.select(pl.struct(pl.all())).iter_rows()
        for place, told in bulk_of([message], pl.DataFrame([day], schema=days.schema)).items()
    } == whole
    # The operator's word stays; other words are proved, disproved or open by the copies to other recipients.
    for row in message.join(days, on=days.columns, how="semi").iter_rows(named=True):
        if row["is_bulk"] is not None:
            assert whole[row["offset"]] is row["is_bulk"]
        elif whole[row["offset"]] is not None:
            copies = message.filter(
                (pl.col("operator_id") == row["operator_id"])
                & (pl.col("channel_code") == row["channel_code"])
                & (pl.col("signature_kind_code") == row["signature_kind_code"])
                & (pl.col("period_date") <= row["period_date"])
            )
            if whole[row["offset"]]:
                assert copies.height >= 4
            else:
                same = pl.col("signature_hash") == row["signature_hash"]
                today = copies.filter(pl.col("period_date") == row["period_date"])
                assert today.filter(same).height < 4


@given(message=drawn_messages())
def test_company_is_counted_as_it_says(message: pl.DataFrame) -> None:
    """Against counting one by one: own copies, and those of others in each bucket, in so many days."""
    text = bulk.count_texts(message).filter(pl.col("signature_hash").is_not_null())
    (thresholds,) = Thresholds.list_thresholds(reference_table("ref.campaign_parameter"))
    made = count_neighbours(text, thresholds, [2, 4])
    rows = text.to_dicts()

    def in_window(one: dict[str, Any], other: dict[str, Any], days: int) -> bool:
        is_same = all(one[name] == other[name] for name in ("operator_id", "channel_code"))
        return is_same and 0 <= (one["period_date"] - other["period_date"]).days < days

    def bands(row: dict[str, Any]) -> list[list[int]]:
        return [row["signature_sketch"][4 * band : 4 * band + 4] for band in range(8)]

    for row in made.iter_rows(named=True):
        [mine] = [each for each in rows if all(each[name] == row[name] for name in SIGNED)]
        for days in (2, 4):
            near = [each for each in rows if in_window(mine, each, days)]
            own = [each for each in near if each["signature_hash"] == mine["signature_hash"]]
            shared = [
                each["copies"] * sum(a == b for a, b in zip(bands(mine), bands(each), strict=True))
                for each in near
                if each not in own
            ]
            assert row[f"own_{days}"] == sum(each["copies"] for each in own)
            assert row[f"near_{days}"] == sum(shared)
    assert made.height == text.height


# --- days that are due again ---------------------------------------------------------------------------


def test_a_day_looks_at_itself_and_the_29_before() -> None:
    seen = bulk_days.window_to("2026-03-01")
    assert (seen[0], seen[-1], len(set(seen))) == ("2026-01-31", "2026-03-01", 30)


def test_a_changed_day_changes_the_inputs_of_the_days_that_look_at_it() -> None:
    days = [(dt.date(2026, 1, 1) + dt.timedelta(days=n)).isoformat() for n in range(60)]
    inputs = {("a", day): "same" for day in days} | {("b", day): "same" for day in days}
    back = {"a": 2, "b": 30}

    def changed(campaign: dict[Any, str], message: dict[Any, str]) -> set[tuple[str, str]]:
        before = bulk_days.hash_inputs(inputs, {("a", days[10]): "5:x"}, {("a", days[10]): "9:x"}, back)
        after = bulk_days.hash_inputs(
            inputs, {("a", days[10]): "5:x"} | campaign, {("a", days[10]): "9:x"} | message, back
        )
        return {key for key in inputs if before[key] != after[key]}

    assert changed({("a", days[10]): "6:y"}, {}) == {("a", day) for day in days[10:40]}
    # Messages without campaigns, and a day that comes late, change what was said of texts alone.
    assert changed({}, {("a", days[10]): "9:y"}) == {("a", day) for day in days[10:12]}
    assert changed({}, {("b", days[20]): "1:z"}) == {("b", day) for day in days[20:50]}


def test_texts_are_read_of_the_days_that_are_looked_at() -> None:
    stale = {"a": {"2026-03-01", "2026-03-05"}, "b": {"2026-03-01"}}
    read = bulk_days.add_earlier_days(stale, {"a": 2, "b": 30})
    assert read["a"] == {"2026-02-28", "2026-03-01", "2026-03-04", "2026-03-05"}
    assert (min(read["b"]), max(read["b"]), len(read["b"])) == ("2026-01-31", "2026-03-01", 30)


def test_a_day_without_campaigns_is_as_one_that_was_never_computed() -> None:
    known = {
        (bulk_days.TABLE, "a", "2026-01-01"): ("0:", "x"),
        (bulk_days.TABLE, "a", "2026-01-02"): ("5:0a", "x"),
        (bulk_days.TABLE, "a", "2026-01-03"): ("5:0b", "x"),
        ("gold.spam_volume_daily", "a", "2026-01-04"): ("5:0c", "x"),
    }
    told = bulk_days.campaign_checksums(
        known, {"a": {"2026-01-03"}}, {("a", "2026-01-05"): Fingerprint(7, "0d")}
    )
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """95 copies on each of ten days, and on the first 20, later 75 more: 1,045 in 30 days. More than 1,000
    are bulk in Singapore, or more than 100 in a day."""
    (tmp_path / "access1.log").write_text(
        copies(0, 20) + "".join(copies(day, 95) for day in range(11, 21)), encoding="utf-8"
    )
    (tmp_path / "observatory.toml").write_text(SETTINGS, encoding="utf-8")

    def with_a_definition_of_bulk(table: str) -> pl.DataFrame:
        frame = reference_table(table)
        if table != "ref.definition":
            return frame
        # OPERATOR stays: the coverage of types is held to it.
        ours = {"predicate": "is_bulk = TRUE", "channels": "SMS"}
        is_ours = pl.col("definition_code") == "SPAMHAUS_UBE"
        changed = [
            pl.when(is_ours).then(pl.lit(text)).otherwise(name).alias(name) for name, text in ours.items()
        ]
        return frame.filter(is_ours | (pl.col("definition_code") == "OPERATOR")).with_columns(changed)

    # Logs of so few bytes are counted in this process.
    monkeypatch.setattr("jobs.operators.build.gold_tasks.reference_table", with_a_definition_of_bulk)
    observatory = load_with_options(tmp_path / "observatory.toml")
    last = FIRST + dt.timedelta(days=20)

    def counted(day: dt.date) -> tuple[int, int, int]:
        volume = Lake(observatory.lake.root).read("gold.spam_volume_daily")
        row = volume.row(
            by_predicate=(pl.col("period_date") == day)
            & (pl.col("definition_code") == "SPAMHAUS_UBE")
            & (pl.col("unit_code") == "recipient"),
            named=True,
        )
        return row["units"], row["spam_certain"], row["spam_possible"]

    run_again(observatory)
    # 970 are on record, and nothing of nineteen days.
    assert counted(last) == (95, 0, 95)
    assert counted(FIRST) == (20, 0, 20)
    (tmp_path / "access2.log").write_text(copies(0, 75, start=20), encoding="utf-8")
    again = run_stages(pull_again(observatory))
    assert counted(last) == (95, 95, 95)
    assert counted(FIRST) == (95, 0, 95)
    # The day before has 950: still open.
    assert counted(last - dt.timedelta(days=1)) == (95, 0, 95)
    assert again.changed[bulk_days.TABLE] == {"lion": {FIRST.isoformat()}}
    assert last.isoformat() in again.changed["gold.spam_volume_daily"]["lion"]
    # Why is on record: the month's copies, of which Singapore's law allows 1,000.
    bases = Lake(observatory.lake.root).read("gold.bulk_daily").filter(pl.col("period_date") == last)
    (basis,) = bases.select("basis_code", "preset_code", "bulk_copy_count", "message_row_count").rows()
    assert basis == ("copies", "SG_SCA_MONTH", 1_045, 95)
    assert not any(run_stages(pull_again(observatory)).changed.values())

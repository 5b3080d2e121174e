"""Reports of spam to 7726 in Kannel's log: those of a real server, and dialogues of text and sender."""

import datetime as dt
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.operators.formats import COMPLAINT, LINES, Source, kannel
from tests.support.examples import examples

LOG = Path(__file__).parents[3] / "sample_data" / "lab" / "kannel" / "bearerbox-access.log"
SOURCE = Source("lab", "box1", "a", dt.datetime(2026, 11, 26, tzinfo=dt.UTC))
PLACE = {"operator_id": "lab", "source_id": "box1", "stream_id": "a"}


def bronze(lines: list[str]) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    parsed = kannel.parse(frame, SOURCE).with_columns(
        **{name: pl.lit(value) for name, value in PLACE.items()}
    )
    return kannel.assemble(parsed).collect()


def complaints(lines: list[str], **kwargs: Any) -> pl.DataFrame:
    return kannel.complaints(bronze(lines).lazy(), **kwargs).collect().sort("reported_at", "offset")


def told(lines: list[str], **kwargs: Any) -> list[tuple[str | None, str | None]]:
    """Sender and text of each complaint."""
    return complaints(lines, **kwargs).select("sender", "text").rows()


def sms(text: str, minute: int = 0, who: str = "35799000001", to: str = "7726", **fields: Any) -> str:
    at = dt.datetime(2026, 11, 24, 12) + dt.timedelta(minutes=minute)
    flags = {"coding": 0, "udh": "", "event": "Receive SMS"} | fields
    udh = flags["udh"]
    return (
        f"{at:%Y-%m-%d %H:%M:%S} {flags['event']} [SMSC:MNO] [SVC:] [ACT:] [BINF:] [FID:] [META:]"
        f" [from:+{who}] [to:{to}] [flags:-1:{flags['coding']}:-1:0:-1] [msg:{len(text.encode())}:{text}]"
        f" [udh:{len(udh) // 2}:{udh}]"
    )


def test_the_seven_reports_of_a_real_log() -> None:
    lines = LOG.read_text(encoding="utf-8").splitlines()
    rows = complaints(lines)
    assert rows.schema == pl.Schema(COMPLAINT)
    # Numbers that only begin with 7726 are no short code: four more messages go to such.
    assert rows.height == 7
    assert rows["reporter"].to_list() == [*(f"3579912300{n}" for n in range(6)), "35799555001"]
    assert rows["sender"].to_list() == [*(f"+3579600000{n}" for n in range(6)), None]
    assert rows["text"][0] == "You have WON a prize, claim at http://win.example.net/0"
    assert rows["text"][6] == "Κερδίσατε 1000€ στείλτε"
    assert rows["recipients"].to_list() == [[reporter] for reporter in rows["reporter"]]
    assert set(rows["feedback_type_code"]) == {"sms-7726"}
    assert set(rows["inbound_link"]) == {"SMPP-INTL"}
    assert set(rows["incident_count"]) == {1}


def test_a_text_and_its_sender_are_one_complaint() -> None:
    rows = complaints([sms("WIN 1000 EUR now"), sms("+357 99 777 888", 2)])
    assert rows.select("sender", "text").rows() == [("+35799777888", "WIN 1000 EUR now")]
    assert rows["offset"].to_list() == [0]
    assert rows["reported_at"].to_list() == [dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)]


@pytest.mark.parametrize(
    ("answer", "sender"),
    [
        ("+35799777888", "+35799777888"),
        ("0035799777888", "+35799777888"),
        ("99777888", "99777888"),
        ("(99) 777-888", "99777888"),
        ("From: +35799777888", "+35799777888"),
        ("sender 35799777888.", "35799777888"),
        ("It was from 35799777888", "35799777888"),
        ("1212", "1212"),
        ("MyBank", "MyBank"),
        ("e-shop", "e-shop"),
    ],
)
def test_answers_as_people_write_them(answer: str, sender: str) -> None:
    assert told([sms("WIN now"), sms(answer, 1)]) == [(sender, "WIN now")]


@pytest.mark.parametrize(
    "text",
    [
        "Call 35799777888 now",
        "You won 1000 EUR",
        "STOP to 1212",
        "Averylongsendername",
        "12",
        "+",
        "1 000 000 EUR",
    ],
)
def test_texts_that_are_no_answers(text: str) -> None:
    assert told([sms("WIN now"), sms(text, 1)]) == [(None, "WIN now"), (None, text)]


def test_a_name_is_an_answer_only_while_a_text_waits() -> None:
    assert told([sms("MyBank")]) == [(None, "MyBank")]
    assert told([sms("WIN"), sms("+35799777888", 1), sms("MyBank", 2)]) == [
        ("+35799777888", "WIN"),
        (None, "MyBank"),
    ]


def test_single_words_are_answers_and_texts_in_turn() -> None:
    words = [sms(word, minute) for minute, word in enumerate(["WIN now", "MyBank", "CLICK", "Shop", "STOP"])]
    assert told(words) == [("MyBank", "WIN now"), ("Shop", "CLICK"), (None, "STOP")]


@pytest.mark.parametrize(
    ("text", "sender", "rest"),
    [
        ("+35799777888 You won", "+35799777888", "You won"),
        ("0035799777888: You won", "+35799777888", "You won"),
        ("35799777888\tYou won\nnow", "35799777888", "You won\nnow"),
        ("From +35799777888: You won", "+35799777888", "You won"),
        # An amount is no number.
        ("1000000 EUR for you", None, "1000000 EUR for you"),
        ("7726 now", None, "7726 now"),
    ],
)
def test_a_number_before_the_text(text: str, sender: str | None, rest: str) -> None:
    assert told([sms(text)]) == [(sender, rest)]


def test_answers_pair_in_turn() -> None:
    lines = [sms("one", 0), sms("two three", 1), sms("11111", 2), sms("22222", 3)]
    assert told(lines) == [("11111", "one"), ("22222", "two three")]
    # A text with its own number asks for no answer; a number too many stands alone.
    lines = [
        sms("+35799777888 hi", 0),
        sms("33333", 1),
        sms("four five", 2),
        sms("44444", 3),
        sms("55555", 4),
    ]
    assert told(lines) == [
        ("+35799777888", "hi"),
        ("33333", None),
        ("44444", "four five"),
        ("55555", None),
    ]


def test_only_within_the_window_and_of_one_subscriber() -> None:
    assert told([sms("WIN now"), sms("12345", 60)]) == [("12345", "WIN now")]
    assert told([sms("WIN now"), sms("12345", 61)]) == [(None, "WIN now"), ("12345", None)]
    assert told([sms("WIN now"), sms("12345", 1, who="35799000002")]) == [(None, "WIN now"), ("12345", None)]
    five = dt.timedelta(minutes=5)
    assert told([sms("WIN now"), sms("12345", 6)], pair_within=five) == [(None, "WIN now"), ("12345", None)]


def test_only_what_was_received_at_the_short_code() -> None:
    lines = [
        sms("to another", to="77261"),
        sms("sent, not received", event="Sent SMS"),
        sms("refused", event="REJECTED - black-listed SMS"),
        sms("counts", to="+7726"),
    ]
    assert told(lines) == [(None, "counts")]
    assert told([sms("spam", to="33700"), sms("other")], short_codes=("33700",)) == [(None, "spam")]
    assert complaints([sms("x", to="1")]).height == 0


def test_a_long_text_in_parts_and_a_binary_one() -> None:
    parts = [sms("first ", udh="050003AA0201"), sms("second", udh="050003AA0202"), sms("12345", 1)]
    assert told(parts) == [("12345", "first second")]
    assert told([sms("00FF0102", coding=1)]) == [(None, None)]


@examples(30)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["WIN now", "12345", "MyBank", "+35799777888 hi", "call 1 2"]),
            st.integers(0, 200),
            st.sampled_from(["35799000001", "35799000002"]),
        ),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_nothing_is_lost_or_told_twice_in_any_order(
    said: list[tuple[str, int, str]], order: random.Random
) -> None:
    rows = bronze([sms(*each) for each in said])
    shuffled = rows[order.sample(range(rows.height), rows.height)] if rows.height else rows
    first, again = (kannel.complaints(each.lazy()).collect().sort("offset") for each in (rows, shuffled))
    assert_frame_equal(first, again)
    texts = [text for text, _, _ in said]
    kept = [text for text in first["text"] if text is not None]
    numbers = sum(text == "12345" for text in texts)
    assert first["sender"].to_list().count("12345") == numbers
    assert sum(text in ("WIN now", "call 1 2", "hi") for text in kept) == sum(
        text in ("WIN now", "call 1 2", "+35799777888 hi") for text in texts
    )
    assert first["offset"].n_unique() == first.height


@examples(30)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=80))
def test_no_text_makes_it_raise(text: str) -> None:
    rows = complaints([sms("WIN now"), sms(text, 1)])
    assert 1 <= rows.height <= 2

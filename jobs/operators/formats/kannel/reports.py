"""Reports of spam by SMS to 7726 in Kannel's log: a subscriber forwards the spam, then names its sender.

There is no public layout for such reports. What operators' services ask for is an SMS to 7726 that holds
the text, and, when the service asks, a second one with the number that it came from; some subscribers put
the number before the text, and some send the number alone.

The messages of one subscriber that follow each other within `pair_within` are one dialogue. In it the first
answer goes with the first text that still lacks a sender, and so on; an answer that finds none is a
complaint of its own, without text.
"""

import datetime as dt

import polars as pl

from jobs.operators.formats import COMPLAINT, PLACE
from jobs.operators.formats.kannel.join import transmissions
from jobs.operators.formats.shared.fields import fill_rows
from jobs.operators.protect.numbering import REPORT_SHORT_CODE, SHORTEST_NUMBER, drop_trunk

FEEDBACK_TYPE = "sms-7726"
# The service asks at once; who does not answer within the hour does not answer.
PAIR_WITHIN = dt.timedelta(hours=1)

# A number as people write it, maybe behind a word or two that say what it is. Short codes are numbers too.
_NUMBER = r"\+?\d(?:[ ().-]{0,2}\d){2,18}"
_ANSWER = rf"(?i)^[^\w+]*(?:(?:it|was|from|sender|number|no|nr|tel|is|the)\b[^\w+]*){{0,4}}({_NUMBER})[^\w]*$"
# 3GPP TS 23.040, 9.1.2.5: a sender that is a name has at most eleven signs. One word, and it must come as
# an answer, since a text may be one word as well.
_NAME = r"^\s*([A-Za-z][\w&.-]{1,10})\s*$"
# A number that leads the text: international, or so long that it is no amount.
_LEADING = r"^\s*(?:(?i:from|sender)[^\w+]{0,3})?(\+\d{7,15}|00\d{7,15}|\d{10,15})[\s:,;>-]+(\S(?s:.*))$"


def complaints(
    bronze: pl.LazyFrame,
    pair_within: dt.timedelta = PAIR_WITHIN,
    short_codes: tuple[str, ...] = (REPORT_SHORT_CODE,),
) -> pl.LazyFrame:
    """Rows of COMPLAINT, one per SMS that a subscriber reported. Rows of bronze are those of kannel.

    Texts in parts are put together as those of any SMS. A text that is no text (binary) is null and still a
    complaint.
    """
    is_report = (pl.col("event_code") == "received") & pl.col("recipient").is_in(short_codes)
    text = pl.col("text")
    leading = text.str.extract_groups(_LEADING).struct
    said = (
        transmissions(bronze.filter(is_report))
        .select(
            "operator_id", "source_id", "stream_id", "offset", "first_at", "sender", "inbound_link", "text"
        )
        .sort("operator_id", "sender", "first_at", *PLACE)
        .with_columns(_number=text.str.extract(_ANSWER), _name=text.str.extract(_NAME))
        .with_columns(
            _leading=pl.when(pl.col("_number").is_null()).then(leading.field("1")),
            _rest=pl.when(pl.col("_number").is_null()).then(leading.field("2")),
        )
    )
    # Number-like answers always, names only while a text waits for its sender.
    subscriber = ["operator_id", "sender"]
    before = pl.col("first_at").shift(1).over(subscriber)
    starts = (pl.col("first_at") - before > pair_within).fill_null(True)
    dialogue = [*subscriber, "_dialogue"]
    is_number = pl.col("_number").is_not_null()
    needs = ~is_number & pl.col("_leading").is_null()
    follows_text = needs.shift(1).over(dialogue).fill_null(False)
    said = said.with_columns(_dialogue=starts.cast(pl.Int32).cum_sum().over(subscriber))
    is_named = follows_text & pl.col("_name").is_not_null() & ~is_number
    # Of single words in a row the first names the sender of the text before, the second is a text again.
    said = said.with_columns(_is_named=is_named).with_columns(
        _run=(~pl.col("_is_named")).cast(pl.Int32).cum_sum().over(dialogue)
    )
    place = pl.col("_is_named").cast(pl.Int32).cum_sum().over([*dialogue, "_run"])
    said = said.with_columns(_is_answer=is_number | (pl.col("_is_named") & (place % 2 == 1)))
    paired = _pair_answers(said.collect().lazy(), dialogue)
    reported = pl.coalesce("_leading", "_answered")
    return fill_rows(
        paired,
        COMPLAINT,
        format_code=pl.lit("kannel"),
        channel_code=pl.lit("SMS"),
        feedback_type_code=pl.lit(FEEDBACK_TYPE),
        reported_at=pl.col("first_at"),
        reporter=pl.col("sender"),
        recipients=pl.concat_list("sender"),
        sender=_plain_number(reported),
        reported_domains=pl.lit([], dtype=pl.List(pl.String)),
        incident_count=pl.lit(1, dtype=pl.Int64),
        text=pl.when("_is_answer").then(None).otherwise(pl.coalesce("_rest", "text")),
    )


def _pair_answers(said: pl.LazyFrame, dialogue: list[str]) -> pl.LazyFrame:
    """Texts with what answered them as `_answered`, and answers that found no text.

    The n-th answer goes with the n-th text: a queue, in which `_waiting` texts stand. An answer that finds
    it empty brings the sum to a new low.
    """
    needs = ~pl.col("_is_answer") & pl.col("_leading").is_null()
    step = needs.cast(pl.Int64) - pl.col("_is_answer").cast(pl.Int64)
    counted = said.with_columns(_total=step.cum_sum().over(dialogue))
    low = pl.min_horizontal(pl.col("_total").cum_min().over(dialogue), 0)
    counted = counted.with_columns(
        _is_lone=pl.col("_is_answer") & (low < low.shift(1, fill_value=0).over(dialogue)),
        _needs=needs,
    )
    answers = pl.col("_is_answer") & ~pl.col("_is_lone")
    counted = counted.with_columns(
        _turn=pl.when(answers)
        .then(answers.cast(pl.Int64).cum_sum().over(dialogue))
        .when("_needs")
        .then(pl.col("_needs").cast(pl.Int64).cum_sum().over(dialogue)),
    )
    word = pl.coalesce("_number", "_name")
    taken = counted.filter(answers).select(*dialogue, "_turn", _answered=word)
    texts = counted.filter(~pl.col("_is_answer")).join(taken, on=[*dialogue, "_turn"], how="left")
    lone = counted.filter("_is_lone").with_columns(_answered=word)
    return pl.concat([texts, lone.select(texts.collect_schema().names())])


def _plain_number(text: pl.Expr) -> pl.Expr:
    """Digits of a number, with + where it was written with + or 00; a name as it is."""
    digits = drop_trunk(text).str.replace_all(r"[+ ().-]", "").str.replace(r"^00(\d{7,})$", "$1")
    is_whole = text.str.contains(r"^(?:\+|00)") & (digits.str.len_bytes() >= SHORTEST_NUMBER)
    number = pl.when(is_whole).then(pl.lit("+") + digits).otherwise(digits)
    return pl.when(text.str.contains(r"^\+?[\d ().-]+$")).then(number).otherwise(text)

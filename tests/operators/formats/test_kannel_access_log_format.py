"""Kannel's access log in formats of operators' own: the real log, written again in each of them."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from jobs.base.core.errors import ObservatoryError
from jobs.operators.formats import LINES, PARSED, Source, kannel
from jobs.operators.formats.kannel.access_log_format import CODES, check_options
from tests.support.examples import examples

LOG = Path(__file__).parents[3] / "sample_data" / "lab" / "kannel" / "bearerbox-access.log"
NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
# The default format, as bearerbox's own documentation spells it.
DEFAULT = (
    "%t %l [SMSC:%i] [SVC:%n] [ACT:%A] [BINF:%B] [FID:%F] [META:%D] [from:%p] [to:%P]"
    " [flags:%m:%c:%M:%C:%d] [msg:%L:%b] [udh:%U:%u]"
)
BARS = "%t|%l|%i|%n|%A|%B|%F|%I|%D|%p|%P|%m|%c|%M|%d|%L|%b|%U|%u"
_LINE = re.compile(
    r"(?P<t>.{19}) (?P<l>[A-Za-z ]+) \[SMSC:(?P<i>.*?)\] \[SVC:(?P<n>.*?)\] \[ACT:(?P<A>.*?)\]"
    r" \[BINF:(?P<B>.*?)\] \[FID:(?P<F>.*?)\] \[META:(?P<D>.*?)\] \[from:(?P<p>.*?)\] \[to:(?P<P>.*?)\]"
    r" \[flags:(?P<m>.*?):(?P<c>.*?):(?P<M>.*?):(?P<C>.*?):(?P<d>.*?)\] \[msg:(?P<L>\d+):(?P<b>.*)\]"
    r" \[udh:(?P<U>\d+):(?P<u>.*)\]"
)


def events() -> list[dict[str, str]]:
    """The fields of each event of the real log, by escape code."""
    matches = [_LINE.fullmatch(line) for line in LOG.read_text().splitlines()]
    found = [match.groupdict() for match in matches if match]
    assert len(found) == 89
    return found


def rendered(form: str, fields: dict[str, str]) -> str:
    """A line as bearerbox would write it in a format."""
    at = dt.datetime.fromisoformat(fields["t"]).replace(tzinfo=dt.UTC)
    words = fields["b"].split()
    more = {
        "T": str(int(at.timestamp())),
        "I": "bb9ca653-d1c5-467c-ab94-94ab31d291d7",
        "a": " ".join(words),
        "k": words[0] if words else "",
        "s": words[1] if len(words) > 1 else "",
        "S": "",
        "r": "+".join(words[2:]),
        "N": fields["b"] if fields["l"].endswith("DLR") else "",
        "x": "box-1",
        "R": "http://app.example/dlr",
        "%": "%",
    }
    return re.sub("%(.)", lambda code: (fields | more)[code.group(1)], form)


def parse(lines: list[str], form: str | None, zone: str = "UTC", **options: Any) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    options = options | ({"access_log_format": form} if form else {})
    return kannel.parse(frame, Source("lab", "box1", "a", NEWEST, zone, options=options)).collect()


def transmissions(parsed: pl.DataFrame) -> pl.DataFrame:
    placed = parsed.lazy().with_columns(
        operator_id=pl.lit("lab"), source_id=pl.lit("box1"), stream_id=pl.lit("a")
    )
    return kannel.transmissions(kannel.assemble(placed)).collect().sort("offset")


@pytest.mark.parametrize(
    "form",
    [
        DEFAULT,
        BARS,
        BARS.replace("|", "\t"),
        BARS.replace("|", ";"),
        "%T;%l;%p;%P;%i;%F;%n;%A;%c;%d;%u;%L;%b",
        "%u,%b,%L,%d,%c,%A,%n,%F,%i,%P,%p,%l,%t",
        "time=%t event=%l smsc=%i svc=%n act=%A fid=%F from=%p to=%P coding=%c dlr=%d udh=%u len=%L msg='%b'",
        "100%% %t %l <%p> <%P> <%i> <%F> <%n> <%A> <%c> <%d> <%u> <%L> %b",
    ],
)
@pytest.mark.parametrize("has_stamp", [False, True])
def test_the_real_log_tells_the_same_in_every_format(form: str, has_stamp: bool) -> None:
    """Brackets, commas, quotes and equals signs stand in texts of this log; META has ampersands."""
    found = events()
    default = parse([rendered(DEFAULT, fields) for fields in found], None)
    lines = [(f"{fields['t']} " if has_stamp else "") + rendered(form, fields) for fields in found]
    own = parse(lines, form, access_log_clean=not has_stamp)
    assert own["line_code"].unique().to_list() == ["record"]
    assert_frame_equal(own, default)
    assert len(transmissions(own)) == 44


def test_what_a_format_lacks_is_null() -> None:
    found = events()
    parsed = parse([rendered("%t %l %p>%P", fields) for fields in found], "%t %l %p>%P")
    assert parsed["line_code"].unique().to_list() == ["record"]
    absent = ["smsc", "service", "account", "foreign_id", "text", "message_bytes", "udh", "part_total"]
    assert all(parsed[name].null_count() == len(found) for name in [*absent, "segment_count"])
    assert parsed["coding"].unique().to_list() == [-1]
    rows = transmissions(parsed)
    # The two SMS in parts are four rows, since nothing tells parts.
    assert rows["recipient"].null_count() == 0
    assert set(rows["outcome_code"]) == {"delivered", "rejected"}


def test_sizes_and_reports_are_told_by_the_text_where_a_format_has_no_code_for_them() -> None:
    form = "%t|%l|%F|%p|%P|%c|%b"
    found = events()
    parsed = parse([rendered(form, fields) for fields in found], form)
    default = parse([rendered(DEFAULT, fields) for fields in found], None)
    is_sms = pl.col("event").str.ends_with("SMS")
    # Without %u a part is not known to be one.
    alone = is_sms & pl.col("offset").is_in([place for place, fields in enumerate(found) if not fields["u"]])
    columns = ["offset", "message_bytes", "text", "segment_count"]
    assert_frame_equal(parsed.filter(alone).select(columns), default.filter(alone).select(columns))
    by_recipient = {row["recipient"]: row for row in transmissions(parsed).to_dicts()}
    assert by_recipient["44790000015"]["outcome_code"] == "bounced"
    assert by_recipient["44790000015"]["reply_code"] == "UNDELIV"
    assert by_recipient["44790000013"]["reply_code"] == "0x0000000b"
    assert by_recipient["44790000021"]["message_bytes"] == 400


def event(**fields: str) -> dict[str, str]:
    return dict.fromkeys(CODES, "") | {
        "t": "2026-11-24 14:00:00",
        "l": "Sent SMS",
        "p": "SHOP",
        "P": "35799000001",
        "m": "-1",
        "c": "0",
        "M": "-1",
        "C": "-1",
        "d": "0",
        "L": "5",
        "b": "hello",
        "U": "0",
        **fields,
    }


def test_the_time_a_message_carries_is_utc_and_a_stamp_is_local() -> None:
    line = rendered(BARS, event())
    at = dt.datetime(2026, 11, 24, 14, tzinfo=dt.UTC)
    assert parse([line], BARS, "Asia/Nicosia")["first_at"].to_list() == [at]
    stamped = "2026-11-24 16:30:00 " + line
    later = dt.datetime(2026, 11, 24, 14, 30, tzinfo=dt.UTC)
    assert parse([stamped], BARS, "Asia/Nicosia")["first_at"].to_list() == [later]
    form = "%l|%p|%P"
    (stamped,) = ["2026-11-24 16:30:00 Sent SMS|SHOP|35799000001"]
    read = parse([stamped], form, "Asia/Nicosia", access_log_clean=False)
    assert read["first_at"].to_list() == [later]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"access_log_format": "%t|%l|%p|%P|%f"},
            "access_log_format: unknown escape code '%f'; known are: %A,",
        ),
        ({"access_log_format": "%t|%l|%p|%P|%"}, "access_log_format: unknown escape code '%'"),
        ({"access_log_format": "%l|%p|%P"}, "access_log_format: %t and %T are missing"),
        ({"access_log_format": "%t|%p|%P"}, "access_log_format: %l is missing: the event words"),
        ({"access_log_format": "%t|%l|%P"}, "access_log_format: %p is missing: the sender"),
        ({"access_log_format": "%t|%l|%p"}, "access_log_format: %P is missing: the recipient"),
        ({"access_log_format": "%t|%l|%p%P"}, "access_log_format: nothing stands between %p and %P"),
        ({"access_log_format": 7}, "access_log_format: must be the text"),
        ({"access_log_format": "%t|%l|%p|%P", "access_log_clean": "no"}, "access_log_clean: must be true or"),
    ],
)
def test_a_format_that_cannot_be_read_is_an_error(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ObservatoryError) as error:
        check_options(options, Path())
    assert str(error.value).startswith(told)


def test_a_stamp_of_bearerbox_makes_a_time_needless() -> None:
    for options in ({"access_log_format": "%l|%p|%P", "access_log_clean": False}, {}):
        assert check_options(options, Path()) == options


OTHERS = sorted(set(CODES) - set("tTlpPbarN"))
PLAIN = st.text(st.sampled_from("abcXYZ019. +"), max_size=8)


@examples(40)
@given(
    st.permutations(["t", "l", "p", "P", "b"]).flatmap(
        lambda needed: st.tuples(st.just(needed), st.lists(st.sampled_from(OTHERS), unique=True, max_size=6))
    ),
    st.sampled_from(["|", ";", "\t", "^", "] [", " <> "]),
    st.data(),
)
def test_any_order_of_codes_is_read(
    codes: tuple[list[str], list[str]], separator: str, data: st.DataObject
) -> None:
    """Fields without the separator are read as written, whatever their order; the text may hold it."""
    order = data.draw(st.permutations(codes[0] + codes[1]))
    form = separator.join(f"%{code}" for code in order)
    texts = ["hello", "", "a b"] + ([] if {"k", "s", "S"} & {*order} else [f"x{separator}y"])
    text = data.draw(st.sampled_from(texts))
    fields = event(
        i=data.draw(PLAIN),
        n=data.draw(PLAIN),
        F=data.draw(PLAIN),
        b=text,
        l=data.draw(st.sampled_from(["Sent SMS", "Receive SMS", "REJECTED Send SMS", "EXPIRED SMS"])),
    )
    (row,) = parse([rendered(form, fields)], form).to_dicts()
    assert row["line_code"] == "record", form
    assert (row["event"], row["recipient"], row["first_at"].hour) == (fields["l"], "35799000001", 14)
    assert row["sender"] == "SHOP"
    for code, name in (("i", "smsc"), ("n", "service"), ("F", "foreign_id")):
        if code in order:
            assert row[name] == (fields[code] or None), form
    assert row["text"] == text, form


@examples(40)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=60).map(lambda text: text.replace("\n", "")),
            st.tuples(st.integers(0, 90), st.text(max_size=4)).map(
                lambda damage: (
                    rendered(BARS, event())[: damage[0]]
                    + damage[1].replace("\n", "")
                    + rendered(BARS, event())[damage[0] + 2 :]
                )
            ),
        ),
        max_size=8,
    ),
    st.sampled_from([BARS, DEFAULT, "%T %l %p %P %b", "%t%l|%p|%P"]),
)
def test_any_text_is_accounted_for(lines: list[str], form: str) -> None:
    parsed = parse(lines, form)
    assert parsed["offset"].to_list() == list(range(len(lines)))
    assert parsed["line_code"].is_in(["record", "ignored", "quarantined"]).all()
    assert ((parsed["line_code"] == "quarantined") == parsed["reason_code"].is_not_null()).all()
    assert {name: parsed.schema[name] for name in PARSED} == PARSED
    assert len(transmissions(parsed)) <= int((parsed["line_code"] == "record").sum())

"""Mapping profiles: every error names the key and the nearest right one; a draft loads once it is filled."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.operators.formats import LINES, Source, delimited
from jobs.operators.formats.delimited.draft import draft_profile
from jobs.operators.formats.delimited.profile import Profile
from jobs.operators.formats.delimited.profile_files import (
    embed_profile,
    list_shipped,
    load_profile,
    profile_of,
)
from jobs.operators.ingest.source_options import load_with_options
from tests.support.examples import examples

OWN = """
name = "own"
channel = "SMS"
delimiter = ";"
columns = ["at", "from", "to", "direction", "status"]
message_key = ["from"]

[field]
first_at = { column = "at", formats = ["%Y-%m-%d %H:%M:%S"] }
sender = { column = "from" }
recipient = { column = "to" }
entry_code = { column = "direction", codes = { AO = "box" }, default = "link" }
segment_count = { value = "1" }

[[ignore]]
column = "direction"
is = "SRI"

[outcome]
columns = ["status"]
default = "quarantine"

[[outcome.rule]]
is = "OK"
stage = "delivery"
outcome = "delivered"
"""


def test_the_profile_that_all_errors_are_made_of_is_right() -> None:
    profile = load_profile(OWN, "own.toml")
    assert profile.outcome.rule[0].equals == ["OK"]
    assert profile.field.sender.origins == ["from"]


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("channel", "chanel", "chanel: unknown key 'chanel'; did you mean 'channel'?"),
        ('"SMS"', '"SMSS"', "channel: unknown channel 'SMSS'; did you mean 'SMS'?"),
        ('name = "own"', "", "name: this key is missing"),
        ('"own"', '"Our own"', "name: String should match"),
        ('";"', '"||"', "delimiter: '||' must be one ASCII sign"),
        ('";"', '""', "delimiter: '' must be one ASCII sign"),
        ('";"', '"\\""', "delimiter and quote must differ"),
        ('"to", ', '"to", "to", ', "columns: 'to' stands twice"),
        ("sender =", "sendr =", "field.sendr: unknown key 'sendr'; did you mean 'sender'?"),
        ("sender =", "# sender =", "field.sender: this key is missing"),
        ('"from" }', '"form" }', "field.sender: unknown column 'form'; did you mean 'from'?"),
        ('["from"]', '["form"]', "message_key: unknown column 'form'; did you mean 'from'?"),
        ('"from" }', '"from", value = "x" }', "field.sender: say one of column, columns and value"),
        (
            '"from" }',
            '"from", colum = "x" }',
            "field.sender.colum: unknown key 'colum'; did you mean 'column'?",
        ),
        ('"from" }', '"from", join = " " }', "field.sender: join is for several columns"),
        ('"from" }', '"from", type = "integer" }', "field: sender holds a number, not a integer"),
        ('"from" }', '"from", type = "phone" }', "field.sender.type: Input should be 'text', 'number'"),
        ('"from" }', '"from", formats = ["%Y"] }', "field.sender.formats: '%Y' gives no whole time"),
        ('"from" }', '"from", formats = ["epoch_s"] }', "field: sender is no time and has no formats"),
        ('"from" }', '"from", default = "x" }', "field: sender is no code: codes and default"),
        ("%Y-%m-%d ", "%m-%d ", "field.first_at.formats: '%m-%d %H:%M:%S' gives no whole time"),
        ("%S", "%Q", "field.first_at.formats: '%Y-%m-%d %H:%M:%Q' gives no whole time"),
        (', formats = ["%Y-%m-%d %H:%M:%S"]', "", "field: first_at needs a column and formats"),
        (
            'S"] }',
            'S"], time_zone = "Europe/Zürich" }',
            "time_zone: unknown time zone 'Europe/Zürich'; did you",
        ),
        ('"box"', '"boxes"', "field: unknown entry_code 'boxes'; did you mean 'box'?"),
        (', default = "link"', "", "field: entry_code needs a default"),
        ('value = "1"', 'value = "one"', "field: segment_count is an integer; 'one' is none"),
        ('column = "direction"\nis', 'column = "drection"\nis', "ignore: unknown column 'drection'; did you"),
        ('is = "SRI"', "", "ignore.1: say which rows: is, starts_with or is_not"),
        ('is = "SRI"', 'iss = "SRI"', "ignore.1.iss: unknown key 'iss'; did you mean 'is'?"),
        ('["status"]', '["staus"]', "outcome.columns: unknown column 'staus'; did you mean 'status'?"),
        ('default = "quarantine"', "", "outcome.default: this key is missing"),
        (
            '"quarantine"',
            '"quarantin"',
            "outcome.default: unknown default 'quarantin'; did you mean 'quarantine'?",
        ),
        ('"quarantine"', '{ stage = "content" }', "outcome.default.outcome: this key is missing"),
        (
            '"quarantine"',
            '{ stage = "x", outcome = "queued" }',
            "outcome.default.stage: unknown stage 'x'; known",
        ),
        ('is = "OK"', "", "outcome.rule.1: say which values: is or starts_with"),
        (
            '"delivered"',
            '"deliverd"',
            "outcome.rule.1.outcome: unknown outcome 'deliverd'; did you mean 'delivered'?",
        ),
        ('"delivered"', '"FILL IN"', "outcome.rule.1.outcome: this place is still to be filled in"),
        ('"delivered"', '"delivered"\ngrain = "attmpt"', "rule.1.grain: unknown grain 'attmpt'; did you"),
        (
            '["from"]',
            '[]\npart_key = ["to"]',
            "part_key distinguishes the parts of a message: give message_key, too",
        ),
        ("[outcome]", "[outcome", "not TOML: Expected ']'"),
    ],
)
def test_an_error_names_the_key_and_the_right_one(right: str, wrong: str, told: str) -> None:
    assert right in OWN
    with pytest.raises(ObservatoryError) as error:
        load_profile(OWN.replace(right, wrong, 1), "own.toml")
    lines = str(error.value).splitlines()
    assert all(line.startswith("own.toml: ") for line in lines)
    assert any(told in line for line in lines), lines


def test_a_default_may_be_an_outcome() -> None:
    text = OWN.replace('"quarantine"', '{ stage = "delivery", outcome = "queued" }')
    default = load_profile(text, "own.toml").outcome.default
    assert not isinstance(default, str)
    assert (default.outcome, default.grain_code("SMS")) == ("queued", "recipient")


SETTINGS = """
[[operator]]
id = "hill-sms"
name = "Hill SMS"
country = "CHE"
holding = "hill"
currency = "CHF"

[[operator.source]]
id = "smsc"
url = "cdr.log"
format = "delimited"
options = { profile = "restcomm" }
"""


def settings_of(folder: Path, options: str) -> dict[str, Any]:
    file = folder / "observatory.toml"
    file.write_text(SETTINGS.replace('{ profile = "restcomm" }', options), encoding="utf-8")
    return load_with_options(file).operator[0].source[0].options


def test_settings_hold_the_profile_whole(tmp_path: Path) -> None:
    """A task on another machine needs no file of this one."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "own.toml").write_text(OWN, encoding="utf-8")
    options = settings_of(tmp_path, '{ profile = "profiles/own.toml" }')
    (tmp_path / "profiles" / "own.toml").unlink()
    assert profile_of(options) == load_profile(OWN, "own.toml")
    assert json.loads(json.dumps(options)) == options
    for name, file in list_shipped().items():
        whole = settings_of(tmp_path, f'{{ profile = "{name}" }}')
        assert profile_of(whole) == load_profile(file.read_text(encoding="utf-8"), name)
    # What is whole already stays as it is.
    assert embed_profile(whole, tmp_path) == whole


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ('{ profile = "restcom" }', "profile: unknown profile 'restcom'; did you mean 'restcomm'?"),
        ('{ profile = "own.toml" }', "own.toml cannot be read: No such file"),
        ('{ profile = "bad.toml" }', "bad.toml: channel: unknown channel 'SMSS'; did you mean 'SMS'?"),
        ('{ profile = "latin.toml" }', "latin.toml cannot be read: it is not UTF-8"),
        ('{ profil = "restcomm" }', "unknown option 'profil'; did you mean 'profile'?"),
        ("{}", f"profile: say which: {', '.join(list_shipped())}, or a path to a TOML file"),
    ],
)
def test_settings_tell_what_is_wrong_with_a_profile(tmp_path: Path, options: str, told: str) -> None:
    (tmp_path / "bad.toml").write_text(OWN.replace('"SMS"', '"SMSS"'), encoding="utf-8")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(ObservatoryError) as error:
        settings_of(tmp_path, options)
    place = f"{tmp_path / 'observatory.toml'}: [operator] 'hill-sms' source 'smsc' options "
    assert str(error.value).startswith(place)
    assert told in str(error.value)


# --- drafts --------------------------------------------------------------------------------------------


def filled(draft: str) -> Profile:
    """The draft as its user might fill it in."""
    text = re.sub(r'^channel = "FILL IN"', 'channel = "SMS"', draft, flags=re.MULTILINE)
    text = re.sub(r'^stage = "FILL IN"', 'stage = "content"', text, flags=re.MULTILINE)
    text = re.sub(r'^outcome = "FILL IN"', 'outcome = "rejected"', text, flags=re.MULTILINE)
    text = text.replace('formats = ["FILL IN"]', 'formats = ["epoch_s"]')
    text = text.replace('column = "FILL IN"', 'column = "column_1"')
    text = text.replace('columns = ["FILL IN"]', 'columns = ["column_2"]')
    text = text.replace('is = "FILL IN"', 'is = "0"')
    assert "FILL IN" not in re.sub("#.*", "", text)
    return load_profile(text, "draft")


def parsed(lines: list[str], profile: Profile) -> pl.DataFrame:
    options = {"profile": profile.model_dump(mode="json", by_alias=True)}
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    newest = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    return delimited.parse(frame, Source("lab", "s", "a", newest, "UTC", options=options)).collect()


def test_a_draft_of_a_few_lines_finds_the_status_in_which_no_value_repeats() -> None:
    lines = ["time;sender;recipient;status;link"]
    for second, (status, link) in enumerate(
        [("DELIVRD", "A"), ("UNDELIV", "A"), ("REJECTD", "B"), ("EXPIRED", "A")]
    ):
        lines.append(f"2026-11-24 10:00:0{second};SHOP;3579900000{second};{status};{link}")
    draft = draft_profile("\n".join([*lines, ""]).encode())
    assert 'columns = ["status"]  # guessed' in draft
    assert 'is = "UNDELIV"\nstage = "delivery"\noutcome = "bounced"  # guessed' in draft
    assert 'inbound_link = { column = "link" }' in draft
    # Texts that speak of delivery are no codes, and are shown to nobody.
    texts = [line.replace("DELIVRD", "your parcel was delivered") for line in lines]
    assert "parcel" not in draft_profile("\n".join([*texts, ""]).encode())


def test_a_draft_shows_no_texts_and_names_what_it_leaves_out() -> None:
    lines = ["time;from;to;status;Body;batch"]
    texts = ["win a prize", "your code", "call me", "see you soon"]
    lines += [
        f"2026-11-24 10:00:{i:02d};SHOP;3579900000{i % 9};"
        f"{['not delivered', 'OK'][i % 2]};{texts[i % 4]};n{i}x"
        for i in range(40)
    ]
    draft = draft_profile("\n".join([*lines, ""]).encode())
    assert not any(text in draft for text in texts)
    # Words of outcomes are codes with blanks, too.
    assert 'is = "not delivered"' in draft
    assert 'text = { column = "Body" }' in draft
    assert draft.endswith('\n# Not mapped, so not stored: "batch".\n')
    assert "Not mapped" not in draft_profile("\n".join([line.rpartition(";")[0] for line in lines]).encode())


def test_a_draft_with_a_header_reads_its_file() -> None:
    lines = ["submitTime;doneTime;source_addr;destAddr;client ip;smsLength;parts;msgId;finalStatus;text"]
    statuses = ["DELIVERED", "REJECTED_SPAM", "EXPIRED", "strange\x1b[31m"]
    lines += [
        f"2026-11-24T13:47:{i % 60:02d}.5+02:00;2026-11-24T13:48:{i % 60:02d}.5+02:00;"
        f"SHOP{i % 7};+357990{i:05d};192.0.2.{i % 9};{i % 160};{i % 3};{i:x}-a{i}f;"
        f'{statuses[i % 4]};"hello; you {i} and ""{i}"""'
        for i in range(80)
    ]
    draft = draft_profile("\n".join([*lines, "2026-11-24T13:4"]).encode())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", draft)
    # Nobody's number or text is shown.
    assert "35799" not in draft and "hello" not in draft and "192.0.2" not in draft
    profile = filled(draft)
    given = {name: target.origins for name, target in profile.field.given_targets().items()}
    assert given == {
        "first_at": ["submitTime"],
        "last_at": ["doneTime"],
        "sender": ["source_addr"],
        "recipient": ["destAddr"],
        "client_ip": ["client ip"],
        "message_bytes": ["smsLength"],
        "segment_count": ["parts"],
        "message_id": ["msgId"],
        "text": ["text"],
    }
    assert profile.outcome.columns == ["finalStatus"]
    outcomes = {rule.equals[0]: (rule.stage, rule.outcome) for rule in profile.outcome.rule}
    assert outcomes["DELIVERED"] == ("delivery", "delivered")
    assert outcomes["REJECTED_SPAM"] == ("content", "rejected")
    assert outcomes["EXPIRED"] == ("delivery", "expired")
    rows = parsed(lines, profile)
    assert rows["line_code"].to_list() == ["ignored"] + ["record"] * 80
    assert rows["first_at"][1] == dt.datetime(2026, 11, 24, 11, 47, 0, 500000, tzinfo=dt.UTC)
    assert rows["text"][1] == 'hello; you 0 and "0"'


@pytest.mark.parametrize(
    ("line", "delimiter", "formats"),
    [
        ("24/11/2026,13:47:{i:02d},SHOP,+357990{n},{c}", ",", ["%d/%m/%Y %H:%M:%S"]),
        ("20261124134{j}{i:02d}\t357991{n}\t357990{n}\t{c}", "\t", ["%Y%m%d%H%M%S"]),
        ("17955280{i:02d}|357991{n}|357990{n}|{c}", "|", ["epoch_s"]),
        ("17955280{i:02d}123|357991{n}|357990{n}|{c}", "|", ["epoch_ms"]),
        ("24-Nov-26 13:47:{i:02d}^357991{n}^357990{n}^{c}", "^", ["%d-%b-%y %H:%M:%S"]),
        ('"11/24/2026 01:47:{i:02d} PM";"SHOP";"357990{n}";"{c}"', ";", ["%m/%d/%Y %I:%M:%S %p"]),
        ("2026-11-24 13:47:{i:02d},123;357991{n};357990{n};{c}", ";", ["%Y-%m-%d %H:%M:%S,%3f"]),
    ],
)
def test_a_draft_without_a_header(line: str, delimiter: str, formats: list[str]) -> None:
    lines = [line.format(i=i % 60, j=i % 10, n=10000 + 37 * i, c=i % 3) for i in range(60)]
    profile = filled(draft_profile("\n".join(lines).encode() + b"\n"))
    assert profile.delimiter == delimiter
    assert not profile.header
    assert profile.field.first_at.formats == formats
    assert {rule.equals[0] for rule in profile.outcome.rule} == {"0", "1", "2"}
    rows = parsed(lines, profile)
    assert rows["line_code"].to_list() == ["record"] * 60
    assert rows["first_at"].dt.year().unique().to_list() == [2026]
    assert rows["recipient"].n_unique() == 60


def test_few_addresses_are_no_codes_to_show() -> None:
    lines = [
        f"2026-11-24 13:47:{i % 60:02d};user{i % 2}@mail.example;+3579900000{i % 2};{['OK', 'NO'][i % 2]}"
        for i in range(60)
    ]
    draft = draft_profile("\n".join(lines).encode())
    assert "@mail.example" not in draft and "99000" not in draft
    assert {rule.equals[0] for rule in filled(draft).outcome.rule} == {"OK", "NO"}


@pytest.mark.parametrize(
    "sample",
    [b"\r\x01", b"a;b\rc;d\n", b"", b"\n\n", b"one\ntwo\n", b"\x00\xff\xfe,\x00", b"a,b", b",,,\n,,,\n"],
)
def test_a_draft_of_nothing_much_still_loads(sample: bytes) -> None:
    filled(draft_profile(sample))


@examples(40)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(
            st.lists(st.text(st.sampled_from('ab ,;"\t12.:+-\x1b\x85é'), max_size=8), min_size=1, max_size=5),
            max_size=8,
        ).map(lambda rows: "\n".join(";".join(row) for row in rows).encode()),
    )
)
def test_any_sample_gives_a_draft_that_loads(sample: bytes) -> None:
    draft = draft_profile(sample)
    assert all(sign.isprintable() or sign == "\n" for sign in draft)
    profile = filled(draft)
    lines = sample.decode("utf-8", "replace").split("\n")
    assert len(parsed(lines, profile)) == len(lines)

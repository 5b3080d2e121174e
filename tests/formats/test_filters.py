"""What holds for the kernel of every filter, whatever it reads."""

import random
from types import ModuleType

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.core.contracts import REFERENCE
from jobs.core.key_names import KEY
from jobs.formats import (
    PARSED,
    VERDICT,
    amavis,
    opendkim,
    opendmarc_history,
    postfix,
    registry,
    rspamd,
    spamassassin,
)
from jobs.formats.rspamd import clickhouse as rspamd_clickhouse
from jobs.formats.rspamd import history as rspamd_history
from jobs.protect import pseudonyms
from jobs.protect.operators import Door, OperatorSpace
from tests.support.examples import examples
from tests.support.filter_logs import LAB, assert_closed, codes, frame_of, lab, parse, placed, source

LOGS = {
    spamassassin: ["postfix/mail.iso8601.log", "exim/spamd.log"],
    amavis: ["postfix/mail.rfc5424.log"],
    opendkim: ["postfix/mail.rfc3164.log"],
    opendmarc_history: ["postfix/opendmarc.history"],
    rspamd_history: ["postfix/rspamd_history_redis.jsonl"],
    rspamd_clickhouse: ["postfix/clickhouse_posts.txt"],
}
KERNELS = list(LOGS)
COMPANIONS = [spamassassin, amavis, opendkim]
# Lines of each kernel that damage makes others of.
OWN = {kernel: [line for name in names for line in lab(name)] for kernel, names in LOGS.items()}
for companion in COMPANIONS:
    OWN[companion] = [
        line
        for line, (code, _) in zip(OWN[companion], codes(companion, OWN[companion]), strict=True)
        if code == "record"
    ]

kernels = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.NAME)


@kernels
def test_nothing_in_nothing_out(kernel: ModuleType) -> None:
    for lines in ([], [""], ["", "\r", "  "]):
        parsed = parse(kernel, lines)
        assert {name: parsed.schema[name] for name in PARSED} == PARSED
        assert parsed["line_code"].to_list() == ["ignored"] * len(lines)
        bronze = kernel.assemble(placed(parsed))
        assert dict(bronze.collect_schema()) == kernel.BRONZE
        assert dict(kernel.verdicts(bronze).collect().schema) == VERDICT


@kernels
def test_real_lines_survive_every_cut(kernel: ModuleType) -> None:
    chooser = random.Random(5)
    for name in LOGS[kernel]:
        lines = lab(name)
        for seed in range(3):
            cuts = [chooser.randrange(len(lines)) for _ in range(3)]
            assert_closed(kernel, lines, cuts, seed, overlap=chooser.choice([0, 7]))


@kernels
@examples(25)
@given(data=st.data())
def test_chosen_lines_survive_every_cut(kernel: ModuleType, data: st.DataObject) -> None:
    lines = data.draw(st.lists(st.sampled_from(OWN[kernel]), min_size=1, max_size=30))
    cuts = data.draw(st.lists(st.integers(0, len(lines)), max_size=4))
    assert_closed(kernel, lines, cuts, data.draw(st.integers(0, 99)))


def damaged(kernel: ModuleType) -> st.SearchStrategy[str]:
    """A line of the kernel with some signs replaced, or cut short."""
    text = st.text(max_size=5).map(lambda signs: signs.replace("\n", " "))
    return st.tuples(st.sampled_from(OWN[kernel]), st.floats(0, 1), text, st.booleans()).map(
        lambda it: (
            it[0][: int(it[1] * len(it[0]))]
            + it[2]
            + ("" if it[3] else it[0][int(it[1] * len(it[0])) + len(it[2]) :])
        )
    )


@pytest.mark.long
@kernels
@examples(40)
@given(data=st.data())
def test_any_text_is_accounted_for(kernel: ModuleType, data: st.DataObject) -> None:
    any_text = st.text(max_size=60).map(lambda text: text.replace("\n", ""))
    lines = data.draw(st.lists(any_text | damaged(kernel), max_size=8))
    parsed = parse(kernel, lines, time_zone=data.draw(st.sampled_from(["UTC", "Asia/Nicosia"])))
    assert parsed["line_code"].is_in(["record", "ignored", "quarantined"]).all()
    assert ((parsed["line_code"] == "quarantined") == parsed["reason_code"].is_not_null()).all()
    # An INSERT that damage made another (one more column, another table) is told to its own piece alone.
    if not any("INSERT" in line and line not in OWN[kernel] for line in lines):
        assert_closed(kernel, lines, [len(lines) // 2], 1)


@kernels
def test_hostile_lines(kernel: ModuleType) -> None:
    own = OWN[kernel][0]
    latin = own.encode("utf-8").replace(b"example", b"ex\xe4mple").decode("latin-1")
    huge = own + "x" * 10_000_000
    lines = [
        "\x00" * 100,
        own.replace(" ", "\x00"),
        own + "\x1b[31m",
        own + "\r",
        latin,
        huge,
        "\ufeff" + own,
    ]
    parsed = parse(kernel, lines)
    assert len(parsed) == len(lines)
    assert parsed["line_code"][3] == parse(kernel, [own])["line_code"][0]


@kernels
def test_sniff_knows_its_own(kernel: ModuleType) -> None:
    assert kernel.sniff(b"") == 0
    assert kernel.sniff(b"\x00\xff\x1f\x8b") == 0
    assert kernel.sniff("\n".join(OWN[kernel]).encode()[:60_000]) >= 0.9
    for other in KERNELS:
        if other is not kernel:
            assert kernel.sniff("\n".join(OWN[other]).encode()[:60_000]) == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("exim/spamd.log", "spamassassin"),
        ("postfix/opendmarc.history", "opendmarc_history"),
        ("postfix/rspamd_history_redis.jsonl", "rspamd_history"),
        ("postfix/clickhouse_posts.txt", "rspamd_clickhouse"),
        ("postfix/rspamd.log", "rspamd"),
        ("postfix/mail.rfc3164.log", "postfix"),
        ("postfix/mail.rfc5424.log", "postfix"),
        ("kannel/bearerbox-access.log", "kannel"),
    ],
)
def test_the_registry_tells_the_logs_apart(name: str, expected: str) -> None:
    assert registry.recognise_format((LAB / name).read_bytes()[:65_536])[0] == expected


# --- companions ----------------------------------------------------------------------------------------


def test_companions_are_known() -> None:
    assert {each.name for each in registry.COMPANIONS} >= {each.NAME for each in COMPANIONS} | {"rspamd"}
    for companion in registry.COMPANIONS:
        assert set(registry.hosts_of(companion)) >= {"postfix", "exim", "sendmail"}


@pytest.mark.parametrize("name", ["mail.rfc3164.log", "mail.iso8601.log", "mail.rfc5424.log"])
def test_a_line_of_the_mail_log_has_one_reader(name: str) -> None:
    """What the mail server's kernel takes, no companion takes, and no two companions take one line."""
    lines = lab(f"postfix/{name}")
    host = postfix.parse(frame_of(lines).lazy(), source()).collect()["line_code"]
    read = [host == "record"] + [parse(kernel, lines)["line_code"] == "record" for kernel in COMPANIONS]
    readers = pl.sum_horizontal(*(taken.cast(pl.Int32) for taken in read))
    assert pl.select(readers).to_series().max() == 1
    assert [int(taken.sum()) for taken in read[1:]] == [42, 21, 68]
    for kernel in COMPANIONS:
        assert "quarantined" not in parse(kernel, lines)["line_code"].to_list()


def test_companions_leave_the_lines_of_others_alone() -> None:
    foreign = [
        *lab("kannel/bearerbox-access.log"),
        *lab("postfix/rspamd.log"),
        "2026-11-24 14:01:51 1vNWdT-00000000001-0Nxy H=(x) [192.0.2.1] F=<a@b.example> rejected RCPT",
        "Nov 24 14:16:13 mx1 cron[51]: (root) Passed SPAM check of (x) Blocked SPAM",
        "Nov 24 14:16:13 mx1 app[51]: job 7: result: Y is what we got, identified spam (none)",
        "Nov 24 14:16:13 mx1 app[51]: the self test will not pass",
        "no stamp, but the test did: fail",
    ]
    for kernel in COMPANIONS:
        assert {code for code, _ in codes(kernel, foreign)} == {"ignored"}


# --- the door to silver --------------------------------------------------------------------------------


def test_each_engine_is_read_by_its_own_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "key of this test alone, 0123456789")
    mail = lab("postfix/mail.rfc3164.log")
    frames = [
        kernel.verdicts(kernel.assemble(placed(parse(kernel, lines)))).collect()
        for kernel, lines in (
            (rspamd, lab("postfix/rspamd.log")),
            *((companion, mail) for companion in COMPANIONS),
        )
    ]
    own = OperatorSpace("lab", "CYP", ("example.test",), (), (), ())
    rows = pseudonyms.pseudonymise_verdicts(pl.concat(frames), Door((own,), None))
    acted = rows.group_by("engine_code", "countermeasure_code").len().sort("engine_code", "len")
    assert acted.filter(pl.col("countermeasure_code").is_not_null()).rows() == [
        ("amavis", "CONTENT_FILTER", 6),
        ("rspamd", "CONTENT_FILTER", 6),
        ("rspamd", "GREYLIST", 7),
        ("spamassassin", "CONTENT_FILTER", 6),
    ]
    assert "UNKNOWN" not in acted["countermeasure_code"].to_list()
    assert len(rows) == 50 + 21 + 21 + 45
    # What failed is named whether or not anything acted on it.
    failed = rows.filter((pl.col("engine_code") == "opendmarc") & (pl.col("action_name") == "fail"))
    assert failed["countermeasure_codes"].to_list() == [["SENDER_AUTH"]]


def test_every_action_of_amavis_has_a_rule() -> None:
    rules = pl.read_csv(REFERENCE / "countermeasure_rule.csv", infer_schema=False)
    known = rules.filter(engine_code="amavis", match_on="action")["pattern"].to_list()
    said = {
        f"{fate} {category}" for fate in ("Passed", "Blocked") for category in amavis._CATEGORIES.split("|")
    }
    # What Amavis has no category for, and a failure that lets a message pass, which does not happen.
    assert said - set(known) == {"Passed OTHER", "Blocked OTHER", "Passed TEMPFAIL"}
    assert set(known) <= said

"""jobs.operators.protect.rules and jobs.base.tables.matching: types and countermeasures from the rule
tables."""

import csv
import datetime as dt
import pickle
import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.contracts import REFERENCE
from jobs.base.tables.matching import loosen_pattern, make_matcher, make_searcher
from jobs.operators.protect import rules
from jobs.operators.protect.countermeasures import countermeasure_of_refusals, countermeasure_of_verdicts
from jobs.operators.protect.message_types import primary_type, type_of_texts, type_of_verdicts
from tests.support.examples import examples

LOADED = rules.load_rules()


def rule(code: str, priority: int = 30, strong: bool = False, engine: str = "any") -> rules.TypeRule:
    return rules.TypeRule(f"T-{code}-{priority}", engine, "symbol", code, priority, code, strong)


def test_all_rules_are_loaded_and_travel():
    assert len(LOADED.types) >= 1200 and len(LOADED.measures) >= 430
    again = pickle.loads(pickle.dumps(LOADED))
    assert again == LOADED
    typed = type_of_verdicts(pl.Series([["DBL_PHISH"]]), "rspamd", rules=again)
    assert typed["spam_type_code"].to_list() == ["PHISH.mail"]


def test_rules_hold_from_their_first_day_until_before_their_last(tmp_path):
    for name in ("type_rule", "countermeasure_rule"):
        with (REFERENCE / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))[:2]
        rows[0] |= {"valid_from": "2024-01-01", "valid_to": "2025-01-01"}
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)

    def count(on: dt.date | None) -> tuple[int, int]:
        loaded = rules.load_rules(tmp_path, on)
        return len(loaded.types), len(loaded.measures)

    def parts(*days: dt.date) -> list[tuple[int, list[dt.date]]]:
        frame = pl.DataFrame({"at": days}).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")))
        found = rules.split_by_rules(frame, "at", tmp_path)
        return sorted((len(loaded.types), rows["at"].dt.date().to_list()) for loaded, rows in found)

    assert count(dt.date(2023, 12, 31)) == (1, 1)
    assert count(dt.date(2024, 1, 1)) == (2, 2)
    assert count(dt.date(2024, 12, 31)) == (2, 2)
    assert count(dt.date(2025, 1, 1)) == (1, 1)
    assert count(None) == (1, 1)
    # Each row by the rules of its own day, in as many parts as there are times.
    before, first, last, after = (
        dt.date(2023, 12, 31),
        dt.date(2024, 1, 1),
        dt.date(2024, 12, 31),
        dt.date(2025, 1, 1),
    )
    assert parts(last, before, first) == [(1, [before]), (2, [last, first])]
    assert parts(after, after) == [(1, [after, after])]
    assert parts(dt.date(1980, 1, 1)) == [(0, [dt.date(1980, 1, 1)])]
    assert parts() == []


@pytest.mark.parametrize("table", ["type_rule", "countermeasure_rule"])
def test_a_row_of_a_kind_that_nothing_matches_is_refused(tmp_path, table):
    for name in ("type_rule", "countermeasure_rule"):
        with (REFERENCE / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))[:3]
        if name == table:
            # Refused whatever its days: it would look like a rule.
            rows[1] |= {"match_on": "daemon", "valid_to": "1991-01-01"}
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    told = rf"{table}.csv, row {'TC'[table[0] == 'c']}0002: nothing matches on 'daemon'.*symbol_regex"
    with pytest.raises(ObservatoryError, match=told):
        rules.load_rules(tmp_path)


@pytest.mark.parametrize("table", ["types", "measures"])
def test_every_kind_is_matched_by_some_row(table):
    kinds = rules.KINDS[{"types": "type_rule", "measures": "countermeasure_rule"}[table]]
    assert {rule.match_on for rule in getattr(LOADED, table)} == set(kinds)


# --- matching ---

PATTERNS = [row.pattern for row in (*LOADED.types, *LOADED.measures) if row.match_on.endswith("_regex")]
WORDS = sorted(
    {
        word
        for pattern in PATTERNS
        for word in re.findall(r"[^\W\d_]{3,}|[A-Z0-9_]{4,}", loosen_pattern(pattern))
    }
)
SEARCH = make_searcher(tuple(PATTERNS))
COMPILED = [re.compile(pattern) for pattern in PATTERNS]
CASES = [str, str.upper, str.lower, str.title]


@examples(150)
@given(
    st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(CASES)), min_size=1, max_size=12),
    st.sampled_from([" ", "", "_", " \n", ", ", ".", " 550 ", "é", "\x0b", "\x1c", "\t"]),
    st.sampled_from(["", "\n", "é"]),
)
def test_matching_finds_what_a_plain_loop_finds(words, between, end):
    text = between.join(change(word) for word, change in words) + end
    assert SEARCH(text) == [number for number, pattern in enumerate(COMPILED) if pattern.search(text)]


@pytest.mark.parametrize(
    "text",
    [
        "VOTRE COMPTE EST SUSPENDU, VÉRIFIEZ VOS COORDONNÉES",
        "Вы ВЫИГРАЛИ приз. КРЕДИТ онлайн без справок",
        "恭喜您中奖，请领取大奖",
        "لقد ربحت جائزة مليون دولار",
        "ΚΕΡΔΊΣΑΤΕ κερδίσατε",
        "Su CUENTA ha sido BLOQUEADA\nverifique sus datos",
        "",
        "450 4.7.1 Service currently unavailable\n",
    ],
)
def test_matching_in_other_scripts_and_cases(text):
    assert SEARCH(text) == [number for number, pattern in enumerate(COMPILED) if pattern.search(text)]


def test_look_arounds_and_boundaries_are_loosened_only():
    assert loosen_pattern(r"(?iu)\bwon\b(?!['x)]t)") == "(?i)won"
    assert loosen_pattern(r"^(?!.*(?:A|B)).*C\\b") == r"^.*C\\b"


def test_a_pattern_that_re2_refuses_is_still_tried():
    search = make_searcher((r"(a)\1", "plain"))
    assert search("xaax plain") == [0, 1] and search("xax") == []


@pytest.mark.parametrize(
    "text",
    [
        "aab",
        "aaa",
        "a{,2}b",
        "x\x1cy",
        "x\x0by",
        "x\n",
        "x",
        "k\u212a",
        "i",
        "\u0130",
        "\u0130x",
        "1",
        "\u0661",
        "s",
    ],
)
def test_what_re2_reads_otherwise_is_left_to_python(text):
    patterns = (
        r"^a{,2}b",
        r"x\sy",
        r"x$",
        "(?i)^k+$",
        "(?i)\u0130",
        "(?i)\u017f",
        "(?i)[r-t]$",
        "(?i)ix",
        r"^\d$",
    )
    assert make_searcher(patterns)(text) == [
        number for number, pattern in enumerate(patterns) if re.search(pattern, text)
    ]


def test_equal_values_are_matched_whole():
    match = make_matcher([rule("AD.retail")], "symbol")
    assert match("AD.retail") == (0,) and match("AD.retail2") == () == match("ad.retail")


# --- precedence of types ---


@pytest.mark.parametrize(
    ("matched", "primary"),
    [
        ([], (None, [], None, None)),
        ([rule("UNK", 90)], ("UNK", [], False, 90)),
        ([rule("UNK", 1, strong=True), rule("AD.retail", 85)], ("AD.retail", ["AD.retail"], False, 85)),
        (
            [rule("AD.retail", 10), rule("PHISH.mail", 40, strong=True)],
            ("PHISH.mail", ["AD.retail", "PHISH.mail"], True, 40),
        ),
        (
            [rule("AD.adult", 30), rule("MALWARE.link", 40)],
            ("AD.adult", ["AD.adult", "MALWARE.link"], False, 30),
        ),
        (
            [rule("AD.retail"), rule("MALWARE.link")],
            ("MALWARE.link", ["AD.retail", "MALWARE.link"], False, 30),
        ),
        (
            [rule("AD.retail"), rule("AD.retail", 70), rule("MALWARE.link")],
            ("AD.retail", ["AD.retail", "MALWARE.link"], False, 30),
        ),
        (
            [rule("PHISH.mail", 60), rule("PHISH.smish", 60, engine="sms_firewall")],
            ("PHISH.smish", ["PHISH.mail", "PHISH.smish"], False, 60),
        ),
        (
            [rule("OTHER"), rule("FRAUD.loan"), rule("PHONE.wangiri")],
            ("FRAUD.loan", ["FRAUD.loan", "OTHER", "PHONE.wangiri"], False, 30),
        ),
    ],
)
def test_precedence_of_types(matched, primary):
    assert primary_type(matched) == primary
    assert primary_type(matched[::-1]) == primary


def test_types_of_symbols():
    symbols = pl.Series(
        "symbols",
        [
            ["ARC_NA", "DBL_PHISH"],
            ["MONEY_FRAUD_3"],
            None,
            [],
            ["MY_CASINO_RULE", "DBL_PHISH"],
            [None, "DBL_MALWARE"],
        ],
    )
    typed = type_of_verdicts(symbols, "rspamd", "EMAIL")
    assert typed.schema == {
        "spam_type_code": pl.String,
        "spam_type_codes": pl.List(pl.String),
        "is_type_strong": pl.Boolean,
        "type_priority": pl.Int32,
    }
    # MONEY_FRAUD_3 is SpamAssassin's name and means nothing from Rspamd.
    assert typed["spam_type_code"].to_list() == ["PHISH.mail", None, None, None, "PHISH.mail", "MALWARE.link"]
    assert typed["spam_type_codes"].to_list()[4] == ["AD.gambling", "PHISH.mail"]
    assert typed["is_type_strong"].to_list() == [True, None, None, None, True, True]
    amavis = type_of_verdicts(symbols, "amavis", "EMAIL")
    assert amavis["spam_type_code"].to_list()[1] == "FRAUD.advance-fee"


@pytest.mark.parametrize(
    ("engine", "symbol", "code", "is_strong"),
    [
        *(("rspamd", f"DBL_ABUSE_{kind}", "MALWARE.link", False) for kind in ("MALWARE", "BOTNET")),
        *(("rspamd", symbol, "PHISH.mail", False) for symbol in ("DBL_ABUSE_PHISH", "RBL_DBL_ABUSED_PHISH")),
        *(("rspamd", f"RBL_DBL_ABUSED_{kind}", "MALWARE.link", False) for kind in ("MALWARE", "BOTNET")),
        *(("rspamd", f"DBLABUSED_{kind}_FULLURLS", "MALWARE.link", False) for kind in ("MALWARE", "BOTNET")),
        ("rspamd", "DBLABUSED_PHISH_FULLURLS", "PHISH.mail", False),
        ("spamassassin", "URIBL_DBL_ABUSE_PHISH", "PHISH.mail", False),
        *(("spamassassin", f"URIBL_DBL_ABUSE_{kind}", "MALWARE.link", False) for kind in ("MALW", "BOTCC")),
        ("rspamd", "RBL_DBL_PHISH", "PHISH.mail", True),
        ("rspamd", "RBL_DBL_MALWARE", "MALWARE.link", True),
        ("spamassassin", "URIBL_DBL_PHISH", "PHISH.mail", True),
    ],
)
def test_links_to_abused_legitimate_sites_type_weakly(engine, symbol, code, is_strong):
    """Ordinary mail links to a site that was broken into, too, so no attribute may follow."""
    typed = type_of_verdicts(pl.Series([["CLAM_VIRUS", symbol]]), engine, "EMAIL")
    assert typed.row(0)[0] == code
    assert typed["is_type_strong"].to_list() == [is_strong]


def test_sms_texts_are_smishing_where_mail_is_phishing():
    texts = pl.Series(
        ["Please verify your account at http://bank.example", "see you at six", None, "You have won a prize"]
    )
    sms = type_of_texts(texts, "kannel", "SMS")
    assert sms["spam_type_code"].to_list() == ["PHISH.smish", None, None, "FRAUD.lottery"]
    assert "PHISH.mail" not in sms["spam_type_codes"].explode().to_list()
    assert type_of_texts(texts, "postfix", "EMAIL")["spam_type_code"][0] == "PHISH.mail"
    assert sms["is_type_strong"].to_list() == [False, None, None, False]


def test_refusals_can_be_read_for_types_too():
    texts = pl.Series(["554 5.7.1 infected with a virus"])
    assert type_of_texts(texts, "postfix", "EMAIL")["spam_type_code"].to_list() == [None]
    both = type_of_texts(texts, "postfix", "EMAIL", match_on=("text_regex", "reject_text_regex"))
    assert both["spam_type_code"].to_list() == ["MALWARE.attach"]


@pytest.mark.parametrize(
    "empty", [pl.Series([], dtype=pl.List(pl.String)), pl.Series([None], dtype=pl.List(pl.String))]
)
def test_nothing_in_gives_as_many_rows_out(empty):
    assert type_of_verdicts(empty, "rspamd").height == len(empty)
    assert countermeasure_of_verdicts(empty.list.first(), empty, "rspamd").height == len(empty)


# --- countermeasures of refusals ---


def refusal(**values) -> dict:
    return {"format_code": "postfix", "channel_code": "EMAIL", "outcome_code": "rejected"} | values


SMS = {"format_code": "kannel", "channel_code": "SMS"}
REFUSALS = [
    (
        refusal(
            reply_text="554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using bl.example.net",
            dnsbl_zone="bl.example.net",
        ),
        "DNSBL",
        "network",
        True,
    ),
    # The text only says that a list refused; the zone says which kind of list.
    (
        refusal(
            reply_text="554 5.7.1 <m@a.test>: Sender address rejected; blocked using dbl.spamhaus.org",
            dnsbl_zone="DBL.spamhaus.org",
        ),
        "URL_REPUTATION",
        "filtering",
        True,
    ),
    (
        refusal(reply_text="554 5.7.1 blocked using unheard.example.org", dnsbl_zone="unheard.example.org"),
        "DNSBL",
        "network",
        True,
    ),
    (
        refusal(
            reply_text="450 4.2.0 <u@a.test>: Recipient address rejected: Greylisted, see the help",
            outcome_code="deferred",
        ),
        "GREYLIST",
        "network",
        True,
    ),
    (
        refusal(reply_text="554 5.7.1 <v@b.test>: Relay access denied; from=<a@spamtrap.test> to=<v@b.test>"),
        "POLICY_RELAY",
        "service",
        False,
    ),
    (
        refusal(
            reply_text="550 5.1.1 <no@a.test>: Recipient address rejected: User unknown in"
            " local recipient table"
        ),
        "RECIPIENT_CHECK",
        "service",
        False,
    ),
    (
        refusal(reply_text="450 4.1.8 <a@nx.test>: Sender address rejected: Domain not found"),
        "SENDER_VERIFY",
        "service",
        True,
    ),
    (
        refusal(reply_text="554 5.7.1 <b@c.test>: Sender address rejected: ask the postmaster"),
        "SENDER_BLOCKLIST",
        "network",
        None,
    ),
    (
        refusal(
            log_text="PREGREET 14 after 0.03 from [192.0.2.9]:4242: EHLO h.test",
            reply_text="550 5.5.1 Protocol error",
        ),
        "PROTOCOL_TEST",
        "equipment",
        True,
    ),
    (
        refusal(
            log_text="4XyZ: milter-reject: END-OF-MESSAGE from h.test[192.0.2.9]: 5.7.1 "
            "Spam message rejected",
            reply_text="5.7.1 Spam message rejected",
        ),
        "CONTENT_FILTER",
        "filtering",
        True,
    ),
    (
        refusal(
            log_text="4XyZ: milter-reject: END-OF-MESSAGE from h.test[192.0.2.9]: 5.7.1 Command rejected",
            reply_text="5.7.1 Command rejected",
        ),
        "CONTENT_FILTER",
        "filtering",
        None,
    ),
    (
        refusal(
            outcome_code="deferred", reply_text="connect to mx.b.test[192.0.2.1]:25: Connection timed out"
        ),
        "DELIVERY_FAILURE",
        None,
        False,
    ),
    (refusal(reply_text="550 we like nobody today"), "UNKNOWN", None, None),
    (refusal(), "UNKNOWN", None, None),
    (refusal(outcome_code="expired"), "DELIVERY_FAILURE", None, False),
    (refusal(outcome_code="delivered"), None, None, None),
    (refusal(outcome_code="queued", reply_text="450 4.2.0 Greylisted"), None, None, None),
    (
        refusal(**SMS, event="REJECTED Send SMS", reply_text="sender in global black-list"),
        "NUMBER_BLOCKLIST",
        "network",
        True,
    ),
    (refusal(**SMS, event="REJECTED Send SMS"), "UNKNOWN", None, None),
    (refusal(**SMS, reply_code="0x00000058"), "RATE_LIMIT", "network", True),
    (refusal(**SMS, reply_code="0x00000045"), "UNKNOWN", None, None),
    (refusal(**SMS, reply_code="0x0000000B"), "RECIPIENT_CHECK", "service", False),
    (refusal(**SMS, reply_code="UNDELIV", outcome_code="bounced"), "DELIVERY_FAILURE", None, False),
    (refusal(**SMS, outcome_code="delivered", recipient="+7726"), "USER_REPORT", "feedback", True),
    (refusal(outcome_code="delivered", recipient="7726@a.test"), None, None, None),
]


def frame(rows: list[dict]) -> pl.DataFrame:
    names = (
        "format_code",
        "channel_code",
        "outcome_code",
        "reply_text",
        "log_text",
        "dnsbl_zone",
        "event",
        "reply_code",
        "recipient",
        "verstat",
    )
    return pl.DataFrame(
        [{name: row.get(name) for name in names} for row in rows], schema=dict.fromkeys(names, pl.String)
    )


@pytest.mark.parametrize(("row", "code", "strategy", "is_antispam"), REFUSALS)
def test_countermeasure_of_a_refusal(row, code, strategy, is_antispam):
    assert countermeasure_of_refusals(frame([row])).row(0)[:3] == (code, strategy, is_antispam)


@pytest.mark.parametrize(
    ("values", "code", "is_antispam"),
    [
        # Numbers of a table are of it alone: 21 is another thing in each.
        ({"reply_code": "map_error 27"}, "DELIVERY_FAILURE", False),
        ({"reply_code": "map_error 13"}, "NUMBER_BLOCKLIST", None),
        ({"reply_code": "rp_cause 21"}, "CONTENT_FILTER", None),
        ({"reply_code": "map_error 21"}, "UNKNOWN", None),
        ({"reply_code": "tp_fcs 197"}, "SIGNATURE_FUZZY", None),
        ({"reply_code": "map_error 199"}, "UNKNOWN", None),
        ({"reply_code": "13"}, "UNKNOWN", None),
        ({"reply_code": "map_error 1", "outcome_code": "delivered"}, None, None),
    ],
)
def test_a_number_is_of_the_table_that_is_named(values, code, is_antispam):
    row = refusal(format_code="delimited", channel_code="SMS") | values
    acted = countermeasure_of_refusals(frame([row])).row(0)
    assert (acted[0], acted[2]) == (code, is_antispam)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        # What may be any policy was the signature's where it had failed; what is said for sure stands.
        ({"reply_code": "403", "verstat": "TN-Validation-Failed"}, "CALLER_AUTH"),
        ({"reply_code": "603", "verstat": "TN-Validation-Failed-C"}, "CALLER_AUTH"),
        ({"reply_code": "603", "verstat": "TN-Validation-Passed"}, "CALLEE_REJECT"),
        ({"reply_code": "603", "verstat": "No-TN-Validation"}, "CALLEE_REJECT"),
        ({"reply_code": "404", "verstat": "TN-Validation-Failed"}, "RECIPIENT_CHECK"),
        (
            {"reply_code": "500", "verstat": "TN-Validation-Failed", "outcome_code": "bounced"},
            "DELIVERY_FAILURE",
        ),
        ({"verstat": "TN-Validation-Failed", "outcome_code": "delivered"}, None),
    ],
)
def test_a_failed_verification_refuses(values, code):
    row = refusal(format_code="kamailio", channel_code="VOICE_IP") | values
    assert countermeasure_of_refusals(frame([row]))["countermeasure_code"].to_list() == [code]


def test_refusals_keep_their_order_over_formats():
    rows = [row for row, *_ in REFUSALS] * 3
    acted = countermeasure_of_refusals(frame(rows))
    assert acted["countermeasure_code"].to_list() == [code for _, code, *_ in REFUSALS] * 3
    assert acted.schema == {
        "countermeasure_code": pl.String,
        "x1231_strategy_code": pl.String,
        "is_antispam": pl.Boolean,
        "rule_id": pl.String,
    }
    assert countermeasure_of_refusals(frame([])).height == 0


def test_without_an_outcome_a_text_makes_a_refusal():
    rows = pl.DataFrame(
        {
            "format_code": ["postfix"] * 2,
            "channel_code": ["EMAIL"] * 2,
            "reply_text": ["550 5.7.1 SPF fail", None],
        },
        schema=dict.fromkeys(("format_code", "channel_code", "reply_text"), pl.String),
    )
    assert countermeasure_of_refusals(rows)["countermeasure_code"].to_list() == ["SENDER_AUTH", None]


# --- countermeasures of verdicts ---


@pytest.mark.parametrize(
    ("action", "symbols", "code", "is_antispam", "contributing"),
    [
        (
            "reject",
            ["BAYES_SPAM", "FUZZY_DENIED"],
            "CONTENT_FILTER",
            True,
            ["CONTENT_FILTER", "SIGNATURE_FUZZY"],
        ),
        ("add header", ["R_SPF_FAIL"], "CONTENT_FILTER", True, ["SENDER_AUTH"]),
        ("soft reject", ["GREYLIST"], "GREYLIST", True, ["GREYLIST"]),
        ("soft reject", ["RATELIMITED"], "RATE_LIMIT", True, ["RATE_LIMIT"]),
        ("soft reject", ["MIME_GOOD"], "GREYLIST", None, []),
        ("greylist", [], "GREYLIST", True, []),
        # The greylist module looked at what was then rejected for its score.
        ("reject", ["GREYLIST"], "CONTENT_FILTER", True, ["GREYLIST"]),
        ("reject", ["SPAMTRAP"], "SPAMTRAP", True, ["SPAMTRAP"]),
        ("no action", ["GREYLIST", "RBL_SPAMHAUS_XBL"], None, None, ["DNSBL", "GREYLIST"]),
        ("no action", ["SPAMHAUS_BLOCKED", "RCVD_IN_DNSWL_HI"], None, None, []),
        (None, None, None, None, []),
        ("send to the moon", [], "UNKNOWN", None, []),
    ],
)
def test_countermeasure_of_a_verdict(action, symbols, code, is_antispam, contributing):
    acted = countermeasure_of_verdicts(
        pl.Series([action], dtype=pl.String), pl.Series([symbols], dtype=pl.List(pl.String)), "rspamd"
    )
    assert acted.drop("x1231_strategy_code", "rule_id").row(0) == (code, is_antispam, contributing)


@pytest.mark.parametrize(
    ("engine", "action", "symbols", "code", "is_antispam", "contributing"),
    [
        ("spamassassin", "identified spam", ["RAZOR2_CHECK"], "CONTENT_FILTER", True, ["SIGNATURE_FUZZY"]),
        ("spamassassin", "clean message", ["SPF_FAIL"], None, None, ["SENDER_AUTH"]),
        ("amavis", "Passed SPAM", ["RCVD_IN_XBL"], "CONTENT_FILTER", True, ["DNSBL"]),
        ("amavis", "Blocked INFECTED", ["Eicar-Test-Signature"], "ANTIVIRUS", True, []),
        ("amavis", "Blocked BAD-HEADER", [], "POLICY_SYNTAX", False, []),
        ("amavis", "Blocked CLEAN", [], "DELIVERY_FAILURE", False, []),
        ("amavis", "Passed CLEAN", ["GTUBE"], None, None, ["CONTENT_FILTER"]),
        # Results on the origin are measurements; what failed is named, nothing acted.
        ("opendkim", "fail", ["DKIM_INVALID"], None, None, ["SENDER_AUTH"]),
        ("opendmarc", "fail", ["SPF_FAIL", "DMARC_FAIL", "DMARC_REJECT"], None, None, ["SENDER_AUTH"]),
        ("opendmarc", "pass", ["SPF_PASS", "DMARC_PASS"], None, None, []),
        ("opendmarc", "none", ["SPF_NONE", "DMARC_MISSING"], None, None, []),
    ],
)
def test_countermeasure_of_a_verdict_of_other_engines(
    engine, action, symbols, code, is_antispam, contributing
):
    acted = countermeasure_of_verdicts(
        pl.Series([action], dtype=pl.String), pl.Series([symbols], dtype=pl.List(pl.String)), engine
    )
    assert acted.drop("x1231_strategy_code", "rule_id").row(0) == (code, is_antispam, contributing)


def test_names_of_viruses_are_read_for_types_where_symbols_hold_them():
    symbols = pl.Series([["Win.Ransomware.Locky-1"]], dtype=pl.List(pl.String))
    told = [type_of_verdicts(symbols, engine, "EMAIL") for engine in ("amavis", "rspamd")]
    assert [each["spam_type_code"].to_list() for each in told] == [["MALWARE.ransom"], [None]]


def test_a_mails_subject_tells_its_type_beside_symbols():
    symbols = pl.Series([["DBL_PHISH"], ["BAYES_SPAM"], []], dtype=pl.List(pl.String))
    subject = pl.Series(["You have won a prize", "You have won a prize", None])
    typed = type_of_verdicts(symbols, "rspamd", "EMAIL", subject=subject)
    assert typed["spam_type_code"].to_list()[:2] == ["PHISH.mail", "FRAUD.lottery"]
    assert typed["spam_type_codes"].to_list() == [["FRAUD.lottery", "PHISH.mail"], ["FRAUD.lottery"], []]


def test_what_amavis_banned_is_typed_by_its_action():
    symbols = pl.Series([["BAYES_50"], [], None, []], dtype=pl.List(pl.String))
    action = pl.Series(["Blocked BANNED", "Passed BANNED", "Blocked SPAM", None])
    typed = type_of_verdicts(symbols, "amavis", "EMAIL", action=action)
    assert typed["spam_type_code"].to_list() == ["MALWARE.attach", "MALWARE.attach", None, None]
    assert typed["is_type_strong"].to_list() == [False, False, None, None]
    elsewhere = type_of_verdicts(symbols, "rspamd", "EMAIL", action=action)
    assert elsewhere["spam_type_code"].to_list() == [None] * 4

"""More evidence never makes a message less certainly spam: a filter's spam verdict lowers no count.

What a server and its filters say of a message is brought together in jobs/operators/silver. Each case here is
counted twice under every definition of ref.definition, without and with one more verdict that calls it spam.
"""

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from jobs.base.tables.contracts import polars_schema, reference_table, rows_frame
from jobs.operators.formats import TRANSMISSION, VERDICT, Source, exim
from jobs.operators.formats.spamassassin import FORMAT as spamassassin
from jobs.operators.gold.shared.counting import count_units
from jobs.operators.protect import pseudonym_keys, pseudonyms
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.protect.rules import load_rules
from jobs.operators.silver.assembling import assemble_rows
from jobs.operators.silver.pipeline import make_messages_in_memory
from tests.support.examples import examples

OPERATOR = "lab"
PROTECTION = Protection((OperatorSpace(OPERATOR, "CHE", ("own.example",), (), (), (), key=bytes(32)),), None)
NEWEST = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
AT = dt.datetime(2026, 11, 24, 14, 1, 53, tzinfo=dt.UTC)
ID = "1xVr5l-0000000001j-1Yd3"
DEFINITION = reference_table("ref.definition")


def spam(rows: pl.DataFrame, unit: str = "recipient") -> dict[str, dict[str, int]]:
    """spam_certain of each definition, of each message-id."""
    found = count_units(rows, DEFINITION, ["message_id_hash"]).filter(pl.col("unit_code") == unit)
    told: dict[str, dict[str, int]] = {}
    for name, code, count in found.select("message_id_hash", "definition_code", "spam_certain").iter_rows():
        told.setdefault(name, {})[code] = count
    return told


# --- one message by an Exim server ----------------------------------------------------------------------


def bronze(kernel: Any, lines: list[str], stream: str) -> pl.DataFrame:
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines})
    parsed = kernel.parse(frame, Source(OPERATOR, "f", stream, NEWEST)).collect()
    assert "quarantined" not in parsed["line_code"], parsed.filter(pl.col("reason_code").is_not_null())
    places = {"operator_id": OPERATOR, "source_id": "f", "stream_id": stream}
    placed = parsed.lazy().with_columns(pl.lit(value).alias(name) for name, value in places.items())
    return kernel.assemble(placed).collect()


def of_logs(**logs: list[str]) -> pl.DataFrame:
    """silver.message of the lines of Exim and of spamd."""
    kernels = {"exim": exim, "spamassassin": spamassassin}
    rows = {name: bronze(kernels[name], lines, name) for name, lines in logs.items()}
    transmission, verdict = (
        assemble_rows(table, rows, PROTECTION) for table in ("silver.transmission", "silver.verdict")
    )
    knowledge = pl.DataFrame(schema=polars_schema("silver.operator_knowledge"))
    return make_messages_in_memory(transmission, verdict, knowledge).table_rows("silver.message")


def line(text: str, at: str = "14:01:53") -> str:
    return f"2026-11-24 {at} {ID} {text}"


def sa(action: str, score: str = "1003.7") -> str:
    return line(
        f"SA: Action: {action}: score={score} required=5.0 trigger=12.0 (scanned in 1/1 secs |"
        " Message-Id: m1_other.example). From <win@other.example> (host=NULL [192.0.2.7])"
        " for ann@own.example, bob@own.example"
    )


GTUBE = line(
    "H=(h) [192.0.2.7] F=<win@other.example> rejected after DATA: This message scored 1003.7 spam points."
)
BY_SA_EXIM = line("F=win@other.example H=(h) [192.0.2.7] P=esmtp rejected by local_scan(): Rejected")
ARRIVAL = line("<= win@other.example H=(h) [192.0.2.7] P=esmtp S=812 id=m1@other.example")
TOSSED = [ARRIVAL, line("=> blackhole (local_scan() discarded recipients)"), line("Completed")]
TAKEN = [ARRIVAL, *(line(f"=> {name} <{name}@own.example> R=l T=t") for name in ("ann", "bob"))]
LOGWRITE = "SA: score=1003.7 required=5.0 {}(scanned from=<win@other.example> ip=192.0.2.7)"


def blocked(*lines: str, unit: str = "recipient") -> int:
    """Count the units that a measure of the operator certainly stopped or marked as spam."""
    return sum(found["OPERATOR"] for found in spam(of_logs(exim=list(lines)), unit).values())


@pytest.mark.long
@pytest.mark.parametrize(
    "verdict",
    [
        sa("permanently rejected message"),
        sa("permanently rejected message").replace("score=", "hits="),
        sa("temporarily rejected message"),
        sa("teergrubed sender for 20 secs until it closed the connection"),
        line(LOGWRITE.format("action=reject ")),
        line(LOGWRITE.format("action=moved to the attic ")),
        line(LOGWRITE.format("action=no action ")),
        line(LOGWRITE.format("")),
    ],
)
def test_a_refused_gtube_is_spam_with_and_without_its_verdict(verdict: str) -> None:
    assert blocked(GTUBE) == 1
    # SA-Exim names both recipients.
    assert blocked(verdict, GTUBE) == (2 if " for ann" in verdict else 1)


@pytest.mark.parametrize(
    ("action", "lines", "outcome"),
    [
        ("permanently rejected message", [BY_SA_EXIM], "rejected"),
        (
            "temporarily rejected message",
            [BY_SA_EXIM.replace("rejected by", "temporarily rejected by")],
            "deferred",
        ),
        (
            "teergrubed sender until full configured duration of 900 secs",
            [BY_SA_EXIM.replace("rejected by", "temporarily rejected by")],
            "deferred",
        ),
        ("silently tossed message", TOSSED, "discarded"),
        ("flagged as Spam but accepted", TAKEN, "tagged"),
    ],
)
def test_what_sa_exim_did_is_a_content_filters_work(action: str, lines: list[str], outcome: str) -> None:
    rows = of_logs(exim=[sa(action), *lines])
    assert rows["outcome_code"].to_list() == [outcome] * 2
    assert rows["countermeasure_code"].to_list() == ["CONTENT_FILTER"] * 2
    assert rows["is_antispam"].to_list() == [True, True]
    assert rows["score"].to_list() == [1003.7] * 2


def test_ham_of_sa_exim_stays_ham() -> None:
    rows = of_logs(exim=[sa("scanned but message isn't spam", "-1.2"), *TAKEN])
    assert rows["outcome_code"].to_list() == ["delivered"] * 2
    assert rows["is_antispam"].to_list() == [False, False]


def test_what_spamd_said_is_kept_beside_what_exim_said_of_it() -> None:
    """Exim names the message by its id and the score alone; spamd by its Message-ID, with its rules."""
    spamd = [
        "Tue Nov 24 14:01:53 2026 [77] info: spamd: result: Y 1003 - GTUBE,PHISH_AZURE_CLOUDAPP"
        " scantime=0.2,size=812,user=nobody,uid=1,required_score=5.0,rhost=localhost,raddr=127.0.0.1,"
        "rport=783,mid=<m1@other.example>,autolearn=no"
    ]
    flagged = [sa("flagged as Spam but accepted"), *TAKEN]
    alone, both = of_logs(exim=TAKEN, spamassassin=spamd), of_logs(exim=flagged, spamassassin=spamd)
    assert alone["join_quality_code"].to_list() == ["by_message_id"] * 2
    assert both["join_quality_code"].to_list() == ["exact"] * 2
    types = ("spam_type_code", "spam_type_codes", "is_type_strong", "is_malicious", "engine_types")
    assert alone["spam_type_code"].to_list() != ["UNK", "UNK"]
    assert both.select(types).rows() == alone.select(types).rows()


# --- any message, any verdicts --------------------------------------------------------------------------

MEASURES = load_rules().measures
FILTERS = ("rspamd", "spamassassin", "amavis")
# The actions of each filter that a rule knows, and what sites and versions name otherwise.
ACTIONS = {
    name: [
        *(rule.pattern for rule in MEASURES if rule.match_on == "action" and rule.engine_code == name),
        *("no action", "moved to the attic", None),
    ]
    for name in FILTERS
}
SYMBOLS = [
    *("GTUBE", "BAYES_99", "SPAMTRAP", "GREYLIST", "RATELIMITED", "FUZZY_DENIED", "PHISHED_OPENPHISH"),
    *("R_DKIM_ALLOW", "DMARC_POLICY_REJECT", "CLAM_VIRUS", "URIBL_ABUSE_SURBL", "ADVANCE_FEE_5_NEW"),
    *("DRUGS_ERECTILE", "DBL_PHISH", "NOTHING_KNOWN"),
]
SUBJECTS = [
    None,
    "Cheap viagra",
    "Vote for our party",
    "Your loan is approved",
    "You won the lottery",
    "Hello",
]
NAMES = ["ann@own.example", "bob@own.example", "cat@own.example"]
# How a server's log ends a message: stage, outcome, reply, line.
ENDS = [
    ("delivery", "delivered", None, None),
    ("delivery", "queued", None, None),
    ("delivery", "bounced", "550 5.1.1 User unknown", None),
    ("content", "tagged", None, None),
    (
        "content",
        "discarded",
        "(DATA ACL discarded recipients)",
        "=> blackhole (DATA ACL discarded recipients)",
    ),
    ("content", "quarantined", None, "no immediate delivery: frozen by ACL"),
    ("content", "deferred", "4.7.1 Try again later", "temporarily rejected DATA: greylisted"),
    *(
        ("content", "rejected", reply, f"H=(h) [192.0.2.7] F=<a@b.example> rejected after DATA: {reply}")
        for reply in (
            "This message scored 1003.7 spam points.",
            "This message contains a virus (Eicar)",
            "message too big",
            "we like nobody today",
        )
    ),
    ("envelope", "rejected", "blocked using zen.example", "rejected RCPT <a@b.example>: blocked"),
    ("connect", "deferred", "too many connections", "Connection refused: too many connections"),
]


def said(engine: str, is_spam: st.SearchStrategy[bool | None]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "engine_code": st.just(engine),
            "action": st.sampled_from(ACTIONS[engine]),
            "is_spam": is_spam,
            "symbols": st.lists(st.sampled_from(SYMBOLS), max_size=3, unique=True),
            "subject": st.sampled_from(SUBJECTS),
            "recipients": st.lists(st.sampled_from(NAMES), max_size=3, unique=True),
            "has_queue_id": st.booleans(),
            "minute": st.integers(0, 5),
        }
    )


ANY = st.sampled_from(FILTERS).flatmap(lambda name: said(name, st.sampled_from([True, False, None])))
ORIGIN = st.sampled_from(
    [
        {"engine_code": engine, "action": action, "is_spam": None, "symbols": [], "subject": None}
        | {"recipients": [], "has_queue_id": True, "minute": 3}
        for engine in ("opendkim", "opendmarc")
        for action in ("pass", "fail")
    ]
)
SPAM = st.sampled_from(FILTERS).flatmap(lambda name: said(name, st.just(True)))
MESSAGE = st.fixed_dictionaries(
    {
        "end": st.sampled_from(ENDS),
        "subject": st.sampled_from(SUBJECTS),
        "recipient": st.sampled_from([None, NAMES[0]]),
        "before": st.lists(st.one_of(ANY, ORIGIN), max_size=3),
        "added": SPAM,
        "knows": st.booleans(),
    }
)
Case = dict[str, Any]


def transmissions(cases: list[Case]) -> pl.DataFrame:
    rows = []
    for number, case in enumerate(cases):
        stage, outcome, reply, log_text = case["end"]
        attempt = stage in ("connect", "envelope")
        rows.append(
            {
                "operator_id": OPERATOR,
                "source_id": "f",
                "stream_id": "s",
                "offset": number,
                "format_code": "exim",
                "channel_code": "EMAIL",
                "entry_code": "smtp",
                "grain_code": "attempt" if attempt else "recipient",
                "is_handoff": False,
                "queue": f"mx|Q{number}",
                "queue_id": f"Q{number}",
                "message_id": f"m{number}@b.example",
                # Of one sender, a temporary refusal would fold into what followed it.
                "sender": f"a{number}@b.example",
                "recipient": case["recipient"],
                "client_ip": "192.0.2.7",
                "is_authenticated": False,
                "first_at": AT,
                "last_at": AT + dt.timedelta(minutes=6),
                "stage_code": stage,
                "outcome_code": outcome,
                "reply_text": reply,
                "log_text": log_text,
                "subject": case["subject"],
                "try_count": 1,
                "is_partial": case["recipient"] is None or outcome in ("rejected", "queued"),
            }
        )
    return pl.DataFrame(rows, schema=TRANSMISSION)


def verdicts(cases: list[Case], is_added: bool) -> pl.DataFrame:
    rows = []
    for number, case in enumerate(cases):
        for place, verdict in enumerate([*case["before"], *([case["added"]] if is_added else [])]):
            by_id = verdict["has_queue_id"]
            rows.append(
                {
                    "operator_id": OPERATOR,
                    "source_id": "v",
                    "stream_id": "s",
                    "offset": 10 * number + place,
                    "format_code": "rspamd",
                    "verdict_at": AT + dt.timedelta(minutes=verdict["minute"], seconds=place),
                    "queue_id": f"Q{number}" if by_id else None,
                    "message_id": f"m{number}@b.example",
                    **{name: verdict[name] for name in ("engine_code", "action", "is_spam", "symbols")},
                    **{name: verdict[name] for name in ("subject", "recipients")},
                }
            )
    return pl.DataFrame(rows, schema=VERDICT)


def knowledge(cases: list[Case]) -> pl.DataFrame:
    """Rows of what the operator knows of some messages, all that law asks for: definitions then depend on
    types alone."""
    attributes = {"is_recipient_natural": True, "is_sender_identified": False, "consent_code": "none"}
    rows = [
        {"operator_id": OPERATOR, "period_date": AT.date(), "queue_id": f"Q{number}", **attributes}
        for number, case in enumerate(cases)
        if case["knows"]
    ]
    return rows_frame(rows, "silver.operator_knowledge")


def names(cases: list[Case]) -> list[str]:
    """The pseudonyms of the cases' message-ids."""
    ids = pl.Series([f"m{number}@b.example" for number in range(len(cases))])
    return pseudonym_keys.make_pseudonyms(ids, bytes(32)).to_list()


def count(cases: list[Case], is_added: bool) -> dict[str, dict[str, int]]:
    raw = verdicts(cases, is_added)
    place = pl.concat_str("source_id", "offset", separator=":")
    verdict = pseudonyms.pseudonymise_verdicts(raw, PROTECTION).with_columns(place.alias("verdict_hash"))
    verdict = verdict if verdict.height else pl.DataFrame(schema=polars_schema("silver.verdict"))
    transmission = pseudonyms.pseudonymise_transmissions(transmissions(cases), PROTECTION)
    transmission = transmission.with_columns(place.alias("transmission_hash"))
    rules = reference_table("ref.attribute_rule")
    rows = make_messages_in_memory(transmission, verdict, knowledge(cases), rules).table_rows(
        "silver.message"
    )
    found = spam(rows)
    for name, codes in spam(rows, "attempt").items():
        found.setdefault(name, codes)
    return found


def test_a_filter_that_names_recipients_leaves_a_marked_message_marked() -> None:
    """The server tells of a delivery, and not to whom: what it tells holds for those that a filter names."""
    unnamed = {"is_spam": None, "symbols": [], "subject": None, "recipients": [], "has_queue_id": True}
    marks = unnamed | {"engine_code": "rspamd", "action": "rewrite subject", "minute": 0}
    names_two = {"engine_code": "amavis", "action": "Blocked UNCHECKED", "recipients": NAMES[1:], "minute": 1}
    case = {"end": ENDS[0], "subject": None, "recipient": None, "knows": False}
    case |= {"before": [marks], "added": unnamed | names_two | {"is_spam": True}}
    (alone,) = count([case], is_added=False).values()
    (both,) = count([case], is_added=True).values()
    assert (alone["OPERATOR"], both["OPERATOR"]) == (1, 2)


# What fails is named case by case: nothing is gained by looking for fewer cases that fail.
@pytest.mark.long
@examples(8, phases=[Phase.generate])
@given(st.lists(MESSAGE, min_size=40, max_size=60))
def test_a_spam_verdict_never_makes_a_message_less_certainly_spam(cases: list[Case]) -> None:
    without, added = count(cases, is_added=False), count(cases, is_added=True)
    assert without.keys() == added.keys() and len(without) == len(cases)
    lowered = [
        (case, code, number, added[name].get(code))
        for case, name in zip(cases, names(cases), strict=True)
        for code, number in without[name].items()
        if number > added[name].get(code, 0)
    ]
    assert not lowered

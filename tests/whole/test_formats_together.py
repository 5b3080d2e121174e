"""The whole way for every format that the sample study does not have: what kernels say of the lab's logs
arrives in silver and gold, counted once."""

import collections
import re

import polars as pl
import pytest

from jobs.base.tables.contracts import read_contract
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.build.run import Run
from jobs.operators.silver.frames import SILVER
from tests.support.mixed import LAB

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def work(mixed_run: Run) -> Run:
    return mixed_run


def counts(work: Run, table: str, operator: str, *by: str) -> dict[object, int]:
    rows = work.lake.read(table, where=pl.col("operator_id") == operator).group_by(by).len().rows()
    return {row[0] if len(by) == 1 else row[:-1]: row[-1] for row in rows}


def units(work: Run, operator: str, unit: str) -> dict[tuple[str, str], int]:
    """Gold's units by stage and outcome."""
    rows = work.lake.read("gold.spam_volume_daily").filter(
        pl.col("operator_id") == operator,
        pl.col("unit_code") == unit,
        pl.col("definition_code") == "OPERATOR",
    )
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    for stage, outcome, count in rows.select("stage_code", "outcome_code", "units").rows():
        found[stage, outcome] += count
    return dict(found)


def test_every_table_is_held_to_its_contract(work: Run) -> None:
    # No operator here adds what it knows or has links (tests/operators/formats/test_knowledge.py and
    # tests/operators/gold/test_bypass.py).
    absent = ("silver.operator_knowledge", "gold.bypass_indicator_daily")
    for table in (*SILVER, *GOLD):
        assert work.lake.exists(table) or table in absent, table
        assert work.lake.read(table).columns == read_contract(table).columns


def test_the_ledger_adds_up_and_knows_each_format(work: Run) -> None:
    rows = work.lake.read("bronze.file").to_dicts()
    formats = {(row["source_id"], row["format_code"]) for row in rows}
    assert formats >= {
        ("mainlog", "exim"), ("rejectlog", "exim"), ("spamd", "spamassassin"), ("dmarc", "dmarc"),
        ("complaints", "feedback"), ("mx1", "postfix"), ("history", "rspamd_history"), ("proxy", "kamailio"),
        ("flat", "kamailio_flat"),
        ("bearerbox", "kannel"), ("smsbox", "kannel_smsbox"), ("firewall", "delimited"),
    }  # fmt: skip
    parts = ("record_count", "ignored_count", "quarantined_count")
    for row in rows:
        assert row["line_count"] == sum(row[part] for part in parts), row
    (firewall,) = [row for row in rows if row["source_id"] == "firewall"]
    # The header is ignored; a result that the profile does not name is not guessed at.
    assert tuple(firewall[part] for part in parts) == (3, 1, 1)


def test_exim_is_counted_as_its_kernel_says(work: Run) -> None:
    """47 transmissions: 3 of them are the server's own notices, which are no messages of anyone. Four
    messages that were refused after DATA had two recipients, which the rejectlog names."""
    assert sum(counts(work, "silver.transmission", "exim-lab", "stage_code").values()) == 47
    sent = units(work, "exim-lab", "recipient")
    assert sent[("content", "rejected")] == 10
    assert sent[("content", "discarded")] == 1
    attempts = units(work, "exim-lab", "attempt")
    # 1 at connect, 5 at the envelope, and 1 greylisted that was tried again.
    assert attempts[("connect", "rejected")] == 1
    assert attempts[("envelope", "rejected")] == 5


def test_filters_inside_the_mail_log_have_their_verdicts(work: Run) -> None:
    """spamd 21, Amavis 21, OpenDKIM 22 and OpenDMARC 23 verdicts stand in Postfix's own log."""
    engines = counts(work, "silver.verdict", "postfix-lab", "engine_code")
    assert engines == {"spamassassin": 21, "amavis": 21, "opendkim": 22, "opendmarc": 23, "rspamd": 44}
    assert counts(work, "silver.verdict", "exim-lab", "engine_code")["spamassassin"] == 20 + 40
    joined = counts(work, "silver.message", "postfix-lab", "join_quality_code")
    assert joined["exact"] > 0 and joined["by_message_id"] > 0


def test_each_channel_tells_how_its_rows_were_joined(work: Run) -> None:
    """SMS to their reports, by the SMSC's id or by numbers; calls by their tags or by the Call-ID alone."""
    assert counts(work, "silver.message", "sms-lab", "join_quality_code", "channel_code") == {
        ("exact", "SMS"): 5,
        ("by_numbers", "SMS"): 18,
        # 14 came in, and smsbox refused two requests.
        ("none", "SMS"): 14 + 2,
        ("none", "VOICE_CS"): 3,
    }
    joined = counts(work, "silver.message", "sip-lab", "join_quality_code", "grain_code")
    assert joined[("exact", "call")] == 14
    assert joined[("by_message_id", "call")] == 5


def test_calls_are_counted_as_calls(work: Run) -> None:
    """19 calls, each once, whatever its rows and its logs, which are two; 3 instant messages are no calls."""
    assert sum(units(work, "sip-lab", "call").values()) == 19
    channels = counts(work, "silver.message", "sip-lab", "channel_code", "grain_code")
    assert channels[("VOICE_IP", "call")] == 19
    assert sum(number for (channel, _), number in channels.items() if channel == "IM") == 3
    attested = counts(work, "silver.message", "sip-lab", "attestation_code")
    assert set(attested) - {None} <= {"A", "B", "C"} and len(attested) > 1
    # Calls of the profile's log are of their own channel: two were blocked, one was answered.
    assert units(work, "sms-lab", "call") == {("connect", "rejected"): 2, ("delivery", "delivered"): 1}
    assert counts(work, "silver.message", "sms-lab", "channel_code")["VOICE_CS"] == 3


def test_reports_become_complaints_and_never_messages(work: Run) -> None:
    assert counts(work, "silver.complaint", "sms-lab", "feedback_type_code") == {"sms-7726": 7}
    mails = counts(work, "silver.complaint", "exim-lab", "feedback_type_code")
    assert mails["abuse"] >= 1 and mails["auth-failure"] >= 1
    texts = work.lake.read("bronze.quarantine", where=pl.col("format_code") == "feedback")
    assert set(texts["reason_code"]) == {"no_report"}


def test_a_submitter_whom_only_smsbox_saw_is_on_bearerboxs_rows(work: Run) -> None:
    """All 23 SMS that customers submitted have the address of their request; what came by a link has none."""
    rows = work.lake.read("silver.transmission", where=pl.col("source_id") == "bearerbox")
    known = rows.group_by("entry_code").agg(pl.col("client_hash").count(), pl.len())
    assert {row[0]: row[1:] for row in known.rows()} == {"box": (23, 23), "link": (0, 14), "report": (0, 7)}


def test_dmarc_reports_count_once(work: Run) -> None:
    rows = work.lake.read("silver.authentication_report")
    assert rows["report_hash"].n_unique() == 2
    assert rows["message_count"].sum() > 300


def test_no_identifier_is_past_bronze(work: Run) -> None:
    """Addresses and numbers of the logs are in no decoded value of silver or gold."""
    said = set()
    for name in ("exim/mainlog", "kamailio/kamailio.rfc3164.log", "kannel/bearerbox-access.log"):
        text = (LAB / name).read_text(encoding="utf-8", errors="replace")
        said |= set(re.findall(r"[\w.+-]+@[\w.-]+\w", text)) | set(re.findall(r"\b3579\d{6,}\b", text))
    assert len(said) > 50
    for table in (*SILVER, *GOLD):
        values = work.lake.read(table).to_dicts()
        found = {word for word in said if any(word in str(value) for value in map(repr, values))}
        assert found == set(), table

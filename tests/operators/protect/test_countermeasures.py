"""Countermeasures by ref.countermeasure_rule, on verdicts of the laboratory's filters."""

import polars as pl
import pytest

from jobs.base.core.key_names import KEY
from jobs.operators.formats.amavis import FORMAT as amavis
from jobs.operators.formats.opendkim import FORMAT as opendkim
from jobs.operators.formats.rspamd import FORMAT as rspamd
from jobs.operators.formats.spamassassin import FORMAT as spamassassin
from jobs.operators.protect import countermeasures, pseudonyms
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.protect.rules import MeasureRule, Rules
from tests.support.filter_logs import lab, parse, placed

FILTERS = [spamassassin, amavis, opendkim]


def test_each_engine_is_read_by_its_own_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "key of this test alone, 0123456789")
    mail = lab("postfix/mail.rfc3164.log")
    frames = [
        kernel.verdicts(kernel.assemble(placed(parse(kernel, lines)))).collect()
        for kernel, lines in (
            (rspamd, lab("postfix/rspamd.log")),
            *((companion, mail) for companion in FILTERS),
        )
    ]
    own = OperatorSpace("lab", "CYP", ("example.test",), (), (), ())
    rows = pseudonyms.pseudonymise_verdicts(pl.concat(frames), Protection((own,), None))
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


def measure_rule(match_on: str, pattern: str, priority: int, measure: str) -> MeasureRule:
    return MeasureRule(match_on, "any", match_on, pattern, priority, measure, "blocking", True)


@pytest.mark.parametrize(("priority", "rule"), [(50, "dnsbl_zone"), (51, "reject_text_regex")])
def test_a_rule_on_a_known_zone_decides_up_to_its_priority(priority: int, rule: str) -> None:
    """A text that only says that some list refused gives way to a rule that knows the list."""
    rules = (
        measure_rule("reject_text_regex", "listed", 10, "DNSBL"),
        measure_rule("dnsbl_zone", "zen.example", priority, "IP_REPUTATION"),
    )
    columns = ("format_code", "channel_code", "log_text", "event", "reply_code")
    refusal = dict.fromkeys(columns) | {"reply_text": "listed", "dnsbl_zone": "zen.example"}
    row = pl.DataFrame([refusal | {"format_code": "postfix", "channel_code": "EMAIL"}]).cast(pl.String)
    found = countermeasures.countermeasure_of_refusals(row, Rules((), rules))
    assert found["rule_id"].to_list() == [rule]


@pytest.mark.parametrize(("priority", "rule"), [(19, "symbol"), (20, "action")])
def test_a_symbols_rule_goes_before_its_actions_only_with_a_smaller_priority(
    priority: int, rule: str
) -> None:
    named = measure_rule("symbol", "GREYLIST", priority, "GREYLIST")
    by_action = measure_rule("action", "soft reject", 20, "RATE_LIMIT")
    assert countermeasures.acting_rule("soft reject", [named], (0,), [by_action]) == (
        named if rule == "symbol" else by_action
    )

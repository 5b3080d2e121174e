"""Countermeasures by ref.countermeasure_rule, on verdicts of the laboratory's filters."""

import polars as pl
import pytest

from jobs.base.core.key_names import KEY
from jobs.operators.formats.amavis import FORMAT as amavis
from jobs.operators.formats.opendkim import FORMAT as opendkim
from jobs.operators.formats.rspamd import FORMAT as rspamd
from jobs.operators.formats.spamassassin import FORMAT as spamassassin
from jobs.operators.protect import pseudonyms
from jobs.operators.protect.operators import OperatorSpace, Protection
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

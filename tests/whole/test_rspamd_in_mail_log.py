"""Rspamd's verdicts inside the mail log, as it writes them by syslog, with and without a log of its own: the
same verdicts, each once, whatever the envelope of the lines."""

import datetime as dt
import random
import re
from collections import Counter
from functools import cache
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.formats import registry
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.silver.assembling import assemble_rows
from jobs.operators.silver.frames import MESSAGE
from jobs.operators.silver.pipeline import count_once, make_messages_in_memory
from jobs.operators.sniff.silver import PROTECTION
from tests.operators.silver.test_copies import read, together
from tests.support.examples import examples
from tests.support.filter_logs import lab
from tests.support.samples.forms import Log
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, source_toml

pytestmark = pytest.mark.long

OWN = re.compile(r"^(\S+ \S+) #(\d+)\(\w+\) (<[^>]*>; .*)$")
RSPAMD = lab("postfix/rspamd.log")
FORMS = {
    "rfc3164": "{at:%b} {at.day:>2} {at:%H:%M:%S} mx1 rspamd[{pid}]: {text}",
    "iso8601": "{at:%Y-%m-%dT%H:%M:%S.%f}+00:00 mx1 rspamd[{pid}]: {text}",
    "rfc5424": "<22>1 {at:%Y-%m-%dT%H:%M:%S.%f}+00:00 mx1 rspamd {pid} - - {text}",
}


def by_syslog(line: str, form: str, delay: dt.timedelta = dt.timedelta()) -> str:
    """A line of Rspamd's own log as syslog has it, which stamps it a moment later."""
    stamp, pid, text = OWN.match(line).groups()  # type: ignore[union-attr]
    at = dt.datetime.strptime(stamp[:26], "%Y-%m-%d %H:%M:%S.%f" if "." in stamp else "%Y-%m-%d %H:%M:%S")
    return FORMS[form].format(at=at + delay, pid=pid, text=text)


def mail_log(form: str, verdicts: list[str], seed: int) -> list[str]:
    """A mail log with these lines at random places: no reader needs them in order."""
    choice = random.Random(seed)
    lines = lab(f"postfix/mail.{form}.log")
    places = sorted(choice.randrange(len(lines) + 1) for _ in verdicts)
    for place, line in zip(reversed(places), reversed(verdicts), strict=True):
        lines.insert(place, line)
    return lines


def silver(*files: dict[str, pl.DataFrame]) -> tuple[Counter[str], pl.DataFrame]:
    """Rspamd's verdicts without their place and fractions of a second, and the messages."""
    formats, _ = count_once(together(*files))
    tables = [f"silver.{name}" for name in ("transmission", "verdict", "operator_knowledge")]
    transmission, verdict, knowledge = (assemble_rows(table, formats, PROTECTION) for table in tables)
    message = make_messages_in_memory(transmission, verdict, knowledge).table_rows(MESSAGE)
    said = verdict.filter(engine_code="rspamd").drop("verdict_hash", "source_id", "stream_id", "offset")
    said = said.drop("period_date", "verdict_at")
    return Counter(map(str, said.rows())), message.sort("message_hash", "recipient_hash")


@cache
def read_own() -> dict[str, pl.DataFrame]:
    """Rspamd's own log, read."""
    return read(Log("rspamd", RSPAMD), "filter", "2")


@cache
def silver_of_two(form: str) -> tuple[Counter[str], pl.DataFrame]:
    """Return silver of a mail log without Rspamd's lines and of Rspamd's own log, made once."""
    return silver(read(Log("postfix", lab(f"postfix/mail.{form}.log")), "mx", "1"), read_own())


@pytest.mark.parametrize("form", FORMS)
@examples(4)
@given(seed=st.integers(0, 99), share=st.floats(0, 1), delay=st.integers(0, 2_000_000), beside=st.booleans())
def test_verdicts_by_syslog_are_those_of_its_own_log(
    form: str, seed: int, share: float, delay: int, beside: bool
) -> None:
    """A part of Rspamd's lines, verdicts and others, in the mail log.

    Args:
        beside: its own log has all of them.
    """
    choice = random.Random(seed)
    late = dt.timedelta(microseconds=delay)
    written = [line for line in RSPAMD if OWN.match(line)]
    within = [line for line in written if choice.random() < share] if beside else written
    mail = Log("postfix", mail_log(form, [by_syslog(line, form, late) for line in within], seed))
    own = [read_own()] if beside else []
    verdicts, messages = silver(read(mail, "mx", "1"), *own)
    expected, truth = silver_of_two(form)
    assert verdicts == expected and expected.total() == 50
    # Lines between others move the places that keys without a queue id are made of.
    columns = ["outcome_code", "engine_code", "score", "filter_us", "countermeasure_code", "symbols"]
    columns = [name for name in columns if name in truth.columns]
    assert Counter(messages.select(columns).rows()) == Counter(truth.select(columns).rows())


@pytest.mark.parametrize("form", FORMS)
def test_the_mail_log_is_accounted_for(form: str) -> None:
    """Verdicts among Rspamd's lines are records; nothing is quarantined, whatever the server."""
    lines = [by_syslog(line, form) for line in RSPAMD if OWN.match(line)]
    for name in ("postfix", "exim", "sendmail"):
        rows = read(Log(name, [*lines, "Nov 24 14:16:12 mx1 other[1]: x rspamd_task_write_log: id: <a>"]))
        assert rows["rspamd"].height == 50
    assert (
        registry.recognise_format("\n".join([*lab(f"postfix/mail.{form}.log"), *lines]).encode())[0]
        == "postfix"
    )
    # Where hardly a line is the server's, too.
    servers = [line for line in lab(f"postfix/mail.{form}.log") if " postfix" in line]
    few = [*lines, *servers[:40]]
    assert registry.recognise_format("\n".join(few).encode())[0] == "postfix"


def test_a_mail_log_that_is_named_rspamd_is_refused(tmp_path: Path) -> None:
    """Four in five of its lines would be quarantined, and no mail in it counted."""
    own = "\n".join(RSPAMD) + "\n"
    lines = [by_syslog(line, "rfc3164") for line in RSPAMD if OWN.match(line)]
    mail = "\n".join(mail_log("rfc3164", lines, 1))
    (tmp_path / "mail.log").write_text(mail + "\n")
    (tmp_path / "rspamd.log").write_text(own)
    toml = operator_toml(
        *("mx", "Mail", "CHE", "lab", "CHF", MAIL_NETWORK),
        source_toml("mail", str(tmp_path / "mail.log"), "rspamd"),
        source_toml("own", str(tmp_path / "rspamd.log"), "rspamd"),
    )
    (tmp_path / "observatory.toml").write_text('[lake]\nroot = "lake"\n\n' + toml)
    settings = load_with_options(tmp_path / "observatory.toml", lake_root=str(tmp_path / "lake"))
    pulled = pull_operator(settings.operator[0], settings.lake.root, dt.datetime.now(dt.UTC))
    assert pulled.pieces == 1
    (problem,) = pulled.problems
    assert f"{tmp_path}/mail.log is a log of postfix, and the source names rspamd: it is left out" in problem
    assert 'Set format = "postfix"' in problem

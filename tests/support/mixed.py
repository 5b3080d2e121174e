"""Every format of lines or documents that the lab has, in one lake: four operators and their logs."""

import datetime as dt
import shutil
from pathlib import Path

from jobs.base.settings import config
from jobs.base.store.lake import Lake
from jobs.operators.build.run import Run
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs.runner import run_stages
from tests.conftest import ROOT
from tests.support.whole_runs import CYPRIOT_MOBILE, MAIL_NETWORK, operator_toml, source_toml

LAB = ROOT / "sample_data" / "lab"
REPORTS = ROOT / "tests" / "data" / "reports"
SETTINGS = "\n".join(
    [
        '[lake]\nroot = "lake"\n\n[limits]\nquarantined_pct = 60\n',
        operator_toml(
            *("exim-lab", "Exim lab", "CHE", "lab", "CHF", MAIL_NETWORK),
            source_toml("mainlog", "exim/mainlog", "exim"),
            source_toml("rejectlog", "exim/rejectlog", "exim"),
            source_toml("spamd", "exim/spamd.log", "auto"),
            source_toml("dmarc", "reports/rfc*.xml", "dmarc"),
            source_toml("complaints", "reports/*.eml", "feedback"),
        ),
        operator_toml(
            *("postfix-lab", "Postfix lab", "CHE", "lab", "CHF", MAIL_NETWORK),
            source_toml("mx1", "postfix/mail.iso8601.log", "auto"),
            source_toml("history", "postfix/rspamd_history_redis.jsonl", "auto"),
        ),
        operator_toml(
            *("sip-lab", "SIP lab", "CYP", "sip", "EUR", CYPRIOT_MOBILE),
            source_toml("proxy", "kamailio/kamailio.rfc3164.log", "auto"),
            # The same proxy's calls once more.
            source_toml(
                *("flat", "kamailio/acc_flat/*.log", "kamailio_flat"),
                '{ columns = ["src_user", "src_ip", "dst_user", "dst_domain"] }',
            ),
        ),
        operator_toml(
            *("sms-lab", "SMS lab", "CYP", "sms", "EUR", CYPRIOT_MOBILE),
            source_toml("bearerbox", "kannel/bearerbox-access.log", "auto"),
            source_toml("smsbox", "kannel/smsbox-access.log", "auto"),
            source_toml("firewall", "calls.csv", "delimited", '{ profile = "profile.toml" }'),
        ),
    ]
)
# A profile as a user writes one, and the log that it is of.
PROFILE = """
name = "call_records"
description = "Calls of a switch"
channel = "VOICE_CS"
delimiter = ";"
header = true
columns = ["start", "from", "to", "result"]

[field]
first_at = { column = "start", formats = ["%Y-%m-%d %H:%M:%S"] }
sender = { column = "from" }
recipient = { column = "to" }

[outcome]
columns = "result"
default = "quarantine"

[[outcome.rule]]
is = ["OK"]
stage = "delivery"
outcome = "delivered"

[[outcome.rule]]
is = ["BLOCKED"]
stage = "connect"
outcome = "rejected"
"""
CALLS = """start;from;to;result
2026-11-24 10:00:00;35722000001;35799000001;OK
2026-11-24 10:00:05;35722000002;35799000002;BLOCKED
2026-11-24 10:00:09;35722000002;35799000003;BLOCKED
2026-11-24 10:00:11;35722000003;35799000004;LOST
"""


def mixed_settings(folder: Path) -> config.Observatory:
    """The settings, kept as folder/observatory.toml; their logs are still to come."""
    folder.mkdir(exist_ok=True)
    (folder / "profile.toml").write_text(PROFILE)
    (folder / "observatory.toml").write_text(SETTINGS)
    return load_with_options(folder / "observatory.toml", lake_root=str(folder / "lake"))


def mixed_logs(folder: Path) -> None:
    """All logs and reports, whole, where the settings look for them."""
    for name in ("exim", "postfix", "kamailio", "kannel"):
        shutil.copytree(LAB / name, folder / name)
    shutil.copytree(REPORTS, folder / "reports")
    (folder / "calls.csv").write_text(CALLS)
    # The mail log comes by way of a log host, which wrapped a part of the lines once more.
    log = folder / "postfix" / "mail.iso8601.log"
    log.write_bytes(by_relay(log.read_bytes()))


def by_relay(log: bytes) -> bytes:
    """A log of which a relay wrapped two lines in three, by two renderings."""
    outer = (b"Nov 24 23:59:58 loghost ", b"2026-11-24T23:59:59+00:00 loghost ", b"")
    return b"".join(outer[number % 3] + line for number, line in enumerate(log.splitlines(keepends=True)))


def pull_mixed(settings: config.Observatory, may_miss: bool = False) -> None:
    """Pull everything.

    Args:
        may_miss: a source may have no file yet.
    """
    now = dt.datetime.now(dt.UTC)
    for operator in settings.operator:
        problems = pull_operator(operator, settings.lake.root, now).problems
        assert [each for each in problems if not (may_miss and "no file matches" in each)] == []


def run_mixed(settings: config.Observatory) -> Run:
    """Pull and run everything."""
    pull_mixed(settings)
    lake, operators = Lake(settings.lake.root), list(settings.operator)
    work = Run(lake, settings, operators, "mixed", report_step=lambda text: None)
    run_stages(work)
    return work

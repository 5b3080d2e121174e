"""Every format of lines or documents that the lab has, in one lake: four operators and their logs."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

from pyspark.sql import SparkSession

from jobs import config
from jobs.lake import Lake
from jobs.pull import pull
from jobs.runner import Run, run
from tests.conftest import ROOT

LAB = ROOT / "sample_data" / "lab"
REPORTS = ROOT / "tests" / "formats" / "reports"
SETTINGS = """
[lake]
root = "lake"

[limits]
quarantined_pct = 60

[[operator]]
id = "exim-lab"
name = "Exim lab"
country = "CHE"
holding = "lab"
currency = "CHF"
domains = ["example.test"]
networks = ["127.0.0.0/8"]
[[operator.source]]
id = "mainlog"
url = "exim/mainlog"
format = "exim"
[[operator.source]]
id = "rejectlog"
url = "exim/rejectlog"
format = "exim"
[[operator.source]]
id = "spamd"
url = "exim/spamd.log"
format = "auto"
[[operator.source]]
id = "dmarc"
url = "reports/rfc*.xml"
format = "dmarc"
[[operator.source]]
id = "complaints"
url = "reports/*.eml"
format = "feedback"

[[operator]]
id = "postfix-lab"
name = "Postfix lab"
country = "CHE"
holding = "lab"
currency = "CHF"
domains = ["example.test"]
networks = ["127.0.0.0/8"]
[[operator.source]]
id = "mx1"
url = "postfix/mail.iso8601.log"
format = "auto"
[[operator.source]]
id = "history"
url = "postfix/rspamd_history_redis.jsonl"
format = "auto"

[[operator]]
id = "sip-lab"
name = "SIP lab"
country = "CYP"
holding = "sip"
currency = "EUR"
number_prefixes = ["+3579"]
[[operator.source]]
id = "proxy"
url = "kamailio/kamailio.rfc3164.log"
format = "auto"
# The same proxy's calls once more.
[[operator.source]]
id = "flat"
url = "kamailio/acc_flat/*.log"
format = "kamailio_flat"
options = { columns = ["src_user", "src_ip", "dst_user", "dst_domain"] }

[[operator]]
id = "sms-lab"
name = "SMS lab"
country = "CYP"
holding = "sms"
currency = "EUR"
number_prefixes = ["+3579"]
[[operator.source]]
id = "bearerbox"
url = "kannel/bearerbox-access.log"
format = "auto"
[[operator.source]]
id = "smsbox"
url = "kannel/smsbox-access.log"
format = "auto"
[[operator.source]]
id = "firewall"
url = "calls.csv"
format = "delimited"
options = { profile = "profile.toml" }
"""
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
    return config.load(folder / "observatory.toml", lake_root=str(folder / "lake"))


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
    """Pull everything. may_miss: a source may have no file yet."""
    now = dt.datetime.now(dt.UTC)
    for operator in settings.operator:
        problems = pull(operator, settings.lake.root, now).problems
        assert [each for each in problems if not (may_miss and "no file matches" in each)] == []


def run_mixed(spark: SparkSession, settings: config.Observatory) -> Run:
    """Pull and run everything."""
    pull_mixed(settings)
    lake, operators = Lake(spark, settings.lake.root), list(settings.operator)
    work = Run(lake, settings, operators, "mixed", say=lambda text: None)
    run(work)
    return work

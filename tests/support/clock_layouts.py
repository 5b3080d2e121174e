"""Mail in the logs of a server and of its filters, each by a clock and in a zone of its own."""

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import polars as pl

from jobs.base.tables.contracts import polars_schema
from jobs.operators.formats import Source
from jobs.operators.formats.registry import FORMATS
from jobs.operators.ingest.clock import correct_times
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.silver.assembling import assemble_rows
from jobs.operators.silver.frames import MESSAGE
from jobs.operators.silver.pipeline import count_once, make_messages_in_memory
from tests.support.filter_logs import frame_of

OPERATOR = "a"
PROTECTION = Protection(
    (OperatorSpace(OPERATOR, "", ("own.example",), ("127.0.0.0/8",), (), (), key=bytes(32)),), None
)
UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class Mail:
    """A mail that came in at a time, and so many seconds later went through the filters."""

    number: int
    at: dt.datetime
    lag_s: int

    @property
    def queue_id(self) -> str:
        return f"4c{self.number:04X}AA"

    @property
    def message_id(self) -> str:
        return f"m{self.number}@c.example"

    @property
    def is_spam(self) -> bool:
        return self.number % 3 == 0


@dataclass(frozen=True)
class Log:
    """A log as it was written, and the settings that it is read by."""

    name: str
    kind: str
    zone: str = "UTC"
    ahead_s: int = 0
    time_zone: str = "UTC"
    clock_offset: int = 0

    @property
    def format(self) -> str:
        return KINDS[self.kind][0]

    def clock(self, at: dt.datetime) -> dt.datetime:
        """Return the time that the host's clock shows."""
        return (at + dt.timedelta(seconds=self.ahead_s)).astimezone(ZoneInfo(self.zone))

    def is_plain(self, at: dt.datetime) -> bool:
        """Return whether the clock shows this time once."""
        shown = self.clock(at)
        return shown.utcoffset() == shown.replace(fold=1 - shown.fold).utcoffset()


def bsd(at: dt.datetime) -> str:
    return f"{at:%b} {at.day:2d} {at:%H:%M:%S} mx1"


def iso(at: dt.datetime) -> str:
    return f"{at.isoformat(timespec='seconds')} mx1"


def plain(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def postfix(stamp: Callable[[dt.datetime], str], mail: Mail, log: Log) -> list[str]:
    first, last = (stamp(log.clock(mail.at + dt.timedelta(seconds=after))) for after in (0, mail.lag_s))
    id = mail.queue_id
    return [
        f"{first} postfix/smtpd[7]: {id}: client=c.example[192.0.2.9]",
        f"{first} postfix/cleanup[8]: {id}: message-id=<{mail.message_id}>",
        f"{first} postfix/qmgr[9]: {id}: from=<a@c.example>, size=900, nrcpt=1 (queue active)",
        f"{last} postfix/local[9]: {id}: to=<b@own.example>, relay=local, delay=0.1, delays=0/0/0/0,"
        " dsn=2.0.0, status=sent (delivered to mailbox)",
        f"{last} postfix/qmgr[9]: {id}: removed",
    ]


def exim(mail: Mail, log: Log) -> list[str]:
    first, last = (plain(log.clock(mail.at + dt.timedelta(seconds=after))) for after in (0, mail.lag_s))
    id = f"1xVr{mail.number // 62 % 62:02d}-0000000{mail.number:04d}-1V8v"
    return [
        f"{first} {id} <= a@c.example H=c.example [192.0.2.9] P=esmtp S=900 id={mail.message_id}",
        f"{last} {id} => b@own.example R=local T=local_delivery",
        f"{last} {id} Completed",
    ]


def sendmail(mail: Mail, log: Log) -> list[str]:
    first, last = (bsd(log.clock(mail.at + dt.timedelta(seconds=after))) for after in (0, mail.lag_s))
    id = f"xAOC{mail.number:04d}02{mail.number:04d}"
    return [
        f"{first} sm-mta[7]: {id}: from=<a@c.example>, size=900, class=0, nrcpts=1, msgid="
        f"<{mail.message_id}>, proto=ESMTP, daemon=MTA, relay=c.example [192.0.2.9]",
        f"{last} sm-mta[8]: {id}: to=<b@own.example>, delay=00:00:01, xdelay=00:00:01, mailer=local, pri=308,"
        " dsn=2.0.0, stat=Sent",
    ]


def filtered(mail: Mail, log: Log) -> dt.datetime:
    return log.clock(mail.at + dt.timedelta(seconds=mail.lag_s // 2))


def rspamd(mail: Mail, log: Log) -> list[str]:
    flag, action = ("T", "add header") if mail.is_spam else ("F", "no action")
    return [
        f"{plain(filtered(mail, log))} #12(normal) <a{mail.number:05d}>; task; rspamd_task_write_log: id:"
        f" <{mail.message_id}>, qid: <{mail.queue_id}>, ip: 192.0.2.9, from: <a@c.example>, (default: {flag}"
        f" ({action}): [1.50/15.00] [R_NA(0.00){{}}]), len: 812, time: 7.125ms, dns req: 3, digest:"
        f" <{mail.number:04x}>, rcpts: <b@own.example>, mime_rcpts: <b@own.example>"
    ]


def rspamd_history(mail: Mail, log: Log) -> list[str]:
    row = {
        "size": 812, "score": 1.5, "required_score": 15, "time_real": 0.007, "ip": "192.0.2.9",
        "action": "add header" if mail.is_spam else "no action", "sender_smtp": "a@c.example",
        "rcpt_smtp": ["b@own.example"], "message-id": mail.message_id, "subject": "x", "user": "unknown",
        "unix_time": int(filtered(mail, log).timestamp()),
        "symbols": {"R_NA": {"name": "R_NA", "score": 0, "options": []}},
    }  # fmt: skip
    return [json.dumps(row)]


def spamassassin(mail: Mail, log: Log) -> list[str]:
    stamp = f"{filtered(mail, log):%a %b %d %H:%M:%S %Y} [{mail.number}] info: spamd:"
    said, flag = ("identified spam", "Y") if mail.is_spam else ("clean message", ".")
    return [
        f"{stamp} {said} (12.5/5.0) for filter:106 in 0.7 seconds, 895 bytes.",
        f"{stamp} result: {flag} 12 - RDNS_NONE scantime=0.7,size=895,user=filter,uid=106,required_score=5.0,"
        f"rhost=mx1,raddr=127.0.0.1,rport=36202,mid=<{mail.message_id}>,autolearn=no",
    ]


def amavis(mail: Mail, log: Log) -> list[str]:
    said = "Passed SPAM {RelayedTaggedInbound}" if mail.is_spam else "Passed CLEAN {RelayedInbound}"
    return [
        f"{bsd(filtered(mail, log))} amavis[113]: ({mail.number:05d}-01) {said}, [192.0.2.9]:39500"
        f" [192.0.2.9] <a@c.example> -> <b@own.example>, Queue-ID: {mail.queue_id}, Message-ID:"
        f" <{mail.message_id}>, mail_id: 7Hf7, Hits: 12.5, size: 529, 257 ms"
    ]


def opendmarc(mail: Mail, log: Log) -> list[str]:
    return [f"{iso(filtered(mail, log))} opendmarc[79]: {mail.queue_id}: c.example fail"]


# The format of each kind of log, its lines, and whether its stamps are of a local clock alone.
KINDS: dict[str, tuple[str, Callable[[Mail, Log], list[str]], bool]] = {
    "postfix iso": ("postfix", lambda mail, log: postfix(iso, mail, log), False),
    "postfix bsd": ("postfix", lambda mail, log: postfix(bsd, mail, log), True),
    "exim": ("exim", exim, True),
    "sendmail": ("sendmail", sendmail, True),
    "rspamd": ("rspamd", rspamd, True),
    "rspamd_history": ("rspamd_history", rspamd_history, False),
    "spamassassin": ("spamassassin", spamassassin, True),
    "amavis": ("amavis", amavis, True),
    "opendmarc": ("opendkim", opendmarc, False),
}
SERVERS = ("postfix iso", "postfix bsd", "exim", "sendmail")
# Filters that find the mail of each server by the ids that both log.
FILTERS = {
    "postfix iso": ("rspamd", "rspamd_history", "spamassassin", "amavis", "opendmarc"),
    "postfix bsd": ("rspamd", "rspamd_history", "spamassassin", "amavis", "opendmarc"),
    "exim": ("rspamd_history", "spamassassin"),
    "sendmail": ("rspamd_history", "spamassassin"),
}


def lines_of(log: Log, mails: Sequence[Mail]) -> list[str]:
    return [line for mail in mails for line in KINDS[log.kind][1](mail, log)]


def bronze_of(log: Log, mails: Sequence[Mail], parts: int = 1) -> pl.DataFrame:
    """The log's bronze rows, of so many files, read by its settings."""
    kernel = FORMATS[log.format]
    frames = []
    size = -(-len(mails) // parts)
    for number in range(parts):
        some = mails[number * size : (number + 1) * size]
        if not some:
            continue
        newest = log.clock(some[-1].at).replace(tzinfo=UTC) + dt.timedelta(days=2)
        source = Source(OPERATOR, log.name, f"{log.name}{number}", newest, log.time_zone, log.clock_offset)
        told = kernel.parse(frame_of(lines_of(log, some)).lazy(), source).collect()
        records = correct_times(told.filter(pl.col("line_code") == "record"), log.clock_offset)
        assert records.height
        placed = records.with_columns(
            operator_id=pl.lit(OPERATOR), source_id=pl.lit(log.name), stream_id=pl.lit(source.stream_id)
        )
        frames.append(kernel.assemble(placed.lazy()).collect())
    return pl.concat(frames)


def silver_of(
    logs: Sequence[Log], mails: Sequence[Mail], parts: int = 1
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """silver.transmission, silver.verdict and silver.message of all logs."""
    formats: dict[str, list[pl.DataFrame]] = {}
    for log in logs:
        formats.setdefault(log.format, []).append(bronze_of(log, mails, parts))
    whole, _ = count_once({name: pl.concat(frames) for name, frames in formats.items()})
    sent, said = (
        assemble_rows(table, whole, PROTECTION) for table in ("silver.transmission", "silver.verdict")
    )
    facts = pl.DataFrame(schema=polars_schema("silver.operator_knowledge"))
    return sent, said, make_messages_in_memory(sent, said, facts).table_rows(MESSAGE)


def counts(found: pl.DataFrame) -> list[tuple[object, ...]]:
    """Count messages by outcome, with the filters whose verdicts joined. The verdict that stands depends on
    their order, and so on a few seconds."""
    engines = pl.col("engine_types").list.eval(pl.element().struct.field("engine_code")).list.join(" ")
    by = found.with_columns(engines.alias("engines")).group_by("outcome_code", "join_quality_code", "engines")
    return sorted(by.len().rows(), key=str)


def unshifted(log: Log) -> Log:
    return replace(log, zone="UTC", ahead_s=0, time_zone="UTC", clock_offset=0)

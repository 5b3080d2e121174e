"""The logs of real servers in sample_data/lab, by format."""

from jobs.operators.formats.registry import COMPANIONS, FORMATS, hosts_of

# Each log with its format; tests/operators/formats/test_registry.py recognises all.
LAB_LOGS = {
    "exim/mainlog": "exim",
    "exim/rejectlog": "exim",
    "exim/spamd.log": "spamassassin",
    "jasmin/messages.log": "jasmin",
    "kamailio/acc_flat/acc_129.log": "kamailio_flat",
    "kamailio/acc_flat/acc_130.log": "kamailio_flat",
    "kamailio/acc_flat/missed_calls_129.log": "kamailio_flat",
    "kamailio/acc_flat/missed_calls_130.log": "kamailio_flat",
    "kamailio/kamailio.rfc3164.log": "kamailio",
    "kannel/bearerbox-access.log": "kannel",
    "kannel/smsbox-access.log": "kannel_smsbox",
    "postfix/clickhouse_posts.txt": "rspamd_clickhouse",
    "postfix/mail.iso8601.log": "postfix",
    "postfix/mail.rfc3164.log": "postfix",
    "postfix/mail.rfc5424.log": "postfix",
    "postfix/opendmarc.history": "opendmarc_history",
    "postfix/rspamd.log": "rspamd",
    "postfix/rspamd_history_redis.jsonl": "rspamd_history",
    "servers/logs/exim.mainlog": "exim",
    "servers/logs/exim.rejectlog": "exim",
    "servers/logs/postfix.log": "postfix",
    "servers/logs/sendmail-2.log": "sendmail",
    "servers/logs/sendmail.log": "sendmail",
}


def logs_by_format() -> dict[str, list[str]]:
    """The logs that hold lines of each format; a companion's lines stand in the logs of another."""
    found: dict[str, list[str]] = {}
    for log, name in LAB_LOGS.items():
        for each in (name, *(other.name for other in COMPANIONS if name in hosts_of(other))):
            if each in FORMATS:
                found.setdefault(each, []).append(log)
    return found


LOGS = logs_by_format()

"""Lines of Amavis."""

import re

from tests.support.filter_logs import lab
from tests.support.samples.forms import IP, NUMBER, TEXT, VERDICT, Canaries, Log, Samples, syslog


def amavis(
    n: int,
    sender: str = "news@shop.example",
    recipient: str = "ann@isp.example",
    ip: str = "192.0.2.10",
    header_ip: str = "192.0.2.10",
    message_id: str = "m@shop.example",
    queue: str = "4cYqAB",
    quarantine: str = "X/spam-X1.gz",
    subject: str = "hello",
) -> str:
    return syslog(
        n, "amavis[113]", f"({n:05d}-01) Blocked SPAM {{DiscardedInbound,Quarantined}}, [{ip}]:39500"
        f" [{header_ip}] <{sender}> -> <{recipient}>, quarantine: {quarantine}, Queue-ID: {queue},"
        f" Message-ID: <{message_id}>, mail_id: 7Hf7, Hits: 12.5, size: 529, Subject: \"{subject}\","
        " Tests: [BAYES_99=3.5,RDNS_NONE=0.8], 257 ms",
    )  # fmt: skip


SAMPLES = Samples(
    canaries=(
        Canaries(
            "amavis",
            amavis,
            VERDICT | {"header_ip": IP, "queue": NUMBER[:1], "quarantine": TEXT[1:], "subject": TEXT},
            "silver.verdict",
            within="postfix",
        ),
    ),
    # What syslog gives a file of its own.
    files={
        "amavis": Log(
            "amavis",
            [line for line in lab("postfix/mail.iso8601.log") if re.search(r" amavis\[\d+\]: ", line)],
        )
    },
)

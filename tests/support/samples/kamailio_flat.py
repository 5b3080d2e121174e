"""Kamailio's accounting in flat files."""

from tests.support.filter_logs import lab
from tests.support.samples.forms import (
    ADDRESS,
    HOST,
    ID,
    IP,
    IPV4,
    NOON,
    NUMBER,
    SIP,
    TEXT,
    WORD,
    Canaries,
    Log,
    Samples,
)


def kamailio_flat(
    n: int,
    src_user: str = "+35799000009",
    src_ip: str = "192.0.2.10",
    dst_user: str = "desk",
    dst_domain: str = "isp.example",
    call: str = "",
    reason: str = "Forbidden",
) -> str:
    return (
        f"INVITE|f1|t1|{call or f'flat{n}@sip.example'}|403|{reason}|{NOON + 2 * n}"
        f"|{src_user}|{src_ip}|{dst_user}|{dst_domain}\n"
    )


SAMPLES = Samples(
    canaries=(
        Canaries(
            "kamailio_flat",
            kamailio_flat,
            {
                "src_user": (*NUMBER, *WORD, *ADDRESS[:9], *SIP),
                "src_ip": IP,
                "dst_user": (*NUMBER, *WORD, *ADDRESS[:9], *SIP),
                "dst_domain": (*HOST, *IPV4),
                "call": ID,
                "reason": TEXT[1:],
            },
            options='{ columns = ["src_user", "src_ip", "dst_user", "dst_domain"] }',
        ),
    ),
    logs={
        "kamailio_flat": Log(
            "kamailio_flat",
            lab("kamailio/acc_flat/acc_129.log"),
            {"columns": ["src_user", "src_ip", "dst_user", "dst_domain"]},
        )
    },
)

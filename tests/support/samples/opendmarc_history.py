"""OpenDMARC's history."""

from tests.support.filter_logs import lab
from tests.support.samples.forms import ADDRESS, HOST, IP, NOON, NUMBER, Canaries, Log, Samples


def opendmarc_history(
    n: int,
    job: str = "",
    ip: str = "192.0.2.10",
    header: str = "shop.example",
    sender: str = "shop.example",
    reports: str = "mailto:rua@shop.example",
    signer: str = "shop.example",
) -> str:
    return (
        f"job {job or f'4cYsX{n:05d}z1fQ'}\nreporter mx1.isp.example\nreceived {NOON + n}\nipaddr {ip}\n"
        f"from {header}\nmfrom {sender}\ndkim {signer} k1 0\nspf 0\npdomain {header}\npolicy 15\n"
        f"rua {reports}\npct 100\nadkim 114\naspf 114\np 113\nsp 0\nalign_dkim 5\nalign_spf 4\narc 7\n"
        "arc_policy 2 json:[]\naction 2\n"
    )


SAMPLES = Samples(
    canaries=(
        Canaries(
            "opendmarc_history",
            opendmarc_history,
            {
                "job": NUMBER[:1],
                "ip": IP,
                "header": HOST,
                "sender": HOST,
                "reports": ADDRESS[:1],
                "signer": HOST,
            },
            "silver.verdict",
            ("reports",),
            suffix=".history",
        ),
    ),
    logs={"opendmarc_history": Log("opendmarc_history", lab("postfix/opendmarc.history"))},
    joins_records=True,
)

"""Logs of spamd."""

from tests.support.filter_logs import lab
from tests.support.samples.forms import ADDRESS, HOST, ID, IP, NUMBER, WORD, Canaries, Log, Samples, at


def spamassassin(
    n: int, user: str = "filter", host: str = "mx1", ip: str = "127.0.0.1", message_id: str = "m@shop.example"
) -> str:
    stamp = f"{at(n):%a %b %d %H:%M:%S %Y} [{n}] info: spamd:"
    return (
        f"{stamp} identified spam (12.5/5.0) for {user}:106 in 0.7 seconds, 895 bytes.\n"
        f"{stamp} result: Y 12 - BAYES_99,RDNS_NONE scantime=0.7,size=895,user={user},uid=106,"
        f"required_score=5.0,rhost={host},raddr={ip},rport=36202,mid=<{message_id}>,autolearn=no\n"
    )


SAMPLES = Samples(
    canaries=(
        Canaries(
            "spamassassin",
            spamassassin,
            {"user": (*WORD, *ADDRESS[:1], *NUMBER[:1]), "host": HOST, "ip": IP, "message_id": ID},
            "silver.verdict",
            ("host", "ip"),
        ),
    ),
    logs={"spamassassin": Log("spamassassin", lab("exim/spamd.log"))},
)

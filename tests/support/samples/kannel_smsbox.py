"""Access logs of Kannel's smsbox."""

from tests.support.filter_logs import lab
from tests.support.samples.forms import IPV4, LINK, NUMBER, TEXT, WORD, Canaries, Log, Samples, at


def kannel_smsbox(
    n: int,
    account: str = "seller",
    sender: str = "SHOP",
    ip: str = "192.0.2.10",
    recipient: str = "35799000004",
    text: str = "hello",
) -> str:
    return (
        f"{at(n):%Y-%m-%d %H:%M:%S} send-SMS request added - sender:{account}:{sender} {ip}"
        f" target:{recipient} request: '{text}'\n"
    )


SAMPLES = Samples(
    canaries=(
        Canaries(
            "kannel_smsbox",
            kannel_smsbox,
            {"account": LINK, "sender": (*NUMBER, *WORD), "ip": IPV4, "recipient": NUMBER, "text": TEXT},
            options="{ bearerbox = false }",
        ),
    ),
    logs={"kannel_smsbox": Log("kannel_smsbox", lab("kannel/smsbox-access.log"), {"bearerbox": False})},
)

"""Exim's logs."""

from tests.support.filter_logs import lab
from tests.support.samples.forms import ADDRESS, HOST, IP, SENT, TEXT, Canaries, Log, Samples, at


def exim(
    n: int,
    sender: str = "news@shop.example",
    recipient: str = "ann@isp.example",
    name: str = "mail.shop.example",
    ip: str = "192.0.2.10",
    relay: str = "mx.other.example",
    relay_ip: str = "203.0.113.9",
    message_id: str = "m@shop.example",
    account: str = "seller",
    subject: str = "hello",
    reply: str = "queued",
    scanned: str = "news@shop.example",
) -> str:
    id = f"1xVr{n % 62:02d}-0000000{n:04d}-1V8v"
    stamp = f"{at(n):%Y-%m-%d %H:%M:%S}"
    return (
        f"{stamp} {id} SA: score=1.3 required=5.0 action=no action (scanned from=<{scanned}> ip={ip})\n"
        f"{stamp} {id} <= {sender} H={name} [{ip}] P=esmtpa A=plain:{account} S=438 id={message_id}"
        f' T="{subject}"\n'
        f'{stamp} {id} => {recipient} R=dnslookup T=remote_smtp H={relay} [{relay_ip}] C="250 Ok {reply}"\n'
        f"{stamp} {id} Completed\n"
    )


def exim_refused(
    n: int,
    sender: str = "news@shop.example",
    recipient: str = "ann@isp.example",
    helo: str = "mail.shop.example",
    ip: str = "192.0.2.10",
    text: str = "listed",
) -> str:
    return (
        f"{at(n):%Y-%m-%d %H:%M:%S} H=({helo}) [{ip}] F=<{sender}> rejected RCPT <{recipient}>:"
        f" rejected because {ip} is in a black list at zen.list.example: {text}\n"
    )


SAMPLES = Samples(
    canaries=(
        Canaries("exim", exim, SENT | {"subject": TEXT, "scanned": ADDRESS}),
        Canaries(
            "exim_refused",
            exim_refused,
            {"sender": ADDRESS, "recipient": ADDRESS, "helo": HOST, "ip": IP, "text": TEXT},
            format="exim",
        ),
    ),
    logs={
        "exim": Log("exim", lab("exim/mainlog")),
        "exim, rejectlog": Log("exim", lab("exim/rejectlog")),
    },
    joins_records=True,
)

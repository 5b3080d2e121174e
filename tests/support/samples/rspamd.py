"""Rspamd's task log."""

from tests.support.filter_logs import lab
from tests.support.samples.forms import ADDRESS, ID, VERDICT, Canaries, Log, Samples, at


def rspamd(
    n: int,
    sender: str = "news@shop.example",
    recipient: str = "ann@isp.example",
    ip: str = "192.0.2.10",
    message_id: str = "m@shop.example",
    queue: str = "4cYqAA",
    account: str = "seller",
    option: str = "shop.example",
    digest: str = "00ff",
) -> str:
    return (
        f"{at(n):%Y-%m-%d %H:%M:%S} #12(normal) <a{n:05d}>; task; rspamd_task_write_log: id: <{message_id}>,"
        f" qid: <{queue}>, ip: {ip}, user: {account}, from: <{sender}>, (default: F (no action):"
        f" [1.50/15.00] [DMARC_POLICY_ALLOW(-0.50){{{option};}}]), len: 812, time: 7.125ms, dns req: 3,"
        f" digest: <{digest}>, rcpts: <{recipient}>, mime_rcpts: <{recipient}>\n"
    )


SAMPLES = Samples(
    canaries=(
        Canaries(
            "rspamd",
            rspamd,
            VERDICT | {"queue": ID, "account": ADDRESS, "option": ADDRESS, "digest": ID[2:]},
            "silver.verdict",
            ("option",),
        ),
    ),
    logs={"rspamd": Log("rspamd", [text for text in lab("postfix/rspamd.log") if "task_write_log" in text])},
)

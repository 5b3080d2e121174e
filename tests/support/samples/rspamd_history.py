"""Rspamd's history."""

import json

from tests.support.filter_logs import lab
from tests.support.samples.forms import (
    ADDRESS,
    NOON,
    NUMBER,
    TELLING_NAME,
    TEXT,
    VERDICT,
    Canaries,
    Log,
    Samples,
)


def rspamd_history(
    n: int,
    sender: str = "news@shop.example",
    recipient: str = "ann@isp.example",
    ip: str = "192.0.2.10",
    message_id: str = "m@shop.example",
    account: str = "seller",
    subject: str = "hello",
    option: str = "shop.example",
    symbol: str = "R_NA",
    action: str = "add header",
) -> str:
    row = {
        "size": 812, "score": 1.5, "required_score": 15, "time_real": 0.007125, "action": action,
        "sender_smtp": sender, "rcpt_smtp": [recipient], "message-id": message_id, "ip": ip,
        "unix_time": NOON + n, "symbols": {symbol: {"name": symbol, "score": 0, "options": [option]}},
        "user": account, "subject": subject,
    }  # fmt: skip
    return json.dumps(row, ensure_ascii=False) + "\n"


SAMPLES = Samples(
    canaries=(
        Canaries(
            "rspamd_history",
            rspamd_history,
            VERDICT
            | {
                "account": ADDRESS,
                "subject": TEXT,
                "option": ADDRESS,
                "symbol": TELLING_NAME,
                "action": (*TEXT, *NUMBER[:1]),
            },
            "silver.verdict",
            ("option",),
            suffix=".jsonl",
        ),
    ),
    logs={"rspamd_history": Log("rspamd_history", lab("postfix/rspamd_history_redis.jsonl"))},
    joins_records=True,
)

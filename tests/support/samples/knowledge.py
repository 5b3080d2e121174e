"""A register of consent, and what else an operator knows beside its logs."""

import csv
import io

from tests.support.samples.forms import ADDRESS, ID, NUMBER, SENDER, WORD, Canaries, Log, Samples

KNOWLEDGE = "day,queue_id,message_id,sender,recipient,is_bulk"


def knowledge(n: int, **told: str) -> str:
    values = {"day": "2026-11-24", "is_bulk": "true"} | (told or {"sender": f"s{n}@shop.example"})
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([values.get(name, "") for name in KNOWLEDGE.split(",")])
    return text.getvalue()


SAMPLES = Samples(
    canaries=(
        Canaries(
            "knowledge",
            knowledge,
            {
                "queue_id": (*ID, *WORD),
                "message_id": ID,
                "sender": (*SENDER, *ADDRESS),
                "recipient": (*NUMBER, *ADDRESS),
            },
            "silver.operator_knowledge",
            head=KNOWLEDGE + "\n",
            suffix=".csv",
        ),
    ),
    files={
        "register": Log(
            "knowledge",
            [
                "day,sender,recipient,consent_code",
                *(f"2026-11-2{day},news@shop.example,ann@isp.example,express" for day in (3, 4, 4)),
                "2026-11-24,news@shop.example,bob@isp.example,no such code",
            ],
        )
    },
)

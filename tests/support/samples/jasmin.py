"""Jasmin's messages.log."""

from typing import Any

from tests.support.samples.forms import ID, LINK, NUMBER, SENDER, TEXT, Canaries, Log, Samples, at, times


def jasmin(
    n: int,
    link: str = "HUB",
    queue: str = "",
    smsc: str = "0A1",
    sender: str = "SHOP",
    recipient: str = "35799000005",
    text: str = "hello",
) -> str:
    return (
        f"{at(n):%Y-%m-%d %H:%M:%S} INFO     4711 SMS-MT [cid:{link}] [queue-msgid:{queue or f'q{n}'}]"
        f" [smpp-msgid:b'{smsc}'] [status:CommandStatus.ESME_ROK] [prio:0]"
        " [dlr:RegisteredDeliveryReceipt.SMSC_DELIVERY_RECEIPT_REQUESTED] [validity:none]"
        f" [from:b'{sender}'] [to:b'{recipient}'] [content:b'{text}'] [tlvs:none]\n"
    )


def jasmin_delivery(n: int, smsc: str = "", state: str = "UNDELIV", code: str = "011") -> str:
    """An SMS and the report of its delivery."""
    smsc = smsc or f"A{n}"
    return jasmin(n + 4000, queue=f"d{n}", smsc=smsc) + (
        f"{at(n + 4001):%Y-%m-%d %H:%M:%S} INFO     4711 DLR [cid:HUB] [smpp-msgid:{smsc}] [status:{state}]"
        " [submit date:2611241200] [done date:2611241201] [sub/dlvrd messages:001/001]"
        f" [err:{code}] [content:b'hello']\n"
    )


NO_TLVS = " [tlvs:none]"


def line(body: str, at: str = "14:00:00", level: str = "INFO") -> str:
    stamp = at if " " in at else f"2026-11-24 {at}"
    return f"{stamp} {level:8} 4711 {body}"


def mt(at: str = "14:00:00", tail: str = NO_TLVS, **fields: Any) -> str:
    """An accepted SMS-MT."""
    given = {
        "cid": "HUB-1",
        "qid": "5c2b-77",
        "smsc": "b'0A1'",
        "dlr": "RegisteredDeliveryReceipt.SMSC_DELIVERY_RECEIPT_REQUESTED",
        "sender": "b'SHOP'",
        "to": "b'35799000001'",
        "content": "b'hello'",
    } | fields
    return line(
        "SMS-MT [cid:{cid}] [queue-msgid:{qid}] [smpp-msgid:{smsc}] [status:CommandStatus.ESME_ROK] [prio:0]"
        " [dlr:{dlr}] [validity:none] [from:{sender}] [to:{to}] [content:{content}]".format(**given)
        + tail,
        at,
    )


def error(status: str = "ESME_RTHROTTLED", retry: str = "False", at: str = "14:00:00", **fields: Any) -> str:
    """An SMS-MT that the SMSC refused."""
    given = {"qid": "5c2b-77", "content": "b'hello'"} | fields
    return line(
        "SMS-MT [cid:HUB-1] [queue-msgid:{qid}] [status:ERROR/CommandStatus.{status}] [retry:{retry}]"
        " [prio:0] [dlr:RegisteredDeliveryReceipt.NO_SMSC_DELIVERY_RECEIPT_REQUESTED] [validity:none]"
        " [from:b'SHOP']"
        " [to:b'35799000001'] [content:{content}]".format(status=status, retry=retry, **given),
        at,
    )


def mo(at: str = "14:00:00", status: str = "[status:CommandStatus.ESME_ROK]", **fields: Any) -> str:
    given = {"to": "b'7726'", "content": "b'hello'"} | fields
    rest = " [prio:PriorityFlag.LEVEL_0] [validity:None]" if status.startswith("[status") else ""
    queue = " [queue-msgid:9f-1]" if rest else ""
    return line(
        f"SMS-MO [cid:OPERATOR-A]{queue} {status}{rest} [from:b'+35799000009'] [to:{given['to']}]"
        f" [content:{given['content']}]",
        at,
    )


def dlr(state: str = "DELIVRD", at: str = "14:00:05", smsc: str = "A1", cid: str = "HUB-1") -> str:
    return line(
        f"DLR [cid:{cid}] [smpp-msgid:{smsc}] [status:{state}] [submit date:2611241400]"
        f" [done date:2611241400] [sub/dlvrd messages:001/001] [err:011] [content:b'hello']",
        at,
    )


def expired(qid: str = "5c2b-77", at: str = "14:00:40") -> str:
    """An SMS-MT whose validity ended before it was sent."""
    return line(f"Discarding expired message[{qid}]: expiration is 2026-11-24 14:00:30", at)


def aged(qid: str = "5c2b-77", state: str = "bound", word: str = "Discarding") -> str:
    """An SMS-MT that waited too long for a connector that is down, or waits on."""
    age = "over-aged 1300 seconds." if word == "Discarding" else "aged 30 seconds."
    return line(
        f"SMPPC [cid:HUB-1] is not {state}: {word} (#4) SubmitSmPDU[{qid}], {age}", "14:00:41", "ERROR"
    )


LOST_PART = line(
    "Received the last part (msg_ref_num:7) and did not find all parts in redis, data lost !", level="WARNING"
)


BROKEN = line(
    "Rejecting SubmitSmPDU[5c2b-77] through [cid:HUB-1] for an unknown error (<class 'KeyError'>): 'x'",
    "14:00:42",
    "CRITICAL",
)


SAMPLES = Samples(
    canaries=(
        Canaries(
            "jasmin",
            jasmin,
            {"link": LINK, "queue": ID, "smsc": ID, "sender": SENDER, "recipient": NUMBER, "text": TEXT},
        ),
        Canaries(
            "jasmin_delivery",
            jasmin_delivery,
            {"smsc": ID, "state": NUMBER[:1], "code": NUMBER[:1]},
            format="jasmin",
        ),
    ),
    logs={
        "jasmin": Log(
            "jasmin",
            [
                text
                for number, at in enumerate(times(40))
                for text in (
                    mt(at, qid=f"q-{number}", smsc=f"b'{number:03}'"),
                    mo(at, content=f"b'text {number % 3}'"),
                    error(qid=f"e-{number // 2}", at=at),
                )
            ],
        )
    },
    files={
        "jasmin": Log(
            "jasmin",
            [
                *(mt(), error(qid="5c2b-78"), mt(at="14:00:09", qid="5c2b-79")),
                *(expired("5c2b-80"), aged("5c2b-81"), LOST_PART),
            ],
        )
    },
    joins_records=True,
)

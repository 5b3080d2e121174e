"""Logs of SMS."""

from __future__ import annotations

from jobs.formats.delimited_profile_files import profile_of
from tests.support.canaries.forms import ADDRESS, ID, IP, IPV4, LINK, NUMBER, SENDER, TEXT, WORD, Log, at


def kannel(
    n: int,
    sender: str = "SHOP",
    recipient: str = "35799000001",
    smsc: str = "HUB",
    service: str = "seller",
    account: str = "seller",
    text: str = "hello",
    foreign: str = "",
    meta: str = "",
) -> str:
    return (
        f"{at(n):%Y-%m-%d %H:%M:%S} Sent SMS [SMSC:{smsc}] [SVC:{service}] [ACT:{account}] [BINF:]"
        f" [FID:{foreign}] [META:?smpp?{meta}] [from:{sender}] [to:{recipient}] [flags:-1:0:-1:-1:31]"
        f" [msg:{len(text)}:{text}] [udh:0:]\n"
    )


def kannel_delivery(
    n: int,
    sender: str = "SHOP",
    recipient: str = "",
    state: str = "UNDELIV",
    foreign: str = "",
    code: str = "011",
) -> str:
    """An SMS and the report of its delivery."""
    recipient, foreign = recipient or f"3579900{n:04d}", foreign or f"f{n}"
    text = (
        f"id:{foreign} sub:001 dlvrd:000 submit date:2611241200 done date:2611241201 stat:{state} err:{code}"
    )
    shared = f"[SMSC:HUB] [SVC:seller] [ACT:] [BINF:] [FID:{foreign}]"
    return (
        f"{at(n):%Y-%m-%d %H:%M:%S} Sent SMS {shared} [META:] [from:{sender}] [to:{recipient}]"
        " [flags:-1:0:-1:-1:31] [msg:5:hello] [udh:0:]\n"
        f"{at(n + 1):%Y-%m-%d %H:%M:%S} Receive DLR {shared} [META:?orig_msg?dlr_mask=31&] [from:{sender}]"
        f" [to:{recipient}] [flags:-1:-1:-1:-1:2] [msg:{len(text)}:{text}] [udh:0:]\n"
    )


def kannel_report(n: int, reporter: str = "", text: str = "35799000003 buy melons") -> str:
    """A subscriber reports an SMS to 7726."""
    reporter = reporter or f"3579901{n:04d}"
    return (
        f"{at(n):%Y-%m-%d %H:%M:%S} Receive SMS [SMSC:HUB] [SVC:] [ACT:] [BINF:] [FID:] [META:?smpp?]"
        f" [from:{reporter}] [to:7726] [flags:-1:0:-1:0:-1] [msg:{len(text)}:{text}] [udh:0:]\n"
    )


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


FIREWALL = (
    *("time", "direction", "calling", "called", "peer", "system_id", "remote", "smsc", "imsi"),
    *("message_ref", "segment", "segments", "octets", "rule", "action", "cause", "text"),
)


def firewall(n: int, **told: str) -> str:
    values = {
        "time": f"{at(n):%Y-%m-%d %H:%M:%S}", "direction": "MT", "calling": "+35799000009",
        "called": "+35799000006", "peer": "HUB", "system_id": "seller", "remote": "192.0.2.10",
        "smsc": "HUB", "message_ref": f"r{n}", "segment": "1", "segments": "1", "octets": "5",
        "rule": "none", "action": "REJECT", "cause": "27", "text": "hello",
    } | told  # fmt: skip
    return ";".join(values.get(name, "") for name in FIREWALL) + "\n"


RESTCOMM = profile_of({"profile": "restcomm"}).columns


def restcomm(n: int, **told: str) -> str:
    """A line of Restcomm's cdr.log, whose last texts are quoted."""
    quoted = ("FIRST_20_CHARACTERS_OF_SMS", "REASON_FOR_FAILURE")
    values = {
        "DELIVERY_DATE": f"{at(n):%Y-%m-%d %H:%M:%S}.250", "SUBMIT_DATE": f"{at(n):%Y-%m-%d %H:%M:%S}.001",
        "ADDR_SRC_DIGITS": "35799000009", "ADDR_DST_DIGITS": "35799000001",
        "MESSAGE_DELIVERY_STATUS": "failed", "ORIGINATION_TYPE": "SMPP", "MESSAGE_TYPE": "message",
        "ORIG_SYSTEM_ID": "seller", "MESSAGE_ID": f"{n}", "MSG_PARTS": "1",
        "FIRST_20_CHARACTERS_OF_SMS": "hello", "REASON_FOR_FAILURE": "no route",
    } | told  # fmt: skip
    cells = {name: f'"{value}"' if name in quoted else value for name, value in values.items()}
    return ",".join(cells.get(name, "null") for name in RESTCOMM) + "\n"


LOGS = (
    Log(
        "kannel",
        kannel,
        {
            "sender": SENDER,
            "recipient": NUMBER,
            "smsc": LINK,
            "service": LINK,
            "account": (*LINK, *ADDRESS[:1]),
            "text": TEXT,
            "foreign": ID,
            "meta": TEXT[1:],
        },
        unread=("meta",),
    ),
    Log(
        "kannel_delivery",
        kannel_delivery,
        {"sender": SENDER, "recipient": NUMBER, "state": NUMBER[:1], "foreign": ID, "code": NUMBER[:1]},
        format="kannel",
    ),
    Log(
        "kannel_report",
        kannel_report,
        {"reporter": NUMBER, "text": (*TEXT, *NUMBER, *ADDRESS[:1])},
        "silver.complaint",
        format="kannel",
    ),
    Log(
        "kannel_smsbox",
        kannel_smsbox,
        {"account": LINK, "sender": (*NUMBER, *WORD), "ip": IPV4, "recipient": NUMBER, "text": TEXT},
        options="{ bearerbox = false }",
    ),
    Log(
        "jasmin",
        jasmin,
        {"link": LINK, "queue": ID, "smsc": ID, "sender": SENDER, "recipient": NUMBER, "text": TEXT},
    ),
    Log(
        "jasmin_delivery",
        jasmin_delivery,
        {"smsc": ID, "state": NUMBER[:1], "code": NUMBER[:1]},
        format="jasmin",
    ),
    Log(
        "restcomm",
        restcomm,
        {
            "ADDR_SRC_DIGITS": SENDER,
            "ADDR_DST_DIGITS": NUMBER,
            "ORIG_SYSTEM_ID": LINK,
            "MESSAGE_ID": ID,
            "FIRST_20_CHARACTERS_OF_SMS": TEXT,
            "REASON_FOR_FAILURE": TEXT,
        },
        format="delimited",
        options='{ profile = "restcomm" }',
    ),
    Log(
        "firewall",
        firewall,
        {
            "calling": SENDER,
            "called": NUMBER,
            "peer": LINK,
            "system_id": LINK,
            "remote": IP,
            "smsc": LINK,
            "imsi": NUMBER[:1],
            "message_ref": ID,
            "rule": TEXT,
            "text": TEXT,
            "cause": (*NUMBER, *TEXT, *ADDRESS[:1], *IP),
        },
        unread=("imsi",),
        format="delimited",
        options='{ profile = "sms_firewall" }',
        head=";".join(FIREWALL) + "\n",
    ),
)

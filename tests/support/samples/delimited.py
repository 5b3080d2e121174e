"""Delimited logs: Restcomm's SMS, a firewall's, and a switch's calls."""

from jobs.operators.formats.delimited.profile_files import profile_of
from tests.support.samples.forms import (
    ADDRESS,
    ID,
    IP,
    LINK,
    NUMBER,
    SENDER,
    TEXT,
    Canaries,
    Log,
    Samples,
    at,
    times,
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
    return ",".join(cells.get(name, "null") for name in columns_of("restcomm")) + "\n"


def columns_of(name: str) -> list[str]:
    return profile_of({"profile": name}).columns


def cdr(status: str = "success", at: str = "13:47:05", **fields: str) -> str:
    """A line of Restcomm's cdr.log: 35 columns, of which the last texts are quoted."""
    values = {
        "DELIVERY_DATE": f"2026-11-24 {at}.250",
        "SUBMIT_DATE": "2026-11-24 13:47:03.001",
        "ADDR_SRC_DIGITS": "35799000009",
        "ADDR_DST_DIGITS": "35799000001",
        "MESSAGE_DELIVERY_STATUS": status,
        "ORIGINATION_TYPE": "SMPP",
        "MESSAGE_TYPE": "message",
        "ORIG_SYSTEM_ID": "bulkco",
        "MESSAGE_ID": "1001",
        "MSG_PARTS": "1",
        "FIRST_20_CHARACTERS_OF_SMS": '"hello"',
        "REASON_FOR_FAILURE": '""',
    } | fields
    columns = columns_of("restcomm")
    assert set(values) <= set(columns)
    return ",".join(values.get(column, "null") for column in columns)


def verdict(action: str = "ALLOW", **fields: str) -> str:
    values = {
        "time": "2026-11-24 13:47:05",
        "direction": "MT",
        "calling": "+35799000009",
        "called": "0035799000001",
        "peer": "HUB-1",
        "action": action,
    } | fields
    return ";".join(values.get(column, "") for column in columns_of("sms_firewall"))


SAMPLES = Samples(
    canaries=(
        Canaries(
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
        Canaries(
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
    ),
    logs={
        # By a profile of its own (tests/operators/silver/test_copies.py).
        "delimited": Log(
            "delimited",
            [
                f"2026-11-24 {at};3572200000{n % 3};3579900000{n % 7};{'OK' if n % 2 else 'BLOCKED'}"
                for n, at in enumerate(times(40))
            ],
            {"profile": "calls"},
        )
    },
    files={"restcomm": Log("delimited", [cdr(), cdr("failed", at="13:47:09")], {"profile": "restcomm"})},
)

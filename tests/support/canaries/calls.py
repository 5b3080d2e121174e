"""Records of calls."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import json

from tests.support.canaries.forms import (
    ADDRESS,
    HOST,
    ID,
    IP,
    IPV4,
    LINK,
    NOON,
    NUMBER,
    SIP,
    TEXT,
    WORD,
    Log,
    at,
    syslog,
    within,
)


def kamailio(
    n: int,
    src_user: str = "shop",
    src_domain: str = "shop.example",
    src_ip: str = "192.0.2.10",
    dst_ouser: str = "desk",
    dst_domain: str = "isp.example",
    from_uri: str = "",
    to_uri: str = "",
    call: str = "",
    tag: str = "f1",
    ua: str = "Telephone/1",
    reason: str = "Forbidden",
    link: str = "HUB",
    account: str = "seller",
    identity: str = "",
) -> str:
    source = f";from_uri={from_uri}" if from_uri else f";src_user={src_user};src_domain={src_domain}"
    target = f";to_uri={to_uri}" if to_uri else f";dst_ouser={dst_ouser};dst_domain={dst_domain}"
    return syslog(
        n, "kamailio[26]", "NOTICE: acc [acc.c:288]: acc_log_request(): ACC: call missed:"
        f" timestamp={NOON + 2 * n};method=INVITE;from_tag={tag};to_tag=t1"
        f";call_id={call or f'c{n}@sip.example'};code=403;reason={reason}"
        f"{source};src_ip={src_ip}{target};in_gw={link};cust={account};ua={ua}"
        f";ident={identity}",
        host="sip1",
    )  # fmt: skip


def passport(orig: str, origid: str) -> str:
    """A PASSporT that nobody signed."""
    parts = (
        {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": "https://cert.example/c.pem"},
        {"attest": "C", "dest": {"tn": ["35722000001"]}, "iat": NOON, "orig": {"tn": orig}, "origid": origid},
    )
    coded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join(coded) + ".AAAA"


def signed_call(n: int, orig: str = "35799000009", origid: str = "gate-1") -> str:
    return kamailio(n + 4000, identity=passport(orig, origid), call=f"signed{n}@sip.example")


def kamailio_flat(
    n: int,
    src_user: str = "+35799000009",
    src_ip: str = "192.0.2.10",
    dst_user: str = "desk",
    dst_domain: str = "isp.example",
    call: str = "",
    reason: str = "Forbidden",
) -> str:
    return (
        f"INVITE|f1|t1|{call or f'flat{n}@sip.example'}|403|{reason}|{NOON + 2 * n}"
        f"|{src_user}|{src_ip}|{dst_user}|{dst_domain}\n"
    )


def asterisk(
    n: int,
    account: str = "seller",
    src: str = "35799000009",
    dst: str = "35722000003",
    context: str = "from-pstn",
    clid: str = '"Shop" <35799000009>',
    channel: str = "SIP/HUB-0000063a",
    dstchannel: str = "SIP/200-0000063b",
    data: str = "SIP/200,20",
    user_field: str = "",
    unique: str = "",
) -> str:
    start = at(n)
    end = start + dt.timedelta(seconds=30)
    row = [
        account, src, dst, context, clid, channel, dstchannel, "Dial", data, f"{start:%Y-%m-%d %H:%M:%S}",
        f"{start:%Y-%m-%d %H:%M:%S}", f"{end:%Y-%m-%d %H:%M:%S}", 30, 30, "ANSWERED", "DOCUMENTATION",
        unique or f"1798000000.{n}", user_field,
    ]  # fmt: skip
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerow(row)
    return text.getvalue()


LOGS = (
    Log(
        "kamailio",
        kamailio,
        {
            "src_user": (*NUMBER, *WORD),
            "src_domain": (*HOST, *IPV4),
            "src_ip": IP,
            "dst_ouser": (*NUMBER, *WORD),
            "dst_domain": (*HOST, *IPV4),
            "from_uri": SIP[1:2] + SIP[4:5],
            "to_uri": SIP[1:2] + SIP[4:5],
            "call": ID,
            "tag": ID,
            "ua": TEXT[1:],
            "reason": TEXT[1:],
            "link": LINK,
            "account": ADDRESS[:1],
        },
        options='{ extras = { inbound_link = ["in_gw"], account = ["cust"] } }',
    ),
    Log(
        "kamailio_signed",
        signed_call,
        {"orig": NUMBER, "origid": (*ID, *WORD)},
        unread=("orig",),
        format="kamailio",
    ),
    Log(
        "kamailio_flat",
        kamailio_flat,
        {
            "src_user": (*NUMBER, *WORD, *ADDRESS[:9], *SIP),
            "src_ip": IP,
            "dst_user": (*NUMBER, *WORD, *ADDRESS[:9], *SIP),
            "dst_domain": (*HOST, *IPV4),
            "call": ID,
            "reason": TEXT[1:],
        },
        options='{ columns = ["src_user", "src_ip", "dst_user", "dst_domain"] }',
    ),
    Log(
        "asterisk",
        asterisk,
        {
            "account": ADDRESS[:1],
            "src": (*NUMBER, *WORD, *ADDRESS[:9], *SIP),
            "dst": (*NUMBER, *WORD, *ADDRESS[:9], *SIP),
            "context": LINK,
            "clid": TEXT[:1],
            "channel": within("SIP/{}-0000063a", (*LINK, *IPV4, *ADDRESS[:1])),
            "dstchannel": within("SIP/{}-0000063a", (*LINK, *IPV4, *ADDRESS[:1])),
            "data": SIP,
            "user_field": TEXT,
            "unique": ID,
        },
        suffix=".csv",
    ),
)

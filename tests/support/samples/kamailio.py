"""Kamailio's accounting by syslog."""

import base64
import json

from tests.support.filter_logs import lab
from tests.support.samples.forms import (
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
    Canaries,
    Log,
    Samples,
    syslog,
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


SAMPLES = Samples(
    canaries=(
        Canaries(
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
        Canaries(
            "kamailio_signed",
            signed_call,
            {"orig": NUMBER, "origid": (*ID, *WORD)},
            unread=("orig",),
            format="kamailio",
        ),
    ),
    logs={"kamailio": Log("kamailio", lab("kamailio/kamailio.rfc3164.log"))},
)

"""What filters of mail say."""

from __future__ import annotations

import json

from tests.support.canaries.forms import (
    ADDRESS,
    HOST,
    ID,
    IP,
    NOON,
    NUMBER,
    TELLING_NAME,
    TEXT,
    VERDICT,
    WORD,
    Log,
    at,
    syslog,
)


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


CLICKHOUSE = (
    *("Date", "TS", "From", "MimeFrom", "IP", "Helo", "Score", "NRcpt", "Size", "IsWhitelist", "IsBayes"),
    *("IsFuzzy", "IsFann", "IsDkim", "IsDmarc", "IsSpf", "NUrls", "Action", "CustomAction", "FromUser"),
    *("MimeUser", "RcptUser", "RcptDomain", "SMTPRecipients", "MimeRecipients", "MessageId", "ListId"),
    *("Subject", "AuthUser", "ScanTimeReal", "Symbols.Names", "Symbols.Options"),
)


def rspamd_clickhouse(
    n: int,
    user: str = "news",
    domain: str = "shop.example",
    recipient: str = "ann@isp.example",
    ip: str = "192.0.2.10",
    helo: str = "mail.shop.example",
    message_id: str = "m@shop.example",
    account: str = "seller",
    subject: str = "hello",
    symbol: str = "R_NA",
    option: str = "shop.example",
    action: str = "",
) -> str:
    told = {
        "Date": "2026-11-24", "TS": str(NOON + n), "From": domain, "MimeFrom": domain, "IP": ip, "Helo": helo,
        "Score": "1.5", "NRcpt": "1", "Size": "812", "IsWhitelist": "unknown", "IsBayes": "unknown",
        "IsFuzzy": "unknown", "IsFann": "unknown", "IsDkim": "allow", "IsDmarc": "allow", "IsSpf": "allow",
        "NUrls": "0", "Action": "custom" if action else "no action", "CustomAction": action, "FromUser": user,
        "MimeUser": user, "RcptUser": "", "RcptDomain": "", "SMTPRecipients": f"['{recipient}']",
        "MimeRecipients": f"['{recipient}']", "MessageId": message_id, "Subject": subject,
        "AuthUser": account, "ScanTimeReal": "7", "Symbols.Names": f"['{symbol}']",
        "Symbols.Options": f"['{option}']",
    }  # fmt: skip
    return "\t".join(told.get(name, "") for name in CLICKHOUSE) + "\n"


def spamassassin(
    n: int, user: str = "filter", host: str = "mx1", ip: str = "127.0.0.1", message_id: str = "m@shop.example"
) -> str:
    stamp = f"{at(n):%a %b %d %H:%M:%S %Y} [{n}] info: spamd:"
    return (
        f"{stamp} identified spam (12.5/5.0) for {user}:106 in 0.7 seconds, 895 bytes.\n"
        f"{stamp} result: Y 12 - BAYES_99,RDNS_NONE scantime=0.7,size=895,user={user},uid=106,"
        f"required_score=5.0,rhost={host},raddr={ip},rport=36202,mid=<{message_id}>,autolearn=no\n"
    )


def amavis(
    n: int,
    sender: str = "news@shop.example",
    recipient: str = "ann@isp.example",
    ip: str = "192.0.2.10",
    header_ip: str = "192.0.2.10",
    message_id: str = "m@shop.example",
    queue: str = "4cYqAB",
    quarantine: str = "X/spam-X1.gz",
    subject: str = "hello",
) -> str:
    return syslog(
        n, "amavis[113]", f"({n:05d}-01) Blocked SPAM {{DiscardedInbound,Quarantined}}, [{ip}]:39500"
        f" [{header_ip}] <{sender}> -> <{recipient}>, quarantine: {quarantine}, Queue-ID: {queue},"
        f" Message-ID: <{message_id}>, mail_id: 7Hf7, Hits: 12.5, size: 529, Subject: \"{subject}\","
        " Tests: [BAYES_99=3.5,RDNS_NONE=0.8], 257 ms",
    )  # fmt: skip


def opendkim(n: int, domain: str = "shop.example", signer: str = "shop.example") -> str:
    id = f"4cYrX{n:05d}z1fQ"
    return (
        syslog(
            n, "opendkim[77]", f"{id}: key retrieval failed (s=k1, d={signer}): 'k1._domainkey.{signer}' gone"
        )
        + syslog(n, "opendmarc[79]", f"{id}: SPF(mailfrom): {domain} pass")
        + syslog(n, "opendmarc[79]", f"{id}: {domain} fail")
    )


def opendmarc_history(
    n: int,
    job: str = "",
    ip: str = "192.0.2.10",
    header: str = "shop.example",
    sender: str = "shop.example",
    reports: str = "mailto:rua@shop.example",
    signer: str = "shop.example",
) -> str:
    return (
        f"job {job or f'4cYsX{n:05d}z1fQ'}\nreporter mx1.isp.example\nreceived {NOON + n}\nipaddr {ip}\n"
        f"from {header}\nmfrom {sender}\ndkim {signer} k1 0\nspf 0\npdomain {header}\npolicy 15\n"
        f"rua {reports}\npct 100\nadkim 114\naspf 114\np 113\nsp 0\nalign_dkim 5\nalign_spf 4\narc 7\n"
        "arc_policy 2 json:[]\naction 2\n"
    )


LOGS = (
    Log(
        "rspamd",
        rspamd,
        VERDICT | {"queue": ID, "account": ADDRESS, "option": ADDRESS, "digest": ID[2:]},
        "silver.verdict",
        ("option",),
    ),
    Log(
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
    Log(
        "rspamd_clickhouse",
        rspamd_clickhouse,
        {
            "user": (*WORD, *NUMBER),
            "domain": HOST,
            "recipient": ADDRESS,
            "ip": IP,
            "helo": HOST,
            "message_id": ID,
            "account": ADDRESS,
            "subject": TEXT,
            "symbol": TELLING_NAME,
            "option": ADDRESS,
            "action": (*TEXT, *NUMBER[:1]),
        },
        "silver.verdict",
        ("option", "helo"),
        options=f'{{ columns = "{",".join(CLICKHOUSE)}" }}',
        suffix=".tsv",
    ),
    Log(
        "spamassassin",
        spamassassin,
        {"user": (*WORD, *ADDRESS[:1], *NUMBER[:1]), "host": HOST, "ip": IP, "message_id": ID},
        "silver.verdict",
        ("host", "ip"),
    ),
    Log(
        "amavis",
        amavis,
        VERDICT | {"header_ip": IP, "queue": NUMBER[:1], "quarantine": TEXT[1:], "subject": TEXT},
        "silver.verdict",
        within="postfix",
    ),
    Log(
        "opendkim",
        opendkim,
        {"domain": HOST, "signer": HOST},
        "silver.verdict",
        ("signer",),
        within="postfix",
    ),
    Log(
        "opendmarc_history",
        opendmarc_history,
        {"job": NUMBER[:1], "ip": IP, "header": HOST, "sender": HOST, "reports": ADDRESS[:1], "signer": HOST},
        "silver.verdict",
        ("reports",),
        suffix=".history",
    ),
)

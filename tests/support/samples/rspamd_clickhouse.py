"""Rspamd's rows for ClickHouse."""

from tests.support.filter_logs import lab
from tests.support.samples.forms import (
    ADDRESS,
    HOST,
    ID,
    IP,
    NOON,
    NUMBER,
    TELLING_NAME,
    TEXT,
    WORD,
    Canaries,
    Log,
    Samples,
)

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


SAMPLES = Samples(
    canaries=(
        Canaries(
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
    ),
    logs={"rspamd_clickhouse": Log("rspamd_clickhouse", lab("postfix/clickhouse_posts.txt"))},
)

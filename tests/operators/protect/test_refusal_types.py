"""jobs.operators.protect.refusal_types: what block lists, replies, codes and numbers tell of a transmission's
type."""

from typing import Any

import polars as pl
import pytest

from jobs.operators.protect.refusal_types import type_of_transmissions

NAMES = (
    *(
        "format_code",
        "channel_code",
        "outcome_code",
        "text",
        "subject",
        "reply_text",
        "log_text",
        "reply_code",
    ),
    *("dnsbl_zone", "dnsbl_code", "sender", "recipient", "display_name", "user_agent", "category"),
)
MAIL = {"format_code": "postfix", "channel_code": "EMAIL", "outcome_code": "rejected"}
SMS = {"format_code": "kannel", "channel_code": "SMS", "outcome_code": "rejected"}
CALL = {"format_code": "kamailio", "channel_code": "VOICE_IP", "outcome_code": "rejected"}
FIREWALL = {"format_code": "delimited", "channel_code": "SMS", "outcome_code": "delivered"}
SURBL, DBL = "multi.surbl.org", "dbl.spamhaus.org"


def told(*rows: dict[str, Any]) -> list[tuple[str | None, bool | None, list[str]]]:
    frame = pl.DataFrame(
        [{name: row.get(name) for name in NAMES} for row in rows], schema=dict.fromkeys(NAMES, pl.String)
    )
    typed = type_of_transmissions(frame)
    return typed.select("spam_type_code", "is_type_strong", "spam_type_codes").rows()


@pytest.mark.parametrize(
    ("row", "code", "is_strong"),
    [
        (MAIL | {"dnsbl_zone": DBL, "dnsbl_code": "127.0.1.4"}, "PHISH.mail", True),
        (MAIL | {"dnsbl_zone": DBL, "dnsbl_code": "127.0.1.5"}, "MALWARE.link", True),
        (MAIL | {"dnsbl_zone": DBL.upper(), "dnsbl_code": "127.0.1.5"}, "MALWARE.link", True),
        # A domain that is listed as spam says nothing of the content: looked at, and unknown.
        # A legitimate domain that was abused.
        (MAIL | {"dnsbl_zone": DBL, "dnsbl_code": "127.0.1.104"}, "PHISH.mail", False),
        (MAIL | {"dnsbl_zone": DBL, "dnsbl_code": "127.0.1.105"}, "MALWARE.link", False),
        (MAIL | {"dnsbl_zone": DBL, "dnsbl_code": "127.0.1.106"}, "MALWARE.link", False),
        (MAIL | {"dnsbl_zone": DBL, "dnsbl_code": "127.0.1.2"}, "UNK", False),
        (MAIL | {"dnsbl_zone": "zen.spamhaus.org", "dnsbl_code": "127.0.0.4"}, "UNK", False),
        # The same code of another list, no code, and an error of the query.
        (MAIL | {"dnsbl_zone": "bl.example.net", "dnsbl_code": "127.0.1.4"}, None, None),
        (MAIL | {"dnsbl_zone": DBL}, None, None),
        (MAIL | {"dnsbl_zone": SURBL, "dnsbl_code": "127.255.255.254"}, None, None),
        (MAIL | {"dnsbl_zone": SURBL, "dnsbl_code": "none"}, None, None),
        # Bits: 8 phishing, 16 malware, 64 spam, 128 cracked sites.
        (MAIL | {"dnsbl_zone": SURBL, "dnsbl_code": "127.0.0.8"}, "PHISH.mail", True),
        (MAIL | {"dnsbl_zone": SURBL, "dnsbl_code": "127.0.0.80"}, "MALWARE.link", True),
        (MAIL | {"dnsbl_zone": SURBL, "dnsbl_code": "127.0.0.128"}, "MALWARE.link", False),
        (MAIL | {"dnsbl_zone": SURBL, "dnsbl_code": "127.0.0.64"}, "UNK", False),
        # Words of a refusal.
        (MAIL | {"reply_text": "554 5.7.1 infected with a worm"}, "MALWARE.attach", False),
        (SMS | {"reply_text": "smishing suspected"}, "PHISH.smish", False),
        (CALL | {"log_text": "dropped: WANGIRI score 9"}, "PHONE.wangiri", True),
        (CALL | {"reply_code": "608"}, "PHONE.robocall", False),
        (CALL | {"reply_code": "607"}, "UNK", False),
        # What was not refused was not listed, whatever its log says; its text and its numbers still tell.
        (MAIL | {"outcome_code": "delivered", "dnsbl_zone": DBL, "dnsbl_code": "127.0.1.4"}, None, None),
        (MAIL | {"outcome_code": "delivered", "reply_text": "250 no virus found"}, None, None),
        (SMS | {"outcome_code": "delivered", "text": "You have won a prize"}, "FRAUD.lottery", False),
        (CALL | {"outcome_code": "delivered", "recipient": "979123456789"}, "PHONE.prs-irsf", False),
        (SMS | {"outcome_code": "delivered", "recipient": "979123456789"}, None, None),
        (MAIL | {"reply_text": "550 5.1.1 User unknown"}, None, None),
        # What a caller shows, whatever became of the call; a message has no such name.
        (CALL | {"outcome_code": "delivered", "display_name": "Online casino"}, "AD.gambling", False),
        (CALL | {"display_name": "Your account is suspended: verify your account"}, "PHISH.vish", False),
        (CALL | {"outcome_code": "delivered", "display_name": "Anna Virtanen"}, None, None),
        (SMS | {"display_name": "Online casino"}, None, None),
        (CALL | {"outcome_code": "delivered", "user_agent": "AutoDialer/2.1"}, "PHONE.robocall", False),
        (CALL | {"outcome_code": "delivered", "user_agent": "friendly-scanner"}, "OTHER", False),
        (CALL | {"outcome_code": "delivered", "user_agent": "Yealink SIP-T46U 108.86.0.20"}, None, None),
        # A firewall's own category is its judgement of this message or call.
        (FIREWALL | {"category": "SMS_PHISHING"}, "PHISH.smish", True),
        (FIREWALL | {"category": "Promotion"}, "AD.retail", True),
        (FIREWALL | {"category": "UNDER_INVESTIGATION"}, None, None),
        (FIREWALL | {"category": "SELECTION"}, None, None),
        (FIREWALL | {"channel_code": "VOICE_CS", "category": "phishing"}, "PHISH.vish", True),
        (FIREWALL | {"channel_code": "VOICE_CS", "category": "wangiri"}, "PHONE.wangiri", True),
        (FIREWALL | {"channel_code": "VOICE_CS", "recipient": "979123456789"}, "PHONE.prs-irsf", False),
        # A mail's subject, as it was written or in MIME words, whatever became of the mail.
        (MAIL | {"outcome_code": "delivered", "subject": "You have won a prize"}, "FRAUD.lottery", False),
        (MAIL | {"subject": "=?utf-8?B?0JLRiyDQstGL0LjQs9GA0LDQu9C4INC/0YDQuNC3?="}, "FRAUD.lottery", False),
        (MAIL | {"subject": "Minutes of our meeting"}, None, None),
        # What refuses speaks of mailboxes, too: rules on texts are not meant for it.
        (MAIL | {"reply_text": "452 4.2.2 The recipient's mailbox is full"}, None, None),
        # Figures in a delivery report are no words: 419 is a kind of fraud only where it is called one.
        (SMS | {"reply_text": "id:1020419 sub:001 dlvrd:000 stat:UNDELIV err:011"}, None, None),
        (MAIL | {"reply_text": "554 5.7.1 looks like a 419 scam"}, "FRAUD.advance-fee", False),
    ],
)
def test_what_refused_it_tells_the_type(
    row: dict[str, Any], code: str | None, is_strong: bool | None
) -> None:
    ((found, strong, _),) = told(row)
    assert (found, strong) == (code, is_strong)


def test_all_that_is_told_is_one_decision() -> None:
    both = SMS | {"text": "You have won a prize", "reply_text": "smishing"}
    listed = MAIL | {"dnsbl_zone": SURBL, "dnsbl_code": "127.0.0.24", "reply_text": "ransomware"}
    alone = MAIL | {"dnsbl_zone": DBL, "dnsbl_code": "127.0.1.4", "reply_text": "virus"}
    assert told(both)[0][2] == ["FRAUD.lottery", "PHISH.smish"]
    # Strong beats weak; of two as strong, the more harmful one.
    assert told(listed, alone, MAIL) == [
        ("MALWARE.link", True, ["MALWARE.link", "MALWARE.ransom", "PHISH.mail"]),
        ("PHISH.mail", True, ["MALWARE.attach", "PHISH.mail"]),
        (None, None, []),
    ]

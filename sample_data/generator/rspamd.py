"""Rspamd's verdict on a message: its action, its symbols, its line in the task log.

Spam that Rspamd acts on carries at most one symbol that tells a type; the other symbols tell none.
Spam that it misses and legitimate mail carry none at all.
"""

import random
from typing import NamedTuple

REJECT_AT = 15.0
TYPING_SYMBOLS: dict[str, tuple[tuple[str, float, str], ...]] = {
    "PHISH.mail": (("PHISHED_OPENPHISH", 7.0, "login.bad.example;"), ("DBL_PHISH", 7.5, "bad.example:url;")),
    "MALWARE.link": (("MW_SURBL_MULTI", 7.5, "drop.bad.example:url;"),),
    "MALWARE.attach": (("SH_HBL_FILE_MALICIOUS", 7.0, "invoice.iso;"),),
    "AD.pharma": (("DRUGS_ERECTILE", 6.5, ""), ("DRUGS_DIET", 6.5, "")),
    "FRAUD.advance-fee": (("ADVANCE_FEE_2", 6.5, ""), ("ADVANCE_FEE_3", 7.0, "")),
    "FRAUD.lottery": (("R_LOTTO", 6.5, ""),),
    "UNK": (("ABUSE_SURBL", 5.0, "deal.bad.example:url;"), ("DBL_SPAM", 6.5, "deal.bad.example:url;")),
}
PLAIN = (
    ("ARC_NA", 0.0, ""),
    ("FROM_EQ_ENVFROM", 0.0, ""),
    ("FROM_HAS_DN", 0.0, ""),
    ("MIME_TRACE", 0.0, "0:+;"),
    ("RCVD_COUNT_ZERO", 0.0, "0;"),
    ("TO_DN_NONE", 0.0, ""),
    ("TO_MATCH_ENVRCPT_ALL", 0.0, ""),
    ("MID_RHS_MATCH_FROM", 0.0, ""),
)
GOOD = (
    ("DMARC_POLICY_ALLOW", -0.5, "@DOMAIN@;none;"),
    ("R_SPF_ALLOW", -0.2, "+ip:@IP@;"),
    ("R_DKIM_ALLOW", -0.2, "@DOMAIN@:s=mail;"),
    ("MIME_GOOD", -0.1, "text/plain;"),
)
DUBIOUS = (
    ("HFILTER_HOSTNAME_UNKNOWN", 2.5, ""),
    ("RDNS_NONE", 2.0, ""),
    ("DMARC_NA", 0.0, "@DOMAIN@;"),
    ("R_DKIM_NA", 0.0, ""),
    ("ONCE_RECEIVED", 0.1, ""),
    ("MIME_GOOD", -0.1, "text/plain;"),
)
GREYLIST = ("GREYLIST", 0.0, "greylisted;@UNTIL@;new record;")
RECIPIENT_COUNTS = {1: "ONE", 2: "TWO", 3: "THREE", 4: "FIVE", 5: "FIVE", 6: "SEVEN", 7: "SEVEN"}


class Verdict(NamedTuple):
    """An action with its score and its symbols as logged, with @IP@ and @DOMAIN@ to be filled."""

    action: str
    score: float
    symbols: str
    forced: str


def draw(rng: random.Random, action: str, spam_type: str, *, is_authenticated: bool) -> Verdict:
    """A verdict of the given action; `spam_type` tells for reject, add header and rewrite subject."""
    symbols: list[tuple[str, float, str]] = [*rng.sample(PLAIN, 6)]
    if action == "no action":
        symbols += () if is_authenticated else GOOD
        if is_authenticated:
            symbols.append(("MIME_GOOD", -0.1, "text/plain;"))
        elif rng.random() < 0.3:
            symbols.append(("BAYES_HAM", -round(rng.uniform(0.4, 3.0), 2), f"{rng.uniform(95, 100):.2f}%;"))
    elif action == "soft reject":
        symbols += (*DUBIOUS, GREYLIST)
    else:
        symbols.append(rng.choice(TYPING_SYMBOLS[spam_type]))
        symbols += DUBIOUS if action == "reject" else DUBIOUS[2:]
        if action == "reject":
            symbols.append(("BAYES_SPAM", round(rng.uniform(4.6, 5.1), 2), "99.99%;"))
            symbols.append(("R_SPF_FAIL", 1.0, "-all;"))
            symbols.append(("SUBJ_ALL_CAPS", round(rng.uniform(1.5, 3.0), 2), "24;"))
        else:
            symbols.append(("BAYES_SPAM", round(rng.uniform(1.6, 4.0), 2), f"{rng.uniform(80, 99):.2f}%;"))
    symbols.sort(key=lambda symbol: (-abs(symbol[1]), symbol[0]))
    score = sum(symbol[1] for symbol in symbols)
    listed = ",".join(f"{name}({points:.2f}){{{options}}}" for name, points, options in symbols)
    forced = (
        ', forced: soft reject "Try again later"; score=nan (set by greylist)'
        if action == "soft reject"
        else ""
    )
    return Verdict(action, score, listed, forced)


class Shelf:
    """Verdicts drawn in advance, since many messages look alike to a filter and drawing costs time."""

    def __init__(self, rng: random.Random, size: int) -> None:
        self.rng = rng
        self.size = size
        self._drawn: dict[tuple[str, str, bool], list[Verdict]] = {}

    def take(self, action: str, spam_type: str, is_authenticated: bool) -> Verdict:
        key = (action, spam_type, is_authenticated)
        shelf = self._drawn.setdefault(key, [])
        if len(shelf) < self.size:
            shelf.append(draw(self.rng, action, spam_type, is_authenticated=is_authenticated))
            return shelf[-1]
        return self.rng.choice(shelf)


def task_line(
    rng: random.Random,
    verdict: Verdict,
    *,
    pid: int,
    message_id: str,
    queue_id: str,
    ip: str,
    user: str | None,
    sender: str,
    recipients: list[str],
    size: int,
    filter_ms: str,
    until: str,
) -> str:
    """The line of rspamd_task_write_log, without its time. The null sender leaves no `from:`."""
    is_spam = "S" if verdict.action in ("reject", "add header", "rewrite subject") else "F"
    who = f" ip: {ip}," + (f" user: {user}," if user else "") + (f" from: <{sender}>," if sender else "")
    domain = sender.rpartition("@")[2] or "mailer.example"
    symbols = verdict.symbols.replace("@IP@", ip).replace("@DOMAIN@", domain).replace("@UNTIL@", until)
    count = RECIPIENT_COUNTS.get(len(recipients), "TWELVE")
    symbols += f",RCPT_COUNT_{count}(0.00){{{len(recipients)};}}"
    to = ",".join(recipients)
    listed = f"[{verdict.score:.2f}/{REJECT_AT:.2f}] [{symbols}]"
    cost = f"len: {size}, time: {filter_ms}ms, dns req: {rng.randrange(4, 30)}"
    return (
        f"#{pid}(rspamd_proxy) <{rng.getrandbits(24):06x}>; proxy; rspamd_task_write_log: id: <{message_id}>,"
        f" qid: <{queue_id}>,{who} (default: {is_spam} ({verdict.action}): {listed}), {cost},"
        f" digest: <{rng.getrandbits(128):032x}>, rcpts: <{to}>, mime_rcpts: <{to}>{verdict.forced}"
    )

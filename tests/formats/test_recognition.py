"""Which format a log is of: by the shape of its lines, however few of them are records."""

import random
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.core.lines import frame_lines
from jobs.formats.registry import FORMATS, KERNELS, SURE_ENOUGH, recognise_format
from tests.support.examples import examples
from tests.support.filter_logs import lab, source
from tests.support.samples import SAMPLES

Noise = Callable[[int, str], str]
DAY = "2026-11-24"


def clock(n: int) -> str:
    return f"{n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d}"


def of_exim(texts: list[str]) -> list[Noise]:
    return [lambda n, ip, text=text: f"{DAY} {clock(n)} {text.format(ip=ip, n=n)}" for text in texts]


def of_syslog(texts: list[str], is_iso: bool = False) -> list[Noise]:
    def stamp(n: int) -> str:
        return f"{DAY}T{clock(n)}.000001+00:00" if is_iso else f"Nov 24 {clock(n)}"

    return [lambda n, ip, text=text: f"{stamp(n)} mx1 {text.format(ip=ip, n=n)}" for text in texts]


# What a host's log holds while passwords are guessed: nothing of it is mail, a message or a call.
EXIM = [
    "login authenticator failed for (x{n}) [{ip}]: 535 Incorrect authentication data (set_id=admin)",
    "plain_virtual_exim authenticator failed for H=(win{n}) [{ip}]:4711: 535 Incorrect authentication data",
    "no host name found for IP address {ip}",
    "unexpected disconnection while reading SMTP command from (x) [{ip}] D=1s",
    "TLS error on connection from [{ip}] (gnutls_handshake): no common cipher",
    "SMTP command timeout on connection from (x) [{ip}] D=5m",
]
SYSTEM = [
    "sshd[{n}]: Failed password for invalid user admin from {ip} port 4711 ssh2",
    "sshd[{n}]: Invalid user test from {ip} port 4712",
    "dovecot: imap-login: Disconnected (auth failed, 1 attempts): user=<admin>, rip={ip}",
    "kernel: [UFW BLOCK] IN=eth0 OUT= SRC={ip} DST=192.0.2.1 PROTO=TCP DPT=23",
    "fail2ban.actions[{n}]: NOTICE [sshd] Ban {ip}",
]
RSPAMD = "rspamd_controller_check_password: deny unauthorized access from {ip}"
ATTACKS: dict[str, list[Noise]] = {
    "exim": of_exim(EXIM),
    "exim, rejectlog": of_exim(EXIM),
    "jasmin": [lambda n, ip: f"{DAY} {clock(n)} ERROR    4711 Authentication failed for [x{n}] from {ip}"],
    "kamailio": of_syslog([*SYSTEM, "kamailio[{n}]: WARNING: pike: blocking {ip}"]),
    "kannel, syslog": of_syslog(SYSTEM),
    "kannel_smsbox, syslog": of_syslog(SYSTEM),
    "postfix, ISO": of_syslog(SYSTEM, is_iso=True),
    "postfix, RFC 3164": of_syslog(
        [*SYSTEM, "postfix/smtpd[{n}]: warning: x[{ip}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6"]
    ),
    "sendmail": of_syslog([*SYSTEM, "sm-mta[{n}]: AUTH failure (LOGIN): user not found (-20), relay=[{ip}]"]),
    "exim, syslog": of_syslog(SYSTEM + [f"exim[9]: {text}" for text in EXIM]),
    "amavis": of_syslog(SYSTEM, is_iso=True),
    "opendkim": of_syslog(SYSTEM, is_iso=True),
    "spamassassin, syslog": of_syslog(SYSTEM, is_iso=True),
    "rspamd": [lambda n, ip: f"{DAY} {clock(n)} #48(controller) <{n:06x}>; csession; {RSPAMD.format(ip=ip)}"],
    "spamassassin": [
        lambda n, ip: f"Tue Nov 24 {clock(n)} 2026 [16] info: spamd: unauthorized connection from [{ip}]:9"
    ],
}


@cache
def logs() -> dict[str, tuple[str, list[str]]]:
    """The format and the records of each log: of the samples, and of others as they stand in mail logs."""
    found = {
        name: (log.format, log.lines) for samples in SAMPLES.values() for name, log in samples.logs.items()
    }
    mail = lab("postfix/mail.iso8601.log")
    found |= {
        "amavis": ("amavis", [line for line in mail if " amavis[" in line]),
        "opendkim": ("opendkim", [line for line in mail if " opendkim[" in line or " opendmarc[" in line]),
        "spamassassin, syslog": ("spamassassin", [line for line in mail if " spamd[" in line]),
        "kannel, syslog": ("kannel", [f"Nov 24 14:00:00 sms1 bearerbox: {x}" for x in found["kannel"][1]]),
        "kannel_smsbox, syslog": (
            "kannel_smsbox",
            [f"Nov 24 14:00:00 sms1 smsbox: {line}" for line in found["kannel_smsbox"][1]],
        ),
        "exim, syslog": (
            "exim",
            [f"Nov 24 14:00:00 mx1 exim[8]: {line[20:]}" for line in found["exim"][1] if line[:2] == "20"],
        ),
    }
    del found["delimited"]
    return {name: (kind, records(kind, lines)) for name, (kind, lines) in found.items()}


def records(kind: str, lines: list[str]) -> list[str]:
    kernel = FORMATS.get(kind)
    if kernel is None or kernel.profiles:
        return lines
    frame = frame_lines("\n".join(lines).encode(), 0)
    code = kernel.parse(frame.select("offset", "line").lazy(), source()).collect()["line_code"]
    return frame["line"].filter(code == "record").to_list()


@pytest.mark.parametrize("name", sorted(ATTACKS))
@examples(30)
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.01, 0.02, 0.05, 0.2, 0.5]))
def test_a_log_under_attack_is_recognised(name: str, seed: int, share: float) -> None:
    """A hundredth of the lines are records; the others are what an attack leaves in such a log."""
    chance = random.Random(seed)
    kind, own = logs()[name]
    count = max(round(share * 300), 1)
    lines = chance.choices(own, k=count)
    for n in range(300 - count):
        ip = f"{chance.randint(240, 255)}.{chance.randint(0, 255)}.{chance.randint(0, 255)}.7"
        lines.append(chance.choice(ATTACKS[name])(n, ip))
    chance.shuffle(lines)
    assert recognise_format("\n".join(lines).encode() + b"\n")[0] == kind


@pytest.mark.parametrize("is_iso", [False, True])
def test_an_attack_alone_is_no_log_of_mail_or_calls(is_iso: bool) -> None:
    lines = [line(n, "240.1.2.3") for n in range(300) for line in of_syslog(SYSTEM, is_iso)]
    assert recognise_format("\n".join(lines).encode()) == (None, 0.0)


def test_no_format_takes_the_log_of_another() -> None:
    """All pairs: no other format is sure of a log."""
    for name, (kind, lines) in logs().items():
        sample = "\n".join(lines).encode() + b"\n"
        assert recognise_format(sample)[0] == kind
        sure = {other for other, kernel in KERNELS.items() if kernel.sniff(sample) >= SURE_ENOUGH}
        assert sure == {kind}, name

"""The registry of formats, what a format must state, and which format a log is of: by the shape of its lines,
however few of them are records."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import random
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jobs
from jobs.operators import formats
from jobs.operators.formats import postfix, registry
from jobs.operators.formats.amavis import FORMAT as amavis
from jobs.operators.formats.format import LineFormat
from jobs.operators.formats.opendkim import FORMAT as opendkim
from jobs.operators.formats.registry import DOCUMENTS, FORMATS, KERNELS, SURE_ENOUGH, recognise_format
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.formats.spamassassin import FORMAT as spamassassin
from tests.support.examples import examples
from tests.support.filter_logs import LAB, codes, frame_of, lab, parse, source
from tests.support.lab_logs import LAB_LOGS
from tests.support.samples import CANARIES, SAMPLES

STATED = {each.name: getattr(KERNELS["exim"], each.name) for each in dataclasses.fields(LineFormat)}


def test_a_format_with_a_misspelt_hook_is_refused() -> None:
    misspelt = {("assembel" if name == "assemble" else name): value for name, value in STATED.items()}
    with pytest.raises(TypeError, match="assembel"):
        LineFormat(**misspelt)


def test_a_format_of_lines_without_parse_is_refused() -> None:
    with pytest.raises(TypeError, match="parse"):
        LineFormat(**{name: value for name, value in STATED.items() if name != "parse"})


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_a_function_with_a_hooks_name_is_the_hook(name: str) -> None:
    """A kernel would otherwise have a function that nobody calls."""
    kernel = KERNELS[name]
    module = sys.modules[inspect.unwrap(kernel.sniff).__module__]
    hooks = {each.name for each in dataclasses.fields(kernel)}
    defined = {
        node.name for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.FunctionDef)
    }
    stated: dict[str, Any] = {each: getattr(kernel, each) for each in sorted(defined & hooks)}
    assert stated == {each: getattr(module, each) for each in stated}


def test_each_format_is_of_lines_or_of_documents() -> None:
    assert {**FORMATS, **DOCUMENTS} == KERNELS


JOBS = Path(jobs.__file__).parent
FAMILIES = [
    each.name for each in pkgutil.iter_modules(formats.__path__) if each.ispkg and each.name != "shared"
]
# This room compares counts with those of pflogsumm and eximstats, each of which reads one server's log.
OF_SERVERS = "reconcile"
# Formats whose names are English words, too.
WORDS = {"delimited", "feedback", "knowledge"}


def texts_of(tree: ast.Module) -> Iterator[str]:
    """The texts of a module that are no docstrings, and the modules that it imports."""
    described = (ast.Module, ast.ClassDef, ast.FunctionDef)
    first = [each.body[0] for each in ast.walk(tree) if isinstance(each, described) and each.body]
    docstrings = {id(each.value) for each in first if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jobs.operators.formats"):
            yield from (f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


def test_every_folder_of_formats_has_one() -> None:
    """`shared` has what families share."""
    modules = [each.name for each in pkgutil.walk_packages(formats.__path__, "jobs.operators.formats.")]
    found = {name.split(".")[3] for name in modules if hasattr(importlib.import_module(name), "FORMAT")}
    folders = {each.name for each in pkgutil.iter_modules(formats.__path__) if each.ispkg}
    assert folders - {"shared"} == found


@pytest.mark.long
def test_no_other_room_names_a_format() -> None:
    """All that is special of a format stands in its FORMAT: a new one touches no other room."""
    names, families, odd = ("|".join(some) for some in (KERNELS, FAMILIES, set(KERNELS) - WORDS))
    named = re.compile(
        rf"^(?:{names})$|\bbronze\.(?:{names})\b|\bjobs\.operators\.formats\.(?:{families})\b|\b(?:{odd})\b"
    )
    found = [
        f"{file.relative_to(JOBS)}: {text}"
        for file in sorted(JOBS.rglob("*.py"))
        # The study reads no log, and its words are its own.
        if not {"formats", OF_SERVERS, "study"} & set(file.relative_to(JOBS).parts)
        for text in texts_of(ast.parse(file.read_text(encoding="utf-8")))
        if named.search(text)
    ]
    assert found == []


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


@pytest.mark.long
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


@pytest.mark.long
def test_no_format_takes_the_log_of_another() -> None:
    """All pairs: no other format is sure of a log."""
    for name, (kind, lines) in logs().items():
        sample = "\n".join(lines).encode() + b"\n"
        assert recognise_format(sample)[0] == kind
        sure = {other for other, kernel in KERNELS.items() if kernel.sniff(sample) >= SURE_ENOUGH}
        assert sure == {kind}, name
    for name, kernel in KERNELS.items():
        assert kernel.sniff(b"") == kernel.sniff(b"\x00\xff\x1f\x8b") == 0, name


FILTERS = [spamassassin, amavis, opendkim]


@pytest.mark.parametrize(("name", "expected"), LAB_LOGS.items())
def test_the_registry_tells_the_logs_apart(name: str, expected: str) -> None:
    assert registry.recognise_format((LAB / name).read_bytes()[:65_536])[0] == expected


def test_each_log_of_the_lab_is_known() -> None:
    logs = {str(each.relative_to(LAB)) for each in LAB.rglob("*log") if each.is_file()}
    assert logs <= LAB_LOGS.keys()


def test_companions_are_known() -> None:
    assert {each.name for each in registry.COMPANIONS} >= {each.name for each in FILTERS} | {"rspamd"}
    for companion in registry.COMPANIONS:
        assert set(registry.hosts_of(companion)) >= {"postfix", "exim", "sendmail"}


@pytest.mark.parametrize("name", ["mail.rfc3164.log", "mail.iso8601.log", "mail.rfc5424.log"])
def test_a_line_of_the_mail_log_has_one_reader(name: str) -> None:
    """No companion takes a line that the mail server's kernel takes, and no two companions take one line."""
    lines = lab(f"postfix/{name}")
    host = postfix.parse(frame_of(lines).lazy(), source()).collect()["line_code"]
    read = [host == "record"] + [parse(kernel, lines)["line_code"] == "record" for kernel in FILTERS]
    readers = pl.sum_horizontal(*(taken.cast(pl.Int32) for taken in read))
    assert pl.select(readers).to_series().max() == 1
    assert [int(taken.sum()) for taken in read[1:]] == [42, 21, 68]
    for kernel in FILTERS:
        assert "quarantined" not in parse(kernel, lines)["line_code"].to_list()


@pytest.mark.parametrize("host", ["exim", "postfix", "sendmail"])
def test_mail_servers_leave_the_lines_of_filters_alone(host: str) -> None:
    """Lines that no filter's kernel reads are left, too: by the programs in the list of engines."""
    entries = [each.entry(100) for each in CANARIES if each.within]
    logged = "\n".join([*entries, *lab("postfix/mail.rfc3164.log")])
    heads = set(re.findall(r"^[A-Z].{14} \w+ (?!postfix)\S+: ", logged, re.MULTILINE))
    assert {"spamd", "amavis", "opendkim", "opendmarc"} <= {head[20:].split("[")[0] for head in heads}
    lines = [f"{head}what a new release writes" for head in heads]
    assert set(codes(FORMATS[host], lines)) == {("ignored", None)}


def test_companions_leave_the_lines_of_others_alone() -> None:
    foreign = [
        *lab("kannel/bearerbox-access.log"),
        *lab("postfix/rspamd.log"),
        "2026-11-24 14:01:51 1vNWdT-00000000001-0Nxy H=(x) [192.0.2.1] F=<a@b.example> rejected RCPT",
        "Nov 24 14:16:13 mx1 cron[51]: (root) Passed SPAM check of (x) Blocked SPAM",
        "Nov 24 14:16:13 mx1 app[51]: job 7: result: Y is what we got, identified spam (none)",
        "Nov 24 14:16:13 mx1 app[51]: the self test will not pass",
        "no stamp, but the test did: fail",
    ]
    for kernel in FILTERS:
        assert {code for code, _ in codes(kernel, foreign)} == {"ignored"}

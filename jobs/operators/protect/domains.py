"""Domain names: what passes of them from bronze to silver.

Only a registered domain passes, the public suffix and one label: of `447700900123.msisdn.example` that is
`msisdn.example`. A label that reveals an address or a number is masked, and what is no domain name, such as
an address literal or the name of a single machine, is null. A domain has one form: small letters, A-labels
(xn--…) where it is international, no dot at its end.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import polars as pl

from jobs.base.tables.matching import map_texts

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

# In place of a label that reveals an address or a number. Hyphens in these places are reserved (RFC 5891), so
# that nobody has such a domain.
MASK = "nn--masked"
FEWEST_DIGITS = 6
# An IPv4 address in a label, with fewer digits than these too.
ADDRESS_LABEL = re.compile(r"(?<!\d)\d{1,3}(?:-\d{1,3}){3}(?!\d)")
ASCII_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# No number, so that no address passes as a name.
TOP_LABEL = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]+")
LONGEST_NAME = 253
# Under these nobody registers: they name a machine or a home (RFC 6761, 6762, 7686, 8375 and habit).
UNREGISTERED = {
    *("alt", "arpa", "corp", "home", "internal", "intranet", "invalid", "lan", "local"),
    *("localdomain", "localhost", "onion", "private", "workgroup"),
}
# The dots of East Asian keyboards, which IDNA takes as dots (RFC 3490).
DOTS = str.maketrans("\u3002\uff0e\uff61", "...")
# What a name is written in, and what may follow it in an address: a port, parameters of a SIP URI, a query,
# a bracket, a comment.
NAME = r"([\p{L}\p{M}\p{N}_.\-\x{3002}\x{ff0e}\x{ff61}]+)(?:[\s:;?>,/)](?s:.*))?$"


def extract_host(address: pl.Expr) -> pl.Expr:
    """The host of an address, in small letters; null for numbers, names and literals."""
    return address.str.extract("@" + NAME).str.to_lowercase().str.strip_suffix(".")


def read_host(value: pl.Expr) -> pl.Expr:
    """The host in a field that should hold a domain, or an address; null for what is neither."""
    return pl.coalesce(
        extract_host(value), value.str.extract("^" + NAME).str.to_lowercase().str.strip_suffix(".")
    )


def find_registered(host: pl.Expr) -> pl.Expr:
    """The registered domain of each host, as it passes bronze."""
    return host.map_batches(registered_domains, return_dtype=pl.String, is_elementwise=True)


def registered_domains(hosts: pl.Series) -> pl.Series:
    """The registered domain of each host, as it passes bronze; each distinct host is looked up once."""
    return map_texts(hosts, registered_domain)


@lru_cache(maxsize=100_000)
def registered_domain(host: str) -> str | None:
    """The public suffix of a host and one label, masked; None for a public suffix itself, and for what is no
    domain name that somebody can have registered."""
    name = ascii_name(host)
    if name is None:
        return None
    found = public_suffixes().privatesuffix(name)
    if not found or "_" in found:
        return None
    return ".".join(MASK if is_revealing(label) else label for label in found.split("."))


@cache
def public_suffixes() -> PublicSuffixList:
    """The public suffix list that is installed, with its private part: names below github.io are many's."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def written_forms(domain: str) -> set[str]:
    """The ways in which a log may write a domain: in letters of its language, and in ASCII."""
    name = ascii_name(domain)
    if name is None:
        return {domain.lower()}
    return {domain.lower(), name, ".".join(decode_label(label) or label for label in name.split("."))}


def ascii_name(host: str) -> str | None:
    """A domain name in its one form; None for what is none: of one label, too long, or under a top label that
    is a number or names no registry."""
    text = host.lower()
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).lower().translate(DOTS)
    labels = [ascii_label(label) for label in text.removesuffix(".").split(".")]
    known = [label for label in labels if label is not None]
    if len(known) < 2 or len(known) < len(labels) or known[-1] in UNREGISTERED:
        return None
    name = ".".join(known)
    return name if len(name) <= LONGEST_NAME and TOP_LABEL.fullmatch(known[-1]) else None


def ascii_label(label: str) -> str | None:
    """A label in ASCII; None for what is none."""
    if not label.isascii():
        if not is_valid_label(label):
            return None
        label = "xn--" + label.encode("punycode").decode()
    if not ASCII_LABEL.fullmatch(label):
        return None
    return label if not label.startswith("xn--") or decode_label(label) is not None else None


def decode_label(label: str) -> str | None:
    """The letters that an A-label stands for; None for what is none, or encodes them otherwise than IDNA."""
    if not label.startswith("xn--"):
        return None
    try:
        letters = label[4:].encode().decode("punycode")
        is_one = letters.encode("punycode").decode() == label[4:]
    except UnicodeError:
        return None
    is_normal = not letters.isascii() and unicodedata.normalize("NFKC", letters).lower() == letters
    return letters if is_one and is_normal and is_valid_label(letters) else None


def is_valid_label(label: str) -> bool:
    """Return whether a label is of letters, marks, digits and hyphens."""
    return all(sign == "-" or unicodedata.category(sign)[0] in "LM" or sign.isdecimal() for sign in label)


def is_revealing(label: str) -> bool:
    """Return whether a label may reveal a number or an address."""
    digits = max(
        sum(sign.isdigit() for sign in form) for form in (label, decode_label(label)) if form is not None
    )
    return digits >= FEWEST_DIGITS or ADDRESS_LABEL.search(label) is not None

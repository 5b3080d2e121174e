"""jobs.operators.protect.domains: of a host only the registered domain passes, and of an address only its
host."""

import re

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.operators.protect import domains
from tests.support.examples import examples
from tests.support.samples.forms import ADDRESS, HOST, PLANTED, SIP


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("mail.shop.co.uk", "shop.co.uk"),
        ("shop.co.uk", "shop.co.uk"),
        ("MX.Himal.Example", "himal.example"),
        ("someone.github.io", "someone.github.io"),
        ("mail.example.org.", "example.org"),
        ("_dmarc.mail_1.shop.example", "shop.example"),
        # One form for a domain of another script, however it is written.
        ("a.bücher.de", "xn--bcher-kva.de"),
        ("A.BÜCHER.DE", "xn--bcher-kva.de"),
        ("a.bu\u0308cher.de", "xn--bcher-kva.de"),
        ("a.xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("straße.de", "xn--strae-oqa.de"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("shop。example", "shop.example"),
        ("ＳＨＯＰ.example", "shop.example"),
        # Labels that tell a number or an address.
        ("447700900123.msisdn.example", "msisdn.example"),
        ("447700900123.example", "nn--masked.example"),
        ("a1b2c3d4e5f6.example", "nn--masked.example"),
        ("a1b2c3d4e5.example", "a1b2c3d4e5.example"),
        ("198-51-100-7.example", "nn--masked.example"),
        ("ip-1-2-3-4.example", "nn--masked.example"),
        ("٤٤٧٧٠٠٩٠.example", "nn--masked.example"),
        ("４４７７００９０.example", "nn--masked.example"),
        ("x.ec2-198-51-100-7.compute-1.amazonaws.com", "x.nn--masked.compute-1.amazonaws.com"),
        # No domain that somebody can have registered.
        ("co.uk", None),
        ("localhost", None),
        ("joes-laptop.local", None),
        ("router.lan", None),
        ("7.100.51.198.in-addr.arpa", None),
        ("198.51.100.7", None),
        ("198.51.100.7.", None),
        ("2001:db8::7", None),
        ("4477009001.23", None),
        ("shop_1.example", None),
        ("-shop.example", None),
        ("a..b.example", None),
        (".example", None),
        ("x" * 64 + ".example", None),
        (".".join([*["x" * 63] * 3, "x" * 53, "example"]), "x" * 53 + ".example"),
        (".".join([*["x" * 63] * 3, "x" * 54, "example"]), None),
        ("sh\0op.example", None),
        ("shop.example\n", None),
        ("joe@shop.example", None),
        ("joe%40shop.example", None),
        # A-labels that stand for nothing, for ASCII, or for what has another A-label.
        ("xn--447700900123-.example", None),
        ("xn--joe-.example", None),
        ("xn--9999999999.example", None),
        ("xn--BCHER-kva.example", "xn--bcher-kva.example"),
        ("", None),
        (None, None),
    ],
)
def test_the_registered_domain_of_a_host(host: str | None, domain: str | None) -> None:
    assert domains.registered_domains(pl.Series([host], dtype=pl.String)).to_list() == [domain]


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("ann@Mail.Shop.example", "mail.shop.example"),
        ("ann@shop.example.", "shop.example"),
        ("<ann@shop.example>", "shop.example"),
        ("Ann <ann@shop.example> (hello)", "shop.example"),
        ('"a@b.example"@shop.example', "shop.example"),
        ("a@b@shop.example", "shop.example"),
        ("ann@shop.example?subject=eve@other.example", "shop.example"),
        ("ann@shop.example?subject=hello\nworld", "shop.example"),
        ("sip:447700900123@192.0.2.1;user=phone", "192.0.2.1"),
        ("sips:ann:secret@sip.shop.example:5061;transport=tls?subject=x", "sip.shop.example"),
        ("ann@[192.0.2.1]", None),
        ("ann@[IPv6:2001:db8::1]", None),
        ("ann@2001:db8::1", "2001"),
        ("ann@shop.exam\0ple", None),
        ("ann%40shop.example", None),
        ("tel:+447700900123;phone-context=shop.example", None),
        ("447700900123", None),
        ("shop.example", None),
        ("ann@", None),
        ("", None),
        (None, None),
    ],
)
def test_the_host_of_an_address(address: str | None, host: str | None) -> None:
    rows = pl.DataFrame({"address": [address]}, schema={"address": pl.String})
    assert rows.select(domains.extract_host(pl.col("address"))).to_series().to_list() == [host]
    named = rows.select(domains.read_host(pl.col("address"))).to_series().to_list()
    assert named == [host] or host is None


def passed(texts: list[str]) -> list[str | None]:
    """Return the domain that passes of each text, as of an address and as of a field for a domain."""
    rows = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    read = rows.select(
        domains.find_registered(reader(pl.col("text"))).alias(str(place))
        for place, reader in enumerate((domains.extract_host, domains.read_host))
    )
    return [*read["0"].to_list(), *read["1"].to_list()]


def assert_harmless(domain: str | None) -> None:
    if domain is None:
        return
    assert re.fullmatch(r"[a-z0-9.-]{3,253}", domain)
    assert domains.public_suffixes().privatesuffix(domain) == domain
    labels = domain.split(".")
    assert all(re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(?<!-)", label) for label in labels)
    assert all(sum(sign.isdigit() for sign in label) < 6 for label in labels)
    assert not labels[-1].isdigit() and labels[-1] not in domains.UNREGISTERED
    assert domains.registered_domain(domain) == domain


LABEL = st.one_of(
    st.text(min_size=1, max_size=12),
    st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True),
    st.from_regex(r"xn--[a-z0-9-]{1,16}", fullmatch=True),
    st.from_regex(r"[0-9]{1,12}", fullmatch=True),
    st.sampled_from(
        ["co", "uk", "com", "github", "io", "compute-1", "amazonaws", "arpa", "公司", "cn", "xn--p1ai"]
    ),
)
TEXT = st.one_of(
    st.text(max_size=60),
    st.lists(LABEL, min_size=1, max_size=5).map(".".join),
    st.tuples(
        st.text(max_size=12),
        st.lists(LABEL, min_size=1, max_size=5).map(".".join),
        st.sampled_from(["", ".", ">", ":5060", ";user=phone", "?subject=1@2.example", "\0", " x", "/x"]),
    ).map(lambda parts: f"{parts[0]}@{parts[1]}{parts[2]}"),
)


@examples(150)
@given(st.lists(TEXT, max_size=8))
@example(["a@xn--0.example", "a@\u0130.example", "a@ß.example", "a@x.xn--", "a@1.xn--p1ai"])
def test_what_passes_of_any_text_is_a_registered_domain_or_nothing(texts: list[str]) -> None:
    for domain in passed(texts):
        assert_harmless(domain)


def test_what_passes_of_forms_that_tell_somebody_tells_nobody() -> None:
    texts = [form(n) for n, form in enumerate((*ADDRESS, *HOST, *SIP))]
    found = passed(texts)
    assert {"shop.example", "msisdn.example", "nn--masked.example", "xn--bcher-kva.example"} <= set(found)
    for domain in found:
        assert_harmless(domain)
        assert domain is None or not PLANTED.search(domain)


def test_nobody_registers_what_stands_for_a_masked_label_or_names_a_machine() -> None:
    assert domains.MASK[2:4] == "--" and not domains.MASK.startswith("xn")
    suffixes = domains.public_suffixes()
    delegated = {name for name in domains.UNREGISTERED if suffixes.publicsuffix(name, accept_unknown=False)}
    # Names of the network itself, and of a network of its own.
    assert delegated == {"arpa", "onion"}


@pytest.mark.parametrize("domain", ["bücher.example", "xn--bcher-kva.example", "BÜCHER.example"])
def test_a_domain_is_known_in_each_of_its_forms(domain: str) -> None:
    assert {"bücher.example", "xn--bcher-kva.example"} <= domains.written_forms(domain)
    assert domains.written_forms("Box") == {"box"}

"""No headline of what is left where most traffic is nobody's."""

import dataclasses
import html
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.report.figures import FIGURES, Figures
from jobs.operators.report.page import write_page
from jobs.operators.report.unclaimed import (
    ReportedOperator,
    describe_unclaimed,
    find_unclaimed,
    unclaimed_channels,
)
from tests.support.examples import examples
from tests.support.report_figures import ABOUT, OPERATORS, change_figures, figures, of_channel, validation

Row = tuple[str, str, str, str, int]


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=FIGURES["directions"].columns, orient="row")


def operator(name: str, has_links: bool, has_domains: bool) -> ReportedOperator:
    return ReportedOperator(name, name, "CHE", name, "CHF", has_links, has_domains)


rows_of_traffic = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["EMAIL", "SMS"]),
        st.sampled_from(["inbound", "internal", "outbound", "transit"]),
        st.sampled_from(["recipient", "attempt"]),
        st.integers(0, 50),
    ),
    unique_by=lambda row: row[:4],
)
operators = st.tuples(*[st.tuples(st.booleans(), st.booleans()) for _ in "ab"]).map(
    lambda flags: [operator(name, links, domains) for name, (links, domains) in zip("ab", flags, strict=True)]
)


@examples(100)
@given(rows=rows_of_traffic, operators=operators)
def test_most_of_it_is_transit_and_no_links_explain_it(
    rows: list[Row], operators: list[ReportedOperator]
) -> None:
    found = {(each.operator_id, each.channel_code) for each in find_unclaimed(frame(rows), operators)}
    for about in operators:
        for channel in ("EMAIL", "SMS"):
            with_attempts = channel == "EMAIL" and not about.has_domains
            units = [
                (direction, count)
                for operator, code, direction, unit, count in rows
                if (operator, code) == (about.id, channel) and (unit != "attempt" or with_attempts)
            ]
            transit = sum(count for direction, count in units if direction == "transit")
            is_most = 2 * transit > sum(count for _, count in units)
            assert ((about.id, channel) in found) == (is_most and not about.has_links)


GATEWAY = [
    ("alp-mail", "EMAIL", "inbound", "attempt", 12),
    ("alp-mail", "EMAIL", "transit", "recipient", 1893),
    ("alp-mail", "EMAIL", "transit", "attempt", 1173),
]


def gateway(operator: ReportedOperator) -> ReportedOperator:
    return dataclasses.replace(operator, has_links=False, has_domains=False)


@pytest.mark.parametrize("has_text_messages", [False, True])
def test_a_gateway_without_domains_has_no_share_but_is_asked_for_them(
    tmp_path: Path, has_text_messages: bool
) -> None:
    given = change_figures(figures(), lambda table: of_channel(table, "SMS"))
    if not has_text_messages:
        given = Figures()
    given = dataclasses.replace(given, directions=frame(GATEWAY))
    about = dataclasses.replace(ABOUT, domains=["isp.example", "post.example"])
    file = write_page(given, [gateway(each) for each in OPERATORS], validation(), about, tmp_path)
    page = html.unescape(file.read_text("utf-8")).replace("\u2011", "-")
    title = page[page.index("<h1>") : page.index("</h1>")]
    assert ("name the operator" in title) == (not has_text_messages)
    assert ("of SMS" in title) == has_text_messages and "of e-mail" not in title
    assert "Of 3,078 e-mail recipients and attempts, 3,066 are nobody" in " ".join(page.split())
    assert "Recipients are in isp.example, post.example." in page
    assert "Most of it is nobody" in page


def test_a_channel_is_nobodys_by_all_its_operators() -> None:
    rows = [*GATEWAY, ("alp-post", "EMAIL", "inbound", "recipient", 90_000)]
    found = find_unclaimed(frame(rows), [gateway(each) for each in OPERATORS])
    assert [each.operator_id for each in found] == ["alp-mail"]
    assert unclaimed_channels(found, frame(rows)) == [] and unclaimed_channels(found, frame(GATEWAY)) == [
        "EMAIL"
    ]
    (of_numbers,) = find_unclaimed(
        frame([("a", "SMS", "transit", "recipient", 1)]), [operator("a", False, False)]
    )
    assert "number_prefixes" in describe_unclaimed(of_numbers)

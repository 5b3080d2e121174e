"""Domains that are proposed as the operator's own: gateways and other layouts, made with their truth."""

import tomllib
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.cli.operators.proposed_settings import describe_domains
from jobs.operators.formats.registry import FORMATS
from jobs.operators.formats.shared.lines import frame_lines
from jobs.operators.proposal.domains import Domains, find_domains
from jobs.operators.proposal.settings_proposal import propose_from_logs
from jobs.operators.proposal.settings_text import proposed_answers, settings_text
from tests.support import gateways
from tests.support.examples import examples
from tests.support.filter_logs import source


def transmissions(lines: list[str], server: str) -> pl.DataFrame:
    """Return the transmissions that the server's kernel counts of the lines."""
    kernel = FORMATS[server]
    given = source()
    parsed = kernel.parse(frame_lines("\n".join(lines).encode(), 0).select("offset", "line").lazy(), given)
    records = parsed.filter(pl.col("line_code") == "record").with_columns(
        operator_id=pl.lit("a"), source_id=pl.lit("b"), stream_id=pl.lit("c")
    )
    sent: pl.DataFrame = kernel.transmissions(kernel.assemble(records)).collect()
    return sent


@pytest.mark.parametrize("server", list(gateways.WRITERS))
@pytest.mark.parametrize("kind", gateways.KINDS)
@examples(10)
@given(seed=st.integers(0, 10**6), own_count=st.integers(1, 6), per_domain=st.integers(10, 30))
def test_domains_of_every_layout_are_its_operators(
    kind: str, server: str, seed: int, own_count: int, per_domain: int
) -> None:
    """Relays, backups, hosting, refusals, discards: all own domains and no other; of a host that only sends,
    none."""
    layout = gateways.made(kind, seed, own_count, per_domain)
    sent = transmissions(gateways.lines_of(layout, server), server)
    found = find_domains(sent)
    assert set(found.own) == layout.own
    assert not set(found.others) & set(found.own)
    # Without own domains a person is shown what to choose from.
    assert found.own or found.others


def test_logs_of_one_operator_are_added_up() -> None:
    found = Domains({"a.example": 2}, {"b.example": 9}, {"c.example": 1, "d.example": 1})
    found.add_domains(Domains({"b.example": 1, "c.example": 5}, {"d.example": 4}, {"a.example": 3}))
    assert found.local == {"a.example": 5, "b.example": 10, "c.example": 6}
    assert (found.relayed, found.others) == ({"d.example": 5}, {})
    assert list(found.own) == ["b.example", "c.example", "a.example", "d.example"]


def log(folder: Path, kind: str) -> tuple[Path, gateways.Layout]:
    layout = gateways.made(kind, 7, 3, 20)
    file = folder / "mail.log"
    file.write_text("\n".join(gateways.lines_of(layout, "postfix")) + "\n", encoding="utf-8")
    return file, layout


def test_a_gateway_is_proposed_its_domains_and_a_smarthost_is_asked_for_them(tmp_path: Path) -> None:
    file, layout = log(tmp_path, "relay to public hosts")
    found = propose_from_logs([str(file)])
    text = settings_text(found, proposed_answers(found))
    assert set(tomllib.loads(text)["operator"][0]["domains"]) == layout.own
    assert "# Mail of strangers to these is taken here; assumed: check it.\ndomains = " in text
    assert "mail of strangers to them is taken here" in describe_domains(found.domains, "")
    file, layout = log(tmp_path, "smarthost of customers")
    found = propose_from_logs([str(file)])
    text = settings_text(found, proposed_answers(found))
    assert "domains" not in tomllib.loads(text)["operator"][0]
    # What is proposed to choose from is right once it is no comment.
    (shown,) = [line for line in text.splitlines() if line.startswith("# domains = ")]
    domains = tomllib.loads(shown.removeprefix("# "))["domains"]
    assert len(shown) <= 80 and domains == list(found.domains.others)[: len(domains)]
    assert f"Recipients are in {domains[0]}, " in describe_domains(found.domains, "")

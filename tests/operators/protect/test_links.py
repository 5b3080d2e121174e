"""Link of an operator that a row came by: the same as by asking each link in turn, and in one pass."""

import resource
import subprocess
import sys
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.operators.protect.links import link_ids
from jobs.operators.protect.operators import OperatorSpace
from tests.support.examples import examples

SIGNS = st.text("ab[].:1", max_size=8)


def space_of(*names: str) -> OperatorSpace:
    return OperatorSpace("op", "CHE", (), (), (), tuple((name, "peer") for name in names))


def found(texts: list[str | None], *names: str, clients: list[str | None] | None = None) -> list[Any]:
    frame = pl.DataFrame(
        {"link": texts, "name": clients or [None] * len(texts)},
        schema={"link": pl.String, "name": pl.String},
    ).with_columns(channel_code=pl.lit("SMS"))
    return link_ids(frame, "link", None, "name" if clients else None, space_of(*names)).to_list()


def by_each_link(text: str, names: list[str]) -> str | None:
    """Return the last link that matches, of each in turn."""
    last = None
    for known in names:
        if text == known or text.startswith(known + "[") or f"[{known}]" in text:
            last = known
    return last


@examples(200)
@given(
    st.lists(SIGNS, max_size=4), st.lists(st.text("ab[]", min_size=1, max_size=4), max_size=4, unique=True)
)
def test_a_link_is_found_as_by_asking_each_in_turn(texts: list[str], names: list[str]) -> None:
    assert found([*texts, None], *names) == [*(by_each_link(text, names) for text in texts), None]


def test_names_ranges_and_clients() -> None:
    texts = ["HUB", "mx.hub.example[203.0.113.7]:25", "smsc[PEER]", "mx.x.example[198.51.100.9]:25", None]
    clients = [None, None, None, None, "HUB"]
    names = ("HUB", "PEER", "203.0.113.0/24", "203.0.113.0/28")
    assert found(texts, *names, clients=clients) == ["HUB", "203.0.113.0/28", "PEER", None, "HUB"]


@pytest.mark.long
def test_memory_does_not_grow_with_links() -> None:
    """A condition for each link took 9 GB for 3,000 of them."""
    program = (
        "import polars as pl\n"
        "from jobs.operators.protect.links import link_ids\n"
        "from jobs.operators.protect.operators import OperatorSpace\n"
        "names = tuple((f'LINK-{n}', 'peer') for n in range(3_000))\n"
        "space = OperatorSpace('op', 'CHE', (), (), (), names)\n"
        "rows = pl.DataFrame({'link': [f'LINK-{n % 4000}' for n in range(100_000)]})\n"
        "rows = rows.with_columns(channel_code=pl.lit('SMS'), name='link')\n"
        "assert link_ids(rows, 'link', None, 'name', space).null_count() == 25_000\n"
    )
    limit = 1 << 30

    def bound_memory() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    subprocess.run([sys.executable, "-c", program], check=True, preexec_fn=bound_memory, timeout=120)

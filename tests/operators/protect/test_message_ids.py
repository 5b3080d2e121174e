"""Message-ids that no program writes as another does: what names one message joins."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.tables.contracts import rows_frame
from jobs.operators.formats.postfix import FORMAT as postfix
from jobs.operators.formats.spamassassin import FORMAT as spamassassin
from jobs.operators.protect.message_ids import normalise_ids
from jobs.operators.silver import assembling
from jobs.operators.silver.frames import MESSAGE
from jobs.operators.silver.pipeline import make_messages_in_memory
from jobs.operators.sniff.silver import PROTECTION
from tests.support.filter_logs import lab, parse


@pytest.mark.parametrize(
    ("header", "by_spamd"),
    [
        ("1.2@mx.example", "1.2@mx.example"),
        ("1.2@<>", "1.2@?"),
        ("1.2@a>b", "1.2@a"),
        ("1 .2@mx.example", "1?.2@mx.example"),
        ("1.2@mx.example (added by the gateway)", "1.2@mx.example"),
        ("1ü2@mx.example", "1??2@mx.example"),
        ("a?b@mx.example", "a?b@mx.example"),
        ("1(a(b)c)2@mx.example", "12@mx.example"),
        ("1(2@mx.example", "1(2@mx.example"),
    ],
)
def test_both_forms_of_an_id_are_one(header: str, by_spamd: str) -> None:
    one, other = normalise_ids(pl.Series([header, by_spamd]))
    assert one == other


@given(st.lists(st.none() | st.text("ab@.<>()? \té\n", max_size=12), max_size=8))
def test_one_form_stays_as_it_is(ids: list[str | None]) -> None:
    found = normalise_ids(pl.Series(ids, dtype=pl.String))
    assert [each is None for each in found] == [each is None for each in ids]
    assert normalise_ids(found).to_list() == found.to_list()
    usual = [each for each in ids if each is not None and set(each) <= set("ab@.")]
    assert set(usual) <= set(found)


def test_each_verdict_of_spamd_is_joined_to_its_message() -> None:
    """One of the laboratory's messages has the id `...@<>`, which spamd writes `...@?`."""
    bronze = {}
    for kernel in (postfix, spamassassin):
        rows = (
            parse(kernel, lab("postfix/mail.iso8601.log"))
            .lazy()
            .with_columns(operator_id=pl.lit("sniff"), source_id=pl.lit("s"), stream_id=pl.lit("a"))
        )
        bronze[kernel.name] = kernel.assemble(rows).collect()
    sent, said = (
        assembling.assemble_rows(f"silver.{name}", bronze, PROTECTION) for name in ("transmission", "verdict")
    )
    assert said.height == 21
    assert set(said["message_id_hash"]) <= set(sent["message_id_hash"])
    knowledge = rows_frame([], "silver.operator_knowledge")
    messages = make_messages_in_memory(sent, said, knowledge).table_rows(MESSAGE)
    assert messages.filter(pl.col("engine_code") == "spamassassin")["message_hash"].n_unique() == 21

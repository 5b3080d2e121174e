"""Answers: people's addresses and numbers in them are found, and figures that are the least are marked."""

import pytest

from jobs.base.core.identifiers import has_identifier
from tests.support.questionnaire import assessed, cell, filled, told

FOUND = [
    "ask anna.example@example.org", "anna@example", "from 192.0.2.17", "from [2001:db8::17]:",
    "call +254 700 000 000", "call 00254-700-000-000", "Tel. 0700 000 000", "(020) 7946 0000",
    "tel:٠٧٠٠٠٠٠٠٠٠",
]  # fmt: skip

NOT_FOUND = [
    "7000000000 of 9,000,000,000 messages", "1 250 000 and 0.5%", "since 01/11/2026, or 2026-11-25",
    "RFC 5321, section 4.5.3.1.8", "0.35 to 0.75 of 1.000.000", "twice a day @ 10 and 20:30",
    "100 % of 2025-2026", "version 4.0.1 at 12:00:00", "",
]  # fmt: skip


@pytest.mark.parametrize("words", FOUND)
def test_addresses_and_numbers_in_notes_and_texts_are_found(words: str) -> None:
    assert has_identifier(words)
    book = filled()
    cell(book, "sp201", "note").value = words
    cell(book, "sp104").value = f"Example Holding, {words}"
    says = [message for _, _, message in told(assessed(book))]
    assert len(says) == 2 and all("address or a number of a person" in each for each in says)
    assert not any(words in each for each in says)


@pytest.mark.parametrize("words", NOT_FOUND)
def test_figures_and_dates_in_notes_are_none(words: str) -> None:
    assert not has_identifier(words)
    book = filled()
    cell(book, "sp201", "note").value = words
    assert told(assessed(book)) == []


def test_blocked_messages_alone_are_at_least_the_spam() -> None:
    book = filled()
    cell(book, "sp305.SMS.attempted", "status").value = "At least"
    found = assessed(book)
    assert told(found) == []
    assert found.answers["sp305.SMS.attempted"].status == "GE"


def test_a_date_is_read_in_the_order_of_the_forms_other_dates() -> None:
    """A fiscal year: 31/03 fixes that 01/04 is the first of April. Without it the day is unclear."""
    found = assessed(filled({"sp105.first": "01/04/2025", "sp105.last": "31/03/2026"}))
    assert told(found) == [] and found.answers["sp105.first"].text == "2025-04-01"
    american = assessed(filled({"sp105.first": "04/01/2025", "sp105.last": "03/31/2026"}))
    assert told(american) == [] and american.answers["sp105.first"].text == "2025-04-01"
    for last in ("2026-03-31", "05/03/2026"):
        unclear = assessed(filled({"sp105.first": "01/04/2025", "sp105.last": last}))
        assert "sp105.first" not in unclear.answers

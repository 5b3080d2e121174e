"""jobs.operators.protect.parties: who sends and who receives, beyond a country."""

from pathlib import Path

import polars as pl
import pytest

from jobs.operators.protect import parties


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("447700900123", "number"),
        ("+447700900123", "number"),
        ("00447700900123", "number"),
        ("60777", "short_code"),
        ("7726", "short_code"),
        ("MyBank", "name"),
        ("1NFO5M5", "name"),
        ("银行", "name"),
        ("alice@sip.example", "address"),
        ("1" * 6, "short_code"),
        ("1" * 7, "number"),
        ("1" * 15, "number"),
        ("1" * 16, None),
        ("", None),
        ("?", None),
        (None, None),
    ],
)
def test_the_kind_of_a_sender(sender: str | None, kind: str | None) -> None:
    assert parties.sender_kinds(pl.Series([sender], dtype=pl.String)).to_list() == [kind]


def frame(**values: list[object]) -> pl.DataFrame:
    kinds = {"is_own_recipient": pl.Boolean}
    names = ("channel_code", "recipient", "outbound_link", "outbound_link_id", "is_own_recipient")
    height = len(next(iter(values.values())))
    return pl.DataFrame(
        {name: values.get(name, [None] * height) for name in names},
        schema={name: kinds.get(name, pl.String) for name in names},
    )


def test_the_operator_that_mail_went_to() -> None:
    rows = frame(
        channel_code=["EMAIL"] * 5,
        outbound_link=[
            None,
            "mx1.mail.example.org[192.0.2.7]:25",
            "smart[192.0.2.9]:25",
            "[192.0.2.8]:25",
            "none",
        ],
        outbound_link_id=[None, None, "smart", None, None],
        is_own_recipient=[True, False, False, False, False],
    )
    found = parties.destination_operators(rows, "own-op", {"smart": "hub"}, None)
    assert found.to_list() == ["own-op", "example.org", None, None, None]


def test_the_operator_that_an_sms_went_to(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("prefix,mcc_mnc\n4477009,234-30\n")
    rows = frame(
        channel_code=["SMS"] * 5,
        recipient=["447700900123", "447700900123", "353209110000", "353209110000", "447700900123"],
        outbound_link=["PEER", "HUB", "PEER", "HUB", None],
        outbound_link_id=["PEER", "HUB", "PEER", "HUB", None],
        is_own_recipient=[False, False, False, False, True],
    )
    links = {"PEER": "peer", "HUB": "hub"}
    found = parties.destination_operators(rows, "own-op", links, str(numbers))
    assert found.to_list() == ["234-30", "234-30", "PEER", None, "own-op"]
    without = parties.destination_operators(rows, "own-op", links, None)
    assert without.to_list() == ["PEER", None, "PEER", None, "own-op"]


def test_networks_need_a_table(tmp_path: Path) -> None:
    senders = pl.Series("sender", ["447700900123", "60777", "MyBank", None])
    assert parties.networks_of_numbers(senders, None).to_list() == [None] * 4
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("prefix,mcc_mnc\n4477,234-30\n60,510-1\n".replace("510-1", "510-11"))
    # A short code is of no country, whatever range its digits look like.
    assert parties.networks_of_numbers(senders, str(numbers)).to_list() == ["234-30", None, None, None]
    by_length = pl.Series(["4477" + "0" * (length - 4) for length in (6, 7, 15, 16)])
    found = parties.networks_of_numbers(by_length, str(numbers))
    assert found.to_list() == [None, "234-30", "234-30", None]

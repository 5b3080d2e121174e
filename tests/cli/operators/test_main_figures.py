"""The tables that `demo` and `report LOG…` print."""

from typing import Any

import polars as pl
from rich.console import Console

from jobs.base.tables.contracts import rows_frame
from jobs.cli.operators.main_figures import format_spam_share, types_table, world_tables


def test_types_have_the_names_that_the_page_writes() -> None:
    def rows(*_: Any) -> list[dict[str, Any]]:
        return [
            {"channel_code": "EMAIL", "spam_type_code": code, "spam_certain": count}
            for code, count in (("PHISH.mail", 39), ("FRAUD.advance-fee", 54), ("UNK", 1_108))
        ]

    console = Console(width=80, record=True)
    console.print(types_table(rows))
    lines = [" ".join(line.strip("│ ").split(" │ ")) for line in console.export_text().splitlines()]
    printed = [" ".join(line.split()) for line in lines if "EMAIL" in line]
    assert printed == ["EMAIL Type not known 1,108", "EMAIL Fraud: advance fee 54", "EMAIL Phishing: mail 39"]


def test_a_share_is_written_as_on_the_page() -> None:
    """Never 0% of something nor 100% of not quite all."""
    shares = {(3, 3): "<0.1%", (0, 0): "0%", (0, 3): "0%–<0.1%", (999_999, 999_999): ">99.9%"}
    for (certain, possible), text in shares.items():
        row = {"units": 1_000_000, "spam_certain": certain, "spam_possible": possible}
        assert format_spam_share(row) == text


def estimate(channel: str, quantity: str, value: int, **other: Any) -> dict[str, Any]:
    return {
        "period_code": "2026-Q4", "area_code": "WORLD", "area_kind_code": "world", "channel_code": channel,
        "population_pct": 97,
        "unit_code": "attempted", "definition_code": "OPERATOR", "quantity_code": quantity,
        "coverage_pct": 60, "estimate": value, "estimate_low": 0.9 * value, "estimate_high": 1.2 * value,
    } | other  # fmt: skip


def test_the_demos_estimates_are_corrected_ones_beside_the_truth() -> None:
    """Estimates have the unit and definition of `study estimate`; a channel without audits has what filters
    saw."""
    rows = [
        estimate("SMS", "spam_certain", 12_000), estimate("SMS", "spam_corrected", 18_000),
        estimate("SMS", "spam_corrected", 77, unit_code="recipient"), estimate("MMS", "spam_certain", 500),
    ]  # fmt: skip
    truth = pl.DataFrame(
        [
            {"area_code": "WORLD", "channel_code": "SMS", "figure": "spam_corrected", "value": 17_200},
            {"area_code": "WORLD", "channel_code": "SMS", "figure": "spam_certain", "value": 11_700},
        ]
    )
    console = Console(width=80, record=True)
    for table in world_tables(rows_frame(rows, "study.spam_volume"), truth):
        console.print(table)
    text = console.export_text()
    lines = [line.split() for line in text.splitlines() if "WORLD" in line]
    assert lines == [
        ["WORLD", "500", "450–600", "–", "500", "60%"],
        ["WORLD", "18k", "16.2k–21.6k", "17.2k", "12k", "60%"],
    ]
    assert "SMS: spam in 2026-Q4, corrected for filter error" in text
    assert "MMS: spam in 2026-Q4, as filters saw it" in text
    assert text.count("Attempted (recipients and attempts), definition OPERATOR") == 2
    assert text.count("of a made-up membership") == 2

"""The tables that `demo` and `report LOG…` print."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from jobs.cli.main_figures import types


def test_types_have_the_names_that_the_page_writes() -> None:
    def rows(*_: Any) -> list[dict[str, Any]]:
        return [
            {"channel_code": "EMAIL", "spam_type_code": code, "spam_certain": count}
            for code, count in (("PHISH.mail", 39), ("FRAUD.advance-fee", 54), ("UNK", 1_108))
        ]

    console = Console(width=80, record=True)
    console.print(types(rows))
    lines = [" ".join(line.strip("│ ").split(" │ ")) for line in console.export_text().splitlines()]
    printed = [" ".join(line.split()) for line in lines if "EMAIL" in line]
    assert printed == ["EMAIL Type not known 1,108", "EMAIL Fraud: advance fee 54", "EMAIL Phishing: mail 39"]

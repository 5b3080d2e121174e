"""Cost of countermeasures on a terminal: with imputed values, and without them."""

from typing import Any

from rich.console import Console

from jobs.base.tables.contracts import rows_frame
from jobs.cli.study.study_costs import cost_tables

TABLE = "study.countermeasure_cost"


def row(area: str, strategy: str, component: str, estimate: float, **others: Any) -> dict[str, Any]:
    return {
        "period_code": "2026-Q4", "channel_code": "EMAIL", "area_code": area, "strategy_code": strategy,
        "cost_component_code": component, "estimate": estimate, "estimate_low": estimate / 2,
        "estimate_high": estimate * 2, "per_subscription": estimate / 1e6, "population_pct": 97, **others,
    }  # fmt: skip


def printed(*rows: dict[str, Any]) -> list[str]:
    console = Console(width=80, record=True, file=None, quiet=False)
    with console.capture() as found:
        for table in cost_tables(rows_frame(list(rows), TABLE)):
            console.print(table)
    return found.get().splitlines()


def test_strategies_by_cost_and_all_together_last() -> None:
    lines = printed(
        row("WORLD", "network", "marginal", 2000.0),
        row("WORLD", "network", "stated", 2000.0),
        row("WORLD", "network", "total", 2000.0, imputed_pct=0),
        row("WORLD", "_O", "total", 3000.0, imputed_pct=100),
        row("LDC", "_T", "total", 1000.0, imputed_pct=40, per_thousand_units=0.5),
        row("WORLD", "_T", "marginal", 2000.0),
        row("WORLD", "_T", "stated", 2000.0),
        row("WORLD", "_T", "total", 5000.0, imputed_pct=60, per_thousand_units=0.25),
        row("EUR", "_T", "total", 4000.0, imputed_pct=60),
    )
    found = [line.split() for line in lines if line.startswith((" several", " network", " all,"))]
    assert found == [
        ["several", "–", "–", "3k", "1.5k–6k", "100%", "0.003", "–"],
        ["network", "2k", "2k", "2k", "1k–4k", "0%", "0.002", "–"],
        ["all,", "world", "2k", "2k", "5k", "2.5k–10k", "60%", "0.005", "0.25"],
        ["all,", "LDC", "–", "–", "1k", "500–2k", "40%", "0.001", "0.5"],
    ]
    assert max(map(len, lines)) <= 80


def test_costs_have_the_marks_of_their_bands_and_name_their_period() -> None:
    whole = row("WORLD", "_T", "total", 5e6, cv_band_code="unreliable")
    part = row("WORLD", "_T", "marginal", 2e6, cv_band_code="caution")
    told = printed(whole, part)
    (line,) = [each.split() for each in told if each.startswith(" all,")]
    assert line[2] == "2M!" and line[4] == "5M!!"
    text = " ".join(" ".join(told).split())
    assert "$ each, strategy" in text and "quarter" in text and "not to be quoted" in text
    year = " ".join(printed(whole | {"period_code": "2026"}))
    assert "year" in year and "quarter" not in year
    assert "judgement of this project" in text


def test_without_costs_nothing_is_printed() -> None:
    assert printed() == []

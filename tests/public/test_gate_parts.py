"""Where the attack finds a contribution in figures of parts, single parts are left out, and never a whole."""

from typing import Any

import polars as pl

from jobs.attack.known import Finding, PublishedCell
from jobs.public.cells import CELL
from jobs.public.contracts import public_contract
from jobs.public.gate import to_drop

ABOUT = public_contract("public.spam_type")
TABLE, PERIOD, RELEASE = "study.spam_type", "2026-Q4", "2026-Q4/v1.0.0"


def row(area: str, code: str, estimate: float, kind: str = "region") -> dict[str, Any]:
    series = f"attempted/OPERATOR/spam_certain/{code}"
    return {
        "table_name": TABLE, "period_code": PERIOD, "channel_code": "SMS", "series": series,
        "area_code": area, "area_kind_code": kind, "estimate": estimate, "spam_type_code": code,
    }  # fmt: skip


ROWS = [
    row("CIS", "AD.retail", 40.0), row("TRANSITION", "AD.retail", 30.0, "group"), row("CIS", "_S", 900.0),
    row("CIS", "_T", 20.0), row("ARB", "UNK", 10.0),
]  # fmt: skip


def finding(*rows: dict[str, Any]) -> Finding:
    cells = tuple(PublishedCell(RELEASE, *(str(each[name]) for name in CELL)) for each in rows)
    return Finding("", "holding", ("one",), TABLE, PERIOD, "SMS", "series", "high", cells)


def dropped(*findings: Finding) -> list[tuple[str | None, str]]:
    found = to_drop(findings, {TABLE: pl.DataFrame(ROWS)}, {TABLE: ABOUT}, RELEASE, leave_out_areas=False)
    return found.select("series", "area_code").rows()


def test_the_smallest_part_goes_and_the_rest_of_its_area_stays() -> None:
    series = "attempted/OPERATOR/spam_certain/AD.retail"
    assert dropped(finding(ROWS[0], ROWS[1])) == [(series, "TRANSITION")]


def test_one_part_goes_for_two_findings_that_it_is_in() -> None:
    assert len(dropped(finding(ROWS[0], ROWS[1]), finding(ROWS[1], ROWS[2]))) == 1


def test_a_whole_never_goes() -> None:
    """It stands in public.spam_volume, too."""
    assert dropped(finding(ROWS[3])) == []
    assert dropped(finding(ROWS[2], ROWS[3])) == [("attempted/OPERATOR/spam_certain/_S", "CIS")]

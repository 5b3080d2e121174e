"""The tables of types, sources and routes that `study estimate` and the demo print."""

from typing import Any

from rich.console import Console

from jobs.base.tables.contracts import rows_frame
from jobs.cli.study.study_parts import route_tables, source_tables, type_tables


def figure(area: str, value: float, quantity: str = "spam_certain", **codes: Any) -> dict[str, Any]:
    return {
        "period_code": "2026-Q4", "area_code": area, "area_kind_code": "world", "channel_code": "EMAIL",
        "unit_code": "attempted", "definition_code": "OPERATOR", "quantity_code": quantity,
        "estimate": value, "estimate_low": 0.9 * value, "estimate_high": 1.2 * value,
    } | codes  # fmt: skip


def printed(tables: list[Any]) -> tuple[str, list[list[str]]]:
    console = Console(width=80, record=True)
    for table in tables:
        console.print(table)
    text = console.export_text()
    assert all(len(line) <= 80 for line in text.splitlines())
    return text, [line.split() for line in text.splitlines()]


def test_types_are_listed_by_size_corrected_where_there_are_audits() -> None:
    rows = [
        figure("WORLD", 100, spam_type_code="_S"), figure("WORLD", 100, spam_type_code="UNK"),
        figure("WORLD", 200, "spam_corrected", spam_type_code="_S"),
        figure("WORLD", 210, "spam_corrected", spam_type_code="_T"),
        figure("WORLD", 50, "spam_corrected", spam_type_code="UNK"),
        figure("WORLD", 150, "spam_corrected", spam_type_code="PHISH.mail"),
        figure("LDC", 40, "spam_corrected", spam_type_code="_S"),
        figure("LDC", 10, "spam_corrected", spam_type_code="PHISH.mail"),
    ]  # fmt: skip
    text, lines = printed(type_tables(rows_frame(rows, "study.spam_type")))
    assert "corrected for filter error" in text and "as filters saw it" not in text
    assert ["Phishing:", "mail", "150", "135–180", "75%", "10", "25%"] in lines
    assert ["Type", "not", "known", "50", "45–60", "25%", "–", "–"] in lines


def test_parts_have_the_marks_of_their_bands() -> None:
    rows = [
        figure("WORLD", 150, spam_type_code="_S"), figure("LDC", 10, spam_type_code="_S"),
        figure("WORLD", 150, spam_type_code="UNK", cv_band_code="caution"),
        figure("LDC", 10, spam_type_code="UNK", cv_band_code="few_holdings"),
    ]  # fmt: skip
    text, lines = printed(type_tables(rows_frame(rows, "study.spam_type")))
    assert ["Type", "not", "known", "150!", "135–180", "100%", "10!!", "100%"] in lines
    assert "!! seen by few" in text and "far too low or too high" in " ".join(text.split())


def test_sources_have_the_rate_of_their_own_subscriptions() -> None:
    def of(area: str, value: float, region: str, country: str, rate: float | None = None) -> dict[str, Any]:
        return figure(
            area, value, source_region_code=region, source_country_code=country,
            source_basis_code="address", per_thousand_source_subscriptions=rate,
        )  # fmt: skip

    rows = [
        of("WORLD", 400, "_S", "_T"), of("WORLD", 300, "EUR", "_T", 9.0), of("WORLD", 300, "EUR", "DEU", 9.0),
        of("WORLD", 100, "_U", "_T"), of("LDC", 20, "_S", "_T"), of("LDC", 5, "EUR", "DEU", 1.0),
    ]  # fmt: skip
    text, lines = printed(source_tables(rows_frame(rows, "study.spam_source")))
    assert "by country of address" in text
    assert ["DEU", "300", "270–360", "75%", "9", "5", "25%"] in lines
    assert ["_U", "100", "90–120", "25%", "–", "–", "–"] in lines
    assert not any(line[:1] == ["EUR"] for line in lines)


def test_links_have_their_share_of_known_links() -> None:
    def of(area: str, value: float, link: str, share: float | None = None) -> dict[str, Any]:
        return figure(
            area, value, origin_region_code="_S", link_code=link, transit_code="_T", base_share_pct=share,
            seeing_count=3, respondent_count=5,
        )  # fmt: skip

    rows = [
        of("WORLD", 400, "_T"), of("WORLD", 100, "hub", 40.0), of("WORLD", 150, "sim-farm", 60.0),
        of("WORLD", 150, "unknown"), of("LDC", 20, "_T"), of("LDC", 5, "hub", 0.4),
    ]  # fmt: skip
    crossed = [
        of("WORLD", value, "_T", share) | {"transit_code": code, "seeing_count": 2}
        for code, value, share in (("ss7", 30, 75.0), ("internet", 10, 25.0), ("unknown", 360, None))
    ]
    text, lines = printed(route_tables(rows_frame([*rows, *crossed], "study.spam_route")))
    said = "Of what crossed known networks: SS7 or SIGTRAN 75%, Internet 25%. 2 operators name any."
    assert said in " ".join(text.split())
    assert "3 of 5 operators name the inbound link of some spam." in text
    assert ["Hub", "100", "90–120", "40%", "5", "<1%"] in lines
    assert ["SIM", "farm", "150", "135–180", "60%", "–", "–"] in lines
    assert ["Unknown", "150", "135–180", "–", "–", "–"] in lines

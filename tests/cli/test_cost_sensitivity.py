"""The table of what a gap depends on."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.config import Observatory, load_settings
from jobs.base.tables.csv_tables import read_tables
from jobs.cli.cost_sensitivity import draw_sensitivity, sensitivity_table
from jobs.study.costs.sensitivity import ParameterEffect
from tests.conftest import ROOT

NORM = {
    "period_code": "2026", "area_code": "LDC", "channel_code": "EMAIL", "target_code": "norm",
    "target_per_subscription": 0.5, "necessary": 458e6, "gap": 233e6, "gap_low": 180e6, "gap_high": 276e6,
}  # fmt: skip
BEST = NORM | {"target_code": "best", "target_per_subscription": None, "gap": None}
EFFECTS = [
    ParameterEffect("shared_asset_share", 0.25, 0.5, 1.0, 220e6, 236e6),
    ParameterEffect("lifetime_years_server", 3, 5, 7, 242e6, 218e6),
    ParameterEffect("discount_rate_real_developed", 0.03, 0.05, 0.09, 225e6, 225e6),
]


def printed(target: dict[str, object]) -> list[str]:
    console = Console(width=80, record=True, file=io.StringIO())
    for each in draw_sensitivity(225e6, EFFECTS, target, [NORM, BEST]):
        console.print(each)
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_the_greatest_effect_comes_first_and_a_norm_is_halved_and_doubled() -> None:
    lines = printed(NORM)
    names = ("norm: half, twice", "life of servers", "shared-asset share")
    assert [line for line in lines if any(name in line for name in names)] == [
        line for name in names for line in lines if name in line
    ]
    of = {name: next(line for line in lines if name in line).split() for name in names}
    assert of["norm: half, twice"][-6:] == ["0.25", "1", "225M", "225M", "4M", "691M"]
    assert of["life of servers"][-6:] == ["3", "7", "242M", "218M", "216M", "240M"]
    text = " ".join(" ".join(lines).split())
    assert "No effect: rate, developed." in text and "best no target" in text
    assert "norm 0.50 each per year gap 233M 180M–276M" in text


def test_of_another_target_the_norm_is_no_parameter() -> None:
    assert not any("half, twice" in line for line in printed(NORM | {"target_code": "top"}))


def test_the_samples_settings_name_the_files_of_its_estimates() -> None:
    files = load_settings(ROOT / "sample_data" / "observatory.toml").study.files
    assert (
        files is not None and read_tables(Path(files), ("ref.operator_frame",))["ref.operator_frame"].height
    )


def test_it_is_of_gaps_and_needs_the_studys_files(tmp_path: Path) -> None:
    with pytest.raises(ObservatoryError, match="name a gap, as study.investment_gap/2026/LDC/EMAIL"):
        sensitivity_table("study.investment/2026/LDC/EMAIL", Observatory())
    with pytest.raises(ObservatoryError, match=r"\[study\] files is not set"):
        sensitivity_table("study.investment_gap/2026/LDC/EMAIL", Observatory())

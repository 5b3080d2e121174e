"""The revision triangle: figures as each release had them."""

from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from typer.testing import CliRunner

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.public_contracts import public_contract
from jobs.cli.main import app
from jobs.cli.study.release_revisions import format_figure
from jobs.study.release.triangle import build_triangle, format_triangle, read_triangle

KEY = public_contract("public.spam_volume").key


def volumes(**figures: str) -> dict[str, pl.DataFrame]:
    """Public volumes of the world, by period, as texts."""
    cell = dict.fromkeys(KEY, "x") | {"area_code": "001"}
    rows = [cell | {"period_code": period, "estimate": value} for period, value in figures.items()]
    return {"spam_volume": pl.DataFrame(rows), "cost": pl.DataFrame({"figure": ["1"]})}


def test_each_figure_stands_as_each_release_had_it() -> None:
    found = build_triangle(
        [("A", volumes(one="200")), ("B", volumes(one="210", two="5")), ("C", volumes(one="200", two="4"))]
    )
    assert found.select("period_code", "release_number", "release", "figure", "revision_pct").rows() == [
        ("one", "1", "A", "200", "0.0"),
        ("one", "2", "B", "210", "5.0"),
        ("one", "3", "C", "200", "0.0"),
        ("two", "2", "B", "5", "0.0"),
        ("two", "3", "C", "4", "-20.0"),
    ]
    assert set(found["table"]) == {"spam_volume"}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rows = build_triangle([("A", volumes(one="0")), ("B", volumes(one="3"))])
    (tmp_path / "revision-triangle.made-up.csv").write_bytes(format_triangle(rows))
    assert read_triangle(tmp_path).equals(rows)
    # From nothing there is no change in percent.
    assert rows["revision_pct"].null_count() == 2
    with pytest.raises(ObservatoryError, match=r"no revision-triangle\.csv"):
        read_triangle(tmp_path / "none")


@pytest.mark.long
def test_a_release_has_its_triangle_and_the_command_shows_it(made: SimpleNamespace) -> None:
    folder = made.node.releases / "2026-Q4" / "v1.0.0"
    done = CliRunner().invoke(app, ["release", "revisions", str(folder), "--period", "2026-Q4"])
    assert done.exit_code == 0, done.output
    assert "2026-Q4/v1.0.0" in done.output
    wrong = CliRunner().invoke(app, ["release", "revisions", str(folder), "--area", "nowhere"])
    assert isinstance(wrong.exception, ObservatoryError) and "it has areas 001_STUDY, " in str(
        wrong.exception
    )


@pytest.mark.parametrize(
    ("value", "pct", "told"),
    [("209000000000", None, "209bn"), ("1250000", "25", "1.25M (+25.0%)"), ("870", "0", "870")],
)
def test_figures_are_printed_with_their_unit(value: str, pct: str | None, told: str) -> None:
    assert format_figure(value, pct) == told

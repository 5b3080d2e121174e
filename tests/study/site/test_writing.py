"""The folder of a site: whole or not there, the same bytes everywhere, complete in itself, and safe."""

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
import yaml
from typer.testing import CliRunner

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.cli.main import app
from jobs.study.release.codebook import data_package, format_citation
from jobs.study.release.manifest import compute_digest
from jobs.study.site import names
from jobs.study.site.about_pages import lines_to_run
from jobs.study.site.pages import SUBJECTS
from jobs.study.site.published_release import read_release
from jobs.study.site.texts import load_texts
from jobs.study.site.writing import write_site
from tests.conftest import ROOT
from tests.support.release import ABOUT
from tests.support.release import write as write_volumes
from tests.support.site_release import MADE_UP, write_whole

pytestmark = pytest.mark.long

NASTY = '<script>alert("1")</script> & "quoted" =1+1'
LINK = re.compile(r'(?:href|src)="([^"]*)"')


def change_manifest(release: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = release / "manifest.json"
    about = json.loads(file.read_bytes())
    change(about)
    file.chmod(0o644)
    file.write_text(json.dumps(about), "utf-8")


def change_table(release: Path, name: str, text: str) -> None:
    """Another content of a table's file, which the manifest names by its digest."""
    file = release / "data" / name
    file.chmod(0o644)
    file.write_text(text, "utf-8")
    entry = {"sha256": compute_digest(file.read_bytes()), "bytes": 1}
    change_manifest(release, lambda about: about["files"].update({f"data/{name}": entry}))


def lose_table(release: Path) -> None:
    (release / "data" / "user_cost.made-up.csv").unlink()
    lost = "data/user_cost.made-up.csv"
    change_manifest(release, lambda about: about["files"].pop(lost))


def replace_in_table(release: Path, name: str, was: str, now: str) -> None:
    text = (release / "data" / name).read_text("utf-8")
    assert was in text
    change_table(release, name, text.replace(was, now))


def damage_table(release: Path) -> None:
    file = release / "data" / "policy.made-up.csv"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes() + b"\n")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (damage_table, "policy.made-up.csv was changed"),
        (lambda release: change_manifest(release, lambda about: about.pop("publisher")), "of an older form"),
        (lose_table, "has no table user_cost"),
        (lambda release: change_table(release, "policy.made-up.csv", "period_code\n"), "policy lacks"),
        (lambda release: (release / "manifest.json").unlink(), "is no release"),
        (
            lambda release: replace_in_table(release, "policy.made-up.csv", "001", "999"),
            "policy: area_code has the unknown code '999'",
        ),
        (
            lambda release: replace_in_table(release, "spam_volume.made-up.csv", "12500000", "12.5 M"),
            "estimate has '12.5 M' in place of a number",
        ),
    ],
)  # fmt: skip
def test_what_is_no_whole_release_gets_no_page(
    spoil: Callable[[Path], None], says: str, tmp_path: Path
) -> None:
    release = write_whole(tmp_path)
    (release / "data").chmod(0o755)
    spoil(release)
    with pytest.raises(ObservatoryError, match=says):
        write_site(release, tmp_path / "site")
    assert [each.name for each in tmp_path.iterdir()] == ["2026-Q4"]


def test_a_country_without_a_name_in_a_language_gets_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = names.country_names
    monkeypatch.setattr(names, "country_names", lambda language: known(language) | {"FJI": None})
    with pytest.raises(ObservatoryError, match="FJI has no name in fr"):
        write_site(write_whole(tmp_path), tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_release_without_any_row_says_so_on_every_page(tmp_path: Path) -> None:
    write_site(write_whole(tmp_path, channels=()), tmp_path / "site")
    for name in SUBJECTS:
        assert "This release has no such figure." in (tmp_path / "site" / f"{name}.html").read_text("utf-8")


def test_nothing_is_overwritten_but_an_earlier_site(drawn: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(ObservatoryError, match="lies in the release"):
        write_site(drawn.release, drawn.release / "site")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine.txt").write_text("mine")
    with pytest.raises(ObservatoryError, match="is no site"):
        write_site(drawn.release, tmp_path / "site")
    (tmp_path / "site" / "mine.txt").unlink()
    for _ in range(2):
        assert write_site(drawn.release, tmp_path / "site") == drawn.digest


def test_the_command_says_where_the_site_is(drawn: SimpleNamespace, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["release", "site", str(drawn.release), "--output", str(tmp_path / "s")])
    said = f"Site: {tmp_path}/s/index.html\ndigest of its files {drawn.digest}\n"
    assert done.exit_code == 0 and done.output == said


def test_the_same_bytes_in_another_zone_locale_and_core_count(drawn: SimpleNamespace, tmp_path: Path) -> None:
    other = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "POLARS_MAX_THREADS": "1", "PYTHONHASHSEED": "7"}
    program = "import sys; from pathlib import Path; from jobs.study.site.writing import write_site\n"
    program += "print(write_site(Path(sys.argv[1]), Path(sys.argv[2])))"
    command = [sys.executable, "-c", program, str(drawn.release), str(tmp_path / "site")]
    ran = subprocess.run(
        command, env=os.environ | other, cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == drawn.digest


def leads_somewhere(site: Path, page: Path, link: str) -> bool:
    """Return whether a link names a file, and a place that is in it once."""
    name, _, place = link.partition("#")
    file = site / name if name else page
    return file.is_file() and (not place or file.read_text("utf-8").count(f'id="{place}"') == 1)


def test_the_site_needs_nothing_else(drawn: SimpleNamespace) -> None:
    """No dead link, no other host, no script; each page is small, and says that its figures are made up."""
    for file in drawn.site.glob("*.html"):
        text = file.read_text("utf-8")
        for link in LINK.findall(text):
            assert link == "data:," or leads_somewhere(drawn.site, file, html.unescape(link)), (file, link)
        assert "<script" not in text and "url(" not in text and "@import" not in text
        language = file.stem.partition(".")[2] or "en"
        assert file.stat().st_size < 300_000 and load_texts(language)["band"] in text
        for picture in re.findall(r'<svg[^>]*aria-label="([^"]*)"', text):
            assert load_texts(language)["made_up"] in picture
    assert "url(" not in (drawn.site / "style.css").read_text("utf-8")
    check = subprocess.run(["sha256sum", "--check", "--quiet", "files.sha256"], cwd=drawn.site, check=False)
    assert check.returncode == 0
    for file in drawn.release.glob("data/*.csv"):
        assert (drawn.site / "data" / file.name).read_bytes() == file.read_bytes()


def test_what_others_wrote_is_text_and_no_page(tmp_path: Path) -> None:
    about = replace(ABOUT, agency_name=NASTY, contact=NASTY, licence=NASTY)
    changed = {"policy": {"indicator_text": NASTY}, "user_cost": {"description": NASTY}}
    write_site(write_whole(tmp_path, about, changed=changed), tmp_path / "site")
    pages = {file.stem: file.read_text("utf-8") for file in (tmp_path / "site").glob("*.html")}
    assert not [name for name, text in pages.items() if "<script" in text]
    for name in ("index", "policy", "users", "area-001"):
        assert "&lt;script&gt;" in pages[name], name
    assert not [
        name for name, text in pages.items() if "MADE-UP" in text or "made up" in text and "svg" in text
    ]


def test_what_a_release_does_not_have_is_said(tmp_path: Path) -> None:
    empty = ("countermeasure_cost", "investment", "investment_gap", "volume_change", "spam_route")
    write_site(write_whole(tmp_path, channels=("SMS",), empty=empty), tmp_path / "site")
    pages = {file.stem: file.read_text("utf-8") for file in (tmp_path / "site").glob("*.html")}
    assert pages["index"].count("No figure of all countries together is published.") == 2
    assert "No money was published" in pages["index"] and "No money was published" in pages["investment"]
    assert "No change is published that could be quoted." in pages["index"]
    assert "This release has no such figure." in pages["routes"]
    assert "Changes have no interval" not in pages["index"] + pages["quality"]
    assert "95% intervals hold" in pages["index"] and "95% intervals hold" in pages["quality"]
    # Without spending the study's norm is unknown.
    assert "A gap needs a norm" not in pages["investment"]


def test_an_area_says_units_and_what_intervals_are(drawn: SimpleNamespace) -> None:
    page = (drawn.site / "area-001.html").read_text("utf-8")
    tables = re.findall(r"<h2>([\w ]+): World</h2>.*?<thead>(.*?)</thead>", page, re.DOTALL)
    heads = {title: re.sub(r"<[^>]+>", " ", head) for title, head in tables}
    assert "5 to 95%" in heads["Cost to users"] and "95% interval" not in heads["Cost to users"]
    assert "95% interval" in heads["Volume"] and "Unit" in heads["Volume"]
    # What readers look for stands first, and what is the same in all rows above the table.
    assert list(heads)[:3] == ["Volume", "Change", "Types"] and "Period" not in heads["Volume"]
    assert "Period: quarter 4 of 2026" in page


def cells_of(page: str, title: str) -> list[list[str]]:
    """The lines of a table, its heads first."""
    table = html.unescape(page[page.index(f"<h2>{title}</h2>") :].split("</table>")[0])
    lines = re.findall(r"<tr\b.*?</tr>", table, re.DOTALL)
    return [re.findall(r"<t[hd]\b[^>]*>(?:<[^>]+>)*([^<]*)", line) for line in lines]


def test_an_area_has_signs_brackets_and_units_as_pages_of_subjects(tmp_path: Path) -> None:
    low = {"cv_band_code": "unreliable"}
    write_site(write_whole(tmp_path, channels=("SMS",), changed={"investment": low}), tmp_path / "site")
    page = (tmp_path / "site" / "area-001.html").read_text("utf-8")
    heads, *costs = cells_of(page, "Running cost of countermeasures: World")
    assert "Figure, US dollars" in heads and "Each subscription, US dollars" in heads
    amounts = {line[2]: line[3] for line in costs}
    assert amounts == {"Fixed": "≥ 12.5M", "Marginal": "12.5M", "Stated": "≥ 12.5M"}
    assert {line[5] for line in cells_of(page, "Investment: World")[1:]} == {"(12.5M)"}
    # What was spent is as reliable beside a norm as by itself, and a cost for each unit as the cost.
    assert "(12.5M)" in cells_of(page, "Spending beside a norm: World")[1]
    assert "In brackets: a figure whose own reliability is low or not published." in page
    # What a figure is of stands in a column even if it is the same in all rows.
    assert cells_of(page, "Cost to users: World")[1][:2] == ["SMS", "Time to delete"]
    assert "≤ 5.5" in page
    assert cells_of(page, "Routes: World")[0][:2] == ["Channel", "Kind of link"]
    gap = cells_of(page, "Spending beside a norm: World")[0]
    assert gap[1:4] == ["By the norm, US dollars", "Spent, US dollars", "Gap, US dollars"]
    assert "Target: Norm" in page


def test_where_all_answered_there_is_no_interval_and_no_empty_column(tmp_path: Path) -> None:
    counted = {
        "area_factor": 0, "estimate_low": 12_500_000, "estimate_high": 12_500_000,
        "rate_per_subscription": None, "rate_low": None, "rate_high": None,
    }  # fmt: skip
    write_site(write_whole(tmp_path, changed={"spam_volume": counted}), tmp_path / "site")
    page = (tmp_path / "site" / "area-242.html").read_text("utf-8")
    heads, first, *_ = cells_of(page, "Volume: Fiji")
    assert dict(zip(heads, first, strict=True))["95% interval"] == "all answered"
    assert "Each subscription" not in heads and "12.5M–12.5M" not in page


def test_figures_of_others_are_not_called_made_up(drawn: SimpleNamespace) -> None:
    page = html.unescape((drawn.site / "others.html").read_text("utf-8"))
    assert "The figures of others are real" in page and "<b>made up: This study</b>" in page
    assert "<b>made up</b>" not in page
    own = (
        "63.3% (quarter 4 of 2026)",
        "2.27bn a day (quarter 4 of 2026)",
        "209M a quarter (quarter 4 of 2026)",
    )
    assert all(f'<td class="text">{each}</td>' in page for each in own)


def test_a_norm_that_was_not_set_is_said_where_spending_is_published(tmp_path: Path) -> None:
    write_site(write_whole(tmp_path, channels=("SMS",), empty=("investment_gap",)), tmp_path / "site")
    assert "A gap needs a norm" in (tmp_path / "site" / "investment.html").read_text("utf-8")


def test_a_study_of_few_countries_names_no_countries_that_it_does_not_cover(tmp_path: Path) -> None:
    few = {"population_pct": 7.5, "frame_country_count": 12, "estimate_low": None, "estimate_high": None}
    changed = {
        contract.name: {name: value for name, value in few.items() if name in contract.schema}
        for contract in map(public_contract, public_tables())
    }
    areas = {"WORLD": "world", "FJI": "country"}
    write_site(write_whole(tmp_path, areas=areas, changed=changed), tmp_path / "site")
    pages = {file.stem: file.read_text("utf-8") for file in (tmp_path / "site").glob("*.html")}
    assert "12 countries of the study" in pages["index"]
    assert "The study does not cover all countries." in pages["areas"] and "Tonga" not in pages["areas"]
    assert "intervals hold" not in pages["index"] + pages["quality"]


def test_a_release_of_volumes_alone_is_not_drawn_in_part(tmp_path: Path) -> None:
    write_volumes(tmp_path)
    with pytest.raises(ObservatoryError, match="no page is drawn of a part of a release"):
        write_site(tmp_path / "2026-Q4" / "v1.0.0", tmp_path / "site")


def test_lines_on_the_page_of_data_run(drawn: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(drawn.site)
    lines = lines_to_run(read_release(drawn.release))
    page = html.unescape((drawn.site / "data.html").read_text("utf-8"))
    assert all(text in page for text in lines.values())
    with duckdb.connect() as own:
        found = own.sql(lines["DuckDB"]).fetchall()
    areas = ("Africa (ITU region)", "Least developed countries", "World")
    assert sorted(found) == [(area, 41.2, 12_500_000, 9_810_000, 17_300_000) for area in areas]
    ran = subprocess.run([sys.executable, "-c", lines["pandas"]], check=True, capture_output=True, text=True)
    assert re.search(r"Africa \(ITU region\)\s+41.2\s+12500000\s+9810000\s+17300000", ran.stdout)


def test_an_area_without_rows_is_named_with_the_rules_for_all(drawn: SimpleNamespace) -> None:
    page = (drawn.site / "areas.html").read_text("utf-8")
    assert "area-242.html" in page and not (drawn.site / "area-776.html").exists()
    without = page[page.index("They are: ") :]
    assert "Tonga" in without and "Fiji" not in without.split("</p>")[0]
    assert "Antarctica" not in without


def test_the_quality_report_names_the_periods_of_every_table(tmp_path: Path) -> None:
    """A release of a quarter has volumes of its year, too."""
    release = write_whole(tmp_path, changed={"spam_volume": {"period_code": "2026"}}, empty=("user_cost",))
    write_site(release, tmp_path / "site")
    page = html.unescape((tmp_path / "site" / "quality.html").read_text("utf-8"))
    (said,) = re.findall(r"Figures of this study by period: ([^<]+)", page)
    quarter, *_, year = said.split("; ")
    assert quarter.startswith("quarter 4 of 2026 (") and "Volume" not in quarter and "Types" in quarter
    assert year.startswith("2026 (Volume, ") and "Investment" in year
    assert "Cost to users" not in said


def test_a_citation_ends_with_the_address_of_the_release(tmp_path: Path) -> None:
    about = replace(MADE_UP, address="https://example.org/spam/")
    write_site(write_whole(tmp_path, about), tmp_path / "site")
    address = "https://example.org/spam/2026-Q4/v1.0.0-site/"
    for page in ("volume", "data"):
        assert f" {address}</p>" in (tmp_path / "site" / f"{page}.html").read_text("utf-8")
    assert yaml.safe_load(format_citation(about))["url"] == address
    assert json.loads(data_package([], about))["homepage"] == address
    # A release without one says nothing of it.
    assert "url" not in yaml.safe_load(format_citation(MADE_UP))


def test_a_figure_that_one_release_lacks_is_none_in_the_difference(tmp_path: Path) -> None:
    low = {"change_low_pct": None, "change_high_pct": None}
    pair = [write_whole(tmp_path / "a"), write_whole(tmp_path / "b", changed={"volume_change": low})]
    done = CliRunner().invoke(app, ["release", "diff", *map(str, pair)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert re.search(r"changed change_low_pct +│ -[\d.]+ +│ none ", done.output), done.output

"""The release with which `observatory demo` ends; its figures are those of tests/support/release.py."""

import dataclasses
import os
import re
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.settings import config
from jobs.base.settings.config import Observatory
from jobs.cli import demo, demo_release
from jobs.study.estimates.steps.rows import MEASURES
from jobs.study.public.secret import FILE, VALUE, p_pct
from jobs.study.release import clearance, decisions, manifest, production, signatures
from jobs.study.release.about import next_version
from jobs.study.release.codebook import json_bytes
from jobs.study.release.folders import versions_in, write_folder
from tests.conftest import ROOT
from tests.support.release import ABOUT, made, tables
from tests.support.site_release import empty_tables

pytestmark = pytest.mark.long

MADE_UP = dataclasses.replace(ABOUT, is_made_up=True)
BASIS = {"study.cost": pl.DataFrame({"model_id": ["a"], "cost": [1.0]})}


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Observatory:
    """The sample's settings under a folder of the test, and a gate that lets the figures leave."""
    monkeypatch.setattr(demo_release, "HOME", tmp_path / "build")
    monkeypatch.setenv(VALUE, "")
    monkeypatch.setenv(FILE, "")
    monkeypatch.chdir(tmp_path)
    settings = config.load_settings(ROOT / "sample_data" / "observatory.toml")
    names = ("root", "restricted", "public_root", "signers")
    own = {name: str(tmp_path / "build" / name) for name in names}
    settings = settings.model_copy(update={"release": settings.release.model_copy(update=own)})

    def make(settings: Observatory, period: str, is_major: bool, say: object) -> SimpleNamespace:
        assert settings.release.is_made_up and settings.release.agency == "SAMPLE"
        version = next_version(versions_in(Path(settings.release.restricted), period), is_major)
        about = dataclasses.replace(MADE_UP, version=version)
        restricted = Path(settings.release.restricted) / about.name
        earlier = decisions.list_published(Path(settings.release.restricted))
        own = {"about": dataclasses.asdict(about), "earlier": earlier}
        kept = {f"basis/{name}.parquet": production.encode_parquet(rows) for name, rows in BASIS.items()}
        write_folder(restricted, kept | {"about.json": json_bytes(own)}, is_private=True)
        folder = Path(settings.release.root) / about.name
        write_folder(folder, made(about, [*tables(), *empty_tables(tables())]))
        decisions.record_decision(
            restricted, "made", "observatory", manifest.verify_release(folder), demo_release.AT
        )
        return SimpleNamespace(about=about)

    monkeypatch.setattr(production, "make_release", make)
    monkeypatch.setattr(production, "read_kept_release", lambda restricted: (MADE_UP, tables()))
    monkeypatch.setattr(production, "tables_of", lambda lake, folder: dict(BASIS))
    return settings


def said(settings: Observatory, capsys: pytest.CaptureFixture[str]) -> str:
    demo.show_release(settings, ROOT / "sample_data" / "membership")
    return capsys.readouterr().out


def test_the_demo_publishes_once_and_says_what_it_played(
    sample: Observatory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(sample, capsys)
    target = Path("build/public_root/2026-Q4/v1.0.0")
    assert f"Release of made-up figures: {target}\n" in told
    assert manifest.verify_release(target) in told
    site = target.with_name("v1.0.0-site") / "index.html"
    assert "Published on 15 March 2027." in site.read_text("utf-8")
    assert 'href="2026-Q4/v1.0.0-site/index.html"' in Path("build/public_root/index.html").read_text("utf-8")
    assert f"Site: {site}\n" in told and "MADE-UP FIGURES" in site.read_text("utf-8")
    played = (
        "The demo itself agreed for 7 made-up administrations, and decided on 2 countries that have none."
    )
    assert played in " ".join(told.split())
    assert f"observatory release verify {target} --signers build/signers" in told
    assert signatures.signer_of(target, Path("build/signers")).key_file == "made-up.asc"
    found = clearance.read_clearance(Path("build/restricted/2026-Q4/v1.0.0"))
    assert found and {each.country for each in found.unasked} == {"FJI", "NPL"} and not found.waited
    answered = [each for each in found.asked.values() if each.administration]
    assert {each.answer for each in answered} == {clearance.AGREED}
    assert all("by the demo" in each.by and "made up" in each.by for each in answered)

    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    assert said(sample, capsys) == told
    now = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    assert now == before


def test_estimates_that_changed_get_the_next_version(
    sample: Observatory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said(sample, capsys)
    other = {name: rows.with_columns(cost=2.0) for name, rows in BASIS.items()}
    monkeypatch.setattr(production, "tables_of", lambda lake, folder: other)
    restricted = Path("build/restricted/2026-Q4")
    assert (
        production.find_release_of_estimates(
            demo_release.settings_at_release(sample, Path("none")), "2026-Q4"
        )
        is None
    )
    monkeypatch.setattr(production, "tables_of", lambda lake, folder: dict(BASIS))
    assert (
        production.find_release_of_estimates(
            demo_release.settings_at_release(sample, Path("none")), "2026-Q4"
        )
        == "v1.0.0"
    )
    assert versions_in(restricted.parent, "2026-Q4") == ["v1.0.0"]


def test_without_gpg_the_demo_ends_unsigned_and_signs_later(
    sample: Observatory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as without:
        without.setattr(demo_release.shutil, "which", lambda name: None)
        told = said(sample, capsys)
    assert "Release of made-up figures: build/root/2026-Q4/v1.0.0" in told
    assert "neither signed nor published, because gpg is not installed" in told
    assert not Path("build/public_root").exists() and "verify" not in told
    assert "build/public_root/2026-Q4/v1.0.0" in said(sample, capsys)


def test_p_and_key_are_kept_private_and_printed_nowhere(
    sample: Observatory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(sample, capsys)
    file = tmp_path / "build" / "secrets" / "p_pct"
    assert 5 <= p_pct() < 12 and os.environ[FILE] == str(file)
    text = file.read_text(encoding="utf-8")
    assert not re.search(rf"(?<!\d){re.escape(text)}(?!\d)", told)
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "build" / "secrets" / "gnupg").stat().st_mode & 0o777 == 0o700
    said(sample, capsys)
    assert file.read_text(encoding="utf-8") == text


def test_a_corrected_membership_has_twice_the_counts_of_three_operators_alone(tmp_path: Path) -> None:
    """Counts double in all files, so that parts still add up to volumes."""
    membership = ROOT / "sample_data" / "membership"
    demo_release.correct_membership(membership, tmp_path / "corrected")
    assert {each.name for each in membership.iterdir()} == {
        each.name for each in (tmp_path / "corrected").iterdir()
    }
    for name in ("submission", "submission_type", "submission_source", "submission_route"):
        before, after = (
            pl.read_csv(folder / f"{name}.csv.gz", infer_schema_length=None)
            for folder in (membership, tmp_path / "corrected")
        )
        is_own = pl.col("respondent_id").is_in(demo_release.CORRECTED)
        assert before.filter(~is_own).equals(after.filter(~is_own))
        own, twice = before.filter(is_own), after.filter(is_own)
        assert own.height and own.drop(MEASURES).equals(twice.drop(MEASURES))
        assert (own.select(MEASURES) * 2).equals(twice.select(MEASURES))


def test_a_revision_is_published_a_month_later(
    sample: Observatory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said(sample, capsys)
    corrected = {"study.cost": BASIS["study.cost"].with_columns(cost=pl.lit(2.0))}
    monkeypatch.setattr(production, "tables_of", lambda lake, folder: dict(corrected))
    assert "Release of made-up figures: build/public_root/2026-Q4/v1.1.0\n" in said(sample, capsys)
    listed = Path("build/public_root/index.html").read_text("utf-8")
    assert "15 March 2027" in listed and "15 April 2027" in listed


def test_a_membership_of_ones_own_is_not_revised(tmp_path: Path) -> None:
    """Nothing runs: the corrected operators are the sample's."""
    with pytest.raises(ObservatoryError, match="--revision corrects operators of sample_data/membership"):
        demo.demo(tmp_path / "none.toml", membership=tmp_path, revision=True)

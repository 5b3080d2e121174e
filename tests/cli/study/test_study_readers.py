"""`observatory study feedback` and `brief`, of a published release."""

from pathlib import Path

import polars as pl
import pytest

from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.study.questionnaire.landing import TABLE, answer_rows
from jobs.study.release import folders
from jobs.study.release.released_tables import release_table
from tests.cli.conftest import Observatory
from tests.support.questionnaire import assessed, filled
from tests.support.release import ABOUT, VOLUME, made, volume
from tests.support.returned_forms import AT

pytestmark = pytest.mark.long

LIKE = {
    "period_code": "2025", "unit_code": "attempted", "rate_per_subscription": 72.8, "rate_low": 71.9,
    "rate_high": 74.2, "share_pct": 49.3, "share_cv_band_code": "acceptable",
}  # fmt: skip
SETTINGS = '[lake]\nroot = "lake"\n[study]\nrespondents = "list.csv"\n[release]\npublic_root = "public"\n'
HEAD = "respondent_id,name,role,country,holding,operator_ids,language,size_class"
LISTED = ("savanna-mobile,Savanna,O,KEN,s,savanna-mobile,en,", "rival,Rival,O,KEN,r,rival,ar,",
          "bulk,Bulk,O,KEN,b,,en,",
          "silent,Silent,O,KEN,q,,en,", "ken-gov,Authority,A,KEN,,,fr,")  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    world, region = {"area_kind_code": "world", **LIKE}, {"area_kind_code": "region", **LIKE}
    quarter = {"period_code": "2026-Q4"}
    rows = pl.concat([volume(WORLD=world, AFR=region), volume(WORLD=world | quarter, AFR=region | quarter)])
    folders.write_folder(
        tmp_path / "public" / "2026-Q4" / "v1.0.0", made(ABOUT, [release_table(VOLUME, rows)])
    )
    (tmp_path / "observatory.toml").write_text(SETTINGS, encoding="utf-8")
    (tmp_path / "list.csv").write_text("\n".join([HEAD, *LISTED]) + "\n", encoding="utf-8")
    of = answer_rows(assessed(filled()), AT)
    rival = answer_rows(assessed(filled({"sp303.EMAIL.attempted": 8_123_456_789})), AT)
    channels = ("EMAIL", "SMS", "MMS", "VOICE_CS", "VOICE_IP", "IM")
    bulk = answer_rows(assessed(filled({f"sp301.{each}": ("definition", "UBE") for each in channels})), AT)
    rows = [
        *of,
        *({**row, "respondent_id": who} for who, own in (("rival", rival), ("bulk", bulk)) for row in own),
    ]
    lake = Lake(str(tmp_path / "lake"))
    lake.append(rows_frame(rows, TABLE), TABLE)
    return tmp_path


def test_each_respondent_gets_its_own_figures_and_no_one_elses(
    observatory: Observatory, folder: Path
) -> None:
    last = ("--config", folder / "observatory.toml", "--output", folder / "feedback")
    told = observatory("study", "feedback", "2026-Q4/v1.0.0", *last)
    assert told.code == 0, told.err
    assert "2\u00a0pages and as many sheets" in told.out
    said = " ".join(told.out.split())
    assert "for 1 operator whose spam is by another definition than the published figures: bulk" in said
    assert "for 1 operator without figures of spam in 2025, 2026-Q4: silent" in said
    names = [
        "rival_2026-Q4_v1.0.0.html",
        "rival_2026-Q4_v1.0.0.xlsx",
        "savanna-mobile_2026-Q4_v1.0.0.html",
        "savanna-mobile_2026-Q4_v1.0.0.xlsx",
    ]
    assert sorted(each.name for each in (folder / "feedback").iterdir()) == names
    pages = {name: (folder / "feedback" / name).read_text(encoding="utf-8") for name in names[::2]}
    assert (
        "8,540" in pages["savanna-mobile_2026-Q4_v1.0.0.html"]
        and "9,910" not in pages["savanna-mobile_2026-Q4_v1.0.0.html"]
    )
    assert "9,910" in pages["rival_2026-Q4_v1.0.0.html"] and "8,540" not in pages["rival_2026-Q4_v1.0.0.html"]
    assert all(each.stat().st_mode & 0o77 == 0 for each in (folder / "feedback").iterdir())


def test_a_brief_is_of_published_rows_and_in_the_administrations_language(
    observatory: Observatory, folder: Path
) -> None:
    last = ("--config", folder / "observatory.toml", "--output", folder / "briefs")
    told = observatory("study", "brief", "KEN", "2026-Q4/v1.0.0", *last)
    assert told.code == 0, told.err
    page = (folder / "briefs" / "KEN_2026-Q4_v1.0.0_fr.html").read_text(encoding="utf-8")
    assert "Diffusion restreinte" in page and "n&#39;est publié: Kenya. Les chiffres des zones" in page
    assert "72,8" in page and not {"8,540", "9,910"} & set(page.split())


def test_what_is_not_published_or_was_changed_is_given_to_nobody(
    observatory: Observatory, folder: Path
) -> None:
    last = ("--config", folder / "observatory.toml", "--output", folder / "briefs")
    told = observatory("study", "brief", "KEN", "2026-Q4/v1.0.1", *last)
    assert told.code == 2 and "2026-Q4/v1.0.1 is not published" in told.err.replace("\n", " ")
    file = folder / "public" / "2026-Q4" / "v1.0.0" / "data" / "spam_volume.csv"
    file.chmod(0o644)
    file.write_text(file.read_text(encoding="utf-8").replace("72.8", "99.9"), encoding="utf-8")
    assert observatory("study", "brief", "KEN", "2026-Q4/v1.0.0", *last).code == 2
    assert observatory("study", "brief", "KENYA", "2026-Q4/v1.0.0", *last).code == 2
    assert not (folder / "briefs").exists()

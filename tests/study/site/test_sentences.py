"""Every number in a sentence of the site is that of the release's CSV."""

import html
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from jobs.base.core import languages
from jobs.study.site.figures import apart_notes, volume_figures
from jobs.study.site.money_figures import policy_figures
from jobs.study.site.published_release import read_release
from jobs.study.site.sentences import cards, headline, revisions
from jobs.study.site.writing import write_site
from tests.support.site_numbers import recompute_sentences
from tests.support.site_release import write_whole

MONEY = ("countermeasure_cost", "investment", "investment_gap")


def test_of_a_release_with_rows_in_every_table(drawn: SimpleNamespace) -> None:
    assert recompute_sentences(drawn.site) > 40


def test_of_two_channels_a_single_region_and_no_money(tmp_path: Path) -> None:
    areas = {"WORLD": "world", "AFR": "region"}
    release = write_whole(tmp_path, channels=("EMAIL", "SMS"), areas=areas, empty=MONEY)
    write_site(release, tmp_path / "site")
    assert recompute_sentences(tmp_path / "site") > 20


@pytest.mark.long
def test_of_twelve_countries(made: SimpleNamespace, tmp_path: Path) -> None:
    write_site(made.node.releases / "2026-Q4" / "v1.0.0", tmp_path / "site")
    assert recompute_sentences(tmp_path / "site") > 20


@pytest.mark.parametrize("band", ["unreliable", "few_holdings"])
def test_no_sentence_has_a_figure_of_low_reliability(band: str, tmp_path: Path) -> None:
    low = {"cv_band_code": band, "share_cv_band_code": band}
    tables = ("spam_volume", "spam_type", "spam_source", "spam_route")
    changed = dict.fromkeys(tables, low) | dict.fromkeys(MONEY, {"cv_band_code": band})
    write_site(write_whole(tmp_path, changed=changed), tmp_path / "site")
    recompute_sentences(tmp_path / "site")
    front = (tmp_path / "site" / "index.html").read_text("utf-8")
    for name in ("types", "measures", "investment"):
        assert "In brackets: a figure whose own reliability is low or not published." in (
            tmp_path / "site" / f"{name}.html"
        ).read_text("utf-8")
    assert "No share of spam" in front and "it stands in the tables alone" in front
    assert "12.5M" in (tmp_path / "site" / "volume.html").read_text("utf-8")


@pytest.mark.long
@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (
            {"cv_band_code": None, "estimate_low": None, "estimate_high": None},
            "its reliability is not published",
        ),
        ({"estimate_low": None, "estimate_high": None}, "its interval is not published"),
        ({"cv_band_code": "unreliable"}, "the estimate is too uncertain"),
        ({"cv_band_code": "one_respondent"}, "the estimate is too uncertain"),
        ({"cv_band_code": "few_holdings"}, "the estimate is too uncertain"),
    ],
)
def test_money_that_is_not_quoted_has_its_reason(
    changed: dict[str, str | None], why: str, tmp_path: Path
) -> None:
    """A good estimate whose reliability is held back is not called uncertain."""
    tables = dict.fromkeys(("countermeasure_cost", "investment"), changed)
    release = write_whole(tmp_path, channels=("SMS",), areas={"WORLD": "world"}, changed=tables)
    write_site(release, tmp_path / "site")
    front = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert f"What operators of the world spent against spam by SMS is not quoted, as {why}: see" in front
    assert f"What countermeasures for SMS cost to run in the world is not quoted, as {why}: see" in front


@pytest.mark.parametrize(
    ("was", "wrong"),
    [
        ("41%", "42%"),
        ("13\N{NO-BREAK SPACE}million", "12\N{NO-BREAK SPACE}million"),
        ("(9.8\N{NO-BREAK SPACE}million", "(9.9\N{NO-BREAK SPACE}million"),
        ("193 of 195", "192 of 195"),
        ("+8.4%", "+8.3%"),
    ],
)
def test_a_wrong_number_is_found(was: str, wrong: str, drawn: SimpleNamespace, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "data").symlink_to(drawn.site / "data")
    for file in drawn.site.glob("*.html"):
        text = file.read_text("utf-8")
        (site / file.name).write_text(text.replace(was, wrong, 1) if file.stem == "index" else text, "utf-8")
    with pytest.raises(AssertionError):
        recompute_sentences(site)


def test_shares_without_a_published_reliability_are_not_called_unreliable(tmp_path: Path) -> None:
    write_site(
        write_whole(tmp_path, changed={"spam_volume": {"share_cv_band_code": None}}), tmp_path / "site"
    )
    index, fiji = ((tmp_path / "site" / f"{name}.html").read_text("utf-8") for name in ("index", "area-242"))
    assert "Shares of spam of all countries together are published without their reliability" in index
    assert "No share of spam of Fiji is published that is reliable enough to be quoted." in fiji


@pytest.mark.long
def test_sentences_have_two_digits_and_tables_what_is_published(tmp_path: Path) -> None:
    """Channels whose figures have two and three digits stand in one sentence; 99.6% is not all."""
    changed = {"spam_volume": {"share_pct": 99.6, "estimate": 2_990_000, "estimate_low": 2_451_000}}
    write_site(write_whole(tmp_path, changed=changed), tmp_path / "site")
    recompute_sentences(tmp_path / "site")
    front = html.unescape((tmp_path / "site" / "index.html").read_text("utf-8")).replace("\xa0", " ")
    assert "3 million spam calls in the world (2.4 million to 18 million)" in front
    assert '<p class="big">99.6%</p>' in front
    assert "2.99M" in (tmp_path / "site" / "volume.html").read_text("utf-8")


def rates_of(*ends: tuple[str, str]) -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = [
        {"area_code": code, "area_kind_code": "region", "rate_low": low, "rate_high": high, "rank_from": "1",
         "cv_band_code": "caution"}
        for code, (low, high) in zip(("ITU_AFR", "ITU_EUR_STUDY", "ITU_ARB"), ends, strict=False)
    ]  # fmt: skip
    apart = {"rate_low": "900", "rate_high": "990"}
    group = rows[0] | apart | {"area_code": "199", "area_kind_code": "group"}
    low = rows[0] | apart | {"area_code": "ITU_CIS", "cv_band_code": "unreliable"}
    return [*rows, group, low]


def test_regions_differ_where_intervals_do_not_overlap() -> None:
    *_, said = apart_notes(rates_of(("1.5", "10"), ("10", "20"), ("11", "12")))
    assert said == (
        "Regions whose rates differ, as their intervals do not overlap, the lower rate first:"
        " Africa < Arab States. That is 1 of 3 pairs of regions whose rates may be quoted."
    )
    *_, said = apart_notes(rates_of(("1.5", "10"), ("10", "20")))
    assert said.startswith("The intervals of any two regions that may be quoted overlap")
    assert len(apart_notes(rates_of(("1.5", "10")))) == 1


@pytest.mark.long
def test_an_area_stands_beside_its_region_and_the_world(tmp_path: Path) -> None:
    areas = {"WORLD": "world", "ASP": "region", "AFR": "region", "FJI": "country"}
    low = {"share_cv_band_code": "unreliable"}
    for name, changed in (("good", {}), ("low", {"spam_volume": low})):
        write_site(write_whole(tmp_path / name, areas=areas, changed=changed), tmp_path / name / "site")
    page = (tmp_path / "good" / "site" / "area-242.html").read_text("utf-8")
    figure = html.unescape(page[page.index("of traffic is spam in Fiji") :].split("</table>")[0])
    names = re.findall(r'<span class="label">([^<]+)', figure)
    assert names == ["Area", "Fiji", "Asia and the Pacific (ITU region)", "World"]
    page = (tmp_path / "low" / "site" / "area-242.html").read_text("utf-8")
    assert "share of traffic that is spam, Fiji beside the world" in html.unescape(page)
    assert "of traffic is spam in" not in page and "(41.2%)" in page
    assert "beside the world" not in (tmp_path / "low" / "site" / "area-001.html").read_text("utf-8")


def test_what_only_the_year_has_is_of_the_year(tmp_path: Path) -> None:
    """A fourth quarter carries its year: e-mail, and questions that no quarter's form asks."""
    release = read_release(write_whole(tmp_path, channels=("EMAIL", "SMS")))
    volume, policy = release.tables["spam_volume"], release.tables["policy"]
    is_mail = pl.col("channel_code") == "EMAIL"
    of_year = volume.filter(is_mail).with_columns(period_code=pl.lit("2026"))
    low = volume.with_columns(
        cv_band_code=pl.when(is_mail).then(pl.lit("unreliable")).otherwise("cv_band_code"),
        share_cv_band_code=pl.when(is_mail).then(pl.lit("unreliable")).otherwise("share_cv_band_code"),
    )
    asked = policy.filter(pl.col("indicator_code") == policy["indicator_code"][0])
    tables = {
        "spam_volume": pl.concat([low, of_year]),
        "policy": pl.concat([policy.with_columns(period_code=pl.lit("2026")), asked]),
    }
    both = replace(release, tables=release.tables | tables)
    with languages.use_language("en"):
        mail, messages, *_ = cards(both)
        assert (mail.name, mail.share, messages.name) == ("E-mail (2026)", "41%", "SMS")
        assert re.fullmatch(
            r"Spam in quarter 4 of 2026: .*SMS in the world\. Spam in 2026: 41% of e.mail in the world\.",
            headline(both),
        )
        channels = [each.about.split("; ")[-1] for each in volume_figures(both)]
        assert "2026" in channels and "quarter 4 of 2026" in channels
        every = sum(len(each.table.rows) for each in policy_figures(both))
        assert every == sum(len(each.table.rows) for each in policy_figures(release))


def test_a_later_version_says_how_many_rows_went(tmp_path: Path) -> None:
    release = read_release(write_whole(tmp_path))
    assert release.logged == {}
    volume = release.tables["spam_volume"].with_columns(revision_code=pl.lit("STANDS"))
    later = replace(
        release, tables=release.tables | {"spam_volume": volume}, logged={"gone": 4, "changed": 10}
    )
    with languages.use_language("en"):
        assert revisions(later).endswith(
            "Compared with the version before, 10 rows have other values, 0 were added and 4 are gone."
        )


def test_reliability_that_is_withheld_is_not_called_low(tmp_path: Path) -> None:
    none = {"cv_band_code": None, "share_cv_band_code": None, "estimate_low": None, "estimate_high": None}
    release = read_release(write_whole(tmp_path, channels=("SMS",), changed={"spam_volume": none}))
    with languages.use_language("en"):
        assert headline(release).startswith("Shares of spam of all countries together are published without")
        volume = release.tables["spam_volume"].with_columns(share_pct=pl.lit(None, pl.String))
        # What has no share says nothing of its reliability.
        without = replace(release, tables=release.tables | {"spam_volume": volume})
        assert headline(without).startswith("No share of spam of all countries together is published that")
        (_, card, _) = cards(release)
        assert card.volume.startswith("The estimate's reliability is not published, since it would")

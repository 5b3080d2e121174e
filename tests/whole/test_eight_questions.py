"""Questions that readers ask first, asked of the release that `make demo` publishes: of its CSV files by
names of columns alone, as a reader has them, and of its README.

Each question gets figures, or the sentence of the README that says why there are none. Which rows leave
depends on p, which the demo draws: for a row that stayed the answer is the sentence on missing rows.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from jobs.base.tables.public_contracts import public_contract, public_tables
from jobs.study.site.writing import write_site
from tests.conftest import ROOT
from tests.study.public.test_volume_change import check_changes, pairs_of
from tests.support.site_numbers import recompute_sentences

PUBLIC = ROOT / "build" / "public" / "2026-Q4"
NOW, BEFORE, YEAR = "2026-Q4", "2026-Q3", "2026"
WORLD, LDC, SIDS, AFRICA, ASIA = "001", "199", "722", "ITU_AFR", "ITU_ASP"
OWN = {"definition_code": "OPERATOR", "quantity_code": "spam_certain", "unit_code": "attempted"}
ALL = {"strategy_code": "_T", "component_code": "_T", "conversion_code": "market"}
HELD = "A row that is missing says nothing about its size."
TEXTS = re.compile(r"_(code|name|from)$")
Row = dict[str, Any]


class Release:
    """The files of a release."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = " ".join((folder / "README.md").read_text("utf-8").split())

    def rows(self, table: str, **codes: str) -> list[Row]:
        """The rows of a table that have these codes, with figures as numbers."""
        (file,) = self.folder.glob(f"data/{table}.*csv")
        rows = pl.read_csv(file, infer_schema=False)
        figures = [name for name in rows.columns if name == "rank_from" or not TEXTS.search(name)]
        found = rows.filter(*(pl.col(name) == code for name, code in codes.items()))
        return found.with_columns(pl.col(figures).cast(pl.Float64)).to_dicts()

    def quote(self, sentence: str) -> str:
        """A sentence of the README. Fails if it is not there."""
        assert sentence in self.text, sentence
        return sentence

    def say(self, words: Callable[[Row], str], table: str, **codes: str) -> str:
        """A row in words; for one that did not leave the sentence on missing rows."""
        found = self.rows(table, **codes)
        assert len(found) <= 1, found
        return words(found[0]) if found else self.quote(HELD)


@pytest.fixture(scope="module")
def release() -> Release:
    """The version that was published last; the demo runs if there is none."""
    if not list(PUBLIC.glob("v*")):
        subprocess.run([sys.executable, "-m", "jobs", "demo"], cwd=ROOT, check=True, capture_output=True)
    # Signatures lie beside the folders of versions.
    found = Release(max(PUBLIC.glob("v*/README.md"), key=lambda file: file.stat().st_mtime).parent)
    if lacking := columns_lacking(found):
        pytest.fail(
            f"{found.folder} was made by earlier code, without {', '.join(lacking)}: the next version is made"
            " by `observatory demo`, or by this test once the folder build/public is gone",
            pytrace=False,
        )
    return found


def columns_lacking(release: Release) -> list[str]:
    """Columns that the contracts of guarded tables name and a release's files do not have."""
    lacking = []
    for contract in map(public_contract, public_tables()):
        if contract.protect is None:
            continue
        files = list(release.folder.glob(f"data/{contract.name}.*csv"))
        header = files[0].read_text("utf-8").partition("\n")[0].split(",") if files else []
        lacking += [
            f"{contract.name}.{each.field.name}"
            for each in contract.columns
            if each.way != "always" and each.field.name not in header
        ]
    return lacking


def developing(release: Release) -> Iterator[str]:
    """Yield the mail that least developed and developing countries received, its change, and both
    intervals."""
    mail = {"channel_code": "EMAIL", **OWN}
    for area in (LDC, "DEVELOPING"):
        yield release.say(show_estimate, "spam_volume", period_code=NOW, area_code=area, **mail)
        pair = release.rows("volume_change", area_code=area, later_period_code=NOW, **mail)
        figure = {row["period_code"]: row for row in pair}
        if not figure:
            yield release.quote(HELD)
            continue
        before, after = figure[BEFORE], figure[NOW]
        assert after["change_pct"] == pytest.approx(
            100 * (after["estimate"] / before["estimate"] - 1), abs=0.06
        )
        yield show_change(after)


def show_change(row: Row) -> str:
    """A change with how sure it is."""
    low, high = row["change_low_pct"], row["change_high_pct"]
    assert low < row["change_pct"] < high
    assert row["change_code"] == ("rise" if low > 0 else "fall" if high < 0 else "unclear")
    return (
        f"{row['area_name']}: {row['change_pct']:+}% since {BEFORE}, from {low:+}% to {high:+}%:"
        f" {row['change_code']}; {row['holdings_class_code']}"
    )


def show_estimate(row: Row) -> str:
    assert row["estimate_low"] < row["estimate"] < row["estimate_high"]
    assert row["cv_band_code"] in ("acceptable", "caution", "unreliable")
    return (
        f"{row['area_name']}: {row['estimate']:.3g} from {row['estimate_low']:.3g} to"
        f" {row['estimate_high']:.3g}, {row['cv_band_code']}"
    )


def sends_most_to_islands(release: Release) -> Iterator[str]:
    """Yield the regions that send most to small island developing States."""
    for channel in ("EMAIL", "SMS"):
        found = release.rows("spam_source", period_code=NOW, area_code=SIDS, channel_code=channel, **OWN)
        placed = [row for row in found if not row["source_region_code"].startswith("_")]
        first = [row for row in placed if row["rank_from"] == 1]
        if not first:
            yield release.quote(HELD)
            continue
        assert max(placed, key=lambda row: row["estimate"]) in first
        yield "; ".join(f"{row['source_region_code']} {row['share_pct']}%" for row in first)


def dollars_for_each_mailbox(release: Release) -> Iterator[str]:
    """Yield the yearly spending of Africa's operators for each mailbox, and a quarter's cost of measures."""

    def show_rate(row: Row) -> str:
        assert row["rate_low"] < row["rate_per_subscription"] < row["rate_high"]
        assert row["rate_per_subscription"] == pytest.approx(
            row["estimate"] / row["area_subscriptions"], rel=0.02
        )
        return f"{row['rate_per_subscription']} from {row['rate_low']} to {row['rate_high']} dollars"

    def show_unit_cost(row: Row) -> str:
        assert row["cost_per_thousand"] is None or row["thousand_cv_band_code"]
        return f"{show_rate(row)}, {row['cost_per_thousand']} for 1,000 messages"

    mail = {"area_code": AFRICA, "channel_code": "EMAIL"}
    yield release.say(show_rate, "investment", period_code=YEAR, **mail, **ALL)
    cost = {"strategy_code": "_T", "cost_component_code": "stated", "conversion_code": "market"}
    yield release.say(show_unit_cost, "countermeasure_cost", period_code=NOW, **mail, **cost)


def fraud_in_texts(release: Release) -> Iterator[str]:
    """The share of fraud in spam of Asia's texts, and of all: what is published of its types, at least."""
    for area in (ASIA, WORLD):
        found = release.rows("spam_type", period_code=NOW, area_code=area, channel_code="SMS", **OWN)
        share_of = {row["spam_type_code"]: row["share_pct"] for row in found}
        single = [share for code, share in share_of.items() if code.startswith("FRAUD.")]
        shares = [share_of["FRAUD"]] if "FRAUD" in share_of else single
        if not shares or None in shares:
            yield release.quote(HELD)
            continue
        assert 0 < sum(shares) < 100
        yield f"{found[0]['area_name']}: at least {sum(shares):.3g}%"
    yield release.quote("spam of unknown type (UNK) may be more of it")


def spam_of_mail(release: Release) -> Iterator[str]:
    """The share of the world's mail that is spam."""
    mail = {"period_code": NOW, "area_code": WORLD, "channel_code": "EMAIL"}
    (spam,) = release.rows("spam_volume", **mail, **OWN)
    (units,) = release.rows("spam_volume", **mail, **OWN | {"quantity_code": "units"})
    assert spam["share_pct"] == pytest.approx(100 * spam["estimate"] / units["estimate"], rel=0.02)
    yield f"{spam['share_pct']}%, {spam['share_cv_band_code']}"


def spending_over_revenue(release: Release) -> Iterator[str]:
    """Yield spending over revenue: a reader divides by its own."""
    yield release.quote("official statistics on revenue may not be handed on")
    yield release.say(
        show_estimate, "investment", period_code=YEAR, area_code=WORLD, channel_code="EMAIL", **ALL
    )


def most_for_least(release: Release) -> Iterator[str]:
    """Yield the measure that stops most for least money: each one's cost and who has it, and why not more."""
    yield release.quote("what each measure stopped rests on shares that few operators dominate")
    world = {"area_code": WORLD, "channel_code": "EMAIL"}
    costs = {
        row["strategy_code"]: row["estimate"]
        for row in release.rows("countermeasure_cost", period_code=NOW, cost_component_code="stated", **world)
    }
    for row in release.rows("countermeasure", period_code=YEAR, **world):
        strategy = row["strategy_code"]
        cost = f"{costs[strategy]:.2g} dollars" if strategy in costs else release.quote(HELD)
        yield f"{strategy}: {row['share_from_pct']} to {row['share_below_pct']}% have it; {cost}"


def not_known(release: Release) -> Iterator[str]:
    """Yield what of the world's mail is not known, and why."""
    mail = {"period_code": NOW, "area_code": WORLD, "channel_code": "EMAIL"}
    (row,) = release.rows("spam_volume", **mail, **OWN)
    yield release.quote("What operators that did not answer would have said (coverage_class_code,")
    yield f"subscriptions of respondents: {row['coverage_class_code']}; of others: {row['silent_class_code']}"
    (doubtful,) = release.rows("spam_volume", **mail, **OWN | {"quantity_code": "spam_possible"})
    assert doubtful["estimate"] > row["estimate"]
    yield f"{doubtful['estimate'] - row['estimate']:.3g} may be spam"
    for table, code, unknown in (
        ("spam_type", "spam_type_code", "UNK"),
        ("spam_source", "source_region_code", "_U"),
    ):
        yield release.say(lambda row: f"{row['share_pct']}% unknown", table, **mail, **OWN, **{code: unknown})


QUESTIONS = {
    "How much spam do least developed or developing countries receive, and how did it change?": developing,
    "Who sends most to an area?": sends_most_to_islands,
    "What is spent for each mailbox or subscription?": dollars_for_each_mailbox,
    "What share of spam is fraud, or of another type?": fraud_in_texts,
    "What share of mail is spam?": spam_of_mail,
    "What is spent, over revenue?": spending_over_revenue,
    "Which measure stops most for least money?": most_for_least,
    "What is not known?": not_known,
}


@pytest.mark.long
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_has_figures_or_the_sentence_that_says_why_not(release: Release, question: str) -> None:
    assert f"**{question}**" in release.text
    answers = list(QUESTIONS[question](release))
    assert answers and all(answers)
    print(question, *answers, sep="\n  ")
    # Something is said of it whatever p is.
    assert any(answer != HELD for answer in answers), answers


@pytest.mark.long
def test_every_interval_of_a_change_is_made_again_from_its_files(release: Release) -> None:
    rows = pl.DataFrame(release.rows("volume_change"), infer_schema_length=None)
    counted = 0
    for series in rows.partition_by("channel_code", "unit_code", "definition_code", "later_period_code"):
        pairs = pairs_of(series)
        series_of = ("channel_code", "unit_code", "definition_code", "quantity_code")
        codes = {name: series[name][0] for name in series_of}
        later = release.rows("spam_volume", period_code=series["later_period_code"][0], **codes)
        check_changes(pairs, max((row["rates_variance"], row["rates_freedom"]) for row in later))
        counted += len(pairs)
    assert counted > 10


@pytest.mark.long
def test_every_number_in_a_sentence_of_its_site_is_that_of_its_files(
    release: Release, tmp_path: Path
) -> None:
    write_site(release.folder, tmp_path / "site")
    assert recompute_sentences(tmp_path / "site") > 80

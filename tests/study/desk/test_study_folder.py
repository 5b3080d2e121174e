"""A study's folder as it begins: the pipeline's own readers take every file."""

from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.settings.config import load_settings
from jobs.base.tables.contracts import file_tables
from jobs.base.tables.csv_tables import read_table, read_tables
from jobs.study.desk.study_folder import begin_study, official_language
from jobs.study.estimates.steps.study_stage import REFERENCES
from jobs.study.questionnaire.respondents import load_respondents, read_respondents


def test_readers_take_what_is_written(tmp_path: Path) -> None:
    begin_study(tmp_path, ["NPL", "KEN"], 2026)
    settings = load_settings(tmp_path / "observatory.toml")
    assert settings.study.countries == ["NPL", "KEN"]
    listed = load_respondents(settings).values()
    assert [(each.country, each.role) for each in listed] == [("NPL", "A"), ("KEN", "A")]
    assert len(read_respondents(tmp_path / "examples" / "respondents.csv")) == 1
    for table in file_tables():
        row = read_table(tmp_path / "examples", table).row(0, named=True)
        # Amounts of one country in the currency of another would be no example.
        assert row["country_code"] == "KEN" and row.get("currency_code", "KES") == "KES"
    frames = read_tables(tmp_path / "files", REFERENCES)
    assert frames["ref.operator_frame"].is_empty()
    # An empty file of products would replace the project's own.
    assert frames["ref.economy"].height > 100
    assert (tmp_path / "p").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("country", "language"),
    [("KEN", "en"), ("SEN", "fr"), ("PER", "es"), ("JOR", "ar"), ("CHN", "zh"), ("KAZ", "ru"),
     # None of the six is official in the first, two in the others.
     ("NPL", "en"), ("TUN", "en"), ("CMR", "en")],
)  # fmt: skip
def test_an_administration_has_the_official_language(country: str, language: str) -> None:
    assert official_language(country) == language


def test_values_to_fill_in_are_settings(tmp_path: Path) -> None:
    """Each commented sample is accepted once its # is gone."""
    begin_study(tmp_path, ["KEN"], 2026)
    file = tmp_path / "observatory.toml"
    lines = file.read_text(encoding="utf-8").splitlines()
    filled = [
        line.removeprefix("# ") if " = " in line and line[-1] in '"}0123456789' else line for line in lines
    ]
    assert len([1 for line, given in zip(lines, filled, strict=True) if line != given]) == 7
    file.write_text("\n".join(filled), encoding="utf-8")
    settings = load_settings(file)
    assert settings.release.agency == "SPAMSTAT" and str(settings.study.deadline) == "2027-02-28"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("9.3", encoding="utf-8")
    with pytest.raises(ObservatoryError, match="has p already: nothing was written"):
        begin_study(tmp_path, ["KEN"], 2026)
    assert [each.name for each in tmp_path.iterdir()] == ["p"]


def test_the_guide_has_both_codings_of_size(tmp_path: Path) -> None:
    begin_study(tmp_path, ["KEN"], 2026)
    text = (tmp_path / "FILES.md").read_text(encoding="utf-8")
    assert "| S4 | 1,000,000 to 9,999,999 subscriptions | LARGE |" in text
    assert "| `subscriptions` | yes | Subscriptions or mailboxes" in text

"""What a study lacks, and what comes next."""

from pathlib import Path

import pytest

from jobs.base.settings.config import load_settings
from jobs.study.desk.beginning import begin_study
from jobs.study.desk.next_steps import Step, list_steps


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("OBSERVATORY_P_PCT", raising=False)
    monkeypatch.delenv("OBSERVATORY_P_PCT_FILE", raising=False)
    begin_study(tmp_path, ["KEN", "NPL"], 2026)
    return tmp_path


def steps_of(folder: Path) -> dict[str, Step]:
    file = folder / "observatory.toml"
    return {each.name: each for each in list_steps(load_settings(file), file)}


def test_a_new_study_lacks_nearly_all(begun: Path) -> None:
    steps = steps_of(begun)
    assert steps["settings"].missing[1] == "[release] agency, contact"
    assert steps["respondents"].missing == ("no operator of KEN, NPL",)
    assert "operator_frame.csv has no row of KEN, NPL" in steps["frame"].missing
    assert steps["answers"].missing and steps["estimates"].missing and steps["release"].missing
    assert steps["p"].missing == ("OBSERVATORY_P_PCT_FILE is not set",)


def test_what_is_filled_in_goes(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (begun / "respondents.csv").open("a", encoding="utf-8") as file:
        file.write("ken-a,A,O,KEN,a,ken-a,en,S1\n")
    with (begun / "files" / "operator_frame.csv").open("a", encoding="utf-8") as file:
        file.write("ken-a,a,KEN,SMS,LARGE,5000,,,2020-01-01,,made up\n")
    (begun / "p").write_text("9.3", encoding="utf-8")
    monkeypatch.setenv("OBSERVATORY_P_PCT_FILE", str(begun / "p"))
    (begun / "signers" / "officer.asc").touch()
    steps = steps_of(begun)
    assert steps["respondents"].missing == ("no operator of NPL",)
    assert steps["keys"].missing == ("no key of ken-a: needed of those that send packages",)
    assert steps["p"].missing == steps["signers"].missing == ()
    of_frame = steps["frame"].missing
    assert "operator_frame.csv has no row of NPL" in of_frame
    assert of_frame[-1] == "operator_frame.csv: ken-a is LARGE, and its 5,000 subscriptions make it SMALL"


def test_a_file_that_does_not_fit_is_named(begun: Path) -> None:
    (begun / "files" / "denominator.csv").write_text("country_code,year\nKEN,2026\n", encoding="utf-8")
    assert any("denominator.csv: columns" in each for each in steps_of(begun)["frame"].missing)


def test_what_estimates_would_refuse_is_missing(begun: Path) -> None:
    with (begun / "files" / "denominator.csv").open("a", encoding="utf-8") as file:
        file.write("KEN,2026-13,SMS,5,,,,,made up\n")
    assert any("row 2: KEN 2026-13 SMS" in each for each in steps_of(begun)["frame"].missing)

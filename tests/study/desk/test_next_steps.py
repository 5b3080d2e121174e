"""Gaps of a study, and its next steps."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from jobs.base.settings.config import load_settings
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.study.desk.next_steps import Step, list_corrections, list_publication_steps, list_steps
from jobs.study.desk.study_folder import begin_study
from jobs.study.estimates.steps.given_figures import ANSWERS
from jobs.study.release import decisions, folders, manifest
from jobs.study.release.clearance import LEFT_OUT, OBJECTED, Clearance, Cleared, write_clearance
from jobs.study.release.signatures import sign_release, sign_statement
from tests.support.in_process import command_line_of
from tests.support.release import ABOUT, NOW, Place, signing_keys, write


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("OBSERVATORY_P_PCT", raising=False)
    monkeypatch.delenv("OBSERVATORY_P_PCT_FILE", raising=False)
    begin_study(tmp_path, ["KEN", "NPL"], 2026)
    return tmp_path


def steps_of(folder: Path) -> dict[str, Step]:
    file = folder / "observatory.toml"
    return {each.name: each for each in list_steps(load_settings(file), file)}


def test_a_new_study_lacks_nearly_all(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The guide gives the frame's commands the study's year: its default is the last whole one.
    monkeypatch.setenv("OBSERVATORY_READ_AT", "2026-12-01T00:00:00Z")
    steps = steps_of(begun)
    assert steps["settings"].missing[1] == "[release] agency, contact"
    assert steps["respondents"].missing == ("no operator of KEN, NPL",)
    assert steps["respondents"].do == "observatory study frame --year 2026 --ask"
    assert steps["frame"].do == "observatory study frame --year 2026"
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
    assert steps["keys"].missing == (
        "no [study] receipt_key: needed to answer packages, not forms",
        "no key of ken-a: needed of those that send packages",
    )
    assert steps["p"].missing == steps["signers"].missing == ()
    of_frame = steps["frame"].missing
    assert "operator_frame.csv has no row of NPL" in of_frame
    assert of_frame[-1] == "operator_frame.csv: ken-a is LARGE, and its 5,000 subscriptions make it SMALL"


@pytest.mark.parametrize(("month", "asked"), [("02", "2026 and --period 2026-Q4"), ("05", "2027-Q1")])
def test_the_quarter_that_was_asked_for_is_named_once_another_one_is_over(
    begun: Path, month: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVATORY_READ_AT", f"2027-{month}-10T00:00:00Z")
    step = steps_of(begun)["answers"]
    assert step.do == f"observatory questionnaire make --period {asked}, then load"
    quarter = asked[-len("2027-Q1") :]
    # Who begins before a quarter ends wants that one: the table says what chooses it.
    assert (
        step.missing[1]
        == f"[study] deadline is not set, so this is of {quarter}, the last quarter that is over"
    )
    # Nobody is asked for a quarter that ends after the deadline, nor for one long before.
    monkeypatch.setenv("OBSERVATORY_READ_AT", "2026-12-01T00:00:00Z")
    settings = begun / "observatory.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("# deadline", "deadline"), encoding="utf-8")
    step = steps_of(begun)["answers"]
    assert "--period 2026 and --period 2026-Q4" in step.do and len(step.missing) == 1
    answer = {"respondent_id": "ken-a", "period_code": "2026-Q4", "indicator_code": "sp201"}
    Lake(str(begun / "study-lake")).append(rows_frame([answer], ANSWERS), ANSWERS)
    assert steps_of(begun)["release"].do == "observatory release make --period 2026-Q4"


def test_a_study_goes_on_without_an_administration(begun: Path) -> None:
    assert steps_of(begun)["administrations"].missing == ()
    file = begun / "respondents.csv"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if ",NPL," not in line), encoding="utf-8")
    step = steps_of(begun)["administrations"]
    assert step.missing == ("not asked, which you may decide: NPL",) and not step.is_needed
    file.write_text("name\n", encoding="utf-8")
    steps = steps_of(begun)
    assert "columns" in steps["respondents"].missing[0] and len(steps["keys"].missing) == 1


def test_a_file_that_does_not_fit_is_named(begun: Path) -> None:
    (begun / "files" / "denominator.csv").write_text("country_code,year\nKEN,2026\n", encoding="utf-8")
    assert any("denominator.csv: columns" in each for each in steps_of(begun)["frame"].missing)


def test_what_estimates_would_refuse_is_missing(begun: Path) -> None:
    with (begun / "files" / "denominator.csv").open("a", encoding="utf-8") as file:
        file.write("KEN,2026-13,SMS,5,,,,,made up\n")
    assert any("row 2: KEN 2026-13 SMS" in each for each in steps_of(begun)["frame"].missing)


def test_after_an_objection_the_next_version_is_looked_at(
    begun: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OBSERVATORY_READ_AT", f"{NOW:%Y-%m-%dT%H:%M:%SZ}")

    def make(version: str) -> tuple[str, Path]:
        name = f"2026-Q4/{version}"
        folder, restricted = (
            write(begun / "releases", replace(ABOUT, version=version)),
            begun / "restricted" / name,
        )
        restricted.mkdir(parents=True)
        digest = manifest.verify_release(folder)
        # By a clock that [lake] read_at stops, all versions are made at one time.
        decisions.record_decision(restricted, "made", "observatory", digest, NOW)
        (restricted / folders.ABOUT).write_text('{"earlier": [], "leave_out_areas": true}')
        return digest, restricted

    digest, restricted = make("v1.0.0")
    rows = {"TON": Cleared("TON", "", 2), "FJI": Cleared("FJI", "", 2), "NPL": Cleared("NPL", "", 2)}
    write_clearance(restricted, Clearance(digest, "2027-03-01", rows))
    file = "restricted/2026-Q4/v1.0.0/clearance/unasked.csv"
    assert steps_of(begun)["clearance"].do == f"observatory release clear unasked 2026-Q4/v1.0.0 {file}"
    rows["FJI"] = replace(rows["FJI"], decision=LEFT_OUT)
    write_clearance(restricted, Clearance(digest, "2027-03-01", rows))
    # The next version is made as this one was.
    assert steps_of(begun)["clearance"].do == "observatory release make --period 2026-Q4 --leave-out-areas"
    objecting = {"NPL": Cleared("NPL", "Authority of Nepal", 2, OBJECTED, "wrong")}
    write_clearance(restricted, Clearance(digest, "2027-03-01", objecting))
    # Which of the two is the officer's to say.
    assert "decide 2026-Q4/v1.0.0 NPL --as published|left_out --by" in steps_of(begun)["clearance"].do
    asked = {"NPL": Cleared("NPL", "Authority of Nepal", 2)}
    write_clearance(restricted, Clearance(digest, "2027-03-01", asked))
    load = "observatory release clear load 2026-Q4/"
    assert steps_of(begun)["clearance"].do == f"{load}v1.0.0 returned/sheets/*.xlsx"
    digest, restricted = make("v1.1.0")
    steps = steps_of(begun)
    assert steps["clearance"].do.startswith("observatory release clear make 2026-Q4/v1.1.0 ")
    # The list says what the last version lacks; nobody mends the one before.
    told = command_line_of(monkeypatch, capsys, 200)(
        "release", "list", "--config", begun / "observatory.toml"
    )
    assert told.code == 0 and "2026-Q4/v1.0.0 may not leave: v1.1.0 was made after it" in told.out
    assert "2026-Q4/v1.1.0 may not leave: the administrations were not asked" in told.out
    again = "observatory release make --period 2026-Q4 --leave-out-areas"
    assert f"Next version of 2026-Q4: {again}\n" in told.out
    # Nobody signs a version that may still be replaced by another one.
    assert [*steps][-1] == "clearance"
    write_clearance(restricted, Clearance(digest, "2027-03-01", asked))
    assert steps_of(begun)["clearance"].do == f"{load}v1.1.0 returned/sheets-v1.1.0/*.xlsx"


def test_what_was_answered_after_a_release_and_its_withdrawal_are_named(begun: Path) -> None:
    name = "2026-Q4/v1.0.0"
    folder, restricted = write(begun / "releases"), begun / "restricted" / name
    restricted.mkdir(parents=True)
    digest = manifest.verify_release(folder)
    decisions.record_decision(restricted, "made", "observatory", digest, NOW)
    decisions.record_decision(restricted, "published", "A. Officer", digest, NOW)
    (restricted / folders.ABOUT).write_text('{"earlier": [], "leave_out_areas": false}')
    settings = load_settings(begun / "observatory.toml")
    answers = pl.DataFrame(
        {
            "respondent_id": ["fji-a", "fji-b", "fji-c"], "period_code": ["2026-Q4", "2026", "2026-Q4"],
            "received_at": [NOW + dt.timedelta(days=days) for days in (1, 1, -1)],
        }
    )  # fmt: skip
    made = [("2026-Q4", "v1.0.0")]
    (step,) = list_corrections(settings, made, {ANSWERS: answers})
    assert step.missing == (f"answered after {name} was made: fji-a, fji-b",) and not step.is_needed
    assert step.do.endswith("observatory release make --period 2026-Q4")
    assert list_corrections(settings, made, {ANSWERS: answers.tail(1)}) == []
    assert list_publication_steps(settings, *made[0]) == []
    decisions.record_decision(restricted, "withdrawn", "A. Officer", digest, NOW, reason="a wrong p")
    (step,) = list_publication_steps(settings, *made[0])
    assert step.missing == (f"{name} is withdrawn: a wrong p",) and not step.is_needed


@pytest.mark.long
def test_after_a_release_come_clearance_signature_publication_and_index(
    begun: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OBSERVATORY_READ_AT", f"{NOW:%Y-%m-%dT%H:%M:%SZ}")
    folder, name = write(begun / "releases"), "2026-Q4/v1.0.0"
    restricted = begun / "restricted" / name
    restricted.mkdir(parents=True)
    made = Place(folder, restricted, begun / "public", manifest.verify_release(folder))
    decisions.record_decision(restricted, "made", "observatory", made.digest, NOW)
    (restricted / folders.ABOUT).write_text('{"earlier": []}')

    def after_release() -> list[tuple[str, bool, str]]:
        found = [*steps_of(begun).items()]
        names = [each for each, _ in found]
        return [(key, bool(step.missing), step.do) for key, step in found[names.index("release") + 1 :]]

    (clear,) = after_release()
    assert clear == (
        "clearance",
        True,
        f"observatory release clear make {name} --deadline DATE, then send the sheets",
    )
    made.clear()
    clear, sign, publish = after_release()
    assert not clear[1]
    assert sign[:2] == ("signature", True) and f"release sign releases/{name} --key" in sign[2]
    assert publish == ("publication", True, f"observatory release publish {name} --by NAME")
    home = tmp_path_factory.mktemp("k")
    monkeypatch.setenv("GNUPGHOME", str(home / "home"))
    with signing_keys(home) as keys:
        (home / "officer.asc").rename(begun / "signers" / "officer.asc")
        sign_release(folder, keys.officer)
        assert [is_open for _, is_open, _ in after_release()] == [False, False, True]
        made.publish(begun / "signers")
        (index,) = after_release()
        assert index[:2] == ("index", True) and "release sign public/index.json --key" in index[2]
        sign_statement(begun / "public" / "index.json", keys.officer)
        assert after_release() == []

"""`observatory questionnaire`: what `make` refuses, and what `load` shows of names of files."""

import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.base.core.errors import ObservatoryError
from jobs.base.store.lake import Lake
from jobs.cli.main import app
from jobs.study.estimates.steps.finding_decisions import TABLE as DECISIONS
from jobs.study.estimates.steps.finding_decisions import apply_decisions
from jobs.study.estimates.steps.given_figures import ANSWERS, SUBMISSION
from jobs.study.questionnaire.latest_answers import latest_answers
from tests.cli.conftest import Observatory
from tests.conftest import ROOT
from tests.support.in_process import command_line_of
from tests.support.questionnaire import SAVANNA, cell, filled, saved
from tests.support.study_node import Node, write_node

pytestmark = pytest.mark.long

FOLDER = ROOT / "sample_data" / "study_node"


@pytest.mark.parametrize("period", ["2030", "2030-Q1", "2099-12"])
def test_no_form_is_made_of_a_period_that_has_not_begun(tmp_path: Path, period: str) -> None:
    settings = tmp_path / "observatory.toml"
    settings.write_text(
        f'[lake]\nroot = "{tmp_path}/lake"\n[study]\nrespondents = "{FOLDER}/respondents.csv"\n'
    )
    made = CliRunner().invoke(
        app,
        ["questionnaire", "make", "--config", str(settings), "--period", period, "--respondent", SAVANNA.id,
         "--output", str(tmp_path / "forms")],
    )  # fmt: skip
    assert isinstance(made.exception, ObservatoryError)
    assert f"--period: {period} has not begun" in str(made.exception)
    assert not (tmp_path / "forms").exists()


def test_a_period_ends_by_the_time_of_reading(
    observatory: Observatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = write_node(tmp_path)
    make = ("questionnaire", "make", "--config", node.settings, "--output", tmp_path / "forms", "--period")
    for day, said in (("2030-12-01", True), ("2031-02-01", False)):
        monkeypatch.setenv("OBSERVATORY_READ_AT", f"{day}T00:00:00Z")
        made = observatory(*make, "2030")
        assert made.code == 0 and ("forms that come in before" in made.out) == said, made.err


# What a terminal would obey in the name of a file that somebody sent.
HOSTILE = "north\x1b[2J\x1b]0;title\x07\u202e.zip"
SHOWN = r"north\x1b[2J\x1b]0;title\x07\u202e.zip"


@pytest.mark.parametrize(
    "words", [["study", "load"], ["study", "load", "--check"], ["questionnaire", "load"]]
)
def test_names_of_received_files_are_escaped(
    words: list[str], observatory: Observatory, tmp_path: Path
) -> None:
    settings, file = tmp_path / "observatory.toml", tmp_path / HOSTILE
    settings.write_text('[lake]\nroot = "lake"\n[study]\nrespondents = "respondents.csv"\n')
    head = "respondent_id,name,role,country,holding,operator_ids,language,size_class"
    (tmp_path / "respondents.csv").write_text(f"{head}\nnorth,North,O,FJI,north,north-mail,en,S1\n")
    file.write_bytes(b"no package")
    told = observatory(*words, "--config", settings, file)
    assert told.code == 2
    text = told.out + told.err
    assert SHOWN in "".join(text.split("\n")), text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def form(folder: Path, name: str, answers: dict[str, object] | None = None, at: int = 1_770_000_000) -> Path:
    """A form of Savanna for 2025 in a file of this name, saved in February 2026."""
    file = folder / name
    file.write_bytes(saved(filled(answers)))
    os.utime(file, (at, at))
    return file


def test_a_row_of_each_file_fits_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    node = write_node(tmp_path)
    files = [
        form(tmp_path, f"savanna-mobile_2025_{number}_en.xlsx", at=1_770_000_000 + number)
        for number in (1, 2)
    ]
    said = command_line_of(monkeypatch, capsys, width=80)(
        "questionnaire", "load", *files, "--config", node.settings
    )
    lines = [line for line in said.out.splitlines() if "_en.xlsx" in line]
    assert len(lines) == 2 and all("│" in line and "│ 34" in line for line in lines), said.out


def test_what_would_stop_the_estimate_is_named_when_forms_are_loaded(
    observatory: Observatory, tmp_path: Path
) -> None:
    """One answer on a channel that the frame lacks."""
    node = write_node(tmp_path)
    taken = form(tmp_path, "a.xlsx")
    said = observatory("questionnaire", "load", taken, "--config", node.settings)
    assert said.code == 0 and "will stop" not in said.out, said.out + said.err
    wrong = form(tmp_path, "b.xlsx", {"sp205.MMS": 5}, 1_770_000_100)
    head = "`observatory study estimate` will stop until this is mended, and no table is computed:"
    for command in (("questionnaire", "load", wrong), ("study", "check")):
        said = observatory(*command, "--config", node.settings)
        assert head in said.out, said.out + said.err
        assert "savanna-mobile, MMS in 2025: add savanna-mobile,<holding_id>,KEN,MMS" in said.out
        assert "; if sp205.MMS should be empty, ask for the form again" in said.out
    (finding,) = re.findall(r"or leave it out: --decide (\w+)\n", said.out)
    why = ("--reason", "it has no MMS", "--by", "A. Officer", "--config", node.settings)
    kept = observatory("study", "check", "--decide", finding, "--as", "confirmed", *why)
    assert kept.code == 2 and "correct the files" in kept.err
    both = ("--decide", finding, "--decide", "ffff")
    kept = observatory("study", "check", *both, "--as", "left_out", *why)
    assert kept.code == 2 and "--decide ffff: no such finding" in kept.err
    assert Lake(str(tmp_path / "lake")).read(DECISIONS).is_empty()
    done = observatory("study", "check", "--decide", finding, "--as", "left_out", *why)
    assert done.code == 0 and "savanna-mobile, MMS in 2025: left out by A. Officer" in done.out
    # It alone is left out, and said to be; the answers of the file stay.
    assert "will stop" not in observatory("study", "check", "--config", node.settings).out
    lake = Lake(str(tmp_path / "lake"))
    given = {table: lake.read(table) for table in (SUBMISSION, ANSWERS)}
    remaining, (line,) = apply_decisions(given, lake.read(DECISIONS))
    assert line == "savanna-mobile, MMS in 2025: left out by A. Officer: it has no MMS"
    gone = given[ANSWERS].join(remaining[ANSWERS], on=["indicator_code", "received_at"], how="anti")
    assert gone["indicator_code"].unique().to_list() == ["sp205.MMS"]


def test_a_folder_and_two_forms_of_one_second_keep_no_other_file_from_being_loaded(
    observatory: Observatory, tmp_path: Path
) -> None:
    node = write_node(tmp_path)
    (tmp_path / "errors").mkdir()
    files = [form(tmp_path, "a.xlsx"), form(tmp_path, "b.xlsx", {"sp205.EMAIL": 9_000_000_001})]
    other = form(tmp_path, "c.xlsx", at=1_770_000_100)
    (mark := tmp_path / "~$c.xlsx").write_bytes(b"\x07Officer")
    given = (*files, other, mark, tmp_path / "errors")
    said = observatory("questionnaire", "load", *given, "--config", node.settings)
    assert said.code == 2
    assert f"{tmp_path / 'errors'}: a folder, passed over" in said.err
    assert f"{mark}: a mark of a workbook that is open, passed over" in said.err
    assert mark.name not in said.out
    assert (
        f"{files[0]} and {files[1]} are of 'savanna-mobile' for 2025 and came in at the same time" in said.err
    )
    answers = Lake(str(tmp_path / "lake")).read("study.questionnaire_answer")
    assert answers["file_name"].unique().to_list() == ["c.xlsx"]
    alone = observatory("questionnaire", "load", tmp_path / "errors", "--config", node.settings)
    assert alone.code == 2 and "no form; name the files that came back" in alone.err


@pytest.mark.parametrize("command", ["questionnaire", "study"])
def test_nothing_comes_in_later_than_now(observatory: Observatory, tmp_path: Path, command: str) -> None:
    node = write_node(tmp_path)
    said = observatory(command, "load", node.form, "--received", "2930-01-01", "--config", node.settings)
    assert said.code == 2 and "--received: 2930-01-01T00:00 is in the future" in said.err


def test_a_form_saved_later_than_now_is_not_loaded_and_keeps_no_other_out(
    observatory: Observatory, tmp_path: Path
) -> None:
    node = write_node(tmp_path)
    ahead, other = form(tmp_path, "ahead.xlsx", {"sp201": 7}, 2_082_758_400), form(tmp_path, "other.xlsx")
    said = observatory("questionnaire", "load", ahead, other, "--config", node.settings)
    assert said.code == 2 and f"{ahead}, last saved: 2036-01-01T00:00 is in the future" in said.err
    answers = Lake(str(tmp_path / "lake")).read("study.questionnaire_answer")
    assert answers["file_name"].unique().to_list() == ["other.xlsx"]
    assert not (tmp_path / "receipts" / "savanna-mobile_2025_ahead.receipt.txt").exists()
    told = observatory("questionnaire", "load", ahead, "--received", "2026-03-01", "--config", node.settings)
    assert told.code == 0


def load_files(observatory: Observatory, node: Node, *files: Path) -> str:
    """Return the output of a load of the files; each is loaded."""
    said = observatory("questionnaire", "load", *files, "--config", node.settings)
    assert said.code == 0, said.out + said.err
    return said.out + said.err


def test_each_form_that_counts_has_a_receipt(observatory: Observatory, tmp_path: Path) -> None:
    node = write_node(tmp_path)
    files = [form(tmp_path, f"{name}.xlsx", at=1_770_000_000 + at) for at, name in enumerate("abc")]
    load_files(observatory, node, *files)
    receipts = sorted(each.name for each in (tmp_path / "receipts").iterdir())
    assert receipts == [f"savanna-mobile_2025_{name}.receipt.txt" for name in "abc"]


def test_forms_that_were_marked_are_set_aside_once_a_later_one_lies_in_another_folder(
    observatory: Observatory, tmp_path: Path
) -> None:
    node = write_node(tmp_path)
    (tmp_path / "second").mkdir()
    first = form(tmp_path, "a.xlsx", {"sp205.EMAIL": "many"})
    load_files(observatory, node, first)
    again = form(tmp_path / "second", "a.xlsx", {"sp205.SMS": "few"}, 1_770_000_100)
    load_files(observatory, node, again)
    marked = "savanna-mobile_2025_a.errors.xlsx"
    errors, others = tmp_path / "errors", tmp_path / "second" / "errors"
    assert (errors / marked).exists()
    # Both have the same name: what is marked of the last one stays.
    said = load_files(observatory, node, first)
    load_files(observatory, node, first, again)
    assert (others / marked).exists()
    assert f"a later form replaces moved to {errors / 'corrected'}" in " ".join(said.split())
    assert (errors / "corrected" / marked).exists() and not (errors / marked).exists()
    # One that was marked under another name goes once all is in order.
    (errors / (other := marked.replace("_a.", "_b."))).touch()
    load_files(observatory, node, form(tmp_path / "second", "a.xlsx", at=1_770_000_200))
    assert (others / "corrected" / marked).exists() and not (others / marked).exists()
    load_files(observatory, node, first)
    assert (errors / "corrected" / other).exists() and not (errors / other).exists()


def test_a_refused_form_is_not_asked_for_again_once_a_later_one_is_loaded(
    observatory: Observatory, tmp_path: Path
) -> None:
    node = write_node(tmp_path)
    wrong, right = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    form(tmp_path, wrong.name, {"sp107": "rift-mail"})
    said = observatory("questionnaire", "load", wrong, "--config", node.settings)
    assert said.code == 2 and "1 of 1 files were refused" in said.err
    form(tmp_path, right.name, at=1_770_000_100)
    for files in ((wrong, right), (wrong,)):
        told = load_files(observatory, node, *files)
        assert "To send back" not in told and "what to do" not in told
        line = next(each for each in told.splitlines() if "a.xlsx" in each)
        assert "refused; the answers of 2026-02-02 02:41 stand" in line
    # The same file, saved later than all others, is the last word.
    form(tmp_path, wrong.name, {"sp107": "rift-mail"}, 1_770_000_200)
    said = observatory("questionnaire", "load", wrong, right, "--config", node.settings)
    assert said.code == 2 and "1 of 2 files were refused" in said.err


def test_a_corrected_form_over_the_first_counts(observatory: Observatory, tmp_path: Path) -> None:
    node = write_node(tmp_path)
    load_files(observatory, node, form(tmp_path, "a.xlsx", {"sp205.EMAIL": "many"}))
    load_files(observatory, node, form(tmp_path, "a.xlsx", at=1_770_000_100))
    assert not [*(tmp_path / "errors").glob("*.xlsx")]
    load_files(observatory, node, form(tmp_path, "other.xlsx", {"sp201": 7}, 1_770_000_200))
    rows = latest_answers(Lake(str(tmp_path / "lake")).read(ANSWERS))
    values = dict(rows.select("indicator_code", "value").rows())
    assert (values["sp205.EMAIL"], values["sp201"]) == ("9000000000", "7")


@pytest.mark.parametrize("is_one_load", [True, False])
def test_a_channel_that_is_not_offered_withdraws_what_was_answered_for_it(
    observatory: Observatory, tmp_path: Path, is_one_load: bool
) -> None:
    """The frame lacks the channel, and the corrected form has one Status and leaves all other lines empty."""
    node = write_node(tmp_path)
    calls = {
        "sp205.VOICE_IP": 900,
        "sp301.VOICE_IP": ("definition", "OPERATOR"),
        "sp306.VOICE_IP.attempted": 300,
    }
    first, again = form(tmp_path, "a.xlsx", calls), tmp_path / "b.xlsx"
    book = filled()
    cell(book, "sp205.VOICE_IP", "status").value = "Not applicable"
    again.write_bytes(saved(book))
    os.utime(again, (1_770_000_100, 1_770_000_100))
    if not is_one_load:
        assert "VOICE_IP in 2025: add" in load_files(observatory, node, first)
    assert "will stop" not in load_files(observatory, node, *([again, first] if is_one_load else [again]))
    rows = latest_answers(Lake(str(tmp_path / "lake")).read(ANSWERS)).filter(channel_code="VOICE_IP")
    assert {*rows.select("indicator_code", "answer_status_code").rows()} == {(code, "NP") for code in calls}
    # An answer for the channel that is given later counts.
    later = form(tmp_path, "c.xlsx", calls | {"sp205.VOICE_IP": 901}, 1_770_000_200)
    assert "VOICE_IP in 2025: add" in load_files(observatory, node, later)

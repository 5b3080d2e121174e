"""Answers to a package in its operator's language."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.base.packages.drop_folders import DropFolder
from jobs.base.settings.access import Access
from jobs.study.packages.inbox import Inbox, answer_packages, receipt_of
from jobs.study.packages.package_checks import Judged, judge_file, notes_of
from jobs.study.questionnaire.texts import translate_key
from tests.base.packages.test_packages import RESPONDENTS, day_of, settings_of
from tests.study.packages.test_package_checks import sent
from tests.support.submission_lake import AT


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sent(tmp_path_factory.mktemp("sent"), [day_of("2026-10-02", 50)])


def judged(package: Path, language: str) -> Judged:
    listed = {name: replace(each, language=language) for name, each in RESPONDENTS.items()}
    found = judge_file(package, settings_of(Path("unused")), listed, AT)
    found.notes = notes_of(found.manifest.model_copy(update={"waiver": "W1"}))
    return found


@pytest.mark.parametrize("language", ["fr", "ar", "zh"])
def test_an_answer_has_notes_in_the_respondents_language(package: Path, language: str) -> None:
    found = judged(package, language)
    first, *notes, last = receipt_of(found, AT).notes
    assert first == translate_key(language, "package", "received", period="2026-Q4")
    assert notes and notes == [each[language] for each in found.notes] != found.noted
    assert translate_key(language, "word", "unofficial") in last


def test_an_english_answer_is_as_the_staff_reads_it(package: Path) -> None:
    found = judged(package, "en")
    assert receipt_of(found, AT).notes == found.noted != []


def test_a_refusal_says_so_in_the_respondents_language(package: Path) -> None:
    found = judged(package, "es")
    found.wrong.append("submission.csv is missing")
    answer = receipt_of(found, AT)
    assert answer.reasons == ["submission.csv is missing"]
    assert answer.notes == [translate_key("es", "package", "refused"), "(Traducción no oficial)"]


def test_whoever_may_be_another_learns_no_language(package: Path) -> None:
    french, russian = judged(package, "fr"), judged(package, "ru")
    for each in (french, russian):
        each.wrong.append("it is not signed")
        each.doubts.append("it is not signed")
    assert receipt_of(french, AT).notes == receipt_of(russian, AT).notes
    assert translate_key("ru", "package", "refused") in receipt_of(french, AT).notes


def test_what_keeps_answers_from_being_written_is_told_once(package: Path, tmp_path: Path) -> None:
    folder = DropFolder(str(tmp_path / "inbox"), Access(), "[study] inbox")
    found = [
        replace(judged(package, "en"), file=Path(f"{each}.zip"), delivered_sha256=each * 64)
        for each in "abcde"
    ]
    (error,) = answer_packages(Inbox({each.file: folder for each in found}, []), found, "nobody@example.org")
    assert str(error).startswith("not answered: a.zip, b.zip, c.zip and 2 more: no signature by the key")

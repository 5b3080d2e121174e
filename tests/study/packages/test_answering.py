"""What an answer to a package says in its operator's language."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.study.packages.answering import receipt_of
from jobs.study.packages.judging import Judged, judge_file, notes_of
from jobs.study.questionnaire.texts import translate_key
from tests.base.packages.test_packages import RESPONDENTS, day_of, settings_of
from tests.study.packages.test_judging import sent
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

"""Documents for meetings: the sentences of the front page, in each form and language."""

import io
import re
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import docx
import pytest
from typer.testing import CliRunner

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import LANGUAGES, use_language
from jobs.cli.main import app
from jobs.cli.study.release import DocumentLanguage
from jobs.study.site import sentences
from jobs.study.site.document import FORMS, write_document
from jobs.study.site.published_release import read_release
from jobs.study.site.texts import load_texts
from tests.support.release import ABOUT
from tests.support.site_release import write_whole

pytestmark = pytest.mark.long


def texts_of(file: Path) -> list[str]:
    document = docx.Document(str(file))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    header = [each.text for each in document.sections[0].header.paragraphs]
    return [*header, *(each.text for each in document.paragraphs), *cells]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_document_has_the_sentences_of_the_front_page(
    language: str, drawn: SimpleNamespace, tmp_path: Path
) -> None:
    release = read_release(drawn.release)
    with use_language(language):
        wanted = [
            sentences.headline(release),
            *sentences.answered_sentences(release),
            *sentences.money(release),
        ]
        wanted += sentences.whats_unsure(release)
    for form in FORMS:
        file = write_document(drawn.release, form, language, tmp_path / f"{form}.docx")
        found = texts_of(file)
        assert set(wanted) <= set(found)
        texts = load_texts(language)
        assert {texts["band"], texts[f"document.action.{form}"], texts["document.action"]} <= set(found)
        assert any(release.digest in text for text in found)
        assert any(text.endswith(f" – {texts['made_up']}") for text in found)
        assert (texts["unofficial"] in found) == (language != "en")
        with zipfile.ZipFile(file) as parts:
            body = parts.read("word/document.xml").decode()
        assert (body.count("<w:bidi/>") == len(re.findall(r"<w:p[ >]", body))) == (language == "ar")
        assert body.count("<w:bCs/>") == (body.count("<w:b/>") if language == "ar" else 0)
        # A4. In Arabic a mark keeps the parts of the release's name in order.
        assert '<w:pgSz w:w="11906" w:h="16838"/>' in body
        assert ("\u200e2026-Q4/v1.0.0" in body) == (language == "ar")


def test_a_document_is_the_same_each_time_and_says_in_its_name_that_it_is_made_up(
    drawn: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["release", "document", str(drawn.release), "--language", "fr"])
    name = "spam-2026-Q4-v1.0.0-td-fr.made-up.docx"
    assert done.exit_code == 0 and done.output == f"Document: {name}\n"
    assert [each.value for each in DocumentLanguage] == [*LANGUAGES]
    again = write_document(drawn.release, "td", "fr", tmp_path / "again.docx")
    assert (tmp_path / name).read_bytes() == again.read_bytes()
    with pytest.raises(ObservatoryError, match="lies in the release"):
        write_document(drawn.release, "td", "fr", drawn.release / "td.docx")


def test_what_a_publisher_wrote_is_text(tmp_path: Path) -> None:
    nasty = '<w:p>&amp; "=1+1" </w:t>'
    release = write_whole(tmp_path, replace(ABOUT, agency_name=nasty, contact=nasty))
    file = write_document(release, "council", "en", tmp_path / "council.docx")
    assert texts_of(file).count(nasty) == 2 and io.BytesIO(file.read_bytes())
    assert load_texts("en")["band"] not in texts_of(file)


@pytest.mark.site
@pytest.mark.parametrize("language", ["fr", "ar", "zh"])
def test_libreoffice_opens_the_councils_two_pages(
    language: str, drawn: SimpleNamespace, tmp_path: Path
) -> None:
    """Needs LibreOffice Writer (`apt-get install libreoffice-writer`)."""
    file = write_document(drawn.release, "council", language, tmp_path / "council.docx")
    home = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = ["libreoffice", home, "--headless", "--convert-to", "pdf", "--outdir", tmp_path, file]
    subprocess.run(command, capture_output=True, timeout=180, check=True)
    told = subprocess.run(["pdfinfo", tmp_path / "council.pdf"], capture_output=True, text=True, check=True)
    assert re.search(r"Pages:\s+2\n", told.stdout)

"""Documents for meetings, of the same sentences as the site's front page: a temporary document (TD) for TSAG,
and a report of two pages for the Council."""

import datetime as dt
import io
import zipfile
from pathlib import Path
from typing import Any

import docx
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt

from jobs.base.core.errors import ObservatoryError
from jobs.base.core.languages import RIGHT_TO_LEFT, current, use_language
from jobs.base.core.periods import last_day
from jobs.study.release.about import MADE_UP
from jobs.study.site import sentences
from jobs.study.site.about_pages import publisher_of
from jobs.study.site.published_release import PublishedRelease, read_release
from jobs.study.site.sentences import name_period
from jobs.study.site.texts import say

FORMS = ("td", "council")
# The date of every entry of the file: the same release gives the same bytes.
ENTRY = (1980, 1, 1, 0, 0, 0)
MARGIN, SMALL = Cm(2), Pt(10)
A4 = (Cm(21), Cm(29.7))
WIDTHS = (Cm(4), Cm(13))


def write_document(folder: Path, form: str, language: str, output: Path | None = None) -> Path:
    """Write a document on a release; its file. Raises ObservatoryError for what is no whole release, and for
    a file that lies in it."""
    release = read_release(folder)
    file = output or Path(file_name(release, form, language))
    if file.resolve().is_relative_to(folder.resolve()):
        raise ObservatoryError(f"{file} lies in the release, which never changes: name another --output")
    with use_language(language):
        data = build_document(release, form)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def file_name(release: PublishedRelease, form: str, language: str) -> str:
    """The name of a document; one of made-up figures says so."""
    stem = f"spam-{release.period}-{release.about['version']}-{form}-{language}"
    return f"{stem}.{MADE_UP}.docx" if release.is_made_up else f"{stem}.docx"


def build_document(release: PublishedRelease, form: str) -> bytes:
    """The document in the present language."""
    about, title = publisher_of(release), say("title", period=name_period(release.period))
    document = docx.Document()
    document.styles["Normal"].font.size = SMALL
    document.styles["Normal"].paragraph_format.space_after = Pt(4)
    for section in document.sections:
        section.page_width, section.page_height = A4
        section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = MARGIN
        if release.is_made_up:
            band = section.header.paragraphs[0]
            band.add_run(say("band")).bold = True
            band.paragraph_format.space_after = Pt(8)
    document.add_heading(say(f"document.{form}"), 2)
    document.add_heading(f"{title} – {say('made_up')}" if release.is_made_up else title, 1)
    add_rows(
        document,
        [
            (say("document.source"), about["publisher"]),
            (say("document.title"), title),
            (say("document.contact"), about["contact"]),
            (say("document.abstract"), sentences.headline(release)),
            (say("document.action"), say(f"document.action.{form}")),
        ],
    )
    document.add_heading(say("document.main"), 2)
    add_rows(document, [(card.name, describe_card(card)) for card in sentences.cards(release)])
    parts = [("answered", sentences.answered_sentences(release)), ("money", sentences.money(release))]
    parts += [("new", sentences.whats_new(release))] if form == "td" else []
    for key, texts in [*parts, ("unsure", sentences.whats_unsure(release))]:
        document.add_heading(say(key), 2)
        for text in texts:
            document.add_paragraph(text, style="List Bullet")
    document.add_paragraph(say("document.release", **about))
    for text in (say("disclaimer"), say("unofficial")):
        if text:
            document.add_paragraph(text)
    if current.get() in RIGHT_TO_LEFT:
        turn_document(document)
    return save_document(document, title, about["publisher"], last_day(release.period))


def describe_card(card: sentences.ChannelCard) -> str:
    """A channel's figures in one cell."""
    share = f"{card.share} {card.base}" if card.share else ""
    return "\n".join(text for text in (share, card.volume, card.change, card.reliability) if text)


def add_rows(document: Any, rows: list[tuple[str, str]]) -> None:
    """A table of two columns: what it is, and the text."""
    table = document.add_table(rows=0, cols=2, style="Table Grid")
    for label, text in rows:
        cells = table.add_row().cells
        cells[0].paragraphs[0].add_run(label).bold = True
        cells[1].text = text
    table.autofit = False
    for column, width in zip(table.columns, WIDTHS, strict=True):
        column.width = width
        for cell in column.cells:
            cell.width = width
            cell.paragraphs[0].paragraph_format.space_before = Pt(3)


def turn_document(document: Any) -> None:
    """Let every paragraph, run and table run from right to left."""
    sections = [each.header for each in document.sections]
    for element in [document.element.body, *(header._element for header in sections)]:
        for paragraph in element.iter("{*}p"):
            paragraph.get_or_add_pPr().append(OxmlElement("w:bidi"))
        for run in element.iter("{*}r"):
            own = run.get_or_add_rPr()
            # Bold and size of Arabic letters are properties of their own.
            if own.find(qn("w:b")) is not None:
                own.append(OxmlElement("w:bCs"))
            own.append(OxmlElement("w:rtl"))
        for table in element.iter("{*}tbl"):
            table.tblPr.append(OxmlElement("w:bidiVisual"))
    # Of a paragraph from right to left "left" is where it begins.
    for paragraph in document.paragraphs:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.LEFT


def save_document(document: Any, title: str, author: str, day: dt.date) -> bytes:
    """The bytes of a document, dated by its release and not by a clock."""
    when = dt.datetime.combine(day, dt.time())
    properties = document.core_properties
    properties.title, properties.author, properties.language = title, author, current.get()
    properties.created = properties.modified = when
    properties.comments = ""
    written, fixed = io.BytesIO(), io.BytesIO()
    document.save(written)
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name, ENTRY), source.read(name), zipfile.ZIP_DEFLATED)
    return fixed.getvalue()

"""docs/decisions: pages have a status and few words, the index lists them all, and links lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "decisions"
INDEX = FOLDER / "README.md"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), INDEX, *PAGES]
MOST_WORDS = 150

OTHER = r"\[(\d+)\]\((\d{4})-[a-z0-9-]+\.md\)"
STATUS = rf"(?:accepted(?:, amended by {OTHER}(?: and {OTHER})*)?|superseded by {OTHER})"
PAGE = re.compile(
    rf"# (?P<number>\d+)\. (?P<title>.+)\n\nStatus: (?P<status>{STATUS})\n\n(?:Date: \d{{4}}-\d\d-\d\d\n\n)?"
    r"(?P<body>\*\*Context\.\*\* .+\n\n\*\*Decision\.\*\* .+\n\n\*\*Consequences\.\*\* .+\n)"
)
LINK = re.compile(r"\[[^][]*\]\(([^()\s]+)\)")


def parts(page: Path) -> dict[str, str]:
    """Number, title, status and body of a page."""
    found = PAGE.fullmatch(page.read_text(encoding="utf-8"))
    assert found, f"{page.name} has not the form of a decision: see {PAGES[0].name}"
    return found.groupdict()


def anchors(text: str) -> set[str]:
    """What links may name of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def is_broken(link: str, file: Path) -> bool:
    """Whether a link to a file of the clone, or to a heading in one, leads nowhere."""
    path, _, anchor = link.partition("#")
    if "://" in path:
        return False
    there = file.parent / path if path else file
    return not there.exists() or bool(anchor) and anchor not in anchors(there.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem[:4])
def test_a_page_has_a_number_a_status_and_few_words(page: Path) -> None:
    found = parts(page)
    assert page.name.startswith(f"{int(found['number']):04d}-")
    shown = re.sub(r"\]\([^()\s]+\)", "]", found["body"])
    assert len(shown.split()) <= MOST_WORDS
    later = re.findall(OTHER, found["status"])
    assert all(int(number) == int(file) > int(found["number"]) for number, file in later)


def test_pages_are_numbered_in_turn_and_the_index_lists_each_with_its_status() -> None:
    rows = [
        f"| {found['number']} | [{found['title']}]({page.name}) | {found['status']} |"
        for page in PAGES
        for found in (parts(page),)
    ]
    assert [int(page.name[:4]) for page in PAGES] == list(range(1, len(PAGES) + 1))
    table = [line for line in INDEX.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert table[2:] == rows


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.stem)
def test_links_lead_somewhere(file: Path) -> None:
    links = LINK.findall(file.read_text(encoding="utf-8"))
    assert [link for link in links if is_broken(link, file)] == []


def test_code_names_pages_that_are_there() -> None:
    rooms = ("jobs", "schemas", "expectations", "dags")
    texts = [file.read_text(encoding="utf-8") for room in rooms for file in (ROOT / room).rglob("*.py")]
    named = {name for text in texts for name in re.findall(r"docs/decisions/[\w.-]*\w", text)}
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []

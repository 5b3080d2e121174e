"""docs/decisions: pages have a status and few words, the index has each number once, links lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "decisions"
INDEX = FOLDER / "README.md"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))
TEXTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "dev").glob("*.md")),
    *sorted((ROOT / "jobs").glob("*/README.md")),
    INDEX,
    *PAGES,
]
MOST_WORDS = 150

OTHER = r"\[(\d+)\]\((\d{4})-[a-z0-9-]+\.md\)"
STATUS = rf"(?:accepted(?:, amended by {OTHER}(?: and {OTHER})*)?|superseded by {OTHER})"
PAGE = re.compile(
    rf"# (?P<number>\d+)\. (?P<title>.+)\n\nStatus: (?P<status>{STATUS})\n\n(?:Date: \d{{4}}-\d\d-\d\d\n\n)?"
    r"(?P<body>\*\*Context\.\*\* .+\n\n\*\*Decision\.\*\* .+\n\n\*\*Consequences\.\*\* .+\n)"
)
# How texts name a decision: by number, or by its page.
NAMED = re.compile(r"[Dd]ecisions?[ /]\[?0*(\d+)\b")
KINDS = ("*.py", "*.md", "*.yaml", "*.toml", "*Dockerfile")
LINK = re.compile(r"\[[^][]*\]\(([^()\s]+)\)")


def parts(page: Path) -> dict[str, str]:
    """Number, title, status and body of a page."""
    found = PAGE.fullmatch(page.read_text(encoding="utf-8"))
    assert found, f"{page.name} has not the form of a decision: see {PAGES[0].name}"
    return found.groupdict()


def anchors(text: str) -> set[str]:
    """Return the anchors that links may name of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def is_broken(link: str, file: Path) -> bool:
    """Return whether a link to a file of the clone, or to a heading in one, leads nowhere."""
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


def test_the_index_lists_each_page_and_each_number_once() -> None:
    pages = [
        f"| {found['number']} | [{found['title']}]({page.name}) |"
        for page in PAGES
        for found in (parts(page),)
    ]
    rows = re.findall(
        r"^\| (\d[\d, ]*) \| \[.+\]\((.+)\) \|$", INDEX.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [row for row in INDEX.read_text(encoding="utf-8").splitlines() if row in pages] == pages
    numbers = sorted(int(number) for held, _ in rows for number in held.split(", "))
    assert numbers == list(range(1, len(numbers) + 1))
    without = [(held, link) for held, link in rows if f"{held.zfill(4)}-" not in link]
    assert len(rows) - len(without) == len(PAGES)
    assert [link for _, link in without if "#" not in link and not re.match(r"\d{4}-", link)] == []


@pytest.mark.parametrize("file", TEXTS, ids=lambda file: file.stem)
def test_links_lead_somewhere(file: Path) -> None:
    links = LINK.findall(file.read_text(encoding="utf-8"))
    assert [link for link in links if is_broken(link, file)] == []


def test_what_names_a_decision_names_a_page_that_is_there() -> None:
    rooms = ("jobs", "schemas", "expectations", "dags", "benchmarks", "docker", "docs", "tests")
    files = [file for room in rooms for kind in KINDS for file in (ROOT / room).rglob(kind)]
    texts = {file: file.read_text(encoding="utf-8") for file in files if file != Path(__file__)}
    named = {(file, number) for file, text in texts.items() for number in NAMED.findall(text)}
    assert len({number for _, number in named}) > 10
    there = {int(page.name[:4]) for page in PAGES}
    assert sorted((file.name, number) for file, number in named if int(number) not in there) == []
    paths = {path for text in texts.values() for path in re.findall(r"docs/decisions/\d[\w.-]*\w", text)}
    assert paths
    assert [path for path in sorted(paths) if not (ROOT / path).is_file()] == []

"""The day of publication on a release's pages, and the page of all releases."""

import datetime as dt
import html
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import docx
import pytest

from jobs.base.core.languages import LANGUAGES
from jobs.study.release import folders, manifest, publishing
from jobs.study.site.document import write_document
from jobs.study.site.published_release import read_release
from jobs.study.site.releases import write_releases
from jobs.study.site.texts import load_texts
from jobs.study.site.writing import write_site
from tests.conftest import ROOT
from tests.support.release import ABOUT
from tests.support.site_release import list_release, write_whole

pytestmark = pytest.mark.long

# In Auckland it is the next day.
LATE = dt.datetime(2027, 2, 1, 23, 30, tzinfo=dt.UTC)
NASTY = '<script>alert("1")</script> & {braces}'


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A made-up release with its site beside it. folder: of the release."""
    root = tmp_path_factory.mktemp("published")
    write_whole(root / "public")
    folder = list_release(root, replace(ABOUT, is_made_up=True), LATE)
    site = folders.site_of(folder)
    return SimpleNamespace(root=root, folder=folder, site=site, digest=write_site(folder, site))


def read(file: Path) -> str:
    return html.unescape(file.read_text("utf-8"))


def test_the_day_of_publication_stands_on_every_page_in_citation_and_report(
    published: SimpleNamespace,
) -> None:
    for file in published.site.glob("*.html"):
        page = read(file)
        assert load_texts(file.stem.partition(".")[2] or "en")["published.not"] not in page
        if "." not in file.stem:
            assert "2026-Q4/v1.0.0 · Published on 1 February 2027." in page, file
            assert '<a href="../../index.html">All releases, and whether a newer one stands</a>' in page
    assert "v1.0.0. Published on 1 February 2027. Table spam_volume." in read(published.site / "volume.html")
    report = "Published on 1 February 2027. Days from the end of the period to publication: 32."
    assert f"Figures are to 31 December 2026. {report}" in read(published.site / "quality.html")
    page = read(published.site / "quality.fr.html")
    assert "Publié le 1er février 2027." in page and 'href="../../index.fr.html"' in page


def test_pages_of_a_release_that_is_not_published_say_so(drawn: SimpleNamespace, tmp_path: Path) -> None:
    for file in drawn.site.glob("*.html"):
        page = read(file)
        assert load_texts(file.stem.partition(".")[2] or "en")["published.not"] in page and "../" not in page
    assert "Days from the end" not in read(drawn.site / "quality.html")
    document = docx.Document(str(write_document(drawn.release, "td", "en", tmp_path / "td.docx")))
    assert any("Not published yet" in each.text for each in document.paragraphs)


def test_a_document_has_the_day_of_publication(published: SimpleNamespace, tmp_path: Path) -> None:
    document = docx.Document(str(write_document(published.folder, "council", "en", tmp_path / "c.docx")))
    said = "Published on 1 February 2027. Release 2026-Q4/v1.0.0;"
    assert any(each.text.startswith(said) for each in document.paragraphs)


def test_a_site_elsewhere_has_the_day_and_no_link_to_releases(
    published: SimpleNamespace, tmp_path: Path
) -> None:
    write_site(published.folder, tmp_path / "site")
    page = read(tmp_path / "site" / "index.html")
    assert "Published on 1 February 2027." in page and "../" not in page


@pytest.mark.parametrize(
    "index",
    [
        b"{",
        b"[]",
        b'{"form": "another"}',
        b'{"form": "spam-observatory index 1", "dated": "", "releases": [1]}',
        b'{"form": "spam-observatory index 1", "dated": "", "releases": [{"sha256_of_manifest": "00"}]}',
    ],
)
def test_a_file_that_is_no_index_of_a_release_has_no_day_of_it(
    index: bytes, published: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / "index.json").write_bytes(index)
    assert manifest.find_day(tmp_path / "2026-Q4" / "v1.0.0", published.digest) is None
    assert manifest.find_day(Path("/"), published.digest) is None


def test_a_published_site_has_the_same_bytes_in_another_zone(published: SimpleNamespace) -> None:
    other = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "POLARS_MAX_THREADS": "1", "PYTHONHASHSEED": "7"}
    program = (
        "import sys; from pathlib import Path; from jobs.study.site.writing import write_site\n"
        "from jobs.study.site.releases import write_releases\n"
        "root, folder, site = map(Path, sys.argv[1:]); write_releases(root / 'public', root / 'restricted')\n"
        "print(write_site(folder, site))"
    )
    pages = {each: each.read_bytes() for each in (published.root / "public").glob("index.*")}
    assert len(pages) == 1 + len(LANGUAGES)
    command = [sys.executable, "-c", program, *map(str, (published.root, published.folder, published.site))]
    ran = subprocess.run(
        command, env=os.environ | other, cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert ran.stdout.strip() == published.digest
    assert {each: each.read_bytes() for each in pages} == pages


def rows_of(page: str) -> list[list[str]]:
    rows = re.findall(r"<tr.*?</tr>", page[page.index("<tbody>") :], re.DOTALL)
    cells = [re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL) for row in rows]
    return [[html.unescape(re.sub("<[^>]+>", "", each)).strip() for each in row] for row in cells]


def test_the_page_of_releases_says_which_to_use_and_which_was_withdrawn_and_why(tmp_path: Path) -> None:
    public, restricted = tmp_path / "public", tmp_path / "restricted"
    first = list_release(tmp_path, replace(ABOUT, is_made_up=True), LATE)
    folders.write_folder(folders.site_of(first), {"index.html": b"as it was published"})
    page = (public / "index.html").read_text("utf-8")
    assert rows_of(page) == [
        ["quarter 4 of 2026, v1.0.0", "1 February 2027", "The one to use of its period."]
    ]
    assert load_texts("en")["band"] in page
    list_release(tmp_path, replace(ABOUT, version="v1.10.0"), LATE + dt.timedelta(days=9))
    list_release(tmp_path, replace(ABOUT, version="v1.9.0"), LATE + dt.timedelta(days=1))
    page = read(public / "index.html")
    made_up = "quarter 4 of 2026, v1.0.0 – made up"
    assert "The newest release to use: quarter 4 of 2026, v1.10.0." in page
    assert "the next one is for quarter 1 of 2027" in page and load_texts("en")["band"] not in page
    assert rows_of(page) == [
        ["quarter 4 of 2026, v1.10.0", "10 February 2027", "The one to use of its period."],
        ["quarter 4 of 2026, v1.9.0", "2 February 2027", "A newer version stands: v1.10.0."],
        [made_up, "1 February 2027", "A newer version stands: v1.10.0."],
    ]
    links = re.findall(r'<th scope="row">.*?href="([^"]+)"', page)
    assert links == [f"2026-Q4/{each}-site/index.html" for each in ("v1.10.0", "v1.9.0", "v1.0.0")]
    publishing.withdraw_release(
        "2026-Q4", "v1.10.0", restricted / "2026-Q4" / "v1.10.0", public, "A. Officer", NASTY, LATE
    )
    write_releases(public, restricted)
    page = (public / "index.html").read_text("utf-8")
    state = f"Withdrawn on 1 February 2027: \u2068{NASTY}\u2069"
    assert "<script" not in page
    assert rows_of(page) == [
        ["quarter 4 of 2026, v1.10.0", "10 February 2027", state],
        ["quarter 4 of 2026, v1.9.0", "2 February 2027", "The one to use of its period."],
        [made_up, "1 February 2027", "A newer version stands: v1.9.0."],
    ]
    assert "v1.10.0-site" not in page
    assert (folders.site_of(first) / "index.html").read_bytes() == b"as it was published"
    for version in ("v1.9.0", "v1.0.0"):
        publishing.withdraw_release(
            "2026-Q4", version, restricted / "2026-Q4" / version, public, "A. Officer", "wrong", LATE
        )
    write_releases(public, restricted)
    assert "No release stands: all were withdrawn." in (public / "index.html").read_text("utf-8")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_of_releases_is_in_six_languages_and_says_what_is_signed(
    language: str, published: SimpleNamespace
) -> None:
    public, texts = published.root / "public", load_texts(language)
    page = read(public / ("index.html" if language == "en" else f"index.{language}.html"))
    for key in ("releases", "releases.check", "releases.current", "releases.table", "unofficial", "band"):
        assert texts[key] in page, key
    assert ABOUT.contact in page and 'href="index.json"' in page and "<script" not in page
    for link in re.findall(r'(?:href|src)="([^"#]+)"', page):
        assert link == "data:," or (public / link).is_file(), link
    stated = json.loads((public / "index.json").read_bytes())["releases"][0]["published_at"]
    assert dt.datetime.fromisoformat(stated).date() == read_release(published.folder).published_date

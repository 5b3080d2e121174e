"""Great Expectations' Data Docs in a real browser without a network: the index lists the results and leads to
them, and nothing is missed.

Needs chromium, as test_site.py does.
"""

import re
import subprocess
from pathlib import Path

import pytest

from expectations.evaluation import build_data_docs, evaluate
from tests.expectations.test_evaluation import ROW, TABLE, frame
from tests.site.test_site import FLAGS

pytestmark = pytest.mark.site


def test_the_index_lists_results_and_no_page_misses_anything(browser: str, tmp_path: Path) -> None:
    evaluate({TABLE: frame(ROW, {"spam_certain": 9})}, tmp_path / "kept", "first")
    index = build_data_docs(tmp_path / "kept", tmp_path / "docs")
    pages = [index, *index.parent.glob("validations/**/*.html")]
    assert len(pages) == 2
    for page in pages:
        shown, said = show(browser, page, tmp_path)
        # What could not be loaded or called is a line of the console.
        assert not re.search("ERR_|Uncaught|CONSOLE", said), said
        if page == index:
            links = re.findall(r'<a href="([^"]+)">\s*\d{4}-\d\d-\d\d', shown)
            assert [index.parent / each for each in links] == pages[1:]
            assert ">first</td>" in shown


def show(browser: str, page: Path, folder: Path) -> tuple[str, str]:
    """The page as it is after its scripts, and what the browser said."""
    done = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", f"file://{page}"],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr

"""The report in a real browser: it fits a laptop and a phone, can be read on both, and asks for nothing.

Needs chromium and pdftotext (`apt-get install chromium poppler-utils`) and fails where there is none.
"""

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from jobs.operators.report.page import write_page
from jobs.study.site.writing import write_site
from tests.support.release import NOW
from tests.support.report_figures import ABOUT, OPERATORS, figures, validation
from tests.support.site_release import MADE_UP, list_release, write_whole

pytestmark = pytest.mark.site

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
]
# Run in a copy of the page inside a frame of the width that is asked about.
MEASURE = """
<script>
addEventListener("load", () => {
  const wide = [...document.querySelectorAll(".scroll")].filter(e => e.scrollWidth > e.clientWidth + 1);
  const shown = [...document.querySelectorAll("svg text")].filter(e => e.getClientRects().length);
  const size = e => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a;
  const cut = shown.filter(e => {
    const text = e.getBoundingClientRect(), svg = e.ownerSVGElement.getBoundingClientRect();
    return text.left < svg.left - 1 || text.right > svg.right + 1;
  });
  parent.postMessage({
    width: innerWidth,
    scrolled: document.documentElement.scrollWidth,
    wide: wide.map(e => e.querySelector("caption").textContent),
    texts: shown.length,
    smallest: Math.min(...shown.map(size)),
    largest: Math.max(...shown.map(size)),
    cut: cut.map(e => e.textContent),
    asked: performance.getEntriesByType("resource").map(e => e.name),
    bars: [...document.querySelectorAll(".bar")]
      .filter(e => e.getClientRects().length && e.getBoundingClientRect().width < 60).length,
    thin: [...document.querySelectorAll("figure:not(.half)")].filter(
      e => e.getClientRects().length && e.clientWidth < (e.closest(".blocks")?.clientWidth ?? 0) - 1
    ).map(e => e.querySelector("h3")?.textContent),
  }, "*");
});
</script>
"""
FRAME = """<!doctype html><title>frame</title><pre id="told"></pre>
<script>
addEventListener("message", e => document.getElementById("told").textContent = JSON.stringify(e.data))
</script>
<iframe src="PAGE" style="border:0;width:WIDTHpx;height:3000px"></iframe>
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_page(figures(), OPERATORS, validation(is_broken=True), ABOUT, folder)
    return folder


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    write_site(write_whole(folder), folder / "site")
    list_release(folder, MADE_UP, NOW)
    return folder / "site"


def measured(browser: str, folder: Path, page: str, width: int, profile: Path) -> tuple[dict[str, Any], str]:
    """Return the page's report of itself at a width, and the browser's log."""
    text = (folder / page).read_text(encoding="utf-8")
    (folder / f"measured-{page}").write_text(text.replace("</body>", MEASURE + "</body>"), encoding="utf-8")
    frame = folder / f"frame-{width}-{page}"
    frame.write_text(FRAME.replace("PAGE", f"measured-{page}").replace("WIDTH", str(width)), encoding="utf-8")
    size = [f"--window-size={width + 60},3200", f"--user-data-dir={profile}", "--virtual-time-budget=4000"]
    ran = subprocess.run(
        [browser, *FLAGS, *size, "--dump-dom", frame.as_uri()], capture_output=True, text=True, timeout=120
    )
    told = re.search(r'<pre id="told">(.*?)</pre>', ran.stdout, re.DOTALL)
    assert told and told[1], f"the page told nothing:\n{ran.stdout[:500]}\n{ran.stderr[-2000:]}"
    return json.loads(html.unescape(told[1])), ran.stderr


@pytest.mark.parametrize("width", [1200, 768, 390])
def test_the_report_fits_and_can_be_read(browser: str, folder: Path, width: int, tmp_path: Path) -> None:
    told, log = measured(browser, folder, "index.html", width, tmp_path / "profile")
    assert told["width"] == width
    assert told["scrolled"] <= width
    assert told["wide"] == []
    assert told["texts"] > 40
    assert told["smallest"] >= 9.5
    assert told["largest"] <= 22
    assert told["cut"] == []
    assert told["bars"] == 0
    assert told["thin"] == []
    assert told["asked"] == []
    assert "CONSOLE" not in log


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize(
    "page", ["index", "index.ar", "volume", "sources", "measures", "policy", "area-001", "quality", "data"]
)
def test_pages_of_a_release_fit(browser: str, published: Path, page: str, width: int, tmp_path: Path) -> None:
    """Tables of many areas scroll inside the page on a phone; the page itself never does."""
    told, log = measured(browser, published, f"{page}.html", width, tmp_path / "profile")
    assert told["scrolled"] <= width
    assert (told["wide"] == [] or width == 390) and told["bars"] == 0
    assert told["asked"] == []
    assert "CONSOLE" not in log


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("page", ["index.html", "index.ru.html"])
def test_the_page_of_releases_fits(
    browser: str, published: Path, page: str, width: int, tmp_path: Path
) -> None:
    told, log = measured(browser, published.parent / "public", page, width, tmp_path / "profile")
    assert told["scrolled"] <= width and told["wide"] == []
    assert told["asked"] == [] and "CONSOLE" not in log


@pytest.mark.parametrize("width", [1200, 390])
def test_the_page_of_rules_fits(browser: str, folder: Path, width: int, tmp_path: Path) -> None:
    told, log = measured(browser, folder, "validation.html", width, tmp_path / "profile")
    assert told["scrolled"] <= width
    assert told["asked"] == []
    assert "CONSOLE" not in log


def test_intervals_stand_in_print(browser: str, published: Path, tmp_path: Path) -> None:
    printed = tmp_path / "page.pdf"
    command = [browser, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={printed}"]
    subprocess.run([*command, (published / "volume.html").as_uri()], check=True, timeout=120)
    read = subprocess.run(["pdftotext", "-layout", printed, "-"], check=True, capture_output=True, text=True)
    assert "9.81M–17.3M" in read.stdout

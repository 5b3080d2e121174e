"""No page breaks a rule of axe-core: the operator's report and each kind of page of a release's site, on a
laptop and on a phone, in light and dark, and in writing that runs from right to left.

Needs chromium, as test_site.py does. Of the package axe-playwright-python only axe.min.js is read.
"""

import html
import json
import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from jobs.operators.report.page import write_page
from jobs.study.site.writing import write_site
from tests.site.test_site import FLAGS
from tests.support.release import NOW
from tests.support.report_figures import ABOUT, OPERATORS, figures, validation
from tests.support.site_release import MADE_UP, list_release, write_whole

pytestmark = pytest.mark.site

PAGES = [
    *(f"report/{name}" for name in ("index", "validation")),
    *(f"site/{name}" for name in ("index", "index.ar", "index.zh", "volume", "sources", "area-001", "areas")),
    *(f"site/{name}" for name in ("method.ar", "dictionary", "data")),
    *(f"public/{name}" for name in ("index", "index.ar")),
]
# Two faults, of which one is in dark alone.
FAULTY = """<!doctype html><html lang="en"><title>faulty</title><style>body { background: #fff; }
@media (prefers-color-scheme: dark) { p { color: #bbb; } }</style><body><main><h1>Faulty</h1><p>Pale</p>
<img src="data:image/svg+xml,<svg/>"></main></body></html>"""
# Every rule, and the size of what is pressed (WCAG 2.2). Dark pages differ in colours alone, which are the
# same at each width.
RULES = {"light": {"rules": {"target-size": {"enabled": True}}}, "dark": {"runOnly": ["color-contrast"]}}
WIDTHS = {"light": [1280, 390], "dark": [390]}
CHECK = """<script src="../axe.min.js"></script>
<script>
addEventListener("message", async asked => {
  const found = await axe.run(document, JSON.parse(asked.data));
  parent.postMessage(found.violations.map(each => [each.id, each.nodes.map(node => node.html)]), "*");
});
</script></body>"""
# Each page in a frame of its width, one after the other.
FRAMES = """<!doctype html><title>frames</title><pre id="told"></pre>
<script>
const told = [];
addEventListener("message", e => { told.push(e.data); show(); });
addEventListener("load", show);
function show() {
  document.querySelector("iframe")?.remove();
  if (told.length == SHOWN.length) return document.getElementById("told").textContent = JSON.stringify(told);
  const [page, width] = SHOWN[told.length], frame = document.createElement("iframe");
  frame.style = `border:0;width:${width}px;height:3000px`;
  frame.onload = () => frame.contentWindow.postMessage(RULES, "*");
  frame.src = `${page}.axe.html`;
  document.body.append(frame);
}
</script>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("axe")
    write_page(figures(), OPERATORS, validation(is_broken=True), ABOUT, folder / "report")
    write_site(write_whole(folder / "releases"), folder / "site")
    list_release(folder, MADE_UP, NOW)
    (folder / "site" / "faulty.html").write_text(FAULTY, encoding="utf-8")
    for page in (*PAGES, "site/faulty"):
        text = (folder / f"{page}.html").read_text(encoding="utf-8")
        (folder / f"{page}.axe.html").write_text(text.replace("</body>", CHECK), encoding="utf-8")
    axe = files("axe_playwright_python") / "axe.min.js"
    (folder / "axe.min.js").write_bytes(axe.read_bytes())
    return folder


@pytest.mark.parametrize(
    ("scheme", "setting", "fault"), [("light", 1, "image-alt"), ("dark", 0, "color-contrast")]
)
def test_no_page_breaks_a_rule(
    scheme: str, setting: int, fault: str, browser: str, folder: Path, tmp_path: Path
) -> None:
    shown = [(page, width) for page in (*PAGES, "site/faulty") for width in WIDTHS[scheme]]
    frames = folder / f"{scheme}.html"
    script = FRAMES.replace("RULES", f"'{json.dumps(RULES[scheme])}'").replace("SHOWN", json.dumps(shown))
    frames.write_text(script, encoding="utf-8")
    own = ["--window-size=1340,3200", f"--user-data-dir={tmp_path}", "--virtual-time-budget=600000"]
    own.append(f"--blink-settings=preferredColorScheme={setting}")
    ran = subprocess.run(
        [browser, *FLAGS, *own, "--dump-dom", frames.as_uri()], capture_output=True, text=True, timeout=300
    )
    told = re.search(r'<pre id="told">(.+?)</pre>', ran.stdout, re.DOTALL)
    assert told, f"{ran.stdout[:500]}\n{ran.stderr[-2000:]}"
    found = list(zip(shown, json.loads(html.unescape(told[1])), strict=True))
    assert [each for each in found if each[1] and each[0][0] != "site/faulty"] == []
    assert [[rule for rule, _ in broken] for (page, _), broken in found if page == "site/faulty"] == [
        [fault] for _ in WIDTHS[scheme]
    ]

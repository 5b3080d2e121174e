"""Great Expectations' Data Docs as pages that load nothing from the network.

Its templates name style sheets, scripts and pictures of other hosts, and its index is drawn by their scripts.
These pages have a style sheet and a script of our own in their place, inside the page.
"""

import re
from pathlib import Path

HERE = Path(__file__).parent
# What a page would load from another host, and the footer that offers a newsletter.
OUTSIDE = re.compile(
    r"<link\b[^>]*https?://[^>]*>"
    r"|<script\b[^>]*https?://[^>]*>\s*</script>"
    r"|<img\b[^>]*https?://[^>]*>"
    r"|<footer>.*?</footer>",
    re.DOTALL,
)
PICTURE = re.compile(r"url\(['\"]?https?://[^)]*\)")
EMPTY = "Great Expectations"


def make_local(docs: Path) -> None:
    """Change all pages and style sheets of a folder of Data Docs."""
    own = "".join(
        f"<{tag}>\n{(HERE / f'data_docs.{kind}').read_text(encoding='utf-8')}</{tag}>\n"
        for tag, kind in (("style", "css"), ("script", "js"))
    )
    for file in docs.rglob("*.html"):
        text = OUTSIDE.sub(lambda found: EMPTY if found.group().startswith("<img") else "", read_text(file))
        file.write_text(PICTURE.sub("none", text).replace("<head>", f"<head>\n{own}", 1), encoding="utf-8")
    for file in docs.rglob("*.css"):
        file.write_text(PICTURE.sub("none", read_text(file)), encoding="utf-8")


def read_text(file: Path) -> str:
    return file.read_text(encoding="utf-8")

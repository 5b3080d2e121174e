"""Run docs/economist.ipynb on a lake, and write it with its charts: build/economist.html and .ipynb.

`make notebook` runs this after it has installed what the notebook needs (requirements/dev.lock). The lake is
build/lake, or the one that OBSERVATORY_LAKE names. The page needs no script and nothing from elsewhere.
"""

import html
import os
from pathlib import Path
from typing import Any

import mistune
import nbclient
import nbformat

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "docs" / "economist.ipynb"
STYLE = """:root{color-scheme:light dark}body{max-width:60rem;margin:2rem auto;padding:0 1rem}
body{font:1rem/1.5 system-ui,sans-serif}
table{border-collapse:collapse;font-size:.85rem}td,th{padding:.1rem .6rem;text-align:right;border:0}
tr{border-bottom:1px solid #8886}figure{margin:1rem 0;overflow-x:auto}details{margin:.5rem 0}
pre{overflow-x:auto;font-size:.8rem}"""


def executed(lake: str) -> Any:
    """The notebook with the outputs of a run on the lake at this path."""
    os.environ["OBSERVATORY_LAKE"] = lake
    book = nbformat.read(NOTEBOOK, as_version=4)
    resources = {"metadata": {"path": str(ROOT)}}
    nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources=resources).execute()
    return book


def page(book: Any) -> str:
    """An executed notebook as one page: texts, charts and tables, with the code behind each folded."""
    title = book.cells[0].source.splitlines()[0].lstrip("# ")
    body = [part for cell in book.cells for part in parts(cell)]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )


def parts(cell: Any) -> list[str]:
    if cell.cell_type == "markdown":
        return [str(mistune.html(cell.source))]
    shown = [figure(output) for output in cell.outputs]
    code = f"<details><summary>Code</summary><pre>{html.escape(cell.source)}</pre></details>"
    return [*filter(None, shown), code]


def figure(output: Any) -> str:
    """A chart or a table; else what a cell printed."""
    data = output.get("data", {})
    if "text/html" in data:
        return f"<figure>{data['text/html']}</figure>"
    text = data.get("text/plain") or output.get("text", "")
    return f"<pre>{html.escape(text)}</pre>" if text else ""


def main() -> None:
    lake = os.environ.get("OBSERVATORY_LAKE") or str(ROOT / "build" / "lake")
    if not Path(lake).is_dir():
        raise SystemExit(f"No lake at {lake}: `make demo` makes one, or OBSERVATORY_LAKE names yours.")
    book = executed(lake)
    folder = ROOT / "build"
    folder.mkdir(exist_ok=True)
    nbformat.write(book, folder / "economist.ipynb")
    (folder / "economist.html").write_text(page(book), encoding="utf-8")
    print(f"Notebook: {folder / 'economist.html'}")


if __name__ == "__main__":
    main()

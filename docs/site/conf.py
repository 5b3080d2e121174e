"""The documentation as a site: `make docs` reads the same Markdown files that a clone shows."""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

project = "Spam Observatory"
copyright = "the project's contributors, Apache License 2.0"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/**", "jobs/*/README.md", "schemas/**", "sample_data/lab/servers/*.md"]
exclude_patterns = ["docs/site", "docs/*.py", "docs/*.ipynb"]
# Links to headings are those that a forge makes.
myst_heading_anchors = 4
myst_enable_extensions = ["strikethrough"]
html_theme = "furo"
html_title = project
# Contracts and code are linked as they are.
html_show_sourcelink = False
suppress_warnings = ["myst.header", "toc.not_readable"]

CONTENTS = """

```{toctree}
:hidden:
:caption: Operators

docs/operator
docs/operator-reference
docs/settings
docs/privacy
docs/audit
docs/audit-method
```

```{toctree}
:hidden:
:caption: The study

docs/tsb
docs/disclosure
docs/estimates
docs/economist
```

```{toctree}
:hidden:
:caption: What is counted
:maxdepth: 1

docs/counting
docs/glossary
sample_data/lab/servers/README
schemas/README
schemas/bronze/README
schemas/silver/README
schemas/gold/README
schemas/study/README
schemas/meta/README
schemas/reference/README
schemas/reference/NOTES
schemas/questionnaire/README
```

```{toctree}
:hidden:
:caption: Engineering
:maxdepth: 1

docs/speed
docs/scale
docs/spark
docs/debugging
docs/dev/recipes
docs/dev/design
docs/dev/walks
CONTRIBUTING
jobs/operators/README
jobs/study/README
jobs/base/README
SECURITY
CHANGELOG
docs/decisions/README
```
"""
DECISIONS = """

```{toctree}
:hidden:
:glob:

0*
```
"""


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Give two pages the tables of contents that a forge would show as text."""
    source[0] += {"README": CONTENTS, "docs/decisions/README": DECISIONS}.get(name, "")


def add_index(app: Sphinx, error: Exception | None) -> None:
    """Servers look for index.html."""
    if error is None and app.builder.name == "html":
        shutil.copy(Path(app.outdir, "README.html"), Path(app.outdir, "index.html"))


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_contents)
    app.connect("build-finished", add_index)

"""The templates of a page: those of templates/, which pages share, and those of the page's own folder."""

from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from jobs.base.core import numbers
from jobs.base.figures import words

SHARED = Path(__file__).parent / "templates"


def render_template(own: Path, name: str, **given: Any) -> str:
    """A template of the folder `own`, filled in; it has the style, and the functions of words and numbers."""
    style = Markup((SHARED / "page.css").read_text(encoding="utf-8"))
    return load_templates(own).get_template(name).render(given, words=words, numbers=numbers, style=style)


@cache
def load_templates(own: Path) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([own, SHARED]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )

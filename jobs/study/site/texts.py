"""The texts of the site, of languages/<language>.yaml: each stands there once. English has all of them, the
other languages those of the front page and of documents."""

from functools import cache
from pathlib import Path

from jobs.base.core import languages
from jobs.base.tables.contracts import read_yaml

FOLDER = Path(__file__).parent / "languages"
# The points of the European Statistical System's metadata structure (ESMS 2.0), in its order.
ESMS = range(1, 20)


@cache
def load_texts(language: str) -> dict[str, str]:
    return dict(read_yaml(FOLDER / f"{language}.yaml"))


def say(key: str, **given: object) -> str:
    """A text in the present language, with its figures filled in."""
    return load_texts(languages.current.get())[key].format(**given)

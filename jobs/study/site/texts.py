"""The texts of the site, of languages/<language>.yaml: each stands there once."""

from functools import cache
from pathlib import Path

from jobs.base.tables.contracts import read_yaml

FOLDER = Path(__file__).parent / "languages"
# The points of the European Statistical System's metadata structure (ESMS 2.0), in its order.
ESMS = range(1, 20)


@cache
def load_texts() -> dict[str, str]:
    return dict(read_yaml(FOLDER / "en.yaml"))


def say(key: str, **given: object) -> str:
    """A text with its figures filled in."""
    return load_texts()[key].format(**given)

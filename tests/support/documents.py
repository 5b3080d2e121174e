"""Contents of README and docs: code blocks, commands, and output with parts left out."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

README = ROOT / "README.md"
GUIDES = sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "dev").glob("*.md")])
PAGES = [README, ROOT / "CONTRIBUTING.md", *GUIDES, ROOT / "docs" / "decisions" / "README.md"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:observatory|make|python -m) [^`\n]+)`")
OURS = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?(observatory|make|python) ")
LEFT_OUT = "..."


def blocks(file: Path, language: str = "") -> list[str]:
    """The code blocks of a page in a language; those without one show commands and output."""
    return [body for name, body in BLOCK.findall(file.read_text(encoding="utf-8")) if name == language]


def commands(file: Path) -> Iterator[list[str]]:
    """The project's own commands on a page, in blocks and in sentences, as words."""
    lines = [line for body in blocks(file) for line in body.splitlines()]
    text = BLOCK.sub("", file.read_text(encoding="utf-8"))
    for line in (*lines, *INLINE.findall(text)):
        for part in line.split(" && "):
            if OURS.match(part):
                part = part.removeprefix("$ ").removeprefix(".venv/bin/")
                yield shlex.split(part, comments=True)


def sessions(file: Path) -> dict[str, list[str]]:
    """The commands on a page that are shown with a prompt, each with the lines that it prints."""
    found: dict[str, list[str]] = {}
    for body in blocks(file):
        first, *lines = body.splitlines()
        if first.startswith("$ "):
            found[first.removeprefix("$ ")] = lines
    return found


def is_shown(lines: list[str], printed: str) -> bool:
    """Return whether the lines are what was printed. `...` alone is any lines, … any text of a line."""
    wanted = [line.rstrip() for line in lines]
    pattern = "".join(
        r"(?:.*\n)*" if line == LEFT_OUT else re.escape(line).replace("…", ".*") + r"\n" for line in wanted
    )
    return re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in printed.splitlines())) is not None

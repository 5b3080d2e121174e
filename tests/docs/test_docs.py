"""README and docs: commands that exist, output as it is printed, settings that load, and none left out."""

import csv
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from jobs.base.settings import config
from jobs.base.settings.base import Settings
from jobs.cli import main as command_line
from jobs.operators.formats.delimited.profile_files import list_shipped
from jobs.operators.formats.registry import KERNELS
from schemas import settings_page
from tests.conftest import ROOT
from tests.support.documents import GUIDES, PAGES, README, blocks, commands, is_shown, sessions

MOST_WORDS = 700
MINIMAL = {"id": "own", "name": "Own", "country": "CHE", "holding": "own", "currency": "CHF"}
# Pages that describe settings.
SETTINGS = [
    ROOT / "docs" / f"{name}.md"
    for name in ("operator", "operator-reference", "economist", "tsb", "privacy", "spark", "audit")
]


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def run(line: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> str:
    """Return the output of a command of the README, run in a folder that has the sample data."""
    (folder / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", line.removeprefix(".venv/bin/").split())
    with pytest.raises(SystemExit) as end:
        command_line.main()
    assert not end.value.code
    return str(capsys.readouterr().out)


def readme_session(word: str) -> tuple[str, list[str]]:
    """The README's command with this word, and what it shows of its output."""
    ((line, shown),) = [each for each in sessions(README).items() if f" {word}" in each[0]]
    assert len(shown) > 2
    return line, shown


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").split()) <= MOST_WORDS


@pytest.mark.long
def test_sniff_prints_what_the_readme_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line, shown = readme_session("sniff")
    printed = run(line, tmp_path, monkeypatch, capsys)
    assert is_shown(shown, printed), printed


def test_cost_explain_prints_what_the_guide_and_the_readme_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ((line, shown),) = sessions(ROOT / "docs" / "economist.md").items()
    assert max(map(len, shown)) <= 80
    printed = run(line, tmp_path, monkeypatch, capsys)
    assert is_shown(shown, printed), printed
    assert "What dominates" in printed
    assert f"`{line}` prints formula, sources and what dominates" in README.read_text(encoding="utf-8")


@pytest.mark.long
def test_report_prints_what_the_readme_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line, shown = readme_session("report")
    printed = run(line, tmp_path, monkeypatch, capsys)
    assert is_shown(shown, printed), printed
    assert (tmp_path / "report" / "index.html").is_file()


@pytest.mark.parametrize(
    ("line", "printed", "is_same"),
    [
        (["a", "...", "d"], "a\nb\nc\nd\n", True),
        (["a", "...", "d"], "a\nd\n", True),
        (["...", "b…d"], "a\nb c d  \n", True),
        (["a", "d"], "a\nb\nd\n", False),
        (["a", "..."], "b\n", False),
        (["a.", "..."], "ab\n", False),
    ],
)
def test_what_is_left_out_is_marked(line: list[str], printed: str, is_same: bool) -> None:
    assert is_shown(line, printed) is is_same


def test_the_readme_has_every_format() -> None:
    with (ROOT / "schemas" / "codelists" / "format.csv").open(encoding="utf-8") as file:
        names = {row["code"] for row in csv.DictReader(file)}
    assert names == set(KERNELS)
    table = README.read_text(encoding="utf-8").partition("## Formats")[2].partition("\n## ")[0]
    assert names <= set(re.findall(r"`(\w+)`", table))


@pytest.mark.parametrize("page", GUIDES, ids=name_of)
def test_a_page_opens_with_what_its_reader_can_do(page: Path) -> None:
    opening = page.read_text(encoding="utf-8").partition("\n\n")[2].partition("\n\n#")[0]
    assert "After reading this page you" in opening


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    wrong = []
    for program, *words in commands(page):
        if program == "observatory":
            wrong += problems(words)
        elif program == "make":
            wrong += [word for word in words if "=" not in word and word not in targets]
        elif words[0] == "-m" and words[1] != "venv":
            module = ROOT / words[1].replace(".", "/")
            if not (module.is_dir() or module.with_suffix(".py").is_file()):
                wrong.append(words[1])
    assert wrong == []


@cache
def whole_command() -> Any:
    """The program with all its commands, made once for all pages."""
    return typer.main.get_command(command_line.app)


def problems(words: list[str]) -> list[str]:
    """The commands and options in a command line that the program does not have."""
    command: Any = whole_command()
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            return [f"{rest[0]} of {' '.join(words)}"]
        command = command.commands[rest.pop(0)]
    options = {name for each in command.params for name in each.opts} | {"--help"}
    given = [word.partition("=")[0] for word in rest if word.startswith("--")]
    return [f"{option} of {' '.join(words)}" for option in given if option not in options]


@pytest.mark.parametrize("page", SETTINGS, ids=name_of)
def test_settings_load(page: Path) -> None:
    for text in blocks(page, "toml"):
        raw = tomllib.loads(text)
        # A block may show one table of an operator alone.
        operators = raw.get("operator", [])
        for each in [operators] if isinstance(operators, dict) else operators:
            for source in each.get("source", []):
                source.setdefault("url", "mail.log")
            each.update({name: value for name, value in MINIMAL.items() if name not in each})
        if isinstance(operators, dict):
            raw["operator"] = [operators]
        config.Observatory.model_validate(raw)


def test_the_smallest_settings_file_loads(tmp_path: Path) -> None:
    text = next(body for body in blocks(ROOT / "docs" / "operator.md", "toml") if "[[operator]]" in body)
    file = tmp_path / "observatory.toml"
    file.write_text(text, encoding="utf-8")
    (operator,) = config.load_settings(file).operator
    assert operator.source[0].format == "postfix"


def test_every_setting_is_described() -> None:
    text = settings_page.write_page()
    assert "| `clock_offset` | `0` | Seconds by which the host's clock was ahead" in text
    assert "## `[operator.source.access]`" in text


def test_a_setting_without_a_docstring_is_refused() -> None:
    class Undescribed(Settings):
        """Sentence of a newcomer."""

        limit: int = 3

    with pytest.raises(ValueError, match=r"Undescribed: no docstring of limit"):
        settings_page.describe_table("[undescribed]", Undescribed)


def test_every_option_of_a_format_is_documented() -> None:
    text = (ROOT / "docs" / "operator-reference.md").read_text(encoding="utf-8")
    options = [(name, option) for name, kernel in KERNELS.items() for option in kernel.options]
    assert ("exim", "host") in options
    missing = [
        f"{name}: {option}"
        for name, option in options
        if not re.search(rf"^\| `{name}` \|.*`{option}\b", text, re.MULTILINE)
    ]
    assert missing == [], "add them to the table of options in docs/operator-reference.md"


def test_every_bundled_profile_is_documented() -> None:
    text = (ROOT / "docs" / "operator.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^The bundled profiles are (.*): name them without", text, re.MULTILINE)
    assert re.findall(r"`(\w+)`", listed) == list(list_shipped())


def texts_of(command: Any, path: str = "observatory") -> Iterator[tuple[str, str]]:
    """The help texts of a command and of all below it."""
    yield path, command.help or ""
    for parameter in command.params:
        yield f"{path} {parameter.name}", getattr(parameter, "help", None) or ""
    for name, below in getattr(command, "commands", {}).items():
        yield from texts_of(below, f"{path} {name}")


def test_no_help_loses_the_name_of_a_settings_table() -> None:
    """Rich takes `[study]` for markup and prints nothing of it; a backslash before it keeps it."""
    found = list(texts_of(typer.main.get_command(command_line.app)))
    assert len(found) > 100 and any(r"\[study]" in text for _, text in found)
    assert [path for path, text in found if re.search(r"(?<!\\)\[[a-z.]+\]", text)] == []

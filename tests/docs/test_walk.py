"""The TSB officer's walk: at most twenty commands, and keys made by its lines word for word."""

import re
import subprocess
from pathlib import Path

from tests.conftest import ROOT

GUIDE = (ROOT / "docs" / "tsb.md").read_text(encoding="utf-8")
MOST = 20


def section(title: str) -> str:
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^#{{2,3}} |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[2]


def lines_of(text: str) -> list[str]:
    blocks = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line and not line.startswith("#")]


def test_the_walk_numbers_its_commands() -> None:
    lines = lines_of(section("A study in twenty commands"))
    numbers = [int(found[1]) for line in lines if (found := re.search(r"# (\d+)", line))]
    # Lines 1 and 2 make the officer's key.
    assert numbers == list(range(3, MOST + 1)) and len(lines) == len(numbers)


def test_the_lines_for_keys_work_word_for_word(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    # What a person answers to the question for a passphrase.
    (home / "gpg.conf").write_text('batch\npinentry-mode loopback\npassphrase ""\n', encoding="utf-8")
    environment = {"GNUPGHOME": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    lines = [line for line in lines_of(section("Three keys")) if line.startswith("gpg ")]
    assert len(lines) == 6
    try:
        for line in lines:
            done = subprocess.run(
                line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{line}: {done.stderr}"
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    for name in ("officer", "study", "savanna-mail"):
        assert "BEGIN PGP PUBLIC KEY BLOCK" in (tmp_path / f"{name}.asc").read_text(encoding="utf-8")

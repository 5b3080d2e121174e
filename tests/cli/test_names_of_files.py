"""Names of files that others sent: what a terminal would obey in them is shown, not obeyed."""

from pathlib import Path

import pytest

from tests.cli.conftest import Observatory

NAME = "north\x1b[2J\x1b]0;title\x07\u202e.zip"
SHOWN = r"north\x1b[2J\x1b]0;title\x07\u202e.zip"


@pytest.mark.parametrize(
    "words", [["study", "load"], ["study", "load", "--check"], ["questionnaire", "load"]]
)
def test_names_of_received_files_are_escaped(
    words: list[str], observatory: Observatory, tmp_path: Path
) -> None:
    settings, file = tmp_path / "observatory.toml", tmp_path / NAME
    settings.write_text('[lake]\nroot = "lake"\n[study]\nrespondents = "respondents.csv"\n')
    head = "respondent_id,name,role,country,holding,operator_ids,language,size_class"
    (tmp_path / "respondents.csv").write_text(f"{head}\nnorth,North,O,FJI,north,north-mail,en,S1\n")
    file.write_bytes(b"no package")
    told = observatory(*words, "--config", settings, file)
    assert told.code == 2
    text = told.out + told.err
    assert SHOWN in "".join(text.split("\n")), text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)

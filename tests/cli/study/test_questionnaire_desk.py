"""`observatory questionnaire status`."""

import datetime as dt
from pathlib import Path

import pytest

from jobs.base.store.lake import Lake
from tests.cli.conftest import Observatory
from tests.support.returned_forms import AT, load


@pytest.mark.long
def test_the_command_says_who_is_silent_and_since_when(observatory: Observatory, tmp_path: Path) -> None:
    load(Lake(str(tmp_path / "lake")), tmp_path, {"sp706": None}, AT)
    text = f'[lake]\nroot = "lake"\n[study]\nrespondents = "{tmp_path}/list.csv"\ndeadline = 2026-02-28\n'
    (tmp_path / "observatory.toml").write_text(text, encoding="utf-8")
    head = "respondent_id,name,role,country,holding,operator_ids,language,size_class"
    rows = ["savanna-mobile,Savanna,O,KEN,s,savanna-mobile,en,", "fji-administration,Fiji,A,FJI,,,en,"]
    (tmp_path / "list.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    words = ("questionnaire", "status", "--period", "2025", "--config", tmp_path / "observatory.toml")
    told = observatory(*words)
    assert told.code == 0, told.err
    assert "2025: 2 asked: 1 gaps, 1 silent" in told.out and "Deadline: 2026-02-28," in told.out
    assert "1 open: sp706" in told.out and "nothing received yet" in told.out
    csv = observatory(*words, "--format", "csv")
    assert csv.out.splitlines()[0].startswith("respondent_id,name,role,country,language,state,by,received_at")
    errors = {"sp706": None, "sp705.STAFF": "many", "sp701._T": "much"}
    load(Lake(str(tmp_path / "lake")), tmp_path, errors, AT + dt.timedelta(hours=1))
    csv = observatory(*words, "--format", "csv").out
    assert "x0a" not in csv and "; sp705.STAFF: " in csv
    assert observatory("questionnaire", "status", "--period", "soon", *words[4:]).code == 2
    load(Lake(str(tmp_path / "lake")), tmp_path, {}, AT + dt.timedelta(days=1))
    told = observatory(*words)
    assert "Answered: savanna-mobile\n" in told.out and told.out.count("savanna-mobile") == 1
    assert "1 answered" in told.out and not [line for line in told.out.splitlines() if " : " in line]


def test_letters_go_to_the_silent(observatory: Observatory, tmp_path: Path) -> None:
    (tmp_path / "observatory.toml").write_text(
        '[lake]\nroot = "lake"\nread_at = 2027-02-01T00:00:00Z\n[study]\nrespondents = "list.csv"\n'
        'deadline = 2027-02-28\nreturn_address = "a@example.org"\n'
        '[release]\nagency_name = "The study"\ncontact = "c@example.org"\n',
        encoding="utf-8",
    )
    head = "respondent_id,name,role,country,holding,operator_ids,language,size_class"
    (tmp_path / "list.csv").write_text(f"{head}\nfji-admin,Fiji,A,FJI,,,fr,\n", encoding="utf-8")
    last = (
        "--period",
        "2026-Q4",
        "--config",
        tmp_path / "observatory.toml",
        "--output",
        tmp_path / "letters",
    )
    told = observatory("questionnaire", "letters", "reminder", *last)
    assert told.code == 0, told.err
    assert "1\u00a0letter in" in told.out and "No native speaker has reviewed the words in fr" in told.out
    text = (tmp_path / "letters" / "reminder_fji-admin_2026-Q4_fr.txt").read_text(encoding="utf-8")
    assert text.startswith("Rappel: chiffres de 2026-Q4")
    assert "0\u00a0letters" in observatory("questionnaire", "letters", "thanks", *last).out
    assert observatory("questionnaire", "letters", "threat", *last).code == 2

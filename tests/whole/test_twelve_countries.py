"""A study of twelve countries from an empty folder to what its readers see, by the commands of docs/tsb.md;
everything that a person reads on the way is true of twelve countries."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from jobs.cli.main import app
from tests.support.release import new_key
from tests.support.true_of_few import refuse_world, say_world
from tests.support.twelve_countries import BUILD, INIT, fill_settings, write_study

NAME = "2026-Q4/v1.0.0"
READ_AT, P = "OBSERVATORY_READ_AT", "OBSERVATORY_P_PCT"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    home = tmp_path / "keys" / "home"
    home.parent.mkdir()
    monkeypatch.setenv("GNUPGHOME", str(home))
    yield SimpleNamespace(officer=new_key(home, "officer"), public=home.parent / "officer.asc")
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)


@pytest.mark.long
def test_twelve_countries_from_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: SimpleNamespace
) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    monkeypatch.chdir(folder)
    forms = write_study(folder)

    def run(day: str, *words: str) -> str:
        environment = {READ_AT: f"{day}T12:00:00Z", P: "13.73519", "COLUMNS": "80"}
        done = CliRunner().invoke(app, [*words], env=environment)
        assert done.exit_code == 0, f"{words}: {done.output} {done.exception}"
        assert say_world(done.output) == [], words
        return done.output

    run("2027-02-15", *INIT)
    fill_settings(folder)
    keys.public.rename(folder / "signers" / "officer.asc")
    assert "12\u00a0countries in 2026, 12 complete" in run("2027-02-15", *BUILD)
    run("2027-02-15", "questionnaire", "make", "--period", "2026")
    run("2027-02-15", "questionnaire", "load", *map(str, forms), "--received", "2027-02-10T08:00")
    estimated = run("2027-02-15", "study", "estimate")
    assert "12 countries" in estimated and "AFR 3/44" in estimated
    checked = run("2027-02-15", "study", "check")
    # Nothing is said of the countries outside the study.
    assert "no operator in the frame" not in checked
    made = run("2027-02-15", "release", "make", "--period", "2026-Q4")
    assert "spam_volume" in made
    run("2027-02-15", "release", "clear", "make", NAME, "--deadline", "2027-03-01")
    shown = run("2027-03-02", "release", "show", NAME)
    assert "- 12 countries of the study, 2026, E-mail, certain spam" in shown
    run("2027-03-02", "release", "sign", f"releases/{NAME}", "--key", keys.officer)
    run("2027-03-02", "release", "publish", NAME, "--by", "A. Officer")
    run("2027-03-02", "release", "verify", f"public/{NAME}", "--signers", "signers")
    run("2027-03-02", "release", "site", f"public/{NAME}")
    run("2027-03-02", "release", "revisions", f"public/{NAME}")
    of_areas = refuse_world(folder / "public" / NAME, tmp_path / "site")
    # The figures of several tables left, so that their sentences were read.
    assert {"spam_volume", "investment", "investment_gap"} <= {
        name for name, rows in of_areas.items() if rows.height
    }
    assert "in 12 countries of the study" in (tmp_path / "site" / "index.html").read_text("utf-8")
    assert not [each for each in os.listdir(folder / "restricted") if each == "refused"]

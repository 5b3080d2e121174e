"""A lake remembers its operators and the ids of their keys: another key, or an operator under another id, is
refused before anything is written, and an operator that the settings lost is in no report."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.base.core import key_names
from jobs.base.store.lake import Lake
from jobs.base.store.lake_notes import FORM, MARK
from jobs.operators.protect.pseudonym_keys import operator_key
from tests.conftest import KEY, ROOT
from tests.support.in_process import Told, command_line_of
from tests.support.whole_runs import MAIL_NETWORK, operator_toml, rows_in, source_toml
from tests.whole.test_older_lake import files_in

LOG = ROOT / "sample_data" / "lab" / "postfix" / "mail.iso8601.log"
OTHER_KEY = "fedcba9876543210fedcba9876543210"
VOLUME = "gold.spam_volume_daily"
Observatory = Callable[..., Told]


@pytest.fixture
def observatory(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Observatory:
    """Run the command line in this process, with the settings and a key."""
    call = command_line_of(monkeypatch, capsys, width=200)

    def run(*arguments: object, key: str | None = KEY) -> Told:
        monkeypatch.delenv(key_names.KEY, raising=False)
        if key is not None:
            monkeypatch.setenv(key_names.KEY, key)
        operator_key.cache_clear()
        try:
            return call(*arguments, "--config", tmp_path / "observatory.toml")
        finally:
            operator_key.cache_clear()

    return run


def write_settings(folder: Path, *operators: tuple[str, str, Path]) -> None:
    """Settings of operators, each with its id, its name and its log."""
    text = f'[lake]\nroot = "{folder / "lake"}"\nread_at = 2026-12-31T00:00:00Z\n'
    for operator_id, name, log in operators:
        source = source_toml("mx", str(log), "postfix")
        text += operator_toml(operator_id, name, "FJI", operator_id, "FJD", MAIL_NETWORK, source)
    (folder / "observatory.toml").write_text(text, encoding="utf-8")


def copy(folder: Path, name: str, more: str = "") -> Path:
    file = folder / name
    file.write_bytes(LOG.read_bytes() + more.encode())
    return file


def plain(told: Told) -> str:
    return " ".join(told.err.split())


@pytest.fixture
def north(tmp_path: Path, observatory: Observatory) -> Path:
    """The log of an operator whose lake has been computed."""
    log = copy(tmp_path, "north.log")
    write_settings(tmp_path, ("north", "North", log))
    told = observatory("run")
    assert told.code == 0, told.err
    return log


@pytest.mark.long
def test_another_key_is_refused_before_anything_is_written(
    tmp_path: Path, north: Path, observatory: Observatory
) -> None:
    about = json.loads((tmp_path / "lake" / MARK).read_text())
    before_id = about["operators"]["north"]["keys"][0]["key_id"]
    assert about["form"] == FORM
    assert Lake(str(tmp_path / "lake")).read("silver.transmission")["key_id"].unique().to_list() == [
        before_id
    ]
    north.write_bytes(north.read_bytes() + b"2026-11-25T00:00:00+00:00 mx postfix/smtpd[1]: connect from x\n")
    state = files_in(tmp_path / "lake")
    for words in (["run"], ["run", "--stage", "silver"], ["run", "--stage", "bronze"], ["pull"]):
        told = observatory(*words, key=OTHER_KEY)
        assert told.code == 2, words
        assert f"the pseudonyms of operator 'north' are under the key with the id {before_id}" in plain(told)
        assert "The key comes from OBSERVATORY_PSEUDONYM_KEY: name the former key there" in plain(told)
        assert files_in(tmp_path / "lake") == state, words
    # Pulling needs no key, and the former one goes on.
    assert observatory("pull", key=None).code == 0
    assert observatory("run").code == 0


@pytest.mark.long
def test_a_lake_can_be_computed_anew_under_another_key(
    tmp_path: Path, north: Path, observatory: Observatory
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    before = rows_in(lake, [VOLUME])
    assert "nothing to renew" in plain(observatory("renew", "--yes"))
    assert observatory("renew", "--yes", key=OTHER_KEY).code == 0
    assert observatory("run", key=OTHER_KEY).code == 0
    assert rows_in(lake, [VOLUME]) == before
    assert lake.read("silver.transmission")["key_id"].n_unique() == 1
    assert observatory("run").code == 2


@pytest.mark.long
@pytest.mark.parametrize("shares", ["its name", "its logs"])
def test_an_operator_keeps_its_id(tmp_path: Path, north: Path, observatory: Observatory, shares: str) -> None:
    log = north if shares == "its logs" else copy(tmp_path, "moved.log")
    name = "North" if shares == "its name" else "Northern"
    write_settings(tmp_path, ("north-mail", name, log))
    state = files_in(tmp_path / "lake")
    for words in (["run"], ["pull"], ["run", "--stage", "gold"]):
        told = observatory(*words)
        assert told.code == 2, words
        assert "'north-mail' " + ("reads the logs" if shares == "its logs" else "has the name") in plain(told)
        assert 'Set id = "north" again' in plain(told)
        assert files_in(tmp_path / "lake") == state, words


@pytest.mark.long
def test_a_source_keeps_its_id(tmp_path: Path, north: Path, observatory: Observatory) -> None:
    file = tmp_path / "observatory.toml"
    settings = file.read_text()
    file.write_text(settings.replace('id = "mx"', 'id = "mail"'))
    landed = files_in(tmp_path / "lake" / "landing")
    for command in ("pull", "run"):
        told = observatory(command)
        assert told.code == 2
        assert (
            "[operator] 'north' source 'mail' reads the logs of source 'mx', which reads them no longer: a"
            ' source keeps its id, or its lines count twice. Set id = "mx" again.'
        ) in plain(told)
    assert files_in(tmp_path / "lake" / "landing") == landed
    # Another one beside it is another one, and so is one whose logs the settings name no more.
    second = source_toml("mail", str(copy(tmp_path, "second.log")), "postfix")
    file.write_text(settings + second)
    assert observatory("pull").code == 0
    file.write_text(settings.replace("north.log", "moved.log") + second.replace("second.log", "north.log"))
    told = observatory("pull")
    assert (told.code, "source 'mail' reads the logs of source 'mx'" in plain(told)) == (2, True)


@pytest.mark.long
def test_an_operator_that_the_settings_lost_is_in_no_report(
    tmp_path: Path, north: Path, observatory: Observatory
) -> None:
    alone = report(observatory, tmp_path)
    south = copy(tmp_path, "south.log")
    write_settings(tmp_path, ("north", "North", north), ("south", "South", south))
    assert observatory("run").code == 0
    both = report(observatory, tmp_path)
    assert both["volume.csv"] != alone["volume.csv"]
    # Another operator comes, one goes: neither is the other under a new id.
    write_settings(tmp_path, ("north", "North", north), ("east", "East", copy(tmp_path, "east.log", "\n")))
    told = observatory("report", "--output", tmp_path / "report")
    assert told.code == 0
    assert "Operator 'south' is in the lake, but not in the settings: the report leaves it out" in plain(told)
    assert files_of(tmp_path)["volume.csv"] == alone["volume.csv"]
    page = files_of(tmp_path)["index.html"].decode()
    assert "Left out of all figures: south." in page and "South" not in page
    assert observatory("run").code == 0


def report(observatory: Observatory, folder: Path) -> dict[str, bytes]:
    told = observatory("report", "--output", folder / "report")
    assert told.code == 0, told.err
    assert "not in the settings" not in told.err
    return files_of(folder)


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in (folder / "report").iterdir()}


@pytest.mark.long
def test_other_logs_of_the_same_operator_are_named_before_they_are_pulled(
    tmp_path: Path, north: Path, observatory: Observatory
) -> None:
    """Two settings files with one id and one lake give them."""
    assert "Warning" not in observatory("pull").err
    south = copy(tmp_path, "south.log")
    write_settings(tmp_path, ("north", "South", south))
    told = observatory("pull")
    assert told.code == 0
    warning = "Warning: operator 'north': the lake"
    assert warning in plain(told) and "Give that operator another id" in plain(told)
    assert plain(told).index(warning) < plain(told).index("pull: ")
    # A log beside the former one is this operator's.
    text = (tmp_path / "observatory.toml").read_text(encoding="utf-8")
    text += source_toml("mx-2", str(north), "postfix")
    (tmp_path / "observatory.toml").write_text(text, encoding="utf-8")
    assert "Warning" not in observatory("pull").err


@pytest.mark.long
def test_a_key_file_of_the_settings_is_named_with_its_setting(
    tmp_path: Path, north: Path, observatory: Observatory
) -> None:
    file = tmp_path / "observatory.toml"
    text = file.read_text(encoding="utf-8").replace("[lake]\n", '[lake]\nkey_file = "own.key"\n')
    file.write_text(text, encoding="utf-8")
    told = observatory("run", key=None)
    assert told.code == 2
    assert f"{file}: [lake] key_file names {tmp_path / 'own.key'}, which is not there." in plain(told)
    (tmp_path / "own.key").write_text("short", encoding="ascii")
    assert f"{file}: [lake] key_file names {tmp_path / 'own.key'}, which others than its owner may" in plain(
        observatory("run", key=None)
    )
    (tmp_path / "own.key").chmod(0o600)
    assert f"{file}: [lake] key_file: the pseudonym key has 5 characters" in plain(
        observatory("run", key=None)
    )
    (tmp_path / "own.key").write_text(OTHER_KEY, encoding="ascii")
    assert f"The key comes from {file}: [lake] key_file: name the former key there" in plain(
        observatory("run", key=None)
    )
    assert "KEY_FILE" not in told.err

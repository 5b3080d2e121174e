"""Faults and missing or unreachable things end in a sentence with a place and a remedy, never a traceback."""

import errno
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.base.store import lock
from jobs.base.store.lake import Lake
from jobs.cli import main
from tests.support.in_process import Run, command_line_of
from tests.support.whole_runs import operator_toml, source_toml

LINES = "".join(
    f"2026-11-24T10:00:0{second}+00:00 mx1 postfix/qmgr[7]: 4jYlH071Srz1fPl{second}: {text}\n"
    for second, text in enumerate(
        ("from=<a@far.example>, size=9, nrcpt=1 (queue active)", "removed"), start=1
    )
)


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line_of(monkeypatch, capsys)


def settings_of(folder: Path, root: str = "lake", url: str = "mail.log", **changed: str) -> Path:
    file = folder / "observatory.toml"
    operator = operator_toml("a", "A", "CHE", "a", "CHF", source_toml("mx1", url, "postfix"))
    file.write_text(f'[lake]\nroot = "{root}"\n{changed.get("lake", "")}{operator}{changed.get("more", "")}')
    return file


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake after a run, with its settings."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "mail.log").write_text(LINES)
    file = settings_of(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["observatory", "run", "--config", str(file)])
        with pytest.raises(SystemExit) as end:
            main.main()
    assert end.value.code == 0
    return folder


@pytest.fixture
def run_before(whole: Path, tmp_path: Path) -> Path:
    """The settings of a copy of that lake."""
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy" / "observatory.toml"


def words(told: str) -> str:
    return " ".join(told.split())


@pytest.mark.parametrize("data", [b"", b'{"form": 2, "oper', b"[1]", b"\xff\xfe"])
@pytest.mark.parametrize("command", ["run", "status", "vacuum"])
def test_a_lakes_mark_that_is_damaged_is_named(
    observatory: Run, run_before: Path, data: bytes, command: str
) -> None:
    mark = run_before.parent / "lake" / "observatory.json"
    mark.write_bytes(data)
    told = observatory(command, "--config", run_before)
    assert told.code == 2
    assert f"{mark} is cut or damaged" in words(told.err) and "copy" in told.err


def parquet_of(folder: Path, table: str) -> Path:
    [file, *_] = sorted((folder / "lake" / table.replace(".", "/")).rglob("*.parquet"))
    return file


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def scribbled(file: Path) -> None:
    """Damage a file's pages, but for its end."""
    data = bytearray(file.read_bytes())
    data[4:200] = b"\xff" * 196
    file.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [Path.unlink, cut, scribbled])
@pytest.mark.parametrize("table", ["meta.run", "bronze.file", "silver.message"])
def test_a_tables_file_that_is_missing_or_damaged_is_named_with_what_brings_it_back(
    observatory: Run, run_before: Path, table: str, damage: Callable[[Path], None]
) -> None:
    file = parquet_of(run_before.parent, table)
    damage(file)
    command = ("show", table) if table == "silver.message" else ("run",)
    told = observatory(*command, "--config", run_before)
    assert told.code == 2, told
    said = words(told.err)
    assert f"{table}: " in said and file.name in said.replace(" ", "")
    assert ("is missing" if damage is Path.unlink else "is damaged") in said
    assert "`observatory renew --anew`" in said


@pytest.mark.parametrize(
    "command, table",
    [
        (("status",), "silver.message"),
        (("status",), "silver.transmission"),
        (("explain", "4jYlH071Srz1fPl1"), "silver.transmission"),
        (("explain", "4jYlH071Srz1fPl1"), "bronze.postfix"),
        (("show", "silver.message", "--limit", "1"), "silver.message"),
    ],
)
def test_commands_that_read_a_damaged_file_name_it(
    observatory: Run, run_before: Path, command: tuple[str, ...], table: str
) -> None:
    file = parquet_of(run_before.parent, table)
    cut(file)
    told = observatory(*command, "--config", run_before)
    assert told.code == 2, told
    said = words(told.err)
    assert f"{table}: " in said and file.name in said.replace(" ", "") and "is damaged" in said
    assert "`observatory renew --anew`" in said


@pytest.mark.long
@pytest.mark.parametrize("damage", [Path.unlink, cut])
@pytest.mark.parametrize("table", ["meta.run", "bronze.file", "silver.message"])
def test_a_damaged_table_is_computed_again(
    observatory: Run, run_before: Path, table: str, damage: Callable[[Path], None]
) -> None:
    damage(parquet_of(run_before.parent, table))
    assert observatory("renew", "--anew", "--yes", "--config", run_before).code == 0
    assert observatory("run", "--config", run_before).code == 0
    assert observatory("show", table, "--config", run_before).code == 0


def test_a_lake_of_a_newer_form_is_not_made_older(observatory: Run, run_before: Path) -> None:
    mark = run_before.parent / "lake" / "observatory.json"
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "form": 99}))
    for command in (("run",), ("renew", "--yes"), ("renew", "--yes", "--anew")):
        told = observatory(*command, "--config", run_before)
        assert told.code == 2
        said = words(told.err)
        assert "has form 99" in said and "newer version" in said and "Install" in said
    assert Lake(str(mark.parent)).exists("silver.message")


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_lake_that_cannot_be_written_to_is_named(
    observatory: Run, run_before: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(number, "no writing here")

    monkeypatch.setattr(lock, "open", refuse, raising=False)
    for command in ("pull", "run", "vacuum"):
        told = observatory(command, "--config", run_before)
        assert told.code == 2
        said = words(told.err)
        assert f"{run_before.parent / 'lake'}: the lake cannot be written" in said and "[lake] root" in said
    # To look at it needs no writing.
    assert observatory("show", "gold.spam_volume_daily", "--config", run_before).code == 0


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("/dev/null", "is a file, not a folder"),
        ("/dev/null/lake", "the lake cannot be written"),
        ("/proc/no/lake", "the lake cannot be written"),
        ("s3a://bucket/lake", "needs the package s3fs"),
        ("http://host.example/lake", "is a folder or an s3:// URL"),
        ("zip://lake", "is a folder or an s3:// URL"),
    ],
)
@pytest.mark.parametrize("command", ["run", "status"])
def test_a_root_that_can_be_no_lake_is_named(
    observatory: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str, said: str, command: str
) -> None:
    # The default installation does not have it.
    monkeypatch.setitem(sys.modules, "s3fs", None)
    (tmp_path / "mail.log").write_text(LINES)
    told = observatory(command, "--config", settings_of(tmp_path, root))
    if command == "status" and "cannot be written" in said:
        # Nothing is there, and nothing has to be.
        assert told.code in (0, 2)
        return
    assert told.code == 2, told
    assert said in words(told.err) and "root" in told.err


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("zip://mail.zip", "zip: is no place that logs are read from"),
        ("reference://a", "reference: is no place that logs are read from"),
        ("simplecache::http://host.example/mail.log", "is no place that logs are read from"),
        ("nothing://mail.log", "Protocol not known: nothing"),
        ("s3://bucket/mail.log", "with `make setup-sources`, or with pip as spam-observatory[s3]"),
        ("sftp://host.example/mail.log", "with `make setup-sources`, or with pip as spam-observatory[sftp]"),
    ],
)
def test_a_source_that_can_be_none_is_named(
    observatory: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    # The default installation has neither.
    for name in ("s3fs", "sshfs"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "jobs.base.places.s3", raising=False)
    told = observatory("pull", "--config", settings_of(tmp_path, url=url))
    assert told.code == 2, told
    assert said in words(told.err) and "mx1" in told.err


@pytest.mark.parametrize(
    ("lake", "more", "said"),
    [
        ("", f"x = {'[' * 100_000}{']' * 100_000}\n", "nested too deep"),
        ("read_at = 9999-12-31T23:59:59Z\n", "", "[lake] read_at"),
        ("read_at = 0001-01-01T00:00:00Z\n", "", "[lake] read_at"),
        (
            "",
            '[[operator.fixed_cost]]\nname = "n"\ncountermeasure = "_T"\nchannel = "EMAIL"\n'
            "low = 1e308\ncentral = 1e308\nhigh = 1e308\n",
            "fixed_cost 'n' low",
        ),
    ],
)
def test_a_setting_beyond_all_bounds_is_named(
    observatory: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lake: str, more: str, said: str
) -> None:
    monkeypatch.delenv("OBSERVATORY_READ_AT", raising=False)
    (tmp_path / "mail.log").write_text(LINES)
    told = observatory("run", "--config", settings_of(tmp_path, lake=lake, more=more))
    assert told.code == 2, told
    assert said in words(told.err) and "observatory.toml" in told.err.replace("\n", "")


@pytest.mark.parametrize("place", ["operator", "source"])
def test_an_id_that_no_folder_can_have_is_named(observatory: Run, tmp_path: Path, place: str) -> None:
    file = settings_of(tmp_path)
    old = 'id = "a"' if place == "operator" else 'id = "mx1"'
    file.write_text(file.read_text().replace(old, f'id = "{"x" * 300}"'))
    told = observatory("run", "--config", file)
    assert told.code == 2
    assert "at most 128 characters" in words(told.err) and "id" in told.err

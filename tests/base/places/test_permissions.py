"""A lake's files are for their owner alone, or for one group: the logs in it name people."""

import grp
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.places import permissions
from jobs.cli import main as command_line
from jobs.operators.runs import runner
from tests.operators.ingest.test_clock import Site, message

DAY = "2026-11-23"


@pytest.fixture(autouse=True)
def common_umask() -> Iterator[None]:
    """Set the umask that most systems have: files for all to read."""
    before = os.umask(0o022)
    yield
    assert os.umask(before) == 0o022


def modes(root: Path) -> dict[str, set[str]]:
    """The modes of the folders and of the files of a lake, itself included."""
    found: dict[str, set[str]] = {"folders": set(), "files": set()}
    for path in (root, *root.rglob("*")):
        kind = "folders" if path.is_dir() else "files"
        found[kind].add(oct(stat.S_IMODE(path.stat().st_mode)))
    return found


def command(site: Site, *words: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["observatory", *words, "--config", str(site.file)])
        try:
            command_line.main()
        except SystemExit as left:
            return int(left.code or 0)
    return 0


@pytest.mark.long
@pytest.mark.parametrize("little", [0, 1 << 40])
def test_all_of_a_lake_is_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, little: int
) -> None:
    # In worker processes, and in the program's own.
    monkeypatch.setattr(runner, "LITTLE", little)
    site = Site(tmp_path / "site")
    site.log.write_text(message(1, DAY))
    site.log.chmod(0o640)
    assert command(site, "run") == 0
    assert modes(Path(site.lake.root)) == {"folders": {"0o700"}, "files": {"0o600"}}
    assert site.recipients()
    # Around it nothing changes.
    assert stat.S_IMODE((tmp_path / "site").stat().st_mode) == 0o755


def test_an_intent_and_what_is_left_of_a_killed_run_are_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path / "site")
    site.log.write_text(message(1, DAY))

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jobs.operators.build.bronze_stage.write_batch", killed)
    with pytest.raises(KeyboardInterrupt):
        site.add("")
    assert list(Path(site.lake.root, "_intent").iterdir())
    assert modes(Path(site.lake.root)) == {"folders": {"0o700"}, "files": {"0o600"}}


def test_a_lake_of_an_earlier_version_is_closed(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    root = Path(site.lake.root)
    (root / "landing").mkdir(parents=True)
    assert stat.S_IMODE(root.stat().st_mode) == 0o755
    site.log.write_text(message(1, DAY))
    assert command(site, "pull") == 0
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


@pytest.mark.long
def test_a_group_may_read(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    group = grp.getgrgid(os.getgid()).gr_name
    site.log.write_text(message(1, DAY))
    assert command(site, "run") == 0
    text = site.file.read_text()
    site.file.write_text(text.replace("[lake]\n", f'[lake]\ngroup = "{group}"\n'))
    with site.log.open("a") as file:
        file.write(message(2, DAY))
    assert command(site, "run") == 0
    root = Path(site.lake.root)
    found = modes(root)
    assert found["files"] <= {"0o640"}
    assert found["folders"] <= {"0o2750", "0o700"}
    # What is private in any case is the staging of a run.
    assert {path for path in root.rglob("*") if stat.S_IMODE(path.stat().st_mode) == 0o700} <= {
        root / "_staging"
    }
    assert {path.stat().st_gid for path in root.rglob("*")} == {os.getgid()}
    # Without the setting it is the owner's alone again.
    site.file.write_text(text)
    assert command(site, "pull") == 0
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_group_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = Site(tmp_path / "site")
    site.file.write_text(site.file.read_text().replace("[lake]\n", '[lake]\ngroup = "no-such-group"\n'))
    assert command(site, "pull") == 2
    assert "[lake] group: no group 'no-such-group'" in " ".join(capsys.readouterr().err.split())
    assert not Path(site.lake.root).exists()


def test_a_folder_of_another_owner_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root of a mounted volume may be another's: what is written into it is private all the same."""
    root = tmp_path / "lake"
    root.mkdir()

    def denied(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", denied)
    with permissions.keep_private(root):
        permissions.close_to_others(root)
        (root / "file").touch()
    assert stat.S_IMODE((root / "file").stat().st_mode) == 0o600
    with pytest.raises(ObservatoryError, match="group"):
        permissions.prepare_folder(str(root), grp.getgrgid(os.getgid()).gr_name)


@pytest.mark.parametrize("is_shared", [False, True])
def test_what_is_written_outside_of_the_lake_has_the_lakes_rights(tmp_path: Path, is_shared: bool) -> None:
    """The page, its CSV files and packages have figures of single operators; older files are closed, too."""
    lake, there, new = tmp_path / "lake", tmp_path / "there", tmp_path / "new" / "page"
    lake.mkdir(mode=0o700)
    there.mkdir(mode=0o755)
    (there / "index.html").touch(mode=0o644)
    if is_shared:
        permissions.prepare_folder(str(lake), grp.getgrgid(os.getgid()).gr_name)
    for folder in (there, new):
        with permissions.write_as_lake(str(lake), folder) as written:
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("index.html", "data.csv"):
                (folder / name).write_text("figures")
                written.append(folder / name)
    closed = ({"0o2750"}, {"0o640"}) if is_shared else ({"0o700"}, {"0o600"})
    assert tuple(modes(new).values()) == closed
    assert modes(there) == {"folders": {"0o755"}, "files": closed[1]}


@pytest.mark.long
def test_the_page_of_a_lake_has_its_rights(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.log.write_text(message(1, DAY))
    assert command(site, "run") == 0
    page = tmp_path / "page"
    assert command(site, "report", "--output", str(page)) == 0
    assert modes(page) == {"folders": {"0o700"}, "files": {"0o600"}}

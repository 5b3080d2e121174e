"""A disk that fills, and a process that ends, at any point of a pull: what lands in the end is the same.

So are the tables of a run whose staging or lake has no room.
"""

import datetime as dt
import errno
import gzip
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileOpener, LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.disk import DiskFull, is_full
from jobs.base.engine import embedded
from jobs.base.engine.embedded import Embedded, Inline
from jobs.base.settings.operator import Operator, SourceSettings
from jobs.base.store.lake import Lake
from jobs.cli import main as command_line
from jobs.cli.operators import pipeline
from jobs.operators.build.gold_steps import GOLD
from jobs.operators.build.run import Run
from jobs.operators.ingest.pull import pull_operator
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.runs import runner
from jobs.operators.runs.runner import run_stages
from jobs.operators.silver.frames import SILVER
from tests.conftest import ROOT
from tests.support.examples import examples
from tests.support.whole_runs import CYPRIOT_MOBILE, operator_toml, rows_in, source_toml

pytestmark = pytest.mark.long

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
LAB = ROOT / "sample_data" / "lab"
LOGS = {
    "mail.log.2.gz": gzip.compress((LAB / "postfix" / "mail.iso8601.log").read_bytes()[:40_000], mtime=0),
    "mail.log.1": (LAB / "postfix" / "rspamd.log").read_bytes()[:30_000],
    "mail.log": (LAB / "exim" / "mainlog").read_bytes(),
    "report.xml": (ROOT / "tests" / "data" / "reports" / "rfc7489.xml").read_bytes(),
    "access.log": (LAB / "kannel" / "bearerbox-access.log").read_bytes(),
}


class Site:
    """An operator whose logs of several formats lie in one folder, and its lake."""

    def __init__(self, root: Path) -> None:
        self.logs, self.lake = root / "logs", root / "lake"
        self.logs.mkdir()
        for name, data in LOGS.items():
            (self.logs / name).write_bytes(data)
            os.utime(self.logs / name, (NOW.timestamp(), NOW.timestamp()))
        one = SourceSettings(id="all", url=f"{self.logs}/*log*")
        other = SourceSettings(id="reports", url=f"{self.logs}/*.xml", format="dmarc")
        self.operator = Operator(
            id="a", name="A", country="CHE", holding="a", currency="CHF", source=[one, other]
        )

    def pull(self) -> None:
        assert pull_operator(self.operator, str(self.lake), NOW).problems == []

    def landed(self) -> dict[str, bytes]:
        """Every file of the landing area; paths inside the manifests are made relative."""
        files = (path for path in self.lake.rglob("*") if path.is_file())
        root = str(self.lake).encode()
        return {str(path.relative_to(self.lake)): path.read_bytes().replace(root, b"") for path in files}


@contextmanager
def site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder:
        yield Site(Path(folder))


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    """Return the files that a pull lands if nothing disturbs it."""
    with site() as undisturbed:
        undisturbed.pull()
        return undisturbed.landed()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the device that is always full is Linux's own")
@pytest.mark.parametrize("name", ["partial.", "manifest.json."])
@pytest.mark.parametrize("source", ["all", "reports"])
def test_a_full_device_ends_the_pull_and_leaves_nothing_half(
    whole: dict[str, bytes], name: str, source: str
) -> None:
    opened = LocalFileSystem._open

    def to_full(self: Any, path: str, mode: str = "rb", **named: Any) -> Any:
        if "w" in mode and Path(path).name.startswith(name) and Path(path).parent.name == source:
            Path(path).symlink_to("/dev/full")
        return opened(self, path, mode, **named)

    with site() as full:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(DiskFull, match=name):
            patch.setattr(LocalFileSystem, "_open", to_full)
            full.pull()
        assert not list(full.lake.rglob("*.new"))
        full.pull()
        assert full.landed() == whole


class Disk:
    """Room for so many bytes more; what goes beyond is not written, as on a disk that is full."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.write = LocalFileOpener.write

    def limited(self, file: Any, data: bytes) -> Any:
        fits = bytes(data)[: max(self.room, 0)]
        self.room -= len(data)
        if fits:
            self.write(file, fits)
        if len(fits) < len(data):
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(data)


@examples(12)
@given(rooms=st.lists(st.integers(0, sum(map(len, LOGS.values())) + 20_000), min_size=1, max_size=4))
def test_a_disk_that_fills_at_any_byte_is_told_and_the_next_pull_goes_on(
    whole: dict[str, bytes], rooms: list[int]
) -> None:
    with site() as full:
        for room in rooms:
            disk = Disk(room)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(
                    LocalFileOpener, "write", lambda file, data, disk=disk: disk.limited(file, data)
                )
                try:
                    full.pull()
                except DiskFull as error:
                    assert "Make room" in str(error)
            assert not list(full.lake.rglob("*.new"))
        full.pull()
        assert full.landed() == whole


class Killed(BaseException):
    """The process ends here."""


def ending_at(step: int) -> Callable[[str], Callable[..., Any]]:
    """Methods of the file system of which the one at this step, counted from 0, is never done."""
    steps = iter(range(10**6))

    def method(name: str) -> Callable[..., Any]:
        does = getattr(LocalFileSystem, name)

        def maybe(self: Any, *arguments: Any, **named: Any) -> Any:
            if next(steps) == step:
                raise Killed
            return does(self, *arguments, **named)

        return maybe

    return method


def test_killed_at_any_step_and_pulled_again(whole: dict[str, bytes]) -> None:
    """Every opening, renaming and removal of a file, one after the other, is the last that a pull does."""
    for step in range(1000):
        with site() as killed:
            method = ending_at(step)
            with pytest.MonkeyPatch.context() as patch:
                for name in ("_open", "mv", "rm", "makedirs"):
                    patch.setattr(LocalFileSystem, name, method(name))
                try:
                    killed.pull()
                except Killed:
                    killed_here = True
                else:
                    killed_here = False
            killed.pull()
            assert {
                name: data for name, data in killed.landed().items() if not name.endswith(".new")
            } == whole
        if not killed_here:
            break
    assert step > 20


def test_who_says_that_a_disk_is_full() -> None:
    assert is_full(OSError(errno.ENOSPC, "No space left on device"))
    assert is_full(OSError(errno.EDQUOT, "Disk quota exceeded"))
    # delta-rs and Polars say it in words.
    assert is_full(
        OSError("Generic LocalFileSystem error: Unable to copy data to file: No space left on device")
    )
    try:
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError as error:
            raise ValueError("batch b1") from error
    except ValueError as error:
        assert is_full(error)
    assert not is_full(OSError(errno.ENOENT, "No such file"))
    assert not is_full(ValueError("full"))


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), DiskFull("/lake/landing/a\x1b[31m")]
)
def test_the_command_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def full(*arguments: Any) -> Any:
        raise error

    monkeypatch.setattr(pipeline, "pull_all", full)
    monkeypatch.setattr(
        sys, "argv", ["observatory", "pull", "--config", str(ROOT / "sample_data" / "observatory.toml")]
    )
    with pytest.raises(SystemExit) as end:
        command_line.main()
    told = capsys.readouterr().err
    assert end.value.code == 5
    assert "Error:" in told and "Make room" in told and "Traceback" not in told
    assert "\x1b" not in told


def test_other_errors_are_not_called_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> Any:
        raise KeyError("a mistake of ours")

    monkeypatch.setattr(pipeline, "pull_all", broken)
    monkeypatch.setattr(
        sys, "argv", ["observatory", "pull", "--config", str(ROOT / "sample_data" / "observatory.toml")]
    )
    with pytest.raises(KeyError):
        command_line.main()


# --- runs ---------------------------------------------------------------------------------------------------


def limit(size: int) -> None:
    """Let this process write no file beyond this size; -1: any."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


# Parquet files of the log are smaller, its frames in staging larger.
ROOM = 11_000


def attach_with_little_room(umask: int, lake_access: str | None) -> None:
    embedded.attach_worker(umask, lake_access)
    limit(ROOM)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the settings of an operator of SMS, and its log, pulled."""
    folder = tmp_path_factory.mktemp("landed")
    (folder / "bearerbox.log").write_bytes(LOGS["access.log"])
    text = '[lake]\nroot = "lake"\n' + operator_toml(
        *("lab-sms", "Lab SMS operator", "CYP", "lab", "EUR", CYPRIOT_MOBILE),
        source_toml("bearerbox", "bearerbox.log", "kannel"),
    )
    (folder / "observatory.toml").write_text(text)
    [operator] = load_with_options(folder / "observatory.toml").operator
    assert pull_operator(operator, str(folder / "lake"), NOW).problems == []
    return folder


def run_in(folder: Path, root: Path, engine: Any) -> Lake:
    """Run the settings of a folder into a lake at a root, which gets the folder's landing."""
    if not root.exists():
        shutil.copytree(folder / "lake", root)
    settings = load_with_options(folder / "observatory.toml", lake_root=str(root))
    lake = Lake(str(root))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "engine_of", lambda work, log_bytes: engine)
        run_stages(Run(lake, settings, list(settings.operator), "r", report_step=lambda text: None))
    return lake


TABLES = (*SILVER, *GOLD)


@pytest.mark.parametrize(
    "size", [*(pytest.param(n, marks=pytest.mark.long) for n in (700, 3_000, 9_000)), 20_000]
)
def test_a_run_without_room_says_so_and_the_next_goes_on(landed: Path, tmp_path: Path, size: int) -> None:
    """First the log of a table does not fit, then small files do, then all of bronze."""
    root = tmp_path / "lake"
    shutil.copytree(landed / "lake", root)
    limit(size)
    try:
        with pytest.raises(Exception) as failed:  # noqa: PT011
            run_in(landed, root, Inline())
    finally:
        limit(-1)
    assert isinstance(failed.value, DiskFull) or is_full(failed.value), failed.value
    assert list((root / "_staging").rglob("*.arrow")) == []
    found = rows_in(run_in(landed, root, Inline()), TABLES)
    assert found == rows_in(run_in(landed, tmp_path / "whole", Inline()), TABLES)
    assert len(found["silver.message"]) > 20 and list((root / "_staging").iterdir()) == []


def test_a_worker_without_room_for_staging_says_which_file(
    landed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(embedded, "attach_worker", attach_with_little_room)
        with pytest.raises(DiskFull, match=r"_staging/.*arrow: the disk is full.*Make room"):
            run_in(landed, tmp_path / "lake", Embedded(2, 2_000_000_000))
    lake = run_in(landed, tmp_path / "lake", Inline())
    assert lake.read("silver.message").height > 20

"""Folders through which files are handed over, on real servers: whole or not at all."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError, TryAgain
from jobs.base.packages.drop_folders import DropFolder
from jobs.base.settings.access import Access
from tests.support.servers import S3, Relay, Ssh, make_key

REMOTE = pytest.mark.remote
BIG = bytes(range(256)) * 80_000


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Ssh]:
    found = Ssh(tmp_path / "ssh")
    yield found
    found.kill()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    found = S3(tmp_path / "s3")
    for name, value in found.credentials().items():
        monkeypatch.setenv(name, value)
    yield found
    found.kill()


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    found = tmp_path / "exchange" / "inbox"
    found.mkdir(parents=True)
    return found


def by_ssh(ssh: Ssh, inbox: Path, port: int | None = None) -> DropFolder:
    access = Access(key=str(ssh.key), known_hosts=str(ssh.known_hosts))
    return DropFolder(ssh.url(str(inbox), port), access, "[submission] inbox")


def in_store(store: S3, url: str = "s3://logs/inbox") -> DropFolder:
    access = Access(endpoint=f"http://127.0.0.1:{store.port}", region=store.region, path_style=True)
    return DropFolder(url, access, "[submission] inbox")


@pytest.fixture(params=["folder", pytest.param("ssh", marks=REMOTE), pytest.param("store", marks=REMOTE)])
def folder(request: pytest.FixtureRequest, inbox: Path) -> DropFolder:
    if request.param == "folder":
        return DropFolder(str(inbox), Access(), "[submission] inbox")
    server = request.getfixturevalue(request.param)
    return by_ssh(server, inbox) if request.param == "ssh" else in_store(server)


def test_files_are_put_replaced_listed_and_read(folder: DropFolder) -> None:
    assert folder.list_files() == []
    assert folder.read_file("a.zip", 10) is None
    folder.put_file("a.zip", b"one")
    folder.put_file("b.zip", b"")
    folder.put_file("a.zip", b"three")
    assert [(each.name, each.size) for each in folder.list_files()] == [("a.zip", 5), ("b.zip", 0)]
    assert all(each.written_at is not None for each in folder.list_files())
    assert (folder.read_file("a.zip", 5), folder.read_file("b.zip", 5)) == (b"three", b"")
    with pytest.raises(ObservatoryError, match="larger than 4 bytes"):
        folder.read_file("a.zip", 4)
    beside = folder.open_sibling("receipts")
    assert beside.read_file("x.json", 10) is None
    beside.make_folder()
    beside.make_folder()
    beside.put_file("x.json", b"{}")
    assert [each.name for each in beside.list_files()] == ["x.json"]
    assert len(folder.list_files()) == 2


def test_a_reader_sees_a_whole_file_or_none(folder: DropFolder, inbox: Path) -> None:
    """Looks all the while that a large file comes, and comes again."""
    seen: set[bytes | None] = set()
    done = threading.Event()
    place = DropFolder(folder.url, folder.access, folder.setting)
    look: Callable[[], bytes | None] = lambda: place.read_file("a.zip", len(BIG))  # noqa: E731
    if not folder.url.startswith("s3://"):
        look = lambda: (inbox / "a.zip").read_bytes() if (inbox / "a.zip").exists() else None  # noqa: E731

    def watch() -> None:
        while not done.is_set():
            seen.add(look())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        folder.put_file("a.zip", BIG)
        folder.put_file("a.zip", BIG[1:])
    finally:
        done.set()
        watcher.join()
    assert seen <= {None, BIG, BIG[1:]}
    assert look() == BIG[1:]


def test_a_folder_that_is_not_there_is_named(folder: DropFolder) -> None:
    if folder.url.startswith("s3://"):
        other = DropFolder("s3://other/inbox", folder.access, folder.setting)
    else:
        other = folder.open_sibling("elsewhere")
    for use in (other.list_files, lambda: other.put_file("a.zip", b"1")):
        with pytest.raises(ObservatoryError, match=r"^\[submission\] inbox: ") as caught:
            use()
        assert not isinstance(caught.value, TryAgain), caught.value


@REMOTE
def test_a_server_that_dies_while_a_file_comes_leaves_what_was_there(ssh: Ssh, inbox: Path) -> None:
    (inbox / "a.zip").write_bytes(b"before")
    relay = Relay(ssh.port, lambda count: ssh.kill() if count > 4_000 else None)
    ssh.know(ssh.folder / "host.pub", ssh.port, relay.port)
    with pytest.raises(TryAgain, match="does not take a.zip"):
        by_ssh(ssh, inbox, relay.port).put_file("a.zip", BIG)
    assert 0 < (inbox / ".a.zip.part").stat().st_size < len(BIG)
    assert (inbox / "a.zip").read_bytes() == b"before"
    relay.after = lambda count: None
    ssh.start()
    by_ssh(ssh, inbox, relay.port).put_file("a.zip", BIG)
    assert [path.name for path in inbox.iterdir()] == ["a.zip"]
    assert (inbox / "a.zip").read_bytes() == BIG
    relay.close()


@REMOTE
def test_a_store_that_dies_while_a_file_comes_leaves_what_was_there(store: S3) -> None:
    folder = in_store(store)
    folder.put_file("a.zip", b"before")
    store.kill()
    with pytest.raises(TryAgain):
        in_store(store).put_file("a.zip", BIG)
    store.start()
    assert in_store(store).read_file("a.zip", 10) == b"before"
    in_store(store).put_file("a.zip", BIG)
    assert in_store(store).read_file("a.zip", len(BIG)) == BIG


@REMOTE
def test_a_host_that_is_another_or_refuses_the_key_lasts(ssh: Ssh, inbox: Path, tmp_path: Path) -> None:
    known = ssh.known_hosts.read_text()
    make_key(tmp_path / "other")
    ssh.know(tmp_path / "other.pub", ssh.port)
    with pytest.raises(ObservatoryError, match="Compare its fingerprint") as caught:
        by_ssh(ssh, inbox).put_file("a.zip", b"1")
    assert not isinstance(caught.value, TryAgain)
    ssh.known_hosts.write_text(known)
    make_key(ssh.key)
    with pytest.raises(ObservatoryError, match="refuses the user or its key") as caught:
        by_ssh(ssh, inbox).put_file("a.zip", b"1")
    assert not isinstance(caught.value, TryAgain)
    assert list(inbox.iterdir()) == []


@REMOTE
def test_a_connection_of_airflow_reaches_both_kinds_of_host(
    ssh: Ssh, store: S3, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Host, user, keys and secrets come from it, and from nowhere else."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for name in store.credentials():
        monkeypatch.delenv(name)
    extra = {
        "private_key": ssh.key.read_text(),
        "host_key": " ".join((ssh.folder / "host.pub").read_text().split()[:2]),
        "no_host_key_check": True,
    }
    to_ssh = {"conn_type": "sftp", "host": "127.0.0.1", "port": ssh.port, "login": ssh.user, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TSB_SFTP", json.dumps(to_ssh))
    folder = DropFolder(f"sftp://{inbox}", Access(connection="tsb_sftp"), "[submission] inbox")
    folder.put_file("a.zip", b"1")
    assert (inbox / "a.zip").read_bytes() == b"1"
    # Another key than the connection names: it is checked all the same.
    make_key(tmp_path / "other")
    extra["host_key"] = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    monkeypatch.setenv("AIRFLOW_CONN_TSB_SFTP", json.dumps(to_ssh))
    folder = DropFolder(f"sftp://{inbox}", Access(connection="tsb_sftp"), "[submission] inbox")
    with pytest.raises(ObservatoryError, match="Compare its fingerprint"):
        folder.put_file("a.zip", b"2")

    url = f"aws://{store.user}:{store.secret}@/?region_name={store.region}"
    url += f"&endpoint_url=http%3A%2F%2F127.0.0.1%3A{store.port}"
    monkeypatch.setenv("AIRFLOW_CONN_TSB_S3", url)
    access = Access(connection="tsb_s3", path_style=True)
    folder = DropFolder("s3://logs/inbox", access, "[submission] inbox")
    folder.put_file("a.zip", b"1")
    assert folder.read_file("a.zip", 1) == b"1"

"""Logs in an object store: each line once, whatever happens to the store. The server is Versity's gateway."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.base.store.lake import Lake
from tests.support.in_process import Run, command_line_of
from tests.support.remote_logs import count_landed, mail_lines, write_settings
from tests.support.servers import S3, Relay

pytestmark = pytest.mark.remote
AGAIN, WRONG = 5, 2


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    found = S3(tmp_path / "s3")
    for name, value in found.credentials().items():
        monkeypatch.setenv(name, value)
    yield found
    found.kill()


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line_of(monkeypatch, capsys)


def test_a_log_counts_once_as_it_grows_and_rotates(observatory: Run, tmp_path: Path, store: S3) -> None:
    relay = Relay(store.port)
    store.put("mx/mail.log", mail_lines(0, 40_000).encode())
    file = write_settings(tmp_path, "s3://logs/mx/mail.log*", store.access(relay.port))
    assert observatory("run", "--config", file).code == 0
    whole = relay.count

    relay.count = 0
    assert "0 new pieces" in observatory("pull", "--config", file).err
    # What is shown as before is not opened: one listing is all that is sent.
    assert relay.count < 20_000

    relay.count = 0
    store.put("mx/mail.log", mail_lines(0, 40_100).encode())
    assert "1 new piece" in observatory("pull", "--config", file).err
    assert relay.count < whole

    store.put("mx/mail.log.1", mail_lines(0, 40_100).encode())
    store.put("mx/mail.log", mail_lines(40_100, 50).encode())
    store.put("mx/mail.log.2.gz", gzip.compress(mail_lines(900_000, 70).encode()))
    told = observatory("run", "--config", file)
    assert (told.code, count_landed(tmp_path)) == (0, 40_220), told
    assert Lake(str(tmp_path / "lake")).read("bronze.file")["record_count"].sum() == 40_220
    relay.close()


def test_a_server_that_dies_while_a_log_is_read_loses_and_doubles_nothing(
    observatory: Run, tmp_path: Path, store: S3
) -> None:
    log = mail_lines(0, 300_000).encode()
    store.put("mail.log", log)
    relay = Relay(store.port, lambda count: store.kill() if count > 12_000_000 else None)
    file = write_settings(tmp_path, "s3://logs/mail.log", store.access(relay.port))
    told = observatory("pull", "--config", file)
    assert (told.code, "was lost while it was read" in " ".join(told.err.split())) == (AGAIN, True), told
    assert 0 < count_landed(tmp_path) < 300_000
    assert observatory("pull", "--config", file).code == AGAIN
    relay.after = lambda count: None
    relay.count = 0
    store.start()
    told = observatory("run", "--config", file)
    assert (told.code, count_landed(tmp_path)) == (0, 300_000), told
    assert Lake(str(tmp_path / "lake")).read("bronze.file")["record_count"].sum() == 300_000
    assert relay.count < len(log)
    relay.close()


def test_an_object_that_is_replaced_while_it_is_read_is_taken_at_the_next_pull(
    observatory: Run, tmp_path: Path, store: S3
) -> None:
    store.put("mail.log", mail_lines(0, 100_000).encode())
    replaced = False

    def replace(count: int) -> None:
        nonlocal replaced
        if count > 3_000_000 and not replaced:
            replaced = True
            store.put("mail.log", mail_lines(500_000, 100_000).encode())

    relay = Relay(store.port, replace)
    file = write_settings(tmp_path, "s3://logs/mail.log", store.access(relay.port))
    assert observatory("pull", "--config", file).code != 0
    told = observatory("run", "--config", file)
    assert told.code == 0, told
    # Of the first object what came before it was replaced; of the second everything.
    assert 100_000 <= count_landed(tmp_path) < 200_000
    relay.close()


def test_a_bucket_that_is_not_there_and_wrong_credentials_last(
    observatory: Run, tmp_path: Path, store: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("mail.log", mail_lines(0, 10).encode())
    for url in ("s3://other/mail.log", "s3://other/mail.log*"):
        told = observatory("pull", "--config", write_settings(tmp_path, url, store.access()))
        assert (told.code, "bucket 'other'" in " ".join(told.err.split())) == (WRONG, True), told
    file = write_settings(tmp_path, "s3://logs/mail.log", store.access())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    told = observatory("pull", "--config", file)
    assert told.code == WRONG and "another-secret" not in told.err, told
    for name in store.credentials():
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    told = observatory("pull", "--config", file)
    assert (told.code, "AWS_ACCESS_KEY_ID" in told.err) == (WRONG, True), told


def test_small_reports_in_a_bucket_are_listed_once(observatory: Run, tmp_path: Path, store: S3) -> None:
    for at in range(30):
        store.put(f"mx/{at:02}.log.gz", gzip.compress(mail_lines(at * 100, 10).encode()))
    relay = Relay(store.port)
    file = write_settings(tmp_path, "s3://logs/mx/*.log.gz", store.access(relay.port))
    assert observatory("pull", "--config", file).code == 0
    relay.count = 0
    assert "0 new pieces" in observatory("pull", "--config", file).err
    assert relay.count < 40_000
    assert count_landed(tmp_path) == 300
    relay.close()


def test_a_lake_in_a_store_that_refuses_is_named(
    observatory: Run, tmp_path: Path, store: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("mail.log", mail_lines(0, 10).encode())
    file = write_settings(tmp_path, "s3://logs/mail.log", store.access())
    file.write_text(file.read_text().replace('root = "lake"', 'root = "s3a://logs/lake"'))
    for name in store.credentials():
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    told = observatory("run", "--config", file)
    assert (told.code, "[lake] root" in told.err, "AWS_ACCESS_KEY_ID" in told.err) == (WRONG, True, True), (
        told
    )

"""Logs of another host by SFTP, from OpenSSH's own server: each line once, whatever happens to the host."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.base.store.lake import Lake
from jobs.operators.ingest.source_options import load_with_options
from tests.support.filter_logs import LAB
from tests.support.in_process import Run, command_line_of
from tests.support.remote_logs import count_landed, mail_lines, write_settings
from tests.support.servers import Relay, Ssh, make_key

pytestmark = pytest.mark.remote
AGAIN, WRONG = 5, 2


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line_of(monkeypatch, capsys)


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Ssh]:
    found = Ssh(tmp_path / "ssh")
    yield found
    found.kill()


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    found = tmp_path / "host" / "log"
    found.mkdir(parents=True)
    return found


def test_a_log_counts_once_as_it_grows_and_rotates(
    observatory: Run, tmp_path: Path, ssh: Ssh, logs: Path
) -> None:
    log = logs / "mail.log"
    log.write_text(mail_lines(0, 40_000))
    relay = Relay(ssh.port)
    ssh.know(ssh.folder / "host.pub", ssh.port, relay.port)
    file = write_settings(tmp_path, ssh.url(f"{logs}/mail.log*", relay.port), ssh.access())
    assert observatory("run", "--config", file).code == 0
    whole = relay.count
    assert whole > log.stat().st_size

    relay.count = 0
    assert "0 new pieces" in observatory("pull", "--config", file).err
    # What is shown as before is not opened: keys and one listing are all that is sent.
    assert relay.count < 20_000

    relay.count = 0
    with log.open("a") as more:
        more.write(mail_lines(40_000, 100))
    assert "1 new piece" in observatory("pull", "--config", file).err
    # Both ends of what landing has, and what is new in blocks of a mebibyte.
    assert relay.count < whole

    log.rename(logs / "mail.log.1")
    log.write_text(mail_lines(40_100, 50))
    (logs / "mail.log.2.gz").write_bytes(gzip.compress(mail_lines(900_000, 70).encode()))
    told = observatory("run", "--config", file)
    assert (told.code, count_landed(tmp_path)) == (0, 40_220), told
    assert Lake(str(tmp_path / "lake")).read("bronze.file")["record_count"].sum() == 40_220
    relay.close()


def test_a_server_that_dies_while_a_log_is_read_loses_and_doubles_nothing(
    observatory: Run, tmp_path: Path, ssh: Ssh, logs: Path
) -> None:
    (logs / "mail.log").write_text(mail_lines(0, 300_000))
    relay = Relay(ssh.port, lambda count: ssh.kill() if count > 12_000_000 else None)
    ssh.know(ssh.folder / "host.pub", ssh.port, relay.port)
    file = write_settings(tmp_path, ssh.url(f"{logs}/mail.log", relay.port), ssh.access())
    told = observatory("pull", "--config", file)
    words = " ".join(told.err.split())
    assert (told.code, "was lost while it was read" in words) == (AGAIN, True), told
    before = count_landed(tmp_path)
    assert 0 < before < 300_000
    told = observatory("pull", "--config", file)
    assert told.code == AGAIN, told
    relay.after = lambda count: None
    relay.count = 0
    ssh.start()
    told = observatory("run", "--config", file)
    assert (told.code, count_landed(tmp_path)) == (0, 300_000), told
    assert Lake(str(tmp_path / "lake")).read("bronze.file")["record_count"].sum() == 300_000
    # It goes on from there.
    assert relay.count < (logs / "mail.log").stat().st_size
    relay.close()


def test_a_host_key_that_changed_or_is_unknown_is_refused(
    observatory: Run, tmp_path: Path, ssh: Ssh, logs: Path
) -> None:
    (logs / "mail.log").write_text(mail_lines(0, 10))
    file = write_settings(tmp_path, ssh.url(f"{logs}/mail.log"), ssh.access())
    known = ssh.known_hosts.read_text()
    make_key(tmp_path / "other")
    ssh.know(tmp_path / "other.pub", ssh.port)
    for given in (ssh.known_hosts.read_text(), ""):
        ssh.known_hosts.write_text(given)
        told = observatory("pull", "--config", file)
        words = " ".join(told.err.split())
        assert (told.code, "Compare its fingerprint" in words) == (WRONG, True), told
        # None is added.
        assert ssh.known_hosts.read_text() == given
    ssh.known_hosts.write_text(known)
    assert observatory("pull", "--config", file).code == 0


def test_the_users_own_ssh_files_hold(
    observatory: Run, tmp_path: Path, ssh: Ssh, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (logs / "mail.log").write_text(mail_lines(0, 10))
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    shared = f"HostName 127.0.0.1\nPort {ssh.port}\nUser {ssh.user}\nIdentityFile {ssh.key}\n"
    (home / ".ssh" / "config").write_text(f"Host gate\n{shared}Host mx1\n{shared}ProxyJump gate\n")
    file = write_settings(tmp_path, f"sftp://mx1{logs}/mail.log*", "")
    told = observatory("pull", "--config", file)
    assert (told.code, "Compare its fingerprint" in " ".join(told.err.split())) == (WRONG, True), told
    (home / ".ssh" / "known_hosts").write_text(ssh.known_hosts.read_text())
    told = observatory("pull", "--config", file)
    assert (told.code, count_landed(tmp_path)) == (0, 10), told


@pytest.mark.parametrize("command", ["sniff", "init", "report"])
def test_a_log_is_looked_at_only_where_the_hosts_key_is_known(
    observatory: Run, tmp_path: Path, ssh: Ssh, logs: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (logs / "mail.log").write_text(mail_lines(0, 10))
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.chdir(tmp_path)
    (home / ".ssh" / "config").write_text(
        f"Host mx1\nHostName 127.0.0.1\nPort {ssh.port}\nUser {ssh.user}\nIdentityFile {ssh.key}\n"
    )
    words = [command, f"sftp://mx1{logs}/mail.log*", *(["--yes"] if command == "init" else [])]
    told = observatory(*words)
    assert (told.code, "Compare its fingerprint" in " ".join(told.err.split())) == (WRONG, True), told
    assert [each.name for each in (home / ".ssh").iterdir()] == ["config"]
    assert not (tmp_path / "observatory.toml").exists()
    (home / ".ssh" / "known_hosts").write_text(ssh.known_hosts.read_text())
    told = observatory(*words)
    assert told.code == 0, told


def test_logs_of_two_formats_keep_their_host(
    observatory: Run, tmp_path: Path, ssh: Ssh, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "known_hosts").write_text(ssh.known_hosts.read_text())
    (tmp_path / ".ssh" / "config").write_text(f"Host *\nIdentityFile {ssh.key}\n")
    for name, lab in (("mail.log", "mail.iso8601.log"), ("rspamd.log", "rspamd.log")):
        (logs / name).write_bytes((LAB / "postfix" / lab).read_bytes())
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert observatory("init", ssh.url(f"{logs}/*.log"), "--yes").code == 0
    found = load_with_options("observatory.toml")
    assert [each.url for each in found.operator[0].source] == [
        ssh.url(f"{logs}/{name}") for name in ("mail.log", "rspamd.log")
    ]
    assert observatory("run").code == 0


def test_a_wrong_key_is_refused(observatory: Run, tmp_path: Path, ssh: Ssh, logs: Path) -> None:
    (logs / "mail.log").write_text(mail_lines(0, 10))
    make_key(ssh.key)
    file = write_settings(tmp_path, ssh.url(f"{logs}/mail.log"), ssh.access())
    told = observatory("pull", "--config", file)
    assert (told.code, "refuses the user or its key" in " ".join(told.err.split())) == (WRONG, True), told


def test_files_that_go_or_shrink_after_they_were_listed(
    observatory: Run, tmp_path: Path, ssh: Ssh, logs: Path
) -> None:
    log = logs / "mail.log"
    log.write_text(mail_lines(0, 9_000))
    file = write_settings(tmp_path, ssh.url(f"{logs}/mail.log"), ssh.access())
    assert observatory("pull", "--config", file).code == 0
    # Shorter than what landing has: a copy that was cut, or a log that began anew.
    log.write_text(mail_lines(0, 20))
    assert "0 new pieces" in observatory("pull", "--config", file).err
    log.write_text(mail_lines(20_000, 30))
    assert "1 new piece" in observatory("pull", "--config", file).err
    assert count_landed(tmp_path) == 9_030
    log.unlink()
    told = observatory("pull", "--config", file)
    assert (told.code, "is away" in " ".join(told.err.split())) == (AGAIN, True), told


def test_a_wrong_clock_of_the_host_changes_no_year(
    observatory: Run, tmp_path: Path, ssh: Ssh, logs: Path
) -> None:
    log = logs / "mail.log"
    log.write_text(
        "".join(f"Nov 24 10:00:0{at} mx1 postfix/qmgr[7]: {at:011X}: removed\n" for at in range(5))
    )
    os.utime(log, (4_000_000_000, 4_000_000_000))
    file = write_settings(tmp_path, ssh.url(f"{logs}/mail.log"), ssh.access())
    told = observatory("run", "--config", file)
    assert told.code == 0, told
    at = Lake(str(tmp_path / "lake")).read("bronze.postfix")["first_at"]
    assert {each.year for each in at} == {2026}


def test_no_secret_of_a_url_is_shown(observatory: Run, tmp_path: Path) -> None:
    file = write_settings(tmp_path, "sftp://user:hunter2@192.0.2.1/mail.log", "")
    told = observatory("pull", "--config", file)
    assert told.code == WRONG and "hunter2" not in told.err + told.out, told
    assert "Use a key or an agent" in " ".join(told.err.split())


def test_a_connection_of_airflow_has_all_that_a_source_needs(
    observatory: Run, tmp_path: Path, ssh: Ssh, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (logs / "mail.log").write_text(mail_lines(0, 10))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    file = write_settings(tmp_path, f"sftp://{logs}/mail.log*", 'access = { connection = "mx1" }\n')
    told = observatory("pull", "--config", file)
    assert (told.code, "set AIRFLOW_CONN_MX1" in " ".join(told.err.split())) == (WRONG, True), told
    key = ssh.key.read_text()
    host = " ".join((ssh.folder / "host.pub").read_text().split()[:2])
    connection = {
        "conn_type": "sftp", "host": "127.0.0.1", "port": ssh.port, "login": ssh.user,
        "extra": {"private_key": key, "host_key": host},
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_MX1", json.dumps(connection))
    told = observatory("run", "--config", file)
    assert (told.code, count_landed(tmp_path)) == (0, 10), told
    # The secret is in the environment alone: in nothing that is printed or stored.
    secret = key.splitlines()[2]
    stored = [path for path in (tmp_path / "lake").rglob("*") if path.is_file()]
    assert stored and not [path for path in stored if secret.encode() in path.read_bytes()]
    assert secret not in told.out + told.err

"""The whole DAG of an operator's month with the real Airflow: from gold over SFTP to the study's answer, with
a connection of Airflow's own, whose secret is in no log."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.base.store.lake import Lake
from tests.operators.packages.test_delivering import RESPONDENTS
from tests.support.airflow import new_airflow
from tests.support.commands import BIN, ROOT, call, run
from tests.support.servers import Ssh
from tests.support.submission_lake import NORTH, put_gold

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1200)]

DAG = "operator_monthly__north-mail"
NAME = "north-mail_2026-11.zip"
CONF = json.dumps({"period": "2026-11"})
OPERATOR = """
[lake]
root = "lake"
[submission]
inbox = "sftp://{inbox}"
access = {{ connection = "study_sftp" }}
"""
OPERATOR += NORTH + "subscribers = 1000\n"
STUDY = """
[lake]
root = "lake"
[study]
respondents = "respondents.csv"
inbox = "{inbox}"
{more}
"""
WAIT_S = 300


class Site:
    """An operator's and a study's settings, an SSH server between them, and an Airflow of the operator's."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inbox = folder, folder / "exchange" / "inbox"
        for name in ("operator", "study", "exchange/inbox", "home"):
            (folder / name).mkdir(parents=True)
        self.ssh = Ssh(folder / "ssh")
        put_gold(folder / "operator" / "lake", "north-mail")
        (folder / "operator" / "observatory.toml").write_text(OPERATOR.format(inbox=self.inbox))
        (folder / "study" / "respondents.csv").write_text(RESPONDENTS)
        self.accept_all("require_signature = false")
        self.airflow = new_airflow(
            folder / "airflow",
            PYTHONPATH=str(ROOT),
            # No key, agent or known host but those of the connection.
            HOME=str(folder / "home"),
            SSH_AUTH_SOCK="",
            OBSERVATORY_CONFIG=str(folder / "operator" / "observatory.toml"),
            OBSERVATORY_RECEIPT_MINUTES="0.05",
            OBSERVATORY_ALERT=f"cat >> {folder}/alerts",
        )
        key, host = self.ssh.key.read_text(), (self.ssh.folder / "host.pub").read_text().split()[:2]
        connection = {
            "conn_type": "sftp", "host": "127.0.0.1", "port": self.ssh.port, "login": self.ssh.user,
            "extra": json.dumps({"private_key": key, "host_key": " ".join(host)}),
        }  # fmt: skip
        # Airflow records its own command lines.
        file = folder / "connections.json"
        file.write_text(json.dumps({"study_sftp": connection}))
        run("airflow", "connections", "import", str(file), **self.airflow)
        file.unlink()
        # A line of the private key, in the middle of it.
        self.secret = key.splitlines()[2]

    def accept_all(self, more: str) -> None:
        text = STUDY.format(inbox=self.inbox, more=more)
        (self.folder / "study" / "observatory.toml").write_text(text)

    def load(self) -> int:
        config = str(self.folder / "study" / "observatory.toml")
        return call("observatory", "study", "load", "--config", config).returncode

    def run_dag(self, day: str) -> subprocess.CompletedProcess[str]:
        done = call("airflow", "dags", "test", DAG, day, "-c", CONF, **self.airflow)
        (self.folder / f"{day}.log").write_text(done.stdout + done.stderr)
        return done

    def shows_secret(self) -> bool:
        """Return whether the command line of any process has the secret."""
        lines = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                lines.append(file.read_bytes())
        return self.secret.encode() in b"".join(lines)

    def known(self) -> list[dict[str, Any]]:
        return Lake(str(self.folder / "operator" / "lake")).read("meta.delivery").to_dicts()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("site"))
    yield found
    found.ssh.kill()


def test_a_month_is_sent_and_waits_until_the_study_answers(site: Site) -> None:
    with (site.folder / "first.log").open("w") as log:
        dag = subprocess.Popen(
            [str(BIN / "airflow"), "dags", "test", DAG, "2026-12-03", "-c", CONF],
            stdout=log,
            stderr=log,
            env=os.environ | site.airflow,
            cwd=ROOT,
        )
        end = time.monotonic() + WAIT_S
        while not (site.inbox / NAME).exists() and dag.poll() is None and time.monotonic() < end:
            assert not site.shows_secret()
            time.sleep(0.2)
        assert (site.inbox / NAME).exists(), (site.folder / "first.log").read_text()[-5000:]
        # The sensor has looked at least once in vain.
        while "escheduling" not in (site.folder / "first.log").read_text() and dag.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.2)
        assert site.load() == 0
        assert dag.wait(WAIT_S) == 0, (site.folder / "first.log").read_text()[-5000:]
    (row,) = site.known()
    assert (row["delivery_code"], row["period_code"]) == ("received", "2026-11")
    assert "audits of operator 'north-mail' are due" in (site.folder / "alerts").read_text()
    # The package stays beside the lake, to be read.
    assert (site.folder / "operator" / "submission" / NAME).exists()


def test_again_it_sends_nothing_and_is_green(site: Site) -> None:
    before = (site.inbox / NAME).stat().st_mtime_ns
    done = site.run_dag("2027-01-03")
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    assert "nothing was sent again" in done.stdout + done.stderr
    assert (site.inbox / NAME).stat().st_mtime_ns == before and len(site.known()) == 1


def test_a_refusal_is_red_with_its_reason(site: Site) -> None:
    shutil.rmtree(site.folder / "operator" / "lake")
    put_gold(site.folder / "operator" / "lake", "north-mail")
    site.accept_all('keyring = "keys"')
    # The same bytes lie there from before: the study now refuses them.
    assert site.load() == 2
    done = site.run_dag("2027-02-03")
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "the study refused north-mail_2026-11.zip: it is not signed" in said
    assert "operator_monthly__north-mail.receipt" in (site.folder / "alerts").read_text()


def test_a_secret_is_in_no_log(site: Site) -> None:
    """The key stands in its own file, and in the table of connections of Airflow's database, of all files
    that Airflow, the pipeline and the study wrote."""
    database = site.folder / "airflow" / "airflow.db"
    own = {site.ssh.key, database}
    files = [path for path in site.folder.rglob("*") if path.is_file() and path not in own]
    assert {"first.log", "2027-01-03.log", "2027-02-03.log"} <= {path.name for path in files}
    assert [path for path in files if site.secret.encode() in path.read_bytes()] == []
    with contextlib.closing(sqlite3.connect(database)) as opened:
        kept = [line for line in opened.iterdump() if not line.startswith('INSERT INTO "connection"')]
    assert len(kept) > 100 and not [line for line in kept if site.secret in line]

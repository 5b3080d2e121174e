"""A lake in an object store: the same rows as in a folder, by every command, and one writer at a time. The
server is Versity's gateway."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.base.places.s3 import connect_once
from jobs.base.store.lake import Lake
from jobs.study.estimates.steps.study_stage import land_folder
from tests.conftest import ROOT as CLONE
from tests.support.in_process import Run, command_line_of
from tests.support.lakes_on_s3 import ROOT, end_lease, point_to, rows_of_lake, start_store
from tests.support.mixed import mixed_logs, mixed_settings
from tests.support.remote_logs import mail_lines, write_settings
from tests.support.servers import S3
from tests.support.stores import Front, Manner
from tests.support.whole_runs import killed_when
from tests.whole.test_faults import FILTER, MAIL, SMS, run_all, settings_of

pytestmark = pytest.mark.remote
WRONG, AGAIN = 2, 5


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    yield from start_store(tmp_path / "s3", monkeypatch)


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line_of(monkeypatch, capsys)


def on_s3(file: Path, more: str = "") -> Path:
    """Put the lake of the settings into the store."""
    file.write_text(re.sub('root = ".*"', f'root = "{ROOT}"{more}', file.read_text(), count=1))
    return file


# --- errors -------------------------------------------------------------------------------------------------


def one_log(folder: Path, store: S3, port: int | None = None, root: str = ROOT) -> Path:
    """Settings of one operator with one small log, and the lake in a store that they name themselves."""
    (folder / "mail.log").write_text(mail_lines(0, 40))
    file = write_settings(folder, "mail.log", "")
    file.write_text(file.read_text().replace('root = "lake"', f'root = "{root}"\n{store.access(port)}'))
    return file


@pytest.mark.parametrize("command", [("run",), ("status",), ("show", "gold.spam_volume_daily")])
def test_a_bucket_that_is_not_there_and_wrong_credentials_are_named(
    observatory: Run, tmp_path: Path, store: S3, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    told = observatory(*command, "--config", one_log(tmp_path, store, root="s3://other/lake"))
    said = " ".join(told.err.split())
    assert (told.code, "bucket 'other' is not there" in said) == (WRONG, True), told
    assert store.files().ls("") == ["logs"]
    file = one_log(tmp_path, store)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    connect_once.cache_clear()
    told = observatory(*command, "--config", file)
    said = " ".join(told.err.split())
    assert (told.code, "refuses these credentials" in said) == (WRONG, True), told
    assert "another-secret" not in told.err
    for name in store.credentials():
        monkeypatch.delenv(name)
    connect_once.cache_clear()
    told = observatory(*command, "--config", file)
    assert (told.code, "AWS_ACCESS_KEY_ID" in told.err) == (WRONG, True), told
    assert store.files().find("logs") == []


@pytest.mark.parametrize(
    ("kind", "said"), [("refuses", "refuses conditional puts"), ("ignores", "ignores the conditions of puts")]
)
def test_a_store_without_conditional_puts_is_refused_before_anything_is_written(
    observatory: Run, tmp_path: Path, store: S3, kind: str, said: str
) -> None:
    front = Front(store, Manner(**{kind: True}))
    told = observatory("run", "--config", one_log(tmp_path, store, front.port))
    assert (told.code, said in " ".join(told.err.split())) == (WRONG, True), told
    assert set(store.files().find("logs")) <= {"logs/lake/lock.json"}
    front.kill()


def test_a_group_is_for_a_folder(observatory: Run, tmp_path: Path, store: S3) -> None:
    file = one_log(tmp_path, store)
    file.write_text(file.read_text().replace("access =", 'group = "adm"\naccess =', 1))
    told = observatory("run", "--config", file)
    assert (told.code, "group is for a folder" in told.err) == (WRONG, True), told


def test_a_connection_of_airflow_reaches_the_lake_and_its_secret_stays_in_the_environment(
    observatory: Run, tmp_path: Path, store: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = one_log(tmp_path, store)
    text = file.read_text().replace(store.access(), 'access = { connection = "lake_store" }\n')
    file.write_text(text)
    # Nothing but the connection knows the store.
    for name in (*store.credentials(), "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    about = {"conn_type": "aws", "login": store.user, "password": store.secret}
    extra = {"endpoint_url": f"http://127.0.0.1:{store.port}", "region_name": store.region}
    wrong = json.dumps(about | {"extra": extra | {"role_arn": "arn:aws:iam::123456789012:role/lake"}})
    for value, says in (
        (None, "connection 'lake_store' is not there"),
        ('{"conn_type": ' + store.secret, "is neither JSON nor a URI"),
        (wrong, "its connection has role_arn"),
        (json.dumps(about | {"password": "another-secret", "extra": extra}), "refuses these credentials"),
    ):
        monkeypatch.delenv("AIRFLOW_CONN_LAKE_STORE", raising=False)
        if value is not None:
            monkeypatch.setenv("AIRFLOW_CONN_LAKE_STORE", value)
        connect_once.cache_clear()
        told = observatory("run", "--config", file)
        assert (told.code, says in " ".join(told.err.split())) == (WRONG, True), told
        assert "[lake] access" in told.err or "refuses" in told.err
        assert store.secret not in told.err and "another-secret" not in told.err
    monkeypatch.setenv("AIRFLOW_CONN_LAKE_STORE", json.dumps(about | {"extra": extra}))
    connect_once.cache_clear()
    told = observatory("run", "--config", file)
    assert told.code == 0, told
    assert Lake(ROOT).read("bronze.file").height == 1
    written = [path.read_bytes() for path in store.folder.rglob("*") if path.is_file()]
    assert not any(store.secret.encode() in each for each in (*written, (told.out + told.err).encode()))


# --- rows ---------------------------------------------------------------------------------------------------


def test_every_format_gives_the_same_rows_as_in_a_folder(observatory: Run, tmp_path: Path, store: S3) -> None:
    folder = tmp_path / "mix"
    mixed_settings(folder)
    mixed_logs(folder)
    file = folder / "observatory.toml"
    assert observatory("run", "--config", file).code == 0
    local = rows_of_lake(Lake(str(folder / "lake")))
    told = observatory("run", "--config", on_s3(file))
    assert told.code == 0, told
    assert sum(map(len, local.values())) > 1000
    assert rows_of_lake(Lake(ROOT)) == local
    told = observatory("run", "--config", file)
    assert (told.code, "0 new pieces" in told.err) == (0, True), told
    assert rows_of_lake(Lake(ROOT)) == local


SQL = "SELECT channel_code, sum(units) AS units FROM gold.spam_volume_daily GROUP BY ALL ORDER BY ALL"
COMMANDS = [
    ["run"],
    ["status", "--json"],
    ["show"],
    ["show", "gold.spam_volume_daily", "--format", "csv"],
    ["show", "--sql", SQL],
    ["quarantine"],
    ["explain", "4jYlH071Srz1fPlf"],
    ["validate", "--docs", "docs"],
    ["validate", "--changed"],
    ["report", "--output", "page"],
    ["submit", "--period", "2026-11", "--output", "packages"],
    ["audit", "sample", "--month", "2026-11", "--operator", "lab-mail", "--output", "sheet"],
    ["vacuum"],
    ["renew", "--anew", "--yes"],
    ["run"],
    ["show", "gold.spam_volume_daily", "--format", "csv"],
]


def test_every_command_says_what_it_says_of_a_folder(
    observatory: Run, tmp_path: Path, store: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, list[tuple[int, str]]] = {}
    for place in ("local", "s3"):
        folder = tmp_path / place
        root = str(folder / "lake") if place == "local" else ROOT
        settings_of(folder, str(MAIL), str(FILTER), str(SMS), lake=root)
        monkeypatch.chdir(folder)
        found = [observatory(*words, "--config", "observatory.toml") for words in COMMANDS]
        told[place] = [
            (each.code, plain(each.out, root, folder), plain(each.err, root, folder)) for each in found
        ]
    for words, local, remote in zip(COMMANDS, told["local"], told["s3"], strict=True):
        assert local == remote, words
        assert local[0] in (0, 3), (words, local)
    pages = [(tmp_path / place / "docs").rglob("*.html") for place in told]
    assert len({frozenset(path.name for path in each if "gold" in path.name) for each in pages}) == 1


def test_a_study_gives_the_same_estimates(observatory: Run, tmp_path: Path, store: S3) -> None:
    membership = CLONE / "sample_data" / "membership"
    found = []
    for name, root in (("local", str(tmp_path / "local" / "lake")), ("s3", ROOT)):
        file = tmp_path / "study" / name / "observatory.toml"
        file.parent.mkdir(parents=True)
        file.write_text(f'[lake]\nroot = "{root}"\n')
        land_folder(Lake(root), membership, "loaded")
        told = observatory("study", "estimate", "--files", membership, "--config", file)
        assert told.code == 0, told
        found.append((told.out, rows_of_lake(Lake(root))))
    assert found[0] == found[1] and found[0][1]["study.spam_volume"]


def plain(text: str, root: str, folder: Path) -> str:
    """Return a command's output without folders, times, names of runs and white space, where lines may
    break."""
    text = "".join(text.split()).replace(root, "LAKE").replace(str(folder), "HERE")
    return re.sub(r"\d{8}T\d{6}\.\d+Z?|[\d.]+[kMG]?B/s|\d+\.\ds|(?<=in)\d+(\.\d)?(ms|min|s)", "…", text)


# --- a store that goes away, and a program that does --------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return the rows that a run leaves in a folder."""
    settings = settings_of(tmp_path_factory.mktemp("local") / "lab", str(MAIL), str(FILTER), str(SMS))
    run_all(settings)
    return rows_of_lake(Lake(settings.lake.root))


@pytest.mark.parametrize(
    ("at", "is_done"),
    [
        ("PUT .*/landing/lab-mail/mx1/manifest.json", False),
        ("PUT .*/landing/lab-sms/.*zst", True),
        ("PUT .*/bronze/postfix/.*parquet", False),
        ("PUT .*/bronze/file/_delta_log/.*json", True),
        ("PUT .*/silver/message/_delta_log/.*1.json", False),
        ("PUT .*/gold/spam_volume_daily/_delta_log/.*1.json", True),
        ("PUT .*/meta/run/_delta_log/.*2.json", False),
        ("PUT .*/meta/run/_delta_log/.*2.json", True),
    ],
)
def test_a_store_that_dies_at_a_request_loses_and_doubles_nothing(
    observatory: Run,
    tmp_path: Path,
    store: S3,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: dict[str, list[str]],
    at: str,
    is_done: bool,
) -> None:
    file = tmp_path / "lab" / "observatory.toml"
    settings_of(tmp_path / "lab", str(MAIL), str(FILTER), str(SMS), lake=ROOT)
    front = Front(store, Manner(kill_at=at, is_done=is_done))
    point_to(front.port, monkeypatch)
    told = observatory("run", "--config", file)
    said = " ".join(told.err.split())
    assert (told.code, "the object store" in said, "Traceback" in said) == (AGAIN, True, False), told
    assert store.process.wait(5)
    # It cannot give its lock back.
    store.start()
    point_to(store.port, monkeypatch)
    told = observatory("run", "--config", file)
    assert (told.code, "its lock ends by itself" in " ".join(told.err.split())) == (AGAIN, True), told
    end_lease(store)
    told = observatory("run", "--config", file)
    assert told.code == 0, told
    assert rows_of_lake(Lake(ROOT)) == undisturbed
    front.kill()


@pytest.mark.parametrize(
    "at",
    [
        "PUT .*lake/lock.json",
        "PUT .*/silver/message/_delta_log/.*1.json",
        "PUT .*/meta/run/_delta_log/.*2.json",
    ],
)
def test_an_answer_that_is_lost_loses_and_doubles_nothing(
    observatory: Run,
    tmp_path: Path,
    store: S3,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed: dict[str, list[str]],
    at: str,
) -> None:
    file = tmp_path / "lab" / "observatory.toml"
    settings_of(tmp_path / "lab", str(MAIL), str(FILTER), str(SMS), lake=ROOT)
    front = Front(store, Manner(mute_at=at))
    point_to(front.port, monkeypatch)
    told = observatory("run", "--config", file)
    assert told.code in (0, AGAIN) and "Traceback" not in told.err, told
    told = observatory("run", "--config", file)
    assert told.code == 0, told
    assert rows_of_lake(Lake(ROOT)) == undisturbed
    front.kill()


@pytest.mark.parametrize(
    "pattern",
    ["_intent/*.json", "bronze/*/*/*/part-*", "silver/*/_delta_log/*1.json", "gold/*/_delta_log/*0.json"],
)
def test_killed_and_run_again_gives_the_same_rows(
    observatory: Run, tmp_path: Path, store: S3, undisturbed: dict[str, list[str]], pattern: str
) -> None:
    file = tmp_path / "lab" / "observatory.toml"
    settings_of(tmp_path / "lab", str(MAIL), str(FILTER), str(SMS), lake=ROOT)
    killed_when(file, pattern, lake=store.folder / "logs" / "lake")
    told = observatory("run", "--config", file)
    assert (told.code, "its lock ends by itself" in " ".join(told.err.split())) == (AGAIN, True), told
    end_lease(store)
    told = observatory("run", "--config", file)
    assert told.code == 0, told
    assert rows_of_lake(Lake(ROOT)) == undisturbed
    # No file is left that no table names.
    for table in ("bronze.postfix", "silver.message", "gold.spam_volume_daily"):
        named = {each.path.rpartition("/")[2] for each in Lake(ROOT).files(table)}
        there = {path.name for path in store.folder.glob(f"logs/lake/{table.replace('.', '/')}/**/part-*")}
        logs = store.folder.glob(f"logs/lake/{table.replace('.', '/')}/_delta_log/*.json")
        text = "".join(path.read_text() for path in logs)
        assert named <= there and [name for name in there if name not in text] == []

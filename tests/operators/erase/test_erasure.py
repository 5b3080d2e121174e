"""A subscriber is erased from all of a lake: no search finds them, and the rest is as if they never were."""

import datetime as dt
import gzip
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import zstandard

from jobs.base.core import key_names
from jobs.base.core.errors import ObservatoryError
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.store.lock import hold_lock
from jobs.base.tables import sketch
from jobs.base.tables.contracts import list_tables, read_contract, rows_frame
from jobs.operators.build import removed_days
from jobs.operators.erase import erasure
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.protect.pseudonym_keys import make_pseudonyms, operator_key
from tests.conftest import KEY, ROOT
from tests.support.in_process import Run, Told, with_keys_of_files
from tests.support.lakes_on_s3 import ROOT as BUCKET
from tests.support.lakes_on_s3 import end_lease, point_to, start_store
from tests.support.month_of_mail import Line, lines_of_mail, refusal, write_key, write_settings
from tests.support.servers import S3
from tests.support.stores import Front, Manner
from tests.support.study import run_again

pytestmark = pytest.mark.long

ONE, TWO = "0123456789abcdef" * 2, "fedcba9876543210" * 2
CUT = dt.date(2026, 11, 25)
ROTATED = f'[[key]]\nvalid_from = {CUT}\nfile = "two.key"\n'
GONE = "ann@example.test"
FORMS = ("ann@example.test", "Ann@Example.Test", "ann+shop@example.test")


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return with_keys_of_files(monkeypatch, capsys)


def days_of_mail() -> list[tuple[Line, bool]]:
    """Lines of five days around a change of keys, each with whether it is to go: those of mails that the
    subscriber sent or was sent alone, and of other mails those that name them."""
    found: list[tuple[Line, bool]] = []
    for number in range(5):
        midnight = dt.datetime(2026, 11, 23 + number, tzinfo=dt.UTC)
        pairs = [
            ("friend@far.example", FORMS[number % 3], True),
            (FORMS[(number + 1) % 3], "friend@far.example", True),
            ("friend@far.example", "bob@example.test", False),
            ("Ann.other@example.test", "bob@example.test", False),
        ]
        for place, (sender, recipient, goes) in enumerate(pairs):
            late = (
                dt.timedelta(hours=23, minutes=59, seconds=57)
                if number == 1
                else dt.timedelta(hours=9 + place)
            )
            lines = lines_of_mail(midnight + late, number * 10 + place, sender, recipient)
            found += [(line, goes) for line in lines]
        found.append((refusal(midnight + dt.timedelta(hours=14), "spam@bad.example"), True))
        found.append(
            (refusal(midnight + dt.timedelta(hours=15), "spam@bad.example", "bob@example.test"), False)
        )
        at = midnight + dt.timedelta(hours=16)
        found.append(((at, f"postfix/smtpd[8]: something unheard of about <{GONE}>"), True))
        found.append(((at, f"dovecot: imap-login: Login: user=<{GONE}>, method=PLAIN"), True))
    # As shippers wrap lines, some of which write < as an escape, and add fields of their own.
    at = dt.datetime(2026, 11, 25, 18, tzinfo=dt.UTC)
    _, text = refusal(at, "spam@bad.example")
    for message, more, goes in (
        (text.removeprefix("postfix/smtpd[8]: "), "", True),
        (text.removeprefix("postfix/smtpd[8]: ").replace("ann@", "bob@"), "", False),
        ("nothing at all", GONE, True),
    ):
        about = {"timestamp": at.isoformat(), "hostname": "mx1", "appname": "postfix/smtpd", "procid": "8"}
        line = json.dumps(about | {"message": message, "user": more}).replace("<", "\\u003c")
        found.append(((at, line), goes))
    # To two recipients: the mail stays, and so does the other one's delivery.
    begin = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
    lines = lines_of_mail(begin, 99, "friend@far.example", "bob@example.test")
    to = next(line for line in lines if "B0099z1fR: to=" in line[1])
    found += [(line, False) for line in lines]
    found.append(((to[0], to[1].replace("bob@", "ann@")), True))
    return sorted(found, key=lambda each: each[0][0])


def write_log(folder: Path, name: str, lines: list[tuple[Line, bool]], without: bool = False) -> None:
    texts = [
        f"{text}\n" if text[0] == "{" else f"{at:%Y-%m-%dT%H:%M:%S.%f}+00:00 mx1 {text}\n"
        for (at, text), goes in lines
        if not (without and goes)
    ]
    (folder / name).write_text("".join(texts), encoding="utf-8")


def make_lake(folder: Path, without: bool = False, root: str = "lake") -> Path:
    """Settings of a lake with these days, computed in two runs, of a log that grew."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, key in (("one.key", ONE), ("two.key", TWO)):
        write_key(folder, name, key)
    settings = write_settings(folder, more=ROTATED)
    settings.write_text(settings.read_text().replace('root = "lake"', f'root = "{root}"'))
    lines = days_of_mail()
    key = os.environ.pop(key_names.KEY)
    operator_key.cache_clear()
    for part in (lines[: len(lines) // 2], lines):
        write_log(folder, "mail.log", part, without)
        run_again(load_with_options(settings))
    os.environ[key_names.KEY] = key
    operator_key.cache_clear()
    return settings


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lake(tmp_path_factory.mktemp("whole")).parent


@pytest.fixture(scope="module")
def never(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of the same log without the lines that are to go."""
    return make_lake(tmp_path_factory.mktemp("never"), without=True).parent


@pytest.fixture
def settings(tmp_path: Path, whole: Path) -> Path:
    shutil.copytree(whole, tmp_path / "own")
    return tmp_path / "own" / "observatory.toml"


# --- searching --------------------------------------------------------------------------------------------


def decoded(data: bytes) -> Iterator[str]:
    """A file's bytes as text, of whatever is packed in it, too."""
    yield data.decode("latin-1")
    if data[:4] == b"PAR1":
        for row in pl.from_arrow(pq.read_table(io.BytesIO(data))).to_dicts():
            yield json.dumps(
                row, default=lambda each: each.decode("latin-1") if isinstance(each, bytes) else str(each)
            )
    elif data[:4] == b"\x28\xb5\x2f\xfd":
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as file:
            yield from decoded(file.read())
    elif data[:2] == b"\x1f\x8b":
        yield from decoded(gzip.decompress(data))
    elif data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield name
                yield from decoded(archive.read(name))


def forms_of(names: list[str], operator: str = "north") -> list[str]:
    """The names, and their pseudonyms under both keys."""
    found = list(names)
    for key in (ONE, TWO):
        os.environ[key_names.KEY] = key
        operator_key.cache_clear()
        found += make_pseudonyms(
            pl.Series([each.lower() for each in names]), operator_key(operator)
        ).to_list()
    os.environ[key_names.KEY] = KEY
    operator_key.cache_clear()
    return found


def files_with(folder: Path, texts: list[str]) -> dict[str, set[str]]:
    """Return the texts that stand in each file of a folder, decoded."""
    words = re.compile("|".join(map(re.escape, texts)), re.IGNORECASE)
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            for text in (str(path.relative_to(folder)), *decoded(path.read_bytes())):
                found.setdefault(str(path.relative_to(folder)), set()).update(words.findall(text))
    return {name: texts for name, texts in found.items() if texts}


def rows_like(root: Path | str) -> dict[str, list[str]]:
    """The rows of silver and gold, but for where in a log they stand."""
    lake, found = Lake(str(root)), {}
    for table in list_tables():
        if read_contract(table).layer in ("silver", "gold") and lake.exists(table):
            frame = lake.read(table)
            places = {"offset", "stream_id", "place_key", "file_key", "knowledge_hash", "verdict_hash"}
            keys = {"message_hash", "transmission_hash"}
            frame = frame.drop(*(places | keys) & set(frame.columns))
            found[table] = sorted(json.dumps(row, default=str, sort_keys=True) for row in frame.to_dicts())
    return found


def plain(told: Told) -> str:
    return " ".join(told.err.split())


def draw_units(folder: Path, wanted: list[str]) -> str:
    """A sample of an audit with two units of the subscriber's and one of another's, and a result of a rule
    that names a row; the other's recipient."""
    lake = Lake(str(folder / "lake"))
    message = lake.read("silver.message").sort("first_at")
    is_own, is_sent = (pl.col(name).is_in(wanted) for name in ("recipient_hash", "sender_hash"))
    units = [message.filter(each).row(0, named=True) for each in (is_own, is_sent, ~is_own & ~is_sent)]
    about = {"period_code": "2026-11", "stratum_code": "EMAIL"}
    labels = [row | about | {"sample_id": f"s{place}"} for place, row in enumerate(units)]
    lake.append(rows_frame(labels, "silver.audit_label"), "silver.audit_label")
    example = json.dumps({"operators": [], "results": [], "seen": units[0]["recipient_hash"]})
    (folder / "lake" / "_validation" / "20261127T000000.json").write_text(example)
    return str(units[2]["recipient_hash"])


def deliver_package(folder: Path) -> None:
    """A record of two packages that were sent, of which one holds the month."""
    rows = [
        {"operator_id": "north", "period_code": period, "file_name": f"north-{period}.zip"}
        | {"delivered_sha256": period, "package_sha256": period, "inbox_url": "inbox", "is_signed": True}
        | {"sent_at": dt.datetime(2026, 12, 1, tzinfo=dt.UTC), "delivery_code": "sent"}
        for period in ("2026-Q3", "2026-Q4")
    ]
    Lake(str(folder / "lake")).append(rows_frame(rows, "meta.delivery"), "meta.delivery")


# --- tests --------------------------------------------------------------------------------------------------


def test_no_search_finds_an_erased_subscriber(settings: Path, never: Path, observatory: Run) -> None:
    folder = settings.parent
    wanted = forms_of(list(FORMS))
    other = draw_units(folder, wanted)
    before = files_with(folder / "lake", wanted)
    assert {name.split("/")[0] for name in before} >= {"landing", "bronze", "silver", "_validation"}
    deliver_package(folder)
    # What a pull that died left behind.
    for name in ("partial.00ff.new", "ffff-0.log.zst"):
        (folder / "lake" / "landing" / "north" / "mx" / name).write_text(f"<{GONE}>")
    told = observatory("erase", "--address", "ANN@example.test", "--yes", "--config", settings)
    assert told.code == 0, told.err
    assert "Erased: 1 subscriber." in told.out
    assert "packages and releases with counts of north for 2026-11" in told.out
    assert "among them north-2026-Q4.zip, which was sent" in told.out and "2026-Q3" not in told.out
    assert files_with(folder / "lake", wanted) == {}
    # What stays is what there would be without these lines.
    left = rows_like(folder / "lake")
    (label,) = left.pop("silver.audit_label")
    assert other in label
    assert left == rows_like(never / "lake")
    ledger = Lake(str(folder / "lake")).read("bronze.file")
    assert ledger["line_count"].sum() == len(days_of_mail())
    # It is recorded, by nobody's name.
    record = Lake(str(folder / "lake")).read("meta.erasure")
    assert record.height == 1 and record["message_count"].item() > 10
    assert record["line_count"].item() == sum(goes for _, goes in days_of_mail())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    yield from start_store(tmp_path / "s3", monkeypatch)


@pytest.mark.remote
def test_in_a_bucket_no_search_finds_an_erased_subscriber(
    tmp_path: Path, never: Path, store: S3, observatory: Run
) -> None:
    settings = make_lake(tmp_path / "own", root=BUCKET)
    wanted = forms_of(list(FORMS))
    # A result of a rule that names a row.
    seen = {"operators": [], "results": [], "seen": wanted[-1]}
    store.put("lake/_validation/20261127T000000.json", json.dumps(seen).encode())
    before = {name.split("/")[2] for name in files_with(store.folder, wanted)}
    assert before >= {"landing", "bronze", "silver", "_validation"}
    told = observatory("erase", "--address", GONE, "--yes", "--config", settings)
    assert told.code == 0, told.err
    assert files_with(store.folder, wanted) == {}
    assert rows_like(BUCKET) == rows_like(never / "lake")


@pytest.fixture(scope="module")
def in_a_bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings and logs, and with the objects of a store that has ended: the same lake."""
    folder = tmp_path_factory.mktemp("bucket")
    with pytest.MonkeyPatch.context() as monkeypatch:
        for _ in start_store(folder / "s3", monkeypatch):
            make_lake(folder / "own", root=BUCKET)
    return folder


@pytest.fixture
def copied_store(tmp_path: Path, in_a_bucket: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    yield from start_store(tmp_path / "s3", monkeypatch, in_a_bucket / "s3")


@pytest.mark.remote
@pytest.mark.parametrize("victim", ["program", "store"])
@pytest.mark.parametrize(
    ("at", "is_done"),
    [
        ("PUT .*/lake/_erasure/plan.json", True),
        ("PUT .*/landing/north/mx/[^/]*zst", False),
        ("PUT .*/bronze/postfix/_delta_log/.*json", True),
        ("PUT .*/silver/message/_delta_log/.*json", False),
        ("PUT .*/gold/spam_source_daily/_delta_log/.*json", True),
        ("(POST .*delete|DELETE) .*parquet", True),
        ("PUT .*/meta/erasure/_delta_log/.*json", True),
        ("POST .*delete.*/_erasure/plan.json", False),
    ],
)
def test_in_a_bucket_an_erasure_that_was_killed_is_ended_by_the_same_words(
    tmp_path: Path,
    in_a_bucket: Path,
    copied_store: S3,
    never: Path,
    monkeypatch: pytest.MonkeyPatch,
    observatory: Run,
    at: str,
    is_done: bool,
    victim: str,
) -> None:
    shutil.copytree(in_a_bucket / "own", tmp_path / "own")
    settings = tmp_path / "own" / "observatory.toml"
    front = Front(copied_store, Manner(kill_at=at, is_done=is_done, is_program=victim == "program"))
    point_to(front.port, monkeypatch)
    code = erase_elsewhere(settings, "--address", GONE).wait()
    front.kill()
    said = (tmp_path / "own" / "output").read_text()
    assert (code, "Traceback" in said) == (-signal.SIGKILL if victim == "program" else 5, False), said
    if victim == "store":
        assert copied_store.process.wait(5)
        copied_store.start()
    point_to(copied_store.port, monkeypatch)
    end_lease(copied_store)
    told = observatory("erase", "--address", GONE, "--yes", "--config", settings)
    is_whole = Lake(BUCKET).read("meta.erasure").height == 1
    assert is_whole and told.code in (0, 2), told.err
    assert files_with(copied_store.folder, forms_of(list(FORMS))) == {}
    assert rows_like(BUCKET) == rows_like(never / "lake")


def test_a_bucket_with_earlier_versions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Versioned:
        """Answer of a store about a bucket that keeps versions."""

        def call_s3(self, name: str, Bucket: str) -> dict[str, str]:
            assert (name, Bucket) == ("get_bucket_versioning", "logs")
            return {"Status": "Enabled"}

    monkeypatch.setattr(erasure, "open_store", lambda root: (Versioned(), "logs/lake"))
    with pytest.raises(ObservatoryError, match="keeps earlier versions of objects"):
        erasure.refuse_versions(Lake(BUCKET))


def test_a_later_pull_of_the_same_logs_brings_nobody_back(
    settings: Path, never: Path, observatory: Run
) -> None:
    folder = settings.parent
    wanted = forms_of(list(FORMS))
    assert observatory("erase", "--address", GONE, "--yes", "--config", settings).code == 0
    # The same lines in a file that begins otherwise, and the log grows: what is new of the subscriber counts.
    lines = days_of_mail()
    later = dt.datetime(2027, 1, 1, 10, tzinfo=dt.UTC)
    other = [((dt.datetime(2026, 11, 22, tzinfo=dt.UTC), "postfix/smtpd[1]: connect from x"), False)]
    write_log(folder, "other.log", [*other, *lines])
    text = settings.read_text().replace('url = "mail.log"', 'url = "*.log"')
    settings.write_text(text)
    told = observatory("run", "--config", settings)
    assert told.code == 0, told.err
    assert files_with(folder / "lake", wanted) == {}
    assert (
        rows_like(folder / "lake")["gold.spam_volume_daily"]
        == rows_like(never / "lake")["gold.spam_volume_daily"]
    )
    # And anew, from the logs and landing.
    assert observatory("renew", "--anew", "--yes", "--config", settings).code == 0
    assert observatory("run", "--config", settings).code == 0
    assert files_with(folder / "lake", wanted) == {}
    mail = [(line, False) for line in lines_of_mail(later, 900, GONE, "bob@example.test")]
    write_log(folder, "mail.log", [*lines, *mail])
    assert observatory("run", "--config", settings).code == 0
    lake = Lake(str(folder / "lake"))
    (new,) = lake.read("silver.message", where=pl.col("period_date") == later.date())["sender_hash"]
    assert new in wanted
    assert lake.read("silver.message", where=pl.col("sender_hash") == new).height == 1


def test_a_run_says_that_an_erasure_was_broken_off(settings: Path, observatory: Run) -> None:
    plan = settings.parent / "lake" / "_erasure" / "plan.json"
    plan.parent.mkdir()
    plan.write_text(json.dumps({"run_id": "r", "erased_at": "2027-01-01T00:00:00+00:00", "erased_by": "me"}))
    assert "An erasure was broken off: " in plain(observatory("run", "--config", settings))


def erase_elsewhere(settings: Path, *words: str) -> subprocess.Popen[bytes]:
    env = {name: value for name, value in os.environ.items() if name != key_names.KEY}
    command = [sys.executable, "-m", "jobs", "erase", *words, "--yes", "--config", str(settings)]
    with (settings.parent / "output").open("ab") as output:
        return subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True
        )


@pytest.mark.parametrize("after", [0.0, 0.1, 0.3, 0.6, 1.0, 1.5, 2.0])
def test_an_erasure_that_was_killed_is_ended_by_the_same_words(
    settings: Path, never: Path, observatory: Run, after: float
) -> None:
    folder = settings.parent
    process = erase_elsewhere(settings, "--address", GONE)
    while not (folder / "lake" / "_erasure" / "plan.json").exists():
        assert process.poll() is None, (folder / "output").read_text()
        time.sleep(0.002)
    time.sleep(after)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    told = observatory("erase", "--address", GONE, "--yes", "--config", settings)
    is_done = Lake(str(folder / "lake")).read("meta.erasure").height == 1
    assert is_done and told.code in (0, 2), told.err
    assert files_with(folder / "lake", forms_of(list(FORMS))) == {}
    assert rows_like(folder / "lake") == rows_like(never / "lake")


def test_rows_whose_logs_are_long_gone_go_too(settings: Path, observatory: Run) -> None:
    """Landing and bronze by retention, the days closed; gold counts anew what it can."""
    folder = settings.parent
    more = "[retention]\nlanding = 1\nbronze = 1\n"
    text = (
        settings.read_text()
        .replace("read_at", "open_days = 1\nread_at")
        .replace("[engine]", f"{more}[engine]")
    )
    settings.write_text(text)
    assert observatory("vacuum", "--config", settings).code == 0
    (left,) = (folder / "lake" / "landing").rglob("*.zst")
    lake = Lake(str(folder / "lake"))
    before = lake.read("silver.message").height
    # Of the days before the piece that is left bronze goes, too; silver keeps all.
    lake.delete("bronze.postfix", "event_date < '2026-11-24'")
    removed_days.remember_removal(lake, {removed_days.BRONZE: {"north": dt.date(2026, 11, 24)}})
    record.add_stage(lake, "gone", "vacuum", record.utc_now(), ["bronze.postfix"], [])
    told = observatory("erase", "--address", GONE, "--dry-run", "--config", settings)
    assert told.code == 0 and "Would be removed" in told.out
    assert Lake(str(folder / "lake")).read("silver.message").height == before
    assert observatory("erase", "--address", GONE, "--yes", "--config", settings).code == 0
    lake = Lake(str(folder / "lake"))
    # A tag that no log has any more cannot be guessed.
    assert files_with(folder / "lake", forms_of([GONE])) == {}
    counted = lake.read("gold.spam_volume_daily").filter(definition_code="OPERATOR", unit_code="recipient")
    recipients = lake.read("silver.message").filter(pl.col("grain_code") == "recipient").height
    assert counted["units"].sum() == recipients < before


def test_bad_requests_change_nothing(settings: Path, observatory: Run, tmp_path: Path) -> None:
    folder = settings.parent
    listed = tmp_path / "people.txt"
    for words, code, says in (
        ((), 2, "nobody to erase: name a subscriber"),
        (("--address", "nobody@example.test"), 2, "this subscriber is nowhere in the lake"),
        (("--number", "+6799999999"), 2, "this subscriber is nowhere in the lake"),
        (("--address", "ann"), 2, "--address: 'ann' is no address"),
        (("--number", "ann@example.test"), 2, "--number: 'ann@example.test' is no number"),
        (("--file", listed), 2, f"{listed}, line 3: 'not this' is no number"),
        (("--file", tmp_path / "none.txt"), 2, "cannot be read"),
    ):
        listed.write_text(f"{GONE}\n\nnot this\n")
        told = observatory("erase", *words, "--yes", "--config", settings)
        assert (told.code, says in plain(told)) == (code, True), (words, told.err)
    with hold_lock(str(folder / "lake"), "observatory run"):
        process = erase_elsewhere(settings, "--address", GONE)
        assert process.wait() == 5
        assert "the lake is locked: `observatory run`" in " ".join((folder / "output").read_text().split())
    (folder / "two.key").unlink()
    told = observatory("erase", "--address", GONE, "--yes", "--config", settings)
    assert told.code == 2 and "which is not there. Put the key back from its backup" in plain(told)
    write_key(folder, "two.key", TWO)
    assert Lake(str(folder / "lake")).read("meta.erasure").is_empty()


def test_of_a_list_those_who_are_there_are_erased(settings: Path, observatory: Run, tmp_path: Path) -> None:
    folder, listed = settings.parent, tmp_path / "people.txt"
    listed.write_text(f"nobody@example.test\n{GONE}\nbob@example.test\n")
    told = observatory("erase", "--file", listed, "--yes", "--config", settings)
    assert told.code == 0 and f"{listed}, line 1: nowhere in the lake." in plain(told)
    assert "Erased: 2 subscribers." in told.out
    assert files_with(folder / "lake", forms_of([*FORMS, "bob@example.test"])) == {}


def test_days_that_are_not_counted_again_lose_a_subscriber_from_their_sketches(
    settings: Path, observatory: Run
) -> None:
    """Days that silver no longer holds whole keep their figures; nobody is kept in them."""
    lake = Lake(str(settings.parent / "lake"))
    spam = [(refusal(dt.datetime(2026, 11, 27, 20, tzinfo=dt.UTC), GONE, "bob@example.test"), False)]
    write_log(settings.parent, "mail.log", [*days_of_mail(), *spam])
    assert observatory("run", "--config", settings).code == 0
    removed_days.remember_removal(lake, {removed_days.SILVER: {"north": dt.date(2026, 11, 23)}})
    hashed = pl.DataFrame({"each": forms_of(list(FORMS))}).select(sketch.hash_pseudonym(pl.col("each")))[
        "each"
    ]

    def count_sketched(table: str) -> int:
        rows = lake.read(table).drop_nulls("sender_sketch")
        lists = rows.select(sketch.unpack_hashes(pl.col("sender_sketch")))["sender_sketch"]
        return int(lists.explode().is_in(hashed.implode()).sum())

    tables = ("gold.spam_source_daily", "gold.spam_source_monthly")
    assert count_sketched(tables[0]) > 0
    figures = [lake.read(table).drop("sender_sketch").sort(pl.all()) for table in tables]
    told = observatory("erase", "--address", GONE, "--yes", "--config", settings)
    assert told.code == 0, told.err
    assert [count_sketched(table) for table in tables] == [0, 0]
    for table, before in zip(tables, figures, strict=True):
        assert lake.read(table).drop("sender_sketch").sort(pl.all()).equals(before)

"""A key that changes on a day: each row says its key, nothing is joined across keys, and counts stay true."""

import datetime as dt
import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from jobs.base.core import key_names
from jobs.base.core.errors import ObservatoryError
from jobs.base.store.lake import Lake
from jobs.base.tables import sketch
from jobs.base.tables.contracts import list_tables, read_contract
from jobs.operators.ingest.source_options import load_with_options
from jobs.operators.protect.operators import OperatorSpace, Protection
from jobs.operators.protect.pseudonym_keys import key_id, operator_key, replace_key
from tests.support.in_process import Run, Told, with_keys_of_files
from tests.support.month_of_mail import DAYS, FIRST, month_of_mail, write_key, write_settings
from tests.support.study import run_again
from tests.support.whole_runs import rows_in

pytestmark = pytest.mark.long

ONE, TWO, THREE = ("0123456789abcdef" * 2, "fedcba9876543210" * 2, "00112233445566778899aabbccddeeff")
CUT = dt.date(2026, 11, 25)
ROTATED = f'[[key]]\nvalid_from = {CUT}\nfile = "two.key"\n'
VOLUME, SOURCES, MONTHLY = "gold.spam_volume_daily", "gold.spam_source_daily", "gold.spam_source_monthly"
# Columns that name rows by pseudonyms, or derive from them.
KEYED = pl.selectors.ends_with("_hash", "_sketch", "_hashes", "queue_key", "queue_id") | pl.selectors.by_name(
    "key_id", require_all=False
)


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return with_keys_of_files(monkeypatch, capsys)


def make_folder(folder: Path, text: str, more: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "mail.log").write_text(text, encoding="utf-8")
    for name, key in (("one.key", ONE), ("two.key", TWO), ("three.key", THREE)):
        write_key(folder, name, key)
    return write_settings(folder, more=more)


@pytest.fixture(scope="module")
def month_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a month under two keys: the second is in the settings before its day comes."""
    settings = make_folder(tmp_path_factory.mktemp("month"), month_of_mail().text, ROTATED)
    key = os.environ.pop(key_names.KEY)
    operator_key.cache_clear()
    run_again(load_with_options(settings))
    os.environ[key_names.KEY] = key
    return settings.parent


@pytest.fixture
def rotated(tmp_path: Path, month_lake: Path) -> Path:
    """The settings of a copy of it."""
    shutil.copytree(month_lake, tmp_path / "rotated")
    return tmp_path / "rotated" / "observatory.toml"


def units_by_day(lake: Lake, grain: str) -> dict[dt.date, int]:
    rows = lake.read(VOLUME).filter(definition_code="OPERATOR", unit_code=grain)
    return dict(rows.group_by("period_date").agg(pl.col("units").sum()).rows())


def distinct_senders(frame: pl.DataFrame, period: str) -> dict[object, int | None]:
    """Distinct senders of certain spam by period; None where they cannot be counted."""
    rows = frame.filter(definition_code="OPERATOR", unit_code="attempt").filter(pl.col("spam_certain") > 0)
    counted = rows.with_columns(
        senders=sketch.estimate_distinct(sketch.unpack_hashes(pl.col("sender_sketch")))
    )
    return dict(counted.select(period, "senders").rows())


def plain(told: Told) -> str:
    return " ".join(told.err.split())


def test_counts_are_true_on_both_sides_and_in_the_month_that_is_cut(
    tmp_path: Path, rotated: Path, observatory: Run
) -> None:
    month = month_of_mail()
    lake = Lake(str(rotated.parent / "lake"))
    assert units_by_day(lake, "recipient") == month.delivered
    assert units_by_day(lake, "attempt") == {day: len(senders) for day, senders in month.refused.items()}
    # Each day has one key, also of what a message of the day did past midnight.
    message = lake.read("silver.message").select("period_date", "key_id", "sender_hash")
    of_day = dict(message.group_by("period_date").agg(pl.col("key_id").unique()).rows())
    before, after = of_day[FIRST], of_day[CUT]
    assert (len(before), len(after)) == (1, 1) and before != after
    assert of_day == {day: before if day < CUT else after for day in of_day}
    # The same senders on both sides, and no pseudonym of theirs on both.
    is_before = pl.col("period_date") < CUT
    old, new = (set(message.filter(side)["sender_hash"]) for side in (is_before, ~is_before))
    assert len(old) == len(new) == 8 and not old & new
    # Distinct senders: each day's, the whole December's, and nobody's where a month was cut.
    daily = distinct_senders(lake.read(SOURCES), "period_date")
    assert daily == {day: len(senders) for day, senders in month.refused.items()}
    assert distinct_senders(lake.read(MONTHLY), "period_code") == {"2026-11": None, "2026-12": 4}
    # Under one key everything is the same but for pseudonyms, and November's senders are counted.
    single = make_folder(tmp_path / "single", month.text)
    assert observatory("run", "--config", single).code == 0
    other = Lake(str(single.parent / "lake"))
    for table in list_tables():
        if read_contract(table).layer in ("silver", "gold") and lake.exists(table):
            rows = [sorted(map(repr, each.read(table).select(~KEYED).rows())) for each in (lake, other)]
            assert rows[0] == rows[1], table
    assert distinct_senders(other.read(MONTHLY), "period_code") == {"2026-11": 4, "2026-12": 4}


@pytest.mark.parametrize("at", [15, *(pytest.param(at, marks=pytest.mark.long) for at in (11, 14, 16))])
def test_a_month_in_two_runs_is_as_in_one(tmp_path: Path, rotated: Path, observatory: Run, at: int) -> None:
    """The log grows day by day; the run of the day after a change sees the end of the night's messages."""
    month = month_of_mail()
    day = FIRST + dt.timedelta(days=at)
    lines = month.text.splitlines(keepends=True)
    early = "".join(line for line in lines if line[:10] < day.isoformat())
    settings = make_folder(tmp_path / "grown", early, ROTATED)
    assert observatory("run", "--config", settings).code == 0
    (settings.parent / "mail.log").write_text(month.text, encoding="utf-8")
    told = observatory("run", "--config", settings)
    assert told.code == 0, told.err
    whole, grown = (Lake(str(each.parent / "lake")) for each in (rotated, settings))
    computed = (each for each in list_tables() if read_contract(each).layer in ("silver", "gold"))
    tables = [each for each in computed if whole.exists(each)]
    assert rows_in(grown, tables) == rows_in(whole, tables)


def test_rows_that_hold_pseudonyms_say_their_key() -> None:
    for table in list_tables():
        contract = read_contract(table)
        named = [name for name in contract.columns if name.endswith(("_hash", "_sketch", "_hashes"))]
        if contract.layer in ("silver", "gold") and named:
            assert "key_id" in contract.columns, table


def test_a_day_keeps_the_key_that_it_has(rotated: Path, observatory: Run) -> None:
    folder = rotated.parent
    lake = Lake(str(folder / "lake"))
    before = rows_in(lake, ["silver.message"])
    last = FIRST + dt.timedelta(days=DAYS)
    for more, says in (
        ("", f"operator 'north' from {CUT} on are under the key with the id"),
        (ROTATED.replace("25", "26"), f"operator 'north' from {CUT} on are under the key with the id"),
        (ROTATED.replace("25", "24"), "operator 'north' from 2026-11-24 on are under the key with the id"),
        (ROTATED.replace("two", "three"), f"from the [[key]] with valid_from = {CUT}: name the former"),
        (
            ROTATED + f'[[key]]\nvalid_from = {last}\nfile = "three.key"\n',
            f"add a [[key]] with valid_from after {last}, the last day that has rows",
        ),
    ):
        settings = write_settings(folder, more=more)
        for words in (["run"], ["pull"], ["key", "check"]):
            told = observatory(*words, "--config", settings)
            assert told.code == 2 and says in plain(told), (more, words, told.err)
    assert rows_in(lake, ["silver.message"]) == before
    # A key of days to come is no change of those that are there.
    later = f'[[key]]\nvalid_from = {last + dt.timedelta(days=1)}\nfile = "three.key"\n'
    settings = write_settings(folder, more=ROTATED + later)
    assert observatory("run", "--config", settings).code == 0
    told = observatory("key", "check", "--config", settings)
    assert told.code == 0, told.err
    assert "All 3 keys are there" in told.out and "none yet" in told.out


def test_a_lost_open_or_wrong_key_is_refused(rotated: Path, observatory: Run) -> None:
    folder = rotated.parent
    told = observatory("key", "check", "--config", rotated)
    assert (told.code, "All 2 keys are there" in told.out) == (0, True), told.err
    assert "2026-11-25 to 2026-12-10" in told.out
    (folder / "two.key").chmod(0o644)
    for words in (["run"], ["key", "check"], ["explain", "late@far.example"]):
        told = observatory(*words, "--config", rotated)
        assert told.code == 2 and "which others than its owner may read" in plain(told), words
    shutil.move(folder / "two.key", folder / "kept.key")
    for words in (["run"], ["key", "check"]):
        told = observatory(*words, "--config", rotated)
        assert told.code == 2 and "which is not there. Put the key back from its backup" in plain(told), words
    write_key(folder, "two.key", "short")
    assert "the pseudonym key has 5 characters" in plain(observatory("key", "check", "--config", rotated))


def test_a_message_is_explained_under_the_key_of_its_day(rotated: Path, observatory: Run) -> None:
    for day in (CUT - dt.timedelta(days=2), CUT - dt.timedelta(days=1), CUT):
        told = observatory("explain", "late@far.example", "--day", day, "--config", rotated)
        assert told.code == 0 and "late@far.example" in told.out, (day, told.err)


def test_a_worker_with_another_file_makes_no_pseudonyms(tmp_path: Path) -> None:
    """The file of one machine of a cluster was not changed with the others."""
    own = OperatorSpace("north", "FJI", (), (), (), ())
    file = write_key(tmp_path, "two.key", TWO)
    (space,) = replace_key(Protection((own,), None), str(file)).spaces
    assert key_id(space) == space.key_id != key_id(own)
    operator_key.cache_clear()
    write_key(tmp_path, "two.key", THREE)
    with pytest.raises(
        ObservatoryError, match="this worker has another pseudonym key than the run that began"
    ):
        key_id(space)


def test_keys_are_in_order(tmp_path: Path) -> None:
    twice = ROTATED + ROTATED.replace("two", "three")
    settings = make_folder(tmp_path, "", twice)
    with pytest.raises(ObservatoryError, match=f"valid_from = {CUT} is not after the one before it"):
        load_with_options(settings)
    write_settings(tmp_path, more=ROTATED + ROTATED.replace("25", "26"))
    with pytest.raises(ObservatoryError, match="two.key"):
        load_with_options(settings)

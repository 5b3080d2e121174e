"""Packages that do harm, on purpose or by accident: numbers without bounds, old packages sent again, unsigned
ones, small differences, and files that grow."""

import datetime as dt
import hashlib
import io
import itertools
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from jobs.core.errors import ObservatoryError
from jobs.engine import together
from jobs.engine.lake import Lake
from jobs.settings.config import Observatory
from jobs.study.estimate import study_stage
from jobs.submission import loading, signing
from jobs.submission.counts import GOLD, TABLES, VOLUME
from jobs.submission.judging import Judged, judge_file
from jobs.submission.loading import RECEIPT, land_packages
from jobs.submission.making import package_of, write_package
from jobs.submission.package import FORM, LARGEST, MANIFEST, MOST_LINES, MOST_UNITS, SIGNATURE, pack_files
from jobs.submission.smallcounts import MEASURES
from tests.submission.test_submission import (
    ATOM,
    OPERATOR,
    OTHER,
    RESPONDENTS,
    again,
    contents,
    daily,
    day_of,
    keys,
    left_of,
    loaded,
    months_in,
    settings_of,
    state,
    with_row,
)
from tests.support.bombs import openpgp_bomb, run_limited
from tests.support.delta import write_delta
from tests.support.submission_lake import AT, COMPUTED, Rows, put_gold

__all__ = ["keys"]
Place = list[str | int]


def sent(folder: Path, seen: Rows, computed: dt.datetime = COMPUTED, operator: Any = OPERATOR) -> Path:
    """A package of the quarter, from gold that was computed at a time."""
    channel = "EMAIL" if operator is OPERATOR else "SMS"
    put_gold(folder / "gold", operator.id, channel, seen, computed=computed)
    return write_package(package_of(settings_of(folder / "gold"), operator, "2026-Q4", None), folder, None)


def received(file: Path, at: dt.datetime | None = AT) -> Judged:
    return judge_file(file, settings_of(Path("unused")), RESPONDENTS, at)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return sent(tmp_path_factory.mktemp("good"), [day_of("2026-10-02", 50)]).read_bytes()


def with_manifest(good: bytes, file: Path, place: Place, value: Any) -> Path:
    """The package with another value in its manifest."""
    file.write_bytes(good)
    manifest = json.loads(contents(file)[MANIFEST])
    within: Any = manifest
    for step in place[:-1]:
        within = within[step]
    within[place[-1]] = value
    file.write_bytes(pack_files(contents(file) | {MANIFEST: json.dumps(manifest).encode()}))
    return file


NUMBERS: list[Place] = [
    ["coverage", "sources", 0, "lines"], ["coverage", "sources", 0, "quarantined"],
    ["coverage", "sources", 0, "sources"], ["coverage", "days", 0, "days"], ["coverage", "days", 0, "of"],
    ["files", "submission.csv", "rows"], ["subscriptions", "EMAIL"], ["least_units"], ["totals", 0, "units"],
]  # fmt: skip


@pytest.mark.parametrize("place", NUMBERS, ids=lambda place: str(place[-1]))
@pytest.mark.parametrize("number", [2**63 - 1, 2**63, -(2**63), 10**400, -1])
def test_every_number_of_a_manifest_has_bounds(
    good: bytes, tmp_path: Path, place: Place, number: int
) -> None:
    found = received(with_manifest(good, tmp_path / "p.zip", place, number))
    assert found.wrong and all("manifest.json" in line for line in found.wrong)
    assert ".".join(map(str, place)) in found.wrong[0]


NUMBER: st.SearchStrategy[Any] = st.one_of(
    st.integers(-(10**30), 10**30),
    st.sampled_from([0, 1, 5, 2**31, 2**63 - 1, 2**63, 2**64, 10**400, MOST_LINES, MOST_UNITS]),
    st.floats(),
    st.sampled_from([None, True, "", "7", "\0", "2026", [], {}]),
)


@examples(max_examples=150)
@given(
    place=st.sampled_from([*NUMBERS, ["period_code"], ["computed_at"], ["operator_id"], ["totals"]]),
    value=NUMBER,
)
def test_no_manifest_stops_another_package(
    good: bytes, tmp_path_factory: pytest.TempPathFactory, place: Place, value: Any
) -> None:
    """Whatever a manifest says, it is refused or taken; nothing is raised."""
    file = tmp_path_factory.getbasetemp() / "fuzzed.zip"
    found = received(with_manifest(good, file, place, value))
    for line in found.wrong:
        assert "cannot be read" not in line, line
    if not found.wrong:
        loading.build_receipt(found)


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00", "2099-01-01T00:00:00Z"]
)
def test_a_time_of_computing_has_bounds(good: bytes, tmp_path: Path, time: str) -> None:
    (line,) = received(with_manifest(good, tmp_path / "p.zip", ["computed_at"], time)).wrong
    assert "computed_at" in line or "which is to come" in line


@pytest.mark.parametrize(
    "units", [str(MOST_UNITS + 5), str(2**63 - 3), str(2**63), "9" * 400, "1e300", "nan", "5.5"]
)
def test_every_number_of_a_table_has_bounds(good: bytes, tmp_path: Path, units: str) -> None:
    file = tmp_path / "p.zip"
    file.write_bytes(good)
    cells = {"units": units, "spam_possible": "0"}
    again(file, {"submission.csv": with_row(contents(file)["submission.csv"], 3, **cells)})
    assert any("submission.csv" in line for line in received(file).wrong)


def test_a_package_that_cannot_be_loaded_does_not_keep_the_others_from_it(
    good: bytes, tmp_path: Path
) -> None:
    bad = with_manifest(good, tmp_path / "bad.zip", ["least_units"], 10**400)
    other = sent(tmp_path / "other", [day_of("2026-10-02", 50)], operator=OTHER)
    lake = Lake(str(tmp_path / "lake"))
    refused, taken = received(bad), received(other)
    land_packages(lake, [refused, taken], "r")
    assert refused.wrong and not taken.wrong
    assert lake.read(RECEIPT)["operator_id"].to_list() == ["north-sms"]


@pytest.mark.long
@pytest.mark.parametrize("stops_at", [*TABLES, RECEIPT, "meta.run"])
@pytest.mark.parametrize("is_killed", [False, True])
def test_a_package_is_loaded_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops_at: str, is_killed: bool
) -> None:
    """Also for a reader of each table's latest version, as estimates are; after a kill once the next command
    has begun."""
    lake = Lake(str(tmp_path / "lake"))
    land_packages(lake, [received(sent(tmp_path / "1", [day_of("2026-10-02", 50)]))], "first")
    before = {table: rows_of(lake, table) for table in (*TABLES, RECEIPT)}
    later = COMPUTED + dt.timedelta(days=1)
    second = received(sent(tmp_path / "2", [day_of("2026-10-02", 90)], later))
    stop_writing(monkeypatch, stops_at, is_killed)
    with pytest.raises(OSError if not is_killed else Killed):
        land_packages(lake, [second], "second")
    monkeypatch.undo()
    if is_killed:
        together.undo_unfinished(lake)
    assert {table: rows_of(lake, table) for table in (*TABLES, RECEIPT)} == before
    assert months_in(lake) == {"2026-10": 50}
    assert loaded(lake, received(tmp_path / "2" / "north-mail_2026-Q4.zip")) == []
    assert months_in(lake) == {"2026-10": 90}
    state(lake)


def test_the_first_package_of_a_lake_is_undone_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(str(tmp_path / "lake"))
    stop_writing(monkeypatch, RECEIPT, False)
    with pytest.raises(OSError):
        land_packages(lake, [received(sent(tmp_path / "1", [day_of("2026-10-02", 50)]))], "first")
    assert all(lake.read(table).is_empty() for table in (*TABLES, RECEIPT))


def test_estimating_undoes_what_a_killed_loading_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    stop_writing(monkeypatch, VOLUME, True)
    with pytest.raises(Killed):
        land_packages(lake, [received(sent(tmp_path / "1", [day_of("2026-10-02", 50)]))], "first")
    monkeypatch.undo()
    assert not lake.read("study.submission_type").is_empty()
    with pytest.raises(ObservatoryError):
        study_stage.estimate_tables(lake, Observatory(), tmp_path, "r", lambda text: None)
    assert lake.read("study.submission_type").is_empty()


class Killed(BaseException):
    """In place of a signal: nothing after it is done."""


def stop_writing(monkeypatch: pytest.MonkeyPatch, table: str, is_killed: bool) -> None:
    """Let the writing of a table fail, or the program end there without undoing anything."""
    error: BaseException = Killed() if is_killed else OSError("No space left on device")
    for method in ("replace", "append"):
        original = getattr(Lake, method)

        def stops(self: Lake, frame: pl.DataFrame, of: str, *rest: Any, do: Any = original) -> Any:
            if of == table:
                raise error
            return do(self, frame, of, *rest)

        monkeypatch.setattr(Lake, method, stops)
    if is_killed:
        undo = together.undo_unfinished
        calls = itertools.count()
        # The first call is the one before anything is written; who is killed makes no other.
        monkeypatch.setattr(together, "undo_unfinished", lambda lake: None if next(calls) else undo(lake))


def rows_of(lake: Lake, table: str) -> list[Any]:
    frame = lake.read(table)
    return sorted(map(repr, frame.iter_rows()))


def test_one_that_cannot_be_written_is_named_and_the_others_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    packages = [
        received(sent(tmp_path / each.id, [day_of("2026-10-02", 50)], operator=each))
        for each in (OPERATOR, OTHER)
    ]
    replace = Lake.replace

    def fails(self: Lake, frame: pl.DataFrame, of: str, where: str, note: Any = None) -> int:
        if "EMAIL" in set(frame["channel_code"]):
            raise pl.exceptions.ComputeError("nobody thought of it")
        return replace(self, frame, of, where, note)

    monkeypatch.setattr(Lake, "replace", fails)
    land_packages(lake, packages, "r")
    assert [each.wrong for each in packages] == [
        ["it cannot be written: ComputeError: nobody thought of it"],
        [],
    ]
    assert lake.read(RECEIPT)["operator_id"].to_list() == ["north-sms"]
    assert set(lake.read(VOLUME)["channel_code"]) == {"SMS"}


@pytest.mark.parametrize("at", [None, AT + dt.timedelta(days=30)])
def test_an_old_package_that_is_sent_again_does_not_replace_a_newer_one(
    tmp_path: Path, at: dt.datetime | None
) -> None:
    """Whatever time its file has and whoever says that it came in later: its manifest says when its counts
    were computed. Nor does one that the study never loaded."""
    lake = Lake(str(tmp_path / "lake"))
    old = sent(tmp_path / "old", [day_of("2026-10-02", 50)])
    new = sent(tmp_path / "new", [day_of("2026-10-02", 90)], COMPUTED + dt.timedelta(days=1))
    unseen = sent(tmp_path / "unseen", [day_of("2026-10-02", 70)], COMPUTED + dt.timedelta(hours=1))
    assert loaded(lake, received(old)) == []
    assert loaded(lake, received(new, AT + dt.timedelta(days=1))) == []
    for file in (old, unseen):
        file.touch()
        found = received(file, at)
        wrong = loaded(lake, found)
        assert months_in(lake) == {"2026-10": 90}
        if not found.is_known:
            (message,) = wrong
            assert message.startswith("its counts were computed 2026-11-20 0")
            assert "north-mail_2026-Q4.zip, which stands, 2026-11-21 00:00" in message


def test_of_packages_that_are_loaded_together_the_one_computed_last_stands(tmp_path: Path) -> None:
    """An inbox that was copied has the files' times in any order."""
    old = sent(tmp_path / "old", [day_of("2026-10-02", 50)])
    new = sent(tmp_path / "new", [day_of("2026-10-02", 90)], COMPUTED + dt.timedelta(days=1))
    lake = Lake(str(tmp_path / "lake"))
    assert loaded(lake, received(new, AT), received(old, AT + dt.timedelta(days=1))) == []
    assert months_in(lake) == {"2026-10": 90}
    # A clock that is wrong would keep the operator's corrections out.
    ahead = sent(tmp_path / "ahead", [day_of("2026-10-02", 95)], dt.datetime(2036, 1, 1, tzinfo=dt.UTC))
    (message,) = received(ahead).wrong
    assert message.startswith("its counts were computed 2036-01-01 00:00, which is to come")


def test_signatures_are_required_unless_the_settings_say_otherwise(tmp_path: Path, keys: Path) -> None:
    plain = sent(tmp_path / "plain", [day_of("2026-10-02", 50)])
    put_gold(tmp_path / "gold", "north-mail", seen=[day_of("2026-10-02", 50)])
    made = package_of(settings_of(tmp_path / "gold"), OPERATOR, "2026-Q4", "north@north.example")
    signed = write_package(made, tmp_path / "signed", None)

    def wrong(file: Path, **study: Any) -> list[str]:
        settings = Observatory.model_validate({"study": study})
        return judge_file(file, settings, RESPONDENTS, AT).wrong

    (message,) = wrong(plain)
    assert message.startswith("it is not signed, and [study] require_signature asks for it")
    assert message.endswith("to take unsigned packages set require_signature = false")
    assert wrong(plain, keyring=str(keys))[0].startswith("it is not signed, and [study] require_signature")
    assert wrong(plain, require_signature=False) == []
    (message,) = wrong(signed)
    assert message.startswith("its signature cannot be verified: name the folder with each respondent's")
    assert wrong(signed, keyring=str(keys)) == []


LATE = st.lists(ATOM, max_size=3)


@examples(max_examples=120)
@given(st.lists(ATOM, min_size=1, max_size=9), LATE, st.integers(2, 8))
def test_no_difference_that_an_attacker_finds_is_small(first: list[Any], late: list[Any], least: int) -> None:
    """Of a package and one that is sent again with a few late messages, by definitions of which each is free:
    between all counts of all tables, sums over cells, and what one definition has and another has not."""
    known = [numbers(left_of(daily(atoms), least)[0]) for atoms in (first, [*first, *late])]
    every = {0} | {number for of in known for found in of.values() for number in found}
    assert not any(0 < other - one < least for one, other in itertools.combinations(sorted(every), 2))
    # Signed sums over cells, too: cells of the one package less the same cells of the other.
    for place in known[0].keys() & known[1].keys():
        difference = sum(known[1][place]) - sum(known[0][place])
        assert difference == 0 or abs(difference) >= least


def numbers(tables: dict[str, pl.DataFrame]) -> dict[tuple[str, ...], list[int]]:
    """All counts and classes of each table and definition, and their sums."""
    found: dict[tuple[str, ...], list[int]] = {}
    for name, table in tables.items():
        for definition in sorted(set(table["definition_code"])):
            of = table.filter(pl.col("definition_code") == definition)
            units, certain, possible = (of[each] for each in MEASURES)
            classes = (units, certain, possible, possible - certain, units - possible, units - certain)
            counts = [number for each in classes for number in each]
            found[name, definition] = [*counts, *(int(each.sum()) for each in classes)]
    return found


def test_nested_definitions_differ_by_nothing_or_enough(tmp_path: Path) -> None:
    """A hundred messages are spam by one definition, and one more by another that holds the first."""
    root = tmp_path / "gold"
    put_gold(root, "north-mail", seen=[day_of("2026-10-02", 900)])
    spam = pl.when(pl.col("definition_code") == "OPERATOR").then(100).otherwise(101).cast(pl.Int64)
    for table in GOLD.values():
        rows = Lake(str(root)).read(table).with_columns(spam_certain=spam, spam_possible=spam)
        shutil.rmtree(root / table.replace(".", "/"))
        write_delta(root / table.replace(".", "/"), rows, ["operator_id", "period_date"])
    made = package_of(settings_of(root), OPERATOR, "2026-Q4", None)
    found = received(write_package(made, tmp_path, None))
    assert found.wrong == []
    for table in GOLD:
        certain = dict(found.tables[table].select("definition_code", "spam_certain").rows())
        assert certain == {"OPERATOR": 100, "CAN_SPAM": 100}


def test_counts_that_are_no_multiples_are_refused(good: bytes, tmp_path: Path) -> None:
    """Of a program other than this one: its differences would tell."""
    file = tmp_path / "p.zip"
    file.write_bytes(good)
    data = with_row(contents(file)["submission.csv"], 2, units="51")
    message = "a count is no multiple of the manifest's least_units (5)"
    assert any(message in line for line in received(again(file, {"submission.csv": data})).wrong)


# --- files that grow ------------------------------------------------------------------------------------

JUDGE = """
import sys
from pathlib import Path
from jobs.settings.config import Observatory
from jobs.submission.judging import judge_file
found = judge_file(Path(sys.argv[1]), Observatory(), {}, None)
print("\\n".join(found.wrong))
"""


def judged_in_a_gigabyte(file: Path) -> list[str]:
    done = run_limited(JUDGE, file)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_an_openpgp_file_that_grows_is_cut_off(tmp_path: Path) -> None:
    file = openpgp_bomb(tmp_path, 700 * 2**20)
    assert file.stat().st_size < 4096
    (message,) = judged_in_a_gigabyte(file)
    assert message.startswith(f"it unpacks to more than {LARGEST // 2**20} MB")


def test_gpg_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "gpg"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(signing, "LONGEST", 0.3)
    with pytest.raises(ObservatoryError, match=r"gpg took longer than 0.3 seconds"):
        signing.run_gpg("--decrypt")


def zip_of(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


def grown(files: dict[str, bytes]) -> dict[str, tuple[dict[str, bytes], str]]:
    """Small files in place of those of a package, and what is said of each."""
    head, row = files["submission.csv"].splitlines(keepends=True)[:2]
    rows = "submission.csv has more than 500,000 rows"
    return {
        "rows": ({"submission.csv": head + row * (60 * 2**20 // len(row))}, rows),
        "short rows": ({"submission.csv": head + b",,,,,,,,\n" * 6_000_000}, rows),
        "old line ends": ({"submission.csv": head + b"\r" * 60_000_000}, rows),
        "columns": ({"submission.csv": b"a," * 30_000_000}, "submission.csv has the columns"),
        "a manifest": ({MANIFEST: b"[" * 20_000_000}, "manifest.json unpacks to more than 4,194,304 bytes"),
        "a signature": ({SIGNATURE: b"\0" * 2**20}, "manifest.json.asc unpacks to more than 65,536 bytes"),
        "all": ({"submission.csv": b"\0" * 10**8}, "it unpacks to more than 64 MB"),
    }


@pytest.mark.long
def test_files_that_grow_are_refused_within_a_gigabyte(good: bytes, tmp_path: Path) -> None:
    file = tmp_path / "p.zip"
    file.write_bytes(good)
    files = contents(file)
    for name, (changes, message) in grown(files).items():
        manifest = json.loads(files[MANIFEST])
        for changed, data in changes.items():
            if changed in manifest["files"]:
                manifest["files"][changed]["sha256"] = hashlib.sha256(data).hexdigest()
        file.write_bytes(pack_files(files | {MANIFEST: json.dumps(manifest).encode()} | changes))
        assert file.stat().st_size < 10**6
        assert any(message in line for line in judged_in_a_gigabyte(file)), name


def test_an_archive_of_many_names_is_refused_before_it_is_listed(tmp_path: Path) -> None:
    file = tmp_path / "p.zip"
    one = zip_of({"x": b""})
    start = one.index(b"PK\1\2")
    record = one[start : one.index(b"PK\5\6")]
    many = record * 700_000
    end = b"PK\5\6" + bytes(4) + b"\xff\xff\xff\xff" + len(many).to_bytes(4, "little") + bytes(4) + bytes(2)
    file.write_bytes(many + end)
    assert file.stat().st_size < LARGEST
    (message,) = judged_in_a_gigabyte(file)
    assert message == "it is no zip archive that can be read: it names too many files"


def test_a_package_of_a_newer_version_says_so_alone(good: bytes, tmp_path: Path) -> None:
    """Whatever a later form holds besides: other files, other words in its manifest, other columns."""
    file = tmp_path / "later.zip"
    file.write_bytes(good)
    files = contents(file)
    later = f"{FORM.rpartition(' ')[0]} {int(FORM.rpartition(' ')[2]) + 1}"
    manifest = json.loads(files[MANIFEST]) | {"form": later}
    manifest |= {"what_is_new": {"a": 1}, "computed_at": 7}
    newer = {
        MANIFEST: json.dumps(manifest).encode(),
        "submission_later.csv": b"a\n1\n",
        "submission.csv": b"later\n",
    }
    file.write_bytes(pack_files(files | newer))
    assert received(file).wrong == [
        f"a newer version made it, in the form '{later}', and this study reads '{FORM}' and older: install"
        " the newer version on the study node, then load it"
    ]

"""Packages that do harm, on purpose or by accident: numbers without bounds, counts that are no multiples,
a newer form, and files that grow."""

import datetime as dt
import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from jobs.base.packages.package import FORM, LARGEST, MANIFEST, MOST_LINES, MOST_UNITS, SIGNATURE, pack_files
from jobs.operators.packages.packaging import package_of, write_package
from jobs.study.packages import loading
from jobs.study.packages.package_checks import Judged, judge_file
from tests.base.packages.test_packages import (
    OPERATOR,
    RESPONDENTS,
    again,
    contents,
    day_of,
    settings_of,
    with_row,
)
from tests.support.bombs import run_limited
from tests.support.submission_lake import AT, COMPUTED, Rows, put_gold

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


@pytest.mark.long
@examples(max_examples=150)
@given(
    place=st.sampled_from([*NUMBERS, ["period_code"], ["computed_at"], ["operator_id"], ["totals"]]),
    value=NUMBER,
)
def test_no_manifest_stops_another_package(
    good: bytes, tmp_path_factory: pytest.TempPathFactory, place: Place, value: Any
) -> None:
    """Any manifest is refused or taken; none raises."""
    file = tmp_path_factory.getbasetemp() / "fuzzed.zip"
    found = received(with_manifest(good, file, place, value))
    for line in found.wrong:
        assert "cannot be read" not in line, line
    if not found.wrong:
        loading.receipt_row(found)


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00", "2099-01-01T00:00:00Z"]
)
def test_a_time_of_computing_has_bounds(good: bytes, tmp_path: Path, time: str) -> None:
    (line,) = received(with_manifest(good, tmp_path / "p.zip", ["computed_at"], time)).wrong
    assert "computed_at" in line or "which is in the future" in line


def test_a_package_saved_later_than_now_is_refused(tmp_path: Path) -> None:
    """Computed at that time, too, it would keep the operator's corrections out."""
    ahead = dt.datetime(2036, 1, 1, tzinfo=dt.UTC)
    file = sent(tmp_path / "ahead", [day_of("2026-10-02", 50)], ahead)
    os.utime(file, (ahead.timestamp(), ahead.timestamp()))
    (line,) = received(file, None).wrong
    assert line.startswith("last saved: 2036-01-01T00:00 is in the future")


@pytest.mark.parametrize(
    "units", [str(MOST_UNITS + 5), str(2**63 - 3), str(2**63), "9" * 400, "1e300", "nan", "5.5"]
)
def test_every_number_of_a_table_has_bounds(good: bytes, tmp_path: Path, units: str) -> None:
    file = tmp_path / "p.zip"
    file.write_bytes(good)
    cells = {"units": units, "spam_possible": "0"}
    again(file, {"submission.csv": with_row(contents(file)["submission.csv"], 3, **cells)})
    assert any("submission.csv" in line for line in received(file).wrong)


def test_counts_that_are_no_multiples_are_refused(good: bytes, tmp_path: Path) -> None:
    """The package is of another program: its differences would reveal counts."""
    file = tmp_path / "p.zip"
    file.write_bytes(good)
    data = with_row(contents(file)["submission.csv"], 2, units="51")
    message = "a count is no multiple of the manifest's least_units (5)"
    assert any(message in line for line in received(again(file, {"submission.csv": data})).wrong)


# --- files that grow ------------------------------------------------------------------------------------

JUDGE = """
import sys
from pathlib import Path
from jobs.base.settings.config import Observatory
from jobs.study.packages.package_checks import judge_file
found = judge_file(Path(sys.argv[1]), Observatory(), {}, None)
print("\\n".join(found.wrong))
"""


def judged_in_a_gigabyte(file: Path) -> list[str]:
    done = run_limited(JUDGE, file)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


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


@pytest.mark.long
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
    """A later form is named alone, whatever other files, words in its manifest or columns it holds."""
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

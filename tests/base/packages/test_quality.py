"""Operators' audits in their packages: what leaves, and what the study takes of it."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.base.core.call_shares import ENDS, SHARES
from jobs.base.packages.package import FORM, MANIFEST, pack_files
from jobs.base.packages.quality import QUALITY
from jobs.base.store.lake import Lake
from jobs.operators.packages.gold_quality import round_to_steps
from tests.base.packages.test_packages import again, contents, judged, loaded, made, run, told
from tests.support.submission_lake import NORTH, put_gold, put_quality

Triple = tuple[float | None, float | None, float | None]
FILE = "submission_quality.csv"
# Of October 6,000 units were flagged with their content seen, and 40,000 passed; of November none was.
SEEN = [
    ("2026-10-05", "inbound", "delivery", "delivered", "UNK", "KEN", 40_000, 0, 0),
    ("2026-10-31", "inbound", "content", "tagged", "AD.retail", "KEN", 6_000, 6_000, 6_000),
    ("2026-10-31", "inbound", "envelope", "rejected", "UNK", "KEN", 500, 500, 500),
    ("2026-11-01", "inbound", "envelope", "rejected", "UNK", "KEN", 50, 50, 50),
]
AUDIT = dict(zip(SHARES, (0.97, 0.95, 0.99, None, None, None, 0.02, 0.01, 0.04), strict=True))
TEST = AUDIT | {"quality_method_code": "rogan_gladen", "labelled_count": 0, "flagged_spam_share": 0.96}


def audited(folder: Path, *rows: dict[str, Any]) -> Path:
    put_gold(folder / "lake", "north-mail", seen=SEEN)
    put_quality(folder / "lake", "north-mail", *rows)
    return made(folder / "lake", folder)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return audited(tmp_path, AUDIT | {"period_code": "2026-10"})


def test_an_audit_goes_along_in_steps_of_least_units(package: Path) -> None:
    """5 of 6,000 are 0.00083, of 40,000 0.000125. What the package has no messages of has no share."""
    found = judged(package)
    assert found.wrong == []
    (row,) = found.tables[QUALITY].to_dicts()
    assert (row["respondent_id"], row["period_code"], row["channel_code"]) == ("north", "2026-10", "EMAIL")
    assert (row["quality_method_code"], row["labelled_count"]) == ("audit", 400)
    # Half a step more to each side: 0.97 - 24.5 * 5/6,000, and 0.02 - 80.5 * 5/40,000.
    assert [row[name] if row[name] is None else float(row[name]) for name in SHARES] == [
        0.97, 0.94958333, 0.99041667, None, None, None, 0.02, 0.0099375, 0.0400625
    ]  # fmt: skip
    assert float(row["flagged_spam_share"]) * 6000 == pytest.approx(5820)


@pytest.mark.parametrize(("labelled", "leaves"), [(1, 5), (12, 10), (13, 15)])
def test_the_number_of_labels_leaves_as_a_multiple(tmp_path: Path, labelled: int, leaves: int) -> None:
    """The number of labels is that of the messages if all messages of a month were labelled."""
    month = {"period_code": "2026-10", "labelled_count": labelled}
    found = judged(audited(tmp_path, AUDIT | month))
    assert (found.wrong, found.tables[QUALITY]["labelled_count"].to_list()) == ([], [leaves])


def test_an_audit_comes_before_a_test_and_a_test_before_nothing(tmp_path: Path) -> None:
    month = {"period_code": "2026-10"}
    both = judged(audited(tmp_path / "both", TEST | month, AUDIT | month)).tables[QUALITY]
    assert both["quality_method_code"].to_list() == ["audit"]
    alone = judged(audited(tmp_path / "alone", TEST | month)).tables[QUALITY]
    assert alone["quality_method_code"].to_list() == ["rogan_gladen"]


def test_what_is_of_no_channel_or_tells_nothing_stays(tmp_path: Path) -> None:
    """A stratum, a type, a sample without labels, a month whose messages were all refused before content."""
    october = {"period_code": "2026-10"}
    rows = (
        AUDIT | october | {"stratum_code": "EMAIL.passed.untyped.none"},
        AUDIT | october | {"spam_type_code": "AD.retail"},
        dict.fromkeys(SHARES) | october | {"prevalence": None, "labelled_count": 0},
        AUDIT | {"period_code": "2026-11"},
    )
    assert judged(audited(tmp_path, *rows)).tables[QUALITY].is_empty()


def test_a_package_without_audits_has_no_rows(tmp_path: Path) -> None:
    put_gold(tmp_path / "lake", "north-mail", seen=SEEN)
    file = made(tmp_path / "lake", tmp_path)
    assert judged(file).wrong == [] and judged(file).tables[QUALITY].is_empty()


def leaving(units: int, least: int, *given_shares: tuple[float, float, float] | None) -> list[Triple]:
    """Shares of spam in so many passed messages and the ends of their intervals, as they leave."""
    names = [f"passed_spam_share{end}" for end in ENDS]
    rows = [
        dict.fromkeys(names) if each is None else dict(zip(names, each, strict=True)) for each in given_shares
    ]
    schema = dict.fromkeys(names, pl.Decimal(10, 8))
    frame = pl.DataFrame(
        [{name: value and Decimal(f"{value:.8f}") for name, value in row.items()} for row in rows],
        schema=schema,
    )
    return frame.with_columns(passed=pl.lit(units)).select(round_to_steps("passed", least)).rows()


@given(st.integers(2, 8), st.integers(1, 300))
def test_no_share_tells_a_count_that_was_labelled_whole(least: int, units: int) -> None:
    """Counts of one step leave as the same three numbers, and at least half of `least` counts are in each."""
    counts = range(units + 1)
    found = leaving(units, least, *[(count / units,) * 3 for count in counts])
    classes: dict[float | None, set[Triple]] = {}
    for triple in found:
        classes.setdefault(triple[0], set()).add(triple)
    assert all(len(triples) == 1 for triples in classes.values())
    if units >= least:
        assert min(sum(each[0] == near for each in found) for near in classes) >= least // 2
    for count, (near, low, high) in zip(counts, found, strict=True):
        assert near is not None and low is not None and high is not None
        assert 0 <= low <= near <= high <= 1
        assert low - 1e-7 <= count / units <= high + 1e-7


def test_five_of_twenty_labelled_whole_leave_as_three_to_seven_do() -> None:
    """Labels of 13 of 13 leave as those of 11 and 12 do: the last step is as long as the others."""
    found = leaving(20, 5, *[(count / 20,) * 3 for count in range(21)])
    assert found[:3] == [(0, 0, 0.125)] * 3
    assert found[3:8] == [(0.25, 0.125, 0.375)] * 5
    assert found[18:] == [(1, 0.875, 1)] * 3
    assert leaving(13, 5, *[(count / 13,) * 3 for count in (10, 11, 12, 13)]) == [(1, 0.75, 1)] * 4


@given(st.integers(2, 8), st.integers(0, 10_000), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_what_leaves_holds_what_gold_held(
    least: int, units: int, value: float, below: float, above: float
) -> None:
    """Ends stay in order and in steps, at most two steps wider on each side."""
    low, high = max(value - below, 0.0), min(value + above, 1.0)
    ((near, lower, higher),) = leaving(units, least, (value, low, high))
    if not units:
        assert near is None and lower is None and higher is None
        return
    assert near is not None and lower is not None and higher is not None
    steps = max(units // least, 1)
    assert 0 <= lower <= near <= higher <= 1
    assert low - 2.01 / steps <= lower <= low + 1e-7 and high - 1e-7 <= higher <= high + 2.01 / steps
    assert near * steps == pytest.approx(round(near * steps), abs=1e-3)


def test_a_share_that_nobody_labelled_may_be_all_or_none() -> None:
    assert leaving(100, 5, None) == [(0.5, 0, 1)]


def changed(file: Path, **cells: Any) -> str:
    """Return the answer to the package with other cells in its audit; a list makes a row of each."""
    row = pl.read_csv(contents(file)[FILE], infer_schema=False).row(0, named=True)
    many = max((len(each) for each in cells.values() if isinstance(each, list)), default=1)
    rows = [
        row | {name: each[place] if isinstance(each, list) else each for name, each in cells.items()}
        for place in range(many)
    ]
    return told(again(file, {FILE: pl.DataFrame(rows).write_csv().encode()}))


@pytest.mark.long
@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"flagged_spam_share": "1.2"}, "row 2: it breaks flagged_share_in_its_interval"),
        ({"passed_spam_share_low": "0.03"}, "row 2: it breaks passed_share_in_its_interval"),
        ({"passed_spam_share_high": ""}, "row 2: it breaks passed_share_in_its_interval"),
        ({"passed_spam_share_low": "-0.1"}, "row 2: it breaks passed_share_in_its_interval"),
        ({"period_code": "2026-09"}, "row 2: period_code is no month of the package's period"),
        ({"labelled_count": "401"}, "row 2: labelled_count is no multiple of the manifest's least_units (5)"),
        ({"labelled_count": "0"}, "row 2: it breaks audits_have_labels"),
        ({"quality_method_code": "guess"}, "quality_method_code: row 2: 'guess' is not in the list"),
        ({"labelled_count": ["400", "200"]}, "row 3: 'north' stands more than once"),
        ({"channel_code": "SMS"}, "a row is of 2026-10, SMS, and submission.csv has no recipients of it"),
        ({"period_code": "2026-11"}, "a row is of 2026-11, EMAIL, and submission.csv has no recipients"),
        (
            dict.fromkeys(SHARES[:3], ""),
            "flagged_spam_share of 2026-10, EMAIL is missing, and submission.csv has 6,000 such recipients",
        ),
        (
            dict.fromkeys(SHARES[3:6], "0.5"),
            "undecided_spam_share of 2026-10, EMAIL is given, and submission.csv has 0 such recipients",
        ),
    ],
)
def test_an_audit_that_contradicts_itself_or_the_package_is_refused(
    package: Path, cells: dict[str, Any], message: str
) -> None:
    found = changed(package, **cells)
    assert message in found and FILE in found


def test_a_package_of_an_early_form_is_to_be_submitted_again(package: Path) -> None:
    """One of form 2 has no audit's file: that is not what is wrong with it."""
    files = contents(package)
    files.pop(FILE)
    manifest = json.loads(files[MANIFEST])
    del manifest["files"][FILE]
    manifest["form"] = "spam-observatory submission 2"
    package.write_bytes(pack_files(files | {MANIFEST: json.dumps(manifest).encode()}))
    assert told(package) == (
        f"it is of the form 'spam-observatory submission 2', and this study reads '{FORM}':"
        " bring both sides to the same release, and submit again"
    )


@pytest.mark.long
def test_the_command_line_says_whether_an_audit_goes_along(package: Path, tmp_path: Path) -> None:
    file = tmp_path / "observatory.toml"
    file.write_text(f'[lake]\nroot = "{tmp_path / "lake"}"\n{NORTH}')
    done = run("submit", "--config", file, "--period", "2026-Q4", "--output", tmp_path)
    october, november = (
        next(line for line in done.output.splitlines() if month in line) for month in ("2026-10", "2026-11")
    )
    assert "400 labels" in october and "none" in november


def test_a_newer_package_takes_the_audit_along_or_away(package: Path, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "study"))
    first = judged(package)
    assert loaded(lake, first) == []
    stored = lake.read(QUALITY)
    assert stored.select(first.tables[QUALITY].columns).equals(first.tables[QUALITY])
    put_gold(tmp_path / "later", "north-mail", seen=SEEN)
    later = judged(made(tmp_path / "later", tmp_path / "l"))
    later.received_at = later.received_at.replace(year=2028)
    assert loaded(lake, later) == []
    assert lake.read(QUALITY).is_empty()

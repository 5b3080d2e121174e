"""Submissions: what leaves an operator, and what the study takes of it."""

import datetime as dt
import functools
import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from jobs.base.core.errors import ObservatoryError
from jobs.base.packages.counts import (
    GOLD,
    GROUP,
    MEASURES,
    PACKAGE_TABLES,
    ROUTE,
    SOURCE,
    TYPE,
    VOLUME,
    compute_sums,
)
from jobs.base.packages.package import MANIFEST, SIGNATURE, pack_files, rows_digest
from jobs.base.settings.config import Observatory
from jobs.base.settings.operator import Operator
from jobs.base.settings.study import Gap, Study
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import polars_schema, rows_frame
from jobs.cli.main import app
from jobs.operators.packages.gold_counts import add_other_end, count_days, logged_days, partial_sources
from jobs.operators.packages.packaging import package_of, subscriptions_of, write_package
from jobs.operators.packages.smallcounts import groups_of, protect_rows
from jobs.study.packages.loading import RECEIPT, land_packages, refuse_same_time
from jobs.study.packages.package_checks import Judged, judge_file
from jobs.study.questionnaire.respondents import Respondent
from tests.support.delta import read_delta, write_delta
from tests.support.examples import examples
from tests.support.submission_lake import AT, NORTH, SEEN, Rows, put_gold

OPERATOR = Operator(
    id="north-mail", name="North", country="FJI", holding="north", currency="FJD", subscribers=1000
)
OTHER = Operator(id="north-sms", name="North", country="FJI", holding="north", currency="FJD")
RESPONDENT = Respondent("north", "North", "O", "FJI", "north", ("north-mail", "north-sms"), "en", "S1")
RESPONDENTS = {"north": RESPONDENT}


def settings_of(root: Path, **study: Any) -> Observatory:
    """Settings of an operator and a study in one, which takes unsigned packages if not told otherwise."""
    study = {"require_signature": False} | study
    return Observatory.model_validate(
        {"lake": {"root": str(root)}, "study": study, "operator": [OPERATOR.model_dump(), OTHER.model_dump()]}
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gold")
    put_gold(folder, "north-mail")
    put_gold(folder, "north-sms", "SMS")
    return folder


def made(root: Path, folder: Path, operator: Operator = OPERATOR, key: str | None = None) -> Path:
    return write_package(package_of(settings_of(root), operator, "2026-Q4", key), folder, None)


@pytest.fixture
def package(root: Path, tmp_path: Path) -> Path:
    return made(root, tmp_path)


def contents(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def again(file: Path, changes: dict[str, bytes], is_hashed: bool = True) -> Path:
    """The package with other files in it; with the hashes of its manifest made right, unless told not to."""
    import hashlib

    files = contents(file) | changes
    if is_hashed:
        manifest = json.loads(files[MANIFEST])
        for name in set(files) - {MANIFEST}:
            rows = files[name].count(b"\n") - 1
            manifest["files"][name] = {"sha256": hashlib.sha256(files[name]).hexdigest(), "rows": rows}
        files[MANIFEST] = json.dumps(manifest).encode()
    file.write_bytes(pack_files(files))
    return file


def judged(file: Path, root: Path = Path("unused"), **study: Any) -> Judged:
    return judge_file(file, settings_of(root, **study), RESPONDENTS, AT)


def told(file: Path, **study: Any) -> str:
    return "\n".join(judged(file, **study).wrong)


def test_sums_are_those_of_gold(package: Path) -> None:
    found = judged(package)
    assert found.wrong == []
    assert found.respondent_id == "north"
    # Four units of inbound mail in November are too few to leave: the whole group is withheld. Of October's
    # two are undecided, and of November's one: they are told as no spam, as is the one certain of outbound.
    # 463 and 73 leave as the nearest multiples of five.
    expected = [
        ("2026-10", "inbound", 465, 75, 75),
        ("2026-11", "internal", 50, 0, 0),
        ("2026-11", "outbound", 30, 0, 0),
    ]
    by = ["period_code", "direction_code"]
    for table in (VOLUME, TYPE, SOURCE, ROUTE):
        own = compute_sums(found.tables[table]).filter(pl.col("definition_code") == "OPERATOR")
        assert own.select(*by, *MEASURES).sort(by).rows() == expected
    assert set(found.tables[VOLUME]["subscriptions"]) == {1000}
    assert set(found.tables[VOLUME]["holding_id"]) == {"north"}
    assert [each.model_dump() for each in found.manifest.withheld] == [
        {"period_code": "2026-11", "channel_code": "EMAIL", "direction_code": "inbound",
         "unit_code": "recipient", "definition_code": "_T"}
    ]  # fmt: skip


@pytest.mark.parametrize("waiver", ["W1", "W0", None])
def test_a_waiver_goes_from_settings_to_the_studys_rows(
    root: Path, tmp_path: Path, waiver: str | None
) -> None:
    file = made(root, tmp_path, OPERATOR.model_copy(update={"waiver": waiver}))
    assert json.loads(contents(file)[MANIFEST])["waiver"] == waiver
    assert b"waiver" not in contents(file)["submission.csv"]
    found = judged(file)
    assert found.wrong == []
    assert [line[:9] for line in found.noted if "waiver" in line] == ([f"waiver {waiver}"] if waiver else [])
    assert set(found.tables[VOLUME]["waiver"]) == {waiver}
    lake = Lake(str(tmp_path / "study"))
    land_packages(lake, [found], "run")
    assert set(lake.read(VOLUME)["waiver"]) == {waiver}


def test_a_waiver_that_is_no_code_is_refused(package: Path) -> None:
    with pytest.raises(ValueError, match="waiver 'W9'"):
        Operator.model_validate(OPERATOR.model_dump() | {"waiver": "W9"})
    manifest = json.loads(contents(package)[MANIFEST]) | {"waiver": "W9"}
    assert "waiver: row 2: 'W9'" in told(again(package, {MANIFEST: json.dumps(manifest).encode()}))


def test_small_counts_are_counted_elsewhere(package: Path) -> None:
    """Three units of phishing from France: no table shows a count of three, nor lets it be subtracted."""
    tables = judged(package).tables
    of_october = {name: rows.filter(pl.col("period_code") == "2026-10") for name, rows in tables.items()}
    for rows in (of_october[table] for table in GOLD):
        assert rows["units"].min() >= 5  # type: ignore[operator]

    def units(table: str, column: str) -> dict[str, int]:
        own = of_october[table].filter(pl.col("definition_code") == "OPERATOR")
        return dict(own.select(column, "units").rows())

    assert units(VOLUME, "outcome_code") == {"delivered": 405, "tagged": 60}
    assert units(TYPE, "spam_type_code") == {"UNK": 405, "AD.retail": 60}
    # Nothing was unknown before, and three are still too few: the next country joins them.
    assert units(SOURCE, "source_country_code") == {"_U": 465}
    assert units(ROUTE, "partner_country_code") == {"_U": 465}


# Stage and outcome, type, country and link; certain, undecided and clean units under one definition, and how
# many of their sum are certain and possible under another.
ATOM = st.tuples(
    st.sampled_from([("content", "rejected"), ("content", "tagged"), ("delivery", "delivered")]),
    st.sampled_from(["AD", "PHISH", "UNK"]),
    st.sampled_from(["_U", "FRA", "KEN", "UGA", "TZA"]),
    st.sampled_from([("hub", "hub"), ("hub", "roaming"), ("peer", "_U"), ("sim-farm", "hub")]),
    st.tuples(*[st.one_of(st.just(0), st.integers(0, 9), st.integers(0, 400))] * 3).filter(any),
    st.floats(0, 1),
    st.floats(0, 1),
)
HUB, PEER = ("hub", "hub"), ("peer", "_U")
CUTS: dict[str, tuple[list[list[str]], Any]] = {
    "volume": ([["stage_code", "outcome_code"]], None),
    "type": ([["spam_type_code"]], ("UNK",)),
    "source": ([["country"]], ("_U",)),
    "link": ([["country"], ["link"]], ("_U",)),
    "route": ([["country"], ["link"], ["transit"]], ("_U",)),
}


def daily(atoms: list[Any]) -> pl.DataFrame:
    """Return the rows of one day: all that tables of a package are sums of."""
    rows = []
    for (stage, outcome), kind, country, (link, transit), (certain, undecided, clean), one, other in atoms:
        units = certain + undecided + clean
        row = dict.fromkeys(GROUP, "x") | {
            "stage_code": stage, "outcome_code": outcome, "spam_type_code": kind, "country": country,
            "link": link, "transit": transit, "units": units,
        }  # fmt: skip
        low, high = sorted((int(one * units), int(other * units)))
        for definition, bounds in (("A", (certain, certain + undecided)), ("B", (low, high))):
            measures = dict(zip(MEASURES[1:], bounds, strict=True))
            rows.append(row | {"definition_code": definition} | measures)
    return pl.DataFrame(rows)


def left_of(rows: pl.DataFrame, least: int) -> tuple[dict[str, pl.DataFrame], list[Any]]:
    groups, withheld = groups_of(rows, least)
    return {
        name: protect_rows(rows, groups, levels, least, rest) for name, (levels, rest) in CUTS.items()
    }, withheld


@examples(300)
@given(st.lists(ATOM, min_size=1, max_size=9), st.integers(2, 8))
# Three of a million, and three that are not.
@example([(("delivery", "delivered"), "UNK", "KEN", HUB, (3, 0, 10**6), 0.0, 1.0)], 5)
@example([(("content", "rejected"), "AD", "KEN", HUB, (10**6, 0, 3), 1.0, 1.0)], 5)
# What a cell tells otherwise another gives back, or no other can.
@pytest.mark.long
@example(
    [
        (("content", "rejected"), "AD", "KEN", HUB, (2, 0, 60), 0.5, 1.0),
        (("delivery", "delivered"), "UNK", "FRA", PEER, (40, 0, 900), 0.0, 1.0),
    ],
    5,
)
@example(
    [
        (("content", "rejected"), "AD", "KEN", HUB, (0, 0, 98), 1.0, 1.0),
        (("content", "tagged"), "UNK", "KEN", PEER, (2, 0, 50), 1.0, 1.0),
        (("delivery", "delivered"), "UNK", "FRA", PEER, (90, 0, 0), 0.0, 0.0),
    ],
    5,
)
def test_no_count_that_leaves_is_small_nor_is_a_difference(atoms: list[Any], least: int) -> None:
    """No cell of any table has units, certain, possible, or what lies between them in 1 to least - 1; and
    every sum that two tables share is the same in both, under every definition: no difference reveals a
    count."""
    rows = daily(atoms)
    tables, withheld = left_of(rows, least)
    size = rows.filter(pl.col("definition_code") == "A")["units"].sum()
    assert bool(withheld) == (size < least)
    for table in tables.values():
        units, certain, possible = (table[name] for name in MEASURES)
        for count in (units, certain, possible, possible - certain, units - possible, units - certain):
            assert table.filter((count != 0) & (count < least)).is_empty()
        # Nothing is lost: units are gold's, and those of one definition are those of the other.
        by_cell = [each for each in table.columns if each not in ("definition_code", *MEASURES)]
        assert table.group_by(by_cell).agg(pl.col("units").n_unique())["units"].to_list() in (
            [], [1] * (table.height // 2)
        )  # fmt: skip
        own = table.filter(pl.col("definition_code") == "A")["units"].sum()
        assert own == (0 if withheld else (size + least // 2) // least * least)
    whole = [table.group_by("definition_code").agg(pl.col(*MEASURES).sum()).sort("definition_code")
             for table in tables.values()]  # fmt: skip
    assert all(each.equals(whole[0]) for each in whole)
    by = ["definition_code", "country"]
    margin = tables["route"].group_by(by).agg(pl.col(*MEASURES).sum()).sort(by)
    assert margin.equals(tables["source"].select(*by, *MEASURES).sort(by))
    # Networks crossed in between change nothing of links.
    by.append("link")
    margin = tables["route"].group_by(by).agg(pl.col(*MEASURES).sum()).sort(by)
    assert margin.equals(tables["link"].select(*by, *MEASURES).sort(by))


@given(st.lists(ATOM, min_size=1, max_size=9), st.integers(2, 8))
def test_what_is_told_stays_near_what_was(atoms: list[Any], least: int) -> None:
    """Totals are bounds of gold's, or less than the threshold away; and as multiples of it half of it and the
    whole of it more."""
    rows = daily(atoms)
    volume, withheld = left_of(rows, least)[0]["volume"], left_of(rows, least)[1]
    if withheld:
        return
    for definition in ("A", "B"):
        of = pl.col("definition_code") == definition
        was, now = (each.filter(of).select(MEASURES).sum().row(0) for each in (rows, volume))
        assert abs(now[0] - was[0]) <= least / 2
        assert now[1] - was[1] < 2 * least and was[2] - now[2] < 2.5 * least


def test_what_is_large_leaves_as_it_is() -> None:
    """A cell whose two certain units another takes keeps its units; nothing else changes but to the nearest
    multiple of the threshold."""
    rows = daily(
        [
            (("content", "rejected"), "AD", "KEN", HUB, (2, 0, 60), 0.5, 1.0),
            (("content", "tagged"), "AD", "UGA", HUB, (70, 9, 0), 0.5, 1.0),
            (("delivery", "delivered"), "UNK", "FRA", PEER, (40, 10, 900), 0.2, 1.0),
        ]
    )
    of_a = left_of(rows, 5)[0]["source"].filter(pl.col("definition_code") == "A")
    assert of_a.select("country", *MEASURES).rows() == [
        ("FRA", 950, 40, 50), ("KEN", 60, 0, 0), ("UGA", 80, 70, 80)
    ]  # fmt: skip


def test_routes_have_the_other_end_and_what_led_there(tmp_path: Path) -> None:
    seen = [
        ("2026-10-05", "inbound", "delivery", "delivered", "UNK", "KEN", 20, 6, 11, "FJI", "hub", "hub"),
        ("2026-10-06", "inbound", "delivery", "delivered", "UNK", "KEN", 20, 5, 11, "FJI", "hub"),
        ("2026-10-05", "inbound", "delivery", "delivered", "UNK", "KEN", 3, 1, 1, "FJI", "sim-farm"),
        ("2026-10-05", "inbound", "delivery", "delivered", "UNK", "_U", 7, 0, 0, "FJI", "_U"),
        ("2026-10-06", "outbound", "delivery", "delivered", "UNK", "FJI", 30, 5, 5, "TON", "peer", "roaming"),
        ("2026-10-07", "outbound", "delivery", "delivered", "UNK", "FJI", 20, 5, 10, "TON", "peer"),
        ("2026-10-07", "outbound", "delivery", "delivered", "UNK", "FJI", 4, 0, 0, "WSM", "hub", "hub"),
        ("2026-10-07", "outbound", "delivery", "delivered", "UNK", "FJI", 2, 0, 0, "_U", "hub"),
        ("2026-10-07", "internal", "delivery", "delivered", "UNK", "FJI", 9, 0, 0, "FJI", "on-net"),
    ]
    put_gold(tmp_path, "north-mail", seen=seen)
    rows = judged(made(tmp_path, tmp_path)).tables[ROUTE].filter(pl.col("definition_code") == "OPERATOR")
    columns = ("direction_code", "partner_country_code", "link_code", "transit_code", *MEASURES)
    assert sorted(rows.select(columns).rows()) == [
        # Three that came in by a SIM farm are too few to tell.
        ("inbound", "KEN", "hub", "hub", 20, 5, 10),
        ("inbound", "KEN", "hub", "unknown", 25, 10, 15),
        ("inbound", "_U", "unknown", "unknown", 5, 0, 0),
        ("internal", "FJI", "on-net", "unknown", 10, 0, 0),
        ("outbound", "TON", "peer", "roaming", 30, 5, 5),
        ("outbound", "TON", "peer", "unknown", 20, 5, 10),
        ("outbound", "_U", "hub", "hub", 5, 0, 0),
    ]


def test_a_claim_stands_where_nothing_was_observed() -> None:
    """Claims stand as in gold.spam_source_daily."""
    origin = {"origin_claimed_code": ["KEN", "KEN", "_U"], "origin_observed_code": ["FRA", "_U", "_U"]}
    columns = ("destination_code", "inbound_link_code", "transit_code", "outbound_link_code")
    same = dict.fromkeys(columns, ["_U"] * 3)
    found = add_other_end(pl.DataFrame(origin | same | {"direction_code": ["inbound"] * 3}))
    assert found["partner_country_code"].to_list() == ["FRA", "KEN", "_U"]
    assert set(found["link_code"]) == set(found["transit_code"]) == {"unknown"}


def test_a_definition_of_half_a_month_stays() -> None:
    """The difference to a definition of the whole month would reveal two units."""
    row = dict.fromkeys(GROUP, "x") | {"spam_certain": 0, "spam_possible": 0}
    counts = [("A", "AD", 50), ("B", "AD", 48), ("A", "UNK", 9), ("B", "UNK", 9)]
    rows = pl.DataFrame(
        [
            row | {"definition_code": code, "spam_type_code": kind, "units": units}
            for code, kind, units in counts
        ]
    )
    groups, withheld = groups_of(rows, 5)
    assert withheld == [("x", "x", "x", "x", "B")]
    found = protect_rows(rows, groups, [["spam_type_code"]], 5, ("UNK",))
    assert found.select("definition_code", "spam_type_code", "units").rows() == [
        ("A", "AD", 50), ("A", "UNK", 10)
    ]  # fmt: skip


def test_equal_counts_make_equal_bytes(root: Path, tmp_path: Path) -> None:
    one, two = made(root, tmp_path / "1"), made(root, tmp_path / "2")
    assert one.read_bytes() == two.read_bytes()
    other = tmp_path / "other"
    put_gold(other, "north-mail", seen=list(reversed(SEEN)))
    assert made(other, tmp_path / "3").read_bytes() == one.read_bytes()
    put_gold(tmp_path / "more", "north-mail", seen=[*SEEN, SEEN[0][:1] + SEEN[1][1:]])
    assert made(tmp_path / "more", tmp_path / "4").read_bytes() != one.read_bytes()


def test_it_tells_coverage_and_no_name_of_a_host(package: Path) -> None:
    about = judged(package).manifest
    assert [each.model_dump() for each in about.coverage.days] == [
        {"period_code": "2026-10", "channel_code": "EMAIL", "days": 31, "of": 31},
        {"period_code": "2026-11", "channel_code": "EMAIL", "days": 30, "of": 30},
    ]
    # 903 lines, 7 of them in quarantine. A line of an SMS or call log is a message or call.
    assert [each.model_dump() for each in about.coverage.sources] == [
        {"format_code": "postfix", "sources": 1, "lines": 905, "quarantined": 5}
    ]
    assert about.code_revision == "abc1234"
    everything = b"".join(contents(package).values())
    for secret in (b"mx-secret-host", b"mail.log", b"192.0.2", b"@"):
        assert secret not in everything


def test_days_with_logs_are_those_counted_on_and_those_within_a_log_file(tmp_path: Path) -> None:
    """October has 27 days within the file; November's three are those on which something was counted."""
    put_gold(tmp_path, "north-mail", logs=("2026-10-05", "2026-10-31"))
    found = judged(made(tmp_path, tmp_path))
    assert [(each.period_code, each.days, each.of) for each in found.manifest.coverage.days] == [
        ("2026-10", 27, 31), ("2026-11", 3, 30)
    ]  # fmt: skip
    for table in (VOLUME, ROUTE):
        days = found.tables[table].select("period_code", "day_count").unique().sort("period_code")
        assert days.rows() == [("2026-10", 27), ("2026-11", 3)]
    assert found.wrong == [] and found.noted == [
        "2026-10 EMAIL has logs of 27 of 31 days: too few, it counts as not sent",
        "2026-11 EMAIL has logs of 3 of 30 days: too few, it counts as not sent",
    ]


def ledger(*pieces: tuple[str, str, str, str | None, str | None]) -> pl.DataFrame:
    """Source, file, format, first and last day with a record."""
    columns = ["source_id", "stream_id", "format_code", "first_event_date", "last_event_date"]
    return pl.DataFrame(pieces, schema=dict.fromkeys(columns, pl.String), orient="row").with_columns(
        pl.col("first_event_date", "last_event_date").str.to_date()
    )


def counted(channel: str, *november: int) -> pl.DataFrame:
    days = [dt.date(2026, 11, day) for day in november]
    return pl.DataFrame(
        {"period_code": "2026-11", "channel_code": channel, "period_date": days},
        schema={"period_code": pl.String, "channel_code": pl.String, "period_date": pl.Date},
    )


def test_a_log_file_is_of_its_formats_channels_from_its_first_record_to_its_last() -> None:
    files = ledger(
        # A file that grew, another of the same name, and one that is not read yet.
        ("mx", "a", "postfix", "2026-10-30", "2026-10-30"),
        ("mx", "a", "postfix", "2026-11-01", "2026-11-01"),
        ("mx2", "a", "postfix", "2026-11-03", "2026-11-03"),
        ("mx", "b", "postfix", None, None),
        ("sbc", "c", "asterisk", "2026-11-01", "2026-11-02"),
        # It is of no channel that others carry; a filter's log tells of no traffic that was not filtered.
        ("hub", "d", "delimited", "2026-11-01", "2026-11-30"),
        ("rspamd", "e", "rspamd", "2026-11-01", "2026-11-30"),
    )
    found = logged_days(files, counted("EMAIL")).with_columns(pl.col("period_date").dt.strftime("%m-%d"))
    days = found.group_by("channel_code").agg(pl.col("period_date").unique().sort())
    assert dict(days.rows()) == {
        "EMAIL": ["10-30", "10-31", "11-01", "11-03"],
        "VOICE_CS": ["11-01", "11-02"],
        "VOICE_IP": ["11-01", "11-02"],
    }
    assert logged_days(files.clear(), counted("EMAIL", 1)).is_empty()


@pytest.mark.parametrize("kind", ["kannel", "delimited"])
def test_quiet_days_are_no_gap_whatever_the_format(kind: str) -> None:
    """Traffic on 26 of 30 days: the four others lie in the file."""
    traffic = counted("SMS", *(day for day in range(1, 31) if day not in (7, 8, 14, 15)))
    files = ledger(("hub", "a", kind, "2026-11-01", "2026-11-30"))
    assert count_days(traffic, files) == [
        {"period_code": "2026-11", "channel_code": "SMS", "days": 30, "of": 30}
    ]
    # Whatever it carries is no channel that the log of another format tells of.
    both = ledger(("hub", "a", "delimited", "2026-11-01", "2026-11-30"),
                  ("gw", "b", "kannel", "2026-11-01", "2026-11-02"))  # fmt: skip
    assert count_days(traffic, both)[0]["days"] == 26


def test_a_gap_of_more_than_four_days_in_a_file_is_no_quiet_time() -> None:
    """A record of the 1st, and then the 28th to the 30th; and four days that are quiet, and five that are
    not."""
    files = ledger(("mx", "a", "postfix", "2026-11-01", "2026-11-30"))
    assert count_days(counted("EMAIL", 1, 28, 29, 30), files)[0]["days"] == 4
    assert count_days(counted("EMAIL", *range(1, 11), *range(15, 31)), files)[0]["days"] == 30
    assert count_days(counted("EMAIL", *range(1, 11), *range(16, 31)), files)[0]["days"] == 25


def test_a_source_that_stopped_is_told_beside_one_that_did_not() -> None:
    """The union of two hosts' days is whole, though one of them stopped on the 3rd."""
    files = ledger(
        ("mx1", "a", "postfix", "2026-11-01", "2026-11-03"),
        ("mx2", "b", "postfix", "2026-11-01", "2026-11-30"),
        ("mx3", "c", "postfix", "2026-11-01", "2026-11-27"),
    )
    traffic = counted("EMAIL", *range(1, 31))
    assert count_days(traffic, files)[0]["days"] == 30
    assert partial_sources(traffic, files) == [
        {"period_code": "2026-11", "channel_code": "EMAIL", "source_id": "mx1", "days": 3, "most": 30}
    ]


def test_a_period_without_data_is_told(root: Path) -> None:
    with pytest.raises(ObservatoryError, match="gold has no volumes of operator 'north-mail' in 2025-Q1"):
        package_of(settings_of(root), OPERATOR, "2025-Q1", None)
    with pytest.raises(ObservatoryError, match="'2026-Q5' is no period"):
        package_of(settings_of(root), OPERATOR, "2026-Q5", None)


def test_gold_that_disagrees_does_not_leave(tmp_path: Path) -> None:
    put_gold(tmp_path, "north-mail")
    types = tmp_path / "gold/spam_type_daily"
    extra = read_delta(types).filter(period_date=dt.date(2026, 10, 5))
    rows = extra.with_columns(period_date=dt.date(2026, 10, 6))
    write_delta(types, rows, ["operator_id", "period_date"])
    run = {"run_id": "2", "stage_name": "gold", "finished_at": AT, "code_revision": "abc",
           "table_versions": [{"table_name": "gold.spam_type_daily", "version": 1}]}  # fmt: skip
    write_delta(tmp_path / "meta/run", pl.DataFrame([run], schema=polars_schema("meta.run")), [])
    with pytest.raises(ObservatoryError, match=r"submission_type.csv: units of 2026-1.* compute gold again"):
        package_of(settings_of(tmp_path), OPERATOR, "2026-Q4", None)


def test_a_gold_table_that_is_not_there_is_told(tmp_path: Path) -> None:
    put_gold(tmp_path, "north-mail")
    shutil.rmtree(tmp_path / "gold/spam_route_daily")
    with pytest.raises(ObservatoryError, match=r"submission_route.csv: units of .* add up to 0, and those"):
        package_of(settings_of(tmp_path), OPERATOR, "2026-Q4", None)


def with_row(data: bytes, number: int, **cells: str) -> bytes:
    """A CSV file with cells of one row changed; the header is row 1."""
    rows = pl.read_csv(data, infer_schema=False).to_dicts()
    rows[number - 2] |= cells
    return pl.DataFrame(rows).write_csv().encode()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            {"units": "-3"},
            "submission.csv, row 2: units are of fewer units than the manifest's least_units (5)",
        ),
        ({"spam_certain": "400", "spam_possible": "399"}, "submission.csv, row 2: it breaks certain_within_"),
        ({"spam_certain": "4"}, "row 2: certain spam is of fewer units than the manifest's least_units (5)"),
        ({"spam_certain": "57"}, "row 2: undecided is of fewer units than the manifest's least_units (5)"),
        (
            {"spam_possible": "57"},
            "row 2: what is no spam is of fewer units than the manifest's least_units",
        ),
        ({"spam_possible": "99999"}, "it breaks possible_within_units (spam_possible <= units)"),
        ({"period_code": "2026-09"}, "row 2: period_code is no month of the package's period"),
        ({"direction_code": "transit"}, "row 2: direction_code is none of inbound, internal, outbound"),
        ({"outcome_code": "lost"}, "submission.csv, outcome_code: row 2: 'lost' is not in the list outcome"),
        ({"units": "12.5"}, "submission.csv, units: row 2: '12.5' is no Int64"),
        ({"units": ""}, "submission.csv, units: row 2: '' is empty and has to be given"),
        (
            {"units": "410"},
            "submission.csv, row 2, 3: units are not those of the same cell under other definitions (2\u00a0",
        ),
        (
            {"spam_certain": "50"},
            "submission_type.csv: spam_certain of 2026-10, EMAIL, inbound, recipient, CAN_SPAM add up",
        ),
    ],
)
def test_a_package_that_contradicts_itself_is_refused(
    package: Path, cells: dict[str, str], message: str
) -> None:
    data = with_row(contents(package)["submission.csv"], 2, **cells)
    assert message in told(again(package, {"submission.csv": data}))


OF_MANIFEST = [
    ("files", lambda it: it["submission_type.csv"].update(rows=7),
     "submission_type.csv: the manifest counts 7 rows, and the file has 8"),
    ("totals", lambda it: it[0].update(units=464), "totals has 2026-10, EMAIL, inbound, recipient, 464, and"
     " the rows of submission.csv add up to something else"),
    ("totals", lambda it: it.pop(0), "totals lacks what the rows add up to: 2026-10, EMAIL, inbound"),
    ("definition_codes", lambda it: it.append("CASL"),
     "definition_codes are CAN_SPAM, OPERATOR, CASL, and the rows have CAN_SPAM, OPERATOR"),
    ("subscriptions", lambda it: it.update(SMS=9), "subscriptions has SMS, of which no row is"),
    ("withheld", lambda it: it[0].update(direction_code="internal"), "submission_source.csv has rows of what"
     " manifest.json says is withheld: 2026-11, EMAIL, internal, recipient, _T"),
    ("coverage", lambda it: it["days"].pop(0), "coverage has no days of 2026-10 EMAIL, of which there are"),
    ("coverage", lambda it: it["days"].append(it["days"][0]), "coverage has 2026-10 EMAIL more than once"),
    ("coverage", lambda it: it["days"].append(it["days"][0] | {"channel_code": "SMS"}),
     "coverage has days of 2026-10 SMS, of which no row is and nothing is withheld"),
    ("coverage", lambda it: it["days"][0].update(period_code="2026-09"),
     "coverage of 2026-09 EMAIL is of no month of the package's period"),
    ("coverage", lambda it: it["days"][1].update(of=31),
     "coverage of 2026-11 EMAIL has 31 days in the month, which has 30"),
    ("coverage", lambda it: it["days"][1].update(days=31), "coverage of 2026-11 EMAIL has 31 of 30 days"),
    ("coverage", lambda it: it["sources"][0].update(quarantined=910),
     "coverage of postfix has 910 quarantined of 905 lines, from 1 sources"),
    ("coverage", lambda it: it["sources"][0].update(lines=906),
     "coverage of postfix: lines (906) is no multiple of least_units (5)"),
    ("coverage", lambda it: it["sources"][0].update(quarantined=1),
     "coverage of postfix: quarantined (1) is no multiple of least_units (5)"),
    ("least_units", lambda it: 70, "units are of fewer units than the manifest's least_units (70)"),
    ("period_code", lambda it: "2026-11", "period_code is no month of the package's period"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "message"), OF_MANIFEST)
def test_a_manifest_that_its_rows_contradict_is_refused(
    package: Path, name: str, change: Any, message: str
) -> None:
    """Right hashes do not help: whoever makes a package by hand has them."""
    manifest = json.loads(contents(package)[MANIFEST])
    made_new = change(manifest[name])
    if name in ("least_units", "period_code"):
        manifest[name] = made_new
    package.write_bytes(pack_files(contents(package) | {MANIFEST: json.dumps(manifest).encode()}))
    assert message in told(package)


@pytest.mark.parametrize(
    ("subscribers", "expected"),
    [
        (None, {None}),
        ({"EMAIL": 700, "SMS": 300}, {700}),
        ({"EMAIL": 700, "MMS": 300}, {700}),
    ],
)
def test_each_channel_has_its_own_subscriptions(
    root: Path, tmp_path: Path, subscribers: Any, expected: set[int | None]
) -> None:
    operator = Operator.model_validate(OPERATOR.model_dump() | {"subscribers": subscribers})
    found = judged(made(root, tmp_path, operator))
    assert found.wrong == []
    assert set(found.tables[VOLUME]["subscriptions"]) == expected


def test_rows_have_the_subscriptions_of_their_channel(tmp_path: Path) -> None:
    for channel in ("EMAIL", "SMS"):
        put_gold(tmp_path, "north-mail", channel)
    numbers = {"EMAIL": 700, "SMS": 300}
    operator = Operator.model_validate(OPERATOR.model_dump() | {"subscribers": numbers})
    found = judged(made(tmp_path, tmp_path, operator))
    assert found.wrong == []
    assert set(found.tables[VOLUME].select("channel_code", "subscriptions").rows()) == set(numbers.items())


def test_one_number_is_not_taken_for_several_channels(tmp_path: Path) -> None:
    put_gold(tmp_path, "north-mail")
    with pytest.raises(ObservatoryError) as told_wrong:
        subscriptions_of(OPERATOR, ["EMAIL", "SMS"])
    assert str(told_wrong.value) == (
        "operator 'north-mail' has counts of EMAIL and SMS, and `subscribers = 1000` does not say how many"
        " each has: write subscribers = { EMAIL = 1000, SMS = 1000 } with the number of each"
    )
    some = Operator.model_validate(OPERATOR.model_dump() | {"subscribers": {"SMS": 300}})
    with pytest.raises(ObservatoryError, match="'north-mail' has counts of EMAIL, and `subscribers` has no"):
        package_of(settings_of(tmp_path), some, "2026-Q4", None)
    with pytest.raises(ValueError, match="unknown channel 'EMIAL'; did you mean 'EMAIL'"):
        Operator.model_validate(OPERATOR.model_dump() | {"subscribers": {"EMIAL": 300}})
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Operator.model_validate(OPERATOR.model_dump() | {"subscribers": {"EMAIL": 0}})


def test_a_key_that_stands_twice_is_refused(package: Path) -> None:
    data = contents(package)["submission_type.csv"]
    twice = data + data.splitlines(keepends=True)[1]
    message = told(again(package, {"submission_type.csv": twice}))
    assert "submission_type.csv, respondent_id and period_code" in message
    assert "stands more than once (2\u00a0rows)" in message


def test_an_altered_package_is_refused(package: Path) -> None:
    data = with_row(contents(package)["submission.csv"], 2, units="406")
    again(package, {"submission.csv": data}, is_hashed=False)
    assert told(package) == (
        "submission.csv was altered after the package was made: its SHA-256 is not that of the manifest"
    )


def with_reference(package: Path, table: str) -> Path:
    """The package of an operator that has its own rows in a reference table."""
    manifest = json.loads(contents(package)[MANIFEST])
    manifest["references"][table] = "0" * 64
    package.write_bytes(pack_files(contents(package) | {MANIFEST: json.dumps(manifest).encode()}))
    return package


@pytest.mark.parametrize("table", ["ref.definition", "ref.measure"])
def test_a_package_by_other_definitions_is_refused(package: Path, table: str) -> None:
    """Another definition counts something else under the same code."""
    assert told(with_reference(package, table)) == (
        f"its {table} is not the study's: what it counts under a code is something else. Take the study's"
        f" {table.removeprefix('ref.')}.csv, compute gold again, and submit again"
    )


def test_a_package_that_tells_no_reference_tables_is_refused(package: Path) -> None:
    manifest = json.loads(contents(package)[MANIFEST]) | {"references": {}}
    package.write_bytes(pack_files(contents(package) | {MANIFEST: json.dumps(manifest).encode()}))
    assert "its ref.definition is not the study's" in told(package)


def test_other_rules_on_what_filters_say_are_noted(package: Path) -> None:
    found = judged(with_reference(with_reference(package, "ref.type_rule"), "ref.attribute_rule"))
    assert found.wrong == []
    assert found.noted == ["the operator's ref.attribute_rule, ref.type_rule differ from the study's"]


def test_a_reference_table_is_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order of rows, remarks beside them and line ends of the file are not what is counted; a predicate
    is."""
    file = tmp_path / "definition.csv"
    monkeypatch.setattr("jobs.base.packages.package.REFERENCE", tmp_path)
    head = "definition_code,name,predicate,source,note"
    rows = ["A,a,is_bulk = TRUE,law,", "B,b,\"outcome_code IN ('rejected', 'tagged')\",law,\"x, y\""]

    def digest(*lines: str, end: str = "\n") -> str:
        file.write_bytes((end.join(lines) + end).encode())
        return rows_digest("ref.definition")

    first = digest(head, *rows)
    assert digest(head, *reversed(rows), end="\r\n") == first
    assert digest(head, rows[0].replace("law", "another law"), rows[1]) == first
    assert digest(head, rows[0], rows[1].replace(", 'tagged'", "")) != first
    assert digest(head, rows[0]) != first


FRAME = pl.DataFrame(
    [
        {"respondent_id": who, "channel_code": channel, "subscriptions": size, "valid_from": since,
         "valid_to": until}
        for who, channel, size, since, until in (
            ("north", "EMAIL", 7, dt.date(2020, 1, 1), dt.date(2026, 12, 31)),
            ("north", "EMAIL", 1000, dt.date(2026, 12, 31), None),
            ("north", "SMS", 7, dt.date(2020, 1, 1), None),
            ("south", "EMAIL", 7, dt.date(2020, 1, 1), None),
        )
    ],
    schema=polars_schema("ref.operator_frame"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("subscribers", "is_far"), [(1000, False), (3000, False), (3001, True), (334, False), (333, True)]
)
def test_subscriptions_far_from_the_frames_are_refused(
    root: Path, tmp_path: Path, subscribers: int, is_far: bool
) -> None:
    operator = Operator.model_validate(OPERATOR.model_dump() | {"subscribers": subscribers})
    found = judge_file(made(root, tmp_path, operator), settings_of(root), RESPONDENTS, AT, FRAME)
    expected = [
        f"it has {subscribers:,} subscriptions to EMAIL, and the study's frame has 1,000, more than 3 times"
        " as many or few: if the frame is wrong, correct subscriptions in its line of operator_frame.csv;"
        " else the operator corrects `subscribers` in its settings and submits again"
    ]
    assert found.wrong == (expected if is_far else [])


def test_all_that_is_wrong_is_told_at_once(package: Path) -> None:
    manifest = json.loads(contents(package)[MANIFEST])
    manifest |= {"operator_id": "nord-mail", "contract_digest": "0" * 64}
    data = with_row(contents(package)["submission.csv"], 2, units="406")
    again(package, {"submission.csv": data, MANIFEST: json.dumps(manifest).encode()}, is_hashed=False)
    message = told(package)
    assert "unknown operator 'nord-mail'" in message
    assert "did you mean 'north-mail'?" in message
    assert "it was made by another version of the contracts (000000000000, here" in message
    assert "submission.csv was altered" in message


def test_an_unknown_operator_is_told_alone(package: Path) -> None:
    """Tables whose rows then have no respondent are not named beside it."""
    manifest = json.loads(contents(package)[MANIFEST]) | {"operator_id": "nord-mail"}
    again(package, {MANIFEST: json.dumps(manifest).encode()})
    message = told(package)
    assert message.startswith("unknown operator 'nord-mail'") and len(message.splitlines()) == 1


def test_another_country_than_the_list_is_refused(package: Path) -> None:
    manifest = json.loads(contents(package)[MANIFEST]) | {"country_code": "FRA"}
    again(package, {MANIFEST: json.dumps(manifest).encode()})
    assert "it says that 'north-mail' is in FRA; the study's list of respondents says FJI" in told(package)


def test_a_manifest_that_is_none_is_refused(package: Path) -> None:
    again(package, {MANIFEST: b'{"form": 1, "surprise": true}'}, is_hashed=False)
    assert "manifest.json: form: Input should be a valid string" in told(package)
    assert "manifest.json: surprise: Extra inputs are not permitted" in told(package)


def test_an_archive_that_is_a_trap_is_refused(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = contents(package)
    package.write_bytes(pack_files(good | {"../../outside.csv": b"x"}))
    assert told(package) == "it holds '../../outside.csv', which no package has"
    assert not (package.parent.parent.parent / "outside.csv").exists()
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(package, "w") as archive:
        archive.writestr(MANIFEST, good[MANIFEST])
        archive.writestr(MANIFEST, b"{}")
    assert told(package) == "it holds manifest.json more than once"
    monkeypatch.setattr("jobs.base.packages.package.LARGEST", 2**20)
    package.write_bytes(pack_files(good | {"submission.csv": b"0" * 2**22}))
    assert package.stat().st_size < 2**16
    assert told(package) == "it unpacks to more than 1 MB"
    whole = pack_files(good)
    package.write_bytes(whole[: len(whole) // 2])
    assert "it is no zip archive that can be read" in told(package)
    package.write_bytes(whole[:60] + b"\xff\xff\xff" + whole[63:])
    assert told(package) != ""


@pytest.fixture(scope="module")
def keys() -> Iterator[Path]:
    """A GnuPG home with two keys of nobody. Its agent's socket needs a short path."""
    home = Path(tempfile.mkdtemp(prefix="g", dir="/tmp"))
    before = os.environ.get("GNUPGHOME")
    os.environ["GNUPGHOME"] = str(home)
    for name in ("north", "other"):
        kind = ("future-default", "default", "never")
        gpg_done("--passphrase", "", "--quick-gen-key", f"{name} <{name}@north.example>", *kind)
        (home / f"{name}.asc").write_text(gpg_done("--armor", "--export", f"{name}@north.example"))
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    if before is None:
        del os.environ["GNUPGHOME"]
    else:
        os.environ["GNUPGHOME"] = before
    shutil.rmtree(home)


def gpg_done(*words: str) -> str:
    return subprocess.run(["gpg", "--batch", *words], check=True, capture_output=True, text=True).stdout


def fingerprint(name: str) -> str:
    rows = gpg_done("--with-colons", "--list-keys", f"{name}@north.example").splitlines()
    return next(row.split(":")[9] for row in rows if row.startswith("fpr"))


def test_a_signed_and_encrypted_package_is_verified(root: Path, tmp_path: Path, keys: Path) -> None:
    signed = package_of(settings_of(root), OPERATOR, "2026-Q4", "north@north.example")
    file = write_package(signed, tmp_path, fingerprint("other"))
    assert file.name == "north-mail_2026-Q4.zip.gpg"
    assert b"manifest" not in file.read_bytes()
    found = judged(file, keyring=str(keys), require_signature=True)
    assert found.wrong == []
    assert found.signer == fingerprint("north")
    # Without a keyring it is taken as one that nobody signed.
    assert judged(file).signer is None


@pytest.mark.long
def test_a_signature_that_is_not_the_respondents_is_refused(root: Path, tmp_path: Path, keys: Path) -> None:
    file = made(root, tmp_path, key="other@north.example")
    study: dict[str, Any] = {"keyring": str(keys), "require_signature": True}
    # The other's key is in the keyring, too: it is not the respondent's.
    assert (keys / "other.asc").is_file()
    assert "the signature is not good by north.asc of the keyring" in told(file, **study)
    good = made(root, tmp_path, key="north@north.example")
    assert told(good, **study) == ""
    signed = contents(good)
    manifest = json.loads(signed[MANIFEST]) | {"subscriptions": {"EMAIL": 9}}
    good.write_bytes(pack_files(signed | {MANIFEST: json.dumps(manifest).encode()}))
    assert "the signature is not good by north.asc" in told(good, **study)
    assert "BAD signature" in told(good, **study)
    assert "it is not signed, and [study] require_signature asks for it" in told(
        made(root, tmp_path), **study
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    again_signed = made(root, tmp_path, key="north@north.example")
    assert "the keyring has no north.asc" in told(again_signed, keyring=str(empty))


def test_what_gpg_cannot_do_is_told(
    root: Path, tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ObservatoryError, match=r"no signature by the key 'nobody': .*gpg --list-secret-keys"):
        package_of(settings_of(root), OPERATOR, "2026-Q4", "nobody")
    plain = package_of(settings_of(root), OPERATOR, "2026-Q4", None)
    with pytest.raises(ObservatoryError, match="--encrypt-to nobody: .* whole fingerprint"):
        write_package(plain, tmp_path, "nobody")
    (tmp_path / "noise.zip.gpg").write_bytes(b"noise")
    assert "it cannot be decrypted: no valid OpenPGP data found" in told(tmp_path / "noise.zip.gpg")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ObservatoryError, match="gpg is not installed"):
        write_package(plain, tmp_path, "nobody")


def test_the_settings_ask_for_no_signature_that_none_can_verify() -> None:
    with pytest.raises(ValueError, match="require_signature needs keyring"):
        settings_of(Path(), require_signature=True)


def loaded(lake: Lake, *files: Judged) -> list[str]:
    land_packages(lake, list(files), "test")
    return [line for each in files for line in each.wrong]


def state(lake: Lake) -> dict[str, int]:
    found = {table: lake.version(table) for table in (*PACKAGE_TABLES, RECEIPT)}
    # What readers are told of is what there is.
    assert lake.versions() == found
    return found


@pytest.mark.long
def test_loading_replaces_the_operators_own_months(root: Path, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    mail, sms = (made(root, tmp_path, each) for each in (OPERATOR, OTHER))
    # Of two that are loaded together the one received last stands.
    first_root = tmp_path / "first"
    put_gold(first_root, "north-mail", seen=SEEN[:3])
    earlier = AT - dt.timedelta(days=1)
    early = judge_file(made(first_root, tmp_path / "f"), settings_of(root), RESPONDENTS, earlier)
    assert loaded(lake, judged(mail), early, judged(sms)) == []
    expected = pl.concat([judged(mail).tables[VOLUME], judged(sms).tables[VOLUME]])
    by = [*GROUP, "definition_code", "stage_code", "outcome_code"]
    found = lake.read(VOLUME)
    assert found.select(expected.columns).sort(by).equals(expected.sort(by))
    first = state(lake)
    # The same again is known, and a refused one changes nothing.
    same = judged(mail)
    assert loaded(lake, same) == []
    assert same.is_known
    bad = again(made(root, tmp_path / "bad"), {"submission.csv": b"units\n1\n"})
    assert loaded(lake, judged(bad)) != []
    assert state(lake) == first
    # A newer one takes the place of October and November of mail, and of nothing else.
    newer_root = tmp_path / "newer"
    put_gold(newer_root, "north-mail", seen=[row for row in SEEN if row[0] != "2026-11-02"])
    newer = judge_file(
        made(newer_root, tmp_path / "n"), settings_of(root), RESPONDENTS, AT + dt.timedelta(days=1)
    )
    assert loaded(lake, newer) == []
    outbound = lake.read(VOLUME).filter(pl.col("direction_code") == "outbound")
    assert outbound["channel_code"].to_list() == ["SMS", "SMS"]
    assert lake.read(RECEIPT).height == 4
    second = state(lake)
    # The old one is known, and another that came in before the one that stands does not replace it.
    old = judged(mail)
    assert loaded(lake, old) == []
    assert old.is_known
    late_root = tmp_path / "late"
    put_gold(late_root, "north-mail", seen=SEEN[:2])
    (message,) = loaded(lake, judged(made(late_root, tmp_path / "l")))
    assert message.startswith("it was received 2027-01-10 00:00, and north-mail_2026-Q4.zip of 2027-01-11")
    assert state(lake) == second


def sent(folder: Path, seen: Rows, day: int | None, name: str) -> Judged:
    """A package of the quarter with these days in it, received on a day of January; the day that it was saved
    without one."""
    if not (folder / name).exists():
        put_gold(folder / name / "lake", "north-mail", seen=seen)
    file = made(folder / name / "lake", folder / name)
    received = None if day is None else dt.datetime(2027, 1, day, tzinfo=dt.UTC)
    os.utime(file, (AT.timestamp(), AT.timestamp()))
    settings = settings_of(Path("unused"))
    later = settings.lake.model_copy(update={"read_at": AT + dt.timedelta(days=10)})
    return judge_file(file, settings.model_copy(update={"lake": later}), RESPONDENTS, received)


def day_of(date: str, units: int) -> tuple[Any, ...]:
    return (date, "inbound", "delivery", "delivered", "UNK", "KEN", units, 0, 0)


def months_in(lake: Lake) -> dict[str, int]:
    found = lake.read(VOLUME).filter(pl.col("definition_code") == "OPERATOR")
    return dict(found.group_by("period_code").agg(pl.col("units").sum()).sort("period_code").rows())


@pytest.mark.long
def test_a_corrected_package_leaves_nothing_of_the_former_and_one_can_go_back(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    whole = [day_of("2026-10-02", 50), day_of("2026-11-02", 60), day_of("2026-12-02", 70)]
    # What the second has of November is too few to leave, and of December it has nothing.
    fewer = [day_of("2026-10-02", 40), day_of("2026-11-02", 3)]
    first = functools.partial(sent, tmp_path, whole, name="first")
    assert loaded(lake, first(10), sent(tmp_path, fewer, 11, "second")) == []
    assert months_in(lake) == {"2026-10": 40}
    # Also if the two are not loaded together.
    assert loaded(lake, first(12)) == []
    assert months_in(lake) == {"2026-10": 50, "2026-11": 60, "2026-12": 70}
    again_second = sent(tmp_path, fewer, 13, "second")
    assert loaded(lake, again_second) == []
    assert months_in(lake) == {"2026-10": 40}
    assert lake.read(RECEIPT).height == 4
    # Of what lies in the inbox nobody says when it came in: it is known, and what stands is said.
    before = state(lake)
    (old, current) = first(None), sent(tmp_path, fewer, None, "second")
    assert loaded(lake, old) + loaded(lake, current) == []
    assert old.is_known and current.is_known and state(lake) == before
    assert current.noted == []
    assert old.noted == [
        "north-mail_2026-Q4.zip of 2027-01-13 00:00 stands in its place: give the time that this one came in"
        " again as --received to take it"
    ]
    # The same receipt is no other one, and what came in before what stands is refused.
    same = first(12)
    assert loaded(lake, same) == [] and same.is_known
    # Of December the quarter's package said that there is nothing.
    put_gold(tmp_path / "month", "north-mail", seen=whole)
    month = write_package(
        package_of(settings_of(tmp_path / "month"), OPERATOR, "2026-12", None), tmp_path / "month", None
    )
    (message,) = loaded(lake, judge_file(month, settings_of(Path("unused")), RESPONDENTS, AT))
    assert message.startswith("it was received 2027-01-10 00:00, and north-mail_2026-Q4.zip of 2027-01-13")
    assert months_in(lake) == {"2026-10": 40}


@pytest.mark.long
@pytest.mark.parametrize("table", PACKAGE_TABLES)
def test_a_package_whose_loading_stops_halfway_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    first, second = (sent(tmp_path, [day_of("2026-10-02", units)], day, f"of {day}")
                     for units, day in ((50, 10), (40, 11)))  # fmt: skip
    assert loaded(lake, first) == []
    before = state(lake)
    replace = Lake.replace

    def stops(self: Lake, frame: pl.DataFrame, of: str, where: str, note: Any = None) -> int:
        if of == table:
            raise OSError("No space left on device")
        return replace(self, frame, of, where, note)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(Lake, "replace", stops)
        loaded(lake, second)
    assert lake.versions() == before
    named = lake.read(VOLUME, before[VOLUME]).filter(definition_code="OPERATOR")
    assert named["units"].to_list() == [50]
    # The next loading does all of it again.
    assert loaded(lake, sent(tmp_path, [day_of("2026-10-02", 40)], 11, "of 11")) == []
    assert months_in(lake) == {"2026-10": 40}
    state(lake)


def test_what_was_signed_is_not_replaced_by_what_is_not(tmp_path: Path, keys: Path) -> None:
    """Sign, load, strip, change, load."""
    lake = Lake(str(tmp_path / "lake"))
    study = settings_of(Path("unused"), keyring=str(keys))
    signed = made_of(tmp_path / "signed", SEEN, "north@north.example")
    good = judge_file(signed, study, RESPONDENTS, AT)
    assert loaded(lake, good) == [] and good.signer == fingerprint("north")
    changed = made_of(tmp_path / "changed", SEEN[:2], None)
    assert SIGNATURE in contents(signed) and SIGNATURE not in contents(changed)
    later = AT + dt.timedelta(days=1)
    with_key = judge_file(changed, study, RESPONDENTS, later)
    assert with_key.wrong == [
        "it is not signed, and the keyring has the respondent's key north.asc: have it sent again by"
        " `observatory submit --sign`; if the respondent lost its key, put its new one into the keyring"
    ]
    # Nor where the study has lost its keyring, or the key is gone from it.
    empty = tmp_path / "empty"
    empty.mkdir()
    for keyring in (None, str(empty)):
        without = judge_file(changed, settings_of(Path("unused"), keyring=keyring), RESPONDENTS, later)
        (message,) = loaded(lake, without)
        assert message == (
            "north-mail_2026-Q4.zip of 2027-01-10 of the same respondent was signed by its key, and this one"
            " is not signed: have it sent again by `observatory submit --sign`; if the respondent lost its"
            " key, put its new one into the keyring"
        )
    of_key = made_of(tmp_path / "again", SEEN[:2], "north@north.example")
    (message,) = loaded(lake, judge_file(of_key, settings_of(Path("unused")), RESPONDENTS, later))
    assert message.endswith("this one's signature is not verified: name [study] keyring in the settings")
    assert lake.read(RECEIPT).height == 1
    # What it signs again is taken.
    assert loaded(lake, judge_file(of_key, study, RESPONDENTS, later)) == []


def made_of(folder: Path, seen: Rows, key: str | None) -> Path:
    put_gold(folder / "lake", "north-mail", seen=seen)
    return made(folder / "lake", folder, key=key)


@pytest.mark.long
def test_an_operator_that_gave_a_channel_up_leaves_it_to_another(tmp_path: Path) -> None:
    both = tmp_path / "both"
    for channel in ("EMAIL", "SMS"):
        put_gold(both, "north-mail", channel)
    subscribers = {"subscribers": {"EMAIL": 700, "SMS": 300}}
    operator = Operator.model_validate(OPERATOR.model_dump() | subscribers)
    lake = Lake(str(tmp_path / "lake"))
    assert loaded(lake, judged(made(both, tmp_path / "1", operator))) == []
    put_gold(tmp_path / "texts", "north-sms", "SMS")
    texts = made(tmp_path / "texts", tmp_path / "2", OTHER)
    (message,) = loaded(lake, judged(texts))
    assert message.startswith("operator 'north-mail' gave SMS of these months")
    alone = sent(tmp_path, SEEN, 11, "alone")
    assert loaded(lake, alone) == []
    assert set(lake.read(VOLUME)["channel_code"]) == {"EMAIL"}
    assert loaded(lake, judged(texts)) == []
    assert set(lake.read(VOLUME)["channel_code"]) == {"EMAIL", "SMS"}
    # What it once had is not its to replace any more.
    assert loaded(lake, sent(tmp_path, SEEN, 12, "alone")) == []
    assert set(lake.read(VOLUME)["channel_code"]) == {"EMAIL", "SMS"}


@pytest.mark.long
def test_one_operator_answers_for_a_channel_of_a_respondent(root: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    put_gold(both, "north-mail")
    put_gold(both, "north-sms", "EMAIL")
    one, two = (judged(made(both, tmp_path / each.id, each)) for each in (OPERATOR, OTHER))
    lake = Lake(str(tmp_path / "lake"))
    assert loaded(lake, one) == []
    (message,) = loaded(lake, two)
    assert message.startswith("operator 'north-mail' gave EMAIL of these months for the same respondent")
    assert lake.read(RECEIPT).height == 1


@pytest.mark.long
def test_two_packages_of_the_same_time_are_not_guessed_about(root: Path, tmp_path: Path) -> None:
    put_gold(tmp_path / "other", "north-mail", seen=SEEN[:3])
    one, two = judged(made(root, tmp_path / "1")), judged(made(tmp_path / "other", tmp_path / "2"))
    same = judged(made(root, tmp_path / "3"))
    refuse_same_time([one, same, two])
    assert (one.wrong, same.wrong) == ([], [])
    assert two.wrong[0].startswith(
        "north-mail_2026-Q4.zip is of the same months and came in at the same time"
    )


@pytest.fixture
def node(root: Path, tmp_path: Path) -> Path:
    """Settings of an operator and a study node in one, with an inbox."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "respondents.csv").write_text(
        "respondent_id,name,role,country,holding,operator_ids,language,size_class\n"
        "north,North,O,FJI,north,north-mail,en,S1\n"
    )
    file = tmp_path / "observatory.toml"
    file.write_text(f"""
[lake]
root = "{root}"
[study]
respondents = "respondents.csv"
inbox = "inbox"
require_signature = false
{NORTH}subscribers = 1000
""")
    return file


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "160"})


@pytest.mark.long
def test_no_package_leaves_whose_gold_breaks_an_expectation(root: Path, node: Path, tmp_path: Path) -> None:
    table = "gold.spam_type_daily"
    file = node.parent / "inbox" / "north-mail_2026-Q4.zip"
    put_gold(tmp_path / "lake", "north-mail")
    node.write_text(node.read_text().replace(str(root), str(tmp_path / "lake")))
    (part, *_) = sorted((tmp_path / "lake" / table.replace(".", "/")).rglob("*.parquet"))
    pl.read_parquet(part, hive_partitioning=False).with_columns(units=pl.lit(0, pl.Int64)).write_parquet(part)
    done = run("submit", "--config", node, "--period", "2026-Q4", "--output", file.parent)
    assert (done.exit_code, file.exists()) == (1, False)
    assert f"{table}: expectation possible_within_units is broken on" in str(done.exception)
    assert str(done.exception).endswith("north-mail, 2026-Q4: no package was made.")


@pytest.mark.long
def test_the_command_line_submits_and_checks(node: Path) -> None:
    inbox = node.parent / "inbox"
    done = run("submit", "--config", node, "--period", "2026-Q4", "--output", inbox)
    assert done.exit_code == 0, done.output
    assert "31 of 31" in done.output
    assert "1 group withheld: fewer than 5 units" in done.output
    file = inbox / "north-mail_2026-Q4.zip"
    assert done.output.splitlines()[-1] == (
        f"To send: {file}; not signed, and a study refuses it unless it accepts unsigned packages: sign with"
        " --sign KEY"
    )
    checked = run("study", "load", "--config", node, "--check")
    assert checked.exit_code == 0, checked.output
    assert "in order" in checked.output
    (inbox / "noise.zip").write_bytes(b"noise")
    refused = run("study", "load", "--config", node, "--check")
    assert isinstance(refused.exception, ObservatoryError)
    assert refused.exception.exit_code == 2
    assert f"{inbox / 'noise.zip'}: it is no zip archive that can be read" in str(refused.exception)
    assert str(refused.exception).endswith("1 in order, 1 refused; nothing was loaded")


def test_an_inbox_without_a_package_says_so_and_names_what_else_is_there(node: Path) -> None:
    """A package that a mail program renamed would wait there unseen."""
    inbox = node.parent / "inbox"
    inbox.mkdir(exist_ok=True)
    assert f"No package in {inbox}." in run("study", "load", "--config", node).output
    (inbox / "north-mail_2026-Q4.zip.asc").write_bytes(b"mail")
    told = run("study", "load", "--config", node, "--check")
    assert told.exit_code == 0 and f"No package in {inbox}." in told.output
    said = "".join(told.stderr.splitlines())
    assert f"{inbox / 'north-mail_2026-Q4.zip.asc'}: no package, whose name ends in .zip or .zip.gpg" in said


def test_what_is_missing_for_loading_is_told(node: Path) -> None:
    (node.parent / "respondents.csv").rename(node.parent / "others.csv")
    message = str(run("study", "load", "--config", node).exception)
    assert message == (
        f"[study] respondents: {node.parent / 'respondents.csv'} does not exist; write it with the columns"
        " respondent_id, name, role, country, holding, operator_ids, language, size_class"
    )
    (node.parent / "others.csv").rename(node.parent / "respondents.csv")
    absent = run("study", "load", "--config", node, "--check", node.parent / "absent.zip")
    assert str(absent.exception) == f"{node.parent / 'absent.zip'}: no such file"
    node.write_text(node.read_text().replace('inbox = "inbox"', ""))
    assert "as [study] inbox" in str(run("study", "load", "--config", node).exception)
    assert "as [study] files" in str(run("study", "estimate", "--config", node).exception)


@pytest.mark.long
def test_estimates_stand_until_something_that_they_rest_on_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.study.estimates.steps import study_stage

    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "denominator.csv").write_text("a\n")
    lake = Lake(str(tmp_path / "lake"))
    settings = Observatory()
    assert not study_stage.is_current(lake, settings, folder)
    for table in study_stage.SUBMITTED_TABLES:
        lake.append(rows_frame([{"period_code": "2026-11"}], table), table)
    inputs = study_stage.digest_inputs(lake, folder, study_stage.chosen_targets(settings, Gap()))
    part = dict(zip(("table_name", "operator_id", "period"), study_stage.FIRST, strict=True))
    ran = {
        "run_id": "1", "stage_name": "study", "finished_at": AT,
        "table_versions": [],
        "partitions": [part | {"row_count": 1, "checksum": "", "input_checksum": inputs}],
    }  # fmt: skip
    lake.append(rows_frame([ran], "meta.run"), "meta.run")
    assert study_stage.is_current(lake, settings, folder)
    (folder / "denominator.csv").write_text("b\n")
    assert not study_stage.is_current(lake, settings, folder)
    (folder / "denominator.csv").write_text("a\n")
    assert study_stage.is_current(lake, settings, folder)
    monkeypatch.chdir(tmp_path)
    assert study_stage.is_current(lake, settings, Path("files")), "the same files by another path"
    other = Observatory(study=Study(gap=Gap(norm={"EMAIL": 0.8})))
    assert not study_stage.is_current(lake, other, folder)
    lake.append(rows_frame([{"period_code": "2026-12"}], "study.submission"), "study.submission")
    assert not study_stage.is_current(lake, settings, folder)

"""`observatory show`: tables on a narrow terminal, columns, SQL that reads the lake and nothing else."""

import csv
import datetime as dt
import io
import json
from pathlib import Path

import duckdb
import polars as pl
import pytest
from rich.console import Console

from jobs.base.core.errors import ObservatoryError
from jobs.base.store.lake import Lake
from jobs.base.tables import contracts
from jobs.base.tables.contracts import read_contract, rows_frame
from jobs.cli.query import named_tables, run_sql, show_lake
from jobs.cli.rows import parse_columns, print_table, read_rows
from jobs.cli.tables import key_first, measures_first
from tests.cli.conftest import Observatory
from tests.conftest import ROOT
from tests.support.documents import commands

VOLUME = "gold.spam_volume_daily"
DAY = dt.date(2026, 11, 24)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two operators' days of volume, of which a run names the first version, and an empty table."""
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    common = {
        "channel_code": "EMAIL", "direction_code": "inbound", "stage_code": "delivery",
        "outcome_code": "delivered", "unit_code": "recipient", "definition_code": "OPERATOR",
        "spam_certain": 1, "spam_possible": 2,
    }  # fmt: skip
    rows = [
        {"operator_id": operator, "period_date": DAY + dt.timedelta(days=day), "units": 1000 * (day + 1)}
        | common
        for operator in ("a", "b")
        for day in range(3)
    ]
    lake.append(rows_frame(rows, VOLUME), VOLUME)
    named = [{"table_name": VOLUME, "version": lake.version(VOLUME)}]
    lake.append(rows_frame([{"run_id": "r", "table_versions": named}], "meta.run"), "meta.run")
    lake.append(rows_frame([rows[0] | {"outcome_code": "tagged"}], VOLUME), VOLUME)
    return lake


def test_the_guides_query_gives_the_reports_figures(tmp_path: Path) -> None:
    """Other definitions, units and directions are in no figure of the report."""
    row = {
        "operator_id": "a", "period_date": DAY, "channel_code": "EMAIL", "direction_code": "inbound",
        "stage_code": "delivery", "outcome_code": "delivered", "unit_code": "recipient",
        "definition_code": "OPERATOR", "units": 100, "spam_certain": 10, "spam_possible": 20,
    }  # fmt: skip
    others = ("internal", "direction_code"), ("outbound", "direction_code"), ("message", "unit_code")
    changed = [row | {name: code} for code, name in (*others, ("BULK", "definition_code"))]
    lake = Lake(str(tmp_path))
    lake.append(rows_frame([row, *changed], VOLUME), VOLUME)
    named = [{"table_name": VOLUME, "version": lake.version(VOLUME)}]
    lake.append(rows_frame([{"run_id": "r", "table_versions": named}], "meta.run"), "meta.run")
    (query,) = [
        words[words.index("--sql") + 1]
        for words in commands(ROOT / "docs" / "operator.md")
        if "--sql" in words
    ]
    assert run_sql(lake, query, None)[0].rows() == [("EMAIL", 200, 20, 40)]


def drawn(
    frame: pl.DataFrame, monkeypatch: pytest.MonkeyPatch, width: int | None, count: int | None = None
) -> str:
    if width is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    console = Console(file=out, width=width or 80)
    print_table(frame, VOLUME, console, count or frame.height, read_contract(VOLUME).key)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 60, 40])
def test_no_line_is_wider_and_no_word_is_broken(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    rows, count = read_rows(lake, VOLUME, None, 4)
    assert (rows.height, count) == (4, 6)
    text = drawn(rows, monkeypatch, width, count)
    assert max(map(len, text.splitlines())) <= width
    words = set(text.replace("┃", " ").replace("│", " ").replace(",", " ").replace(".", " ").split())
    # Every column is in the table, or named below it.
    assert set(rows.columns) <= words
    assert "4 of 6 rows shown" in text and "In all of them: channel_code EMAIL" in text


def test_a_pipe_gets_all_columns_on_one_line_a_row(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = read_rows(lake, VOLUME, None, None)
    text = drawn(rows, monkeypatch, None)
    (head,) = [line for line in text.splitlines() if line.startswith("┃")]
    assert [cell.strip() for cell in head.strip("┃").split("┃")] == rows.columns
    assert "\x1b" not in text


def test_long_and_nested_values_and_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame(
        {"text": ["a\x1b[31m" + "long " * 20, "b"], "list": [["x"], []], "none": [None, None]}
    )
    text = drawn(frame, monkeypatch, 80)
    assert "a\\x1b[31mlong" in text and "…" in text and '["x"]' in text
    assert "Values after … are cut" in text


def test_columns_are_chosen_in_order(lake: Lake) -> None:
    names = parse_columns("units, operator_id,units", VOLUME)
    assert names == ["units", "operator_id"]
    rows, _ = read_rows(lake, VOLUME, "operator_id = 'b'", 1, columns=names)
    assert rows.rows() == [(1000, "b")]
    with pytest.raises(ObservatoryError, match="no column 'unit'.*'units'"):
        parse_columns("unit", VOLUME)


def test_what_a_row_is_of_stands_before_what_it_says() -> None:
    """The contract of an answer names its file last, which is a part of its key."""
    contract = read_contract("study.questionnaire_answer")
    names = key_first(contract)
    assert tuple(names[: len(contract.key)]) == contract.key
    assert sorted(names) == sorted(contract.columns) and len(set(names)) == len(names)
    others = [name for name in contract.columns if name not in contract.key]
    assert names[len(contract.key) :] == others


def test_a_narrow_terminal_shows_when_and_how_much_before_where_it_was_read() -> None:
    needed, then = measures_first(read_contract("silver.complaint"))
    assert (needed, then) == (["incident_count", "operator_id", "complaint_hash", "period_date"], [])
    needed, then = measures_first(read_contract(VOLUME))
    assert needed[0] == "units" and "period_date" in needed and "spam_certain" in then


def test_sql_sees_the_versions_that_belong_together(lake: Lake) -> None:
    query = f"SELECT operator_id, period_date, sum(units) AS units FROM {VOLUME} GROUP BY ALL ORDER BY ALL"
    rows, count = run_sql(lake, query, None)
    assert (rows.height, count) == (6, 6)
    assert rows.row(0) == ("a", DAY, 1000)
    rows, count = run_sql(lake, f"SELECT * FROM {VOLUME}", 2)
    assert (rows.columns, rows.height, count) == (read_contract(VOLUME).columns, 2, 6)
    joined = f"""
        WITH totals AS (SELECT definition_code, sum(units) AS units FROM {VOLUME} GROUP BY 1)
        SELECT name, units FROM totals JOIN ref.definition USING (definition_code)
        WHERE NOT EXISTS (SELECT 1 FROM silver.message)
    """
    assert run_sql(lake, joined, None)[0].rows() == [("Blocked or tagged by the operator", 12000)]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT * FROM gold.spam_volume_dayly", "unknown table .*did you mean 'gold.spam_volume_daily'"),
        ("SELECT nothing FROM gold.spam_volume_daily", "--sql: .*nothing"),
        ("SELEC 1", "--sql: .*SELEC"),
        ("SELECT 1; SELECT 2", "takes one query"),
        ("DROP VIEW gold.spam_volume_daily", "takes one query"),
        ("COPY (SELECT 1) TO '/tmp/observatory-never'", "takes one query"),
        ("SET enable_external_access = true", "takes one query"),
        ("SELECT * FROM read_text('/etc/hostname')", "--sql: .*Permission"),
        ("SELECT * FROM '/etc/passwd'", "--sql: "),
        ("SELECT * FROM glob('/etc/*')", "--sql: .*Permission"),
        ("SELECT * FROM lake", "--sql: "),
        ("ATTACH '/tmp/observatory-never.db'", "takes one query"),
        ("INSTALL httpfs", "takes one query"),
    ],
)
def test_sql_reads_the_lake_and_nothing_else(lake: Lake, sql: str, told: str) -> None:
    with pytest.raises(ObservatoryError, match=f"(?s){told}"):
        run_sql(lake, sql, 20)
    assert not Path("/tmp/observatory-never").exists()


def test_tables_of_a_query_are_those_of_contracts() -> None:
    assert named_tables(
        "WITH x AS (SELECT 1) SELECT * FROM x, gold.spam_type_daily t, gold.spam_type_daily u"
    ) == ["gold.spam_type_daily"]


def test_what_the_lake_holds_and_how_others_open_it(lake: Lake, tmp_path: Path) -> None:
    out = io.StringIO()
    show_lake(lake, Console(file=out, width=80))
    text = out.getvalue()
    assert "gold.spam_volume_daily" in text and " 6 " in text
    # The lines for Polars run as they stand.
    call = text[text.index("polars.read_delta(") :].split("DuckDB")[0].strip()
    frame = eval(call, {"polars": pl})
    assert frame.height == 6
    assert "delta_scan(" in text and 'option("versionAsOf", 1)' in text
    out = io.StringIO()
    show_lake(Lake(str(tmp_path / "none")), Console(file=out, width=80))
    assert "no tables yet" in out.getvalue()


def test_duckdb_stays_locked_whatever_it_is_asked() -> None:
    """The settings that run_sql relies on do what they say in the version that is installed."""
    connection = duckdb.connect()
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    for sql in ("SET enable_external_access = true", "SELECT * FROM read_text('/etc/hostname')"):
        with pytest.raises(duckdb.Error):
            connection.execute(sql)


def test_the_catalogue_names_every_table_and_key(
    observatory: Observatory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So wide that no key is cut into lines.
    monkeypatch.setenv("COLUMNS", "300")
    told = observatory("tables")
    assert told.code == 0
    for table in contracts.list_tables():
        assert table in told.out
    assert "operator_id, message_hash, recipient_hash" in " ".join(told.out.split())


def test_show_prints_a_table_as_the_last_run_left_it(show: Observatory) -> None:
    told = show("show", "gold.spam_volume_daily")
    assert told.code == 0
    assert "1,234,567" in told.out
    assert "3 rows shown" in told.out
    assert "tagged" not in told.out


def test_show_as_csv_json_and_parquet(show: Observatory, tmp_path: Path) -> None:
    names = read_contract("gold.spam_volume_daily").columns
    as_csv = show("show", "gold.spam_volume_daily", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert list(rows[0]) == names
    # In the order of the key.
    assert [(row["unit_code"], row["units"]) for row in rows] == [
        ("attempt", "7"),
        ("message", "1000"),
        ("recipient", "1234567"),
    ]
    as_json = show("show", "gold.spam_volume_daily", "--format", "json", "--where", "units > 100")
    found = [json.loads(line) for line in as_json.out.splitlines()]
    assert [row["units"] for row in found] == [1000, 1234567]
    assert found[0]["period_date"] == "2026-11-24"
    file = tmp_path / "volume.parquet"
    told = show("show", "gold.spam_volume_daily", "--format", "parquet", "--output", file, "--limit", 2)
    assert (told.code, told.out) == (0, "")
    assert f"2 rows in {file}" in told.err.replace("\n", "")
    assert pl.read_parquet(file)["units"].to_list() == [7, 1000]
    file = tmp_path / "volume.csv"
    assert show("show", "gold.spam_volume_daily", "--format", "csv", "--output", file).out == ""
    assert file.read_text(encoding="utf-8") == as_csv.out


def test_nested_values_are_json_in_csv(show: Observatory) -> None:
    told = show("show", "meta.run", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(told.out))
    assert json.loads(row["ingest_ids"]) == ["i1", "i2"]
    names = ("gold.spam_volume_daily", "silver.message")
    assert json.loads(row["table_versions"]) == [{"table_name": name, "version": 1} for name in names]
    assert row["partitions"] == ""


def test_sketches_are_shown_as_what_they_count_and_kept_in_parquet(show: Observatory, tmp_path: Path) -> None:
    told = show("show", "gold.bypass_indicator_daily", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(told.out))
    assert row["flagged_sender_sketch"] == "3"
    file = tmp_path / "rows.parquet"
    show("show", "gold.bypass_indicator_daily", "--format", "parquet", "--output", file)
    assert isinstance(pl.read_parquet(file)["flagged_sender_sketch"][0], bytes)


@pytest.mark.parametrize(("least", "rows"), [(3, 1), (4, 0)])
def test_a_condition_on_a_sketch_is_on_its_count(show: Observatory, least: int, rows: int) -> None:
    where = f"flagged_sender_sketch >= {least}"
    told = show("show", "gold.bypass_indicator_daily", "--where", where, "--format", "json")
    assert (told.code, len(told.out.splitlines())) == (0, rows)


def test_show_a_reference_table_and_one_without_rows(show: Observatory) -> None:
    told = show("show", "ref.definition", "--format", "csv")
    assert {row["definition_code"] for row in csv.DictReader(io.StringIO(told.out))} >= {
        "OPERATOR",
        "CAN_SPAM",
    }
    told = show("show", "gold.spam_type_daily")
    assert told.code == 0
    assert "0 rows shown" in told.out


@pytest.mark.parametrize(
    "where",
    [
        *("unitz > 1", "units >", "nothing(units)", "period_date = 'soon'", "units = 'x'"),
        # What runs code, or reads something else.
        "java_method('java.lang.System', 'getProperty', 'user.home') <> ''",
        "reflect('java.lang.System', 'getenv', 'HOME') <> ''",
        "units IN (SELECT units FROM gold.spam_volume_daily)",
        "read_text('/etc/hostname') <> ''",
    ],
)
def test_a_wrong_condition_lists_the_columns(show: Observatory, where: str) -> None:
    told = show("show", "gold.spam_volume_daily", "--where", where)
    assert (told.code, told.out) == (2, "")
    assert "Error: --where: " in told.err
    assert "Columns: operator_id, period_date, channel_code," in told.err
    assert "Traceback" not in told.err


def test_an_output_that_cannot_be_written(show: Observatory, tmp_path: Path) -> None:
    for format in ("csv", "parquet"):
        file = tmp_path / "nowhere" / f"volume.{format}"
        told = show("show", "gold.spam_volume_daily", "--format", format, "--output", file)
        assert told.code == 2
        assert f"--output {file}: " in told.err

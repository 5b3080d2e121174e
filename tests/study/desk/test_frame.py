"""The study's frame from made-up files in the real layouts: what it takes, refuses, keeps and lists."""

import gzip
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.csv_tables import read_table
from jobs.study.desk.countries import parse_countries
from jobs.study.desk.filled_rows import DENOMINATOR, ECONOMY, FRAME, PRICES, TABLES, make_workbook
from jobs.study.desk.frame import (
    add_respondents,
    build_tables,
    existing_rows,
    list_other_sizes,
    merge_rows,
    operators_to_ask,
    read_sources,
    refuse_wrong_rows,
    write_tables,
)
from jobs.study.desk.frame_remarks import FrameRemarks, describe_change, note_all
from jobs.study.questionnaire.respondents import read_respondents
from tests.support.downloads import itu, itu_bulk, world_bank, world_bank_zip

TWO = ["KEN", "NPL"]
YEAR = 2026
BANK = ("NY.GDP.MKTP.CD", "NY.GDP.DEFL.ZS", "PA.NUS.PPP", "PA.NUS.FCRF")
OPERATORS = (
    "Country;Operator;Service;Subscribers\nKEN;Savanna Móvil;mobile;4 100 000\nNPL;Himal;e-mail;90000\n"
)


def put_downloads(folder: Path, countries: list[str], last: int = 2025) -> None:
    """Everything that ITU and the World Bank have, from 2020 to a last year."""
    folder.mkdir(exist_ok=True)
    cells = [(country, year) for country in countries for year in range(2020, last + 1)]
    for series in BANK:
        world_bank_zip(folder / f"{series}.zip", series, {each: 100 + each[1] - 2020 for each in cells})
    for series, value in (("i271", 5_000_000), ("i112", 300_000), ("i112IP", 40_000)):
        (folder / f"{series}.csv").write_text(itu(series, dict.fromkeys(cells, value)), encoding="utf-8")


def build(folder: Path, countries: list[str] = TWO, year: int = YEAR) -> tuple[dict[str, Any], FrameRemarks]:
    """Build the tables as `study frame` does; sources and files lie in a folder."""
    remarks = FrameRemarks()
    sources = read_sources(folder / "sources", year)
    made = build_tables(sources, countries, year, 0.2, remarks)
    before = {table: existing_rows(table, folder / "files") for table in TABLES}
    tables = {table: merge_rows(table, rows, before[table]) for table, rows in made.items()}
    refuse_wrong_rows(tables, folder / "files")
    note_all(tables, before, countries, year, (0.2, 2), remarks)
    write_tables(tables, folder / "files")
    return {table: read_table(folder / "files", table) for table in TABLES if tables[table]}, remarks


def put(folder: Path, name: str, text: str) -> None:
    (folder / "sources").mkdir(exist_ok=True)
    (folder / "sources" / name).write_text(text, encoding="utf-8")


@pytest.mark.long
def test_193_countries_from_files_in_the_real_layouts(tmp_path: Path) -> None:
    everywhere = parse_countries("all")
    put_downloads(tmp_path / "sources", [each for each in everywhere if each != "FJI"])
    put(tmp_path, "operators.csv", "country,name,channel,subscriptions\n" + "".join(
        f"{each},Mobile,mobile,2000000\n" for each in everywhere if each != "KEN"
    ))  # fmt: skip
    tables, remarks = build(tmp_path, everywhere)
    assert tables[FRAME].height == 2 * 192 and set(tables[FRAME]["size_code"]) == {"LARGE"}
    assert tables[DENOMINATOR].height == 2 * 192
    voice = tables[DENOMINATOR].filter(country_code="NPL", channel_code="VOICE_CS")
    assert voice.select("period_code", "subscriptions").rows() == [("2025", 5_260_000)]
    assert tables[PRICES].filter(country_code="NPL")["price_year"].to_list() == list(range(2020, 2026))
    assert remarks.missing["FJI"] == ["subscriptions SMS, VOICE_CS", "prices 2025", "prices 2026", "wage"]
    # The project's own product stands in for a country that no source has.
    assert tables[ECONOMY].filter(country_code="FJI")["source"].str.contains("Factbook").all()
    assert remarks.missing["KEN"] == ["operators", "prices 2026", "wage"]
    assert remarks.missing["NPL"] == ["prices 2026", "wage"] and remarks.stale == {}
    # What all lack is said once.
    assert remarks.take_common(everywhere, remarks.missing) == ["prices 2026", "wage"]
    assert remarks.missing == {"FJI": ["subscriptions SMS, VOICE_CS", "prices 2025"], "KEN": ["operators"]}


def test_stale_and_changed_figures_are_listed_and_nothing_is_lost(tmp_path: Path) -> None:
    put_downloads(tmp_path / "sources", TWO, last=2022)
    put(tmp_path, "operators.csv", OPERATORS)
    tables, remarks = build(tmp_path)
    assert remarks.stale == {"KEN": ["SMS, VOICE_CS of 2022", "product of 2022"], "NPL": ["product of 2022"]}
    assert remarks.changed == {}
    assert tables[FRAME]["respondent_id"].to_list() == [
        "ken-savanna-movil", "ken-savanna-movil", "npl-himal",
    ]  # fmt: skip
    # A year later: other subscriptions, and one operator that the new list does not have.
    put(tmp_path, "operators.csv", "country,name,channel,subscriptions\nKEN,Savanna Movil,SMS,6000000\n")
    later, remarks = build(tmp_path, year=2027)
    assert remarks.changed["KEN"] == ["ken-savanna-movil SMS: 4.1M → 6M (+46%)"]
    rows = later[FRAME].filter(channel_code="SMS").select("subscriptions", "valid_from", "valid_to").rows()
    assert [(row[0], str(row[1]), str(row[2])) for row in rows] == [
        (4_100_000, "2026-01-01", "2027-01-01"),
        (6_000_000, "2027-01-01", "None"),
    ]
    assert "npl-himal" in later[FRAME]["respondent_id"]


def test_prices_of_the_dollar_and_a_deflator_on_another_base_are_listed(tmp_path: Path) -> None:
    """Bands of budgets are in dollars, and a forecast continues the download's own series."""
    put_downloads(tmp_path / "sources", TWO)
    jump = "deflator_index 2026: 105 → 40 (-62%); are 2025 and 2026 on one base?"
    for deflator, said in ((40, [jump]), (110, [])):
        rows: dict[str, list[list[Any]]] = {"price_level": [["KEN", YEAR, deflator, 45, 129, 4000]]}
        filled_workbook(tmp_path / "sources" / "frame.xlsx", rows)
        _, remarks = build(tmp_path)
        assert remarks.changed.get("KEN", []) == said
        assert remarks.missing["USA"] == ["prices 2025 and 2026, which budget bands in dollars need"]
    rows = {"price_level": [["USA", each, 100, 1, 1] for each in (2025, 2026)]}
    filled_workbook(tmp_path / "sources" / "frame.xlsx", rows)
    assert "USA" not in build(tmp_path)[1].missing
    # Those of the base year are in its dollars already.
    assert "USA" not in build(tmp_path, year=2025)[1].missing
    sheet = openpyxl.load_workbook(tmp_path / "sources" / "frame.xlsx")["price_level"]
    begun = [row[:2] for row in sheet.iter_rows(min_row=3, max_row=8, values_only=True)]
    assert begun == [(country, each) for each in (2025, 2026) for country in (*TWO, "USA")]


def test_lines_by_mobile_and_fixed_of_an_operator_add_up(tmp_path: Path) -> None:
    put_downloads(tmp_path / "sources", TWO)
    put(tmp_path, "list.csv", "country,operator,service,subscribers\nKEN,A,mobile,5\nKEN,B,fixed,3\n")
    put(tmp_path, "other.csv", "country,operator,service,subscribers\nKEN,A,fixed,6\n")
    tables, _ = build(tmp_path)
    rows = tables[FRAME].select("respondent_id", "channel_code", "subscriptions").rows()
    assert sorted(rows) == [("ken-a", "SMS", 5), ("ken-a", "VOICE_CS", 11), ("ken-b", "VOICE_CS", 3)]


def test_two_sources_that_differ(tmp_path: Path) -> None:
    cell = {("KEN", 2025): 5_000_000}
    put(tmp_path, "itu.csv", itu("i271", cell))
    put(tmp_path, "later.csv", itu_bulk("i271", {("KEN", 2025): 9_000_000}))
    tables, remarks = build(tmp_path)
    # The first one of the profiles stands, and parts of a whole are left out.
    assert tables[DENOMINATOR]["subscriptions"].to_list() == [5_000_000, 5_000_000]
    assert remarks.changed["KEN"] == ["mobile 2025: 9M → 5M (-44%), by ITU DataHub (bulk) and ITU DataHub"]


def test_two_figures_of_one_source_are_asked_about_however_near(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", itu("i271", {("KEN", 2025): 5_000_000, ("NPL", 2025): 9_000}))
    put(tmp_path, "b.csv", itu("i271", {("KEN", 2025): 5_100_000, ("NPL", 2025): 9_000}))
    tables, remarks = build(tmp_path)
    assert remarks.changed == {
        "KEN": [
            "mobile 2025 twice: 5M (ITU DataHub, i271, a.csv) stands, 5.1M (ITU DataHub, i271, b.csv) not"
        ]
    }
    assert tables["ref.denominator"].filter(country_code="KEN")["subscriptions"].unique().item() == 5_000_000


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gdp.csv", world_bank("NY.GDP.PCAP.CD", {("KEN", 2025): 1}), "none of its series .NY.GDP.PCAP.CD."),
        (
            "list.csv",
            "country,operator,service,subscribers\n,Savanna,mobile,5\n",
            "line 2: country_code is empty",
        ),
        ("list.csv", "operator,service,subscribers\nSavanna,mobile,5\n", "without a column country_code"),
        (
            "list.csv",
            "country,operator,service,subscribers\nKEN,A,fax machines,5\n",
            "unknown channel or service",
        ),
        (
            "list.csv",
            "country,operator,service,subscribers\nKEN,A,SMS,many\n",
            "line 2: subscriptions: .many.",
        ),
        ("list.csv", "country,operator,service,subscribers\nKEN,A,SMS,5\nKEN,A,SMS,6\n", "stands twice"),
        (
            "list.csv",
            "country,operator,service,subscribers\nKEN,A,mobile,5\nKEN,A,VOICE_CS,6\n",
            "ken-a VOICE_CS stands twice: .* where both count, write one row of the channel with their sum",
        ),
        (
            "list.csv",
            "country,operator,service,subscribers\nKEN,A,mobile,5\nKEN,A,fixed,6\nKEN,A,fixed,6\n",
            "ken-a VOICE_CS stands twice",
        ),
        ("itu.csv", itu("i271", {("KEN", 2025): 5}, "Per 100 inhabitants"), "is here in 'Per 100"),
        ("itu.csv", itu("i271", {("KEN", 2025): "much"}), "line 2: 'much' of '2025' is no figure"),
        (
            "itu.csv",
            itu("i271", {("KEN", 2025): 5}).partition(",5,2025")[0],
            "line 2: it ends before dataYear",
        ),
        ("other.csv", "a,b\n1,2\n", "of no layout that is known"),
        ("notes.docx", "", "CSV, a zip of it, or .xlsx are read"),
        ("broken.zip", "PK", "the archive cannot be read"),
        # A quotation mark that does not close.
        (
            "list.csv",
            'country,operator,service,subscribers\nKEN,"A,SMS,5\n' + "KEN,B,SMS,5\n" * 12_000,
            "no CSV",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    put(tmp_path, name, text)
    put(tmp_path, "good.csv", OPERATORS)
    with pytest.raises(ObservatoryError, match=said) as refused:
        build(tmp_path)
    assert str(refused.value).endswith("Nothing was written.") and name in str(refused.value)
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize("encoding", ["utf-16", "cp1251"])
def test_letters_that_cannot_be_read_are_refused_and_not_garbled(tmp_path: Path, encoding: str) -> None:
    put(tmp_path, "list.csv", "")
    text = "country,operator,service,subscribers\nKEN,Связь,SMS,5\n"
    (tmp_path / "sources" / "list.csv").write_bytes(text.encode(encoding))
    with pytest.raises(
        ObservatoryError, match=r"list\.csv: its letters cannot be read: save it .* CSV UTF-8"
    ):
        build(tmp_path)


def test_an_archive_with_a_changed_byte_is_refused(tmp_path: Path) -> None:
    put_downloads(tmp_path / "sources", TWO)
    file = tmp_path / "sources" / "PA.NUS.PPP.zip"
    data = bytearray(file.read_bytes())
    data[200] ^= 1
    file.write_bytes(data)
    with pytest.raises(ObservatoryError, match=r"PA\.NUS\.PPP\.zip: the archive cannot be read .*CRC"):
        build(tmp_path)


def test_a_list_with_tabs_and_an_archive_with_two_series_and_metadata(tmp_path: Path) -> None:
    put(tmp_path, "list.txt.csv", OPERATORS.replace(";", "\t"))
    cells = {("NPL", 2025): 1.0}
    with zipfile.ZipFile(tmp_path / "sources" / "databank.zip", "w") as archive:
        for series in ("PA.NUS.PPP", "NY.GDP.DEFL.ZS", "PA.NUS.FCRF"):
            archive.writestr(f"{series}_Data.csv", world_bank(series, cells))
        archive.writestr("1_Series - Metadata.csv", "Code,License Type\n")
    tables, _ = build(tmp_path)
    assert tables[FRAME].height == 3 and tables[PRICES].height == 1


def filled_workbook(file: Path, rows: dict[str, list[list[Any]]]) -> None:
    """The workbook as `study frame --workbook` makes it, with rows below those that are begun."""
    file.write_bytes(make_workbook(TWO, YEAR))
    book = openpyxl.load_workbook(file)
    for sheet, added in rows.items():
        for row in added:
            book[sheet].append(row)
    book.save(file)


def test_a_workbook_is_read_as_a_form_is(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    rows: dict[str, list[list[Any]]] = {
        "operator_frame": [["Nepal", "Himal Mail", "EMAIL", "90 000", "", "", "himal"]],
        "denominator": [["NPL", "2026", "FAX", "1.2 million"]],
        "price_level": [
            ["NPL", 2025, 100, 34.125, "138,6", "3 000"],
            ["NPL", 2026, "", "", "", "3 300"],
        ],
    }
    filled_workbook(tmp_path / "sources" / "frame.xlsx", rows)
    tables, remarks = build(tmp_path)
    assert tables[FRAME].select("respondent_id", "holding_id", "size_code", "subscriptions").rows() == [
        ("npl-himal-mail", "himal", "SMALL", 90_000)
    ]
    assert tables[DENOMINATOR]["subscriptions"].to_list() == [1_200_000]
    # A cell with a number has no separators that could be of thousands.
    assert tables[PRICES].select("currency_code", "ppp_rate", "market_rate", "wage_per_day").rows() == [
        ("NPR", 34.125, 138.6, 3000)
    ]
    assert remarks.missing["NPL"][-1] == "prices 2026, without which its wage does not count"
    # Rows that were begun and not filled in are none.
    assert remarks.missing["KEN"][0] == "operators" and ECONOMY not in tables


def test_a_bad_cell_is_named_with_what_to_do(tmp_path: Path) -> None:
    """The workbook has no Status and no Notes, which forms have."""
    (tmp_path / "sources").mkdir()
    rows: dict[str, list[list[Any]]] = {
        "operator_frame": [["NPL", "Himal", "EMAIL", "5 subscribers"], ["NPL", "Tal", "EMAIL", "about 90"]],
        "denominator": [["KEN", "Q4 2026", "FAX", 5], ["NPL", "2026", "FAX", 5, "", "", "survey", "5%"]],
        "price_level": [["NPL", 2025, 100, 34.5, "129.2 KES"], ["NPL", 2024, "many"], ["NPL", 2023, True]],
    }
    filled_workbook(tmp_path / "sources" / "frame.xlsx", rows)
    put(tmp_path, "list.csv", "country,operator,service,subscribers\nKEN,A,SMS,35 000 000 subscribers\n")
    with pytest.raises(ObservatoryError) as refused:
        build(tmp_path)
    said = str(refused.value)
    for each in (
        r"frame.xlsx, sheet operator_frame, line \d+: subscriptions: '5 subscribers' holds 'subscribers':"
        " write the number alone",
        r"sheet operator_frame, line \d+: subscriptions: 'about 90' is a range or an approximation",
        r"sheet denominator, line \d+: period_code: 'Q4 2026' is no period: write .* a quarter as 2026-Q4",
        r"sheet denominator, line \d+: shared_error_pct: '5%' holds '%'",
        r"sheet price_level, line \d+: market_rate: '129.2 KES' holds 'KES'",
        r"sheet price_level, line \d+: deflator_index: 'many' is no number: write",
        r"sheet price_level, line \d+: deflator_index: 'True' is no number: write",
        "list.csv, line 2: subscriptions: '35 000 000 subscribers' holds 'subscribers'",
    ):
        assert re.search(each, said), said
    assert "Status" not in said and "Notes" not in said


def test_what_estimates_would_refuse_is_refused_with_its_place(tmp_path: Path) -> None:
    """Rows of a workbook, and those of the files before that none of them replaces."""
    (tmp_path / "sources").mkdir()
    rows: dict[str, list[list[Any]]] = {
        "operator_frame": [["NPL", "Himal", "EMAIL", 90, 100, 80], ["NPL", "Tal", "EMAIL", 90, 95, 99]],
        "denominator": [
            ["KEN", "2026", "FAX", 5, "", "", "", 3],
            ["KEN", "2026", "RCS", 5, "", "", "one", 3],
        ],
    }
    filled_workbook(tmp_path / "sources" / "frame.xlsx", rows)
    (tmp_path / "files").mkdir()
    stands = (
        "country_code,period_code,channel_code,subscriptions,error_class_code,shared_error_pct\n"
        "NPL,2026,RCS,5,one,4\nNPL,26,FAX,5,,\n"
    )
    (tmp_path / "files" / "denominator.csv").write_text(stands, encoding="utf-8")
    with pytest.raises(ObservatoryError) as refused:
        build(tmp_path)
    before = re.escape(str(tmp_path / "files" / "denominator.csv"))
    *lines, end = str(refused.value).splitlines()
    patterns = (
        rf"denominator: 1 row\(s\) have a period_code that is none: .*\({before}, row 3\)",
        r"denominator: .* have shared_error_pct without .*frame.xlsx, sheet denominator, line \d+",
        rf"denominator: 2 row\(s\) have another shared_error_pct .*frame.xlsx, sheet .*; {before}, row 2\)",
        r"operator_frame: 2 row\(s\) are not between .*frame.xlsx, sheet .*, line 5; .*, line 6\)",
    )
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.match(pattern, line), line
    assert end == "Nothing was written." and not (tmp_path / "files" / "operator_frame.csv").exists()
    # Bounds go with the figure that they were of: corrected twice, the second time without them.
    (tmp_path / "files" / "denominator.csv").unlink()
    for cells in ([90, 80, 100], [200]):
        filled_workbook(
            tmp_path / "sources" / "frame.xlsx", {"operator_frame": [["NPL", "Tal", "EMAIL", *cells]]}
        )
        tables, _ = build(tmp_path)
    assert tables[FRAME].select("subscriptions", "subscriptions_high").rows() == [(200, None)]


def test_errors_that_people_stated_stay(tmp_path: Path) -> None:
    """Downloads have none, so that those in the study's own files are all that there is."""
    put_downloads(tmp_path / "sources", ["NPL"])
    put(tmp_path, "list.csv", "country,operator,service,subscribers\nNPL,Himal,SMS,900\n")
    build(tmp_path)
    bounded = {
        "denominator": ('2025,SMS,5000000,,,,,"', '2025,SMS,5000000,4900000,5100000,regulator,1,"judged; '),
        "operator_frame": ("SMALL,900,,,", "SMALL,900,800,1000,"),
    }
    for name, (row, stated) in bounded.items():
        file = tmp_path / "files" / f"{name}.csv"
        text = file.read_text(encoding="utf-8")
        assert row in text
        file.write_text(text.replace(row, stated), encoding="utf-8")
    stands = [(tmp_path / "files" / f"{name}.csv").read_text(encoding="utf-8") for name in bounded]
    build(tmp_path)
    assert [(tmp_path / "files" / f"{name}.csv").read_text(encoding="utf-8") for name in bounded] == stands
    # The source corrects its figure, within the bounds and then outside them.
    put(tmp_path, "i271.csv", itu("i271", {("NPL", 2025): 5_050_000}))
    tables, _ = build(tmp_path)
    row = tables[DENOMINATOR].row(0, named=True)
    assert [*row.values()][3:8] == [5_050_000, 4_900_000, 5_100_000, "regulator", 1]
    assert row["source"].startswith("ITU DataHub, i271, i271.csv; errors: judged; ITU DataHub")
    put(tmp_path, "i271.csv", itu("i271", {("NPL", 2025): 6_000_000}))
    with pytest.raises(
        ObservatoryError, match=r"not between .*: correct one .*files/denominator.csv, row 2\)"
    ):
        build(tmp_path)
    # A later year has bounds of its own, or none, which is said.
    put(tmp_path, "i271.csv", itu("i271", {("NPL", 2026): 6_000_000}))
    assert "errors of SMS 2026, which 2025 has" in build(tmp_path)[1].missing["NPL"]


def test_half_a_workbook_one_with_macros_and_two_years(tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    file = sources / "frame.xlsx"
    filled_workbook(file, {"denominator": [["KEN", "2025", "FAX", 5], ["KEN", "2026", "FAX", 6]]})
    with pytest.raises(ObservatoryError, match=r"KEN FAX stands twice \(of 2025 and 2026\)"):
        build(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ObservatoryError, match="is no whole workbook"):
        build(tmp_path)
    filled_workbook(file, {})
    book = openpyxl.load_workbook(file)
    del book["price_level"]
    book.save(file)
    with pytest.raises(ObservatoryError, match="lacks the sheets price_level: it is half"):
        build(tmp_path)
    file.write_bytes(whole)
    shutil.move(file, sources / "frame.xlsm")
    with pytest.raises(ObservatoryError, match="holds macros"):
        build(tmp_path)
    # Macros are not known by the name alone.
    shutil.move(sources / "frame.xlsm", file)
    with zipfile.ZipFile(file, "a") as parts:
        parts.writestr("xl/vbaProject.bin", b"Sub Auto_Open()")
    with pytest.raises(ObservatoryError, match="holds macros"):
        build(tmp_path)


def ask_operators(listed: Path, frame: list[dict[str, str]], names: dict[str, str]) -> list[str]:
    """Add operators as `study frame --ask` does, and return the ids of those that were added."""
    rows = operators_to_ask(listed, frame, names)
    add_respondents(listed, rows)
    return [row["respondent_id"] for row in rows]


def test_operators_of_the_frame_are_asked(tmp_path: Path) -> None:
    put(tmp_path, "operators.csv", OPERATORS)
    tables, _ = build(tmp_path)
    listed = tmp_path / "respondents.csv"
    listed.write_text(
        "respondent_id,name,role,country,holding,operator_ids,language,size_class\n"
        "npl-administration,Administration of Nepal,A,NPL,,,fr,\n",
        encoding="utf-8",
    )
    names = {"ken-savanna-movil": "Savanna Móvil", "npl-himal": "Himal"}
    frame = existing_rows(FRAME, tmp_path / "files")
    assert ask_operators(listed, frame, names) == ["ken-savanna-movil", "npl-himal"]
    assert ask_operators(listed, frame, names) == []
    found = read_respondents(listed)
    assert (found["npl-himal"].language, found["npl-himal"].size_class) == ("fr", "S2")
    assert found["ken-savanna-movil"].name == "Savanna Móvil"
    assert list_other_sizes(listed, frame) == []
    # A size that is corrected later: the list keeps what it has, and a line says so.
    put(tmp_path, "operators.csv", OPERATORS.replace("90000", "90000000"))
    build(tmp_path)
    frame = existing_rows(FRAME, tmp_path / "files")
    assert ask_operators(listed, frame, names) == []
    assert list_other_sizes(listed, frame) == [
        "respondents.csv: npl-himal is S2, and its 90,000,000 subscriptions make it S5: correct"
        " size_class there"
    ]


def test_a_list_as_an_officer_left_it_is_continued(tmp_path: Path) -> None:
    """Other columns in another order, no end of line, and one respondent who answers for an operator."""
    put(tmp_path, "operators.csv", OPERATORS)
    build(tmp_path)
    listed = tmp_path / "respondents.csv"
    listed.write_text(
        "note,name,respondent_id,role,country,holding,operator_ids,language,size_class\n"
        "seen,Group,group,O,KEN,g,ken-savanna-movil,en,S4",
        encoding="utf-8-sig",
    )
    frame = existing_rows(FRAME, tmp_path / "files")
    names = {"ken-savanna-movil": "Savanna Móvil", "npl-himal": "Himal"}
    assert ask_operators(listed, frame, names) == ["npl-himal"]
    found = read_respondents(listed)
    assert [*found] == ["group", "npl-himal"] and found["npl-himal"].name == "Himal"


def test_rows_of_a_packed_file_stay(tmp_path: Path) -> None:
    put(tmp_path, "operators.csv", OPERATORS)
    build(tmp_path)
    file = tmp_path / "files" / "operator_frame.csv"
    (file.parent / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    file.unlink()
    put(tmp_path, "operators.csv", "country,name,channel,subscriptions\nNPL,Tal,SMS,5\n")
    tables, _ = build(tmp_path)
    assert sorted(set(tables[FRAME]["respondent_id"])) == ["ken-savanna-movil", "npl-himal", "npl-tal"]


def test_an_owner_stays_known_and_another_owner_counts(tmp_path: Path) -> None:
    """Operators of one owner are one in disclosure control."""
    head = "country,operator,service,subscribers"
    put(tmp_path, "operators.csv", f"{head},owner\nKEN,A,SMS,500,alpha\nKEN,B,RCS,7,\nKEN,B,SMS,600,beta\n")
    build(tmp_path)
    # A year later: a list without owners, and then one with another owner.
    put(tmp_path, "operators.csv", f"{head}\nKEN,A,SMS,501\nKEN,A,MMS,501\nKEN,B,SMS,600\n")
    build(tmp_path, year=2027)
    put(tmp_path, "operators.csv", f"{head},owner\nKEN,B,SMS,600,alpha\n")
    tables, _ = build(tmp_path, year=2028)
    rows = tables[FRAME].select("respondent_id", "channel_code", "holding_id", pl.col("valid_from").dt.year())
    assert rows.sort(pl.all()).rows() == [
        ("ken-a", "MMS", "alpha", 2027), ("ken-a", "SMS", "alpha", 2026), ("ken-a", "SMS", "alpha", 2027),
        ("ken-b", "RCS", "beta", 2026), ("ken-b", "SMS", "alpha", 2028), ("ken-b", "SMS", "beta", 2026),
    ]  # fmt: skip


def test_a_change_is_rounded_once() -> None:
    """A quotient of floats falls below the half that 201 in place of 200 is."""
    assert describe_change(200, 201) == "200 → 201 (+1%)"

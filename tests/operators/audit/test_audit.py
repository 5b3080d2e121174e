"""An audit from the draw to the figure: sheets by themselves, then a small lake whose truth is known."""

import csv
import dataclasses
import datetime as dt
import hashlib
import math
import random
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from jobs.base.core.errors import ObservatoryError, ValidationHeld
from jobs.base.settings.config import Observatory
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import rows_frame
from jobs.cli.query import run_sql
from jobs.operators.audit import sheet
from jobs.operators.audit.command import load_labels, read_month, write_sample
from jobs.operators.audit.sample_drawing import SamplePlan, band_names, draw_units, score_band
from jobs.operators.build.run import Run
from jobs.operators.report import audited
from jobs.operators.report.gather import gather_figures
from jobs.operators.report.report import Report
from jobs.operators.runs import quality
from jobs.operators.runs.runner import refuse_broken_results

UNIT = {
    "operator_id": "north-mail",
    "sample_id": "00ff",
    "period_date": dt.date(2026, 11, 2),
    "channel_code": "EMAIL",
    "stratum_code": "EMAIL.tagged.typed.ge4",
    "score_band": "ge4",
    "spam_type_code": "PHISH.spear",
    "source_id": "mx1",
    "file_name": "=mail.log",
    "stream_id": "s1",
    "offset": 1_234,
    "message_hash": "m" * 32,
    "recipient_hash": "r" * 32,
}


# --- the sheet ----------------------------------------------------------------------------------------------


def xlsx(tmp_path: Path, *units: dict[str, Any], **changed: Any) -> Path:
    """A sheet of these units, with cells changed by their name, as A1."""
    file = tmp_path / "audit.xlsx"
    sheet.write_xlsx(list(units) or [UNIT], file)
    if changed:
        book = openpyxl.load_workbook(file)
        for cell, value in changed.items():
            book["Label"][cell] = value
        book.save(file)
    return file


def test_a_sheet_holds_what_a_labeller_needs_and_no_pseudonym(tmp_path: Path) -> None:
    """A sheet shows nothing that the filter said: who sees a high score finds spam."""
    file = xlsx(tmp_path)
    book = openpyxl.load_workbook(file)
    rows = [[cell.value for cell in row] for row in book["Label"].iter_rows()]
    assert rows[0] == list(sheet.COLUMNS)
    given = ["north-mail", "00ff", "2026-11-02", "EMAIL", "mx1", "=mail.log", "s1", "1234"]
    assert rows[1] == [*given, None, None, None]
    # A file's name is text, whatever it starts with.
    assert book["Label"]["F2"].data_type == "s"
    lists = {str(each.sqref): each.formula1 for each in book["Label"].data_validations.dataValidation}
    assert lists["I2"] == '"spam,not spam,cannot tell"'
    place = lists["J2"].removeprefix("Codes!").replace("$", "").split(":")
    codes = [row[0].value for row in book["Codes"][place[0] : place[1]]]
    assert codes == list(sheet.code_names("type"))
    text = str([[cell.value for cell in row] for each in book for row in each.iter_rows()])
    assert UNIT["message_hash"] not in text and UNIT["recipient_hash"] not in text
    told = [name for name in ("score_band", "spam_type_code", "stratum_code") if UNIT[name] in str(rows)]
    assert told == []


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
def test_what_was_loaded_stands_in_the_sheet_written_again(tmp_path: Path, kind: str) -> None:
    said = {"label_code": "spam", "labelled_type_code": "PHISH.mail"}
    file = tmp_path / f"audit.{kind}"
    {"xlsx": sheet.write_xlsx, "csv": sheet.write_csv}[kind]([UNIT | said, UNIT | {"sample_id": "1"}], file)
    first, second = sheet.read_sheet(file)
    assert (sheet.parse_label(first), sheet.parse_type(first, "spam")) == ("spam", "PHISH.mail")
    assert (sheet.parse_label(second), sheet.parse_type(second, None)) == (None, None)
    assert first.values["offset"] == "1234"


def test_a_csv_of_another_country_is_read(tmp_path: Path) -> None:
    file = tmp_path / "audit.csv"
    sheet.write_csv([UNIT], file)
    text = file.read_text(encoding="utf-8").replace(",", ";").replace(";;;\n", ";NOT SPAM;;\n")
    file.write_text("\ufeff" + text, encoding="utf-8")
    (row,) = sheet.read_sheet(file)
    assert sheet.parse_label(row) == "not_spam"


def test_a_sheet_with_more_columns_is_read(tmp_path: Path) -> None:
    """Sheets of an earlier version told the score band and the type in the logs."""
    file = tmp_path / "audit.csv"
    rows = [
        "operator,sample id,day,channel,score band,type in the logs,file,offset,label,type,note",
        "north-mail,00ff,2026-11-02,EMAIL,ge4,UNK,mail.log,1234,spam,PHISH.mail,",
    ]
    file.write_text("\n".join(rows), encoding="utf-8")
    (row,) = sheet.read_sheet(file)
    assert (sheet.parse_label(row), sheet.parse_type(row, "spam")) == ("spam", "PHISH.mail")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"I2": "spamm"},
            "audit.xlsx, sheet 'Label', row 2, cell I2: 'spamm' is no label; choose one of spam",
        ),
        (
            {"I2": "spam", "J2": "PISH"},
            "row 2, cell J2: 'PISH' is no type; choose a code of the sheet 'Codes'",
        ),
        ({"I2": "not spam", "J2": "PHISH.mail"}, "row 2, cell J2: only spam has a type; empty the cell"),
        ({"J2": "PHISH.mail"}, "row 2, cell J2: only spam has a type"),
        ({"I1": "Urteil"}, "audit.xlsx, sheet 'Label', row 1: no column 'label'; leave the first row"),
        ({"K1": "label"}, "sheet 'Label', row 1: more than one column 'label'"),
    ],
)
def test_what_is_wrong_in_a_sheet_names_its_cell(tmp_path: Path, changed: dict[str, str], told: str) -> None:
    with pytest.raises(ObservatoryError) as error:
        for row in sheet.read_sheet(xlsx(tmp_path, **changed)):
            sheet.parse_type(row, sheet.parse_label(row))
    assert told in str(error.value)


def test_what_is_no_sheet_says_so(tmp_path: Path) -> None:
    other = tmp_path / "other.xlsx"
    openpyxl.Workbook().save(other)
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(b"no zip")
    latin = tmp_path / "latin.csv"
    latin.write_bytes("operator,sample id,day,label,type\né".encode("latin-1"))
    for file, told in [
        (other, "other.xlsx: no sheet 'Label' (there is Sheet)"),
        (broken, "broken.xlsx: cannot be read as XLSX"),
        (latin, "latin.csv: byte 34 is no UTF-8; save it as CSV UTF-8"),
        (tmp_path / "none.csv", "none.csv: no such file"),
        (Path(__file__), "test_audit.py: a sheet of labels is a .xlsx or a .csv file"),
    ]:
        with pytest.raises(ObservatoryError) as error:
            sheet.read_sheet(file)
        assert told in str(error.value)


# --- a lake -------------------------------------------------------------------------------------------------

PLAN = SamplePlan("north-mail", "2026-11", size=150, seed=5, least=8, cuts=(0.0, 4.0))
OTHER = {"country": "CHE", "holding": "h", "currency": "CHF"}


def messages() -> list[dict[str, Any]]:
    """Rows of silver.message as a filter that errs both ways leaves them, with attempts and other months."""
    rng = random.Random(3)
    rows = []
    for number in range(1_500):
        is_spam = rng.random() < 0.4
        score = rng.gauss(9, 5) if is_spam else rng.gauss(-1, 2.8)
        outcome = "rejected" if score >= 15 else "tagged" if score >= 6 else "delivered"
        seen = rng.random() > 0.05
        rows.append(
            {
                "operator_id": "north-mail",
                "period_date": dt.date(2026, 11, 1 + number % 30),
                "message_hash": hashlib.md5(f"{number}".encode()).hexdigest(),
                "recipient_hash": f"r{number}",
                "channel_code": "EMAIL",
                "direction_code": "inbound",
                "grain_code": "recipient",
                "stage_code": "delivery" if outcome == "delivered" or not seen else "content",
                "outcome_code": outcome if seen else "delivered",
                "is_antispam": seen and outcome != "delivered",
                "score": score if seen else None,
                "spam_type_code": "PHISH.mail" if is_spam and rng.random() < 0.5 else "UNK",
                "source_id": "mx1",
                "stream_id": "s1",
                "offset": number * 100,
                # What no log knows: the truth, kept where the test finds it.
                "key_id": "spam" if is_spam else "ham",
            }
        )
    # None of these had content that the operator received in the month.
    no_content = {"message_hash": "never", "stage_code": "envelope", "outcome_code": "rejected"}
    for place, change in enumerate(
        [
            no_content | {"grain_code": "attempt"},
            no_content,
            {"grain_code": "call"},
            {"direction_code": "outbound"},
            {"period_date": dt.date(2026, 10, 31)},
            {"period_date": dt.date(2026, 12, 1)},
            {"operator_id": "south-mail"},
        ]
    ):
        rows.append(rows[place] | {"recipient_hash": f"never{place}"} | change)
    return rows


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Run:
    root = str(tmp_path_factory.mktemp("lake"))
    operators = [{"id": name, "name": name, **OTHER} for name in ("north-mail", "south-mail")]
    settings = Observatory.model_validate({"lake": {"root": root}, "operator": operators})
    lake = Lake(root)
    piece = {"operator_id": "north-mail", "source_id": "mx1", "stream_id": "s1", "format_code": "postfix"}
    pieces = [
        {**piece, "piece_id": "p0", "offset": 0, "piece_bytes": 70_000, "file_name": "mail.log.1"},
        {**piece, "piece_id": "p1", "offset": 70_000, "piece_bytes": 80_000, "file_name": "mail.log"},
    ]
    work = Run(lake, settings, list(settings.operator), "first", report_step=lambda text: None)
    lake.append(rows_frame(messages(), "silver.message"), "silver.message")
    lake.append(rows_frame(pieces, "bronze.file"), "bronze.file")
    record.add_stage(lake, "first", "silver", record.utc_now(), ["silver.message"], [])
    return work


@pytest.fixture(scope="module")
def drawn(work: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    folder = tmp_path_factory.mktemp("sheets")
    design, (file,) = write_sample(work, PLAN, folder, ["xlsx"], is_replaced=False)
    return design, file


@pytest.mark.long
def test_a_sample_is_of_what_had_content_and_the_same_for_the_same_seed(
    work: Run, drawn: tuple[list[dict[str, Any]], Path], tmp_path: Path
) -> None:
    design, file = drawn
    assert sum(row["sampled_count"] for row in design) == 150
    assert sum(row["population_count"] for row in design) == 1_500
    assert all(row["sampled_count"] >= min(8, row["population_count"]) for row in design)
    units = read_month(work.lake, "silver.audit_label", "north-mail", "2026-11")
    assert len(units) == 150 and not [unit for unit in units if unit["recipient_hash"].startswith("never")]
    assert {unit["label_code"] for unit in units} == {None}
    found = sheet.read_sheet(file)
    names = {row.values["sample id"]: row.values["file"] for row in found}
    places = {unit["sample_id"]: "mail.log.1" if unit["offset"] < 70_000 else "mail.log" for unit in units}
    assert names == places
    # In another order and layout, the same units; with another seed others.
    lake = Lake(str(tmp_path))
    rows = messages()
    random.Random(1).shuffle(rows)
    for part in rows_frame(rows, "silver.message").iter_slices(400):
        lake.append(part, "silver.message")
    record.add_stage(lake, "first", "silver", record.utc_now(), ["silver.message"], [])
    same, again = draw_units(lake, PLAN)
    key = ("sample_id", "stratum_code", "message_hash", "recipient_hash", "offset")
    assert sorted(tuple(unit[name] for name in key) for unit in again) == sorted(
        tuple(unit[name] for name in key) for unit in units
    )
    assert [row["sampled_count"] for row in same] == [row["sampled_count"] for row in design]
    _, others = draw_units(lake, dataclasses.replace(PLAN, seed=6))
    assert len({unit["message_hash"] for unit in others} & {unit["message_hash"] for unit in units}) < 100


def test_a_month_has_one_sample(work: Run, drawn: tuple[list[dict[str, Any]], Path], tmp_path: Path) -> None:
    version = work.lake.version("silver.audit_label")
    design, files = write_sample(work, PLAN, tmp_path, ["csv", "xlsx"], is_replaced=False)
    assert [file.name for file in files] == ["audit-north-mail-2026-11.csv", "audit-north-mail-2026-11.xlsx"]
    ids = [{row.values["sample id"] for row in sheet.read_sheet(file)} for file in (*files, drawn[1])]
    assert ids[0] == ids[1] == ids[2] and len(ids[0]) == 150
    assert work.lake.version("silver.audit_label") == version
    with pytest.raises(ObservatoryError, match="has a sample of 2026-11 already: --size 150 --seed 5"):
        write_sample(work, dataclasses.replace(PLAN, seed=6), tmp_path, ["csv"], is_replaced=False)
    with pytest.raises(ObservatoryError, match="give --size [0-9]+ or more, or a smaller --least"):
        draw_units(work.lake, dataclasses.replace(PLAN, size=20))
    with pytest.raises(ObservatoryError, match="has no message with content in 2027-01"):
        draw_units(work.lake, dataclasses.replace(PLAN, month="2027-01"))


def fill(file: Path, labels: dict[str, str], target: Path) -> Path:
    """The sheet with these labels by sample id."""
    book = openpyxl.load_workbook(file)
    for row in book["Label"].iter_rows(min_row=2):
        label = labels.get(str(row[1].value))
        row[8].value = label
        row[9].value = "PHISH.mail" if label == "spam" else None
        row[10].value = "to ann@example.org"
    book.save(target)
    return target


def test_labels_become_figures_that_hold_the_truth(
    work: Run, drawn: tuple[list[dict[str, Any]], Path], tmp_path: Path
) -> None:
    of_truth = {row["message_hash"]: row["key_id"] for row in messages()}
    units = read_month(work.lake, "silver.audit_label", "north-mail", "2026-11")
    words = {"spam": "spam", "ham": "not spam"}
    truth = {unit["sample_id"]: words[of_truth[unit["message_hash"]]] for unit in units}
    partly = {name: label for place, (name, label) in enumerate(truth.items()) if place % 10}
    unsure = next(iter(partly))
    filled = fill(drawn[1], partly | {unsure: "cannot tell"}, tmp_path / "filled.xlsx")
    (row,) = load_labels(dataclasses.replace(work, run_id="second"), filled)
    assert (row["units"], row["sampled_count"], row["labelled_count"], row["unsure_count"]) == (
        1500,
        150,
        134,
        1,
    )
    population = [each for each in messages() if not each["recipient_hash"].startswith("never")]
    spam = [each for each in population if each["key_id"] == "spam"]
    assert row["prevalence_low"] <= len(spam) / 1500 <= row["prevalence_high"]
    assert row["prevalence_least"] < row["prevalence"] < row["prevalence_most"]
    caught = [each for each in spam if each["is_antispam"]]
    assert row["sensitivity_low"] <= len(caught) / len(spam) <= row["sensitivity_high"] < 1
    counted = sum(each["is_antispam"] for each in population)
    assert row["spam_certain"] == row["spam_possible"] == counted
    # What the filter blocked and tagged is not how much spam there was: here the interval says so.
    assert counted / 1500 < row["prevalence_low"]
    strata = read_month(work.lake, quality.TABLE, "north-mail", "2026-11")
    by_code = {(each["stratum_code"], each["spam_type_code"]): each for each in strata}
    assert sum(each["units"] for (code, _), each in by_code.items() if "_T" not in code) == 1500
    # In the band where the filter errs both ways it has its own sensitivity and specificity.
    band_row = by_code["EMAIL._T._T.ge4", "_T"]
    inside = [each for each in population if each["score"] is not None and each["score"] >= 4]
    of_band = [each for each in inside if each["key_id"] == "spam"]
    share = sum(each["is_antispam"] for each in of_band) / len(of_band)
    assert band_row["units"] == len(inside)
    assert band_row["sensitivity_low"] <= share <= band_row["sensitivity_high"]
    assert by_code["EMAIL._T._T.lt0", "_T"]["sensitivity"] is None
    # All that was labelled spam was labelled a phish, whatever the logs told.
    types = {kind: each for (code, kind), each in by_code.items() if code == "_T" and kind != "_T"}
    assert set(types) == {"PHISH.mail", "UNK"}
    assert (types["PHISH.mail"]["prevalence"], types["UNK"]["prevalence"]) == (row["prevalence"], 0)
    assert types["PHISH.mail"]["labelled_spam_count"] == row["labelled_spam_count"]

    # Nothing new is nothing done; neither is loading the same again.
    version = work.lake.version(quality.TABLE)
    quality.commit_quality(work)
    assert load_labels(work, filled) == [row]
    assert work.lake.version(quality.TABLE) == version
    # A part of the sheet replaces what it holds, and an empty cell takes a label back.
    units = read_month(work.lake, "silver.audit_label", "north-mail", "2026-11")
    labelled = next(unit["sample_id"] for unit in units if unit["label_code"] == "spam")
    part = tmp_path / "part.csv"
    with part.open("w", newline="", encoding="utf-8") as lines:
        rows = csv.writer(lines)
        rows.writerow(["operator", "sample id", "day", "label", "type"])
        rows.writerow(["north-mail", unsure, "2026-11-01", truth[unsure], ""])
        rows.writerow(["north-mail", labelled, "2026-11-01", "", ""])
    (after,) = load_labels(dataclasses.replace(work, run_id="third"), part)
    assert (after["labelled_count"], after["unsure_count"]) == (134, 0)
    # A note never leaves the sheet.
    everything = str([read_month(work.lake, table, "north-mail", "2026-11") for table in quality.AUDIT])
    assert "ann@example.org" not in everything


def test_a_sheet_with_problems_loads_nothing(
    work: Run, drawn: tuple[list[dict[str, Any]], Path], tmp_path: Path
) -> None:
    version = work.lake.version("silver.audit_label")
    book = openpyxl.load_workbook(drawn[1])
    page = book["Label"]
    page["I2"] = "spam"
    page["B3"] = "0123"
    page["A4"] = "nobody"
    page["C5"] = "yesterday"
    page["A6"] = "south-mail"
    page["B7"] = page["B8"].value
    page["I9"] = "maybe"
    book.save(tmp_path / "odd.xlsx")
    with pytest.raises(ObservatoryError) as error:
        load_labels(work, tmp_path / "odd.xlsx")
    told = str(error.value)
    for part in (
        "row 3, cell B3: '0123' is not in the month's sample",
        "row 4, cell A4: unknown operator 'nobody'; the settings name north-mail, south-mail",
        "row 5, cell C5: 'yesterday' is no day as 2026-11-02",
        "row 6: no sample was drawn for operator south-mail and 2026-11; run `observatory audit sample",
        "row 7, cell B7",
        "row 8, cell B8",
        "stands in 2 rows; keep one",
        "row 9, cell I9: 'maybe' is no label; choose one of spam, not spam, cannot tell",
        "Nothing was loaded.",
    ):
        assert part in told
    assert work.lake.version("silver.audit_label") == version


def counted_twice(lake: Lake) -> list[Run]:
    """Two runs over a lake with a day's volume, with a test of the filter in the settings and without."""
    operator = {"id": "north-mail", "name": "north-mail", **OTHER}
    test = {"channel": "EMAIL", "spam_tested": 100, "spam_flagged": 90, "ham_tested": 100, "ham_flagged": 2}
    settings = [
        Observatory.model_validate({"operator": [operator | {"filter_quality": tests}]})
        for tests in ([test | {"source": "own test"}], [])
    ]
    base = {"operator_id": "north-mail", "period_date": dt.date(2026, 11, 2), "channel_code": "EMAIL"}
    base |= {"direction_code": "inbound", "unit_code": "recipient", "definition_code": "OPERATOR"}
    ends = ("spam_certain", "spam_possible")
    rows = [
        {**base, "stage_code": stage, "outcome_code": outcome, "units": units, **dict.fromkeys(ends, spam)}
        for stage, outcome, units, spam in [
            ("content", "rejected", 284, 284),
            ("delivery", "delivered", 716, 0),
        ]
    ]
    lake.append(rows_frame(rows, quality.VOLUME), quality.VOLUME)
    day = {"table_name": quality.VOLUME, "operator_id": "north-mail", "period": "2026-11-02", "row_count": 2}
    partitions = [day | {"checksum": "a", "input_checksum": "b"}]
    record.add_stage(lake, "run 0", "gold", record.utc_now(), [quality.VOLUME], partitions)
    return [
        Run(lake, each, list(each.operator), f"run {place}", report_step=lambda text: None)
        for place, each in enumerate(settings)
    ]


def test_a_test_elsewhere_corrects_what_was_counted_and_goes_with_the_setting(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    works = counted_twice(lake)
    quality.commit_quality(works[0])
    (row,) = read_month(lake, quality.TABLE, "north-mail", "2026-11")
    assert (row["quality_method_code"], float(row["prevalence"])) == ("rogan_gladen", pytest.approx(0.3))
    assert row["prevalence_low"] < row["prevalence"] < row["prevalence_high"]
    version = lake.version(quality.TABLE)
    quality.commit_quality(works[0])
    assert lake.version(quality.TABLE) == version
    quality.commit_quality(works[1])
    assert read_month(lake, quality.TABLE, "north-mail", "2026-11") == []


def test_a_figure_of_the_page_is_a_row_that_sql_reads(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    works = counted_twice(lake)
    sql = (
        "SELECT part_code, correction_code, spam_low, spam_high, units FROM gold.spam_corrected_monthly"
        " WHERE breakdown_code IN ('_T', 'day') ORDER BY breakdown_code"
    )
    quality.commit_quality(works[0])
    rows, _ = run_sql(lake, sql, None)
    (part, whole, low, high, units), day = rows.rows()
    assert (part, whole, units) == ("_T", "whole", 1000)
    report = Report(gather_figures(lake.read), {}, None)
    ((channel, total),) = report.totals.items()
    found = audited.correct_channel(report, channel, total)
    assert (found.low, found.high) == (math.floor(low), math.ceil(high))
    assert low < 300 < high
    (drawn,) = report.figures.daily.to_dicts()
    assert (str(drawn["period_date"]), drawn["spam_low"], drawn["spam_high"]) == (day[0], *day[2:4])
    # Nothing new is nothing done; without the test it says why nothing is corrected.
    version = lake.version(quality.CORRECTED)
    quality.commit_quality(works[0])
    assert lake.version(quality.CORRECTED) == version
    quality.commit_quality(works[1])
    rows, _ = run_sql(lake, sql, None)
    assert rows.rows() == [(part, "no_audit", 284, 284, 1000) for part in ("_T", "2026-11-02")]


def test_rows_that_break_a_rule_hold_back_their_operator_and_no_other(tmp_path: Path) -> None:
    """Spam that is certain and not possible, which no kernel makes."""
    lake = Lake(str(tmp_path))
    settings = Observatory.model_validate(
        {"operator": [{"id": name, "name": name, **OTHER} for name in ("north-mail", "south-mail")]}
    )
    work = Run(lake, settings, list(settings.operator), "run 1", report_step=lambda text: None)
    base = {"period_date": dt.date(2026, 11, 2), "channel_code": "EMAIL", "direction_code": "inbound"}
    base |= {"unit_code": "recipient", "definition_code": "OPERATOR", "stage_code": "content"}
    base |= {"outcome_code": "rejected", "units": 9, "spam_certain": 4}
    rows = [
        base | {"operator_id": name, "spam_possible": possible}
        for name, possible in (("north-mail", 5), ("south-mail", 3))
    ]
    lake.append(rows_frame(rows, quality.VOLUME), quality.VOLUME)
    day = {"table_name": quality.VOLUME, "period": "2026-11-02", "row_count": 1}
    partitions = [
        day | {"operator_id": row["operator_id"], "checksum": "a", "input_checksum": "b"} for row in rows
    ]
    record.add_stage(lake, "run 0", "gold", record.utc_now(), [quality.VOLUME], partitions)
    found = quality.commit_quality(work)
    assert found.held_operators == {"south-mail"}
    with pytest.raises(ValidationHeld, match="certain_within_possible"):
        refuse_broken_results(found.results)
    assert set(lake.read(quality.CORRECTED)["operator_id"]) == {"north-mail"}
    # The next run tries it again.
    again = dataclasses.replace(work, run_id="run 2")
    assert quality.commit_quality(again).held_operators == {"south-mail"}


def test_scores_on_a_cut_belong_to_the_band_above() -> None:
    scores = pl.DataFrame({"score": [-0.5, 0.0, 3.9, 4.0, None]})
    found = scores.select(score_band((0.0, 4.0))).to_series().to_list()
    assert found == ["lt0", "0to4", "0to4", "ge4", "none"]
    assert band_names(()) == ["any"] and band_names((2.5,)) == ["lt2.5", "ge2.5"]
    assert set(scores.select(score_band(())).to_series()) == {"any", "none"}

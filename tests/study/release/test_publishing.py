"""jobs.study.release: verified, signed, cleared, published, withdrawn; and what is refused on the way."""

import dataclasses
import datetime as dt
import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import polars as pl
import pytest

from jobs.base.core import disk
from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.public_contracts import public_contract
from jobs.study.release import clearance, comparing, decisions, folders, manifest, publishing
from jobs.study.release.released_tables import release_table
from jobs.study.release.signatures import sign_release, signer_of
from tests.study.questionnaire.test_loading import FAR_ROW
from tests.support.bombs import part_of, with_parts
from tests.support.release import (
    ABOUT,
    ASKED,
    NOW,
    VOLUME,
    Place,
    clear_tables,
    few_files,
    made,
    tables,
    volume,
    write,
)

AFTER = dt.date(2027, 2, 20)


def answer(place: Place, country: str, said: str, reason: str = "", who: str = "Ms. A, ministry") -> Path:
    """Fill in a country's sheet as an administration does."""
    file = place.restricted / "clearance" / f"{country.lower()}.xlsx"
    book = openpyxl.load_workbook(file)
    for row, value in enumerate((said, reason, who, "1 Feb 2027"), clearance.FIRST + 1):
        book["Answer"].cell(row, 2).value = value
    returned = place.folder.parents[2] / "returned"
    returned.mkdir(exist_ok=True)
    book.save(returned / file.name)
    return returned / file.name


def test_a_release_is_cleared_signed_published_and_found(place: Place, keys: SimpleNamespace) -> None:
    place.clear()
    sign_release(place.folder, keys.officer)
    target = place.publish(keys.signers)
    assert manifest.verify_release(target) == place.digest
    assert signer_of(target, keys.signers).fingerprint == keys.officer
    index = json.loads((place.public / "index.json").read_bytes())
    assert index["dated"] == "2027-02-01T12:00:00+00:00" and index["releases"] == [
        {"period": "2026-Q4", "version": "v1.0.0", "status": "published", "reason": "", "is_current": True,
         "published_at": "2027-02-01T12:00:00+00:00", "withdrawn_at": None,
         "sha256_of_manifest": place.digest}
    ]  # fmt: skip
    assert [each.what for each in decisions.read_decisions(place.restricted)] == ["made", "published"]
    with pytest.raises(ObservatoryError, match=r"2026-Q4/v1\.0\.0 is published already"):
        place.publish(keys.signers)


def test_a_signature_by_another_key_publishes_nothing(place: Place, keys: SimpleNamespace) -> None:
    place.clear()
    sign_release(place.folder, keys.stranger)
    with pytest.raises(ObservatoryError, match="is no signature of this release by any key in") as told:
        place.publish(keys.signers)
    what, reason, remedy = str(told.value).splitlines()
    assert "  " not in what + reason and "the owner of one of these keys signs it" in remedy
    assert list(place.public.iterdir()) == []


def test_gpg_alone_makes_a_signature_too(place: Place, keys: SimpleNamespace) -> None:
    """The machine has no more than GnuPG (docs/tsb.md)."""
    place.clear()
    signature, data = folders.signature_of(place.folder), place.folder / manifest.NAME
    gpg = ["gpg", "--quiet", "--armor", "--local-user", keys.officer, "--output", signature]
    subprocess.run([*gpg, "--detach-sign", data], check=True, timeout=60)
    assert manifest.verify_release(place.publish(keys.signers)) == place.digest


def test_a_signature_of_another_release_publishes_nothing(
    place: Place, keys: SimpleNamespace, tmp_path: Path
) -> None:
    place.clear()
    other = write(tmp_path / "other", dataclasses.replace(ABOUT, version="v1.1.0"))
    folders.signature_of(place.folder).write_bytes(sign_release(other, keys.officer).read_bytes())
    with pytest.raises(ObservatoryError, match="is no signature of this release"):
        place.publish(keys.signers)
    assert list(place.public.iterdir()) == []


def test_an_unsigned_release_is_refused(place: Place, keys: SimpleNamespace) -> None:
    place.clear()
    with pytest.raises(ObservatoryError, match=r"is not signed: no .*\.asc lies beside the folder") as told:
        place.publish(keys.signers)
    reader, publisher = str(told.value).split("; ")
    assert reader.endswith("A reader asks the publisher for it") and "`observatory release sign" in publisher


@pytest.mark.parametrize("name", sorted({*made()} - {manifest.NAME}))
def test_a_changed_byte_of_any_file_is_found(place: Place, name: str) -> None:
    file = place.folder / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o644)
    file.write_bytes(data)
    with pytest.raises(ObservatoryError, match=f"{name} was changed"):
        manifest.verify_release(place.folder)


@pytest.mark.long
def test_a_manifest_with_any_changed_bit_is_refused_or_has_another_digest(tmp_path: Path) -> None:
    """The signature is not good: that is of the digest. No change ends the program."""
    folder = tmp_path / "2026-Q4" / "v1.0.0"
    folders.write_folder(folder, few_files())
    digest = manifest.verify_release(folder)
    file = folder / manifest.NAME
    whole = file.read_bytes()
    file.chmod(0o644)
    refused = 0
    for bit in range(8 * len(whole)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        file.write_bytes(data)
        try:
            assert manifest.verify_release(folder) != digest
        except ObservatoryError:
            refused += 1
    assert refused > 3 * len(whole)


@pytest.mark.parametrize("files", [[], "none", {"README.md": None}, {"README.md": {"sha256": 1}}])
def test_a_manifest_of_another_form_is_refused(place: Place, files: object) -> None:
    found = manifest.read_manifest(place.folder)
    for wrong in (found | {"files": files}, {k: v for k, v in found.items() if k != "period"}):
        (place.folder / manifest.NAME).chmod(0o644)
        (place.folder / manifest.NAME).write_text(json.dumps(wrong))
        with pytest.raises(ObservatoryError, match=r"manifest\.json is damaged"):
            manifest.verify_release(place.folder)


def test_a_file_too_many_and_a_file_too_few_are_found(place: Place) -> None:
    (place.folder / "data" / "extra.csv").write_text("a\n")
    (place.folder / "README.md").unlink()
    with pytest.raises(ObservatoryError) as found:
        manifest.verify_release(place.folder)
    assert "README.md is missing" in str(found.value)
    assert "data/extra.csv is not in the manifest" in str(found.value)


def test_a_link_in_a_release_is_found(place: Place, tmp_path: Path) -> None:
    """A link in a release is found, for its target may change later."""
    file = place.folder / "README.md"
    file.rename(tmp_path / "README.md")
    file.symlink_to(tmp_path / "README.md")
    (place.folder / "more").symlink_to(tmp_path)
    with pytest.raises(ObservatoryError) as found:
        manifest.verify_release(place.folder)
    assert "README.md is a link" in str(found.value) and "more is not in the manifest" in str(found.value)


def test_a_signed_release_that_was_changed_is_not_published(place: Place, keys: SimpleNamespace) -> None:
    place.clear()
    sign_release(place.folder, keys.officer)
    file = place.folder / "data" / "spam_volume.csv"
    file.chmod(0o644)
    file.write_text(file.read_text().replace("1230000", "1230001"))
    with pytest.raises(ObservatoryError, match="spam_volume.csv was changed"):
        place.publish(keys.signers)
    with pytest.raises(ObservatoryError, match="spam_volume.csv was changed"):
        sign_release(place.folder, keys.officer)
    assert list(place.public.iterdir()) == []


def test_a_full_disk_leaves_no_half_release(
    place: Place, keys: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.clear()
    sign_release(place.folder, keys.officer)
    calls = iter(range(100))

    def full(_: int) -> None:
        if next(calls) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(disk.DiskFull, match="the disk is full"):
        place.publish(keys.signers)
    assert [each.name for each in place.public.rglob("*") if each.is_file()] == []
    assert [each.name for each in (place.public / "2026-Q4").iterdir()] == []


def test_two_that_write_one_folder_leave_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "2026-Q4" / "v1.0.0"
    folders.write_folder(target, {"a": b"first", "b": b"first"})
    new = tmp_path / "2026-Q4" / ".unfinished-x"
    new.mkdir()
    (new / "a").write_bytes(b"second")
    with pytest.raises(ObservatoryError, match="a release is never changed"):
        folders.put_in_place(new, target)
    assert {each.read_bytes() for each in target.iterdir()} == {b"first"}


# --- clearance --------------------------------------------------------------------------------------


def test_an_administration_sees_its_own_rows_alone(place: Place) -> None:
    place.clear()
    book = openpyxl.load_workbook(place.restricted / "clearance" / "fji.xlsx")
    cells = [[cell.value for cell in row] for row in book["spam_volume"].iter_rows()]
    assert [row[1] for row in cells] == ["area_code", "242"] and 1_230_000 in cells[1]
    texts = " ".join(str(cell.value) for page in book for row in page.iter_rows() for cell in row)
    # Digests may have any digits.
    words = texts.split()
    assert "524" not in words and "2340000" not in words and "20 January 2027" in texts
    assert "answers@example.org" in texts and "study@example.org" in texts
    (listed,) = book["Answer"].data_validations.dataValidation
    assert (str(listed.sqref), listed.formula1) == ("B5", '"agreed,objected"')
    # Its rows by name come before the tables.
    assert book.sheetnames == ["Answer", "Main figures", "spam_volume"]
    told = [str(row[0].value) for row in book["Main figures"].iter_rows()]
    assert told[-1].endswith(
        "In brackets: a figure whose own reliability is low or not published. A dash or an empty place:"
        " figure not published."
    ), told
    heads, values = ([cell.value for cell in row] for row in book["Main figures"].iter_rows(3, 4))
    named = dict(zip(heads, values, strict=True))
    assert named["Figure"] == "1.23M" and named["Reliability"]
    assert (place.restricted / "clearance" / "fji.xlsx").stat().st_mode & 0o077 == 0
    nothing = openpyxl.load_workbook(place.restricted / "clearance" / "ton.xlsx")
    assert nothing.sheetnames == ["Answer"]
    assert nothing["Answer"]["B3"].value.startswith("No row of your country would be published")


def test_an_administration_is_asked_and_answers_in_its_language(place: Place) -> None:
    place.clear()
    sheet = openpyxl.load_workbook(place.restricted / "clearance" / "npl.xlsx")["Answer"]
    assert sheet.sheet_properties.pageSetUpPr.fitToPage and sheet.page_setup.fitToHeight == 0
    texts = [str(each.value) for row in sheet.iter_rows() for each in row]
    assert "Réponse (approuvé ou objection)" in texts and "Traduction non officielle" in texts
    assert "Le spam et le coût de la lutte contre le spam, 4e trimestre 2026: Népal" in texts
    found = clearance.load_answers(place.restricted, [answer(place, "NPL", " Approuvé ")], NOW)
    assert found.asked["NPL"].answer == clearance.AGREED


@pytest.mark.parametrize(
    ("written", "has_reason", "read"),
    [
        *((each, False, clearance.AGREED) for each in ("yes", "Oui.", "Agree", "Agreed.", "D'accord")),
        *((each, False, clearance.AGREED) for each in ("D’accord.", "同意。", "Согласна", "نعم")),
        *((each, True, clearance.OBJECTED) for each in ("no", "Non", "We object.", "нет", "否")),
        # Yes, we object?
        ("yes", True, "yes"),
        ("agreed, but not SMS", False, "agreed, but not sms"),
        ("not agreed", False, "not agreed"),
    ],
)  # fmt: skip
def test_clear_words_of_any_language_are_an_answer(written: str, has_reason: bool, read: str) -> None:
    assert clearance.code_answer(written, has_reason) == read


def test_nobody_asked_publishes_nothing(place: Place, keys: SimpleNamespace) -> None:
    sign_release(place.folder, keys.officer)
    with pytest.raises(ObservatoryError, match="were not asked about this release"):
        place.publish(keys.signers)


def test_before_the_deadline_all_have_to_answer(place: Place, keys: SimpleNamespace) -> None:
    place.clear(AFTER)
    sign_release(place.folder, keys.officer)
    with pytest.raises(
        ObservatoryError, match=r"no answer yet of 2\sadministrations, with time until 2027-02-20"
    ):
        place.publish(keys.signers)
    clearance.load_answers(place.restricted, [answer(place, country, "agreed") for country in ASKED], NOW)
    assert place.publish(keys.signers)


def test_on_the_day_of_the_deadline_an_administration_may_still_answer(
    place: Place, keys: SimpleNamespace
) -> None:
    sign_release(place.folder, keys.officer)
    place.clear(NOW.date())
    with pytest.raises(ObservatoryError, match="with time until 2027-02-01"):
        place.publish(keys.signers)
    place.clear(NOW.date() - dt.timedelta(days=1))
    assert place.publish(keys.signers)


def test_an_objection_waits_for_a_recorded_decision(place: Place, keys: SimpleNamespace) -> None:
    place.clear()
    sign_release(place.folder, keys.officer)
    found = clearance.load_answers(
        place.restricted, [answer(place, "FJI", "Objected", "one of three left")], NOW
    )
    assert [each.country for each in found.open_objections] == ["FJI"]
    with pytest.raises(ObservatoryError, match="FJI objects: one of three left") as told:
        place.publish(keys.signers)
    command = "clear decide 2026-Q4/v1.0.0 FJI --as published|left_out --by NAME --reason TEXT`"
    assert command in str(told.value)
    with pytest.raises(ObservatoryError, match="--reason"):
        clearance.decide_objection(place.restricted, "FJI", clearance.OVERRULED, "A. Officer", " ", NOW)
    stands = clearance.read_clearance(place.restricted)
    assert stands is not None and [each.country for each in stands.open_objections] == ["FJI"]
    clearance.decide_objection(
        place.restricted, "FJI", clearance.OVERRULED, "A. Officer", "agreed by letter", NOW
    )
    assert place.publish(keys.signers)


def test_rows_that_a_decision_leaves_out_need_the_next_version(place: Place, keys: SimpleNamespace) -> None:
    place.clear()
    sign_release(place.folder, keys.officer)
    clearance.load_answers(place.restricted, [answer(place, "FJI", "objected", "wrong")], NOW)
    decided = clearance.decide_objection(
        place.restricted, "FJI", clearance.LEFT_OUT, "A. Officer", "they are right", NOW
    )
    assert decided.countries_left_out == ["FJI"]
    (place.restricted / folders.ABOUT).write_text('{"earlier": [], "leave_out_areas": true}')
    with pytest.raises(ObservatoryError, match="rows of FJI are to be left out") as told:
        place.publish(keys.signers)
    assert "`observatory release make --period 2026-Q4 --leave-out-areas`" in str(told.value)


@pytest.mark.parametrize(
    ("said", "reason", "who", "told"),
    [
        ("maybe", "", "Ms. A", "the answer is 'maybe'"),
        ("objected", "", "Ms. A", "an objection needs its reason"),
        ("agreed", "", "", "who answered"),
    ],
)
def test_an_answer_that_cannot_stand_records_nothing(
    place: Place, said: str, reason: str, who: str, told: str
) -> None:
    place.clear()
    good, wrong = answer(place, "NPL", "agreed"), answer(place, "FJI", said, reason, who)
    with pytest.raises(ObservatoryError, match=told):
        clearance.load_answers(place.restricted, [good, wrong], NOW)
    stands = clearance.read_clearance(place.restricted)
    assert stands is not None and {each.answer for each in stands.asked.values()} == {clearance.NONE}


def test_an_answer_to_another_release_is_refused(place: Place) -> None:
    place.clear()
    file = answer(place, "FJI", "agreed")
    clear_tables(place.restricted, tables(), "0" * 64)
    with pytest.raises(ObservatoryError, match="it answers another release"):
        clearance.load_answers(place.restricted, [file], NOW)
    (place.restricted / "notes.xlsx").write_bytes(b"no workbook")
    with pytest.raises(ObservatoryError, match="is no clearance sheet"):
        clearance.load_answers(place.restricted, [place.restricted / "notes.xlsx"], NOW)
    part = "xl/worksheets/sheet1.xml"
    data = part_of(file.read_bytes(), part).replace(b"</sheetData>", FAR_ROW + b"</sheetData>")
    file.write_bytes(with_parts(file.read_bytes(), {part: data}))
    with pytest.raises(ObservatoryError, match="is no clearance sheet: XFD1048576"):
        clearance.load_answers(place.restricted, [file], NOW)


def test_nobody_is_asked_about_what_others_published(place: Place) -> None:
    table = "public.published_volume"
    row = dict.fromkeys(public_contract(table).schema) | {
        "area_code": "TON", "area_kind_code": "country", "period_code": "2026", "channel_code": "SMS",
        "figure_code": "OF_TONGA", "conf_status_code": "F",
    }  # fmt: skip
    others = release_table(table, pl.DataFrame([row], schema=public_contract(table).schema))
    released = [*tables(), others]
    found = clear_tables(place.restricted, released, place.digest)
    assert {each.country: each.rows for each in found.asked.values()} == {"FJI": 1, "NPL": 1, "TON": 0}
    assert found.waited and "TON" not in {each.country for each in found.waited}
    sheets = openpyxl.load_workbook(place.restricted / clearance.SHEETS / "ton.xlsx").sheetnames
    assert sheets == [clearance.ANSWER]


def test_a_sheet_counts_for_its_country_whatever_its_file_is_called(place: Place) -> None:
    """Mail programs and browsers rename files."""
    place.clear()
    file = answer(place, "FJI", "agreed")
    renamed = file.rename(file.with_name("npl (1).xlsx"))
    found = clearance.load_answers(place.restricted, [renamed], NOW)
    assert [each.country for each in found.asked.values() if each.answer == clearance.AGREED] == ["FJI"]
    again = answer(place, "FJI", "objected", "wrong")
    with pytest.raises(ObservatoryError, match=rf"{again}: the sheet of FJI is there twice"):
        clearance.load_answers(place.restricted, [renamed, again], NOW)


def test_nobody_waits_for_an_administration_without_rows(place: Place, keys: SimpleNamespace) -> None:
    """Nothing of Tonga leaves: its sheet says so, and it may answer."""
    place.clear(AFTER)
    sign_release(place.folder, keys.officer)
    found = clearance.read_clearance(place.restricted)
    assert found is not None and (found.asked["TON"].rows, found.asked["FJI"].rows) == (0, 1)
    clearance.load_answers(place.restricted, [answer(place, "FJI", "agreed")], NOW)
    with pytest.raises(ObservatoryError, match=r"no answer yet of 1\sadministration, .*: NPL$"):
        place.publish(keys.signers)
    clearance.load_answers(place.restricted, [answer(place, "NPL", "agreed")], NOW)
    assert place.publish(keys.signers).is_dir()


def test_an_administration_without_rows_may_object(place: Place, keys: SimpleNamespace) -> None:
    place.clear()
    sign_release(place.folder, keys.officer)
    clearance.load_answers(place.restricted, [answer(place, "TON", "objected", "wrong")], NOW)
    with pytest.raises(ObservatoryError, match="TON objects: wrong"):
        place.publish(keys.signers)


def test_answers_to_the_same_release_stay_when_it_is_asked_again(place: Place) -> None:
    place.clear()
    clearance.load_answers(place.restricted, [answer(place, "FJI", "agreed")], NOW)
    place.clear(AFTER)
    found = clearance.read_clearance(place.restricted)
    assert (
        found is not None and found.asked["FJI"].answer == clearance.AGREED and found.deadline == "2027-02-20"
    )


def decided(place: Place, *lines: str) -> clearance.Clearance:
    """Fill in the file of countries without an administration."""
    file = place.folder.parents[2] / "filled.csv"
    file.write_text("\n".join(["country,decision,by,reason", *lines, ""]), encoding="utf-8-sig")
    return clearance.decide_unasked(place.restricted, file, NOW)


def test_a_country_without_an_administration_waits_for_a_decision_of_its_own(
    place: Place, keys: SimpleNamespace
) -> None:
    place.clear(asked={"FJI": "Ministry of Fiji"})
    sign_release(place.folder, keys.officer)
    with pytest.raises(ObservatoryError, match=r"rows of 1\scountry leave without .*: NPL\. Add") as told:
        place.publish(keys.signers)
    file = place.restricted / "clearance" / "unasked.csv"
    assert f"`observatory release clear unasked 2026-Q4/v1.0.0 {file}`" in str(told.value)
    assert file.read_text() == "country,name,rows,decision,by,reason\nNPL,Nepal,1,,,\n"
    assert file.stat().st_mode & 0o077 == 0
    found = decided(place, 'NPL,published,A. Officer,"no focal point, letter of 3 January"')
    assert clearance.describe_grounds(found) == [
        "Rows of 2\u00a0countries leave.",
        "1 asked, without an answer: FJI",
        "1 without an administration, published by decision of A. Officer"
        " (no focal point, letter of 3 January): NPL",
    ]
    place.clear(asked={"FJI": "Ministry of Fiji"})
    assert place.publish(keys.signers)
    (of_nepal,) = [each for each in decisions.read_decisions(place.restricted) if each.about]
    assert (of_nepal.what, of_nepal.about, of_nepal.by) == ("published_unasked", "NPL", "A. Officer")
    assert of_nepal.reason == "no focal point, letter of 3 January" and of_nepal.digest == place.digest


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("*,published,A. Officer,all of them", r"line 2: '\*' is no country whose rows leave without"),
        ("ALL,published,A. Officer,all of them", "line 2: 'ALL' is no country"),
        ("TON,published,A. Officer,no rows", "line 2: 'TON' is no country"),
        ("NPL,published,,no focal point", r"line 2: the decision on NPL needs a name \(by\) and a reason"),
        ("NPL,published,A. Officer,", r"line 2: the decision on NPL needs a name \(by\) and a reason"),
        ("NPL,yes,A. Officer,x", "line 2: the decision is 'yes'; it has to be published or left_out"),
        ("NPL,published,A. Officer,x\nNPL,,,", "line 3: NPL is there twice"),
        ("NPL,,,", "no decision was recorded"),
    ],
)
def test_a_line_that_decides_on_no_one_country_records_nothing(place: Place, line: str, told: str) -> None:
    place.clear(asked={})
    with pytest.raises(ObservatoryError, match=told):
        decided(place, *line.split("\n"))
    found = clearance.read_clearance(place.restricted)
    assert found is not None and [each.country for each in found.undecided] == ["FJI", "NPL"]
    assert [each.what for each in decisions.read_decisions(place.restricted)] == ["made"]


def test_rows_of_a_country_without_an_administration_are_left_out_of_the_next_version(
    place: Place, keys: SimpleNamespace
) -> None:
    place.clear(asked={"FJI": "Ministry of Fiji"})
    sign_release(place.folder, keys.officer)
    assert decided(place, "NPL,left_out,A. Officer,nobody could be asked").countries_left_out == ["NPL"]
    with pytest.raises(ObservatoryError, match="rows of NPL are to be left out"):
        place.publish(keys.signers)


def test_a_clearance_that_lacks_a_country_is_made_again(place: Place, keys: SimpleNamespace) -> None:
    """An earlier version of the program wrote it: the release itself says whose rows leave."""
    place.clear()
    sign_release(place.folder, keys.officer)
    found = clearance.read_clearance(place.restricted)
    assert found is not None
    without = {country: each for country, each in found.asked.items() if country != "NPL"}
    clearance.write_clearance(place.restricted, dataclasses.replace(found, asked=without))
    with pytest.raises(ObservatoryError, match=r"not in the clearance: 1\scountry .*: NPL\. List them"):
        place.publish(keys.signers)


# --- withdrawal and differences ---------------------------------------------------------------------


def test_a_withdrawn_release_leaves_a_tombstone_and_the_earlier_one_stands(
    place: Place, keys: SimpleNamespace, tmp_path: Path
) -> None:
    place.clear()
    sign_release(place.folder, keys.officer)
    place.publish(keys.signers)
    about = dataclasses.replace(ABOUT, version="v1.1.0")
    later = Place(
        write(tmp_path / "releases", about), tmp_path / "restricted/2026-Q4/v1.1.0", place.public, ""
    )
    later.restricted.mkdir()
    later.digest = manifest.verify_release(later.folder)
    decisions.record_decision(later.restricted, "made", "observatory", later.digest, NOW)
    (later.restricted / folders.ABOUT).write_text('{"earlier": []}')
    later.clear()
    sign_release(later.folder, keys.officer)
    with pytest.raises(ObservatoryError, match="2026-Q4/v1.0.0 was published after this release was made"):
        later.publish(keys.signers)
    (later.restricted / folders.ABOUT).write_text('{"earlier": ["2026-Q4/v1.0.0"]}')
    later.publish(keys.signers)
    current = {
        each["version"]: each["is_current"]
        for each in publishing.list_public(place.public, place.restricted.parents[1])
    }
    assert current == {"v1.0.0": False, "v1.1.0": True}
    with pytest.raises(ObservatoryError, match="why is it withdrawn"):
        publishing.withdraw_release(
            "2026-Q4", "v1.1.0", later.restricted, place.public, "A. Officer", " ", NOW
        )
    reason = "units of one channel were doubled"
    target = publishing.withdraw_release(
        "2026-Q4", "v1.1.0", later.restricted, place.public, "A. Officer", reason, NOW
    )
    assert [each.name for each in target.iterdir()] == ["WITHDRAWN.json"]
    with pytest.raises(ObservatoryError, match=r"has no manifest.json, and a WITHDRAWN.json"):
        manifest.verify_release(target)
    found = {
        each["version"]: each for each in publishing.list_public(place.public, place.restricted.parents[1])
    }
    assert found["v1.0.0"]["is_current"] and found["v1.1.0"]["reason"] == reason
    assert found["v1.1.0"]["sha256_of_manifest"] == later.digest
    assert manifest.verify_release(place.public / "2026-Q4" / "v1.0.0") == place.digest
    with pytest.raises(ObservatoryError, match="is withdrawn already"):
        publishing.withdraw_release(
            "2026-Q4", "v1.1.0", later.restricted, place.public, "A. Officer", reason, NOW
        )
    unknown = later.restricted.with_name("v9.0.0")
    with pytest.raises(ObservatoryError, match="is not published"):
        publishing.withdraw_release("2026-Q4", "v9.0.0", unknown, place.public, "A. Officer", reason, NOW)


def test_a_decision_needs_a_name(place: Place) -> None:
    with pytest.raises(ObservatoryError, match="state with --by who decides"):
        decisions.record_decision(place.restricted, "published", " ", place.digest, NOW)


def test_what_differs_between_two_releases(place: Place, tmp_path: Path) -> None:
    rows = volume(
        WORLD={"area_kind_code": "world", "estimate": 17_300_000_000}, FJI={"revision_code": "SAME"}
    )
    about = dataclasses.replace(ABOUT, version="v1.1.0")
    folder = tmp_path / "releases" / "2026-Q4" / "v1.1.0"
    folders.write_folder(folder, made(about, [release_table(VOLUME, rows)]))
    found = comparing.compare_tables(comparing.tables_in(place.folder), comparing.tables_in(folder))
    assert {(each.kind, each.key.split("/")[1]) for each in found} == {
        ("gone", "524"), ("gone", "ITU_AFR"), ("changed", "001"),
    }  # fmt: skip
    (estimate,) = [each for each in found if each.column == "estimate"]
    assert (estimate.before, estimate.after) == ("17200000000", "17300000000")


def test_what_is_no_release_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(ObservatoryError, match="Name the folder of a version"):
        manifest.verify_release(tmp_path)
    (tmp_path / manifest.NAME).write_text("{")
    with pytest.raises(ObservatoryError, match="is damaged"):
        manifest.verify_release(tmp_path)

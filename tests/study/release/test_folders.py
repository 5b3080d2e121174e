"""A release whose making, publication or withdrawal is killed at any point: whatever readers have seen has a
record that the next attack reads, no half release is there, and the same command finishes it."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.study.release import clearance, decisions, folders, manifest, publishing
from jobs.study.release.production import remove_unmade
from jobs.study.release.signatures import Signed
from tests.support.killed import kill_at_each
from tests.support.release import NOW, Place, few_files

NAME = "2026-Q4/v1.0.0"


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


def again(place: Place, kept: Path) -> None:
    """All folders as they were before."""
    root = place.folder.parents[2]
    for each in root.iterdir():
        shutil.rmtree(each)
    shutil.copytree(kept, root, dirs_exist_ok=True)


@pytest.fixture
def place(place: Place) -> Place:
    """Folders of a release with few files."""
    shutil.rmtree(place.folder)
    folders.write_folder(place.folder, few_files())
    (place.restricted / decisions.FILE).unlink()
    digest = manifest.verify_release(place.folder)
    decisions.record_decision(place.restricted, "made", "observatory", digest, NOW)
    return dataclasses.replace(place, digest=digest)


@pytest.fixture
def signed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature that counts as good, without gpg for each point; test_publishing.py verifies real ones."""
    folders.signature_of(place.folder).write_text("a signature")
    monkeypatch.setattr(publishing, "signer_of", lambda *_: Signed("00", "officer.asc"))


@pytest.fixture
def kept(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a release that can be published, to begin from again."""
    place.clear()
    return tmp_path_factory.mktemp("kept")


def seen(public: Path) -> list[Path]:
    """List the files that readers can read, of any release."""
    return [
        each
        for each in public.rglob("*")
        if each.is_file()
        and each.name != "index.json"
        and all(readable(part) for part in within(public, each))
    ]


def within(public: Path, file: Path) -> list[Path]:
    return [file, *(part for part in file.parents if part.is_relative_to(public))]


def readable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o004)


@pytest.mark.long
def test_publication_killed_at_any_point_leaves_nothing_that_no_record_names(
    place: Place, signed: None, kept: Path
) -> None:
    shutil.copytree(place.folder.parents[2], kept, dirs_exist_ok=True)
    target = place.public / NAME
    states = set()
    for number in kill_at_each(lambda: place.publish(Path("signers"))):
        is_recorded = decisions.list_published(place.restricted.parents[1]) == [NAME]
        assert is_recorded or seen(place.public) == [], number
        if target.exists():
            assert manifest.verify_release(target) == place.digest
            assert folders.signature_of(target).read_text() == "a signature"
        is_listed = publishing.is_listed(place.public, place.restricted.parents[1])
        states.add((is_recorded, target.exists(), is_listed))
        if is_recorded != target.exists():
            with pytest.raises(ObservatoryError, match=f"run `observatory release publish {NAME}` again"):
                publishing.refuse_unfinished(place.restricted.parents[1], place.public)
        place.publish(Path("signers"))
        whole(place)
        again(place, kept)
    assert states == {(False, False, False), (True, False, False), (True, True, False)}


def whole(place: Place) -> None:
    """The release is published, once, and nothing else is there."""
    publishing.refuse_unfinished(place.restricted.parents[1], place.public)
    assert decisions.list_published(place.restricted.parents[1]) == [NAME]
    index = json.loads((place.public / "index.json").read_bytes())
    assert [each["sha256_of_manifest"] for each in index["releases"]] == [place.digest]
    assert {each.name for each in (place.public / "2026-Q4").iterdir()} == {"v1.0.0", "v1.0.0.asc"}
    with pytest.raises(ObservatoryError, match="a release is never changed"):
        folders.refuse_existing(place.public / NAME)


@pytest.mark.long
def test_a_withdrawal_killed_at_any_point_can_be_finished(place: Place, signed: None, kept: Path) -> None:
    place.publish(Path("signers"))
    shutil.copytree(place.folder.parents[2], kept, dirs_exist_ok=True)

    def take_back() -> Path:
        return publishing.withdraw_release(
            *NAME.split("/"), place.restricted, place.public, "A. Officer", "a package was wrong", NOW
        )

    target = place.public / NAME
    for number in kill_at_each(take_back):
        (found,) = publishing.list_public(place.public, place.restricted.parents[1])
        is_whole = (target / manifest.NAME).is_file() and (target / "README.md").is_file()
        assert found["status"] == "withdrawn" or is_whole, number
        assert decisions.list_published(place.restricted.parents[1]) == [NAME]
        take_back()
        assert [each.name for each in target.iterdir()] == ["WITHDRAWN.json"]
        assert folders.signature_of(target).read_text() == "a signature" and publishing.is_listed(
            place.public, place.restricted.parents[1]
        )
        with pytest.raises(ObservatoryError, match="is withdrawn already"):
            take_back()
        again(place, kept)


def test_a_publication_that_was_broken_off_can_be_withdrawn(place: Place, signed: None) -> None:
    place.clear()
    decisions.record_decision(place.restricted, "published", "A. Officer", place.digest, NOW)
    publishing.withdraw_release(
        *NAME.split("/"), place.restricted, place.public, "A. Officer", "an objection", NOW
    )
    assert [each.name for each in (place.public / NAME).iterdir()] == ["WITHDRAWN.json"]
    publishing.refuse_unfinished(place.restricted.parents[1], place.public)
    with pytest.raises(
        ObservatoryError, match=f"{NAME} was withdrawn on 2027-02-01 by A. Officer: an objection"
    ):
        place.publish(Path("signers"))


def test_a_published_folder_without_a_record_gets_one(place: Place, signed: None) -> None:
    """An earlier version of the program left such a folder when it was killed."""
    place.clear()
    shutil.copytree(place.folder, place.public / NAME)
    with pytest.raises(ObservatoryError, match=f"`observatory release publish {NAME}` adds it"):
        publishing.refuse_unfinished(place.restricted.parents[1], place.public)
    place.publish(Path("signers"))
    assert decisions.list_published(place.restricted.parents[1]) == [NAME]
    publishing.refuse_unfinished(place.restricted.parents[1], place.public)


def test_a_record_that_was_broken_off_does_not_count(place: Place) -> None:
    line = decisions.format_decision("published", "A. Officer", place.digest, NOW)
    file = place.restricted / decisions.FILE
    for end in (1, len(line) // 2, len(line) - 1):
        before = file.read_bytes()
        file.write_bytes(before + line.encode()[:end])
        assert decisions.list_published(place.restricted.parents[1]) == []
        decisions.record_decision(
            place.restricted, "cleared", "A. Officer", place.digest, NOW, reason="a\u2028b"
        )
        assert [each.what for each in decisions.read_decisions(place.restricted)] == ["made", "cleared"]
        file.write_bytes(before)


def test_a_record_without_room_leaves_the_file_as_it_was(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (place.restricted / decisions.FILE).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        decisions.record_decision(place.restricted, "published", "A. Officer", place.digest, NOW)
    assert (place.restricted / decisions.FILE).read_bytes() == before


@pytest.mark.long
def test_making_killed_at_any_point_leaves_a_release_or_none(tmp_path: Path) -> None:
    """The next release has the same version."""
    root, restricted = tmp_path / "releases", tmp_path / "restricted"
    folder, own = root / NAME, restricted / NAME
    files = few_files()
    record = decisions.format_decision(
        "made", "observatory", manifest.compute_digest(files[manifest.NAME]), NOW
    ).encode()
    own_files = {decisions.FILE: record, folders.ABOUT: b"{}", "basis/a.parquet": b"a"}
    states = set()

    def write_both() -> None:
        folders.write_release(folder, files, own, own_files)

    for _ in kill_at_each(write_both):
        states.add((own.exists(), folder.exists()))
        remove_unmade(root, restricted, "2026-Q4")
        assert own.exists() == folder.exists()
        if not folder.exists():
            write_both()
        assert manifest.verify_release(folder)
        assert {each.name for each in own.iterdir()} == {Path(name).parts[0] for name in own_files}
        assert {each.name for each in (*folder.parent.iterdir(), *own.parent.iterdir())} == {"v1.0.0"}
        shutil.rmtree(tmp_path / "releases")
        shutil.rmtree(tmp_path / "restricted")
    assert states == {(False, False), (True, False), (True, True)}


def test_a_release_whose_folder_lies_elsewhere_is_never_removed(tmp_path: Path) -> None:
    """`[release] root` names another folder now, or the release was moved to the officer's machine."""
    root, restricted = tmp_path / "releases", tmp_path / "restricted"
    files = few_files()
    record = decisions.format_decision("made", "observatory", "0" * 64, NOW).encode()
    folders.write_release(root / NAME, files, restricted / NAME, {decisions.FILE: record})
    remove_unmade(tmp_path / "other", restricted, "2026-Q4")
    assert [each.what for each in decisions.read_decisions(restricted / NAME)] == ["made"]


def test_a_decision_on_an_objection_that_is_killed_counts_with_its_record_or_not_at_all(
    place: Place, kept: Path
) -> None:
    asked = clearance.read_clearance(place.restricted)
    assert asked is not None
    objects = dataclasses.replace(asked.asked["FJI"], answer=clearance.OBJECTED, reason="other figures")
    clearance.write_clearance(place.restricted, dataclasses.replace(asked, asked={"FJI": objects}))
    shutil.copytree(place.folder.parents[2], kept, dirs_exist_ok=True)

    def overrule() -> None:
        clearance.decide_objection(
            place.restricted, "FJI", clearance.OVERRULED, "A. Officer", "by letter", NOW
        )

    for number in kill_at_each(overrule):
        found = clearance.read_clearance(place.restricted)
        is_recorded = decisions.read_decisions(place.restricted)[-1].what == clearance.OVERRULED
        assert found is not None and (found.open_objections or is_recorded), number
        overrule()
        again(place, kept)

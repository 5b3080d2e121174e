"""`release verify`: which release it is and who signed it when; folders with another's name, tombstones and
indexes that are forged, and keys that expired."""

import dataclasses
import datetime as dt
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from jobs.base.core.errors import ObservatoryError
from jobs.cli.main import app
from jobs.study.release import decisions, folders, manifest, publishing
from jobs.study.release.signatures import (
    sign_release,
    sign_statement,
    signer_of,
    statement_signature,
    verify_path,
)
from tests.support.release import ABOUT, NOW, Place, write

NAME, REASON = "2026-Q4/v1.0.0", "units of one channel were doubled"


@pytest.fixture
def published(place: Place, keys: SimpleNamespace) -> Place:
    """A release that is published, with a signed index."""
    place.clear()
    sign_release(place.folder, keys.officer)
    place.publish(keys.signers)
    sign_statement(place.public / manifest.INDEX, keys.officer)
    return place


def withdraw(place: Place) -> Path:
    return publishing.withdraw_release(
        *NAME.split("/"), place.restricted, place.public, "A. Officer", REASON, NOW + dt.timedelta(days=9)
    )


def said(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["release", *map(str, words)])
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def test_verify_says_which_release_it_is_and_who_signed_it_when(
    published: Place, keys: SimpleNamespace
) -> None:
    told = said("verify", published.public / NAME, "--signers", keys.signers)
    assert f"Release {NAME} of SPAMSTAT: Spam and the cost of countering it, quarter 4 of 2026 All" in told
    today = f"{dt.datetime.now(dt.UTC):%Y-%m-%d}"
    signed = f"Signed by {keys.officer} (officer.asc: officer <officer@example.org>) on {today}"
    assert f"digest {published.digest} {signed}" in told
    index = said("verify", published.public / "index.json", "--signers", keys.signers)
    assert f"as of 2027-02-01 12:00 UTC {NAME}: current, digest {published.digest} {signed}" in index
    assert "Who signed was not checked" in said("verify", published.public / NAME)


def test_signers_that_are_not_there_are_no_folder_without_keys(published: Place, tmp_path: Path) -> None:
    with pytest.raises(ObservatoryError, match=r"nowhere does not exist: name a file or folder"):
        verify_path(published.public / NAME, tmp_path / "nowhere")
    with pytest.raises(ObservatoryError, match="holds no public key"):
        verify_path(published.public / NAME, tmp_path)
    (tmp_path / "folder.asc").mkdir()
    with pytest.raises(ObservatoryError, match="holds no public key"):
        verify_path(published.public / NAME, tmp_path)


@pytest.mark.parametrize("other", ["2027-Q1/v9.9.9", "2026-Q4/v1.0.1", "2027-Q1/v1.0.0", "downloads/latest"])
def test_a_folder_with_another_name_is_refused(
    published: Place, keys: SimpleNamespace, tmp_path: Path, other: str
) -> None:
    copy = tmp_path / "copy" / other
    shutil.copytree(published.public / NAME, copy)
    shutil.copy(folders.signature_of(published.public / NAME), folders.signature_of(copy))
    with pytest.raises(ObservatoryError, match=rf"{copy} is not {NAME}, which it holds"):
        verify_path(copy, keys.signers)
    for step in (lambda: sign_release(copy, keys.officer), lambda: manifest.verify_release(copy)):
        with pytest.raises(ObservatoryError, match="which it holds"):
            step()


def test_a_release_in_another_folder_keeps_its_name(published: Place, tmp_path: Path) -> None:
    shutil.copytree(published.public / NAME, tmp_path / "downloads" / "v1.0.0")
    assert verify_path(tmp_path / "downloads" / "v1.0.0", None)[2] == f"digest {published.digest}"


def test_diff_verifies_both_sides(published: Place, tmp_path: Path, keys: SimpleNamespace) -> None:
    told = said("diff", published.folder, published.public / NAME, "--signers", keys.signers)
    assert told.count(f"Release {NAME}") == 2 and "0 differences" in told
    file = published.folder / "data" / "spam_volume.csv"
    file.chmod(0o644)
    file.write_text(file.read_text().replace("1230000", "1230001"))
    for pair in ((published.folder, published.public / NAME), (published.public / NAME, published.folder)):
        with pytest.raises(ObservatoryError, match="spam_volume.csv was changed"):
            CliRunner().invoke(
                app, ["release", "diff", *map(str, pair)], catch_exceptions=False, standalone_mode=False
            )


# --- tombstones and indexes -------------------------------------------------------------------------


def test_a_withdrawal_is_believed_once_it_is_signed(published: Place, keys: SimpleNamespace) -> None:
    target = withdraw(published)
    tombstone = target / manifest.TOMBSTONE
    with pytest.raises(
        ObservatoryError, match=r"WITHDRAWN.json is not believed, because none of the signers"
    ):
        verify_path(target, keys.signers)
    assert publishing.list_unsigned(published.public, keys.signers) == [
        published.public / "index.json",
        tombstone,
    ]
    for file in (tombstone, published.public / manifest.INDEX):
        sign_statement(file, keys.officer)
    with pytest.raises(ObservatoryError) as told:
        verify_path(target, keys.signers)
    assert str(told.value).startswith(
        f"{NAME} was withdrawn on 2027-02-10: {REASON}\nSigned by {keys.officer}"
    )
    assert publishing.list_unsigned(published.public, keys.signers) == []
    assert "withdrawn, digest" in "\n".join(verify_path(published.public / "index.json", keys.signers))
    with pytest.raises(ObservatoryError, match="is withdrawn already, since 2027-02-10"):
        withdraw(published)
    assert statement_signature(tombstone).is_file()


def test_the_signature_of_a_withdrawn_release_stays_good(
    published: Place, keys: SimpleNamespace, tmp_path: Path
) -> None:
    copy = tmp_path / "kept" / NAME
    shutil.copytree(published.public / NAME, copy)
    withdraw(published)
    shutil.copy(folders.signature_of(published.public / NAME), folders.signature_of(copy))
    assert signer_of(copy, keys.signers).fingerprint == keys.officer


@pytest.mark.parametrize("signer", [None, "stranger", "officer"])
def test_a_forged_tombstone_is_not_believed(
    published: Place, keys: SimpleNamespace, tmp_path: Path, signer: str | None
) -> None:
    """Unsigned, signed by a stranger, and another release's own."""
    told = json.loads(
        publishing.format_tombstone(*NAME.split("/"), decisions.Decision("", "", "2027-02-03", "0"))
    )
    if signer == "officer":
        told["version"] = "v0.9.0"
    forged = published.public / NAME / manifest.TOMBSTONE
    forged.write_text(json.dumps(told))
    if signer:
        sign_statement(forged, getattr(keys, signer))
    with pytest.raises(ObservatoryError, match="not believed|is not 2026-Q4/v0.9.0"):
        verify_path(published.public / NAME, keys.signers)
    (listed,) = publishing.list_public(published.public, published.restricted.parents[1])
    assert listed["status"] == "published" and listed["is_current"]
    target = withdraw(published)
    assert json.loads((target / manifest.TOMBSTONE).read_bytes())["reason"] == REASON
    assert not statement_signature(target / manifest.TOMBSTONE).exists()
    assert decisions.list_withdrawn(published.restricted.parents[1]) == [NAME]


def test_a_forged_index_is_not_believed_and_not_kept(published: Place, keys: SimpleNamespace) -> None:
    file = published.public / manifest.INDEX
    file.chmod(0o644)
    file.write_text(file.read_text().replace(published.digest, "0" * 64))
    with pytest.raises(ObservatoryError, match="is no signature of index.json by any key"):
        verify_path(file, keys.signers)
    with pytest.raises(ObservatoryError, match=r"cannot be read|is no WITHDRAWN.json or index.json"):
        (published.public / "2026-Q4" / "index.json").write_text("{}")
        sign_statement(published.public / "2026-Q4" / "index.json", keys.officer)
    assert not publishing.is_listed(published.public, published.restricted.parents[1])
    published.publish(keys.signers)
    assert published.digest in file.read_text() and not statement_signature(file).exists()


def test_what_was_withdrawn_is_not_published_again(published: Place, keys: SimpleNamespace) -> None:
    withdraw(published)
    told = rf"{NAME} was withdrawn on 2027-02-10 by A. Officer: {REASON}\. It is not published again"
    with pytest.raises(ObservatoryError, match=told):
        published.publish(keys.signers)


# --- keys that expired ------------------------------------------------------------------------------


def gpg(*words: object) -> str:
    done = subprocess.run(
        ["gpg", "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback", *map(str, words)],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def old_key(keys: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A key that was valid from 1 January 2025 for a year, alone among signers."""
    signers = tmp_path_factory.mktemp("old")
    made = ("--faked-system-time", "20250101T000000!")
    gpg(*made, "--quick-generate-key", "former <former@example.org>", "ed25519", "sign", "365d")
    (signers / "former.asc").write_text(gpg("--armor", "--export", "former"))
    return SimpleNamespace(signers=signers)


def sign_at(folder: Path, day: str) -> None:
    """Sign with the key that expired, at a day that gpg believes."""
    file = folders.signature_of(folder)
    words = ("--faked-system-time", f"{day}T120000!", "--local-user", "former", "--armor", "--yes")
    gpg(*words, "--output", file, "--detach-sign", folder / manifest.NAME)


def test_a_signature_made_while_its_key_was_valid_stays_good_with_a_note(
    place: Place, old_key: SimpleNamespace
) -> None:
    sign_at(place.folder, "20250601")
    told = said("verify", place.folder, "--signers", old_key.signers)
    assert "(former.asc: former <former@example.org>) on 2025-06-01 12:00 UTC." in told
    assert "The key expired on 2026-01-01, after the date that the signature states: it stays good." in told
    place.clear()
    with pytest.raises(ObservatoryError, match="is signed with a key that expired on 2026-01-01"):
        place.publish(old_key.signers)


def test_a_signature_dated_after_its_key_expired_is_refused(
    place: Place, old_key: SimpleNamespace, keys: SimpleNamespace, tmp_path: Path
) -> None:
    """The owner prolongs the key, signs, and readers have the key as it was."""
    gpg(
        "--quick-set-expire",
        gpg("--with-colons", "--list-keys", "former").split("fpr:::::::::")[1][:40],
        "20y",
    )
    sign_at(place.folder, "20260601")
    with pytest.raises(ObservatoryError, match="made on 2026-06-01, and the key expired on 2026-01-01"):
        signer_of(place.folder, old_key.signers)


# --- two at once ------------------------------------------------------------------------------------


@pytest.mark.long
def test_two_that_publish_at_once_leave_one_release_and_its_record(
    published: Place, keys: SimpleNamespace
) -> None:
    """The second waits for no lock and loses no record: it is told to try again, and then what is there."""
    root = published.restricted.parents[1]
    about = dataclasses.replace(ABOUT, version="v1.1.0")
    later = dataclasses.replace(
        published, folder=write(published.folder.parents[1], about), restricted=root / "2026-Q4" / "v1.1.0"
    )
    later.restricted.mkdir()
    later.digest = manifest.verify_release(later.folder)
    decisions.record_decision(later.restricted, "made", "observatory", later.digest, NOW)
    (later.restricted / folders.ABOUT).write_text('{"earlier": []}')
    later.clear()
    sign_release(later.folder, keys.officer)
    with (
        folders.hold_lock(root),
        pytest.raises(ObservatoryError, match="writes to .* run the same command again") as told,
    ):
        later.publish(keys.signers)
    assert told.value.exit_code == 5 and not (later.public / "2026-Q4" / "v1.1.0").exists()
    with pytest.raises(ObservatoryError, match="2026-Q4/v1.0.0 was published after this release was made"):
        later.publish(keys.signers)


def test_records_that_processes_append_at_once_are_all_kept(place: Place) -> None:
    children = []
    for number in range(8):
        child = os.fork()
        if child == 0:
            for _ in range(20):
                decisions.record_decision(place.restricted, "published", f"officer {number}", "0", NOW)
            os._exit(0)
        children.append(child)
    assert {os.waitpid(child, 0)[1] for child in children} == {0}
    found = [each.by for each in decisions.read_decisions(place.restricted)][1:]
    assert sorted(found) == sorted(f"officer {number}" for number in range(8) for _ in range(20))

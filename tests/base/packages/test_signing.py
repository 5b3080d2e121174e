"""Signatures: required unless settings say otherwise, and files that would keep gpg busy."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.base.packages import signing
from jobs.base.packages.package import LARGEST
from jobs.base.settings.config import Observatory
from jobs.operators.packages.packaging import package_of, write_package
from jobs.study.packages.package_checks import judge_file
from tests.base.packages.test_packages import OPERATOR, RESPONDENTS, day_of, keys, settings_of
from tests.study.packages.test_package_checks import judged_in_a_gigabyte, sent
from tests.support.bombs import openpgp_bomb
from tests.support.release import new_key
from tests.support.submission_lake import AT, put_gold

__all__ = ["keys"]


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


@pytest.mark.long
def test_an_openpgp_file_that_grows_is_cut_off(tmp_path: Path) -> None:
    file = openpgp_bomb(tmp_path, 700 * 2**20)
    assert file.stat().st_size < 4096
    (message,) = judged_in_a_gigabyte(file)
    assert message.startswith(f"it unpacks to more than {LARGEST // 2**20} MiB")


def test_gpg_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "gpg"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(signing, "LONGEST", 0.3)
    with pytest.raises(ObservatoryError, match=r"gpg took longer than 0.3 seconds"):
        signing.run_gpg("--decrypt")


def test_a_revoked_key_is_called_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A revoked key is no bad signature: the operator has to sign with another key."""
    home = tmp_path / "home"
    fingerprint = new_key(home, "north")
    monkeypatch.setenv("GNUPGHOME", str(home))
    signature = signing.sign_data(b"counts", fingerprint)
    assert signing.verify_signature(b"counts", signature, tmp_path / "north.asc") == fingerprint
    # GnuPG makes the certificate with the key, with a colon before it so that nobody imports it by accident.
    made = (home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
    (tmp_path / "revoked").write_text(made.replace(":-----BEGIN", "-----BEGIN"))
    assert signing.run_gpg("--import", str(tmp_path / "revoked")).returncode == 0
    (tmp_path / "north.asc").write_bytes(signing.run_gpg("--armor", "--export", fingerprint).stdout)
    with pytest.raises(
        ObservatoryError, match=r"^the key north.asc of the keyring is revoked: its owner has to"
    ):
        signing.verify_signature(b"counts", signature, tmp_path / "north.asc")
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)

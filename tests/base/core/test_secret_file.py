"""A secret's file is read only where nobody but its owner may read or change it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from jobs.base.core import secret_file
from jobs.base.core.errors import ObservatoryError
from jobs.base.core.key_names import KEY, KEY_FILE
from jobs.base.core.master_key import master_key
from jobs.study.public.secret import FILE, VALUE, p_pct

SECRET = "0123456789abcdef" * 4
# What reads it: its setting, and the variable that has the secret itself.
READERS = {"pseudonym key": (master_key, KEY_FILE, KEY), "percentage": (p_pct, FILE, VALUE)}


class Reader(NamedTuple):
    """Function that reads a secret, the variable that names its file, and the file."""

    read: Callable[[], object]
    setting: str
    file: Path


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Reader:
    read, setting, value = READERS[request.param]
    monkeypatch.delenv(value, raising=False)
    monkeypatch.setenv(setting, str(tmp_path / "secret"))
    (tmp_path / "secret").write_text("13.7" if read is p_pct else SECRET)
    return Reader(read, setting, tmp_path / "secret")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o777])
def test_a_file_that_others_may_read_or_change_is_refused(reader: Reader, mode: int) -> None:
    read, setting, file = reader
    file.chmod(mode)
    with pytest.raises(
        ObservatoryError, match=rf"{setting} names {file}, .* mode is {mode:04o}.*`chmod 600 {file}`"
    ) as error:
        read()
    assert file.read_text() not in str(error.value)
    for private in (0o600, 0o400):
        file.chmod(private)
        assert read()


def test_a_secret_that_a_container_runtime_mounts_keeps_the_mode_that_it_has(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, _, file = reader
    file.chmod(0o444)
    monkeypatch.setattr(secret_file, "MOUNTED", file.parent)
    assert read()


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_file_that_is_not_there_is_refused(reader: Reader, is_folder: bool) -> None:
    read, setting, file = reader
    file.unlink()
    if is_folder:
        file.mkdir()
    with pytest.raises(ObservatoryError, match=f"{setting} names {file}, which is not there"):
        read()


def test_a_file_that_this_user_may_not_read_is_refused(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may run as another user than the file's owner; root may read everything."""
    read, setting, file = reader
    file.chmod(0o600)

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ObservatoryError, match=rf"{setting} names {file}, which cannot be read \(Permission"):
        read()

"""The percentage of the p% rule comes from outside and never stands in a message."""

from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.study.public.secret import FILE, VALUE, p_pct


def write_secret(file: Path, text: str, mode: int = 0o600) -> None:
    file.write_text(text)
    file.chmod(mode)


def test_it_comes_from_the_environment_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VALUE, raising=False)
    write_secret(tmp_path / "p", "13.7\n")
    monkeypatch.setenv(FILE, str(tmp_path / "p"))
    assert p_pct() == 13.7
    monkeypatch.setenv(VALUE, "9.5")
    assert p_pct() == 9.5
    monkeypatch.setenv(VALUE, "1")
    assert p_pct() == 1


@pytest.mark.parametrize("text", ["", "0.93", "100.0", "137", "nan", "13,7", "-13.7"])
def test_a_wrong_one_is_refused_without_its_value(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VALUE, raising=False)
    write_secret(tmp_path / "secret", text)
    monkeypatch.setenv(FILE, str(tmp_path / "secret"))
    with pytest.raises(ObservatoryError, match="does not hold a number") as error:
        p_pct()
    assert not text or text not in str(error.value).replace(str(tmp_path), "")


def test_without_one_nothing_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VALUE, raising=False)
    monkeypatch.delenv(FILE, raising=False)
    with pytest.raises(ObservatoryError, match=FILE):
        p_pct()
    monkeypatch.setenv(FILE, str(tmp_path / "gone"))
    with pytest.raises(ObservatoryError, match="is not there"):
        p_pct()

"""The countries of a study, as an officer names them."""

from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.study.desk.countries import parse_countries


def test_codes_regions_and_all() -> None:
    assert parse_countries("KEN, NPL,FJI") == ["KEN", "NPL", "FJI"]
    assert len(parse_countries("all")) == 193
    assert "KEN" in parse_countries("AFR") and len(parse_countries("AFR,FJI")) == 45


def test_a_file_has_one_on_each_line(tmp_path: Path) -> None:
    file = tmp_path / "countries.csv"
    file.write_text("\ufeffcountry,name\nKEN,Kenya\n\n# later\nNPL;Nepal\n", encoding="utf-8")
    assert parse_countries(str(file)) == ["KEN", "NPL"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("KEN,NPL,KEN", "entry 3: KEN stands twice, first in entry 1"),
        ("AFR,KEN", "entry 2: KEN stands twice, first in entry 1"),
        ("KEN,Nepal", "entry 2: 'Nepal' is no country .*; did you mean 'NPL'"),
        ("KE", "'KE' is no country .*; did you mean 'KEN'"),
        ("Africa", r"entry 1: 'Africa' is no country .* and no ITU region \(AFR, .*\); did you mean 'AFR'"),
        ("lost.csv", "lost.csv does not exist"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(ObservatoryError, match=said):
        parse_countries(text)

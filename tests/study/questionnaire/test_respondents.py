"""The list of respondents."""

from pathlib import Path

import pytest

from jobs.base.core.errors import ObservatoryError
from jobs.study.questionnaire.respondents import read_respondents
from tests.conftest import ROOT
from tests.support.questionnaire import SAVANNA

FOLDER = ROOT / "sample_data" / "study_node"


def test_the_list_of_respondents_names_no_person(tmp_path: Path) -> None:
    text = (FOLDER / "respondents.csv").read_text(encoding="utf-8")
    file = tmp_path / "respondents.csv"
    file.write_text(text.replace(SAVANNA.name, "Anna, anna@example.org".replace(",", "")), encoding="utf-8")
    with pytest.raises(ObservatoryError, match="name holds an address or a number"):
        read_respondents(file)


def test_an_operator_without_a_country_is_told_that(tmp_path: Path) -> None:
    file = tmp_path / "respondents.csv"
    head = "respondent_id,name,role,country,holding,operator_ids,language,size_class"
    file.write_text(f"{head}\nrift,Rift,O,,rift,rift,en,\n", encoding="utf-8")
    with pytest.raises(ObservatoryError) as refused:
        read_respondents(file)
    assert str(refused.value) == f"{file}: row 2: country is empty"


def test_an_administrations_name_follows_its_language(tmp_path: Path) -> None:
    """A name that `study init` wrote in another language is replaced; one that the officer wrote stays."""
    file = tmp_path / "respondents.csv"
    file.write_text(
        "respondent_id,name,role,country,holding,operator_ids,language,size_class\n"
        "tun-administration,Administration of Tunisia,A,TUN,,,fr,\n"
        "ken-administration,Administration – Kenya,A,KEN,,,en,\n"
        "npl-administration,Nepal Telecommunications Authority,A,NPL,,,fr,\n",
        encoding="utf-8",
    )
    assert [each.name for each in read_respondents(file).values()] == [
        "Administration – Tunisie", "Administration of Kenya", "Nepal Telecommunications Authority"
    ]  # fmt: skip

"""Names of countries are read as people write them."""

import pytest

from jobs.base.settings.countries import country_named, country_of_name
from jobs.base.tables.contracts import reference_rows


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("CIV", ("Ivory Coast", "Côte d'Ivoire", "côte d’ivoire", "Cote d`Ivoire")),
        ("SEN", ("Sénégal", "SENEGAL", "sen")),
        ("USA", ("United States", "U.S.A.", "États-Unis", "Etats Unis")),
        ("TZA", ("Tanzania", "Tanzanie")),
        ("RUS", ("Russia", "Russie", "Россия")),
        ("VNM", ("Vietnam", "Viet Nam")),
        ("TUR", ("Turkey", "Turkiye", "Turquie")),
        ("KOR", ("South Korea", "Korea (Rep. of)", "Korea, Rep.")),
        ("LAO", ("Laos", "Lao PDR", "Lao P.D.R.")),
        ("COD", ("DR Congo", "Dem. Rep. of the Congo", "Congo, Dem. Rep.")),
        ("COG", ("Congo", "Congo (Rep. of the)", "Congo, Rep.")),
        ("LCA", ("St. Lucia", "St Lucia")),
        ("IRN", ("Iran", "Irán", "伊朗")),
        ("GBR", ("UK", "U.K.", "United Kingdom")),
    ],
)
def test_common_names_are_read(code: str, names: tuple[str, ...]) -> None:
    assert {each: country_named(each) for each in names} == dict.fromkeys(names, code)
    assert {country_of_name(each) for each in names} == {code}


def test_a_name_stands_for_one_country() -> None:
    """Folding makes no two countries one; a part of a name is none in a form, nor one that two share."""
    for row in reference_rows("country"):
        assert country_named(row["name_en"]) == row["iso3"]
    for row in reference_rows("country_name"):
        names = [text for name, text in row.items() if name.startswith("name_")]
        for name in [*names, *filter(None, row["short_names"].split("|"))]:
            assert country_named(name) == row["iso3"], name
    for name in ("Korea", "Saint-Martin", "Virgin Islands", "United", ""):
        assert country_named(name) is None, name

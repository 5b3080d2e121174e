"""The table of who was asked about a release."""

from jobs.cli.study.release import clearance_table
from jobs.study.release.clearance import AGREED, Clearance, Cleared


def test_a_country_without_rows_owes_no_answer() -> None:
    asked = [
        Cleared("FJI", "Ministry of Fiji", 0),
        Cleared("KEN", "Authority of Kenya", 3),
        Cleared("NPL", "Authority of Nepal", 0, AGREED),
        Cleared("TON", "", 2),
    ]
    table = clearance_table(Clearance("00", "2027-03-01", {each.country: each for each in asked}))
    assert [*table.columns[2].cells] == ["none needed", "none", "agreed", "not asked"]

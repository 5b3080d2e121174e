"""Knowledge that a later release adds of the same figures: the same unknowns stand for it."""

from jobs.base.tables.series import Shape
from jobs.study.attack.unknowns import Unknowns
from jobs.study.attack.versions import Contributions, express_versions

SHAPE = Shape(("quantity_code", "match_code"), sums={"match_code": {"with_after": ["_T"]}})
WHOLE, MATCHED = ("spam", "_T"), ("spam", "with_after")
QUARTER = "2026-Q4"


def versions(*figures: dict[tuple[str, ...], float]) -> tuple[int, int, list[dict[int, float]]]:
    """Return the number of unknowns and equations of several releases' figures of one operator, and the whole
    and matched figure of the last."""
    unknowns = Unknowns()
    given = [
        {
            (QUARTER, "one"): Contributions(
                "owner", "KEN", each, dict.fromkeys(each), dict.fromkeys(each, False)
            )
        }
        for each in figures
    ]
    terms, links = express_versions(unknowns, given, {QUARTER}, SHAPE, {})
    last = terms[len(figures) - 1, QUARTER, "one"]
    return len(unknowns.truth), len(links), [last[codes] for codes in (WHOLE, MATCHED) if codes in last]


def test_figures_that_came_since_are_of_the_same_unknowns() -> None:
    assert versions({WHOLE: 7.0}, {WHOLE: 7.0, MATCHED: 7.0}) == (1, 0, [{0: 1.0}, {0: 1.0}])


def test_a_figure_that_changed_is_another_unknown() -> None:
    count, _, (whole, matched) = versions({WHOLE: 7.0}, {WHOLE: 9.0, MATCHED: 9.0})
    assert (count, whole) == (2, {1: 1.0}) and matched == whole


def test_a_figure_that_is_no_sum_of_the_earlier_ones_makes_a_version() -> None:
    count, links, _ = versions({WHOLE: 7.0}, {WHOLE: 7.0, MATCHED: 5.0})
    assert (count, links) == (3, 1)

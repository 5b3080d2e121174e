"""Size classes: one list of bounds, from which the frame's sizes follow."""

import pytest

from jobs.base.figures.sizes import class_of, size_of
from jobs.base.tables.contracts import codelist_rows, list_codes
from jobs.study.questionnaire.definition import load_definition


@pytest.mark.parametrize(
    ("subscriptions", "code", "size"),
    [
        (0, "S1", "SMALL"),
        (9_999, "S1", "SMALL"),
        (10_000, "S2", "SMALL"),
        (99_999, "S2", "SMALL"),
        (100_000, "S3", "MEDIUM"),
        (1_000_000, "S4", "LARGE"),
        (10_000_000, "S5", "LARGE"),
    ],
)
def test_bounds(subscriptions: int, code: str, size: str) -> None:
    assert (class_of(subscriptions), size_of(subscriptions)) == (code, size)


def test_the_lists_agree() -> None:
    rows = codelist_rows("size_class")
    assert list(rows) == load_definition()["lists"]["size"]
    assert list(dict.fromkeys(row["size_code"] for row in rows.values())) == list(list_codes("size"))
    # Descriptions name the first number of each class.
    for size in list_codes("size"):
        least = min(int(row["least"]) for row in rows.values() if row["size_code"] == size)
        assert not least or f"{least:,}" in codelist_rows("size")[size]["description"]

"""Size classes of operators by subscriptions: S1 to S5 of the questionnaire, and the SMALL, MEDIUM and LARGE
of the frame that follow from them. Bounds stand in schemas/codelists/size_class.csv alone."""

from jobs.base.tables.contracts import codelist_rows


def class_of(subscriptions: int) -> str:
    """The class, S1 to S5, of an operator with so many subscriptions."""
    rows = codelist_rows("size_class").values()
    return max(
        (row for row in rows if int(row["least"]) <= subscriptions), key=lambda row: int(row["least"])
    )["code"]


def size_of(subscriptions: int) -> str:
    """The size in the frame, SMALL, MEDIUM or LARGE, of an operator with so many subscriptions."""
    return codelist_rows("size_class")[class_of(subscriptions)]["size_code"]

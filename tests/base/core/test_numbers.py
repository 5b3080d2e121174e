"""Numbers of each kind as text: numbers.csv has values and texts, made by hand."""

import csv
import subprocess
import sys
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path

from jobs.base.core import numbers

CASES = Path(__file__).with_name("numbers.csv")


def read_pair(text: str, between: str) -> list[Decimal | None]:
    return [Decimal(each) if each else None for each in text.split(between)]


def of_one(write: Callable[..., str]) -> Callable[[str], str]:
    return lambda text: write(Decimal(text) if text else None)


KINDS: dict[str, Callable[[str], str]] = {
    **{
        name: of_one(getattr(numbers, f"format_{name}"))
        for name in (
            "count",
            "rounded",
            "compact",
            "significant",
            "number",
            "percent",
            "whole_percent",
            "pct",
            "given_share",
            "share",
            "change",
            "money",
            "money_exact",
            "rate",
            "bytes",
            "duration",
        )  # fmt: skip
    },
    "exact": lambda text: numbers.exact_number(float(text)),
    "plain": lambda text: numbers.plain_number(float(text)),
    "formula": lambda text: numbers.formula_number(float(text)),
    "row": lambda text: numbers.row_number(float(text)),
    "plain_decimal": lambda text: numbers.plain_number(Decimal(text)),
    "part": lambda text: numbers.format_part(*map(int, text.split("/"))),
    "parts": lambda text: numbers.format_parts(
        *read_pair(text.split("/")[0], ".."), Decimal(text.split("/")[1])
    ),
    "range": lambda text: numbers.format_range(*read_pair(text, "..")),
    "share_range": lambda text: numbers.format_range(*read_pair(text, ".."), numbers.format_share),
    "interval": lambda text: numbers.format_interval(*read_pair(text, "..")),
    "share_interval": lambda text: numbers.format_interval(*read_pair(text, ".."), numbers.format_share),
    "noun": lambda text: numbers.format_noun(int(text.split()[0]), text.split()[1]),
    "counted_noun": lambda text: numbers.count_noun(int(text.split()[0]), text.split()[1]),
}


def test_each_kind_is_written_as_the_table_has_it():
    with CASES.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    written = [
        (row["kind"], row["value"], KINDS[row["kind"]](row["value"]).replace(numbers.NARROW, " "))
        for row in rows
    ]
    assert written == [(row["kind"], row["value"], row["text"]) for row in rows]
    assert {row["kind"] for row in rows} == set(KINDS)
    writers = {name.removeprefix("format_") for name in vars(numbers) if name.startswith("format_")}
    writers |= {name.removesuffix("_number") for name in vars(numbers) if name.endswith("_number")} - {
        "format"
    }
    assert writers <= set(KINDS)


def test_a_float_and_a_text_are_written_as_the_decimal_that_they_show():
    for write in (
        numbers.format_money,
        numbers.format_percent,
        numbers.format_number,
        numbers.format_compact,
    ):
        assert len({write(0.285), write(Decimal("0.285")), write("0.285")}) == 1


def test_a_noun_follows_its_number():
    assert numbers.format_noun(1, "file") == f"1{numbers.NARROW}file"
    assert numbers.format_noun(12_345, "entry", "entries") == f"12,300{numbers.NARROW}entries"
    assert numbers.count_noun(1, "file") == f"1{numbers.NARROW}file"
    assert numbers.count_noun(12_345, "row") == f"12,345{numbers.NARROW}rows"


def test_writing_a_number_imports_no_polars():
    code = "import sys, jobs.base.core.numbers; sys.exit('polars' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ends_are_rounded_outward_or_stay() -> None:
    ends = [
        (numbers.round_outward(low, 2, ROUND_FLOOR), numbers.round_outward(high, 2, ROUND_CEILING))
        for low, high in (("173000000", "277100000"), ("0.0249", "0.995"), ("0", "12"), ("99.9", "99.1"))
    ]
    assert ends == [
        (Decimal(170_000_000), Decimal(280_000_000)),
        (Decimal("0.024"), Decimal(1)),
        (Decimal(0), Decimal(12)),
        (Decimal(99), Decimal(100)),
    ]

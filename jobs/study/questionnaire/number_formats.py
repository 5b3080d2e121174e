"""Read a spreadsheet's number format: its unit, its words, and the thousands that it hides."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from jobs.study.questionnaire.numbers import Number, NumberProblem, strip_own_unit, wrong_unit

# A number format in pieces (ECMA-376 part 1, 18.8.31): a currency in brackets, a colour or condition, quoted
# text, an escaped character, room as wide as a character, one that fills the cell, an exponent, the general
# format, and any other character.
PIECE = re.compile(
    r"\[\$(?P<currency>[^\]-]*)[^\]]*\]|\[[^\]]*\]|\"(?P<quoted>[^\"]*)\"|\\(?P<escaped>.)|_.|\*."
    r"|(?P<code>[Ee][+-]|General)|(?P<plain>.)",
    re.IGNORECASE,
)
SECTIONS = re.compile(r';(?=(?:[^"]*"[^"]*")*[^"]*$)')
CONDITION = re.compile(r"\[[<>=]")
PLACES = "0#?.,/%@"
# A comma after the last digit leaves out thousands.
SCALED = re.compile(r"[0#?],+(?![0#?,])")
MONEY = re.compile(r"[$€£¥₹₽]|(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])")


@dataclass(frozen=True)
class Style:
    """The part of a format that shows a value: its codes of digits, and the words and signs beside them."""

    codes: str
    words: str


def parse_format(number_format: str, value: Decimal) -> Style:
    """The section of a format for a positive, negative or zero value; with conditions, the whole format."""
    sections = SECTIONS.split(number_format)
    shown = number_format
    if not CONDITION.search(number_format):
        place = 2 if value == 0 and len(sections) > 2 else 1 if value < 0 and len(sections) > 1 else 0
        shown = sections[place]
    codes, words = [], []
    for piece in PIECE.finditer(shown):
        if piece["code"] or (piece["plain"] and piece["plain"] in PLACES):
            codes.append(piece[0])
        else:
            words.append(piece["currency"] or piece["quoted"] or piece["escaped"] or piece["plain"] or "")
    return Style("".join(codes), "".join(words))


def number_in_format(
    value: Decimal, number_format: str, currency: str | None, is_percent: bool, units: Collection[str] = ()
) -> Number | NumberProblem:
    """The number that a spreadsheet shows: 12% is stored as 0.12, and a currency is only in the format.

    Formats with words or hidden thousands show another number than is stored: the respondent is asked.
    """
    style = parse_format(number_format, value)
    if SCALED.search(style.codes):
        return NumberProblem("format", {"format": number_format})
    words = strip_own_unit(style.words, currency, units)
    money = MONEY.findall(words)
    wrong = wrong_unit(money[0], currency, is_percent) if money else None
    if wrong:
        return NumberProblem("unit", {"unit": wrong})
    if "%" in words and not is_percent:
        return NumberProblem("unit", {"unit": "%"})
    if any(character.isalpha() for character in MONEY.sub("", words)):
        return NumberProblem("format", {"format": number_format})
    if "%" not in style.codes:
        return Number(value, is_plain=True)
    if not is_percent:
        return NumberProblem("unit", {"unit": "%"})
    return Number((value * 100).normalize(), is_plain=False)

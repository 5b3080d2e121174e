"""Read numbers as people write them: separators of every style, digits of every alphabet, words and units.

A text that can be read in one way only is read. If it can be read in two ways, the respondent is asked.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from jobs.base.core.numbers import plain_number

# Separators of thousands that are never a decimal point: spaces of all widths, apostrophes, Arabic U+066C.
SPACES = " \u00a0\u2007\u2009\u202f"
APOSTROPHES = "'\u2019\u02bc\u2018`"
ARABIC_THOUSANDS = "\u066c"
GROUPERS = (SPACES, APOSTROPHES, ARABIC_THOUSANDS)
MINUSES = "-\u2212\u2010\u2011\u2012\u2013\u2014"
SIGNED = MINUSES + "+"

# Words that mean one number in every language of the questionnaire. `billion` is not among them: it is
# 10^9 in English and 10^12 in French and Spanish.
MULTIPLIERS = {
    3: "thousand thousands mille mil тыс тысяча тысячи тысяч ألف آلاف 千",
    4: "万 萬",
    6: "million millions mln mio millón millones миллион миллиона миллионов млн مليون ملايين 百万",
    8: "亿 億",
    9: "milliard milliards mrd миллиард миллиарда миллиардов млрд مليار مليارات 十亿",
}
WORDS = {
    unicodedata.normalize("NFC", word): power
    for power, words in MULTIPLIERS.items()
    for word in words.split()
}
# Short forms, and words whose meaning depends on the language: the message offers the likely meaning.
SHORT = {"k": 3, "t": 3, "m": 6, "mm": 6, "b": 9, "bn": 9, "billion": 9, "billions": 9}
SHORT |= {"billón": 12, "billones": 12}

SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB"}
# Several countries use these signs for their own currency.
SHARED_SYMBOLS = set("$£¥")
# Signs that mean this currency in a cell for it. Both CFA francs are worth 1/655.957 euro.
SIGNS = {
    "AMD": "֏", "AUD": "A$ AU$", "AZN": "₼", "BBD": "Bds$", "BDT": "৳", "BRL": "R$", "BZD": "BZ$",
    "CAD": "C$ CA$ CAN$", "CHF": "Fr Fr. SFr SFr.", "CZK": "Kč", "DKK": "kr kr.", "FJD": "FJ$", "GEL": "₾",
    "GHS": "GH₵ ₵", "GYD": "GY$", "HKD": "HK$", "ILS": "₪", "INR": "Rs Rs.", "ISK": "kr kr.", "JMD": "J$",
    "KES": "KSh KShs", "KRW": "₩", "KZT": "₸", "LAK": "₭", "LKR": "Rs Rs.", "MNT": "₮", "MUR": "Rs Rs.",
    "MXN": "MX$", "NAD": "N$", "NGN": "₦", "NOK": "kr kr.", "NPR": "Rs Rs.", "NZD": "NZ$", "PHP": "₱",
    "PKR": "Rs Rs.", "PLN": "zł", "SBD": "SI$", "SEK": "kr kr.", "SGD": "S$ SG$", "THB": "฿", "TOP": "T$",
    "TRY": "₺", "TTD": "TT$", "TWD": "NT$", "TZS": "TSh TShs", "UAH": "₴", "UGX": "USh UShs", "USD": "US$",
    "VND": "₫", "WST": "WS$", "XAF": "FCFA CFA", "XCD": "EC$", "XOF": "FCFA CFA",
}  # fmt: skip
# The mark before a dash that replaces the hundredths: 5.- francs, 5:- kronor, 5,- kroner.
DASHED = {"CHF": ".", "DKK": ",", "EUR": ",", "ISK": ",", "NOK": ",", "SEK": ":"}
INEXACT = re.compile(r"^(?:[~≈<>≤≥±]|(?:about|approx|ca|circa|env|environ|aprox|около|примерно|نحو|约)\b)|约")
# Characters of a number with its unit and words. More is text: `million` written a thousand times over is no
# number that can be computed.
LONGEST = 200
TEXT_MARK = re.compile(rf"\A\s*[{APOSTROPHES}](?=\s*\d)")
RANGE = re.compile(r"\d\s*(?:[-\u2012-\u2014~]|\.\.\.?|…)\s*\d")


@dataclass(frozen=True)
class NumberProblem:
    """Why a text could not be read: the message's key, and the values to fill in."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Number:
    """A number that was read.

    Attributes:
        is_plain: it was written in plain figures only.
    """

    value: Decimal
    is_plain: bool


def read_number(
    written: str, currency: str | None = None, is_percent: bool = False, units: Collection[str] = ()
) -> Number | NumberProblem:
    """The number in a text.

    Args:
        currency: of a cell for money; its code and its signs may stand beside the number.
        is_percent: a percent sign may stand there.
        units: words for the cell's own unit, which may stand there.
    """
    if len(written) > LONGEST:
        return NumberProblem("not_a_number")
    # With an apostrophe before it a spreadsheet keeps a number as text.
    text = strip_dash(TEXT_MARK.sub("", plain_characters(written)), currency)
    if INEXACT.search(text.casefold()) or RANGE.search(text):
        return NumberProblem("inexact")
    parts = split_unit(text)
    if parts is None:
        return NumberProblem("not_a_number")
    sign, figures, unit = parts
    power, unit, is_short = split_multiplier(strip_own_unit(unit, currency, units))
    wrong = wrong_unit(unit, currency, is_percent)
    if wrong:
        return NumberProblem("unit", {"unit": wrong})
    number = parse_grouped(figures)
    if isinstance(number, NumberProblem):
        return number
    value = sign * number * Decimal(10) ** power
    if is_short:
        return NumberProblem("shortened", {"meant": plain_number(value)})
    return Number(value, is_plain=bool(re.fullmatch(r"-?\d+", written.strip(), re.ASCII)))


def plain_characters(text: str) -> str:
    """Digits of any alphabet as 0 to 9, full-width characters as narrow ones, no marks of direction."""
    found = []
    for character in text.strip():
        digit = unicodedata.decimal(character, None)
        if digit is not None:
            found.append(str(int(digit)))
        elif character == "\u066b":  # Arabic decimal separator
            found.append("\u066b")
        elif character in SPACES + APOSTROPHES + ARABIC_THOUSANDS:
            found.append(character)
        elif unicodedata.category(character) != "Cf":
            found.append(unicodedata.normalize("NFKC", character).replace("\u066a", "%"))
    return "".join(found).strip()


def strip_dash(text: str, currency: str | None) -> str:
    """The text without the currency's dash for no hundredths after its last figure."""
    sign = DASHED.get(currency or "")
    if sign is None:
        return text
    return re.sub(rf"(?<=\d){re.escape(sign)}[{re.escape(MINUSES)}]+(?!\S)(?=\D*$)", "", text)


def split_unit(text: str) -> tuple[int, str, str] | None:
    """Sign, figures with separators, and the rest of the text; None unless it has exactly one number."""
    sign = 1
    if text.startswith("(") and text.endswith(")"):
        sign, text = -1, text[1:-1].strip()
    separators = re.escape("".join(GROUPERS) + ".,\u066b")
    found = list(re.finditer(rf"[.,]?\d(?:[\d{separators}]*\d)?", text))
    if len(found) != 1:
        return None
    before, figures, after = text[: found[0].start()].strip(), found[0][0], text[found[0].end() :].strip()
    if before and before[-1] in SIGNED:
        sign, before = (-sign if before[-1] in MINUSES else sign), before[:-1].strip()
    elif before and before[0] in SIGNED:
        sign, before = (-sign if before[0] in MINUSES else sign), before[1:].strip()
    # Points that end the number or the line.
    after = after.strip(".。 ")
    return sign, figures, f"{before} {after}".strip()


def split_multiplier(unit: str) -> tuple[int, str, bool]:
    """The power of ten of a unit's words, its other words, and whether a word is a short form."""
    words = re.findall(r"[^\W\d_]+\.?|[^\w\s]", unicodedata.normalize("NFC", unit))
    power, rest, is_short = 0, [], False
    for word in words:
        name = word.rstrip(".").casefold()
        if name in WORDS:
            power += WORDS[name]
        elif name in SHORT:
            power, is_short = power + SHORT[name], True
        elif name not in ("de", "of"):
            rest.append(word)
    return power, " ".join(rest), is_short


def strip_own_unit(unit: str, currency: str | None, units: Collection[str]) -> str:
    """The unit without the cell's own unit: the longest of its names that it contains is removed.

    Chinese puts no spaces between words; other languages may leave them out.
    """
    for words in sorted([*units, *SIGNS.get(currency or "", "").split()], key=len, reverse=True):
        letters = [character for character in plain_characters(words) if not character.isspace()]
        marks = "".join(APOSTROPHES)
        pattern = r"\s*".join(f"[{marks}]" if each in marks else re.escape(each) for each in letters)
        if not any(unicodedata.east_asian_width(each) == "W" for each in letters):
            pattern = rf"(?<!\w){pattern}(?!\w)"
        left, count = re.subn(pattern, " ", unit, count=1, flags=re.IGNORECASE)
        if count:
            return " ".join(left.split())
    return unit


def wrong_unit(unit: str, currency: str | None, is_percent: bool) -> str | None:
    """The unit, if the cell asks for another one; else None."""
    for word in unit.split():
        code = word.upper()
        symbol = SYMBOLS.get(word)
        fits = currency is not None and (
            code == currency or (symbol == currency and word not in SHARED_SYMBOLS)
        )
        if not fits and not (is_percent and word == "%"):
            return unit
    return None


def parse_grouped(figures: str) -> Decimal | NumberProblem:
    """The number that figures with separators mean."""
    whole, _, arabic_fraction = figures.partition("\u066b")
    if arabic_fraction or "\u066b" in figures:
        return join_groups(whole, arabic_fraction)
    marks = [character for character in figures if character in ".,"]
    if not marks:
        return join_groups(figures, "")
    last = marks[-1]
    others = set(figures) - set("0123456789") - {last}
    before, _, after = figures.rpartition(last)
    if others:
        # The last separator is the decimal point if it occurs once, after groups with the other separator.
        if marks.count(last) > 1 or not after.isdigit():
            return NumberProblem("separators")
        return join_groups(before, after)
    if len(marks) > 1:
        return join_groups(figures, "")
    if len(after) == 3 and 1 <= len(before) <= 3 and not before.startswith("0"):
        return NumberProblem("ambiguous", {"first": before + after, "second": f"{before}.{after}"})
    return Decimal(f"{before or 0}.{after}")


def join_groups(whole: str, fraction: str) -> Decimal | NumberProblem:
    """The number of grouped figures: groups of three, or of two before the last three (lakh and crore)."""
    separators = {character for character in whole if not character.isdigit()}
    if fraction and not fraction.isdigit():
        return NumberProblem("separators")
    if not separators:
        return Decimal(f"{whole or 0}.{fraction or 0}") if fraction else Decimal(whole or 0)
    one_kind = any(separators <= set(kind) for kind in (*GROUPERS, ".", ","))
    groups = re.split(r"\D", whole)
    if not one_kind or not are_groups([len(group) for group in groups]):
        return NumberProblem("separators")
    return Decimal("".join(groups) + (f".{fraction}" if fraction else ""))


def are_groups(lengths: list[int]) -> bool:
    """Return whether figures in groups of these lengths are thousands, or lakh and crore."""
    first, *rest = lengths
    threes = 1 <= first <= 3 and all(length == 3 for length in rest)
    lakhs = 1 <= first <= 2 and rest[-1] == 3 and all(length == 2 for length in rest[:-1])
    return threes or lakhs

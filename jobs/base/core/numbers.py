"""Functions that write numbers for people, one for each kind of number.

A number is an int, a Decimal, a float or the text of a file. It is read as the decimal that it shows, and
rounded once, half away from zero. A missing number is a dash, or the word that its column has for it.
"""

from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Context, Decimal

Number = int | float | Decimal | str
Sizes = tuple[tuple[int, str], ...]

NARROW = "\N{NO-BREAK SPACE}"
DASH = "\N{EN DASH}"
EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
# The largest first.
NAMES: Sizes = tuple(
    (10**power, NARROW + name) for power, name in ((12, "trillion"), (9, "billion"), (6, "million"))
)
LETTERS: Sizes = ((10**12, "tn"), (10**9, "bn"), (10**6, "M"), (10**3, "k"))
BYTES: Sizes = tuple(
    (10**power, NARROW + name) for power, name in ((12, "TB"), (9, "GB"), (6, "MB"), (3, "kB"))
)


def to_decimal(number: Number) -> Decimal:
    """The decimal that a number shows: 0.1 is 0.1, whatever its bits are."""
    return number if isinstance(number, Decimal) else Decimal(str(number))


def round_places(number: Number, digits: int) -> Decimal:
    """Rounded to digits behind the point."""
    return to_decimal(number).quantize(Decimal(1).scaleb(-digits), context=EXACT)


def round_significant(number: Number, digits: int = 3) -> Decimal:
    """Rounded to significant digits."""
    value = to_decimal(number)
    return round_places(value, digits - 1 - value.adjusted()) if value else Decimal(0)


def round_outward(number: Number, digits: int, rounding: str) -> Decimal:
    """An end of an interval, rounded to significant digits away from its middle.

    Args:
        rounding: ROUND_FLOOR for a lower end, ROUND_CEILING for an upper one.
    """
    value = to_decimal(number)
    return value.quantize(Decimal(1).scaleb(value.adjusted() - digits + 1), rounding) if value else Decimal(0)


def share_of(part: int, whole: int) -> float:
    """A share from 0 to 1; 0 of nothing."""
    return part / whole if whole else 0.0


def write_digits(value: Decimal) -> str:
    """All digits of a value, with separators and without zeros at its end: 1,240,000; 2.5."""
    return f"{value.normalize(EXACT):,f}"


def write_sized(number: Number, sizes: Sizes) -> str | None:
    """Three digits and the name of the size: 1.24 million. None below the smallest size."""
    rounded = round_significant(number)
    for size, name in sizes:
        if abs(rounded) >= size:
            return f"{write_digits(rounded / size)}{name}"
    return None


# --- counts and quantities ----------------------------------------------------------------------------


def format_count(number: Number) -> str:
    """Whole, with separators: 1,240,000."""
    return f"{round_places(number, 0):,}"


def format_rounded(number: Number) -> str:
    """Format a number for prose, with three digits from ten thousand on: 9,876; 251,000; 1.24 million."""
    value = to_decimal(number)
    is_small = abs(value) < 10_000 and value == value.to_integral_value()
    return format_count(value) if is_small else write_sized(value, NAMES) or format_significant(value)


def format_compact(number: Number | None, missing: str = DASH) -> str:
    """Format a number for a table or a chart, with three digits and two below a hundredth: 0.0035; 940; 251k;
    1.24M; 5bn."""
    if number is None:
        return missing
    return write_sized(number, LETTERS) or format_significant(
        number, 3 if abs(to_decimal(number)) >= Decimal("0.01") else 2
    )


def format_significant(number: Number, digits: int = 3) -> str:
    """Significant digits with separators: 1,230,000; 0.0456; 3e-7 below a millionth."""
    rounded = round_significant(number, digits).normalize(EXACT)
    return f"{rounded:,f}" if not rounded or abs(rounded) >= Decimal("1e-6") else f"{rounded:e}"


def format_number(number: Number) -> str:
    """A cost with four digits, and a decimal below ten thousand: 1,934.4; 0.009637; 71.38 bn; 2.5 M."""
    value = to_decimal(number)
    for size, letter in LETTERS[:3]:
        if abs(round_significant(value, 4)) >= size:
            return f"{format_number(value / size)} {letter}"
    if value == value.to_integral_value():
        return format_count(value)
    return format_significant(value, max(4, value.adjusted() + 1 + (abs(value) < 10_000)))


def format_noun(number: Number, one: str, many: str | None = None) -> str:
    """A number and its noun: 1 file; 6 operators."""
    return f"{format_rounded(number)}{NARROW}{one if number == 1 else many or one + 's'}"


def count_noun(number: Number, one: str) -> str:
    """An exact number and its noun, of what a file lists: 12,345 rows."""
    return f"{format_count(number)}{NARROW}{one if number == 1 else one + 's'}"


def name_few(names: Iterable[str], most: int = 3) -> str:
    """The first of these names, each once, and the number of the others: a, b, c and 7 more."""
    each = list(dict.fromkeys(names))
    return ", ".join(each[:most]) + (f" and {len(each) - most:,} more" if len(each) > most else "")


# --- shares -------------------------------------------------------------------------------------------


def format_percent(pct: Number | None, digits: int = 1, missing: str = DASH) -> str:
    """38.2%, of a value from 0 to 100. Never 0% of something, nor 100% of not quite all: <0.1%, >99.9%."""
    if pct is None:
        return missing
    value, step = to_decimal(pct), Decimal(1).scaleb(-digits)
    rounded = round_places(value, digits)
    if value in (0, 100):
        return f"{value:.0f}%"
    if not rounded:
        return f"<{step}%"
    return f">{100 - step}%" if value < 100 == rounded else f"{rounded:,}%"


def format_whole_percent(pct: Number | None, missing: str = DASH) -> str:
    """A percentage in whole percent: 38%, <1%, >99%."""
    return format_percent(pct, 0, missing)


def format_pct(pct: Number) -> str:
    """A percentage with the digits that it has, three at most: 90%; 2.5%; 0.25%."""
    return f"{format_significant(pct)}%"


def format_given_share(share: Number) -> str:
    """A share from 0 to 1 that a setting or a parameter has, as format_pct() writes it."""
    return format_pct(100 * to_decimal(share))


def format_share(share: Number | None, digits: int = 1, missing: str = DASH) -> str:
    """A share from 0 to 1 in percent."""
    return missing if share is None else format_percent(100 * to_decimal(share), digits)


def format_part(part: Number, whole: Number, digits: int = 1) -> str:
    """A part of a whole in percent; 0% of nothing."""
    return format_percent(100 * to_decimal(part) / to_decimal(whole) if whole else 0, digits)


def format_change(pct: Number | None, digits: int = 1, missing: str = DASH) -> str:
    """A change in percent with its sign: +3.1%, -0.4%, +<0.1%."""
    if pct is None:
        return missing
    value, rounded = to_decimal(pct), round_places(pct, digits)
    small = f"<{Decimal(1).scaleb(-digits)}"
    return f"{'-' if value < 0 else '+' if value else ''}{abs(rounded) if rounded or not value else small}%"


# --- money --------------------------------------------------------------------------------------------


def format_money(amount: Number) -> str:
    """Three significant digits, no decimals above a hundred; the currency stands in the heading."""
    value, rounded = to_decimal(amount), round_significant(amount)
    if 0 < value < Decimal("0.01"):
        return "<0.01"
    if not value or rounded >= 100:
        return write_sized(value, NAMES) or write_digits(rounded)
    return f"{round_places(value, 2 if rounded < 10 else 1)}"


def format_money_exact(amount: Number) -> str:
    """An amount with two decimals; below 1 with four, so that a lower bound of a few cents is not zero."""
    value = to_decimal(amount)
    if 0 < value < Decimal("0.00005"):
        return "<0.0001"
    return f"{round_places(value, 4 if 0 < value < 1 else 2):,}"


def format_rate(amount: Number) -> str:
    """Money for one unit, which may be far less than a cent: three digits, two below a hundredth."""
    value = to_decimal(amount)
    small = 2 if value < Decimal("0.01") else 3
    return format_significant(value, small) if 0 < value < 1 else format_money(value)


# --- bytes and time -----------------------------------------------------------------------------------


def format_bytes(count: Number) -> str:
    """Bytes for reading: 940 B; 8.4 MB."""
    return write_sized(count, BYTES) or f"{format_count(count)}{NARROW}B"


def format_duration(seconds: Number) -> str:
    """740 ms; 12.4 s; 5 min; 3.2 h; 2.5 days."""
    for size, name in ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s")):
        spent = round_places(to_decimal(seconds) / size, 1)
        if spent >= (2 if name == "days" else 1):
            return f"{write_digits(spent)}{NARROW}{name}"
    return f"{format_count(1000 * to_decimal(seconds))}{NARROW}ms"


# --- numbers that programs read -----------------------------------------------------------------------


def exact_number(value: float) -> str:
    """The fifteen digits that a setting, an option or a cell of a workbook holds: 1240000; 2.5; 1e-07."""
    return f"{value:.15g}"


def plain_number(value: Decimal | float) -> str:
    """Figures without exponent, separators or zeros at their end, as files have them: 1240000; 0.0000001. Of
    a float ten places."""
    text = f"{value:.10f}" if isinstance(value, float) else f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def formula_number(value: float) -> str:
    """A number as it may stand in a formula that a reader computes again."""
    if value == round(value) and abs(value) < 1e10:
        return f"{value:.0f}"
    mantissa, sign, exponent = f"{value:.6g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if sign else mantissa


def row_number(value: float) -> str:
    """A float of a row that `observatory show` prints: 1,240,000; 0.0456123."""
    return f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:,.6g}"


# --- two ends -----------------------------------------------------------------------------------------


def join_ends(low: str, high: str, between: str = DASH) -> str:
    """Two ends with the unit of both once: 1.2–1.4 million; 37–39%; but <0.1%–2%."""
    for unit in ("%", *(name for _, name in (*NAMES, *BYTES))):
        if low.endswith(unit) and high.endswith(unit) and not {low[0], high[0]} & {"<", ">"}:
            return f"{low.removesuffix(unit)}{between}{high}"
    return f"{low}{between}{high}"


def merge_ends(low: str, high: str) -> str:
    """Both ends, or one of them where they read the same."""
    return low if low == high else join_ends(low, high)


def format_range(low: Number, high: Number, write: Callable[[Number], str] = format_rounded) -> str:
    """A range between two bounds."""
    return merge_ends(write(low), write(high))


def format_parts(low: Number, high: Number, whole: Number) -> str:
    """Two bounds of a part of a whole in percent."""
    return merge_ends(format_part(low, whole), format_part(high, whole))


def format_interval(
    low: Number | None,
    high: Number | None,
    write: Callable[[Number], str] = format_compact,
    missing: str = DASH,
) -> str:
    """A 95% interval: both ends, even if they read the same."""
    return missing if low is None or high is None else join_ends(write(low), write(high))

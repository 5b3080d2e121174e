"""Numbers as Rec. ITU-T E.164 has them: country code and national number, digits alone.

One subscriber must have one pseudonym, whatever log it is in and however that writes it, and a number must
not be placed in a country that its digits only look like. So numbers are brought to this form before anything
is made of them. What the national formats are is libphonenumber's metadata.
"""

from dataclasses import dataclass
from functools import cache

import phonenumbers
import polars as pl

from jobs.operators.protect.operators import OperatorSpace
from jobs.operators.protect.range_tables import iso3_codes

# Shorter numbers are short codes or cannot be placed; longer ones are no E.164 numbers.
SHORTEST_NUMBER, LONGEST_NUMBER = 7, 15
WRITTEN = r"^\+?[0-9 ().-]+$"
MARKS = r"[+ ().-]"
# The short code that subscribers send spam to; Niue's and Tokelau's plans would have it for a number.
REPORT_SHORT_CODE = "7726"
# The prefix before a country code that Rec. ITU-T E.164 recommends; logs have it in every country.
INTERNATIONAL_PREFIX = "00"
# What follows it: no country code begins with 0.
ABROAD = rf"([1-9][0-9]{{{SHORTEST_NUMBER - 1},}})$"


@dataclass(frozen=True)
class NumberingPlan:
    """The forms of numbers inside a country.

    Attributes:
        code: its country code.
        prefixes: what is dialled there before another country's code, the longest first.
        trunk: what is dialled before a national number, and is no part of it; null where nothing is.
        national: a regular expression of whole national numbers, of all countries that share the code.
        is_short: subscribers' numbers there have fewer than SHORTEST_NUMBER digits, as in many small islands.
        short_codes: a regular expression of its whole short codes, as far as they are known.
    """

    code: str
    prefixes: tuple[str, ...]
    trunk: str | None
    national: str
    is_short: bool
    short_codes: str


@cache
def numbering_plan(country: str) -> NumberingPlan | None:
    """The plan of a country, ISO 3166-1 alpha-3; None for one without numbers, such as an empty island."""
    regions = {iso3: iso2 for iso2, iso3 in iso3_codes().items()}
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(regions.get(country, ""), None)
    if metadata is None or metadata.country_code is None:
        return None
    sharing = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[metadata.country_code]
    # Where a caller chooses a carrier, too, digits do not show the prefix.
    own = (metadata.preferred_international_prefix or metadata.international_prefix or "").replace("~", "")
    prefixes = {own, INTERNATIONAL_PREFIX} if own.isdigit() else {INTERNATIONAL_PREFIX}
    return NumberingPlan(
        str(metadata.country_code),
        tuple(sorted(prefixes, key=len, reverse=True)),
        metadata.national_prefix,
        "(?:" + "|".join(dict.fromkeys(map(national_pattern, (*sharing[:1], metadata.id)))) + ")",
        has_short_numbers(metadata.id),
        short_code_pattern(metadata.id),
    )


def has_short_numbers(region: str) -> bool:
    """Return whether the usual number of a subscriber, fixed or mobile, has fewer than SHORTEST_NUMBER
    digits.

    Elsewhere plans have such numbers, too, but rare old ones and services; short codes fit them as well.
    """
    kinds = (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
    usual = [phonenumbers.example_number_for_type(region, kind) for kind in kinds]
    return any(
        len(phonenumbers.national_significant_number(each)) < SHORTEST_NUMBER for each in usual if each
    )


def short_code_pattern(region: str) -> str:
    """A regular expression of whole short codes of a region, ISO 3166-1 alpha-2, as far as they are known."""
    metadata = phonenumbers.PhoneMetadata.short_metadata_for_region(region)
    known = metadata.short_code.national_number_pattern if metadata and metadata.short_code else None
    return f"(?:{REPORT_SHORT_CODE}" + ("|" + known.replace(r"\d", "[0-9]") if known else "") + ")"


def national_pattern(region: str) -> str:
    """A regular expression of whole national numbers of a region, ISO 3166-1 alpha-2; of those that share a
    code, the first one's is that of all."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert metadata is not None and metadata.general_desc is not None
    return str(metadata.general_desc.national_number_pattern).replace(r"\d", "[0-9]")


def normalise_e164(number: pl.Expr, country: str, is_national: bool = False) -> pl.Expr:
    """A number in E.164 without its +; names, short codes and what is no number of any plan stay as they are.

    With + or an international prefix a number is E.164. No E.164 number begins with 0, so that one which does
    is of the country's own plan, if it fits that. Other digits are E.164, too, unless the log is one in which
    they are national, with or without a trunk prefix (is_national); there, too, those that do not fit the
    plan are E.164.

    In such a log fewer than SHORTEST_NUMBER digits are a number where the country's are that short, if they
    fit its plan and are no short code that is known: one that an operator gave out looks like a number.

    Args:
        country: the operator's, ISO 3166-1 alpha-3.
    """
    return number.map_batches(
        lambda numbers: _normalise_e164(numbers, country, is_national), return_dtype=pl.String
    )


def _normalise_e164(numbers: pl.Series, country: str, is_national: bool) -> pl.Series:
    texts = numbers.cast(pl.String)
    # Most are E.164 without +: only what could be something else needs patterns.
    odd = texts.str.contains(r"^[0-9+(]" if is_national else r"^[0+(]").fill_null(False)
    if not odd.any():
        return texts
    text = pl.col("text")
    digits = drop_trunk(text).str.replace_all(MARKS, "")
    is_long = digits.str.len_bytes() >= SHORTEST_NUMBER
    is_signed = text.str.starts_with("+") & ~digits.str.starts_with("0")
    plan = numbering_plan(country)
    is_number = text.str.contains(WRITTEN) & (is_long | may_be_short(text, digits, plan, is_national))
    whole = pl.when(is_long).then(digits).otherwise(text)
    e164 = pl.coalesce(pl.when(is_signed).then(digits), *possible_numbers(digits, plan, is_national), whole)
    found = texts.filter(odd).to_frame("text").select(pl.when(is_number).then(e164).otherwise(text))
    return texts.scatter(odd.arg_true(), found.to_series())


def drop_trunk(text: pl.Expr) -> pl.Expr:
    """Numbers without the (0) that some write after a country code, as in +44 (0)7700 900123: it is dialled
    inside the country only. Where a 0 is part of the number, as in Italy, it stays."""
    return text.str.replace(rf"^(\+|00)[ .-]*({codes_before_trunk()})[ .-]*\(0\)", "${1}${2}")


@cache
def codes_before_trunk() -> str:
    """A regular expression of the country codes inside which numbers are dialled with a 0 before them."""
    found = []
    for code, (region, *_) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE.items():
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
        if metadata is not None and metadata.national_prefix == "0":
            found.append(str(code))
    return "|".join(found)


def may_be_short(text: pl.Expr, digits: pl.Expr, plan: NumberingPlan | None, is_national: bool) -> pl.Expr:
    """Return whether fewer than SHORTEST_NUMBER digits may be a national number: no short code is."""
    if plan is None or not plan.is_short or not is_national:
        return pl.lit(False)
    return ~text.str.starts_with("+") & ~digits.str.contains(f"^{plan.short_codes}$")


def possible_numbers(digits: pl.Expr, plan: NumberingPlan | None, is_national: bool) -> list[pl.Expr]:
    """The numbers that digits without + may be, the likeliest first; each null where digits do not fit."""
    if plan is None:
        return [digits.str.extract(rf"^{INTERNATIONAL_PREFIX}{ABROAD}")]
    code = pl.lit(plan.code)
    may_be_own = digits.str.starts_with("0") | is_national
    found: list[pl.Expr] = [
        pl.when(may_be_own).then(digits.str.extract(rf"^{prefix}{ABROAD}")) for prefix in plan.prefixes
    ]
    if plan.trunk is not None:
        found.append(pl.when(may_be_own).then(code + digits.str.extract(rf"^{plan.trunk}({plan.national})$")))
    found.append(pl.when(may_be_own).then(code + digits.str.extract(rf"^({plan.national})$")))
    return found


def add_e164(raw: pl.DataFrame, space: OperatorSpace, *columns: str) -> pl.DataFrame:
    """The rows with numbers as E.164, before anything is made of them; what is of mail stays as it is."""

    def convert_column(name: str) -> pl.Expr:
        column = pl.when(pl.col("channel_code") != "EMAIL").then(name)
        if raw.schema[name] == pl.List(pl.String):
            number = column.list.eval(normalise_e164(pl.element(), space.country))
        else:
            number = normalise_e164(column, space.country)
        return pl.when(pl.col("channel_code") == "EMAIL").then(name).otherwise(number).alias(name)

    return raw.with_columns(map(convert_column, columns))


def is_own_number(column: str, space: OperatorSpace) -> pl.Expr:
    """Return whether a number starts with one of the operator's own prefixes."""
    if not space.number_prefixes:
        return pl.lit(False)
    digits = pl.col(column).fill_null("").str.strip_chars_start("+")
    return pl.any_horizontal(*(digits.str.starts_with(prefix) for prefix in space.number_prefixes))

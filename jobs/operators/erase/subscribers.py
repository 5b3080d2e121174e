"""Subscribers whose data was erased: known by a keyed hash, and found again in any text that names them.

A number is found in every form that kernels read as that number (jobs/operators/protect/numbering.py), an
address in capitals and small letters, and with a tag behind a +. The hash of a subscriber is made with a key
that derives from the operator's: it is no pseudonym, stands in no table but meta.erasure, and without the key
says nothing.
"""

import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from jobs.base.core.errors import ObservatoryError
from jobs.base.tables.keyed_hashes import keyed_hashes
from jobs.operators.protect.numbering import LONGEST_NUMBER, normalise_e164
from jobs.operators.protect.pseudonym_keys import make_pseudonyms, operator_key

# What may be an address or a number in a text; more than is one does no harm.
ADDRESS = r"[^\s<>\"'(),;:=\[\]{}|/\\]+@[\w.\-]+"
DIGITS = r"\+?[0-9]{4,}"
WITH_MARKS = r"\+?\(?[0-9][0-9 ().\-]{5,}[0-9]"
# Of what a person asks for.
ASKED_ADDRESS = re.compile(r"[^\s<>\"'(),;:=\[\]{}|/\\@]+@[\w\-]+(\.[\w\-]+)+")
ASKED_NUMBER = re.compile(r"\+?[0-9 ().\-]+")
LEAST_DIGITS = 4
FOUND = ("row", "token", "name")


@dataclass(frozen=True)
class Subscribers:
    """Erased subscribers of one operator.

    Attributes:
        hashes: theirs, by the file of the key that they were made with.
        country: of the operator, in whose plan numbers without + may be.
    """

    operator_id: str
    country: str
    hashes: dict[str | None, frozenset[str]]

    def find_named(self, texts: pl.Series, is_national: bool = False) -> pl.DataFrame:
        """The texts that name one of them: row, the token that does, and the name that it stands for.

        Args:
            is_national: digits without + are national numbers, as in the logs of a source that is set so.
        """
        text = texts.cast(pl.String).alias("text").to_frame().with_row_index("row")
        tokens = pl.concat(
            text.lazy().select("row", token=pl.col("text").str.extract_all(pattern))
            for pattern in (ADDRESS, DIGITS, WITH_MARKS)
        )
        token = tokens.explode("token", empty_as_null=False).drop_nulls().collect()
        distinct = token["token"].unique()
        names = pl.concat(
            [
                pl.DataFrame({"token": distinct, "name": form})
                for form in (*address_forms(distinct), number_forms(distinct, self.country, is_national))
            ]
        )
        names = names.drop_nulls().unique()
        return token.join(names.filter(self.has_name(names["name"])), on="token").unique().select(*FOUND)

    def has_name(self, names: pl.Series) -> pl.Series:
        """Return whether each of these names is that of an erased subscriber."""
        known = pl.repeat(False, len(names), dtype=pl.Boolean, eager=True)
        for key_file, hashes in self.hashes.items():
            hashed = hash_names(names, self.operator_id, key_file)
            known |= hashed.is_in(pl.Series(sorted(hashes), dtype=pl.String).implode())
        return known


def address_forms(tokens: pl.Series) -> list[pl.Series]:
    """The address that each token is, and the one without a tag behind a +; null where it is none."""
    plain = tokens.to_frame("token").select(
        pl.when(pl.col("token").str.contains("@", literal=True)).then(
            pl.col("token").str.to_lowercase().str.strip_chars_end(".-")
        )
    )["token"]
    return [plain, plain.str.replace(r"^([^+@]+)\+[^@]*@", "${1}@")]


def number_forms(tokens: pl.Series, country: str, is_national: bool) -> pl.Series:
    """The number that each token is, in E.164 as far as it can be; null where it is none."""
    own = tokens.to_frame("token").select(
        pl.when(~pl.col("token").str.contains("@", literal=True)).then("token")
    )
    return own.select(normalise_e164(pl.col("token"), country, is_national))["token"]


def hash_names(names: pl.Series, operator_id: str, key_file: str | None) -> pl.Series:
    """The hashes by which subscribers are remembered."""
    return keyed_hashes(names, hmac.digest(operator_key(operator_id, key_file), b"erased", "sha256"))


def pseudonyms_of(names: Iterable[str], operator_id: str, key_files: Iterable[str | None]) -> set[str]:
    """The pseudonyms of names under each key."""
    series = pl.Series(sorted(set(names)), dtype=pl.String)
    return {
        each
        for key_file in key_files
        for each in make_pseudonyms(series, operator_key(operator_id, key_file))
    }


def normalise_number(text: str, country: str) -> str:
    """A number that a person asks for, as silver has it. Without + it may be national. Raises
    ObservatoryError for what is no number."""
    digits = re.sub(r"\D", "", text)
    if not ASKED_NUMBER.fullmatch(text.strip()) or not LEAST_DIGITS <= len(digits) <= LONGEST_NUMBER + 2:
        raise ObservatoryError(f"'{text}' is no number: write it as +35799000001, or as it is dialled")
    number = pl.DataFrame({"number": [text.strip()]})
    found: str = number.select(normalise_e164(pl.col("number"), country, is_national=True)).item()
    return re.sub(r"\D", "", found)


def normalise_address(text: str) -> str:
    """An address that a person asks for, as silver has it. Raises ObservatoryError for what is none."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    if not ASKED_ADDRESS.fullmatch(bare):
        raise ObservatoryError(f"'{text}' is no address: write it as ann@isp.example")
    return bare.lower()


def found_in_rows(found: pl.DataFrame, count: int) -> pl.Series:
    """Return whether each of so many texts was found to name somebody."""
    return pl.int_range(count, dtype=pl.UInt32, eager=True).is_in(found["row"].unique().implode())

"""Values that a Python program logged by repr(), and what the octets of an SMS say."""

import ast
import string
import unicodedata

import polars as pl

# GSM 03.38's alphabet where it differs from ASCII, by septet; 0x1b begins a sign of the extension table.
_GSM = dict(
    zip(
        [*range(0x20), 0x24, 0x40, *range(0x5B, 0x61), *range(0x7B, 0x80)],
        "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ¤¡ÄÖÑÜ§¿äöñüà",
        strict=True,
    )
)
_EXTENSION = dict(zip(b"\x0a\x14\x28\x29\x2f\x3c\x3d\x3e\x40\x65", "\f^{}\\[~]|€", strict=True))
_BLANKS = b"\t\n\r"
# Blocks of signs whose UCS-2 begins with an octet that texts of other codings have too.
_WIDE_SCRIPTS = ((0x2000, 0x206F), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFF00, 0xFFEF))
# Controls, halves of signs, and what is assigned to nothing: in no text.
_NO_SIGNS = {"Cc", "Cs", "Co", "Cn"}
_LETTERS = frozenset(string.ascii_letters + " ")
CONTENT = pl.Struct({"text": pl.String, "octets": pl.Int64, "is_wide": pl.Boolean})


def unquote_repr(value: pl.Expr) -> pl.Expr:
    """A value without the quotes that repr() puts around it; what is no repr stays as it is.

    For numbers and ids: signs that repr() escapes are left as they are logged.
    """
    is_bytes = value.str.starts_with("b'") | value.str.starts_with('b"')
    body = pl.when(is_bytes).then(value.str.slice(1)).otherwise(value)
    is_single = body.str.starts_with("'") & body.str.ends_with("'")
    is_quoted = (is_single | (body.str.starts_with('"') & body.str.ends_with('"'))) & (
        body.str.len_bytes() > 1
    )
    return pl.when(is_quoted).then(body.str.slice(1).str.head(-1)).otherwise(value)


def decode_contents(values: pl.Series) -> pl.Series:
    """text, octets (how many there are) and is_wide (UCS-2) of contents logged as b'..', '..', or plain."""
    frame = pl.DataFrame({"value": values}).with_columns(
        is_easy=pl.col("value").str.contains(r"^b'[ -&(-\[\]-~]*'$").fill_null(False)
    )
    easy = frame.filter("is_easy").select(
        text=pl.col("value").str.slice(2).str.strip_suffix("'"),
        octets=(pl.col("value").str.len_bytes() - 3).cast(pl.Int64),
        is_wide=pl.lit(False),
    )
    rest = frame.filter(~pl.col("is_easy"))["value"].to_list()
    odd = pl.DataFrame(
        [decode_content(value) for value in rest],
        schema={"text": pl.String, "octets": pl.Int64, "is_wide": pl.Boolean},
        orient="row",
    )
    place = frame.with_row_index("place")
    read = pl.concat(
        [
            place.filter("is_easy").select("place").hstack(easy),
            place.filter(~pl.col("is_easy")).select("place").hstack(odd),
        ]
    ).sort("place")
    return read.select(pl.struct("text", "octets", "is_wide").alias(values.name)).to_series()


def decode_content(value: str | None) -> tuple[str | None, int | None, bool | None]:
    """text (null where it is binary), octets and is_wide of one logged content; nulls where there is none."""
    if value is None:
        return None, None, None
    octets = value.encode()
    if len(value) > 1 and value.startswith(("b'", 'b"', "'", '"')):
        try:
            found = ast.literal_eval(value)
            octets = found.encode("latin-1") if isinstance(found, str) else found
        except (SyntaxError, ValueError):
            # It only looks like a repr, or is cut.
            octets = value.encode()
    text, is_wide = decode_octets(octets)
    return text, len(octets), is_wide


def decode_octets(octets: bytes) -> tuple[str | None, bool]:
    """The text that octets are likely to be, and whether it is UCS-2.

    SMPP tells the coding of a message, but its log need not. UCS-2 shows by its first octets; GSM 03.38 by
    octets that are control signs elsewhere; else it is ASCII, UTF-8 or Latin-1.
    """
    if is_wide(octets):
        return octets.decode("utf-16-be", "replace"), True
    if any(octet < 0x20 and octet not in _BLANKS for octet in octets) and max(octets) < 0x80:
        return _decode_gsm(octets), False
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        text = octets.decode("latin-1")
    return (text if all(sign.isprintable() or sign in "\t\r\n\xa0" for sign in text) else None), False


def is_wide(octets: bytes) -> bool:
    """Return whether octets are likely UCS-2.

    Half of the pairs begin as the small scripts do, or the whole is a text of East Asia that is neither
    UTF-8 nor mostly letters.
    """
    if len(octets) < 2 or len(octets) % 2:
        return False
    text = octets.decode("utf-16-be", "replace")
    if any(unicodedata.category(sign) in _NO_SIGNS and sign not in "\t\r\n" for sign in text):
        return False
    first = octets[0::2]
    if 2 * sum(1 for octet in first if octet < 0x20 and octet not in _BLANKS) >= len(first):
        return True
    if max(octets) < 0x80 or 5 * sum(1 for octet in octets if chr(octet) in _LETTERS) > 3 * len(octets):
        return False
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return all(
            sign.isascii() or any(low <= ord(sign) <= high for low, high in _WIDE_SCRIPTS) for sign in text
        )
    return False


def _decode_gsm(octets: bytes) -> str:
    signs, extended = [], False
    for octet in octets:
        if extended:
            signs.append(_EXTENSION.get(octet, " "))
        elif octet != 0x1B:
            signs.append(_GSM.get(octet, chr(octet)))
        extended = octet == 0x1B and not extended
    return "".join(signs)

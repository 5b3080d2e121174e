"""Signatures: they show that messages are alike, and reveal no content.

How the messages of a log are distinguished, best first; silver.message takes the first that it has:

text        the normalised text (SMS, instant messages): equality of its keyed hash, likeness by its sketch
fuzzy       what a filter's storage of fuzzy hashes holds that the text is like (Rspamd)
digest      the filter's own digest of the message's text (Rspamd)
subject     the normalised subject of a mail
behaviour   the envelope: sender, network and size of a mail, sender and segments of an SMS, the caller

Fuzzy comes before digest, because it joins what digests part: a storage finds by shingles, groups of
words, and answers with the hash that it learned, so that all who are like one learned text have one
signature, while a word that differs makes another digest. What no storage knows keeps its digest. Hence a
text that was learned in the middle of its campaign is two campaigns: the copies before by their digest,
those after by the fuzzy hash. The order cannot depend on which came first without depending on order.

Subject comes after both, because it is little of what a message says: a spammer's subject tells his mails
from others', and "Your order has been sent" is every shop's. It is one step better than the envelope, which
a campaign from many hosts and with forged senders does not share.

The first three are of what a message says. Subject and behaviour are not: a sender may say many things, and
one thing may come from many senders (jobs/operators/gold/shared/bulk.py has what each proves of bulk).

Why a signature reveals no content: each kind is keyed with a key of the operator's own,
one for each kind, so that no text can be guessed and tried without the key, no signature equals the
pseudonym of an address or number that a text consists of, and signatures of two operators never meet. A
sketch holds, for each of 32 secret orders of all pieces of four characters, 16 bits of the secret value of
the first piece that the text's first 70 characters have: it shows how much two texts of one operator have in
common, which is its purpose, and reveals neither a piece nor how many there are; silver adds only whether
they are few. Digits, codes and links are masked before, so that one-time codes, amounts, names of accounts in
links and numbers never enter it, and that a host for each recipient parts no campaign.
"""

import hashlib
import hmac
from email.errors import HeaderParseError
from email.header import decode_header
from functools import cache
from typing import NamedTuple

import numpy as np
import polars as pl

from jobs.base.tables.contracts import column_types
from jobs.base.tables.keyed_hashes import keyed_hashes
from jobs.base.tables.matching import map_distinct_rows, map_texts

# Values of a sketch, 16 bits each. The error of a likeness of 0.75 is 0.08.
LANES = 32
PIECE = 4
# How far into a text a sketch looks: what one SMS holds in any script. What is said comes first; footers that
# many texts share come last.
HEAD = 70
# Texts with fewer letters ("ok", "thanks") are alike without being of one hand.
LEAST_LETTERS = 12
# Of fewer letters, links aside, a name or two may be so much that texts which differ by them share little.
SHORT_LETTERS = 40
# Bytes of a subject that are compared: Exim logs no more (receive.c), and two logs of a mail must agree.
SUBJECT_BYTES = 100
# No honest subject is longer before it is decoded.
LONGEST_SUBJECT = 4_096
# Prefixes of subjects that are answered or forwarded, in the languages of mail programs.
ANSWERS = (
    *("re", "ref", "réf", "fw", "fwd", "aw", "wg", "antw", "doorst", "sv", "vs", "vb", "vl", "tr", "rv"),
    *("res", "enc", "rif", "r", "i", "odp", "pd", "ynt", "ilt", "bls", "trs", "απ", "πρθ", "отв", "ответ"),
    *("пересл", "הע", "رد", "回复", "回覆", "答复", "转发", "轉寄", "返信", "転送", "답장", "전달"),
)
ANSWERED = rf"(?i)^\s*(?:(?:{'|'.join(ANSWERS)})\s*(?:\[\d+\]|\(\d+\))?\s*[:\x{{ff1a}}]\s*)+"
# Characters beyond share the values of earlier ones.
CHARACTERS = 1 << 16
# Texts whose sketches are worked out at a time: their pieces fit into a processor's cache.
AT_ONCE = 1_000
SIGNED = column_types("signature_kind_code", "signature_hash", "signature_sketch", "is_text_short")
UNSEEN = r"[\p{Cf}\p{Cc}&&[^\s]]+"
# Of links equal texts have the host, which is the sender's; what follows it is often the recipient's. Texts
# that are alike need not share a host: there may be one for each recipient.
LINK = r"(?:[a-z][a-z0-9+.-]*://|www\.)([^\s/?#:@]+)[!-~]*"
HOST = r"(?:[\p{L}\p{N}_-]+\.)+[a-z]{2,}"
BARE_LINK = rf"({HOST})[/?][!-~]*"
ANY_LINK = rf"{LINK}|{HOST}(?:[/?][!-~]*)?"
# What a sketch has in place of any link, of about as many pieces as a host: to have one is a likeness, too.
ONE_LINK = " ://[]~&. "
# Words with a digit. Scripts without spaces would lose whole sentences.
LETTER = r"[\p{Latin}\p{Greek}\p{Cyrillic}\p{M}]"
WORD = r"[\p{Latin}\p{Greek}\p{Cyrillic}\p{M}\p{N}]"
NUMBERED = rf"{LETTER}*\p{{N}}{WORD}*"
# Which of them are codes and numbers: those with three digits in a row or four in all, with no two letters in
# a row, or of digits with two letters after them. "m0ney" and "ch34p" are words, whose letters a
# spammer wrote as digits.
CODE = (
    rf"{WORD}*\p{{N}}{{3}}{WORD}*|{WORD}*(?:\p{{N}}{WORD}*){{4}}"
    rf"|{LETTER}?(?:\p{{N}}+{LETTER}?)+|\p{{N}}+{LETTER}{{2}}"
)
# Around a word that is looked at; control characters are gone by then.
BEGIN, END = "\x00", "\x01"
# What bounce checks put before an address, and lists after it.
ADDRESS_TAG = r"^prvs=[^=@]*=|[+=][^@]*"
# An address that a forwarder made is everyone's whose mail it forwards.
FORWARDED = r"^srs[01][=+-]"


def normalise_texts(texts: pl.Series) -> pl.Series:
    """The texts in one form whatever was filled in: lower case, NFKC, links cut to their hosts, codes and
    numbers masked, white space folded."""
    return mask_texts(lower_texts(texts))


def lower_texts(texts: pl.Series) -> pl.Series:
    return texts.str.normalize("NFKC").str.to_lowercase().str.replace_all(UNSEEN, "")


def mask_texts(plain: pl.Series) -> pl.Series:
    """Texts in lower case with links cut, codes masked and white space folded."""
    linked = plain.str.replace_all(LINK, "${1} ").str.replace_all(BARE_LINK, "${1} ")
    placed = linked.str.replace_all(f"({NUMBERED})", BEGIN + "${1}" + END)
    coded = placed.str.replace_all(f"{BEGIN}(?:{CODE}){END}", "#").str.replace_all(f"[{BEGIN}{END}]", "")
    joined = coded.str.replace_all(r"[+(]*#(?:[\s.,:/+()-]*#)*", "#")
    return joined.str.replace_all(r"\s+", " ").str.strip_chars(" ")


def mask_links(plain: pl.Series, whole: pl.Series) -> pl.Series:
    """Texts in lower case masked, every link alike; whole is what masked makes of them, with their hosts."""
    cut = plain.str.replace_all(ANY_LINK, ONE_LINK)
    # Few texts have links: the others are masked already.
    return mask_texts(cut.set(cut.eq_missing(plain), None)).fill_null(whole).set(whole.is_null(), None)


def kind_key(key: bytes, kind: str) -> bytes:
    """The key of one kind of signature."""
    return hmac.digest(key, b"signature\0" + kind.encode(), "sha256")


def hash_kind(values: pl.Series, key: bytes, kind: str) -> pl.Series:
    """Keyed hashes of the values, 32 hexadecimal digits; null stays null."""
    return keyed_hashes(values, kind_key(key, kind))


def hash_subjects(frame: pl.DataFrame, key: bytes) -> pl.Series:
    """Keyed hashes of what mails' subjects say; null where one has too few letters.

    Answers and what is passed on count as what they answer. Notices of the null sender have none: the
    subjects of bounces are those of the programs that wrote them. A filter's hash of a subject (Rspamd's
    subject_privacy, `obf:1f00...`) has none either: nobody can say how short the subject was.

    Reads subject and sender.
    """
    values = frame["subject"].set((frame["sender"] == "").fill_null(False), None)
    if values.null_count() == len(values):
        return values.alias("hash")
    odd = values.str.contains(r"=\?|\x{fffd}") | (values.str.len_bytes() > SUBJECT_BYTES)
    read = values.zip_with(~odd.fill_null(False), map_texts(values.set(~odd, None), plain_subject))
    said = normalise_texts(read.str.replace(ANSWERED, ""))
    return hash_kind(long_enough(said), key, "subject")


def decode_subjects(subjects: pl.Series) -> pl.Series:
    """Subjects whose MIME words are decoded; all others as they are, null stays null."""
    worded = subjects.set(~subjects.str.contains("=?", literal=True).fill_null(False), None)
    return map_texts(worded, decode_subject).fill_null(subjects)


def plain_subject(subject: str) -> str:
    """A subject as it is compared: decoded, and cut as Exim cuts; a character that was torn by a cut is left
    out."""
    cut = decode_subject(subject).encode("utf-8", "replace")[:SUBJECT_BYTES]
    return cut.decode("utf-8", "ignore").rstrip("\ufffd")


def decode_subject(subject: str) -> str:
    """MIME words decoded (RFC 2047)."""
    if "=?" in subject[:LONGEST_SUBJECT]:
        try:
            parts = decode_header(subject[:LONGEST_SUBJECT])
            return "".join(
                part if isinstance(part, str) else part.decode(charset or "raw-unicode-escape", "replace")
                for part, charset in parts
            )
        except (HeaderParseError, LookupError, ValueError):
            pass  # Words that are none stay as they are, and are equal where they are equal.
    return subject


def long_enough(texts: pl.Series) -> pl.Series:
    """The normalised texts, null where they have too few letters."""
    return texts.set(few_letters(texts, LEAST_LETTERS), None)


def few_letters(texts: pl.Series, least: int) -> pl.Series:
    """Return whether texts have fewer letters; one that there is not has none."""
    return texts.str.count_matches(r"\p{L}").fill_null(0) < least


def sketch_texts(values: pl.Series, key: bytes) -> pl.Series:
    """Keyed MinHash sketches of normalised texts of four characters or more; null stays null."""
    secret = sketch_secret(kind_key(key, "sketch"))

    def sketch_distinct(distinct: list[str]) -> pl.DataFrame:
        parts = [sketch_part(distinct[at : at + AT_ONCE], secret) for at in range(0, len(distinct), AT_ONCE)]
        table = np.concatenate(parts) if parts else np.empty((0, LANES), np.int32)
        lists = pl.Series("sketch", table, dtype=pl.Array(pl.Int32, LANES))
        return pl.DataFrame({"sketch": lists.cast(pl.List(pl.Int32))})

    return map_distinct_rows(values, sketch_distinct)["sketch"]


class Secret(NamedTuple):
    """Secret numbers for sketches, from a key.

    Attributes:
        characters: for each place in a piece and each character a random value.
        factors, summands: one of each for each lane.
    """

    characters: np.ndarray
    factors: np.ndarray
    summands: np.ndarray


@cache
def sketch_secret(key: bytes) -> Secret:
    """The tables of a key: random to whoever does not have it."""
    count = PIECE * CHARACTERS + 2 * LANES
    values = np.frombuffer(hashlib.shake_256(key).digest(8 * count), "<u8")
    characters, factors, summands = np.split(values, [PIECE * CHARACTERS, PIECE * CHARACTERS + LANES])
    return Secret(characters.reshape(PIECE, CHARACTERS), factors | np.uint64(1), summands)


def sketch_part(texts: list[str], secret: Secret) -> np.ndarray:
    """One row of LANES values from 0 to 65,535 for each text."""
    letters = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32) % CHARACTERS
    lengths = np.array([len(text) for text in texts])
    starts = np.cumsum(lengths) - lengths
    pieces = np.zeros(len(letters) - PIECE + 1, np.uint64)
    for place, table in enumerate(secret.characters):
        pieces ^= table[letters[place : place + len(pieces)]]
    # Pieces that reach from one text into the next are left out.
    counts = lengths - PIECE + 1
    firsts = np.cumsum(counts) - counts
    values = pieces[np.arange(counts.sum()) + np.repeat(starts - firsts, counts)]
    found = np.empty((len(texts), LANES), np.int32)
    for lane, (factor, summand) in enumerate(zip(secret.factors, secret.summands, strict=True)):
        least = np.minimum.reduceat(values * factor + summand, firsts)
        # The first bits of a least value reveal how many there were; these do not.
        found[:, lane] = (least >> np.uint64(16)) & np.uint64(0xFFFF)
    return found


def sign_transmissions(frame: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """The signatures of the transmissions of one channel: of texts, else subjects, else envelopes.

    Reads channel_code, text, subject, sender, client_network, message_bytes and segment_count.
    """
    texts = said = frame["text"]
    if texts.null_count() < len(texts):
        plain = lower_texts(texts)
        texts = long_enough(mask_texts(plain))
        said = long_enough(mask_links(plain, texts))
    by_text, by_subject = hash_kind(texts, key, "text"), hash_subjects(frame, key)
    envelopes = frame.select(describe_envelope()).to_series()
    hashes = pl.DataFrame(
        {
            "text": by_text,
            "subject": by_subject,
            # The envelope counts where there is nothing better.
            "behaviour": hash_kind(
                envelopes.set(by_text.is_not_null() | by_subject.is_not_null(), None), key, "behaviour"
            ),
            "sketch": sketch_texts(said.str.head(HEAD), key),
            "is_short": few_letters(said, SHORT_LETTERS).set(texts.is_null(), None),
        }
    )
    kinds = ["text", "subject", "behaviour"]
    return hashes.select(
        signature_kind_code=pl.coalesce(
            pl.when(pl.col(kind).is_not_null()).then(pl.lit(kind)) for kind in kinds
        ),
        signature_hash=pl.coalesce(kinds),
        signature_sketch="sketch",
        is_text_short="is_short",
    )


def describe_envelope() -> pl.Expr:
    """Sender, network and size of a mail; sender and segments of an SMS; the caller.

    An address without its tags and numbers: lists and bounce checks make one for each recipient. Forwarders,
    the null sender, who is everyone's mail server, and no sender at all tell nothing.
    """
    sender = pl.col("sender").str.to_lowercase().replace("", None)
    own = pl.when(~sender.str.contains(FORWARDED)).then(sender)
    address = own.str.replace_all(ADDRESS_TAG, "").str.replace_all(NUMBERED, "#")
    size = pl.col("message_bytes").cast(pl.String)
    # The first digit and how many there are: the same text to another name is of about the same size.
    bucket = size.str.head(1) + "e" + size.str.len_chars().cast(pl.String)
    mail = [address, pl.col("client_network").fill_null(""), bucket.fill_null("")]
    other = [sender, pl.col("segment_count").cast(pl.String).fill_null("")]
    is_mail = pl.col("channel_code") == "EMAIL"
    return (
        pl.when(is_mail)
        .then(pl.concat_str(mail, separator="\x1f"))
        .otherwise(pl.concat_str(pl.col("channel_code"), *other, separator="\x1f"))
        .alias("behaviour")
    )

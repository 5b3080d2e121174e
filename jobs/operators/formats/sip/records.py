"""Accounting rows of SIP proxies, of syslog lines and of flat files.

A row of bronze is one event that a proxy logged of a call: the answer to an INVITE, the BYE, a CDR, or a
line of its script that names the call. Rows of one call may lie in several files and on several proxies;
they share the Call-ID. join.py makes one call of them.

Names of extras (`log_extra`, `acc_extra`, `db_extra`, `extra_fields`) are chosen by each site. ROLES lists
those of the shipped configurations and of common tutorials; a source's option `extras` adds its own, as in

    options = { extras = { inbound_link = ["in_gw"], account = ["cust"] } }

Where a name stands twice in a line, the first counts: proxies write extras in the order of their
configuration, so what a caller controls (User-Agent, Reason) should be configured last.
"""

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl

from jobs.base.tables.contracts import read_csv_rows
from jobs.operators.formats import TIMESTAMP, Source
from jobs.operators.formats.shared.fields import none_if_empty, select_assembled, typed_columns
from jobs.operators.protect.numbering import drop_trunk, normalise_e164

TYPED = typed_columns("kamailio")

# The words of acc (`ACC: transaction answered: ...`), the name of a flat file's row, CDRs, script lines.
EVENTS = ("answered", "missed", "accounted", "ended", "row", "cdr", "script")
# Other methods are no calls or messages, or are part of a call that its INVITE records.
COUNTED_METHODS = ["INVITE", "BYE", "MESSAGE"]

# Where a role's value may stand; the first list that is logged and not empty counts. The called number
# is what was dialled, not what routing made of it: a lookup leaves a device's contact in the request URI.
# An identity that the network asserted (RFC 3325) is believed before From, which the caller chooses.
_NAMES = [
    (row["role"], row["names"].split(" ")) for row in read_csv_rows(Path(__file__).with_name("roles.csv"))
]
ROLES = {role: [names for of, names in _NAMES if of == role] for role, _ in _NAMES}
# Names that a Kamailio CDR's own extras may give to what ties it to its call.
CDR_NAMES = {
    "call_id": ["call_id", "callid", "ci"],
    "from_tag": ["from_tag", "ft"],
    "to_tag": ["to_tag", "tt"],
}
# Results of a verification service (3GPP TS 24.229, 7.2A.20), some with the level that was claimed.
VERSTAT = r"(TN-Validation-(?:Passed|Failed)(?:-[ABC])?|No-TN-Validation)"
SIDES = ("_asserted", "_from", "_to")
_URI = "(?:sips?|tel)"
_NUMBER = r"^(?:\+|%2[Bb])?[\d().-]+$"


def source_roles(source: Source) -> dict[str, list[list[str]]]:
    """ROLES with the source's own names in front.

    Raises ValueError where the option names a role that there is not.
    """
    own = source.options.get("extras", {})
    if unknown := set(own) - set(ROLES):
        raise ValueError(f"extras: {', '.join(sorted(unknown))} is none of {', '.join(ROLES)}")
    return {role: ([list(own[role])] if role in own else []) + names for role, names in ROLES.items()}


def find_extras(frame: pl.DataFrame, find: Callable[[list[str]], pl.Expr], source: Source) -> pl.DataFrame:
    """The frame with what stands in each role, as `_role`.

    Args:
        find: the value of the first of some names that a line has, or null.
    """
    known = source_roles(source)
    found = {
        f"_{role}_{place}": find(names) for role, lists in known.items() for place, names in enumerate(lists)
    }
    frame = frame.with_columns(**found)
    columns = {
        role: [none_if_empty(pl.col(f"_{role}_{place}"), "<null>") for place in range(len(lists))]
        for role, lists in known.items()
    }
    return frame.with_columns(**{f"_{role}": pl.coalesce(*values) for role, values in columns.items()}).drop(
        list(found)
    )


def read_extras(source: Source) -> dict[str, pl.Expr]:
    """The columns of bronze that extras fill, from what find_extras() found; sides by find_sides()."""
    # The IP address in `192.0.2.1`, `udp:192.0.2.1:5060`, `[2001:db8::1]:5060` or `2001:db8::1`.
    value = pl.col("_client_ip")
    return {
        "sender": pl.coalesce(
            read_party("_asserted_uri", source), read_party("_from_uri", source, "_from_domain")
        ),
        "recipient": read_party("_to_uri", source, "_to_domain"),
        "client_ip": pl.coalesce(
            value.str.extract(r"(?:^|[:@\[])(\d{1,3}(?:\.\d{1,3}){3})(?:$|[:\]])"),
            value.str.extract(r"\[([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)\]"),
            value.str.extract(r"^([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$"),
        ),
        "display_name": pl.coalesce("_display_name", *map(shown_name, SIDES[:2])),
        "verstat": pl.coalesce(
            # Of a header in an accounting line, whose own signs are the line's too, the end may hang on it.
            pl.col("_verstat").str.extract(rf"^{VERSTAT}(?:[>\s]|$)"),
            *(pl.col(side).str.extract(rf";verstat={VERSTAT}(?:[;>\s]|$)") for side in SIDES[:2]),
        ),
        **{name: pl.col(f"_{name}") for name in ("inbound_link", "outbound_link", "account", "user_agent")},
    }


def shown_name(side: str) -> pl.Expr:
    """The display name before the address of a side; null where there is none."""
    header = pl.when(pl.col(side).str.contains("<", literal=True)).then(pl.col(side))
    quoted = header.str.extract(r'^\s*"((?:[^"\\]|\\.)*)"\s*<')
    bare = header.str.extract(r'^\s*([^"<>]+?)\s*<')
    return none_if_empty(pl.coalesce(quoted, bare))


def find_sides(*names: str) -> dict[str, pl.Expr]:
    """Return for each column of a side, such as `_from`, its `_from_uri`: user and host without parameters.

    A side is a number, a user, or a SIP or tel URI, also in angle brackets behind a display name.
    """
    found = {}
    for name in names:
        value = pl.col(name)
        is_plain = ~value.str.contains(r"[<>:;\s]")
        uri = pl.when(~is_plain).then(value)
        found[f"{name}_uri"] = (
            pl.when(is_plain)
            .then(value)
            .otherwise(
                pl.coalesce(uri.str.extract(rf"<{_URI}:([^>;?]+)"), uri.str.extract(rf"^{_URI}:([^>;?\s]+)"))
            )
            .str.splitn("@", 2)
        )
    return found


def name_pattern(names: list[str]) -> str:
    """An alternative of names for a regular expression."""
    return "(?:" + "|".join(re.escape(name) for name in names) + ")"


def read_party(uri: str, source: Source, domain: str | None = None) -> pl.Expr:
    """One side of a call: digits of a number without + or 00, else user@domain, or user alone.

    Args:
        uri: a column of find_sides().
        domain: one with the domain where that has none.
    """
    halves = pl.col(uri).struct
    user = halves.field("field_0")
    # No country's code begins with 0, so 00 and a further 0 is what a scanner tries.
    dialled = user.str.replace(r"^%2[Bb]", "+")
    if source.numbers_of is not None:
        dialled = normalise_e164(dialled, source.numbers_of, is_national=True)
    number = drop_trunk(dialled).str.replace_all(r"[+().-]", "").str.replace(r"^00([1-9]\d{6,})$", "$1")
    host = halves.field("field_1").str.replace(r":\d+$", "")
    host = host if domain is None else pl.coalesce(host, domain)
    name = (
        pl.when(user.str.contains(_NUMBER))
        .then(number)
        .when(host.is_not_null() & (user != ""))
        .then(user + "@" + host)
        .otherwise(user)
    )
    return none_if_empty(name, "<null>")


def parse_epoch(text: pl.Expr) -> pl.Expr:
    """UTC from seconds since 1970 with up to six digits of a fraction; null for what is no such time."""
    parts = pl.when(text.str.contains(r"^\d{9,10}(?:\.\d*)?$")).then(text).str.splitn(".", 2).struct
    micros = parts.field("field_1").fill_null("").str.head(6).str.pad_end(6, "0").cast(pl.Int64)
    return pl.from_epoch(parts.field("field_0").cast(pl.Int64) * 1_000_000 + micros, "us").cast(TIMESTAMP)


def parse_microseconds(seconds: pl.Expr) -> pl.Expr:
    """Whole microseconds of a decimal number of seconds that is not negative."""
    is_number = seconds.str.contains(r"^\d{1,9}(?:\.\d+)?$")
    return (pl.when(is_number).then(seconds).cast(pl.Float64) * 1_000_000).round().cast(pl.Int64)


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per event; a line that was read twice is one row."""
    return select_assembled(records, "kamailio", pl.col("call_id"))

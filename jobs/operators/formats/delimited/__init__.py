"""Delimited logs (CSV, TSV, semicolons) of SMSCs, SMS firewalls and the like, read through a mapping profile.

The profile (profile.py) names the columns in order and says what each means. So a file may be cut
anywhere: its header, if it has one, is not needed, and is ignored where it stands. A line has as many fields
as the profile has columns, or one more that is empty; `extra_columns` allows more at the end. Another number
of fields is unknown_shape: it is likely another release of the product, whose columns stand elsewhere.

Values are data as they stand: formula signs (=, +, -, @) at the begin of a text are kept. What writes a
spreadsheet must mind them.

Rows that agree in the profile's `message_key` are one message. Rows of one part (`part_key`, or all of them
where there is none) are its tries: the last one decides. Parts then count together: the worst decides.
"""

import datetime as dt

import polars as pl

from jobs.base.core.codes import choose_case, choose_code
from jobs.operators.formats import LINES, Source
from jobs.operators.formats.delimited.draft import draft_profile
from jobs.operators.formats.delimited.profile import KINDS, Profile
from jobs.operators.formats.delimited.profile_files import embed_profile, list_shipped, profile_of
from jobs.operators.formats.delimited.read import (
    NO_RULE,
    QUARANTINED,
    deciding_rule,
    entry_code,
    is_ignored,
    join_key,
    raw_value,
    rule_columns,
    target_value,
)
from jobs.operators.formats.delimited.splitting import split_lines
from jobs.operators.formats.delimited.transmission import transmissions as transmissions
from jobs.operators.formats.format import LineFormat, Profiles
from jobs.operators.formats.shared.fields import (
    place_of_event,
    select_assembled,
    select_parsed,
    typed_columns,
)

NAME = "delimited"

_TYPED = typed_columns(NAME)
# What the profile decides, beside its targets.
_DECIDED = ["stage_code", "outcome_code", "grain_code", "is_part"]


def sniff(sample: bytes) -> float:
    """0: no delimited file states what its columns mean. recognise_profile() finds a shipped profile."""
    return 0.0


def recognise_profile(sample: bytes) -> tuple[str, float] | None:
    """The shipped profile that reads the most of the sample's lines, and their share.

    None where none reads half of them.
    """
    lines = [line for line in sample.decode("utf-8", "replace").split("\n") if line.strip()][:2000]
    frame = pl.LazyFrame({"offset": range(len(lines)), "line": lines}, schema=LINES)
    best: tuple[str, float] | None = None
    for name in list_shipped():
        source = Source("", "", "", dt.datetime.max.replace(tzinfo=dt.UTC), options={"profile": name})
        line_code = parse(frame, source).collect()["line_code"]
        share = int((line_code == "record").sum()) / max(len(lines), 1)
        if share >= 0.5 and share > (best[1] if best else 0):
            best = name, share
    return best


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line, read as the profile of the source's options says.

    Ignored: empty lines, comments, the header, and what the profile ignores. Quarantine reasons: truncated
    (a quote is not closed, as where a text has a line break), bad_field (stray quotes; an integer, address
    or time that is none; a value that the profile quarantines), unknown_shape (another number of fields),
    bad_timestamp.
    """
    profile = profile_of(source.options)
    frame = lines.select("offset", _line=pl.col("line").fill_null("").str.strip_chars_end("\r")).collect()
    wanted = sorted({profile.columns.index(column) for _, column in profile.used_columns()})
    fields = split_lines(
        frame["_line"],
        len(profile.columns),
        wanted,
        profile.delimiter,
        profile.quote,
        profile.extra_columns,
    )
    table = (
        frame.hstack(fields)
        .lazy()
        .rename({f"column_{place}": f"column_{profile.columns[place]}" for place in wanted})
    )
    return _type_fields(table, profile, source)


def _type_fields(table: pl.LazyFrame, profile: Profile, source: Source) -> pl.LazyFrame:
    """The rows of parse(), from the fields of each line as `column_<name>`."""
    targets = profile.field.given_targets()
    read = {name: target_value(name, targets[name], source) for name in targets if name != "entry_code"}
    table = (
        table.with_columns(
            pl.col(f"column_{column}").str.strip_chars().alias(f"value_{column}")
            for column in _wanted_columns(profile)
        )
        .with_columns(_is_ignored=is_ignored(profile))
        .with_columns(_blank_fields(profile))
        .with_columns(_rule=deciding_rule(profile), **read)
        .with_columns(**rule_columns(profile), entry_code=entry_code(profile))
    )
    unreadable = [
        raw_value(targets[name]).is_not_null() & pl.col(name).is_null()
        for name in read
        if KINDS.get(name) in ("integer", "ip", "time")
    ]
    reason = choose_case(
        (pl.col("_reason").is_not_null(), pl.col("_reason")),
        (pl.col("first_at").is_null(), "bad_timestamp"),
        (pl.any_horizontal(pl.col("_rule") == QUARANTINED, *unreadable), "bad_field"),
    )
    line_code = choose_code(
        ignored=pl.col("_is_ignored") | ((pl.col("_rule") == NO_RULE) & pl.col("_reason").is_null()),
        quarantined=pl.col("_why").is_not_null(),
        otherwise="record",
    )
    given = {*read, *_DECIDED, "entry_code", "profile_name", "channel_code", "message_key", "part_key"}
    parsed = table.with_columns(_why=reason).with_columns(
        *(pl.lit(None, dtype=_TYPED[name]).alias(name) for name in _TYPED if name not in given),
        line_code=line_code,
        profile_name=pl.lit(profile.name),
        channel_code=pl.lit(profile.channel),
        message_key=join_key(profile.message_key),
        part_key=join_key(profile.part_key),
    )
    return select_parsed(parsed, pl.col("_why"), _TYPED)


def _blank_fields(profile: Profile) -> list[pl.Expr]:
    """The fields that are read, null where they are empty or stand for nothing."""
    nothing = ["", *profile.null]
    return [
        pl.when(~pl.col(f"value_{column}").is_in(nothing))
        .then(pl.col(f"{kind}_{column}"))
        .alias(f"{kind}_{column}")
        for column in _wanted_columns(profile)
        for kind in ("column", "value")
    ]


def _wanted_columns(profile: Profile) -> list[str]:
    return list(dict.fromkeys(column for _, column in profile.used_columns()))


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows, one per line; a line that was read twice is one row.

    Rows of one message share a key; a row that is a message by itself has its own.
    """
    place = pl.concat_str(pl.lit("row|"), "source_id", pl.lit("|"), "stream_id", pl.lit("|"), "offset")
    same = pl.concat_str(pl.lit("key|"), "source_id", pl.lit("|"), "profile_name", pl.lit("|"), "message_key")
    return select_assembled(records, NAME, pl.coalesce(same, place))


FORMAT = LineFormat(
    name=NAME,
    title="Delimited",
    description="CSV, TSV or semicolons of an SMSC or SMS firewall, read through a mapping profile",
    # As of SMS: up to three days in the SMSC, and a report after that.
    lookback_days=4,
    sniff=sniff,
    profiles=Profiles(recognise=recognise_profile, draft=draft_profile),
    parse=parse,
    assemble=assemble,
    transmissions=transmissions,
    place=place_of_event(pl.col("message_key")),
    options=("profile",),
    check_options=embed_profile,
    has_numbers=True,
)

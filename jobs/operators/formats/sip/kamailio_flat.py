"""Accounting rows of Kamailio and OpenSIPS in flat files (db_flatstore): positional columns, no header.

    METHOD|FROM_TAG|TO_TAG|CALLID|SIP_CODE|SIP_REASON|TIME|EXTRA|EXTRA|...

The first seven are acc's own (`db_url = flatstore:`); those that follow are `db_extra` (Kamailio's acc,
`time_attr` and `time_exten` before them with `time_mode`) or `extra_fields` and a CDR's `duration`,
`ms_duration`, `setuptime`, `created` (OpenSIPS), in the order of the configuration, which no line states.
The source's option `columns` names them, as the configuration does:

    options = { columns = ["src_user", "src_ip", "dst_user", "dst_domain"] }

Without it seven columns are read, and six more if there are just six, which then are those of Kamailio's own
configuration. A row with another number of columns than configured is quarantined, since its values may be
anything. `delimiter` is another option.

There is a file for each process and table, so the INVITE and the BYE of one call stand in different files,
and a refused call in both `acc` and `missed_calls`. Give all of them to one source, as `acc_*.log` and
`missed_calls_*.log`. Do not also give the syslog of the same proxies: they are the same calls.

A mapping profile of `delimited` would lose calls: it has rows of one width, without escapes, and joins them
by one key, of which the last row decides; here tags and times join INVITEs, forks and BYEs, with those of the
syslog, too.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.operators.formats import Source
from jobs.operators.formats.shared.fields import local_time, select_parsed
from jobs.operators.formats.shared.sample_shares import share_of_lines
from jobs.operators.formats.sip import passport
from jobs.operators.formats.sip import records as sip
from jobs.operators.formats.sip.join import proxy_format
from jobs.operators.formats.sip.records import (
    COUNTED_METHODS,
    TYPED,
    parse_epoch,
    parse_microseconds,
)

NAME = "kamailio_flat"
CORE = ["method", "from_tag", "to_tag", "callid", "sip_code", "sip_reason", "time"]
# acc's extras in the configuration that Kamailio ships.
SHIPPED = ["src_user", "src_domain", "src_ip", "dst_ouser", "dst_user", "dst_domain"]
_ROW = r"^[A-Z]{3,12}\|[^|]*\|[^|]*\|[^|]+\|\d{3}\|[^|]*\|(?:\d{9,10}|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\||$)"
# No column of a log holds this sign; it stands for a delimiter that a backslash took its meaning from.
_ESCAPED = "\x1f"


def sniff(sample: bytes) -> float:
    """Share of the sample's lines that begin as accounting rows do; 0 where none does."""
    return share_of_lines(sample, _ROW)


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: what it records of a call; requests that are no INVITE, BYE or MESSAGE are ignored.

    Quarantine reasons: unknown_shape (does not begin as an accounting row), bad_field (another number of
    columns than configured, no Call-ID, or a code that is none), bad_timestamp.
    """
    delimiter = str(source.options.get("delimiter", "|"))
    columns = source.options.get("columns")
    names = CORE + (list(columns) if columns is not None else SHIPPED)
    line = pl.col("line").fill_null("").str.strip_chars_end("\r\n")
    plain = pl.when(line.str.contains("\\", literal=True)).then(
        line.str.replace_all("\\" + delimiter, _ESCAPED, literal=True)
    )
    given = (
        lines.select("offset", _line=pl.coalesce(plain, line))
        .with_columns(_count=pl.col("_line").str.count_matches(delimiter, literal=True) + 1)
        .with_columns(_values=pl.col("_line").str.splitn(delimiter, len(names)))
        .select(
            "offset",
            "_line",
            "_count",
            *(
                pl.col("_values").struct.field(f"field_{place}").alias(f"_{place}")
                for place in range(len(names))
            ),
        )
    )
    is_core = pl.col("_count") == len(CORE)
    is_fit = pl.col("_count") == len(names)
    # Untold extras are not read.
    is_wide = (pl.col("_count") > len(CORE)) if columns is None else pl.lit(False)

    def find_column(wanted: list[str]) -> pl.Expr:
        places = [names.index(name) for name in wanted if name in names[len(CORE) :]]
        values = [pl.when(is_fit).then(pl.col(f"_{place}")) for place in places]
        return pl.coalesce(*values, pl.lit(None, dtype=pl.String)).str.replace_all(
            _ESCAPED, delimiter, literal=True
        )

    core = {name: pl.col(f"_{place}") for place, name in enumerate(CORE)}
    time = core["time"]
    fraction = find_column(["time_exten"]).str.extract(r"^(\d{1,6})$").str.pad_start(6, "0")
    talk = pl.coalesce(
        parse_microseconds(find_column(["ms_duration"])) // 1000,
        parse_microseconds(find_column(["duration"])),
    )
    frame = given.with_columns(
        first_at=pl.coalesce(
            parse_epoch(
                pl.when(find_column(["time_attr"]).str.contains(".", literal=True)).then(
                    find_column(["time_attr"])
                )
            ),
            parse_epoch(time + pl.lit(".") + fraction),
            parse_epoch(time),
            local_time(time, source.time_zone),
        ),
        event_code=pl.lit("row"),
        method=core["method"],
        from_tag=core["from_tag"],
        to_tag=core["to_tag"],
        call_id=core["callid"],
        reply_code=core["sip_code"],
        reply_text=core["sip_reason"].str.replace_all(_ESCAPED, delimiter, literal=True),
        answered_at=pl.lit(None),
        talk_us=pl.when(core["method"] == "INVITE").then(talk),
        log_text=pl.lit(None),
        text=pl.lit(None),
    ).collect()
    frame = sip.find_extras(frame, find_column, source).with_columns(**sip.find_sides(*sip.SIDES))
    frame = frame.with_columns(**sip.read_extras(source), _claims=passport.read_claims(pl.col("_identity")))
    frame = frame.with_columns(**{name: pl.col("_claims").struct.field(name) for name in passport.CLAIMS})
    is_row = pl.col("method").str.contains(r"^[A-Z]{3,12}$") & pl.col("reply_code").is_not_null()
    is_good = (
        (is_core | is_fit | is_wide)
        & (pl.col("call_id") != "")
        & pl.col("reply_code").str.contains(r"^\d{3}$")
        & pl.col("first_at").is_not_null()
    ).fill_null(False)
    line_code = choose_code(
        record=is_row & is_good & pl.col("method").is_in(COUNTED_METHODS),
        ignored=(is_row & is_good) | (pl.col("_line").str.strip_chars() == ""),
        otherwise="quarantined",
    )
    reason = choose_code(
        unknown_shape=~is_row,
        bad_timestamp=(is_core | is_fit | is_wide) & pl.col("first_at").is_null(),
        otherwise="bad_field",
    )
    return select_parsed(
        frame.lazy().with_columns(line_code=line_code.fill_null("quarantined")), reason, TYPED
    )


FORMAT = proxy_format(
    NAME,
    title="Kamailio flat files",
    description="Accounting rows of SIP proxies in flat files (db_flatstore)",
    sniff=sniff,
    parse=parse,
    completed_by="kamailio",
    options=("columns", "delimiter", "extras"),
)

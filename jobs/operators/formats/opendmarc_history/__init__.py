"""OpenDMARC's history file: a block of `key value` lines for each message, which begins with its job.

    job QID
    reporter HOST
    received SECONDS
    ipaddr ADDRESS
    from DOMAIN
    mfrom DOMAIN
    dkim DOMAIN [SELECTOR] RESULT
    spf RESULT
    policy RESULT
    align_dkim N
    align_spf N
    action N

(opendmarc/opendmarc.c, dmarcf_histbuf; Exim writes the same file.) Results are numbers of libopendmarc:
those of opendmarc-ar.h for SPF and DKIM, of dmarc.h for policy (14 none, 15 pass, 16 reject, 17 quarantine,
18 fail without a policy) and alignment (4 pass), of opendmarc.h for the action taken. That action, a refusal
too, is what the mail server was told to do: its own line counts. A block without a result of policy is of a
message that was not judged, and gives no verdict.

A pull may cut a block anywhere, so a bronze row is a run of lines that follow each other without a gap, at
most one block; assemble() puts runs together that touch. Verdicts are those of the engine `opendmarc`, with
the symbols of jobs/operators/formats/opendkim, and for a failed message also DMARC_REJECT, DMARC_QUAR or
DMARC_NONE, the policy of its domain, and DKIM_VALID_AU where a valid signature is the author domain's own.
"""

import polars as pl

from jobs.base.core.codes import choose_case, choose_code
from jobs.base.core.column_types import ColumnTypes
from jobs.base.tables.contracts import bronze_columns
from jobs.operators.formats import TIMESTAMP, Source
from jobs.operators.formats.format import CopyRules
from jobs.operators.formats.shared.fields import none_if_empty
from jobs.operators.formats.shared.sample_shares import share_of_lines
from jobs.operators.formats.shared.verdicts import parse_whole, select_verdicts, verdict_format

NAME = "opendmarc_history"

_TEXTS = {"job": "queue_id", "ipaddr": "client_ip", "from": "from_domain", "mfrom": "sender_domain"}
_NUMBERS = {
    "spf": "spf_result",
    "policy": "policy_result",
    "align_dkim": "dkim_alignment",
    "align_spf": "spf_alignment",
    "action": "action_taken",
}
_DKIM: ColumnTypes = {"offset": pl.Int64, "domain": pl.String, "result": pl.Int32}

# bronze.opendmarc_history: one row per run of lines, a block or a part of one.
BRONZE = bronze_columns(NAME)
# What parse() gives of a line.
_LINE: ColumnTypes = {
    "end_offset": pl.Int64,
    "field": pl.String,
    "value": pl.String,
    "first_at": TIMESTAMP,
}
_STREAM_COLUMNS = ["operator_id", "source_id", "stream_id"]
_FIELD = r"^[a-z][a-z_]{0,30}(?: .*)?$"
_KNOWN_FIELDS = (
    "job|reporter|received|ipaddr|from|mfrom|dkim|spf|pdomain|policy|rua|pct|adkim|aspf|p|sp|align_dkim"
    "|align_spf|arc|arc_policy|action"
)
_SPF = {
    0: "SPF_PASS",
    2: "SPF_SOFTFAIL",
    3: "SPF_NEUTRAL",
    4: "SPF_TEMPERROR",
    5: "SPF_PERMERROR",
    6: "SPF_NONE",
    7: "SPF_FAIL",
}
_POLICY = {
    13: ("none", []),
    14: ("none", ["DMARC_MISSING"]),
    15: ("pass", ["DMARC_PASS"]),
    16: ("fail", ["DMARC_FAIL", "DMARC_REJECT"]),
    17: ("fail", ["DMARC_FAIL", "DMARC_QUAR"]),
    18: ("fail", ["DMARC_FAIL", "DMARC_NONE"]),
}
_ALIGNED = 4


# A block that a shipper made one line of.
_JOINED = r"^job \S+?#012(?:reporter|received) "


def sniff(sample: bytes) -> float:
    """Share of the lines that are fields of a block, if there is a block, or whole blocks; else 0."""
    if joined := share_of_lines(sample, _JOINED):
        return joined
    if not share_of_lines(sample, r"^job \S+$") or not share_of_lines(sample, r"^policy \d+$"):
        return 0.0
    return share_of_lines(sample, rf"^(?:{_KNOWN_FIELDS})(?: |$)")


def parse(lines: pl.LazyFrame, source: Source) -> pl.LazyFrame:
    """One row per line: a field of a block. Empty lines are ignored.

    Quarantine reasons: bad_timestamp (`received` tells no time), bad_field (a number that is none, or a job
    without its name), unknown_shape (no field).
    """
    line = pl.col("line").fill_null("").str.strip_suffix("\r")
    cut = line.str.splitn(" ", 2).struct
    value = pl.col("value").str.strip_chars()
    seconds = pl.when(pl.col("field") == "received").then(parse_whole(value))
    in_range = pl.when(seconds.is_between(0, 7_258_118_400)).then(seconds * 1_000_000)
    received = in_range.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    is_number = pl.col("field").is_in([*_NUMBERS]) & value.cast(pl.Int32, strict=False).is_null()
    reason = choose_case(
        (pl.col("_is_empty"), None),
        (~pl.col("_is_field"), "unknown_shape"),
        ((pl.col("field") == "received") & received.is_null(), "bad_timestamp"),
        (is_number | ((pl.col("field") == "job") & (value.fill_null("") == "")), "bad_field"),
    )
    return (
        lines.select(
            "offset",
            # The line end counts as one byte; _merge_runs() forgives a second one.
            end_offset=pl.col("offset") + pl.col("line").fill_null("").str.len_bytes().cast(pl.Int64) + 1,
            field=cut.field("field_0"),
            value=cut.field("field_1"),
            _is_field=line.str.contains(_FIELD),
            _is_empty=line.str.strip_chars() == "",
        )
        .with_columns(reason_code=reason, received_at=received)
        .with_columns(
            line_code=choose_code(
                ignored="_is_empty", quarantined=pl.col("reason_code").is_not_null(), otherwise="record"
            ),
            # A run whose `received` line is in another piece still needs a day.
            first_at=pl.lit(source.newest_at).cast(TIMESTAMP),
        )
        .select(
            "offset",
            "line_code",
            "reason_code",
            *(
                pl.when(pl.col("line_code") == "record").then(pl.col(name)).cast(kind).alias(name)
                for name, kind in (_LINE | {"received_at": TIMESTAMP}).items()
            ),
        )
    )


def assemble(records: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows: runs of lines, as long as what is there lets them be.

    A block that has its first line and is followed by another is done, and has a key of its own; all other
    runs of a file share one, so that they meet.
    """
    if "line_code" in records.collect_schema().names():
        records = _rows_of_lines(records.filter(pl.col("line_code") == "record"))
    runs = _merge_runs(records.select(*BRONZE))
    is_done = pl.col("queue_id").is_not_null() & pl.col("is_closed")
    key = (
        pl.when(is_done)
        .then(pl.concat_str(pl.lit("job|"), "stream_id", pl.lit("|"), pl.col("offset").cast(pl.String)))
        .otherwise(pl.lit("cut|") + pl.col("stream_id"))
    )
    return runs.with_columns(assembly_key=key).select(*BRONZE)


def settle(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """Bronze rows in which the runs of a file that meet are one. All of a file that are cut must be there."""
    return assemble(bronze)


def verdicts(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """One row per block whose first line and policy are known."""
    policy = pl.col("policy_result")
    none: list[str] = []
    results = pl.col("signatures").list.eval(pl.element().struct.field("result"))
    is_signed = results.list.contains(0)
    symbols = [
        pl.col("spf_result").replace_strict(
            {code: [name] for code, name in _SPF.items()}, default=none, return_dtype=pl.List(pl.String)
        ),
        pl.when(is_signed)
        .then(pl.lit(["DKIM_VALID"]))
        .when(results.list.len() > 0)
        .then(pl.lit(["DKIM_INVALID"])),
        pl.when(pl.col("dkim_alignment") == _ALIGNED).then(pl.lit(["DKIM_VALID_AU"])),
        policy.replace_strict(
            {code: names for code, (_, names) in _POLICY.items()},
            default=none,
            return_dtype=pl.List(pl.String),
        ),
    ]
    actions = {code: action for code, (action, _) in _POLICY.items()}
    rows = bronze.filter(pl.col("queue_id").is_not_null() & policy.is_not_null()).with_columns(
        action=policy.replace_strict(actions, default="none", return_dtype=pl.String),
        symbols=pl.concat_list([part.fill_null(pl.lit(none, pl.List(pl.String))) for part in symbols]),
    )
    return select_verdicts(rows, NAME, "opendmarc")


def _rows_of_lines(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Each line as a run of its own."""
    value = none_if_empty(pl.col("value").str.strip_chars(), "-")
    parts = value.str.split(" ")
    signature = pl.struct(
        "offset",
        domain=parts.list.first(),
        result=parts.list.last().cast(pl.Int32, strict=False),
    )
    return lines.with_columns(
        pl.when(pl.col("field") == field).then(value).alias(name) for field, name in _TEXTS.items()
    ).with_columns(
        *(
            pl.when(pl.col("field") == field).then(value).cast(pl.Int32, strict=False).alias(name)
            for field, name in _NUMBERS.items()
        ),
        signatures=pl.when((pl.col("field") == "dkim") & (parts.list.len() > 1))
        .then(pl.concat_list(signature))
        .otherwise(pl.lit([], dtype=BRONZE["signatures"]))
        .cast(BRONZE["signatures"]),
        is_closed=pl.lit(False),
        assembly_key=pl.lit(""),
    )


def _merge_runs(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Runs that touch or overlap become one; a first line always begins a new one."""
    is_begin = pl.col("queue_id").is_not_null()
    reach = pl.col("end_offset").cum_max().shift(1).over(_STREAM_COLUMNS)
    same_place = pl.col("offset") == pl.col("offset").shift(1).over(_STREAM_COLUMNS)
    # One byte more for the return sign that a line may have had.
    is_apart = (pl.col("offset") > reach + 1).fill_null(True)
    scalars = ["received_at", *_TEXTS.values(), *_NUMBERS.values()]
    run = (
        rows.sort(*_STREAM_COLUMNS, "offset", "end_offset")
        .with_columns(_is_new=is_apart | (is_begin & ~same_place))
        .with_columns(_run=pl.col("_is_new").cum_sum().over(_STREAM_COLUMNS))
        .group_by(*_STREAM_COLUMNS, "_run", maintain_order=True)
        .agg(
            pl.col("offset").first(),
            pl.col("end_offset").max(),
            pl.col("first_at").min().alias("_latest"),
            pl.col("is_closed").any(),
            *(pl.col(name).drop_nulls().first() for name in scalars),
            pl.col("signatures").explode().drop_nulls().unique().sort(),
        )
    )
    follows = (pl.col("offset").shift(-1) - pl.col("end_offset")).over(_STREAM_COLUMNS).is_between(0, 1)
    next_begins = is_begin.shift(-1).over(_STREAM_COLUMNS)
    return run.with_columns(
        is_closed=pl.col("is_closed") | (follows & next_begins).fill_null(False),
        first_at=pl.coalesce("received_at", "_latest"),
    )


FORMAT = verdict_format(
    NAME,
    is_read_alone=True,
    title="OpenDMARC history",
    description="History file of OpenDMARC",
    joined=_JOINED,
    sniff=sniff,
    parse=parse,
    assemble=assemble,
    verdicts=verdicts,
    engines_of_origin=("opendmarc",),
    is_held=pl.col("assembly_key").str.starts_with("cut|"),
    settle=settle,
    has_absolute_stamps=True,
    copies=CopyRules(names_hosts=True, naming=("queue_id", "received_at")),
)

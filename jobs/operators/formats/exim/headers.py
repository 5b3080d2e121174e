"""The envelope that Exim's rejectlog has below a refused message's line, before its headers.

    2026-11-24 14:01:52 1xVr5k-0000000001J-25Sm H=… F=<sender> rejected after DATA: text
    Envelope-from: <sender>
    Envelope-to: <first>
        <second>
        ...

(log_write() of Exim's log.c: at most five recipients, then three points.) Lines of an envelope follow the
line with the message's id, and each other, with nothing between: so a line that a block begins with belongs
to the message whose envelope the block before ended in, if there was one. Which it was, settle() finds: the
last line of a block that an envelope may go on after, and those that a block begins with, share a key.
"""

import numpy as np
import polars as pl

_LINE = r"^(?:Envelope-(from|to): <(.*)>|    (?:<(.*)>|(\.\.\.)))$"
_OTHER, _OWNER, _ENVELOPE, _HEADER = range(4)
FROM, TO, MORE = "from", "to", "more"
# Events that Exim dumps a message's headers after.
OWNING = ["refusal", "verdict"]
CUT = "cut|"
_STREAM = ["operator_id", "source_id", "stream_id"]


def read_envelopes(
    line: pl.Series, offset: pl.Series, is_header: pl.Series, owners: pl.DataFrame, newest: pl.Expr
) -> pl.DataFrame:
    """The lines of envelopes; end_offset of those that another block goes on after, or that go on after one.

    Args:
        owners: the lines that are no headers, with `place`, is_owner, and what a row has of its line's head.
        newest: the time of what no stamp is near.
    """
    height = len(line)
    kind = np.full(height, _HEADER, dtype=np.int8)
    places = owners["place"].to_numpy()
    kind[places] = np.where(owners["is_owner"].to_numpy(), _OWNER, _OTHER)
    # Of headers, few begin so.
    headers = is_header.arg_true()
    headers = headers.filter(line.gather(headers).str.head(4).is_in(["Enve", "    "]))
    found = line.gather(headers).str.extract_groups(_LINE).struct.unnest()
    is_line = found["1"].is_not_null() | found["3"].is_not_null() | found["4"].is_not_null()
    found = found.filter(is_line).with_columns(place=headers.filter(is_line))
    lines = found["place"].to_numpy()
    kind[lines] = _ENVELOPE
    # The line before each envelope, -1 where it is not in this block.
    numbers = np.arange(height)
    before = np.maximum.accumulate(np.where(kind != _ENVELOPE, numbers, -1))
    is_to = np.zeros(height, dtype=bool)
    is_to[found.filter(pl.col("1") == TO)["place"].to_numpy()] = True
    last_to = np.maximum.accumulate(np.where(is_to, numbers, -1))
    own = before[lines]
    is_cut = own < 0
    is_more = found["1"].is_null().to_numpy()
    is_kept = is_cut | ((kind[own] == _OWNER) & (~is_more | (last_to[lines] > own)))
    ends = np.append(offset.to_numpy()[1:], 0)
    if height:
        ends[-1] = offset[-1] + line.str.len_bytes()[-1] + 1
    envelope = found.select(
        "place",
        pl.lit("envelope").alias("event_code"),
        pl.coalesce("1", pl.lit(MORE)).alias("step_code"),
        pl.when(pl.col("1") == FROM).then("2").alias("sender"),
        pl.when(pl.col("1") == TO).then("2").otherwise("3").alias("recipient"),
        pl.Series("own", np.where(is_cut, -1, own)),
        pl.Series("end_offset", ends[lines]),
    ).filter(pl.Series(is_kept))
    owner = owners.drop("is_owner").rename({"place": "own"})
    envelope = envelope.join(owner, on="own", how="left", maintain_order="left")
    # Before any stamp, the time of what comes next is the nearest.
    stamps = owners["first_at"].drop_nulls()
    envelope = envelope.with_columns(
        pl.coalesce("first_at", pl.lit(stamps[0] if len(stamps) else None, owners.schema["first_at"]), newest)
    )
    # Of lines whose message is known only the last one may be gone on after.
    is_last = pl.col("place") == height - 1
    return envelope.with_columns(end_offset=pl.when((pl.col("own") < 0) | is_last).then("end_offset")).drop(
        "own"
    )


def add_open(records: pl.LazyFrame) -> pl.LazyFrame:
    """The records with their assembly keys, and a second row of each that an envelope may go on after."""
    cut = pl.lit(CUT) + pl.col("stream_id")
    is_cut = pl.col("event_code").eq("envelope") & pl.col("queue_id").is_null()
    is_open = pl.col("end_offset").is_not_null() & pl.col("queue_id").is_not_null()
    opened = records.filter(is_open).with_columns(
        assembly_key=cut,
        event_code=pl.lit("open"),
        step_code=pl.when(pl.col("event_code") == "envelope").then("step_code"),
    )
    keyed = records.with_columns(pl.when(is_cut).then(cut).otherwise("assembly_key").alias("assembly_key"))
    return pl.concat([keyed.with_columns(end_offset=pl.when(is_cut).then("end_offset")), opened])


def is_cut() -> pl.Expr:
    """Return whether a bronze row waits for settle()."""
    return pl.col("assembly_key").str.starts_with(CUT)


def settle(bronze: pl.LazyFrame) -> pl.LazyFrame:
    """The lines of envelopes with their message; those that follow none stay as they are."""
    rows = bronze.sort(*_STREAM, "offset", pl.col("event_code") != "open")
    is_open = pl.col("event_code") == "open"
    # One byte more for the return sign that a line may have had.
    is_apart = pl.col("offset") > pl.col("end_offset").shift(1) + 1
    begins = is_open | is_apart.fill_null(True) | (pl.struct(_STREAM) != pl.struct(_STREAM).shift(1))
    rows = rows.with_columns(_chain=begins.fill_null(True).cum_sum())
    of_message = ["queue_id", "first_at", "log_stamp", "host", "pid"]
    first = {name: pl.col(name).first().over("_chain") for name in of_message}
    step = pl.col("step_code")
    has_to = ((step == TO) | (is_open & (step == MORE))).fill_null(False).cum_max().over("_chain")
    is_joined = is_open.first().over("_chain") & ~is_open & ((step != MORE) | has_to)
    joined = rows.with_columns(_is_joined=is_joined, **{f"_{name}": value for name, value in first.items()})
    return (
        joined.filter(~is_open)
        .with_columns(
            pl.when("_is_joined").then(f"_{name}").otherwise(name).alias(name) for name in of_message
        )
        .with_columns(
            assembly_key=pl.when("_is_joined")
            .then(pl.lit("q|") + pl.col("queue_id"))
            .otherwise("assembly_key"),
            end_offset=pl.when(~pl.col("_is_joined")).then("end_offset"),
        )
        .select(bronze.collect_schema().names())
    )

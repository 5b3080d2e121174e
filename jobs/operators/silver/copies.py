"""Copies: an event that several files of an operator hold counts once.

The same mail may stand in `mail.log` and in `syslog`; a log may be copied, cut so that its parts overlap, or
written by two renderings. Within a file equal lines beside each other are as many events, and a stretch that
stands in it once more is a copy (jobs/operators/silver/repeats.py). Across the files of one host (of one
source, where lines name no host) an event counts as often as the file that has it most often. Times are
compared at whole seconds, since renderings differ in the fractions.

A file is a stream, whatever its names were and in however many pieces it was landed. Where a log was rotated
within a second, both files hold lines of that second: two files of a source that meet, one with its last
second and the other with its first, are one file. Only files whose times overlap are compared.

Of files that have an event equally often, the one with more lines of that key and second stays, then the one
with fractions of a second, then the first by source and stream: no other day, bucket or order of arrival
changes the choice.
"""

from collections.abc import Callable, Mapping

import polars as pl

from jobs.base.core.column_types import ColumnTypes
from jobs.base.tables.contracts import polars_schema
from jobs.operators.formats import TIMESTAMP
from jobs.operators.formats.format import Events, Format
from jobs.operators.formats.registry import DOCUMENTS, KERNELS
from jobs.operators.silver import repeats
from jobs.operators.silver.bucketing import SEED, place_of_row
from jobs.operators.silver.event_identity import PLACE, hash_contents, is_line, scope_of, time_of

TABLE = "silver.copy_daily"
OWNER = ["format_code", "operator_id", "scope"]
FILE = [*OWNER, "source_id", "stream_id"]
# From when to when a file has rows of a format, in whole seconds; and its runs
# (jobs/operators/silver/repeats.py).
EXTENT: ColumnTypes = {
    **dict.fromkeys(FILE, pl.String),
    "first_at": TIMESTAMP,
    "last_at": TIMESTAMP,
    "host": pl.String,
    "runs": repeats.RUNS,
}
# The files that overlap others, numbered in the order of FILE. meets_at: a file's first second, where another
# ends in it; meets: the number of that one. is_alike: sources whose lines name no host; events that are
# equal in them are reported, and count in each.
LOGS: ColumnTypes = {
    **dict.fromkeys(FILE, pl.String),
    "is_alike": pl.Boolean,
    "log": pl.Int32,
    "meets_at": TIMESTAMP,
    "meets": pl.Int32,
}
# Columns of one event for the comparison. moment: hash of its owner, second and key.
EVENT = ["row", "moment", "log", "second", "is_fine", "weight"]


def file_extents(rows: pl.DataFrame, format_name: str) -> pl.DataFrame:
    """Rows per file and host: EXTENT of bronze rows."""
    if format_name in DOCUMENTS or rows.is_empty():
        return pl.DataFrame(schema=EXTENT)
    stream = pl.lit("") if KERNELS[format_name].copies.is_snapshot else pl.col("stream_id")
    last = KERNELS[format_name].copies.last
    whose = ["operator_id", "source_id", "stream_id", *(["host"] if "host" in rows.columns else [])]
    return (
        rows.group_by(whose)
        .agg(pl.col("first_at").min(), pl.col(last).max().alias("until"))
        .join(repeats.find_runs(rows, format_name), on=whose, how="left", nulls_equal=True)
        .with_columns(scope_of(rows, format_name), stream.alias("stream_id"), format_code=pl.lit(format_name))
        .select(
            *FILE,
            pl.col("first_at").dt.truncate("1s"),
            pl.col("until").dt.truncate("1s").alias("last_at"),
            "host" if "host" in whose else pl.lit(None, pl.String).alias("host"),
            "runs",
        )
    )


def logs_of(found: pl.DataFrame) -> pl.DataFrame:
    """LOGS of the extents of all parts of all files."""
    whole = found.group_by(FILE).agg(pl.col("first_at").min(), pl.col("last_at").max())
    # A file lasts as long as all that it holds: between its lines another program writes few.
    file = ["operator_id", "source_id", "stream_id"]
    whole = whole.with_columns(pl.col("first_at").min().over(file), pl.col("last_at").max().over(file))
    sources = (
        whole.filter(pl.col("scope").str.starts_with("source|"))
        .group_by("format_code", "operator_id", "source_id")
        .agg(pl.col("first_at").min(), pl.col("last_at").max(), scope=pl.lit("alike"), stream_id=pl.lit(""))
    )
    parts = [
        overlapping_files(files).with_columns(is_alike=pl.lit(is_alike))
        for files, is_alike in ((whole, False), (sources.select(whole.columns), True))
    ]
    return pl.concat(parts).select(list(LOGS))


def overlapping_files(files: pl.DataFrame) -> pl.DataFrame:
    """The files whose times overlap those of another of their owner, numbered, each with the file that it
    goes on from.

    Two files of a source that share one second, in which one ends and the other begins, do not overlap: the
    log was rotated. A file that has no other second is no rotated log.
    """
    ordered = files.sort(FILE).with_row_index("log").with_columns(pl.col("log").cast(pl.Int32))
    by_time = ordered.sort(*OWNER, "first_at", "last_at", "log")
    before = pl.col("last_at").cum_max().shift(1).over(OWNER)
    after = pl.col("first_at").shift(-1).over(OWNER)
    is_over = (before > pl.col("first_at")) | (pl.col("last_at") > after)
    is_moment = (pl.col("first_at") == pl.col("last_at")).alias("is_moment")
    ends = ordered.select(*OWNER, "log", "source_id", is_moment, meets_at="last_at")
    begins = ordered.select(*OWNER, "log", "source_id", is_moment, meets_at="first_at")
    touching = ends.join(begins, on=[*OWNER, "meets_at"], suffix="_next").filter(
        pl.col("log") != pl.col("log_next")
    )
    is_other = pl.col("source_id") != pl.col("source_id_next")
    is_rotated = ~(is_other | pl.col("is_moment") | pl.col("is_moment_next"))
    shared = touching.filter(~is_rotated)
    logs = pl.concat([by_time.filter(is_over)["log"], shared["log"], shared["log_next"]])
    # Several may end in one second, and as many begin in it.
    nth = [pl.col(name).rank("dense").over(*OWNER, "source_id", "meets_at") for name in ("log", "log_next")]
    goes_on = touching.filter(is_rotated).filter(nth[0] == nth[1])
    return ordered.filter(pl.col("log").is_in(logs.implode())).join(
        goes_on.select("meets_at", log="log_next", meets="log"), on="log", how="left", maintain_order="left"
    )


def counted_once(
    formats: Mapping[str, pl.DataFrame], logs: pl.DataFrame, turned: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Bronze rows of each format without copies, and the counts of what was found, as rows of
    silver.copy_daily.

    All bronze rows of an assembly_key must be there, none of them held.

    Args:
        logs, turned: LOGS and repeats.TURNS of all bronze rows.
    """
    kept: dict[str, pl.DataFrame] = {}
    found = [pl.DataFrame(schema=polars_schema(TABLE))]
    for name, rows in formats.items():
        kept[name] = rows
        if rows.is_empty():
            continue
        if name in DOCUMENTS:
            found.append(count_copied_documents(rows, KERNELS[name]))
            continue
        own = logs.filter(pl.col("format_code") == name)
        kept[name], dropped = repeats.split_repeats(rows, name, turned)
        if dropped.height:
            found.append(counted_inside(dropped, name))
        copies, alike = own.filter(~pl.col("is_alike")), own.filter("is_alike")
        if copies.height:
            kept[name], dropped = split_copies(kept[name], name, copies)
            found.append(count_copied(dropped, name, copies, "copied_line_count"))
        if alike.height:
            events = place_events(kept[name], name, alike)
            found.append(
                count_copied(
                    find_copied(events, hash_contents(kept[name], name)), name, alike, "alike_line_count"
                )
            )
    return kept, sum_counts(pl.concat(found))


def sum_counts(found: pl.DataFrame) -> pl.DataFrame:
    """Counts of several parts as one row per key."""
    key = ["operator_id", "period_date", "format_code", "kept_source_id", "source_id"]
    return found.group_by(key).agg(pl.col("copied_line_count", "alike_line_count").sum()).sort(key)


def split_copies(
    rows: pl.DataFrame, format_name: str, logs: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows without copies, and the copies."""
    kernel = KERNELS[format_name]
    if kernel.copies.events:
        return split_copied_events(rows, format_name, kernel.copies.events, logs)
    dropped = find_copied(place_events(rows, format_name, logs), hash_contents(rows, format_name))
    if dropped.is_empty():
        return rows, dropped
    mask = pl.Series([True]).new_from_index(0, rows.height).scatter(dropped["row"], False)
    return rows.filter(mask), dropped


def split_copied_events(
    rows: pl.DataFrame, format_name: str, of: Events, logs: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows without copied events, and these, of a format whose rows have several: copies may have them in
    other rows."""
    narrow = rows.select(*of.key, "source_id", "stream_id", scope_of(rows, format_name))
    of_logs = narrow.join(logs.select(*FILE[1:], "log"), on=FILE[1:], how="left", maintain_order="left")
    is_several = of.is_of_several(rows)
    many = pl.col("log").n_unique().over(of.key) > 1
    is_asked = of_logs.select(many & pl.col("log").is_not_null()).to_series() | is_several
    if not is_asked.any():
        return rows, find_copied(
            place_events(rows.clear(), format_name, logs), hash_contents(rows, format_name)
        )
    events = of.taken_apart(rows.filter(is_asked))
    dropped = find_copied(place_events(events, format_name, logs), hash_contents(events, format_name))
    if dropped.is_empty():
        return rows, dropped
    mask = pl.Series([True]).new_from_index(0, events.height).scatter(dropped["row"], False)
    joined = of.by_lifetime(events.filter(mask))
    return pl.concat([rows.filter(~is_asked).select(joined.columns), joined]), dropped


def place_events(events: pl.DataFrame, format_name: str, logs: pl.DataFrame) -> pl.DataFrame:
    """EVENT and PLACE of the events that are in these logs."""
    time = pl.col(time_of(events))
    second = time.dt.truncate("1s")
    rules = KERNELS[format_name].copies
    stamp = pl.col(rules.stamp).str.head(19) if rules.stamp else pl.lit(None, pl.String)
    by_second = pl.lit("") if rules.is_timeless else second.dt.to_string("%Y-%m-%d %H:%M:%S")
    is_alike = logs["is_alike"].any()
    scope = pl.lit("alike").alias("scope") if is_alike else scope_of(events, format_name)
    of_file = is_alike or rules.is_snapshot
    place = people_of(events) if is_alike else place_of_row(events, format_name)
    weight = pl.col("end_offset") - pl.col("offset") if rules.naming else pl.lit(0)
    narrow = events.select(
        "operator_id",
        scope,
        *PLACE,
        (pl.lit("") if of_file else pl.col("stream_id")).alias("file"),
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        second.alias("second"),
        pl.coalesce(stamp, by_second).alias("stamp"),
        (time != second).alias("is_fine"),
        weight.cast(pl.Int64).alias("weight"),
        place.alias("place"),
        is_line(events, format_name).alias("is_line"),
    )
    named = narrow.filter(is_named(events, rules.naming[0])) if rules.naming else narrow
    own = logs.select("operator_id", "scope", "source_id", "log", "meets_at", "meets", file="stream_id")
    moment = pl.struct("operator_id", "scope", "stamp", "place").hash(SEED)
    met = pl.when(pl.col("second") == pl.col("meets_at")).then("meets")
    return (
        named.join(own, on=["operator_id", "scope", "source_id", "file"], maintain_order="left")
        .with_columns(moment.alias("moment"), pl.coalesce(met, "log").alias("log"))
        .select(*EVENT, *PLACE, "is_line")
    )


def people_of(events: pl.DataFrame) -> pl.Expr:
    """The people of an event, across sources, whose names may be in keys."""
    names = [name for name in ("sender", "recipient", "message_id") if name in events.columns]
    return pl.concat_str(names, separator="|", ignore_nulls=True)


def is_named(events: pl.DataFrame, name: str) -> pl.Series:
    return events.select(pl.col(name).is_not_null()).to_series()


def find_copied(events: pl.DataFrame, same: Callable[[pl.Series], pl.Series]) -> pl.DataFrame:
    """The events that are copies, with `kept_log`: the log whose events of the same content stay."""
    pairs = events.select("moment", "log").unique()
    many = pairs.filter(pl.col("moment").is_duplicated()).select("moment").unique()
    events = events.join(many, on="moment", how="semi", maintain_order="left")
    events = events.with_columns(same(events["row"]).alias("same"))
    of_logs = events.group_by("moment", "log").agg(
        pl.len().alias("lines"), pl.col("weight").sum(), pl.col("is_fine").any()
    )
    times = events.group_by("moment", "same", "log").agg(pl.len().alias("times"))
    order = ["times", "lines", "weight", "is_fine"]
    kept = (
        times.join(of_logs, on=["moment", "log"])
        .sort(*order, "log", descending=[*(True for _ in order), False])
        .unique(["moment", "same"], keep="first", maintain_order=True)
        .select("moment", "same", kept_log="log")
    )
    return events.join(kept, on=["moment", "same"], maintain_order="left").filter(
        pl.col("log") != pl.col("kept_log")
    )


def count_copied(dropped: pl.DataFrame, format_name: str, logs: pl.DataFrame, count: str) -> pl.DataFrame:
    """Rows of silver.copy_daily for the copies; the column `count` has the number of their lines."""
    lines = dropped.filter("is_line").unique(list(PLACE), keep="any")
    of_log = logs.select("operator_id", kept_source_id="source_id", kept_log="log")
    rows = lines.join(of_log, on="kept_log").group_by(
        "operator_id", pl.col("second").dt.date().alias("period_date"), "kept_source_id", "source_id"
    )
    return sum_copies(rows.agg(pl.len().cast(pl.Int64).alias(count)), format_name)


def counted_inside(dropped: pl.DataFrame, format_name: str) -> pl.DataFrame:
    """Rows of silver.copy_daily for copies inside files."""
    lines = dropped.filter("is_line").unique(list(PLACE), keep="any")
    rows = lines.group_by("operator_id", "source_id", pl.col("second").dt.date().alias("period_date")).agg(
        pl.len().cast(pl.Int64).alias("copied_line_count")
    )
    return sum_copies(rows.with_columns(kept_source_id="source_id"), format_name)


def count_copied_documents(rows: pl.DataFrame, kernel: Format) -> pl.DataFrame:
    """Rows of silver.copy_daily of documents that came in several files; assemble() keeps one of them."""
    key = ["operator_id", "assembly_key"]
    kept = kernel.assemble(rows.lazy()).collect().select(*key, *PLACE).unique(key)
    twice = rows.select(*key, *PLACE, "first_at").join(kept, on=key, suffix="_kept")
    fields = ["source_id", "stream_id"]
    is_other = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_kept") for name in fields)
    found = (
        twice.filter(is_other)
        .unique(["operator_id", *PLACE], keep="any")
        .group_by(
            "operator_id",
            pl.col("first_at").dt.date().alias("period_date"),
            pl.col("source_id_kept").alias("kept_source_id"),
            "source_id",
        )
        .agg(pl.len().cast(pl.Int64).alias("copied_line_count"))
    )
    return sum_copies(found, kernel.name)


def sum_copies(rows: pl.DataFrame, format_name: str) -> pl.DataFrame:
    kinds = polars_schema(TABLE)
    missing = {
        name: pl.lit(0) for name in ("copied_line_count", "alike_line_count") if name not in rows.columns
    }
    whole = rows.with_columns(format_code=pl.lit(format_name), **missing)
    return whole.select(pl.col(name).cast(kind) for name, kind in kinds.items())

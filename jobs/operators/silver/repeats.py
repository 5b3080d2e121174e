"""Copies inside a file: a stretch of a log that stands in the same file once more counts once.

A log that was appended to itself, or whose rotation or transfer went wrong, repeats lines that stand earlier
in it. Equal lines beside each other are as many events; a copy is known by time that goes back:

- A line is *behind* where a line of a later second stands before it. A line that is behind and equals one
  that is not is a copy, however often it comes.
- A stretch that was copied up to the newest second ends in lines that are not behind. They follow lines that
  are, as many bytes after their originals: so many bytes after an equal line, a line is a copy.

Where time does not go back, as in a stretch of one second that is repeated within it, lines are twins. Lines
are compared with those of their host, whose clock puts them in order.
"""

import polars as pl

from jobs.base.core.column_types import ColumnTypes
from jobs.operators.formats import TIMESTAMP
from jobs.operators.formats.registry import KERNELS
from jobs.operators.silver.bucketing import place_of_row
from jobs.operators.silver.event_identity import PLACE, hash_contents, is_line, time_of

# Whose lines are in order of time: those of one host in one file.
HOST_FILE = ["operator_id", "source_id", "stream_id", "host"]
# The lines of one second that stand behind each other, and where the first and the last of them begin.
RUNS = pl.List(pl.Struct({"second": TIMESTAMP, "low": pl.Int64, "high": pl.Int64}))
# Seconds of which a file may hold copies. Either `behind`, the first byte at which a line of a later second
# stands; or lines between the bytes low and high may be copies of lines that stand `distance` before them.
TURNS: ColumnTypes = {
    **dict.fromkeys(HOST_FILE, pl.String),
    "second": TIMESTAMP,
    **dict.fromkeys(("behind", "low", "high", "distance"), pl.Int64),
}
SECOND = [*HOST_FILE, "second"]


def find_runs(rows: pl.DataFrame, format_name: str) -> pl.DataFrame:
    """The runs of each file and host of bronze rows."""
    rules = KERNELS[format_name].copies
    whose = [name for name in HOST_FILE if name in rows.columns]
    # Lines of a snapshot repeat what was there, and need no order.
    if rules.is_snapshot or rows.is_empty():
        return pl.DataFrame(schema={**dict.fromkeys(whose, pl.String), "runs": RUNS})
    files = rows.select(whose).unique(maintain_order=True).with_row_index("file")
    of_file = rows.select(whose).join(files, on=whose, how="left", nulls_equal=True, maintain_order="left")
    read_times = rules.events.event_times if rules.events else row_times
    times = read_times(rows, of_file["file"]).with_columns(pl.col("at").dt.truncate("1s").cast(TIMESTAMP))
    if files.height > 1:
        times = times.sort("file", "offset")
    elif not times["offset"].is_sorted():
        times = times.sort("offset")
    file, second = times["file"], times["at"]
    begins = ((second != second.shift(1)) | (file != file.shift(1))).fill_null(True)
    found = pl.DataFrame(
        {
            "file": file.filter(begins),
            "second": second.filter(begins),
            "low": times["offset"].filter(begins),
            "high": times["offset"].filter(begins.shift(-1, fill_value=True)),
        }
    )
    of_each = found.group_by("file").agg(pl.struct("second", "low", "high").alias("runs").cast(RUNS.inner))
    return files.join(of_each, on="file", how="left").select(*whose, "runs")


def row_times(rows: pl.DataFrame, of_file: pl.Series) -> pl.DataFrame:
    """file, at and offset of rows that are one event each."""
    return rows.select(of_file, "offset", at="first_at")


def find_turns(extents: pl.DataFrame) -> pl.DataFrame:
    """TURNS of the runs of all parts of all files, whatever the formats of their lines."""
    found = (
        extents.select("format_code", *HOST_FILE, "runs").explode("runs").drop_nulls("runs").unnest("runs")
    )
    seconds = found.group_by(*HOST_FILE, "second").agg(pl.col("low").min(), pl.col("high").max())
    seconds = seconds.sort(*HOST_FILE, "second", descending=[*(False for _ in HOST_FILE), True])
    later = pl.col("low").cum_min().shift(1).over(HOST_FILE)
    behind = seconds.with_columns(behind=later).filter(pl.col("high") > pl.col("behind"))
    # Most logs are in order.
    if behind.is_empty():
        return pl.DataFrame(schema=TURNS)
    found = found.join(behind.select(HOST_FILE).unique(), on=HOST_FILE, how="semi", nulls_equal=True)
    whole = pl.concat([behind.select(*SECOND, "behind"), find_tails(found)], how="diagonal")
    return whole.select(pl.col(name).cast(kind) for name, kind in TURNS.items())


def find_tails(found: pl.DataFrame) -> pl.DataFrame:
    """Places where lines of the newest second follow lines that are behind, as far after others of it as
    those are after their originals: by the runs of one format, in bytes that hold for the lines of all."""
    file = ["format_code", *HOST_FILE]
    found = found.sort(*file, "low")
    # A run that a part ends in may go on in the next.
    begins = (pl.struct(*file, "second") != pl.struct(*file, "second").shift(1)).fill_null(True)
    found = found.group_by(*file, "second", run=begins.cum_sum(), maintain_order=True).agg(
        pl.col("low").first(), pl.col("high").max()
    )
    found = found.with_columns(
        newest=pl.col("second").cum_max().shift(1).over(file), next=pl.col("low").shift(-1).over(file)
    )
    found = found.with_columns(is_behind=(pl.col("second") < pl.col("newest")).fill_null(False))
    found = found.with_columns(
        pl.col("second", "high", "is_behind").shift(1).over(file).name.suffix("_before")
    )
    place = [*file, "second", "second_before"]
    ends = found.filter((pl.col("second") == pl.col("newest")) & pl.col("is_behind_before"))
    pairs = ends.join(found.select(*place, "low", "high_before"), on=place, nulls_equal=True, suffix="_first")
    distance = pl.col("low") - pl.col("low_first")
    is_tail = (distance > 0) & (distance == pl.col("high_before") - pl.col("high_before_first"))
    last = pl.coalesce(pl.col("next") - 1, pl.lit(2**62))
    return pairs.filter(is_tail).select(*SECOND, low=pl.col("high_before") + 1, high=last, distance=distance)


def split_repeats(
    rows: pl.DataFrame, format_name: str, turned: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bronze rows of a format without copies inside their files, and the copies."""
    rules = KERNELS[format_name].copies
    if not rules.naming and turned.is_empty():
        return rows, rows.clear()
    of = rules.events
    events, others = rows, rows.clear()
    if of:
        is_asked = rows.select(of.has_event_at(turned["second"].unique()).any().over(of.key)).to_series()
        events, others = of.taken_apart(rows.filter(is_asked)), rows.filter(~is_asked)
    host = pl.col("host") if "host" in events.columns else pl.lit(None, pl.String).alias("host")
    lines = events.select(
        "operator_id",
        *PLACE,
        host,
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"),
        pl.col(time_of(events)).dt.truncate("1s").cast(TIMESTAMP).alias("second"),
        place_of_row(events, format_name).alias("moment"),
        is_line(events, format_name).alias("is_line"),
    )
    if rules.naming:
        dropped = named_before(lines, events, rules.naming)
    else:
        asked = turned.select(SECOND).unique()
        lines = lines.join(asked, on=SECOND, how="semi", nulls_equal=True, maintain_order="left")
        lines = lines.with_columns(hash_contents(events, format_name)(lines["row"]).alias("same"))
        dropped = find_repeated(lines, turned)
    if dropped.is_empty():
        return rows, dropped
    is_kept = pl.Series([True]).new_from_index(0, events.height).scatter(dropped["row"], False)
    kept = events.filter(is_kept)
    if not of:
        return kept, dropped
    joined = of.by_lifetime(kept)
    return pl.concat([others.select(joined.columns), joined]), dropped


def named_before(lines: pl.DataFrame, events: pl.DataFrame, naming: tuple[str, ...]) -> pl.DataFrame:
    """The lines of events that another place of their file names, too: the longest stays, or the first."""
    named = lines.with_columns(events.select(*naming), weight=events["end_offset"] - events["offset"])
    named = named.drop_nulls(naming[0])
    order = ["weight", "offset"]
    kept = named.sort(order, descending=[True, False]).unique(
        [*HOST_FILE, *naming], keep="first", maintain_order=True
    )
    return named.filter(~pl.col("row").is_in(kept["row"].implode())).select(lines.columns)


def find_repeated(lines: pl.DataFrame, turned: pl.DataFrame) -> pl.DataFrame:
    """The lines that are copies inside their file.

    Args:
        lines: those of the seconds of TURNS; `moment` and `same` are equal where the lines are.
    """
    content = [*SECOND, "moment", "same"]
    behind = turned.drop_nulls("behind").select(*SECOND, "behind")
    marked = lines.join(behind, on=SECOND, how="left", nulls_equal=True, maintain_order="left")
    is_behind = marked.select((pl.col("offset") >= pl.col("behind")).fill_null(False)).to_series()
    originals = marked.filter(~is_behind).select(content).unique()
    copies = [marked.filter(is_behind).join(originals, on=content, how="semi", nulls_equal=True)["row"]]
    tails = turned.drop_nulls("distance").select(*SECOND, "low", "high", "distance")
    if tails.height:
        tail = lines.join(tails, on=SECOND, nulls_equal=True)
        tail = tail.filter(pl.col("offset").is_between("low", "high"))
        place = pl.col("offset") - pl.col("distance")
        places = lines.select(*content, place="offset").unique()
        at_distance = tail.with_columns(place=place).join(
            places, on=[*content, "place"], how="semi", nulls_equal=True
        )
        copies.append(at_distance["row"])
    return lines.filter(pl.col("row").is_in(pl.concat(copies).implode()))

"""silver computed in buckets, as an engine does it, with every exchange in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from jobs.protect.operators import Door
from jobs.silver.assembling import assembled, is_held, order_of, settled
from jobs.silver.bucketing import bucket_of, home_of
from jobs.silver.hops import candidates, roots
from jobs.silver.message import moving, narrow, opened
from jobs.silver.refusals import followed, triples, without_followed
from jobs.silver.standing import routes


def parted(rows: pl.DataFrame, buckets: pl.Series, count: int) -> list[pl.DataFrame]:
    """The rows of each bucket."""
    parts = rows.with_columns(buckets.alias("to")).partition_by("to", as_dict=True, include_key=False)
    return [parts.get((number,), rows.clear()) for number in range(count)]


def exchanged(frames: list[pl.DataFrame], count: int) -> list[pl.DataFrame]:
    """The rows of all frames by their `bucket`."""
    rows = pl.concat(frames)
    return parted(rows.drop("bucket"), rows["bucket"], count)


def at_home(frames: list[pl.DataFrame], count: int) -> list[pl.DataFrame]:
    """Transmissions or verdicts of each bucket, after those that belong elsewhere have moved."""
    placed = [
        rows.with_columns(home_of(rows, count).fill_null(number).cast(pl.Int32).alias("bucket"))
        for number, rows in enumerate(frames)
    ]
    return exchanged(placed, count)


def by_cuts(
    function: Callable[..., pl.DataFrame], column: str, count: int, *whole: pl.DataFrame
) -> pl.DataFrame:
    """The function's rows, computed apart for each cut of its frames."""
    cuts = [parted(frame, frame[column] % count, count) for frame in whole]
    return pl.concat(function(*each) for each in zip(*cuts, strict=True))


def assembled_in_buckets(
    table: str, formats: Mapping[str, pl.DataFrame], door: Door, count: int
) -> list[pl.DataFrame]:
    """The rows of a silver table in each bucket, before those that belong elsewhere move."""
    parts: list[dict[str, pl.DataFrame]] = [{} for _ in range(count)]
    for name, bronze in formats.items():
        waits = bronze.select(is_held(name).alias("held")).to_series() if bronze.height else pl.Series([True])
        held = settled(name, bronze.filter(waits)) if bronze.height else bronze
        rest = bronze.filter(~waits) if bronze.height else bronze
        rows = pl.concat([rest.select(held.columns), held])
        for number, part in enumerate(parted(rows, bucket_of(rows, name, count), count)):
            parts[number][name] = part
    # A run finds the order of all files before it assembles a bucket.
    order = order_of(formats)
    return [assembled(table, part, door, order) for part in parts]


def message_in_buckets(
    transmission: pl.DataFrame,
    verdict: pl.DataFrame,
    operator_knowledge: pl.DataFrame,
    attribute_rule: pl.DataFrame,
    count: int,
) -> pl.DataFrame:
    """silver.message of transmissions and verdicts that lie anywhere."""
    scattered = [
        parted(rows, rows.hash_rows(7) % count, count) if rows.height else [rows] * count
        for rows in (transmission, verdict)
    ]
    servers, filters = (at_home(frames, count) for frames in scattered)
    needs = [narrow(servers[number], filters[number], number) for number in range(count)]
    links = roots(by_cuts(candidates, "link", count, pl.concat(each.ends for each in needs)))
    found = by_cuts(
        routes,
        "id",
        count,
        pl.concat(each.asked for each in needs),
        pl.concat(each.message_ids for each in needs),
    )
    left = [moving(servers[number], filters[number], links, found) for number in range(count)]
    later = exchanged([each.later for each in left], count)
    by_id = exchanged([each.by_id for each in left], count)
    messages = [
        opened(
            servers[number],
            filters[number],
            links,
            later[number],
            by_id[number],
            operator_knowledge,
            attribute_rule,
        )
        for number in range(count)
    ]
    dropped = by_cuts(followed, "triple", count, pl.concat(triples(each) for each in messages))
    return pl.concat(without_followed(each, dropped) for each in messages)

"""The figures of a lake: counted by Spark over the whole of it, small when they arrive."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

import polars as pl

from jobs.release import correcting
from jobs.release.figures import (
    BASES,
    CAMPAIGN,
    COUNTED,
    DEFINITION,
    ENDS_OF_SPAM,
    FIGURES,
    MEASURE,
    SUMS,
    TOLD,
    TOP_CAMPAIGNS,
    TOP_DESTINATIONS,
    TOP_NETWORKS,
    TOP_ORIGINS,
)
from jobs.release.words import OTHER, UNKNOWN, reference

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def gather(read: Callable[[str], DataFrame]) -> dict[str, pl.DataFrame]:
    """All figures of FIGURES, from the tables that `read` returns by name."""
    from jobs.session import held

    volume, source = read("gold.spam_volume_daily"), read("gold.spam_source_daily")
    types, route = read("gold.spam_type_daily"), read("gold.spam_route_daily")
    campaign, estimated = read("gold.campaign_daily"), read("gold.filter_quality_monthly")
    # One row for each operator, month and channel that is audited: few, and asked by seven figures.
    known = held(correcting.rates(estimated), is_small=True)
    largest = to_polars("campaigns", campaigns(campaign))
    frames: dict[str, DataFrame | pl.DataFrame] = {
        "volume": volume.filter(measured()).groupBy(keys_of("volume")).agg(*sums()),
        "days": days(volume),
        "daily": correcting.corrected(counted(volume), keys_of("daily"), known),
        "bases": bases(volume),
        "types": counted(types).groupBy(keys_of("types")).agg(*sums()),
        "type_coverage": type_coverage(read("gold.type_coverage_daily")),
        "routes": routes(counted(route, has_stage=False), known),
        "transits": correcting.corrected(counted(route, has_stage=False), keys_of("transits"), known),
        "bypass": bypass(read("gold.bypass_indicator_daily")),
        "countries": countries(read("gold.spam_source_monthly"), known),
        "networks": networks(counted(source), known),
        "campaigns": largest,
        "campaign_days": daily_copies(campaign, largest),
        "stages": correcting.corrected(counted(volume), keys_of("stages"), known, is_decided_by_call=True),
        "effort": effort(read("gold.countermeasure_effort_daily")),
        "quality": quality(volume.filter(measured()), known),
        "quality_parts": estimated.filter("stratum_code LIKE '%.\\_T.%'"),
        "type_quality": type_quality(volume.filter(measured()), types.filter(measured()), estimated),
        "costs": latest(read("gold.countermeasure_cost_monthly")),
        "coverage": coverage(read("bronze.file")),
    }
    return {name: to_polars(name, frame) for name, frame in frames.items()}


def keys_of(figure: str) -> list[str]:
    return [column for column in FIGURES[figure] if column not in (*SUMS, *ENDS_OF_SPAM)]


def to_polars(figure: str, frame: DataFrame | pl.DataFrame) -> pl.DataFrame:
    """The figure with its columns and types, in a fixed order."""
    table = frame if isinstance(frame, pl.DataFrame) else pl.from_arrow(frame.toArrow())
    assert isinstance(table, pl.DataFrame)
    return table.select(list(FIGURES[figure])).cast(FIGURES[figure]).sort(pl.all())  # type: ignore[arg-type]


def sums() -> list[Column]:
    from pyspark.sql import functions as F

    return [F.sum(column).alias(column) for column in SUMS]


def measured(has_stage: bool = True, measure: str = MEASURE) -> Column:
    """Whether a row is in the sum that ref.measure permits, by unit, stage and outcome, at its day.

    A table without stages takes the units whose every cell is in the sum.
    """
    from pyspark.sql import functions as F

    windows: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in reference("measure"):
        if row["measure_code"] == measure:
            windows[row["valid_from"], row["valid_to"]].append(row)
    condition = F.lit(False)
    for (start, end), rows in windows.items():
        if has_stage:
            cells = [
                f"{r['unit_code']}|{r['stage_code']}|{r['outcome_code']}" for r in rows if is_included(r)
            ]
            inside = F.concat_ws("|", "unit_code", "stage_code", "outcome_code").isin(cells)
        else:
            partly = {r["unit_code"] for r in rows if not is_included(r)}
            inside = F.col("unit_code").isin(sorted({r["unit_code"] for r in rows} - partly))
        valid = F.col("period_date") >= F.lit(dt.date.fromisoformat(start))
        if end:
            valid &= F.col("period_date") < F.lit(dt.date.fromisoformat(end))
        condition |= inside & valid
    return condition


def is_included(row: dict[str, str]) -> bool:
    return row["is_included"] == "true"


def counted(table: DataFrame, has_stage: bool = True, measure: str = MEASURE) -> DataFrame:
    """What totals over operators add: inbound and internal, by the operators' own definition of spam."""
    from pyspark.sql import functions as F

    mine = F.col("direction_code").isin(*COUNTED) & (F.col("definition_code") == DEFINITION)
    return table.filter(mine & measured(has_stage, measure))


def bases(volume: DataFrame) -> DataFrame:
    from functools import reduce

    from pyspark.sql import DataFrame
    from pyspark.sql import functions as F

    frames = [
        counted(volume, measure=code)
        .groupBy("channel_code", "unit_code")
        .agg(*sums())
        .withColumn("measure_code", F.lit(code))
        for code in BASES
    ]
    return reduce(DataFrame.unionByName, frames)


def type_coverage(table: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    counts = ("units_marked", "units_strong", "units_weak", "units_untyped")
    return (
        table.filter(measured(has_stage=False))
        .groupBy("channel_code", "engine_code")
        .agg(*(F.sum(name).alias(name) for name in counts))
    )


def days(volume: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    return volume.groupBy("operator_id", "channel_code").agg(
        F.min("period_date").alias("first_date"),
        F.max("period_date").alias("last_date"),
        F.countDistinct("period_date").alias("day_count"),
    )


def fetch(frame: DataFrame, keys: list[str]) -> pl.DataFrame:
    """Sums by the keys, brought to the driver: codes are few, whatever the lake's size."""
    table = pl.from_arrow(frame.groupBy(keys).agg(*sums()).toArrow())
    assert isinstance(table, pl.DataFrame)
    return table


def largest_of(table: pl.DataFrame, column: str, top: int) -> list[str]:
    """The known values of a column with most certain spam, by channel, as `channel|value`."""
    known = (
        table.filter(pl.col(column) != UNKNOWN).group_by("channel_code", column).agg(pl.col(list(SUMS)).sum())
    )
    order = ["channel_code", -pl.col("spam_certain"), -pl.col("units"), column]
    kept = known.sort(order).group_by("channel_code", maintain_order=True).head(top)
    return ["|".join(row) for row in kept.select("channel_code", column).rows()]


def cut(frame: DataFrame, column: str, kept: list[str]) -> DataFrame:
    """The frame with all but these values of a column, and the unknown, put under _O."""
    from pyspark.sql import functions as F

    stays = (F.col(column) == UNKNOWN) | F.concat_ws("|", "channel_code", column).isin(kept)
    return frame.withColumn(column, F.when(stays, F.col(column)).otherwise(OTHER))


def routes(route: DataFrame, known: DataFrame) -> DataFrame:
    """Origin, inbound link and destination. An SMS may have no address: its origin is that of its number."""
    from pyspark.sql import functions as F

    def ends_of(kind: str, channels: list[str] | None) -> pl.DataFrame:
        mine = route if channels is None else route.filter(F.col("channel_code").isin(channels))
        found = fetch(mine, ["channel_code", f"origin_{kind}_code", "destination_code"])
        return found.rename({f"origin_{kind}_code": "origin_code"})

    ends = ends_of("observed", None)
    with_address = sorted(set(ends.filter(pl.col("origin_code") != UNKNOWN)["channel_code"]))
    others = sorted(set(ends["channel_code"]) - set(with_address))
    if others:
        is_placed = pl.col("channel_code").is_in(with_address)
        ends = pl.concat([ends.filter(is_placed), ends_of("claimed", others)])
    observed = F.col("channel_code").isin(with_address)
    placed = route.withColumns(
        {
            "origin_kind": F.when(observed, "observed").otherwise("claimed"),
            "origin_code": F.when(observed, F.col("origin_observed_code")).otherwise(
                F.col("origin_claimed_code")
            ),
        }
    )
    for column, top in (("origin_code", TOP_ORIGINS), ("destination_code", TOP_DESTINATIONS)):
        placed = cut(placed, column, largest_of(ends, column, top))
    return correcting.corrected(placed, keys_of("routes"), known)


def bypass(table: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    apart = F.col("unit_code").isin("recipient", "attempt", "call")
    return (
        table.filter(apart)
        .groupBy("channel_code", "bypass_code", "inbound_link_code")
        .agg(*(F.sum(name).alias(name) for name in ("units_examined", "units_flagged")))
    )


def countries(monthly: DataFrame, known: DataFrame) -> DataFrame:
    """Countries with what came from them, and the subscribers of the operators that it came to."""
    from pyspark.sql import functions as F

    # A month is measured as at its first day.
    dated = monthly.withColumn("period_date", F.to_date(F.concat("period_code", F.lit("-01"))))
    source = counted(dated, has_stage=False)
    subscribers = source.groupBy("channel_code", "operator_id").agg(F.max("subscriber_count").alias("count"))
    rated = F.col("subscriber_count").isNotNull()
    summed = correcting.corrected(source, ["channel_code", "source_country_code"], known, rated=rated)
    totals = subscribers.groupBy("channel_code").agg(F.sum("count").alias("subscriber_count"))
    return summed.join(F.broadcast(totals), "channel_code")


def networks(source: DataFrame, known: DataFrame) -> DataFrame:
    """The networks of known address with most certain spam; a lake may know millions."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    keys = keys_of("networks")
    ties = ("source_network", "source_asn", "source_country_code")
    order = [F.desc("spam_certain"), F.desc("units"), *map(F.col, ties)]
    summed = correcting.corrected(source.filter(F.col("source_network") != UNKNOWN), keys, known)
    ranked = summed.withColumn(
        "rank", F.row_number().over(Window.partitionBy("channel_code").orderBy(*order))
    )
    return ranked.filter(F.col("rank") <= TOP_NETWORKS)


def campaigns(campaign: DataFrame) -> DataFrame:
    """The largest that came in, each operator's on its last day: logs arrive at different times."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F

    of_channel = Window.partitionBy("channel_code")
    came_in = F.arrays_overlap("direction_codes", F.array(*map(F.lit, COUNTED)))
    last = (
        campaign.filter(came_in)
        .withColumn("last_day", F.max("period_date").over(Window.partitionBy("operator_id", "channel_code")))
        .filter("period_date = last_day")
    )
    order = [F.desc("copy_count"), *map(F.col, ("first_at", "operator_id", "campaign_hash"))]
    ranked = last.withColumn("rank", F.row_number().over(of_channel.orderBy(*order)))
    times = {f"{end}_time": F.date_format(f"{end}_at", "HH:mm") for end in ("first", "last")}
    return ranked.filter(F.col("rank") <= TOP_CAMPAIGNS).withColumns(times)


def daily_copies(campaign: DataFrame, largest: pl.DataFrame) -> DataFrame:
    """Copies by day of the campaigns that share a signature with one of the largest, under its hash: the
    least signature of a day, which a campaign is named by, need not be that of another."""
    from pyspark.sql import functions as F

    wanted = ["|".join(map(str, row)) for row in largest.select(*CAMPAIGN, "period_date").rows()]
    is_wanted = F.concat_ws("|", *CAMPAIGN, "period_date").isin(wanted)
    alike = ["operator_id", "channel_code", "signature_hash"]
    signed = campaign.withColumn("signature_hash", F.explode("signature_hashes"))
    of_day = signed.select(*alike, "period_date", "copy_count", F.col("campaign_hash").alias("day_hash"))
    return (
        of_day.join(F.broadcast(signed.filter(is_wanted).select(*alike, "campaign_hash")), alike)
        .dropDuplicates([*CAMPAIGN, "period_date", "day_hash"])
        .groupBy(*CAMPAIGN, "period_date")
        .agg(F.sum("copy_count").alias("copy_count"))
    )


def effort(table: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    return table.groupBy("channel_code", "countermeasure_code").agg(
        F.min("strategy_code").alias("strategy_code"),
        F.sum("units_examined").alias("units_examined"),
        F.sum("units_acted").alias("units_acted"),
        F.bool_or("is_examined_derived").alias("is_examined_derived"),
        F.sum("filter_us").alias("filter_us"),
    )


def quality(volume: DataFrame, known: DataFrame) -> DataFrame:
    """What filters saw, by operator, month and channel, with what is known of their errors."""
    from jobs.gold.filter_quality_monthly import CHANNEL, flagged

    return flagged(volume).join(known, CHANNEL, "left").select(*CHANNEL, *SUMS, *TOLD)


def type_quality(volume: DataFrame, types: DataFrame, estimated: DataFrame) -> DataFrame:
    """What filters saw of each type, by operator, month and channel, with what an audit says of it; a row for
    each type that any of them has. A test elsewhere tells no type."""
    from pyspark.sql import functions as F

    from jobs.gold.filter_quality_monthly import CHANNEL, flagged

    kind = "spam_type_code"
    told = [name for name in FIGURES["type_quality"] if name not in (*CHANNEL, kind, *SUMS)]
    # Not known, by any name, is one type.
    named = types.withColumn(kind, F.when(F.coalesce(kind, F.lit(UNKNOWN)) != UNKNOWN, F.col(kind)))
    seen_types = flagged(named.fillna("UNK", [kind]), kind).drop("units")
    audits = estimated.filter(
        f"{kind} <> '_T' AND quality_method_code = 'audit' AND prevalence IS NOT NULL"
    ).select(*CHANNEL, kind, *told)
    there = seen_types.filter("spam_possible > 0").select("channel_code", kind)
    every = there.unionByName(audits.select("channel_code", kind)).distinct()
    return (
        flagged(volume)
        .select(*CHANNEL, "units")
        .join(F.broadcast(every), "channel_code")
        .join(seen_types, [*CHANNEL, kind], "left")
        .join(audits, [*CHANNEL, kind], "left")
        .fillna(0, ["spam_certain", "spam_possible"])
    )


def latest(cost: DataFrame) -> DataFrame:
    """The rows of each operator's last month."""
    from pyspark.sql import functions as F

    last = cost.groupBy("operator_id").agg(F.max("period_code").alias("period_code"))
    return cost.join(F.broadcast(last), ["operator_id", "period_code"])


def coverage(file: DataFrame) -> DataFrame:
    from pyspark.sql import functions as F

    counts = ("line_count", "record_count", "ignored_count", "quarantined_count", "late_count")
    return file.groupBy("operator_id", "format_code").agg(
        F.countDistinct("stream_id").alias("file_count"),
        *(F.sum(F.coalesce(column, F.lit(0))).alias(column) for column in counts),
    )

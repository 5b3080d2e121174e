"""The figures of a lake: a few small frames, counted from its gold tables."""

from __future__ import annotations

from collections.abc import Callable, Collection

import polars as pl

from jobs.core.contracts import reference
from jobs.core.counting_rules import ATTEMPTED, OPERATOR, RECEIVED
from jobs.core.words import OTHER, TOTAL, UNKNOWN
from jobs.gold import correcting, measures
from jobs.gold.correcting import TOLD
from jobs.gold.filter_quality_monthly import CHANNEL, flagged
from jobs.gold.origins import origin, origin_kind
from jobs.gold.spam_corrected_monthly import BETWEEN, PARTS
from jobs.report import unclaimed
from jobs.report.figures import (
    BASES,
    CAMPAIGN,
    ENDS_OF_SPAM,
    FIGURES,
    SUMS,
    TOP_CAMPAIGNS,
    TOP_DESTINATIONS,
    TOP_NETWORKS,
    TOP_ORIGINS,
)

SPAM = pl.col(list(SUMS)).sum()


def gather(
    read: Callable[[str], pl.DataFrame], operators: Collection[str] | None = None
) -> dict[str, pl.DataFrame]:
    """All figures of FIGURES, from the tables that `read` returns by name. operators: those whose rows count,
    by id; without them those of all."""
    if operators is not None:
        read = of_operators(read, operators)
    volume, estimated = read("gold.spam_volume_daily"), read("gold.filter_quality_monthly")
    known = correcting.rates(estimated)
    figures = of_volume(volume, known)
    figures |= of_types(read("gold.spam_type_daily"), volume, estimated)
    figures |= of_corrected(read("gold.spam_corrected_monthly"))
    figures |= of_campaigns(read("gold.campaign_daily"))
    route = counted(read("gold.spam_route_daily"), has_stage=False)
    figures |= {
        "type_coverage": type_coverage(read("gold.type_coverage_daily")),
        "bypass": bypass(read("gold.bypass_indicator_daily")),
        "routes": routes(route, known),
        "origins": origins(route),
        "networks": networks(counted(read("gold.spam_source_daily")), known),
        "hours": hours(read("gold.traffic_hourly_daily")),
        "effort": effort(read("gold.countermeasure_effort_daily")),
        "quality_parts": estimated.filter(pl.col("stratum_code").str.contains("._T.", literal=True)),
        "costs": latest(read("gold.countermeasure_cost_monthly")),
        "complaints": read("silver.complaint")
        .group_by("channel_code", "feedback_type_code")
        .agg(complaint_count=pl.len()),
        "coverage": coverage(read("bronze.file")),
    }
    return {name: in_order(name, figures[name]) for name in FIGURES}


def of_operators(
    read: Callable[[str], pl.DataFrame], operators: Collection[str]
) -> Callable[[str], pl.DataFrame]:
    """The same tables with the rows of these operators."""
    return lambda table: read(table).filter(pl.col("operator_id").is_in(sorted(operators)))


def of_volume(volume: pl.DataFrame, known: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The figures of gold.spam_volume_daily."""
    in_measure = volume.filter(measured())
    return {
        "volume": in_measure.group_by(keys_of("volume")).agg(SPAM),
        "directions": unclaimed.directions(in_measure),
        "days": days(volume),
        "operator_days": counted(volume).group_by(keys_of("operator_days")).agg(SPAM),
        "bases": bases(volume),
        "quality": quality(in_measure, known),
    }


def of_types(types: pl.DataFrame, volume: pl.DataFrame, estimated: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The figures of gold.spam_type_daily."""
    return {
        "types": counted(types).group_by(keys_of("types")).agg(SPAM),
        "type_quality": type_quality(volume.filter(measured()), types.filter(measured()), estimated),
    }


def of_corrected(corrected: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The figures of gold.spam_corrected_monthly: parts of channels, and what the errors of filters make of
    channels and types."""
    own = corrected.filter(pl.col("definition_code") == OPERATOR)
    return {
        "daily": parts(own, "day", "daily").with_columns(pl.col("period_date").str.to_date()),
        "stages": parts(own, "stage", "stages"),
        "countries": parts(own, "country", "countries"),
        "transits": parts(own, "transit", "transits"),
        "errors": own.filter(pl.col("breakdown_code").is_in([TOTAL, "type"])).rename(
            {"part_code": "spam_type_code"}
        ),
    }


def parts(corrected: pl.DataFrame, breakdown: str, figure: str) -> pl.DataFrame:
    """Parts of operators' months added up, under the names that the figure has for them."""
    names = PARTS[breakdown]
    rows = corrected.filter(pl.col("breakdown_code") == breakdown)
    named = pl.col("part_code").str.splitn(BETWEEN, len(names)).struct.rename_fields(names)
    return correcting.added_up(rows.with_columns(named.struct.unnest()), keys_of(figure))


def of_campaigns(campaign: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The figures of gold.campaign_daily."""
    largest = campaigns(campaign)
    return {"campaigns": largest, "campaign_days": daily_copies(campaign, largest)}


def keys_of(figure: str) -> list[str]:
    return [column for column in FIGURES[figure] if column not in (*SUMS, *ENDS_OF_SPAM)]


def in_order(figure: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The figure with its columns and types, in a fixed order."""
    kinds = FIGURES[figure]
    return frame.select(pl.col(name).cast(kind) for name, kind in kinds.items()).sort(pl.all())


def total(name: str) -> pl.Expr:
    """The sum; null where no row has a value."""
    return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)


def measured(has_stage: bool = True, measure: str = ATTEMPTED) -> pl.Expr:
    """Whether a row is in a sum of ref.measure."""
    return measures.measured(reference("ref.measure"), has_stage, measure)


def counted(table: pl.DataFrame, has_stage: bool = True, measure: str = ATTEMPTED) -> pl.DataFrame:
    """Rows that totals over operators add: inbound and internal, by the operators' own definition of spam."""
    return table.filter(measures.is_counted() & measured(has_stage, measure))


def bases(volume: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(
        counted(volume, measure=code)
        .group_by("channel_code", "unit_code")
        .agg(SPAM)
        .with_columns(measure_code=pl.lit(code))
        for code in BASES
    )


def type_coverage(table: pl.DataFrame) -> pl.DataFrame:
    counts = pl.col("units_marked", "units_strong", "units_weak", "units_untyped")
    return table.filter(measured(has_stage=False)).group_by("channel_code", "engine_code").agg(counts.sum())


def days(volume: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("period_date")
    return volume.group_by("operator_id", "channel_code").agg(
        first_date=day.min(), last_date=day.max(), day_count=day.n_unique()
    )


def largest_of(table: pl.DataFrame, column: str, top: int) -> pl.DataFrame:
    """The known values of a column with most certain spam, by channel."""
    known = table.filter(pl.col(column) != UNKNOWN).group_by("channel_code", column).agg(SPAM)
    order = ["channel_code", -pl.col("spam_certain"), -pl.col("units"), column]
    kept = known.sort(order).group_by("channel_code", maintain_order=True).head(top)
    return kept.select("channel_code", column, is_kept=pl.lit(True))


def cut(frame: pl.DataFrame, column: str, top: int) -> pl.DataFrame:
    """The frame with all but the largest values of a column, and the unknown, put under _O."""
    stays = (pl.col(column) == UNKNOWN) | pl.col("is_kept").fill_null(False)
    return (
        frame.join(largest_of(frame, column, top), on=["channel_code", column], how="left")
        .with_columns(pl.when(stays).then(column).otherwise(pl.lit(OTHER)).alias(column))
        .drop("is_kept")
    )


def routes(route: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Origin, inbound link and destination; origin_kind says which origins a channel has."""
    kinds = origin_kind().unique().drop_nulls().over("channel_code", mapping_strategy="join")
    placed = route.with_columns(
        origin_kind=pl.when(kinds.list.len() > 1)
        .then(pl.lit("both"))
        .otherwise(kinds.list.first().fill_null("observed")),
        origin_code=origin(),
    )
    for column, top in (("origin_code", TOP_ORIGINS), ("destination_code", TOP_DESTINATIONS)):
        placed = cut(placed, column, top)
    return correcting.corrected(placed, keys_of("routes"), known)


def origins(route: pl.DataFrame) -> pl.DataFrame:
    placed = route.with_columns(origin_code=origin(), origin_kind=origin_kind())
    return placed.group_by(keys_of("origins")).agg(SPAM)


def bypass(table: pl.DataFrame) -> pl.DataFrame:
    apart = pl.col("unit_code").is_in(["recipient", "attempt", "call"])
    return (
        table.filter(apart)
        .group_by("channel_code", "bypass_code", "inbound_link_code")
        .agg(total("units_examined"), total("units_flagged"))
    )


def networks(source: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The networks of known address with most certain spam; a lake may hold millions."""
    keys = keys_of("networks")
    located = source.filter(pl.col("source_network") != UNKNOWN)
    top = (
        located.group_by(keys)
        .agg(SPAM)
        .sort(
            "channel_code",
            -pl.col("spam_certain"),
            -pl.col("units"),
            "source_network",
            "source_asn",
            "source_country_code",
        )
        .group_by("channel_code", maintain_order=True)
        .head(TOP_NETWORKS)
    )
    of_top = located.join(top.select(keys), on=keys, how="semi", nulls_equal=True)
    return correcting.corrected(of_top, keys, known)


def campaigns(campaign: pl.DataFrame) -> pl.DataFrame:
    """The largest that came in, each operator's on its last day: logs arrive at different times."""
    came_in = pl.col("direction_codes").list.eval(pl.element().is_in(RECEIVED)).list.any()
    received = campaign.filter(came_in)
    last_day = pl.col("period_date").max().over("operator_id", "channel_code")
    return (
        received.filter(pl.col("period_date") == last_day)
        .sort("channel_code", -pl.col("copy_count"), "first_at", "operator_id", "campaign_hash")
        .group_by("channel_code", maintain_order=True)
        .head(TOP_CAMPAIGNS)
        .with_columns(
            first_time=pl.col("first_at").dt.strftime("%H:%M"),
            last_time=pl.col("last_at").dt.strftime("%H:%M"),
        )
    )


def daily_copies(campaign: pl.DataFrame, largest: pl.DataFrame) -> pl.DataFrame:
    """Copies by day of the campaigns that share a signature with one of the largest, under its hash.

    A campaign is named by its least signature of a day, which need not be that of another day.
    """
    alike = ["operator_id", "channel_code", "signature_hash"]
    signatures = pl.col("signature_hashes").alias("signature_hash")
    of_largest = largest.select(*CAMPAIGN, signatures).explode("signature_hash")
    of_day = campaign.select(
        *alike[:2], "period_date", "copy_count", signatures, day_hash=pl.col("campaign_hash")
    ).explode("signature_hash")
    return (
        of_day.join(of_largest, on=alike)
        .unique([*CAMPAIGN, "period_date", "day_hash"])
        .group_by(*CAMPAIGN, "period_date")
        .agg(pl.col("copy_count").sum())
    )


def effort(table: pl.DataFrame) -> pl.DataFrame:
    return table.group_by("channel_code", "countermeasure_code").agg(
        pl.col("strategy_code").min(),
        pl.col("units_examined", "units_acted", "filter_us").sum(),
        pl.col("is_examined_derived").any(),
    )


def hours(table: pl.DataFrame) -> pl.DataFrame:
    keys = ["operator_id", "channel_code", "direction_code", "hour_of_day", "unit_code"]
    sums = [name for name in FIGURES["hours"] if name not in (*keys, "longest_delay_us")]
    return table.group_by(keys).agg(pl.col(sums).sum(), pl.col("longest_delay_us").max())


def quality(volume: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The messages that filters saw, by operator, month and channel, with the filters' error rates."""
    return flagged(volume).join(known, on=CHANNEL, how="left").select(*CHANNEL, *SUMS, *TOLD)


def type_quality(volume: pl.DataFrame, types: pl.DataFrame, estimated: pl.DataFrame) -> pl.DataFrame:
    """The messages of each type that filters saw, by operator, month and channel, with an audit's estimate; a
    row for each type that any operator of the channel has. A test elsewhere has no types."""
    kind = "spam_type_code"
    told = [name for name in FIGURES["type_quality"] if name not in (*CHANNEL, kind, *SUMS)]
    # An unknown type is one type, whatever its code.
    is_known = pl.col(kind).fill_null(UNKNOWN) != UNKNOWN
    named = types.with_columns(pl.when(is_known).then(kind).otherwise(pl.lit("UNK")).alias(kind))
    seen_types = flagged(named, kind).drop("units")
    audits = estimated.filter(
        pl.col(kind) != "_T", pl.col("quality_method_code") == "audit", pl.col("prevalence").is_not_null()
    ).select(*CHANNEL, kind, *told)
    there = seen_types.filter(pl.col("spam_possible") > 0).select("channel_code", kind)
    every = pl.concat([there, audits.select("channel_code", kind)]).unique()
    by_type = [*CHANNEL, kind]
    return (
        flagged(volume)
        .select(*CHANNEL, "units")
        .join(every, on="channel_code")
        .join(seen_types, on=by_type, how="left")
        .join(audits, on=by_type, how="left")
        .with_columns(pl.col("spam_certain", "spam_possible").fill_null(0))
    )


def latest(cost: pl.DataFrame) -> pl.DataFrame:
    """The rows of each operator's last month."""
    return cost.filter(pl.col("period_code") == pl.col("period_code").max().over("operator_id"))


def coverage(file: pl.DataFrame) -> pl.DataFrame:
    counts = pl.col("line_count", "record_count", "ignored_count", "quarantined_count", "late_count")
    return file.group_by("operator_id", "format_code").agg(
        counts.sum(), file_count=pl.col("stream_id").drop_nulls().n_unique()
    )

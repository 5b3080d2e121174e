"""The figures of a lake: a few small frames, counted from its gold tables, complaints and ledger."""

from collections.abc import Callable, Collection

import polars as pl

from jobs.base.figures.counting_rules import ATTEMPTED, OPERATOR, RECEIVED
from jobs.base.figures.words import OTHER, TOTAL, UNKNOWN
from jobs.base.tables.contracts import reference_table
from jobs.operators.gold.filter_quality_monthly import CHANNEL, count_calls
from jobs.operators.gold.shared import correcting, measures
from jobs.operators.gold.shared.correcting import QUALITY_COLUMNS
from jobs.operators.gold.shared.origins import origin_code, origin_kind
from jobs.operators.gold.spam_corrected_monthly import BETWEEN, PARTS
from jobs.operators.report import unclaimed
from jobs.operators.report.figures import (
    BASES,
    CAMPAIGN,
    CORRECTED,
    ENDS_OF_SPAM,
    FIGURES,
    QUALITY,
    SUMS,
    TOP_CAMPAIGNS,
    TOP_DESTINATIONS,
    TOP_NETWORKS,
    TOP_ORIGINS,
    VOLUME,
    Figures,
)

SPAM = pl.col(list(SUMS)).sum()
Read = Callable[[str], pl.DataFrame]


def gather_figures(read: Read, operators: Collection[str] | None = None) -> Figures:
    """All figures, from the tables that `read` returns by name.

    Args:
        operators: ids of the operators whose rows count; None for all.
    """
    if operators is not None:
        read = select_operators(read, operators)
    volume, estimated = read(VOLUME), read(QUALITY)
    known = correcting.error_rates(estimated)
    types = read("gold.spam_type_daily")
    route = counted_rows(read("gold.spam_route_daily"), has_stage=False)
    made = volume_figures(volume, known)
    made |= corrected_figures(read(CORRECTED))
    # The figures of gold.campaign_daily.
    campaign = read("gold.campaign_daily")
    largest = largest_campaigns(campaign)
    made |= {"campaigns": largest, "campaign_days": daily_copies(campaign, largest)}
    table = read("gold.type_coverage_daily")
    counts = pl.col("units_marked", "units_strong", "units_weak", "units_untyped")
    placed = route.with_columns(origin_code=origin_code(), origin_kind=origin_kind())
    made |= {
        "type_quality": type_quality(volume.filter(is_measured()), types.filter(is_measured()), estimated),
        "type_coverage": table.filter(is_measured(has_stage=False))
        .group_by("channel_code", "engine_code")
        .agg(counts.sum()),
        "bypass": read("gold.bypass_indicator_daily")
        .filter(pl.col("unit_code").is_in(["recipient", "attempt", "call"]))
        .group_by("channel_code", "bypass_code", "inbound_link_code")
        .agg(sum_or_null("units_examined"), sum_or_null("units_flagged")),
        "routes": sum_routes(route, known),
        "origins": placed.group_by(figure_keys("origins")).agg(SPAM),
        "networks": largest_networks(counted_rows(read("gold.spam_source_daily")), known),
        "hours": sum_hours(read("gold.traffic_hourly_daily")),
        "effort": sum_effort(read("gold.countermeasure_effort_daily")),
        "quality_parts": estimated.filter(pl.col("stratum_code").str.contains("._T.", literal=True)),
        "costs": read("gold.countermeasure_cost_monthly").filter(
            pl.col("period_code") == pl.col("period_code").max().over("operator_id")
        ),
        "complaints": read("silver.complaint")
        .group_by("channel_code", "feedback_type_code")
        .agg(complaint_count=pl.len()),
        "coverage": read("bronze.file")
        .group_by("operator_id", "format_code")
        .agg(
            pl.col("line_count", "record_count", "ignored_count", "quarantined_count", "late_count").sum(),
            file_count=pl.col("stream_id").drop_nulls().n_unique(),
        ),
    }
    return Figures(
        **{name: order_figure(name, made[name] if name in made else sum_spam(read, name)) for name in FIGURES}
    )


def sum_spam(read: Read, figure: str) -> pl.DataFrame:
    """A figure without a function of its own: units and spam of its table, by its other columns."""
    return counted_rows(read(FIGURES[figure].table)).group_by(figure_keys(figure)).agg(SPAM)


def select_operators(read: Read, operators: Collection[str]) -> Read:
    """The tables with the rows of these operators alone."""
    return lambda table: read(table).filter(pl.col("operator_id").is_in(sorted(operators)))


def volume_figures(volume: pl.DataFrame, known: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The figures of gold.spam_volume_daily."""
    in_measure = volume.filter(is_measured())
    day = pl.col("period_date")
    return {
        "volume": in_measure.group_by(figure_keys("volume")).agg(SPAM),
        "directions": unclaimed.sum_by_direction(in_measure),
        "days": volume.group_by("operator_id", "channel_code").agg(
            first_date=day.min(), last_date=day.max(), day_count=day.n_unique()
        ),
        "bases": sum_by_measure(volume),
        "quality": filter_quality(in_measure, known),
    }


def corrected_figures(corrected: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The figures of gold.spam_corrected_monthly: parts of channels, and channels and types corrected for
    filter error."""
    own = corrected.filter(pl.col("definition_code") == OPERATOR)
    return {
        "daily": add_up_parts(own, "day", "daily").with_columns(pl.col("period_date").str.to_date()),
        "stages": add_up_parts(own, "stage", "stages"),
        "countries": add_up_parts(own, "country", "countries"),
        "transits": add_up_parts(own, "transit", "transits"),
        "errors": own.filter(pl.col("breakdown_code").is_in([TOTAL, "type"])).rename(
            {"part_code": "spam_type_code"}
        ),
    }


def add_up_parts(corrected: pl.DataFrame, breakdown: str, figure: str) -> pl.DataFrame:
    """The parts of a breakdown added up over operators and months, in the figure's columns."""
    names = PARTS[breakdown]
    rows = corrected.filter(pl.col("breakdown_code") == breakdown)
    named = pl.col("part_code").str.splitn(BETWEEN, len(names)).struct.rename_fields(names)
    return correcting.add_months(rows.with_columns(named.struct.unnest()), figure_keys(figure))


def figure_keys(figure: str) -> list[str]:
    """The columns of a figure that name its rows."""
    return [column for column in FIGURES[figure].columns if column not in (*SUMS, *ENDS_OF_SPAM)]


def order_figure(figure: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The figure with its columns and types, in a fixed order."""
    kinds = FIGURES[figure].columns
    return frame.select(pl.col(name).cast(kind) for name, kind in kinds.items()).sort(pl.all())


def sum_or_null(name: str) -> pl.Expr:
    """The sum; null where no row has a value."""
    return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).alias(name)


def is_measured(has_stage: bool = True, measure: str = ATTEMPTED) -> pl.Expr:
    """Return whether a row counts in a measure of ref.measure."""
    return measures.is_in_measure(reference_table("ref.measure"), has_stage, measure)


def counted_rows(table: pl.DataFrame, has_stage: bool = True, measure: str = ATTEMPTED) -> pl.DataFrame:
    """The rows that count in totals over operators: inbound and internal, by the operators' definition."""
    return table.filter(measures.is_counted() & is_measured(has_stage, measure))


def sum_by_measure(volume: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(
        counted_rows(volume, measure=code)
        .group_by("channel_code", "unit_code")
        .agg(SPAM)
        .with_columns(measure_code=pl.lit(code))
        for code in BASES
    )


def cut_to_largest(frame: pl.DataFrame, column: str, top: int) -> pl.DataFrame:
    """The frame with the smaller values of a column replaced by _O. In each channel the values with the most
    certain spam stay, and the unknown one."""
    known = frame.filter(pl.col(column) != UNKNOWN).group_by("channel_code", column).agg(SPAM)
    order = ["channel_code", -pl.col("spam_certain"), -pl.col("units"), column]
    largest = known.sort(order).group_by("channel_code", maintain_order=True).head(top)
    kept = largest.select("channel_code", column, is_kept=pl.lit(True))
    stays = (pl.col(column) == UNKNOWN) | pl.col("is_kept").fill_null(False)
    return (
        frame.join(kept, on=["channel_code", column], how="left")
        .with_columns(pl.when(stays).then(column).otherwise(pl.lit(OTHER)).alias(column))
        .drop("is_kept")
    )


def sum_routes(route: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Spam by origin, inbound link and destination. origin_kind: whether a channel's origins are observed,
    claimed, or both."""
    kinds = origin_kind().unique().drop_nulls().over("channel_code", mapping_strategy="join")
    placed = route.with_columns(
        origin_kind=pl.when(kinds.list.len() > 1)
        .then(pl.lit("both"))
        .otherwise(kinds.list.first().fill_null("observed")),
        origin_code=origin_code(),
    )
    for column, top in (("origin_code", TOP_ORIGINS), ("destination_code", TOP_DESTINATIONS)):
        placed = cut_to_largest(placed, column, top)
    return correcting.correct_parts(placed, figure_keys("routes"), known)


def largest_networks(source: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The networks with the most certain spam, of those whose address is known; a lake may hold millions."""
    keys = figure_keys("networks")
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
    return correcting.correct_parts(of_top, keys, known)


def largest_campaigns(campaign: pl.DataFrame) -> pl.DataFrame:
    """The largest inbound campaigns on each operator's last day, since logs arrive at different times."""
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

    A campaign has the hash of its smallest signature of the day, so its hash may change from day to day.
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


def sum_effort(table: pl.DataFrame) -> pl.DataFrame:
    return table.group_by("channel_code", "countermeasure_code").agg(
        pl.col("strategy_code").min(),
        pl.col("units_examined", "units_acted", "filter_us").sum(),
        pl.col("is_examined_derived").any(),
    )


def sum_hours(table: pl.DataFrame) -> pl.DataFrame:
    keys = ["operator_id", "channel_code", "direction_code", "hour_of_day", "unit_code"]
    sums = [name for name in FIGURES["hours"].columns if name not in (*keys, "longest_delay_us")]
    return table.group_by(keys).agg(pl.col(sums).sum(), pl.col("longest_delay_us").max())


def filter_quality(volume: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The messages that filters saw, by operator, month and channel, with the filters' error rates."""
    return count_calls(volume).join(known, on=CHANNEL, how="left").select(*CHANNEL, *SUMS, *QUALITY_COLUMNS)


def type_quality(volume: pl.DataFrame, types: pl.DataFrame, estimated: pl.DataFrame) -> pl.DataFrame:
    """The messages of each type that filters saw, by operator, month and channel, with an audit's estimate.

    A row for each type that any operator of the channel has. A test elsewhere gives no estimate by type.
    """
    kind = "spam_type_code"
    audited = [name for name in FIGURES["type_quality"].columns if name not in (*CHANNEL, kind, *SUMS)]
    # An unknown type is one type, whatever its code.
    is_known = pl.col(kind).fill_null(UNKNOWN) != UNKNOWN
    named = types.with_columns(pl.when(is_known).then(kind).otherwise(pl.lit("UNK")).alias(kind))
    seen_types = count_calls(named, kind).drop("units")
    audits = estimated.filter(
        pl.col(kind) != "_T", pl.col("quality_method_code") == "audit", pl.col("prevalence").is_not_null()
    ).select(*CHANNEL, kind, *audited)
    there = seen_types.filter(pl.col("spam_possible") > 0).select("channel_code", kind)
    every = pl.concat([there, audits.select("channel_code", kind)]).unique()
    by_type = [*CHANNEL, kind]
    return (
        count_calls(volume)
        .select(*CHANNEL, "units")
        .join(every, on="channel_code")
        .join(seen_types, on=by_type, how="left")
        .join(audits, on=by_type, how="left")
        .with_columns(pl.col("spam_certain", "spam_possible").fill_null(0))
    )

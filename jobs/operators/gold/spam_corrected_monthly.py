"""gold.spam_corrected_monthly: spam of a month with what audits and tests say of the filters' errors.

A row is a channel under a definition or, by the operators' own, a part of it: a day, a stage with its
outcome, a country, a transit, a type. jobs/operators/gold/shared/correcting.py estimates both, and says how
rows of several months and operators add up.
"""

import polars as pl

from jobs.base.core.codes import choose_code
from jobs.base.figures.counting_rules import OPERATOR, RECEIVED
from jobs.base.tables.attributes import asked_attributes
from jobs.operators.gold.filter_quality_monthly import CHANNEL, count_calls
from jobs.operators.gold.shared import correcting
from jobs.operators.gold.shared.correcting import ADDED, AUDITED, DISTANCES, END, QUALITY_COLUMNS, SUMS
from jobs.operators.gold.shared.measures import is_counted, is_in_measure

UNKNOWN, UNTYPED, ALL = "_U", "UNK", "_T"
# Days, stages, countries and transits: the column that the part is named by, or the columns.
PARTS = {
    "day": ["period_date"],
    "stage": ["stage_code", "outcome_code"],
    "country": ["source_country_code"],
    "transit": ["transit_code"],
}
# What the filter itself decides.
DECIDED = ("stage",)
COLUMNS = (*CHANNEL, "definition_code", "breakdown_code", "part_code", "quality_method_code")
# What stands between the columns of a part that is named by two.
BETWEEN = "."


def transform(
    spam_volume_daily: pl.DataFrame,
    spam_type_daily: pl.DataFrame,
    spam_route_daily: pl.DataFrame,
    spam_source_monthly: pl.DataFrame,
    filter_quality_monthly: pl.DataFrame,
    definition: pl.DataFrame,
    measure: pl.DataFrame,
) -> pl.DataFrame:
    """Corrected counts of received recipients and attempts."""
    of_volume, of_routes = is_in_measure(measure), is_in_measure(measure, has_stage=False)
    volume, types = spam_volume_daily.filter(of_volume), spam_type_daily.filter(of_volume)
    # A month is measured as at its first day.
    first = pl.concat_str("period_code", pl.lit("-01")).str.to_date()
    sources = spam_source_monthly.with_columns(period_date=first).filter(of_routes & is_counted())
    known, labelled = correcting.error_rates(filter_quality_monthly), label_definitions(definition)
    counted = volume.filter(is_counted())
    tables = {
        "day": counted,
        "stage": counted,
        "country": sources,
        "transit": spam_route_daily.filter(of_routes & is_counted()),
    }
    of_channel = channel_rows(volume, known, labelled)
    rows = [
        of_channel,
        type_rows(of_channel, volume, types, filter_quality_monthly),
        *(part_rows(code, table, known) for code, table in tables.items()),
    ]
    return pl.concat(rows).with_columns(correction_code=correction_code(labelled))


def part_rows(code: str, table: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The rows of one kind of part."""
    by = PARTS[code]
    named = table.with_columns(part_code=pl.concat_str(pl.col(by).fill_null(UNKNOWN), separator=BETWEEN))
    found = correcting.correct_months(named, ["part_code"], known, is_decided_by_call=code in DECIDED)
    ends = found.with_columns(**correcting.squared_distances()).with_columns(**correcting.spam_ends())
    return order_columns(ends, code)


def order_columns(rows: pl.DataFrame, code: str) -> pl.DataFrame:
    named = rows.with_columns(breakdown_code=pl.lit(code))
    if "definition_code" not in rows.columns:
        named = named.with_columns(definition_code=pl.lit(OPERATOR))
    return named.select(*COLUMNS, *ADDED, "spam_low", "spam_high")


def label_definitions(definition: pl.DataFrame) -> list[str]:
    """The definitions that ask for nothing but what the operator's measures did, as labels of audits do."""
    predicates = definition.group_by("definition_code").agg("predicate").sort("definition_code")
    return [code for code, texts in predicates.iter_rows() if not asked_attributes(texts)]


def channel_rows(volume: pl.DataFrame, known: pl.DataFrame, methods: list[str]) -> pl.DataFrame:
    """A row for each channel and definition. An audit covers the same under all definitions of labels."""
    by = [*CHANNEL, "definition_code"]
    received = volume.filter(pl.col("direction_code").is_in(RECEIVED)).with_columns(
        period_code=correcting.format_month()
    )
    counts = received.group_by(by).agg(pl.col(SUMS).sum())
    seen = count_calls(volume).join(known.select(*CHANNEL, *QUALITY_COLUMNS), on=CHANNEL, how="left")
    audited = correcting.estimate_whole(seen).drop(SUMS)
    has_labels = pl.col("definition_code").is_in(methods)
    silent = {
        name: pl.when(has_labels).then(name).otherwise(0) for name in (*AUDITED, "audited_spam", *DISTANCES)
    }
    method = pl.when(has_labels).then("quality_method_code")
    rows = add_ends(counts.join(audited, on=CHANNEL, how="left"), silent)
    return order_columns(rows.with_columns(method, part_code=pl.lit(ALL)), ALL)


def type_rows(
    channel: pl.DataFrame, volume: pl.DataFrame, types: pl.DataFrame, estimated: pl.DataFrame
) -> pl.DataFrame:
    """A row for each type that was counted, or that labels name. Its units are those of all types."""
    by_type = [*CHANNEL, "part_code"]
    audits = estimated.filter(
        pl.col("spam_type_code") != ALL,
        pl.col("quality_method_code") == "audit",
        pl.col("prevalence").is_not_null(),
    ).select(*CHANNEL, *QUALITY_COLUMNS, part_code="spam_type_code")
    named = types.with_columns(
        part_code=pl.col("spam_type_code").fill_null(UNTYPED).replace(UNKNOWN, UNTYPED)
    )
    spam = pl.col("spam_certain", "spam_possible")
    month = named.filter(is_counted()).with_columns(period_code=correcting.format_month())
    counts = month.group_by(by_type).agg(spam.sum()).filter(pl.col("spam_possible") > 0)
    every = pl.concat([counts.select(by_type), audits.select(by_type)]).unique()
    seen = (
        every.join(count_calls(volume).select(*CHANNEL, "units"), on=CHANNEL)
        .join(count_calls(named, "part_code").drop("units"), on=by_type, how="left")
        .join(audits, on=by_type, how="left")
        .with_columns(spam.fill_null(0))
    )
    audited = correcting.estimate_whole(seen).drop(SUMS)
    whole = channel.filter(pl.col("definition_code") == OPERATOR).select(*CHANNEL, "units")
    rows = (
        every.join(whole, on=CHANNEL)
        .join(counts, on=by_type, how="left")
        .join(audited, on=by_type, how="left")
        .with_columns(spam.fill_null(0))
    )
    return order_columns(add_ends(rows, {}), "type")


def add_ends(rows: pl.DataFrame, changed: dict[str, pl.Expr]) -> pl.DataFrame:
    """Channels or types with the ends of all spam. Where filters saw nothing, no audit covers anything."""
    none = ("seen_units", *AUDITED, "audited_spam", *DISTANCES)
    filled = rows.with_columns(**changed).with_columns(pl.col(none).fill_null(0))
    below, above = (pl.col(side).cast(pl.Float64).sqrt() for side in correcting.SIDES)
    estimate = pl.col("audited_spam").cast(pl.Float64)
    certain, possible = (pl.col(f"spam_{end}") - pl.col(f"audited_{end}") for end in ("certain", "possible"))
    return filled.with_columns(**correcting.squared_distances()).with_columns(
        spam_low=pl.max_horizontal(certain + estimate - below, 0.0).cast(END),
        spam_high=pl.min_horizontal(possible + estimate + above, "units").cast(END),
    )


def correction_code(methods: list[str]) -> pl.Expr:
    """The code for how far an audit or a test corrects a row, or for why none does."""
    audited, seen = pl.col("audited_units"), pl.col("seen_units")
    return choose_code(
        labels_silent=~pl.col("definition_code").is_in(methods),
        no_content=seen == 0,
        no_audit=pl.col("quality_method_code").is_null(),
        no_share=audited == 0,
        part=audited < seen,
        otherwise="whole",
    )

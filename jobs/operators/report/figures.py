"""The figures that the report is drawn from: their columns, tables and definitions of spam.

Unless a comment says otherwise, a figure counts inbound and internal traffic, in units of the measure
`attempted`. Networks, routes and campaigns, of which a lake may hold millions, are cut to the largest by
certain spam or copies; other countries of a route have the code `_O`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import polars as pl

from jobs.base.core.call_shares import CALL_SHARES
from jobs.base.core.column_types import polars_type
from jobs.base.figures.counting_rules import OPERATOR
from jobs.base.tables.contracts import read_fields
from jobs.operators.gold.shared.correcting import AUDITED, DISTANCES, ESTIMATES
from jobs.operators.gold.traffic_hourly_daily import WITHIN

TOP_NETWORKS, TOP_ORIGINS, TOP_DESTINATIONS, TOP_CAMPAIGNS = 10, 7, 7, 8
# Measures whose share of spam is set side by side.
BASES = ("recipients", "attempted", "maawg_abusive", "maawg_unaltered_delivered")
CAMPAIGN = ("operator_id", "channel_code", "campaign_hash")
SUMS = ("units", "spam_certain", "spam_possible")
# Units whose content was seen; of these, units that an audit covers, and the spam in them; bounds of all
# spam, corrected for filter error: see jobs/operators/gold/shared/correcting.py.
ENDS_OF_SPAM = ("seen_units", "audited_units", "audited_spam", "spam_low", "spam_high")
# Columns that no table has, or that a figure has in another type.
OWN_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("first_date", "last_date"), pl.Date),
    **dict.fromkeys(("origin_code", "origin_kind", "first_time", "last_time"), pl.String),
    **dict.fromkeys(("complaint_count", "hour_of_day"), pl.Int64),
    "audited_spam": pl.Decimal(20, 4),
}
# Definitions of spam that figures rest on.
MINE, EACH, NONE = f"definition {OPERATOR}", "each definition as named", "independent of any definition"
VOLUME, CORRECTED = "gold.spam_volume_daily", "gold.spam_corrected_monthly"
QUALITY = "gold.filter_quality_monthly"


@dataclass(frozen=True)
class Figure:
    """The description of a figure.

    Attributes:
        columns: names and types, in order.
        content: what its CSV file holds; empty if it has no file.
        table, definition: those that the source line below its chart names; empty if no chart shows it.
    """

    columns: Mapping[str, Any]
    content: str = ""
    table: str = ""
    definition: str = MINE


def add_ends(*names: str) -> list[str]:
    """Estimates, each with the ends of its 95% interval."""
    return [f"{name}{end}" for name in names for end in ("", "_low", "_high")]


def describe_figure(
    *columns: str, content: str = "", table: str = "", definition: str = MINE, **types: pl.DataType
) -> Any:
    """A field of Figures: a frame, empty where none is given.

    Args:
        types: of columns, in place of those of schemas/fields.yaml; shares are floating-point numbers.
    """
    own = {name: OWN_TYPES.get(name) or polars_type(read_fields()[name].type) for name in columns}
    kinds = {name: pl.Float64 if kind == pl.Decimal(9, 8) else kind for name, kind in own.items()}
    figure = Figure(kinds | types, content, table, definition)
    return field(default_factory=partial(pl.DataFrame, schema=figure.columns), metadata={"figure": figure})


@dataclass(frozen=True)
class Figures:
    """The figures of a page, each a frame with the columns that FIGURES has for it."""

    # All directions, outbound and transit too.
    volume: pl.DataFrame = describe_figure(
        *("operator_id", "channel_code", "direction_code", "definition_code", *SUMS),
        content="Volume by operator, channel, direction and definition of spam",
        table=VOLUME,
        definition=EACH,
    )
    # The same spam in units of several measures.
    bases: pl.DataFrame = describe_figure(
        *("channel_code", "measure_code", "unit_code", *SUMS),
        content="The same spam, of recipients, of attempts too, and by M3AAWG's metrics",
        table=VOLUME,
        definition=f"{MINE}, unless a row names another",
    )
    daily: pl.DataFrame = describe_figure(
        *("channel_code", "period_date", *SUMS, *ENDS_OF_SPAM),
        content="Volume and spam per day and channel",
        table=CORRECTED,
    )
    # The same days by operator, to compare days that have the same operators.
    operator_days: pl.DataFrame = describe_figure(
        *("operator_id", "channel_code", "period_date", *SUMS),
        content="Volume and spam per day, channel and operator",
        table=VOLUME,
    )
    days: pl.DataFrame = describe_figure(
        *("operator_id", "channel_code", "first_date", "last_date", "day_count"),
        content="Days with data by operator and channel",
    )
    types: pl.DataFrame = describe_figure(
        *("channel_code", "spam_type_code", *SUMS),
        content="Spam by content type",
        table="gold.spam_type_daily",
    )
    # Messages that a filter marked as spam, by filter and by the kind of rule that gave them a type.
    type_coverage: pl.DataFrame = describe_figure(
        *("channel_code", "engine_code", "units_marked", "units_strong", "units_weak", "units_untyped"),
        content="How much of what filters marked has a type",
        table="gold.type_coverage_daily",
        definition=NONE,
    )
    # The largest of a channel on each operator's last day that has any; times are in UTC.
    campaigns: pl.DataFrame = describe_figure(
        *(*CAMPAIGN, "period_date", "signature_kind_code", "copy_count", "distinct_recipient_count"),
        *("distinct_sender_count", "distinct_network_count", "first_time", "last_time", "spam_type_code"),
        *("blocked_count", "delivered_count", "is_bucket_capped"),
        content="The largest campaigns of the operators' last days",
        table="gold.campaign_daily",
        definition=NONE,
    )
    # The same campaigns on every day that has them. A campaign's hash is of one day: a campaign that shares a
    # signature with it has its hash here.
    campaign_days: pl.DataFrame = describe_figure(
        *(*CAMPAIGN, "period_date", "copy_count"), content="Copies of these campaigns per day"
    )
    # origin_kind: which origins a channel has: observed, claimed, or both
    # (jobs/operators/gold/shared/origins.py).
    routes: pl.DataFrame = describe_figure(
        *("channel_code", "origin_kind", "origin_code", "inbound_link_code", "destination_code"),
        *(*SUMS, *ENDS_OF_SPAM),
        content="Spam by origin, inbound link and destination",
        table="gold.spam_route_daily",
    )
    # origin_kind: of the country: observed, or only claimed; null if neither is known.
    origins: pl.DataFrame = describe_figure(
        *("channel_code", "origin_code", "origin_kind", *SUMS),
        content="Spam by country of origin, observed or only claimed",
    )
    transits: pl.DataFrame = describe_figure(
        *("channel_code", "transit_code", *SUMS, *ENDS_OF_SPAM), content="Spam by transit", table=CORRECTED
    )
    # All directions, calls too. A unit may show several signs.
    bypass: pl.DataFrame = describe_figure(
        *("channel_code", "bypass_code", "inbound_link_code", "units_examined", "units_flagged"),
        content="Signs of bypass by inbound link",
        table="gold.bypass_indicator_daily",
        definition=NONE,
    )
    countries: pl.DataFrame = describe_figure(
        *("channel_code", "source_country_code", *SUMS, *ENDS_OF_SPAM),
        content="Spam by country of origin",
        table=CORRECTED,
    )
    networks: pl.DataFrame = describe_figure(
        *("channel_code", "source_network", "source_asn", "source_country_code", *SUMS, *ENDS_OF_SPAM),
        content="Networks that sent most spam",
        table="gold.spam_source_daily",
    )
    stages: pl.DataFrame = describe_figure(
        *("channel_code", "stage_code", "outcome_code", *SUMS, *ENDS_OF_SPAM),
        content="Volume and spam by stage and outcome",
        table=CORRECTED,
    )
    # All directions, by UTC hour of the day. Delays are of delivered recipients.
    hours: pl.DataFrame = describe_figure(
        *("operator_id", "channel_code", "direction_code", "hour_of_day", "unit_code", "units"),
        *("sized_units", "bytes", "delay_units", *(f"within_{seconds}s" for seconds in WITHIN)),
        "longest_delay_us",
        content="Units, bytes and delays by operator, channel, direction and hour of the day",
        table="gold.traffic_hourly_daily",
        definition=NONE,
    )
    # All directions.
    effort: pl.DataFrame = describe_figure(
        *("channel_code", "countermeasure_code", "strategy_code", "units_examined", "units_acted"),
        *("is_examined_derived", "filter_us"),
        content="What countermeasures examined and acted on",
        table="gold.countermeasure_effort_daily",
        definition=NONE,
    )
    # The messages that complaints are about may be counted above, or not.
    complaints: pl.DataFrame = describe_figure(
        *("channel_code", "feedback_type_code", "complaint_count"), content="What receivers complained about"
    )
    # Messages whose content was seen, and what an audit or a test says of them; null without one.
    quality: pl.DataFrame = describe_figure(
        *("operator_id", "period_code", "channel_code", *SUMS, "quality_method_code", "sampled_count"),
        *("labelled_count", *add_ends(*ESTIMATES, *CALL_SHARES)),
        content="What filters saw, and what audits and tests say of it",
        table=QUALITY,
    )
    # Error rates of filters in a part of a channel, as a band of the score; audited parts only.
    quality_parts: pl.DataFrame = describe_figure(
        *("operator_id", "period_code", "channel_code", "stratum_code", "units", "labelled_count"),
        *add_ends(*ESTIMATES),
        content="How often filters err by band of the score and by what has a type",
        table=QUALITY,
    )
    # Of the same messages, those that may be spam of a type, and the share of all of them that an audit says
    # is spam of this type: units are those of all types.
    type_quality: pl.DataFrame = describe_figure(
        *("operator_id", "period_code", "channel_code", "spam_type_code", *SUMS, "quality_method_code"),
        *add_ends("prevalence"),
        content="What filters saw of each type, and what audits say of it",
    )
    # The last month of each operator: points of a simulated total cannot be added over months.
    costs: pl.DataFrame = describe_figure(
        *("operator_id", "period_code", "channel_code", "countermeasure_code", "cost_component_code"),
        *("currency_code", "amount_p05", "amount_p50", "amount_p95", "bound_code", "day_count"),
        *("whole_p05", "whole_p50", "whole_p95", "subscriber_count", "per_subscriber_p50"),
        *("traffic_units", "per_thousand_p50"),
        content="Cost by countermeasure: 5, 50 and 95% points, whole months and rates",
        table="gold.countermeasure_cost_monthly",
        definition=NONE,
    )
    coverage: pl.DataFrame = describe_figure(
        *("operator_id", "format_code", "file_count", "line_count", "record_count", "ignored_count"),
        *("quarantined_count", "late_count"),
        content="Files and lines read, by operator and format",
        table="bronze.file",
        definition=NONE,
    )
    # All directions, to find operators most of whose traffic is nobody's.
    directions: pl.DataFrame = describe_figure(
        "operator_id", "channel_code", "direction_code", "unit_code", "units"
    )
    # Channels (_T) and types as audits and tests correct them: rows of gold.spam_corrected_monthly.
    errors: pl.DataFrame = describe_figure(
        *("operator_id", "period_code", "channel_code", "spam_type_code", "quality_method_code"),
        *("seen_units", *AUDITED, "audited_spam", *DISTANCES),
        audited_spam=pl.Decimal(38, 6),
    )


FIGURES: dict[str, Figure] = {each.name: each.metadata["figure"] for each in fields(Figures)}
# The results of validation as a file, cited like a figure.
VALIDATION = Figure(
    {"table": pl.String, "rule": pl.String, "says": pl.String, "is_held": pl.Boolean, "violations": pl.Int64},
    "Results of every validation rule",
    "the lake's validation results",
    NONE,
)

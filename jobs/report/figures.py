"""The few figures that the report is drawn from, and their columns.

Figures are of inbound and internal traffic, in units of the measure `attempted`, where nothing else is said.
What a lake may hold many of (networks, routes, campaigns) is cut to the largest, by certain spam or copies;
the rest of the countries of a route stands as `_O`.
"""

from __future__ import annotations

import polars as pl

from jobs.core.shares import CALL_SHARES
from jobs.gold.correcting import AUDITED, DISTANCES, ESTIMATES
from jobs.gold.traffic_hourly_daily import WITHIN

TOP_NETWORKS, TOP_ORIGINS, TOP_DESTINATIONS, TOP_CAMPAIGNS = 10, 7, 7, 8
# Measures whose share of spam is set side by side.
BASES = ("recipients", "attempted", "maawg_abusive", "maawg_unaltered_delivered")
CAMPAIGN = ("operator_id", "channel_code", "campaign_hash")

TEXT, WHOLE, MONEY = pl.String, pl.Int64, pl.Decimal(20, 4)
EXACT, FINE = pl.Decimal(20, 4), pl.Decimal(38, 6)
Kinds = dict[str, pl.DataType | type[pl.DataType]]
SUMS = {"units": WHOLE, "spam_certain": WHOLE, "spam_possible": WHOLE}
# Of the units, those whose content was seen and those that an audit speaks for, with the spam in these; and
# the ends of all spam with the filters' errors in them: see jobs/gold/correcting.py.
ENDS_OF_SPAM: Kinds = {
    "seen_units": WHOLE,
    "audited_units": WHOLE,
    "audited_spam": EXACT,
    "spam_low": EXACT,
    "spam_high": EXACT,
}
# The columns of each figure that gather_figures() returns and write_page() draws.
FIGURES: dict[str, Kinds] = {
    # Operators, channels, directions and definitions: all traffic, outbound and transit too.
    "volume": {
        "operator_id": TEXT,
        "channel_code": TEXT,
        "direction_code": TEXT,
        "definition_code": TEXT,
        **SUMS,
    },
    # All traffic, to see whether most of it is nobody's.
    "directions": {
        "operator_id": TEXT,
        "channel_code": TEXT,
        "direction_code": TEXT,
        "unit_code": TEXT,
        "units": WHOLE,
    },
    # Of other measures too: the same spam, of other things.
    "bases": {"channel_code": TEXT, "measure_code": TEXT, "unit_code": TEXT, **SUMS},
    "days": {
        "operator_id": TEXT,
        "channel_code": TEXT,
        "first_date": pl.Date,
        "last_date": pl.Date,
        "day_count": WHOLE,
    },
    "daily": {"channel_code": TEXT, "period_date": pl.Date, **SUMS, **ENDS_OF_SPAM},
    # The same days by operator, to compare days that have the same operators.
    "operator_days": {"operator_id": TEXT, "channel_code": TEXT, "period_date": pl.Date, **SUMS},
    "types": {"channel_code": TEXT, "spam_type_code": TEXT, **SUMS},
    # What was marked as spam, by the filter that spoke, and by which kind of rule it has a type.
    "type_coverage": {
        "channel_code": TEXT,
        "engine_code": TEXT,
        "units_marked": WHOLE,
        "units_strong": WHOLE,
        "units_weak": WHOLE,
        "units_untyped": WHOLE,
    },
    # origin_kind says which origins a channel has: observed, claimed, or both (jobs/gold/origins.py).
    "routes": {
        "channel_code": TEXT,
        "origin_kind": TEXT,
        "origin_code": TEXT,
        "inbound_link_code": TEXT,
        "destination_code": TEXT,
        **SUMS,
        **ENDS_OF_SPAM,
    },
    # Each country by what its origin rests on: observed, or only claimed; null where neither is known.
    "origins": {"channel_code": TEXT, "origin_code": TEXT, "origin_kind": TEXT, **SUMS},
    "transits": {"channel_code": TEXT, "transit_code": TEXT, **SUMS, **ENDS_OF_SPAM},
    # Of all directions, calls too. A unit may show several signs.
    "bypass": {
        "channel_code": TEXT,
        "bypass_code": TEXT,
        "inbound_link_code": TEXT,
        "units_examined": WHOLE,
        "units_flagged": WHOLE,
    },
    "countries": {"channel_code": TEXT, "source_country_code": TEXT, **SUMS, **ENDS_OF_SPAM},
    "networks": {
        "channel_code": TEXT,
        "source_network": TEXT,
        "source_asn": WHOLE,
        "source_country_code": TEXT,
        **SUMS,
        **ENDS_OF_SPAM,
    },
    # The largest of a channel, each operator's of its last day that has any; times are in UTC.
    "campaigns": {
        "operator_id": TEXT,
        "channel_code": TEXT,
        "campaign_hash": TEXT,
        "period_date": pl.Date,
        "signature_kind_code": TEXT,
        "copy_count": WHOLE,
        "distinct_recipient_count": WHOLE,
        "distinct_sender_count": WHOLE,
        "distinct_network_count": WHOLE,
        "first_time": TEXT,
        "last_time": TEXT,
        "spam_type_code": TEXT,
        "blocked_count": WHOLE,
        "delivered_count": WHOLE,
        "is_bucket_capped": pl.Boolean,
    },
    # The same campaigns on every day that has them: a campaign's hash is of one day, so what shares a
    # signature with it has its hash here.
    "campaign_days": {
        "operator_id": TEXT,
        "channel_code": TEXT,
        "campaign_hash": TEXT,
        "period_date": pl.Date,
        "copy_count": WHOLE,
    },
    "stages": {"channel_code": TEXT, "stage_code": TEXT, "outcome_code": TEXT, **SUMS, **ENDS_OF_SPAM},
    "effort": {
        "channel_code": TEXT,
        "countermeasure_code": TEXT,
        "strategy_code": TEXT,
        "units_examined": WHOLE,
        "units_acted": WHOLE,
        "is_examined_derived": pl.Boolean,
        "filter_us": WHOLE,
    },
    # What receivers complained about; messages that a complaint is about may be counted above, or not.
    "complaints": {"channel_code": TEXT, "feedback_type_code": TEXT, "complaint_count": WHOLE},
    # Messages whose content was seen, and what an audit or a test says of them: null where there is none.
    "quality": {
        "operator_id": TEXT,
        "period_code": TEXT,
        "channel_code": TEXT,
        **SUMS,
        "quality_method_code": TEXT,
        "sampled_count": WHOLE,
        "labelled_count": WHOLE,
        **{
            f"{name}{end}": pl.Float64 for name in (*ESTIMATES, *CALL_SHARES) for end in ("", "_low", "_high")
        },
    },
    # What that makes of channels (_T) and types: rows of gold.spam_corrected_monthly.
    "errors": {
        "operator_id": TEXT,
        "period_code": TEXT,
        "channel_code": TEXT,
        "spam_type_code": TEXT,
        "quality_method_code": TEXT,
        "seen_units": WHOLE,
        **dict.fromkeys(AUDITED, WHOLE),
        "audited_spam": FINE,
        **dict.fromkeys(DISTANCES, FINE),
    },
    # How often filters err in a part of a channel, as a band of the score: only where there is an audit.
    "quality_parts": {
        "operator_id": TEXT,
        "period_code": TEXT,
        "channel_code": TEXT,
        "stratum_code": TEXT,
        "units": WHOLE,
        "labelled_count": WHOLE,
        **{f"{name}{end}": pl.Float64 for name in ESTIMATES for end in ("", "_low", "_high")},
    },
    # Of the same messages, those that may be spam of a type, and what share of all of them an audit says is
    # of it: units are those of all types.
    "type_quality": {
        "operator_id": TEXT,
        "period_code": TEXT,
        "channel_code": TEXT,
        "spam_type_code": TEXT,
        **SUMS,
        "quality_method_code": TEXT,
        **{f"prevalence{end}": pl.Float64 for end in ("", "_low", "_high")},
    },
    # Of all directions, by UTC hour of the day; delays are those of recipients that were delivered.
    "hours": {
        "operator_id": TEXT,
        "channel_code": TEXT,
        "direction_code": TEXT,
        "hour_of_day": WHOLE,
        "unit_code": TEXT,
        "units": WHOLE,
        "sized_units": WHOLE,
        "bytes": WHOLE,
        "delay_units": WHOLE,
        **{f"within_{seconds}s": WHOLE for seconds in WITHIN},
        "longest_delay_us": WHOLE,
    },
    # The last month of each operator: points of a simulated total cannot be added over months.
    "costs": {
        "operator_id": TEXT,
        "period_code": TEXT,
        "channel_code": TEXT,
        "countermeasure_code": TEXT,
        "cost_component_code": TEXT,
        "currency_code": TEXT,
        "amount_p05": MONEY,
        "amount_p50": MONEY,
        "amount_p95": MONEY,
        "bound_code": TEXT,
        "day_count": WHOLE,
    },
    "coverage": {
        "operator_id": TEXT,
        "format_code": TEXT,
        "file_count": WHOLE,
        "line_count": WHOLE,
        "record_count": WHOLE,
        "ignored_count": WHOLE,
        "quarantined_count": WHOLE,
        "late_count": WHOLE,
    },
}

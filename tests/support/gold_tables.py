"""Gold's daily tables of all messages at once, as a run counts them of parts."""

from collections.abc import Callable, Mapping

import polars as pl

from jobs.base.tables.merge import merge_parts, merge_rows
from jobs.operators.gold import bulk_daily, bypass_indicator_daily, campaign_daily
from jobs.operators.gold.kernels import finish_rows, kernel_module
from jobs.operators.gold.shared import bulk, bulk_presets, bypass

Count = Callable[..., pl.DataFrame]


def count_bulk(
    message: pl.DataFrame,
    campaign_daily: pl.DataFrame,
    campaign_parameter: pl.DataFrame,
    bulk_preset: pl.DataFrame,
    operator: pl.DataFrame,
) -> pl.DataFrame:
    """Count bulk of messages of whole days, with the campaigns of these and of the 29 before."""
    days = message.select("operator_id", "period_date").unique()
    text = merge_rows(bulk.count_texts(message), bulk.TEXT_KEY, bulk.TEXT_RULES)
    presets = bulk_presets.presets_by_operator(bulk_preset, operator)
    proof = bulk.collect_evidence(text, campaign_daily, campaign_parameter, presets, days)
    return bulk_daily.partial(message, proof)


def count_bypass(
    message: pl.DataFrame, operator: pl.DataFrame, bypass_parameter: pl.DataFrame
) -> pl.DataFrame:
    behaviour = bypass.numbers_behaviour(bypass.count_contacts(message), bypass_parameter)
    return bypass_indicator_daily.partial(message, operator, bypass_parameter, behaviour)


def count_campaigns(message: pl.DataFrame, campaign_parameter: pl.DataFrame) -> pl.DataFrame:
    member = campaign_daily.find_members(campaign_daily.count_signatures(message), campaign_parameter)
    return campaign_daily.partial(message, member)


# Tables whose partial() needs facts that a narrow pass over the messages finds first.
NARROW: Mapping[str, Count] = {
    "gold.bulk_daily": count_bulk,
    "gold.bypass_indicator_daily": count_bypass,
    "gold.campaign_daily": count_campaigns,
}


def find_count(table: str) -> Count:
    """Counts a table of the tables that its contract reads."""
    found: Count = NARROW[table] if table in NARROW else kernel_module(table).partial
    return found


def count_table(table: str, *inputs: pl.DataFrame, **named: pl.DataFrame) -> pl.DataFrame:
    return finish_rows(merge_parts(find_count(table)(*inputs, **named), table), table)

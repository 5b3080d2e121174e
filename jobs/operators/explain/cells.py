"""The cells of gold that a message counts in, computed from its rows alone by gold's own kernels, each beside
the lake's value."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from jobs.base.tables.contracts import conform_frame, polars_schema, read_contract, reference_table
from jobs.base.tables.merge import merge_parts
from jobs.operators.build.gold_stage import VOLUME
from jobs.operators.build.gold_steps import GOLD_DAILY
from jobs.operators.build.gold_tasks import BULK, BYPASS, CAMPAIGN, count_partials
from jobs.operators.build.settings_tables import read_reference
from jobs.operators.explain.search import MESSAGE, LakeSearch, Match
from jobs.operators.gold import bypass_indicator_daily, campaign_daily, spam_source_monthly
from jobs.operators.gold.kernels import finish_rows
from jobs.operators.gold.shared import bulk, bulk_presets, bypass

DOMAIN = "gold.spam_sender_domain_daily"
SOURCE = "gold.spam_source_daily"
EFFORT = "gold.countermeasure_effort_daily"
SOURCE_MONTH = "gold.spam_source_monthly"
COST_MONTH = "gold.countermeasure_cost_monthly"
# Columns of a campaign that its members have, too.
MEMBER = ("signature_kind_code", "is_bucket_capped", "spam_type_code")
COUNT_TABLES = (VOLUME, *(table for table in GOLD_DAILY if table not in (VOLUME, BULK, CAMPAIGN)))
# Domains with few units are summed up under this code.
OTHERS = "_O"


@dataclass(frozen=True)
class GoldCell:
    """A row of a gold table that the message counts in.

    Attributes:
        counts: how much the message adds to each measure.
        totals: the lake's values of these measures; empty if the lake has no such row, or if the message adds
            to no count.
    """

    table: str
    key: dict[str, Any]
    counts: dict[str, int]
    totals: dict[str, Any]


def find_cells(search: LakeSearch, match: Match) -> list[GoldCell]:
    """The cells that a match counts in, by its rows of silver.message."""
    message = match.silver_rows(MESSAGE)
    if message.is_empty():
        return []
    proved = bulk.fill_bulk(message, prove_bulk(search, message))
    operator = read_reference(search.settings, "ref.operator")
    has_links = bypass_indicator_daily.has_links(operator)
    tables = [table for table in COUNT_TABLES if has_links or table != BYPASS]
    known = sender_behaviour(search, message) if has_links else None
    found, by_table = [], {}
    for table, part in count_partials(proved, tables, operator, known):
        merged = merge_parts(part, table)
        # Which domains are summed up depends on all units of the day.
        rows = conform_frame(merged, table) if table == DOMAIN else finish_rows(merged, table)
        by_table[table] = rows
        if rows.is_empty():
            continue
        there = search.find_rows(table, pl.lit(True), days_before(rows, 1))
        if table == DOMAIN:
            rows = merge_parts(group_others(rows, there), table)
        found += compare_rows(table, rows, there)
    return [
        *found,
        *campaign_cells(search, message),
        *source_months(search, by_table[SOURCE], operator),
        *cost_months(by_table[EFFORT]),
    ]


def days_before(message: pl.DataFrame, count: int) -> tuple[dt.date, dt.date]:
    first, last = message["period_date"].min(), message["period_date"].max()
    assert isinstance(first, dt.date) and isinstance(last, dt.date)
    return first - dt.timedelta(days=count - 1), last


def prove_bulk(search: LakeSearch, message: pl.DataFrame) -> pl.DataFrame:
    """The evidence of bulk for the messages, as the gold stage computes it from campaigns and texts of the
    days before."""
    operator = read_reference(search.settings, "ref.operator")
    presets = bulk_presets.presets_by_operator(reference_table("ref.bulk_preset"), operator)
    of_texts = bulk_presets.days_of_texts(presets, [search.operator.id])[search.operator.id]
    same = pl.col("channel_code").is_in(message["channel_code"].unique().implode())
    beside = search.find_rows(MESSAGE, same, days_before(message, of_texts), bulk.TEXT_COLUMNS)
    campaign = search.find_rows(
        CAMPAIGN, same, days_before(message, bulk_presets.LONGEST_DAYS), bulk.CAMPAIGN_COLUMNS
    )
    days = message.select("operator_id", "period_date").unique()
    parameter = reference_table("ref.campaign_parameter")
    return bulk.collect_evidence(bulk.count_texts(beside), campaign, parameter, presets, days)


def sender_behaviour(search: LakeSearch, message: pl.DataFrame) -> pl.DataFrame:
    """The behaviour of the numbers that sent the messages, on their days."""
    senders = message["sender_hash"].drop_nulls().unique().implode()
    near = pl.col("sender_hash").is_in(senders) | pl.col("recipient_hash").is_in(senders)
    rows = search.find_rows(MESSAGE, near, days_before(message, 1), bypass.CONTACT_COLUMNS)
    return bypass.numbers_behaviour(bypass.count_contacts(rows), reference_table("ref.bypass_parameter"))


def compare_rows(
    table: str, rows: pl.DataFrame, there: pl.DataFrame, measures: Sequence[str] = ()
) -> list[GoldCell]:
    """A cell for each row from the messages alone, beside the lake's row of the same key.

    Args:
        measures: all whole numbers of the table where none is named.
    """
    names = read_contract(table).key
    kinds = polars_schema(table).items()
    measures = measures or [name for name, kind in kinds if kind.is_integer() and name not in names]
    totals = {tuple(row[name] for name in names): row for row in there.to_dicts()}
    found = []
    for row in rows.select(*names, *measures).sort(names).to_dicts():
        key = {name: row[name] for name in names}
        total = totals.get(tuple(key.values()), {})
        counts = {name: row[name] for name in measures if row[name]}
        found.append(GoldCell(table, key, counts, {name: total[name] for name in measures if total}))
    return found


def group_others(rows: pl.DataFrame, there: pl.DataFrame) -> pl.DataFrame:
    """The rows of sender domains, with those that the lake has not as a domain of its own under OTHERS."""
    known = there.select("period_date", "channel_code", "direction_code", "sender_domain").unique()
    named = rows.join(known.with_columns(is_there=True), on=known.columns, how="left")
    domain = pl.when(pl.col("is_there") | (pl.col("sender_domain") == "_U")).then("sender_domain")
    return named.with_columns(sender_domain=domain.otherwise(pl.lit(OTHERS))).drop("is_there")


def campaign_cells(search: LakeSearch, message: pl.DataFrame) -> list[GoldCell]:
    """The cells of campaigns that list a signature of the messages."""
    signatures = message["signature_hash"].drop_nulls().unique().to_list()
    listed = pl.col("signature_hashes").list.set_intersection(signatures).list.len() > 0
    there = search.find_rows(CAMPAIGN, listed, days_before(message, 1))
    # Members as the lake has them: which texts are alike depends on all messages of a day.
    member = there.select(*campaign_daily.CAMPAIGN, *MEMBER, signature_hash="signature_hashes")
    counted = campaign_daily.partial(message, member.explode("signature_hash"))
    return compare_rows(CAMPAIGN, finish_rows(merge_parts(counted, CAMPAIGN), CAMPAIGN), there)


def source_months(search: LakeSearch, daily: pl.DataFrame, operator: pl.DataFrame) -> list[GoldCell]:
    """The cells of spam by source of whole months."""
    rows = spam_source_monthly.transform(daily, operator)
    there = search.find_rows(
        SOURCE_MONTH, pl.col("period_code").is_in(rows["period_code"].unique().implode())
    )
    return compare_rows(SOURCE_MONTH, rows, there, spam_source_monthly.MEASURES)


def cost_months(effort: pl.DataFrame) -> list[GoldCell]:
    """The months of measures whose cost has an effort of the messages: a cost is simulated as a whole, so no
    part of it is a message's."""
    months = effort.with_columns(period_code=pl.col("period_date").dt.strftime("%Y-%m"))
    key = [name for name in read_contract(COST_MONTH).key if name in months.columns]
    return [GoldCell(COST_MONTH, row, {}, {}) for row in months.select(key).unique().sort(key).to_dicts()]

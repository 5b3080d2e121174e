"""The cells of gold that a message counts in, computed from its rows alone by gold's own kernels, each beside
the lake's value."""

import datetime as dt
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
from jobs.operators.gold import bypass_indicator_daily, campaign_daily
from jobs.operators.gold.kernels import finish_rows
from jobs.operators.gold.shared import bulk, bulk_presets, bypass

DOMAIN = "gold.spam_sender_domain_daily"
SOURCE = "gold.spam_source_daily"
EFFORT = "gold.countermeasure_effort_daily"
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
    parts = count_partials(proved, tables, operator, known)
    found = [cell for table, part in parts for cell in table_cells(search, table, part)]
    return [*found, *campaign_cells(search, message), *month_cells(search, found)]


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


def table_cells(search: LakeSearch, table: str, parts: pl.DataFrame) -> list[GoldCell]:
    """The cells of a table.

    Args:
        parts: partial rows of the table, counted from the messages.
    """
    contract = read_contract(table)
    merged = merge_parts(parts, table)
    # Which domains are summed up depends on all units of the day.
    gold_rows = conform_frame(merged, table) if table == DOMAIN else finish_rows(merged, table)
    if gold_rows.is_empty():
        return []
    # The lake's rows of a table on the days of these rows.
    days = gold_rows["period_date"]
    first, last = days.min(), days.max()
    assert isinstance(first, dt.date) and isinstance(last, dt.date)
    there = search.find_rows(table, pl.lit(True), (first, last))
    if table == DOMAIN:
        gold_rows = merge_parts(group_others(gold_rows, there), table)
    kinds = polars_schema(table).items()
    measures = [name for name, kind in kinds if kind.is_integer() and name not in contract.key]
    totals = {tuple(row[name] for name in contract.key): row for row in there.to_dicts()}
    found = []
    for row in gold_rows.select(*contract.key, *measures).sort(contract.key).to_dicts():
        key = {name: row[name] for name in contract.key}
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
    # Members as the lake has them: which texts are alike depends on all messages of a day.
    member = search.find_rows(CAMPAIGN, listed, days_before(message, 1)).select(
        *campaign_daily.CAMPAIGN, *MEMBER, signature_hash="signature_hashes"
    )
    counted = campaign_daily.partial(message, member.explode("signature_hash"))
    return table_cells(search, CAMPAIGN, counted)


# Monthly tables, each with the daily table that it is computed from.
MONTHS = {
    "gold.spam_source_monthly": SOURCE,
    "gold.countermeasure_cost_monthly": EFFORT,
}
# Their measures that are sums of days.
SUMMED = ("units", "spam_certain", "spam_possible")


def month_cells(search: LakeSearch, cells: list[GoldCell]) -> list[GoldCell]:
    """The monthly cells that daily cells count in."""
    found: dict[tuple[Any, ...], GoldCell] = {}
    for table, daily in MONTHS.items():
        contract = read_contract(table)
        for cell in (each for each in cells if each.table == daily):
            key = cell.key | {"period_code": f"{cell.key['period_date']:%Y-%m}"}
            kept = {name: key[name] for name in contract.key if name in key}
            one = found.setdefault((table, *kept.values()), GoldCell(table, kept, {}, {}))
            for name in SUMMED:
                if name in cell.counts and name in contract.columns:
                    one.counts[name] = one.counts.get(name, 0) + cell.counts[name]
    for cell in (each for each in found.values() if each.counts):
        where = pl.all_horizontal(pl.col(name).eq_missing(pl.lit(value)) for name, value in cell.key.items())
        for row in search.find_rows(cell.table, where).to_dicts():
            cell.totals.update({name: row[name] for name in cell.counts})
    return list(found.values())

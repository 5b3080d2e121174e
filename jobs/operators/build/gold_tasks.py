"""Tasks of the gold stage: files of silver.message in, parts of gold tables in staging, tables out.

A task takes any files of operator-days. Facts from other files that a measure needs come to it as a narrow
frame in staging: the members of campaigns, the evidence of bulk, the behaviour of numbers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import polars as pl

from expectations import native
from jobs.base.engine.tasks import (
    StagedFrame,
    StagedTable,
    is_in_periods,
    leave_buckets,
    leave_frame,
    leave_table,
    take_frames,
)
from jobs.base.store.record import Periods
from jobs.base.store.table_files import DataFile, NewFile, read_files, write_files
from jobs.base.tables.contracts import polars_schema, read_contract, reference_table
from jobs.base.tables.merge import merge_parts, merge_rows
from jobs.operators.gold import bulk_daily, campaign_daily
from jobs.operators.gold.kernels import finish_rows, kernel_module
from jobs.operators.gold.shared import bulk, bulk_presets, bypass, counting
from jobs.operators.gold.shared.similarity import SIGNED

MESSAGE = "silver.message"
CAMPAIGN = "gold.campaign_daily"
BYPASS = "gold.bypass_indicator_daily"
BULK = "gold.bulk_daily"
TEXT_KEY = ["operator_id", "channel_code"]


class GoldFrame(StrEnum):
    """Contents of frames in staging, beside rows of gold tables. Texts lie by operator and channel."""

    SIGNATURES = "signatures"
    MEMBERS = "members"
    CONTACTS = "contacts"
    BEHAVIOUR = "behaviour"
    TEXTS = "texts"
    EVIDENCE = "evidence"


def leave_cut(frame: pl.DataFrame, bucket: pl.Expr, name: str, staging: str, count: int) -> list[StagedFrame]:
    """Leave a frame in as many buckets."""
    if count == 1:
        return leave_frame(frame, name, staging)
    parts = frame.with_columns(bucket.alias("_bucket")).partition_by(
        "_bucket", as_dict=True, include_key=False
    )
    return leave_buckets([(number, part) for (number,), part in parts.items()], name, staging, count)


def take_matching(left: Sequence[StagedFrame], rows: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame | None:
    """The rows of frames in staging that match some rows, or whose last key column is null; None where no
    frame is. One frame after the other is held as a whole."""
    if not left:
        return None
    keys = rows.select(on).unique()
    found = []
    for each in left:
        frame = each.read_rows()
        whole = frame.filter(pl.col(on[-1]).is_null())
        found.append(pl.concat([whole, frame.join(keys, on=on, how="semi")]))
    return pl.concat(found, rechunk=True)


def leave_signatures(*, staging: str, files: Sequence[DataFile], count: int) -> list[StagedFrame]:
    """The signatures of some messages, by bucket."""
    message = read_files(MESSAGE, files, campaign_daily.SIGNATURE_COLUMNS)
    found = campaign_daily.count_signatures(message)
    return leave_cut(found, campaign_daily.signature_bucket(count), GoldFrame.SIGNATURES, staging, count)


def leave_members(*, staging: str, parts: Sequence[StagedFrame]) -> list[StagedFrame]:
    """The members of campaigns, of the signatures of a bucket."""
    rows = take_frames(parts)
    assert rows is not None
    signature = merge_rows(rows, campaign_daily.SIGNATURE_KEY, campaign_daily.SIGNATURE_RULES)
    found = campaign_daily.find_members(signature, reference_table("ref.campaign_parameter"))
    return leave_frame(found, GoldFrame.MEMBERS, staging)


def leave_campaigns(
    *, staging: str, files: Sequence[DataFile], member: Sequence[StagedFrame]
) -> list[StagedFrame]:
    """The campaigns of some messages."""
    message = read_files(MESSAGE, files, campaign_daily.COUNTED_COLUMNS)
    known = take_matching(member, message, SIGNED)
    if known is None:
        return []
    return leave_frame(campaign_daily.partial(message, known), CAMPAIGN, staging)


def leave_contacts(*, staging: str, files: Sequence[DataFile], count: int) -> list[StagedFrame]:
    """The contacts of the numbers of some messages, by bucket."""
    message = read_files(MESSAGE, files, bypass.CONTACT_COLUMNS)
    return leave_cut(
        bypass.count_contacts(message), bypass.contact_bucket(count), GoldFrame.CONTACTS, staging, count
    )


def leave_behaviour(*, staging: str, parts: Sequence[StagedFrame]) -> list[StagedFrame]:
    """The behaviour of numbers, of the contacts of a bucket."""
    rows = take_frames(parts)
    assert rows is not None
    contact = merge_rows(rows, bypass.CONTACT_KEY, bypass.CONTACT_RULES)
    found = bypass.numbers_behaviour(contact, reference_table("ref.bypass_parameter"))
    return leave_frame(found, GoldFrame.BEHAVIOUR, staging)


def leave_texts(*, staging: str, files: Sequence[DataFile]) -> list[StagedFrame]:
    """The texts of some messages, by operator and channel."""
    found = bulk.count_texts(read_files(MESSAGE, files, bulk.TEXT_COLUMNS))
    return [
        left
        for key, part in found.partition_by(TEXT_KEY, as_dict=True).items()
        for left in leave_frame(part, ".".join((GoldFrame.TEXTS, *map(str, key))), staging)
    ]


def leave_evidence(
    *,
    staging: str,
    parts: Sequence[StagedFrame],
    campaign: Sequence[StagedFrame],
    operator: pl.DataFrame,
    days: pl.DataFrame,
) -> list[StagedFrame]:
    """Leave the evidence of bulk on the days, from the texts of one operator and channel."""
    rows = take_frames(parts)
    assert rows is not None
    text = merge_rows(rows, bulk.TEXT_KEY, bulk.TEXT_RULES)
    whose = text.select(TEXT_KEY).unique()
    listed = [
        each.read_rows().select(bulk.CAMPAIGN_COLUMNS).join(whose, on=TEXT_KEY, how="semi")
        for each in campaign
    ]
    schema = {name: polars_schema(CAMPAIGN)[name] for name in bulk.CAMPAIGN_COLUMNS}
    campaigns = pl.concat(listed, rechunk=True) if listed else pl.DataFrame(schema=schema)
    presets = bulk_presets.presets_by_operator(reference_table("ref.bulk_preset"), operator)
    found = bulk.collect_evidence(text, campaigns, reference_table("ref.campaign_parameter"), presets, days)
    return leave_frame(found, GoldFrame.EVIDENCE, staging)


def count_messages(
    *,
    staging: str,
    tables: Sequence[str],
    files: Sequence[DataFile],
    proved: Sequence[StagedFrame],
    behaviours: Sequence[StagedFrame],
    operator: pl.DataFrame,
) -> list[StagedFrame]:
    """The parts of gold's daily tables that some messages make.

    Args:
        staging: the folder in which frames are left for later tasks.
        tables: the daily tables to count for.
        files: the messages, files of silver.message.
        proved: the evidence of bulk, as leave_evidence() left it.
        behaviours: the behaviour of sending numbers, for signs of bypass.
    """
    message = read_files(MESSAGE, files, counting.READ)
    proof = take_matching(proved, message, SIGNED)
    if proof is None:
        proof = bulk.empty_evidence()
    bases = leave_frame(bulk_daily.partial(message, proof), BULK, staging) if BULK in tables else []
    message = bulk.fill_bulk(message, proof)
    known = take_matching(behaviours, message, [*bypass.NUMBER, "sender_hash"])
    others = [table for table in tables if table != BULK]
    parts = count_partials(message, others, operator, known)
    return bases + [left for table, part in parts for left in leave_frame(part, table, staging)]


def count_partials(
    message: pl.DataFrame, tables: Iterable[str], operator: pl.DataFrame, known: pl.DataFrame | None
) -> Iterator[tuple[str, pl.DataFrame]]:
    """The part of each daily table that messages make, in which is filled in what is proved of bulk.

    Args:
        known: the behaviour of the numbers that sent them; None where nothing is known of any.
    """
    given = {
        MESSAGE: counting.mark_messages(message, reference_table("ref.definition")),
        "ref.operator": operator,
    }
    for table in tables:
        reads = read_contract(table).reads
        inputs = [given[name] if name in given else reference_table(name) for name in reads]
        if table == BYPASS:
            nobody = bypass.numbers_behaviour(
                bypass.count_contacts(message.clear()), reference_table("ref.bypass_parameter")
            )
            inputs.append(nobody if known is None else known)
        yield table, kernel_module(table).partial(*inputs)


def fold_parts(*, staging: str, table: str, parts: Sequence[StagedFrame]) -> list[StagedFrame]:
    """Parts of a table as one part."""
    rows = take_frames(parts)
    return [] if rows is None else leave_frame(merge_parts(rows, table), table, staging)


def finish_table(*, staging: str, table: str, parts: Sequence[StagedFrame]) -> StagedTable:
    """A table's rows of whole operator-days, from the parts of it."""
    rows = take_frames(parts)
    whole = None if rows is None else finish_rows(merge_parts(rows, table), table)
    return leave_table(staging, table, whole)


def check_table(*, table: str, left: Mapping[str, Sequence[StagedFrame]]) -> list[native.Result]:
    """The results of the rules on a table, from its rows and those of the tables that it is compared with."""
    frames = {}
    for name, parts in left.items():
        rows = take_frames(parts)
        frames[name] = pl.DataFrame(schema=polars_schema(name)) if rows is None else rows
    between = [rule for rule in native.cross_rules_of(frames) if rule.table == table]
    results = [native.check_table(table, frames[table])]
    results += [native.check_between(frames, rule) for rule in between]
    return [each for of_rules in results for each in of_rules]


def write_periods(*, root: str, table: str, left: Sequence[StagedFrame], changed: Periods) -> list[NewFile]:
    """Write the rows of the operator-periods that changed as files of the table."""
    rows = take_frames(left)
    if rows is None:
        return []
    return write_files(rows.filter(is_in_periods(changed, table)), table, root)

"""What tasks of the gold stage do: files of silver.message in, parts of gold tables in staging, tables out.

A task takes any files of operator-days. What a measure needs of other parts comes to it as a narrow frame in
staging: the members of campaigns, what is proved of bulk, the behaviour of numbers.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import ModuleType

import polars as pl

from jobs.contracts import conform, contract, polars_schema, reference
from jobs.core.checksum import Fingerprints, checksums
from jobs.core.merge import merged
from jobs.engine.lake import DataFile, NewFile, read_files, write_files
from jobs.engine.record import Periods
from jobs.engine.tasks import Left, leave, take
from jobs.gold import bulk, bypass, campaign_daily, counting

MESSAGE = "silver.message"
CAMPAIGN = "gold.campaign_daily"
BYPASS = "gold.bypass_indicator_daily"
SIGNATURES, CONTACTS, TEXTS = "signatures", "contacts", "texts"


@dataclass(frozen=True)
class Finished:
    """A whole table, or the periods of it that were computed: its rows in staging, and their fingerprints."""

    table: str
    left: list[Left]
    fingerprints: Fingerprints


def signatures(staging: str, files: Sequence[DataFile]) -> list[Left]:
    """The signatures of some messages."""
    message = read_files(MESSAGE, files, campaign_daily.SIGNATURE_COLUMNS)
    return leave(campaign_daily.signatures(message), SIGNATURES, staging)


def members(staging: str, parts: Sequence[Left]) -> list[Left]:
    """The members of campaigns, of the signatures of whole operator-days."""
    rows = take(parts)
    assert rows is not None
    signature = merged(rows, campaign_daily.SIGNATURE_KEY, campaign_daily.SIGNATURE_RULES)
    found = campaign_daily.members(signature, reference("ref.campaign_parameter"))
    return leave(found, "members", staging)


def campaigns(staging: str, files: Sequence[DataFile], member: Sequence[Left]) -> list[Left]:
    """The campaigns of some messages."""
    known = take(member)
    if known is None:
        return []
    message = read_files(MESSAGE, files, counting.READ)
    return leave(campaign_daily.partial(message, known), CAMPAIGN, staging)


def contacts(staging: str, files: Sequence[DataFile]) -> list[Left]:
    """The contacts of the numbers of some messages."""
    message = read_files(MESSAGE, files, bypass.CONTACT_COLUMNS)
    return leave(bypass.contacts(message), CONTACTS, staging)


def behaviour(staging: str, parts: Sequence[Left]) -> list[Left]:
    """The behaviour of numbers, of the contacts of whole operator-days."""
    rows = take(parts)
    assert rows is not None
    contact = merged(rows, bypass.CONTACT_KEY, bypass.CONTACT_RULES)
    return leave(bypass.numbers_behaviour(contact, reference("ref.bypass_parameter")), "behaviour", staging)


def texts(staging: str, files: Sequence[DataFile]) -> list[Left]:
    """The texts of some messages."""
    return leave(bulk.texts(read_files(MESSAGE, files, bulk.TEXT_COLUMNS)), TEXTS, staging)


def evidence(
    staging: str, parts: Sequence[Left], campaign: Sequence[Left], operator: pl.DataFrame, days: pl.DataFrame
) -> list[Left]:
    """What is proved of bulk on the days, from the texts of one operator and channel, or of several."""
    rows, listed = take(parts), take(campaign)
    assert rows is not None
    text = merged(rows, bulk.TEXT_KEY, bulk.TEXT_RULES)
    campaigns = pl.DataFrame(schema=polars_schema(CAMPAIGN)) if listed is None else listed
    presets = bulk.presets(reference("ref.bulk_preset"), operator)
    found = bulk.evidence(text, campaigns, reference("ref.campaign_parameter"), presets, days)
    return leave(found, "evidence", staging)


def count(
    staging: str,
    tables: Sequence[str],
    files: Sequence[DataFile],
    proved: Sequence[Left],
    behaviours: Sequence[Left],
    operator: pl.DataFrame,
) -> list[Left]:
    """The parts of gold's daily tables that some messages make."""
    message = read_files(MESSAGE, files, counting.READ)
    proof = take(proved)
    if proof is not None:
        message = bulk.filled(message, proof)
    known = take(behaviours)
    frames = {
        "message": counting.marked(message, reference("ref.definition")),
        "definition": reference("ref.definition"),
        "operator": operator,
        "bypass_parameter": reference("ref.bypass_parameter"),
    }
    made = []
    for table in tables:
        about = contract(table)
        inputs = [frames[name.split(".")[1]] for name in about.reads]
        if table == BYPASS:
            nobody = bypass.numbers_behaviour(bypass.contacts(message.clear()), frames["bypass_parameter"])
            inputs.append(nobody if known is None else known)
        made += leave(module_of(table).partial(*inputs), table, staging)
    return made


def finish(staging: str, table: str, parts: Sequence[Left]) -> Finished:
    """A table's rows of whole operator-days, from the parts of it."""
    about = contract(table)
    rows = take(parts)
    if rows is None:
        return Finished(table, [], {})
    job = module_of(table)
    whole = merged(rows, about.key, dict(about.merge))
    made = conform(job.finish(whole) if hasattr(job, "finish") else whole, table)
    return finished(staging, table, made)


def finished(staging: str, table: str, rows: pl.DataFrame) -> Finished:
    return Finished(table, leave(rows, table, staging), checksums(rows, table))


def store(root: str, table: str, left: Sequence[Left], changed: Periods) -> list[NewFile]:
    """Write the rows of the operator-periods that changed as files of the table."""
    rows = take(left)
    if rows is None:
        return []
    return write_files(rows.filter(is_of(changed, table)), table, root)


def is_of(periods: Mapping[str, set[str]], table: str) -> pl.Expr:
    """Whether a row of a table belongs to one of the operator-periods."""
    period = contract(table).period
    assert period is not None
    parts = [
        (pl.col("operator_id") == operator) & pl.col(period).cast(pl.String).is_in(sorted(of_operator))
        for operator, of_operator in sorted(periods.items())
    ]
    return pl.any_horizontal(parts) if parts else pl.lit(False)


@cache
def module_of(table: str) -> ModuleType:
    about = contract(table)
    return importlib.import_module(f"jobs.{about.layer}.{about.name}")

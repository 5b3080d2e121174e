"""Compute a lake anew, under another pseudonym key or because a table is damaged: bronze, silver and gold are
removed, and the next run computes them from landing.

What landing cannot give back is kept: tables that are not computed from logs, such as audits, answers,
packages and their receipts, and gold of days whose logs landing no longer holds. Gold is kept up to the first
day for which its messages, and those of the days that it looks at, are all computed anew, and at most up to
its newest day. Silver of these days goes: under another key its pseudonyms would match none of the new ones.
"""

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from jobs.base.checks.validations import FOLDER as VALIDATION
from jobs.base.core.disk import replace_file
from jobs.base.core.errors import ObservatoryError
from jobs.base.places.file_systems import open_store
from jobs.base.settings.config import Observatory
from jobs.base.store import record
from jobs.base.store.joint_commit import undo_unfinished
from jobs.base.store.lake import Lake, select_any
from jobs.base.store.lake_notes import FORM, MARK
from jobs.base.store.lock import lock_for_writing
from jobs.base.store.table_files import DamagedTable
from jobs.base.tables.checksum import fingerprint_periods
from jobs.base.tables.contracts import list_tables, read_contract
from jobs.operators.build import removed_days
from jobs.operators.formats.registry import KERNELS
from jobs.operators.ingest.manifest import open_landing
from jobs.operators.keep import lake_keys, vacuum

VOLUME = "gold.spam_volume_daily"
DAY = dt.timedelta(days=1)


def is_kept(table: str) -> bool:
    """Return whether a table is computed from nothing that is in the lake, and is no record of what was."""
    contract = read_contract(table)
    return table != "meta.run" and contract.layer in ("silver", "study", "meta") and not contract.reads


def list_kept(lake: Lake, settings: Observatory, is_anew: bool = False) -> list[str]:
    """The tables that stay as a whole when a lake is renewed. Raises ObservatoryError for a lake of another
    form, and where there is nothing to renew: it has the keys of the settings' operators.

    Args:
        is_anew: renew it all the same.
    """
    lake.refuse_other_form()
    kept = [table for table in list_tables() if is_kept(table) and lake.exists(table)]
    # A renewal that was killed may have named no versions yet.
    is_half = bool(kept) and not lake.exists("meta.run")
    if lake.read_form() is None or not (is_anew or is_half or lake_keys.other_keys(lake, settings)):
        raise ObservatoryError(
            f"{lake.root}: nothing to renew, the lake has the keys of these settings. --anew computes it"
            " from landing all the same"
        )
    return kept


def describe_settled(lake: Lake) -> list[str]:
    """A line for each operator of whose logs landing no longer holds the first, on which figures stay."""
    layers = plan_settled(lake)
    found = [
        f"operator '{operator}': landing lacks records of days before"
        f" {layers[removed_days.RECORDS][operator]}. Figures of the days before"
        f" {day + removed_days.gold_lookback()} stay as they are; later days are computed anew"
        for operator, day in sorted(layers[removed_days.SILVER].items())
    ]
    if read_ledger(lake) is None:
        found.append(
            "bronze.file is damaged: which logs landing lacks is known only of those that an earlier renewal"
            " found. Figures of days whose other logs are gone are lost"
        )
    return found


@lock_for_writing("observatory renew")
def renew_lake(lake: Lake, settings: Observatory, is_anew: bool = False) -> list[str]:
    """Remove what can be computed again; the tables that stay, some with fewer rows.

    Killed at any point, it can be run again: which days stay is remembered before anything is removed.
    The lake forgets its operators and keys after all else but the row of meta.run that names the versions of
    the tables that stay.
    """
    kept = list_kept(lake, settings, is_anew)
    undo_unfinished(lake)
    vacuum.finish(lake)
    layers = plan_settled(lake)
    removed_days.remember_removal(lake, layers)
    settled = {
        operator: day + removed_days.gold_lookback() for operator, day in layers[removed_days.SILVER].items()
    }
    for table in list_tables():
        layer = read_contract(table).layer
        if layer == "ref" or table in kept:
            continue
        if layer == "gold" and settled and lake.exists(table):
            lake.delete(table, " OR ".join(conditions_of(table, settled)))
            kept.append(table)
            continue
        remove_folder(*open_store(lake.path(table)))
        lake.close_log(table)
    for folder in ("_intent", "_staging", VALIDATION):
        remove_folder(*lake.own_file(folder))
    # What is computed anew may be removed and counted again.
    layers[removed_days.LANDING] = removed_days.read_removed_days(lake, removed_days.LANDING)
    days = {layer: format_signs(days) for layer, days in layers.items() if days}
    replace_file(*lake.own_file(MARK), json.dumps({"form": FORM, "removed": days}).encode())
    if kept:
        now = record.utc_now()
        partitions = []
        for table in kept:
            if read_contract(table).period is not None and "operator_id" in read_contract(table).columns:
                fingerprints = fingerprint_periods(lake.read(table), table)
                partitions += record.find_differing(table, fingerprints, {}, (), {})[1]
        record.add_stage(lake, record.new_run_id(now), "renew", now, kept, partitions)
    return kept


def plan_settled(lake: Lake) -> dict[str, removed_days.Days]:
    """The days that a renewal remembers: by operator the day before which landing lacks records, and the day
    before which silver lacks messages."""
    records, newest = find_lost_days(lake), newest_gold(lake)
    # The longest life of a message: of one that began before, landing has a part.
    life = max(kernel.lookback_days for kernel in KERNELS.values()) * DAY + DAY
    # What is newer than all gold that stays is computed in any case.
    silver = {
        operator: min(records[operator] + life, newest[operator] + DAY - removed_days.gold_lookback())
        for operator in records.keys() & newest.keys()
    }
    return {removed_days.RECORDS: records, removed_days.SILVER: silver}


def find_lost_days(lake: Lake) -> removed_days.Days:
    """The day after the last record that the ledger has and landing lacks, by operator: what retention
    removed from it, and what else is gone; or that an earlier renewal found so."""
    fs, area = open_landing(lake.root)
    files = fs.find(area) if fs.exists(area) else []
    there = {path.rpartition("/")[2].partition(".")[0] for path in files}
    found: removed_days.Days = {}
    ledger = read_ledger(lake)
    if ledger is not None:
        gone = ledger.filter(~pl.col("piece_id").is_in(list(there))).drop_nulls("last_event_date")
        found = dict(gone.group_by("operator_id").agg(pl.col("last_event_date").max() + DAY).rows())
    for operator, day in removed_days.read_removed_days(lake, removed_days.RECORDS).items():
        found[operator] = max(day, found.get(operator, day))
    return found


def read_ledger(lake: Lake) -> pl.DataFrame | None:
    """The last day of records in each operator's pieces; None where the ledger is damaged, so that only
    earlier renewals show what landing lacks."""
    try:
        return lake.read("bronze.file", columns=["operator_id", "piece_id", "last_event_date"])
    except DamagedTable:
        return None


def newest_gold(lake: Lake) -> removed_days.Days:
    """The newest day of gold, by operator."""
    found: removed_days.Days = {}
    for file in lake.files(VOLUME):
        of = dict(file.partition)
        operator, day = str(of["operator_id"]), dt.date.fromisoformat(str(of["period_date"]))
        found[operator] = max(day, found.get(operator, day))
    return found


def conditions_of(table: str, days: removed_days.Days) -> Iterator[str]:
    """The conditions of rows of gold that go: days from then on, and operators of which nothing stays. Of
    months that of the last day that stays is kept: it is computed again if any of its days is."""
    period = str(read_contract(table).period)
    yield f"NOT ({select_any('operator_id', sorted(days))})"
    for operator, day in sorted(days.items()):
        whose = select_any("operator_id", [operator])
        if period == "period_code":
            yield f"({whose} AND {period} > '{day - DAY:%Y-%m}')"
        else:
            yield f"({whose} AND {period} >= '{day}')"


def format_signs(days: removed_days.Days) -> dict[str, str]:
    return {operator: day.isoformat() for operator, day in sorted(days.items())}


def remove_folder(fs: Any, path: str) -> None:
    """Remove a folder with all that is in it, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        fs.rm(path, recursive=True)

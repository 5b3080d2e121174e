"""Records that came after their day was closed: the ledger has them, and no figure does."""

import datetime as dt
from collections.abc import Collection

import polars as pl

from jobs.base.settings.base import MOST_DAYS
from jobs.base.settings.config import Observatory
from jobs.base.store import record
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import stage_tables
from jobs.operators.build import removed_days
from jobs.operators.build.windows import newest_days


def late_records(
    lake: Lake, settings: Observatory, operators: Collection[str], batches: Collection[str] | None = None
) -> list[str]:
    """The late records of each source, with what to do.

    Args:
        batches: those that have just been read. Without them all, except those of days that silver has: there
            a few lines are missing, not a log.
    """
    ledger = lake.read("bronze.file", where=pl.col("operator_id").is_in(sorted(operators)))
    late = ledger.filter(pl.col("late_count") > 0)
    if batches is not None:
        late = late.filter(pl.col("ingest_id").is_in(list(batches)))
    elif late.height:
        counted = {
            (operator, dt.date.fromisoformat(day))
            for (_, operator, day), (rows, _) in record.read_state(lake, stage_tables("silver")).items()
            if not rows.startswith("0:")
        }
        days = late.select("operator_id", "first_event_date").rows()
        late = late.filter(pl.Series([day not in counted for day in days], dtype=pl.Boolean))
    by = ["operator_id", "source_id"]
    gone, newest = removed_days.read_removed_days(lake, removed_days.BRONZE), newest_days(lake)
    rows = (
        late.filter(pl.col("operator_id").is_in(list(newest)))
        .sort("first_event_date", "file_name")
        .group_by(by)
        .agg(
            pl.col("late_count").sum(),
            pl.col("first_event_date", "file_name").first(),
            files=pl.col("file_name").n_unique(),
        )
        .sort(by)
        .rows()
    )
    return [
        format_late(operator, source, records, first, format_files(file, files))
        + format_remedy(operator, first, newest[operator], settings.lake.open_days, gone.get(operator))
        for operator, source, records, first, file, files in rows
    ]


def format_files(file: str, files: int) -> str:
    return f"{file} and {files - 1:,} more" if files > 1 else file


def format_late(operator: str, source: str, records: int, first: dt.date, files: str) -> str:
    """A sentence on the late records of a source: their number, and their first day."""
    many = records > 1
    return (
        f"operator '{operator}', source '{source}': {records:,} record{'s' if many else ''} from {first} on"
        f" ({files}) came after {'their days were' if many else 'its day was'} closed, and"
        f" change{'' if many else 's'} no figure. "
    )


def format_remedy(
    operator: str, first: dt.date, newest: dt.date, open_days: int, gone: dt.date | None = None
) -> str:
    """The step by which late records are counted.

    Args:
        gone: the day before which bronze has nothing.
    """
    needed = (newest - first).days
    if gone is not None and first < gone:
        return (
            "Bronze no longer holds them ([retention] bronze): `observatory renew --anew` would read what"
            " landing holds of them; days that landing no longer holds keep their figures."
        )
    if needed > MOST_DAYS:
        return f"No setting keeps days open so long ({MOST_DAYS:,} at most). Was the host's clock wrong?"
    settings = f"set open_days = {needed} under [lake], and " if needed > open_days else ""
    return f"To count them {settings}run `observatory run --operator {operator} --since {first}`."

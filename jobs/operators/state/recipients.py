"""Two checks of what a log says of recipients, for every format, and reports that came in two versions.

A message has at most the recipients that the server accepted it for: more rows mean that addresses behind an
alias count, too. And no recipient waits longer than a queue keeps it: one that does was never a message, or
the lines that say what became of it are missing. Either makes totals too high.
"""

import polars as pl

from jobs.base.store.lake import Lake
from jobs.base.store.record import Periods
from jobs.base.store.table_files import query_files
from jobs.operators.state.joins import LOOKED_AT, period_files

TRANSMISSION, MESSAGE = "silver.transmission", "silver.message"
# Waiting recipients are doubtful from these numbers on; logs that end or begin within a message leave a few.
LEAST_WAITING, LEAST_SHARE = 10, 0.01
# Reporters that a sentence names.
NAMED = 3


def above_acceptance(lake: Lake, periods: Periods) -> list[str]:
    """Sources with messages that have more rows than recipients at acceptance, with what to do.

    Of many rows a sample of the queue ids is looked at.
    """
    files = period_files(lake, TRANSMISSION, periods)
    if not files:
        return []
    by = ["operator_id", "source_id"]
    parts = sum(file.rows for file in files) // LOOKED_AT + 1
    rows = pl.len()
    found = query_files(
        TRANSMISSION,
        files,
        lambda all_rows: (
            all_rows.filter(
                pl.col("grain_code") == "recipient",
                pl.col("recipient_count").is_not_null(),
                pl.col("queue_key").hash() % parts == 0,
            )
            .group_by(*by, "queue_key", "first_at")
            .agg(rows=rows, accepted=pl.col("recipient_count").max())
            .group_by(by)
            .agg(
                messages=rows,
                above=(pl.col("rows") > pl.col("accepted")).sum(),
                more=(pl.col("rows").cast(pl.Int64) - pl.col("accepted")).clip(lower_bound=0).sum(),
            )
            .filter(pl.col("above") > 0)
            .sort(by)
        ),
    )
    of_sample = " of a sample" if parts > 1 else ""
    return [
        f"operator '{operator}', source '{source}': {above:,} of {messages:,} messages{of_sample}"
        f" {'has' if above == 1 else 'have'} {more:,} more recipient{'s' if more > 1 else ''} than the server"
        " accepted them for: addresses behind an alias may count, too, and figures by recipient are too high."
        " `observatory explain` shows the lines of such a message: please report them."
        for operator, source, messages, above, more in found.rows()
    ]


def waiting_recipients(lake: Lake, periods: Periods) -> tuple[list[str], list[str]]:
    """Sources with recipients that are queued longer than a message of their format has events, each with
    what to do: those with so many that figures are doubtful, and the others."""
    files = period_files(lake, MESSAGE, periods)
    if not files:
        return [], []
    # Kernels take long to import, for a command that finds nothing to look at.
    from jobs.operators.formats.registry import KERNELS

    by = ["operator_id", "source_id"]
    kept = {name: kernel.lookback_days for name, kernel in KERNELS.items()}
    ledger = lake.read("bronze.file", columns=[*by, "format_code", "last_event_date"])
    sources = ledger.group_by(by).agg(
        kept_days=pl.col("format_code").replace_strict(kept, default=None, return_dtype=pl.Int64).max(),
        newest=pl.col("last_event_date").max(),
    )
    is_old = pl.col("period_date") < pl.col("newest") - pl.duration(days="kept_days")
    found = query_files(
        MESSAGE,
        files,
        lambda rows: (
            rows.filter(pl.col("grain_code") != "attempt")
            .join(sources.lazy(), on=by)
            .filter(is_old)
            .group_by(*by, "kept_days")
            .agg(
                units=pl.len(),
                waiting=(pl.col("outcome_code") == "queued").sum(),
                first=pl.col("period_date").filter(pl.col("outcome_code") == "queued").min(),
                last=pl.col("period_date").filter(pl.col("outcome_code") == "queued").max(),
            )
            .filter(pl.col("waiting") > 0)
            .sort(by)
        ),
    )
    doubtful: list[str] = []
    others: list[str] = []
    for operator, source, days, units, waiting, first, last in found.rows():
        span = f"{first}" if last == first else f"{first} to {last}"
        text = (
            f"operator '{operator}', source '{source}': {waiting:,} of {units:,} recipients are still queued,"
            f" of {span}, though no queue of this kind keeps a message for more than {days} days: either"
            " lines that say what became of them are missing, or they never became messages. `observatory"
            " show silver.message --where \"outcome_code = 'queued'\"` lists them."
        )
        is_doubtful = waiting >= LEAST_WAITING and waiting >= LEAST_SHARE * units
        (doubtful if is_doubtful else others).append(text)
    return doubtful, others


def revised_reports(lake: Lake, operators: set[str]) -> list[str]:
    """Reports of authentication of which another one with the same key said something else."""
    table = "silver.authentication_report"
    files = lake.files(
        table, lake.versions().get(table), lambda partition: str(partition["operator_id"]) in operators
    )
    if not files:
        return []
    found = query_files(
        table,
        files,
        lambda rows: (
            rows.filter(pl.col("is_revised"))
            .group_by("operator_id")
            .agg(
                reports=pl.col("report_hash").n_unique(),
                reporters=pl.col("reporter_domain").drop_nulls().unique().sort().head(NAMED),
            )
            .sort("operator_id")
        ),
    )
    return [
        f"operator '{operator}': {reports:,} DMARC report{'s' if reports > 1 else ''} of"
        f" {', '.join(reporters) or 'unnamed reporters'} came again with other content; the one sent last"
        " counts."
        for operator, reports, reporters in found.rows()
    ]

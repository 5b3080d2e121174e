"""Sources that left the settings. Their records stay in all figures until the operator decides."""

from collections.abc import Collection

import polars as pl

from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake


def former_sources(lake: Lake, settings: Observatory, operators: Collection[str]) -> list[str]:
    """The sources of operators whose records the lake has, and which neither the settings nor their
    former_sources name, each with what to do."""
    named = {
        (each.id, source)
        for each in settings.operator
        for source in (*each.former_sources, *(one.id for one in each.source))
    }
    by = ["operator_id", "source_id"]
    rows = (
        lake.read("bronze.file", where=pl.col("operator_id").is_in(sorted(operators)))
        .group_by(by)
        .agg(
            pl.col("record_count").sum(),
            pl.col("first_event_date").min(),
            pl.col("last_event_date").max(),
        )
        .filter(pl.col("record_count") > 0)
        .sort(by)
        .rows()
    )
    return [
        f"operator '{operator}': source '{source}' is no longer in the settings, and its {records:,}"
        f" record{'s' if records > 1 else ''} of {first}{f' to {last}' if last != first else ''} stay in all"
        f" figures. To keep them, add '{source}' to former_sources of [[operator]] '{operator}'. To remove"
        " them, run `observatory renew --anew` and `observatory run`: they count anew what landing holds of"
        " the sources in the settings."
        for operator, source, records, first, last in rows
        if (operator, source) not in named
    ]

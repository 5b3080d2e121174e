"""Write the report page of a lake."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import functions as F

from jobs.config import Observatory
from jobs.lake import Lake
from jobs.release import report
from jobs.status import last_validation


def location_name(settings: Observatory) -> str | None:
    """What to call the table that located addresses."""
    location = settings.location
    if location is None or location.ranges is None:
        return None
    return location.name or Path(location.ranges).name


def write(lake: Lake, settings: Observatory, folder: Path) -> Path:
    """Draw the page from the gold tables as the last finished stage left them; its path."""
    versions = lake.versions()
    # As text: collected timestamps would come in the zone of this machine.
    finished = F.date_format("finished_at", "yyyy-MM-dd'T'HH:mm:ssXXX").alias("finished")
    runs = lake.read("meta.run").orderBy(F.desc("finished_at"))
    last = runs.select("run_id", finished, "code_revision").first()
    figures = report.gather(lambda table: lake.read(table, versions.get(table)))
    operators = [
        {
            "id": each.id,
            "name": each.name,
            "country": each.country,
            "holding": each.holding,
            "currency": each.currency,
        }
        for each in settings.operator
    ]
    about = {
        "run_id": last.run_id if last else "none",
        "generated_at": last.finished if last else "",
        "code_revision": last.code_revision if last else "unknown",
        "versions": versions,
        "location_name": location_name(settings),
    }
    return report.build(figures, operators, last_validation(lake.root), about, folder)

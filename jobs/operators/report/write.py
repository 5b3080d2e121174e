"""Write the report page of a lake, unless it is up to date."""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from expectations.native import Result
from jobs.base.checks.validations import latest_results
from jobs.base.core.program import HOME, find_sources
from jobs.base.places.permissions import write_as_lake
from jobs.base.settings.config import Observatory
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import read_contract
from jobs.operators.report.figures import VOLUME
from jobs.operators.report.report import PageOrigin
from jobs.operators.report.unclaimed import ReportedOperator, reported_operator
from jobs.operators.state.status import find_doubts, open_periods

# The digest of a page's inputs, beside it.
INPUTS = "inputs.sha256"
# The code and reference data that a page depends on.
SOURCES = (
    "jobs/**/*.py",
    "jobs/base/page/**/*",
    "jobs/operators/report/**/*",
    "schemas/**/*.csv",
    "schemas/**/*.yaml",
)


def location_name(settings: Observatory) -> str | None:
    """The name of the table that located addresses."""
    location = settings.location
    if location is None or location.ranges is None:
        return None
    return location.name or Path(location.ranges).name


def update_page(lake: Lake, settings: Observatory, folder: Path, domains: Iterable[str] = ()) -> Path:
    """Draw the page from the gold tables as the last finished stage left them; its path.

    Args:
        domains: those of the recipients, if the settings name none. A page that was drawn from the same
            tables, settings and code is not drawn again.
    """
    given = page_inputs(lake, settings, domains)
    digest = hashlib.sha256(json.dumps(asdict(given), sort_keys=True).encode()).hexdigest()
    index, record = folder / "index.html", folder / INPUTS
    if record.is_file() and record.read_text(encoding="utf-8").strip() == digest and is_page_whole(folder):
        return index
    from jobs.operators.report.gather import gather_figures
    from jobs.operators.report.page import write_page

    record.unlink(missing_ok=True)
    versions = given.origin.versions
    figures = gather_figures(
        lambda table: lake.read(table, versions.get(table), columns_without_sketches(table)),
        [each.id for each in settings.operator],
    )
    with write_as_lake(lake.root, folder) as written:
        write_page(figures, given.operators, given.validation, given.origin, folder)
        record.write_text(f"{digest}\n", encoding="utf-8")
        sums = folder / "SHA256SUMS"
        names = [line.split("  ", 1)[1] for line in sums.read_text(encoding="utf-8").splitlines()]
        written += [record, sums, *(folder / name for name in names)]
    return index


def columns_without_sketches(table: str) -> list[str]:
    """The table's columns without sketches, which no figure needs and which take most of its bytes."""
    return [field.name for field in read_contract(table).fields if field.type != "binary"]


def is_page_whole(folder: Path) -> bool:
    """Return whether all files of a page are there as they were written."""
    sums = folder / "SHA256SUMS"
    if not sums.is_file():
        return False
    files = [line.split("  ", 1) for line in sums.read_text(encoding="utf-8").splitlines()]
    return all((folder / name).is_file() and digest_of(folder / name) == digest for digest, name in files)


@dataclass(frozen=True)
class LastRun:
    """The run that was finished last.

    Attributes:
        finished_at: in UTC as 2026-11-24T23:30:00Z; empty without a run.
    """

    run_id: str = "none"
    code_revision: str = "unknown"
    finished_at: str = ""


@dataclass(frozen=True)
class PageInputs:
    """All that a page depends on.

    Attributes:
        validation: the last result of each rule.
        code: the digest of code and reference data.
    """

    origin: PageOrigin
    operators: list[ReportedOperator]
    validation: list[Result]
    code: str


def page_inputs(lake: Lake, settings: Observatory, domains: Iterable[str] = ()) -> PageInputs:
    last = last_run(lake)
    operators = {each.id for each in settings.operator}
    periods = open_periods(lake, operators, settings.lake.open_days)
    origin = PageOrigin(
        run_id=last.run_id,
        code_revision=last.code_revision,
        generated_at=last.finished_at,
        versions=lake.versions(),
        location_name=location_name(settings),
        operators_left_out=list_operators_left_out(lake, settings),
        doubts=find_doubts(lake, settings, operators, periods),
        domains=list(domains),
    )
    return PageInputs(
        origin,
        [reported_operator(each) for each in settings.operator],
        latest_results(lake, [each.id for each in settings.operator]),
        code_digest(),
    )


def list_operators_left_out(lake: Lake, settings: Observatory) -> list[str]:
    """The operators that have volumes in the lake but not in the settings: no figure has them."""
    files = lake.files(VOLUME, lake.versions().get(VOLUME))
    counted = {str(file.partition_value("operator_id")) for file in files}
    return sorted(counted - {each.id for each in settings.operator})


def last_run(lake: Lake) -> LastRun:
    """The row of meta.run that was finished last."""
    runs = lake.read("meta.run", columns=["run_id", "stage_name", "finished_at", "code_revision"])
    if runs.is_empty():
        return LastRun()
    row = runs.sort("finished_at", "run_id", "stage_name").row(-1, named=True)
    finished_at: dt.datetime = row["finished_at"]
    return LastRun(
        row["run_id"], row["code_revision"] or "unknown", finished_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    )


def code_digest() -> str:
    """SHA-256 of the code and reference data that a page depends on."""
    found = hashlib.sha256(pl.__version__.encode())
    for file in find_sources(*SOURCES):
        found.update(f"{file.relative_to(HOME)}:{digest_of(file)}\n".encode())
    return found.hexdigest()


def digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()

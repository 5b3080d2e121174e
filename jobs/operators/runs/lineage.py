"""OpenLineage: what a run read and wrote, as events that a catalogue such as Marquez or DataHub draws.

A run sends START and then COMPLETE or FAIL, for itself and for each of its stages. What a stage read and
wrote comes from its row of meta.run: sources and tables by their names, with columns, versions, and rows
written. No event has a row, the URL of a log, the name of an operator, or the text of an error.

Events go where [lineage] of the settings says, or else the variables and files of OpenLineage itself. Without
either nothing of it is imported. An endpoint that takes no event never fails a run: a note says so, and the
rest is not sent.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from jobs.base.core.program import PROJECT, project_number
from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import read_contract

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset

    from jobs.operators.build.run import Run

# Variables of OpenLineage's own that say where events go, by how they begin; the others describe a run.
OWN_VARIABLES = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__")
OWN_FILES = (Path("openlineage.yml"), Path("~/.openlineage/openlineage.yml"))
# Set by what starts a run, such as Airflow: namespace/job/run.
PARENT = "OPENLINEAGE_PARENT_ID"
JOB = "observatory.run"
PRODUCER = f"urn:{PROJECT}:{project_number()}"
# The client would name the git repository of the folder that a command runs in.
WITHOUT_REPOSITORY = {"facets": {"source_code_location": {"disabled": True}}}
# Seconds until an endpoint has answered; one more try.
ANSWER, TRIES = 5.0, 1
INSTALL = f"Install it with `make setup-sources`, or with pip as {PROJECT}[lineage]"


def is_configured(work: Run) -> bool:
    """Return whether the settings or OpenLineage's own variables and files say where events go."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    return (
        work.settings.lineage.place is not None
        or any(name.startswith(OWN_VARIABLES) for name in os.environ)
        or any(file.expanduser().is_file() for file in OWN_FILES)
    )


@contextmanager
def trace_run(work: Run) -> Iterator[Trace]:
    """Send the events of a run around what is done in it."""
    trace = Trace(work)
    trace.begin()
    with trace.around(JOB):
        yield trace


@dataclass
class Trace:
    """The events of a run.

    Attributes:
        note: why they do not all arrive; None while they do.
    """

    work: Run
    client: Any = None
    note: str | None = None
    has_broken_rule: bool = False
    before: dict[str, int] = field(default_factory=dict)

    def begin(self) -> None:
        """Find out where events go."""
        if not is_configured(self.work):
            return
        try:
            from openlineage.client import OpenLineageClient
        except ImportError as error:
            self.note = f"Lineage is not sent: {error}. {INSTALL}."
            return
        # The client says the same of each try.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        place = self.work.settings.lineage.place
        with self.noting_failures():
            transport = {"transport": transport_of(place)} if place else {}
            self.client = OpenLineageClient(config=WITHOUT_REPOSITORY | transport)

    @contextmanager
    def noting_failures(self) -> Iterator[None]:
        """Send no more once something went wrong: each try may take seconds."""
        try:
            yield
        # requests' errors are of the operating system's kind; the others are of settings and of tokens.
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            self.client = None
            self.note = (
                f"Lineage is not sent: {type(error).__name__}, at {self.work.settings.lineage.named_place}."
                " The run goes on without it."
            )
            self.work.report_step("lineage is not sent")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Send the events of a stage around what is done in it."""
        if self.client:
            self.before = self.work.lake.versions()
        with self.around(f"{JOB}.{name}", name):
            yield

    @contextmanager
    def around(self, job: str, stage: str | None = None) -> Iterator[None]:
        self.send("START", job)
        try:
            yield
        except BaseException as error:
            # Ctrl-C, too, ends a run.
            self.send("FAIL", job, stage, type(error).__name__)
            raise
        if self.has_broken_rule and not stage:
            self.send("FAIL", job, stage, "ValidationHeld")
        else:
            self.send("COMPLETE", job, stage)

    def send(self, state: str, job: str, stage: str | None = None, error: str | None = None) -> None:
        """Send one event.

        Args:
            stage: with what it read and wrote.
            error: the kind of it, without its text.
        """
        if not self.client:
            return
        from openlineage.client.event_v2 import Run as LineageRun
        from openlineage.client.event_v2 import RunEvent, RunState

        namespace = self.work.settings.lineage.namespace
        inputs, outputs = self.find_datasets(stage) if stage and not error else ([], [])
        with self.noting_failures():
            self.client.emit(
                RunEvent(
                    eventTime=dt.datetime.now(dt.UTC).isoformat(),
                    eventType=RunState[state],
                    run=LineageRun(self.name_run(job), self.run_facets(job, error)),
                    job=job_of(namespace, job),
                    inputs=inputs,
                    outputs=outputs,
                    producer=PRODUCER,
                )
            )

    def name_run(self, job: str) -> str:
        """An id of a run of a job: OpenLineage takes UUIDs alone."""
        place = f"{self.work.settings.lineage.namespace}/{self.work.lake.root}/{self.work.run_id}/{job}"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, place))

    def run_facets(self, job: str, error: str | None) -> dict[str, Any]:
        from openlineage.client.facet_v2 import error_message_run, parent_run, processing_engine_run

        facets: dict[str, Any] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(project_number(), PROJECT)
        }
        given = os.environ.get(PARENT, "").split("/")
        parent = (self.work.settings.lineage.namespace, JOB, self.name_run(JOB)) if job != JOB else given
        if len(parent) == 3:
            namespace, name, run = parent
            facets["parent"] = parent_run.ParentRunFacet(parent_run.Run(run), parent_run.Job(namespace, name))
        if error:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(error, "Python")
        return facets

    def find_datasets(self, stage: str) -> tuple[list[InputDataset], list[OutputDataset]]:
        """The datasets that a stage read and wrote, by its row of meta.run; none if it had nothing to do."""
        lake, namespace = self.work.lake, self.work.settings.lineage.namespace
        mine = (pl.col("run_id") == self.work.run_id) & (pl.col("stage_name") == stage)
        rows = lake.read("meta.run", where=mine).to_dicts()
        if not rows:
            return [], []
        named = {each["table_name"]: each["version"] for row in rows for each in row["table_versions"] or []}
        written = {table: at for table, at in named.items() if self.before.get(table) != at}
        outputs = [
            write_dataset(namespace, lake, table, self.before.get(table), at) for table, at in written.items()
        ]
        if stage == "bronze":
            batches = [batch for row in rows for batch in row["ingest_ids"] or []]
            return source_datasets(namespace, lake, batches), outputs
        there = lake.versions()
        read = sorted({name for table in written for name in read_contract(table).reads} - set(written))
        inputs = [read_dataset(namespace, table, there.get(table)) for table in read if table in there]
        return inputs, outputs


def transport_of(place: str) -> dict[str, Any]:
    """The client's own settings for a URL, or for a file to which events are added."""
    if place.startswith(("http://", "https://")):
        retry = {"total": TRIES, "connect": TRIES, "read": TRIES}
        return {"type": "http", "url": place, "timeout": ANSWER, "retry": retry}
    return {"type": "file", "log_file_path": place, "append": True}


def job_of(namespace: str, name: str) -> Job:
    from openlineage.client.event_v2 import Job
    from openlineage.client.facet_v2 import job_type_job

    kind = job_type_job.JobTypeJobFacet("BATCH", "SPAM_OBSERVATORY", jobType="JOB")
    return Job(namespace, name, {"jobType": kind})


def dataset_facets(table: str, version: int | None) -> dict[str, Any]:
    """The columns of a table, by its contract, and its version."""
    from openlineage.client.facet_v2 import dataset_version_dataset, documentation_dataset, schema_dataset

    contract = read_contract(table)
    columns = [
        schema_dataset.SchemaDatasetFacetFields(each.name, str(each.type), each.description)
        for each in contract.fields
    ]
    facets: dict[str, Any] = {
        "schema": schema_dataset.SchemaDatasetFacet(columns),
        "documentation": documentation_dataset.DocumentationDatasetFacet(contract.description),
    }
    if version is not None:
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(str(version))
    return facets


def read_dataset(namespace: str, table: str, version: int | None) -> InputDataset:
    from openlineage.client.event_v2 import InputDataset

    return InputDataset(namespace, table, facets=dataset_facets(table, version))


def write_dataset(namespace: str, lake: Lake, table: str, before: int | None, version: int) -> OutputDataset:
    """A table as a stage left it, with the rows in files that the version before did not have."""
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    old = {file.path for file in lake.files(table, before)} if before is not None else set()
    new = [file for file in lake.files(table, version) if file.path not in old]
    counted = statistics.OutputStatisticsOutputDatasetFacet(
        rowCount=sum(file.rows for file in new), size=sum(file.bytes for file in new), fileCount=len(new)
    )
    facets: dict[str, Any] = {"outputStatistics": counted}
    return OutputDataset(namespace, table, facets=dataset_facets(table, version), outputFacets=facets)


def source_datasets(namespace: str, lake: Lake, batches: list[str]) -> list[InputDataset]:
    """The sources of which batches were read: operator and source by their ids, and the lines read."""
    from openlineage.client.event_v2 import InputDataset
    from openlineage.client.facet_v2 import input_statistics_input_dataset as statistics

    of_batches = pl.col("ingest_id").is_in(batches)
    ledger = (
        lake.read("bronze.file", where=of_batches)
        .group_by("operator_id", "source_id")
        .agg(pl.col("line_count", "piece_bytes").sum(), files=pl.len())
    )
    found = []
    for operator, source, lines, size, files in ledger.sort("operator_id", "source_id").rows():
        counted = statistics.InputStatisticsInputDatasetFacet(rowCount=lines, size=size, fileCount=files)
        facets: dict[str, Any] = {"inputStatistics": counted}
        name = f"landing.{operator}.{source}"
        found.append(InputDataset(namespace, name, inputFacets=facets))
    return found

"""A run tells a lineage service what it read and wrote, and does as well without one."""

import http.server
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, RunEvent, RunState
from openlineage.client.event_v2 import Run as LineageRun
from openlineage.client.facet_v2 import (
    dataset_version_dataset,
    documentation_dataset,
    error_message_run,
    input_statistics_input_dataset,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
    tags_run,
)

from jobs.base.store.lake import Lake
from jobs.base.tables.contracts import read_contract
from tests.conftest import ROOT
from tests.operators.build.test_waiting import mail, settings
from tests.support.in_process import Run, command_line_of

# What each facet of an event is checked by.
FACETS = {
    "version": dataset_version_dataset.DatasetVersionDatasetFacet,
    "documentation": documentation_dataset.DocumentationDatasetFacet,
    "errorMessage": error_message_run.ErrorMessageRunFacet,
    "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet,
    "jobType": job_type_job.JobTypeJobFacet,
    "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
    "parent": parent_run.ParentRunFacet,
    "processing_engine": processing_engine_run.ProcessingEngineRunFacet,
    "schema": schema_dataset.SchemaDatasetFacet,
    "tags": tags_run.TagsRunFacet,
}
PERSONAL = ("far.example", "isp.example", "192.0.2.7", "Srz1f01", "mx1.log", "/tmp", "My mail")


class Receiver(http.server.ThreadingHTTPServer):
    """A lineage service that keeps what it is sent, or answers with an error."""

    def __init__(self, status: int = 201) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status = status
        self.bodies: list[bytes] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]


class Answer(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing."""


@pytest.fixture
def observatory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return command_line_of(monkeypatch, capsys, width=200)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server
        server.shutdown()


def logs(folder: Path, place: str = "") -> Path:
    (folder / "mx1.log").write_text(mail("mx1", 1, 2))
    (folder / "mx2.log").write_text(mail("mx2", 3))
    return settings(folder, f"[lineage]\n{place}\n" if place else "")


def kept(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if not name.startswith("_")}


def check_facets(given: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Facets by the specification's own classes, which refuse what they do not have."""
    return {name: FACETS[name](**kept(facet)) for name, facet in given.items()}


def check_event(event: dict[str, Any]) -> RunEvent:
    """The event by the specification's own classes."""
    run, job = event["run"], event["job"]
    inputs, outputs = event.get("inputs", []), event.get("outputs", [])
    return RunEvent(
        eventTime=event["eventTime"],
        eventType=RunState[event["eventType"]],
        producer=event["producer"],
        run=LineageRun(run["runId"], check_facets(run["facets"])),
        job=Job(job["namespace"], job["name"], check_facets(job["facets"])),
        inputs=[
            InputDataset(
                each["namespace"],
                each["name"],
                facets=check_facets(each.get("facets", {})),
                inputFacets=check_facets(each.get("inputFacets", {})),
            )
            for each in inputs
        ],
        outputs=[
            OutputDataset(
                each["namespace"],
                each["name"],
                facets=check_facets(each.get("facets", {})),
                outputFacets=check_facets(each.get("outputFacets", {})),
            )
            for each in outputs
        ],
    )


def told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["eventType"], event["job"]["name"]) for event in events]


WHOLE = [
    ("START", "observatory.run"),
    *(
        (state, f"observatory.run.{stage}")
        for stage in ("bronze", "silver", "gold")
        for state in ("START", "COMPLETE")
    ),
    ("COMPLETE", "observatory.run"),
]


@pytest.mark.long
def test_a_run_tells_what_it_read_and_wrote(observatory: Run, receiver: Receiver, tmp_path: Path) -> None:
    file = logs(tmp_path, f'url = "{receiver.url}"')
    assert observatory("run", "--config", file).code == 0
    assert told(receiver.events) == WHOLE
    events = [check_event(event) for event in receiver.events]
    whole, *stages, _ = events
    assert {event.run.runId for event in stages}.isdisjoint({whole.run.runId})
    parents = {event["run"]["facets"]["parent"]["run"]["runId"] for event in receiver.events[1:-1]}
    assert parents == {whole.run.runId}
    bronze, silver, gold = (event for event in stages if event.eventType == RunState.COMPLETE)
    read = {each.name: each.inputFacets["inputStatistics"].rowCount for each in bronze.inputs or []}
    assert read == {"landing.a.mx1": 8, "landing.a.mx2": 4}
    assert "bronze.postfix" in {each.name for each in bronze.outputs or []}
    assert {"bronze.postfix"} <= {each.name for each in silver.inputs or []}
    assert {"silver.message"} <= {each.name for each in gold.inputs or []}
    lake = Lake(str(tmp_path / "lake"))
    written = {each.name: each for event in (bronze, silver, gold) for each in event.outputs or []}
    for name, each in written.items():
        assert each.outputFacets["outputStatistics"].rowCount == lake.read(name).height, name
        assert each.facets["version"].datasetVersion == str(lake.version(name))
        columns = [column["name"] for column in each.facets["schema"].fields]
        assert columns == [column.name for column in read_contract(name).fields]
    assert written["silver.message"].outputFacets["outputStatistics"].rowCount == 3
    text = b"".join(receiver.bodies).decode()
    assert [word for word in PERSONAL if word in text] == []


@pytest.mark.long
def test_a_second_run_tells_of_what_is_new(observatory: Run, receiver: Receiver, tmp_path: Path) -> None:
    file = logs(tmp_path, f'url = "{receiver.url}"')
    observatory("run", "--config", file)
    receiver.bodies.clear()
    observatory("run", "--config", file)
    assert told(receiver.events) == WHOLE
    assert all(not event.get("outputs") for event in receiver.events)
    receiver.bodies.clear()
    (tmp_path / "mx1.log").write_text(mail("mx1", 1, 2, 4))
    observatory("run", "--config", file)
    bronze = next(check_event(event) for event in receiver.events if event.get("inputs"))
    assert [(each.name, each.inputFacets["inputStatistics"].rowCount) for each in bronze.inputs or []] == [
        ("landing.a.mx1", 4)
    ]


@pytest.mark.long
def test_events_are_added_to_a_file(observatory: Run, tmp_path: Path) -> None:
    file = logs(tmp_path, 'file = "lineage.jsonl"\nnamespace = "mail"')
    assert observatory("run", "--config", file).code == 0
    events = [json.loads(line) for line in (tmp_path / "lineage.jsonl").read_text().splitlines()]
    assert told(events) == WHOLE
    assert {event["job"]["namespace"] for event in events} == {"mail"}


@pytest.mark.long
def test_openlineages_own_variables_name_endpoint_and_parent(
    observatory: Run, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = str(uuid.uuid4())
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    monkeypatch.setenv("OPENLINEAGE_PARENT_ID", f"airflow/operator_daily.bronze/{parent}")
    file = logs(tmp_path)
    assert observatory("run", "--config", file).code == 0
    assert told(receiver.events) == WHOLE
    facet = receiver.events[0]["run"]["facets"]["parent"]
    assert (facet["run"]["runId"], facet["job"]["name"]) == (parent, "operator_daily.bronze")
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    receiver.bodies.clear()
    observatory("run", "--config", file)
    assert receiver.bodies == []


@pytest.mark.long
@pytest.mark.parametrize("status", [None, 500])
def test_an_endpoint_that_is_down_fails_no_run_and_is_said(
    observatory: Run, tmp_path: Path, status: int | None
) -> None:
    with Receiver(status or 201) as server:
        url = server.url
        if status is None:
            server.server_close()
        file = logs(tmp_path, f'url = "{url}"')
        done = observatory("run", "--config", file)
        server.shutdown()
    assert done.code == 0
    assert "Lineage is not sent: " in done.err and url in done.err
    # One try for all events, and what it repeats.
    assert len(server.bodies) <= 2
    assert Lake(str(tmp_path / "lake")).read("silver.message").height == 3


def test_a_run_that_fails_says_so_without_the_errors_text(
    observatory: Run, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a row of b@isp.example")

    file = logs(tmp_path, f'url = "{receiver.url}"')
    monkeypatch.setattr("jobs.operators.build.silver_stage.run_silver", fail)
    with pytest.raises(RuntimeError):
        observatory("run", "--config", file)
    assert told(receiver.events)[-2:] == [("FAIL", "observatory.run.silver"), ("FAIL", "observatory.run")]
    for event in receiver.events[-2:]:
        assert check_event(event).run.facets["errorMessage"].message == "RuntimeError"
    assert b"isp.example" not in b"".join(receiver.bodies)


def test_a_held_run_fails(
    observatory: Run, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from expectations.native import Result
    from jobs.operators.build.run import Outcome

    held = Result("silver.message", "a rule", "it says", is_held=False, violations=1)
    monkeypatch.setattr("jobs.operators.build.silver_stage.run_silver", lambda *_: Outcome(results=(held,)))
    assert observatory("run", "--config", logs(tmp_path, f'url = "{receiver.url}"')).code == 1
    assert told(receiver.events)[-1] == ("FAIL", "observatory.run")


@pytest.mark.long
def test_without_a_place_nothing_of_it_is_imported() -> None:
    program = "import sys, jobs.operators.runs.runner; print('openlineage' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n"


@pytest.mark.long
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    observatory: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openlineage.client", None)
    done = observatory("run", "--config", logs(tmp_path, 'file = "lineage.jsonl"'))
    assert done.code == 0
    assert "make setup-sources" in done.err and "spam-observatory[lineage]" in done.err


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ('url = "marquez:5000"', "must begin with http:// or https://"),
        ('url = "http://a:b@marquez.example"', "OPENLINEAGE_API_KEY"),
        ('url = "http://marquez.example"\nfile = "a"', "not to both"),
    ],
)
def test_places_that_are_none(observatory: Run, tmp_path: Path, place: str, words: str) -> None:
    done = observatory("run", "--config", logs(tmp_path, place))
    assert done.code == 2 and words in done.err

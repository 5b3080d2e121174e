"""dags/operator_daily.py as Airflow parses it: edges, arguments, outlets. No database."""

import dataclasses
import datetime as dt
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from airflow.dag_processing.dagbag import DagBag
from airflow.exceptions import AirflowException, AirflowSkipException
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.serialization.serialized_objects import DagSerialization

from jobs.base.core.errors import NOTHING_CHANGED
from jobs.base.engine import java
from jobs.base.orchestration.scheduling import UnlessLasting
from jobs.base.tables import contracts
from jobs.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
STAGES = ["bronze", "silver", "gold"]
COMMANDS = ["pull", *STAGES, "validate", "report", "vacuum"]
SETTINGS = """
[lake]
root = "somewhere/lake"
[study]
inbox = "inbox"
files = "frame"
[[operator]]
id = "north-mail"
[[operator]]
id = "south-sms"
"""


DAG = "operator_daily__south-sms"


def parse(monkeypatch: pytest.MonkeyPatch, config: Path) -> DagBag:
    monkeypatch.setenv("OBSERVATORY_CONFIG", str(config))
    for name in ("OBSERVATORY_LAKE_ROOT", "OBSERVATORY_REPORT", "AIRFLOW_CONN_OBSERVATORY_SPARK"):
        monkeypatch.delenv(name, raising=False)
    return DagBag(str(ROOT / "dags" / "operator_daily.py"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "observatory.toml"
    file.write_text(SETTINGS)
    return file


@pytest.fixture
def bag(monkeypatch: pytest.MonkeyPatch, config: Path) -> DagBag:
    bag = parse(monkeypatch, config)
    assert bag.import_errors == {}
    return bag


@pytest.fixture
def dag(bag: DagBag) -> Any:
    return bag.dags[DAG]


def parsed(words: list[str]) -> dict[str, Any]:
    """Return the parameters that the command line reads from these words; raises on any that it refuses."""
    command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    return command.make_context(words[0], list(words[1:])).params


def as_rendered(
    dag: Any,
    name: str,
    run_type: str = "scheduled",
    succeeded_at: dt.datetime | None = None,
    **params: str | None,
) -> Any:
    """A task as a worker renders it, for a data interval of 2026-11-20.

    Args:
        succeeded_at: when it last did.
    """
    start = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    run = SimpleNamespace(
        run_type=run_type, data_interval_start=start, data_interval_end=start + dt.timedelta(days=1)
    )
    last = SimpleNamespace(end_date=succeeded_at) if succeeded_at else None
    instance = SimpleNamespace(get_previous_ti=lambda state: last if state == "success" else 1 / 0)
    task = dag.get_task(name).prepare_for_execution()
    task.render_template_fields(
        {"dag_run": run, "ti": instance, "params": {"since": None, "until": None} | params}
    )
    return task


def rendered(dag: Any, name: str, run_type: str = "scheduled", **given: Any) -> list[str]:
    """The arguments of a task's command as a worker renders them."""
    task = as_rendered(dag, name, run_type, **given)
    python, option, module, *words = shlex.split(task.bash_command)
    assert (python, option, module) == (sys.executable, "-m", "jobs")
    return words


def test_each_operator_of_the_settings_has_its_dag(bag: DagBag) -> None:
    assert sorted(bag.dags) == ["operator_daily__north-mail", "operator_daily__south-sms"]


def test_tasks_stand_in_a_row(dag: Any) -> None:
    row = COMMANDS
    edges = {task.task_id: task.downstream_task_ids for task in dag.tasks}
    # Each is seen by the last one, which fails where one of them did.
    after = {task: {*row[number : number + 1], "outcome"} for number, task in enumerate(row, 1)}
    assert edges == after | {"outcome": set()}


@pytest.mark.parametrize("engine", ["embedded", "spark"])
def test_the_scheduler_can_store_it(monkeypatch: pytest.MonkeyPatch, config: Path, engine: str) -> None:
    monkeypatch.setenv("OBSERVATORY_ENGINE_NAME", engine)
    stored = [DagSerialization.to_dict(parse(monkeypatch, config).dags[DAG]) for _ in range(2)]
    # The same text at each parse: it would be a new version of the DAG else.
    assert stored[0] == stored[1]
    assert DagSerialization.from_dict(stored[0]).task_dict.keys() == {*COMMANDS, "outcome"}


def run_python(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | environment)


@pytest.mark.long
def test_parsing_imports_no_engine(config: Path) -> None:
    """Airflow parses every half minute, in an environment that may have none of the pipeline's packages."""
    code = f"""
import sys
from airflow.dag_processing.dagbag import DagBag
from airflow.exceptions import AirflowException
bag = DagBag({str(ROOT / "dags")!r})
assert len(bag.dags) == 4 and not bag.import_errors, bag.import_errors
packages = {{"pyspark", "delta", "great_expectations", "polars", "pandas", "pyarrow", "typer", "altair"}}
own = {{name for name in sys.modules if name.split(".")[0] in ("jobs", "expectations", "schemas")}}
print("loaded", sorted(packages & sys.modules.keys() | own))
"""
    done = run_python("-c", code, OBSERVATORY_CONFIG=str(config))
    assert done.returncode == 0, done.stderr
    own = [
        "base",
        "base.core",
        *(f"base.core.{each}" for each in ("choices", "column_types", "errors", "numbers", "program")),
        "base.orchestration",
        *(f"base.orchestration.{each}" for each in ("connecting", "deadlines", "exit_codes", "scheduling")),
        "base.places",
        "base.places.connections",
        "base.tables",
        "base.tables.contracts",
        "operators",
        "operators.state",
        "operators.state.health",
    ]
    assert f"loaded {['jobs', *(f'jobs.{each}' for each in own)]}" in done.stdout


def test_pull_is_a_command_that_the_command_line_accepts(dag: Any, config: Path) -> None:
    words = rendered(dag, "pull")
    assert words[0] == "pull"
    assert parsed(words) == {"config_file": config, "operator": "south-sms"}


def test_what_is_older_than_the_settings_keep_is_removed_last(dag: Any, config: Path) -> None:
    words = rendered(dag, "vacuum")
    assert words[0] == "vacuum"
    accepted = parsed(words)
    assert (accepted["config_file"], accepted["operator"]) == (config, "south-sms")
    assert not accepted["dry_run"]
    assert dag.get_task("vacuum").pool == "lake"


def test_the_page_lies_beside_the_lake(dag: Any, config: Path) -> None:
    words = rendered(dag, "report")
    assert words[0] == "report"
    accepted = parsed(words)
    assert (accepted["config_file"], accepted["output"]) == (config, config.parent / "somewhere" / "report")
    assert not accepted["logs"]


@pytest.mark.parametrize(
    ("variable", "value", "folder"),
    [
        ("OBSERVATORY_REPORT", "/srv/page", "/srv/page"),
        ("OBSERVATORY_LAKE_ROOT", "s3a://bucket/lake", "{config}/build/report"),
        ("OBSERVATORY_LAKE_ROOT", "/a lake/b", "/a lake/report"),
    ],
)
def test_the_environment_says_where_the_page_lies(
    monkeypatch: pytest.MonkeyPatch, config: Path, variable: str, value: str, folder: str
) -> None:
    parse(monkeypatch, config)
    monkeypatch.setenv(variable, value)
    dag = DagBag(str(ROOT / "dags" / "operator_daily.py")).dags[DAG]
    assert rendered(dag, "report")[-2:] == ["--output", folder.format(config=config.parent)]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("run_type", "params", "since", "until"),
    [
        ("scheduled", {}, None, None),
        ("manual", {}, None, None),
        ("manual", {"since": "2026-11-01", "until": "2026-11-09"}, "2026-11-01", "2026-11-09"),
        ("manual", {"since": "2026-11-01"}, "2026-11-01", None),
        ("backfill", {}, "2026-11-20", "2026-11-20"),
    ],
)
def test_a_stage_is_a_command_that_the_command_line_accepts(
    dag: Any,
    config: Path,
    stage: str,
    run_type: str,
    params: dict[str, str],
    since: str | None,
    until: str | None,
) -> None:
    words = rendered(dag, stage, run_type, **params)
    assert words[0] == "run"
    accepted = parsed(words)
    assert accepted["config_file"] == config
    assert accepted["operator"] == "south-sms"
    assert [str(each) for each in accepted["stage"]] == [stage]
    assert [accepted[name] and f"{accepted[name]:%Y-%m-%d}" for name in ("since", "until")] == [since, until]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_asks_whether_its_tables_changed_since_its_last_success(dag: Any, stage: str) -> None:
    at = dt.datetime(2026, 11, 20, 1, 30, 0, 250_000, dt.timezone(dt.timedelta(hours=1)))
    accepted = parsed(rendered(dag, stage, succeeded_at=at))
    assert accepted["changed_since"] == dt.datetime(2026, 11, 20, 0, 30, 0, 250_000)
    assert parsed(rendered(dag, stage))["changed_since"] is None


def test_a_task_runs_after_one_that_was_skipped_or_failed(dag: Any) -> None:
    """A source that is away, or held back, stops neither the figures of the others nor retention."""
    rules = {task.task_id: task.trigger_rule for task in dag.tasks}
    assert rules == {"pull": "all_success", "outcome": "none_failed"} | dict.fromkeys(
        COMMANDS[1:], "all_done"
    )


def test_outlets_are_the_tables_with_a_contract(dag: Any, config: Path) -> None:
    assert dag.get_task("pull").outlets == []
    for stage in STAGES:
        named = {asset.name: asset.uri for asset in dag.get_task(stage).outlets}
        of_layer = [
            table for table in contracts.list_tables() if contracts.read_contract(table).layer == stage
        ]
        by_hand = {"silver.audit_label", "silver.audit_sample"}
        assert list(named) == [table for table in of_layer if table not in by_hand]
        folder = config.parent / "somewhere" / "lake" / stage
        assert all(uri == (folder / name.split(".")[1]).as_uri() for name, uri in named.items())


@pytest.mark.parametrize(
    ("root", "uri"),
    [
        ("s3a://bucket/lake/", "s3a://bucket/lake/gold/spam_volume_daily"),
        ("/a/b", "file:///a/b/gold/spam_volume_daily"),
    ],
)
def test_the_lake_of_the_environment_comes_first(
    monkeypatch: pytest.MonkeyPatch, bag: DagBag, config: Path, root: str, uri: str
) -> None:
    monkeypatch.setenv("OBSERVATORY_LAKE_ROOT", root)
    monkeypatch.setenv("OBSERVATORY_CONFIG", str(config))
    outlets = DagBag(str(ROOT / "dags")).dags["operator_daily__north-mail"].get_task("gold").outlets
    assert uri in [asset.uri for asset in outlets]


@pytest.mark.parametrize("name", ["a b;touch c", "it's", "{{ 1 + 1 }}", "$(touch c)"])
def test_no_value_is_read_as_a_template_or_by_the_shell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name / "observatory.toml"
    file.parent.mkdir()
    file.write_text(SETTINGS)
    dag = parse(monkeypatch, file).dags[DAG]
    day = "2026-11-01'; touch c; '{{ 1 + 1 }}"
    words = rendered(dag, "gold", since=day)
    own = ["--config", str(file), "--operator", "south-sms"]
    assert words == ["run", *own, "--stage", "gold", "--since", day]


def test_a_command_finds_the_project_and_needs_no_java(dag: Any) -> None:
    for task in map(dag.get_task, COMMANDS):
        assert task.env == {"PYTHONPATH": str(ROOT)} and task.append_env
        assert task.task_type == "PipelineCommand"


def test_the_lake_has_one_writer_at_a_time(bag: DagBag) -> None:
    for dag in bag.dags.values():
        assert dag.max_active_runs == 1
        assert dag.catchup is False
        assert {dag.get_task(name).pool for name in COMMANDS} == {"lake"}


def test_pauses_between_tries_grow(dag: Any) -> None:
    for task in map(dag.get_task, COMMANDS):
        assert task.retries > 0
        assert task.retry_exponential_backoff > 1


def decided(dag: Any, code: int, folder: Path) -> RetryAction | str:
    """The decision of a stage's policy after its command ended with this code, as the operator reports it;
    or that its task is skipped."""
    task = as_rendered(dag, "gold")
    # Whatever the command prints decides nothing.
    ending = f"echo 'Error code is: 0. non-zero exit code 0' >&2; exit {code}"
    if task.task_type == "PipelineCommand":
        task.bash_command = ending
    else:
        submit = folder / "spark-submit"
        submit.write_text(f"#!/bin/sh\n{ending}\n")
        submit.chmod(0o755)
        task._spark_binary = str(submit)
    with pytest.raises(AirflowException) as failure:
        task.execute({})
    if isinstance(failure.value, AirflowSkipException):
        return "skipped"
    return task.retry_policy.evaluate(failure.value, try_number=1, max_tries=2).action


@pytest.fixture
def jars(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make as many files as Delta has jars: a stage's command names them, and Java is not started here."""
    folder = tmp_path / "jars"
    folder.mkdir()
    for number in range(java.DELTA.count):
        (folder / f"{number}.jar").touch()
    monkeypatch.setattr(java, "DELTA", dataclasses.replace(java.DELTA, folder=folder))
    monkeypatch.setattr(java, "S3", dataclasses.replace(java.S3, folder=tmp_path / "none"))


@pytest.mark.long
@pytest.mark.usefixtures("jars")
@pytest.mark.parametrize("engine", ["embedded", "spark"])
def test_exit_codes_decide_on_another_try(
    monkeypatch: pytest.MonkeyPatch, config: Path, tmp_path: Path, engine: str
) -> None:
    """Held (1) and wrong settings (2) last. A crash (4), a locked lake, a source that is away or a full disk
    (5) and a process that was killed pass. Where no table has changed (99) the task is skipped, and updates
    no asset."""
    monkeypatch.setenv("OBSERVATORY_ENGINE_NAME", engine)
    monkeypatch.setenv("OBSERVATORY_ENGINE_MASTER", "local[1]")
    dag = parse(monkeypatch, config).dags[DAG]
    assert [decided(dag, code, tmp_path) for code in (1, 2)] == [RetryAction.FAIL] * 2
    assert {decided(dag, code, tmp_path) for code in (4, 5, 130, 137)} == {RetryAction.DEFAULT}
    assert decided(dag, NOTHING_CHANGED, tmp_path) == "skipped"
    assert all(isinstance(dag.get_task(name).retry_policy, UnlessLasting) for name in COMMANDS)
    assert dag.get_task("gold").retry_policy.evaluate(OSError("no bash"), 1, 2).action is RetryAction.DEFAULT


@pytest.mark.usefixtures("jars")
def test_a_stage_is_a_job_of_spark_by_the_setting_of_the_engine(
    monkeypatch: pytest.MonkeyPatch, config: Path
) -> None:
    config.write_text(f"{SETTINGS}\n[engine]\nname = 'spark'\nmaster = 'spark://master.example:7077'\n")
    dag = parse(monkeypatch, config).dags[DAG]
    kinds = {name: dag.get_task(name).task_type for name in COMMANDS}
    plain = dict.fromkeys(["pull", "validate", "report", "vacuum"], "PipelineCommand")
    assert kinds == plain | dict.fromkeys(STAGES, "SubmitStage")
    command = dag.get_task("gold")
    assert {asset.name for asset in command.outlets} >= {"gold.spam_volume_daily"}
    task = as_rendered(dag, "gold", since="2026-11-01")
    assert parsed(task.application_args)["since"] == dt.datetime(2026, 11, 1)
    assert len(task.jars.split(",")) == 7 and all(Path(jar).is_file() for jar in task.jars.split(","))
    assert task.env_vars["PYSPARK_PYTHON"] == sys.executable
    words = task._get_hook()._build_spark_submit_command(task.application)
    # Without Spark in the pipeline's own environment, that on the path.
    beside = Path(sys.executable).with_name("spark-submit")
    assert words[0] == (str(beside) if beside.exists() else "spark-submit")
    assert words[1:3] == ["--master", "spark://master.example:7077"]
    assert words[words.index("--deploy-mode") + 1] == "client"
    application = str(ROOT / "jobs" / "__main__.py")
    assert words[words.index(application) :] == [application, *task.application_args]


@pytest.mark.usefixtures("jars")
def test_without_a_master_it_is_that_of_the_connection(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    monkeypatch.setenv("OBSERVATORY_ENGINE_NAME", "spark")
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_DEFAULT", "spark://other.example:7078")
    task = as_rendered(parse(monkeypatch, config).dags[DAG], "silver")
    assert task._get_hook()._build_spark_submit_command("")[1:3] == ["--master", "spark://other.example:7078"]


def test_a_missing_provider_is_named(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    monkeypatch.setenv("OBSERVATORY_ENGINE_NAME", "spark")
    monkeypatch.setitem(sys.modules, "airflow.providers.apache.spark.operators.spark_submit", None)
    monkeypatch.delitem(sys.modules, "jobs.base.orchestration.connecting", raising=False)
    bag = parse(monkeypatch, config)
    assert not bag.dags
    (message,) = bag.import_errors.values()
    assert "apache-airflow-providers-apache-spark" in message.strip().splitlines()[-1]


def test_missing_settings_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bag = parse(monkeypatch, tmp_path / "nowhere.toml")
    assert not bag.dags
    (message,) = bag.import_errors.values()
    for word in ("nowhere.toml", "no such settings file", "OBSERVATORY_CONFIG", "environment of Airflow"):
        assert word in message


@pytest.mark.parametrize("dag", ["observatory_health", "operator_daily", "study_monthly"])
@pytest.mark.parametrize("kind", ["unset", "no toml", "folder"])
def test_what_to_set_stands_in_the_import_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dag: str, kind: str
) -> None:
    file = tmp_path / "observatory.toml"
    monkeypatch.setenv("OBSERVATORY_CONFIG", str(file))
    if kind == "unset":
        monkeypatch.delenv("OBSERVATORY_CONFIG")
        monkeypatch.setattr("jobs.base.orchestration.scheduling.ROOT", tmp_path)
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_text("[lake")
    bag = DagBag(str(ROOT / "dags" / f"{dag}.py"))
    (message,) = bag.import_errors.values()
    last = message.strip().splitlines()[-1]
    assert "observatory.toml" in last and "OBSERVATORY_CONFIG" in last
    assert "FileNotFoundError" not in message


def test_a_study_node_has_no_operators_and_no_such_dag(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "observatory.toml"
    file.write_text(SETTINGS[: SETTINGS.index("[[operator]]")])
    bag = parse(monkeypatch, file)
    assert (bag.dags, bag.import_errors) == ({}, {})

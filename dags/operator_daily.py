"""operator_daily: one operator's day, from its logs to validated gold tables.

One DAG for each operator of the settings file, `operator_daily__<id>`, with seven tasks in a row, and one
that succeeds where none of them failed:

    pull ─► bronze ─► silver ─► gold ─► validate ─► report ─► vacuum ─► outcome

Each task is a command: `observatory pull --operator <id>` lands what is new in the operator's logs,
`observatory run --stage <stage> --operator <id>` computes a stage, validates its tables and writes them,
`observatory validate --changed --operator <id>` has Great Expectations evaluate its suites on the months of
gold that changed and keeps the results, `observatory report` draws the page of the whole lake, and
`observatory vacuum --operator <id>` removes what is older than `[retention]` keeps. The tables of a stage
are the assets that its task updates (outlets).

**When nothing is new.** A stage that changed none of its tables since its task's last success ends as
*skipped*, and updates no asset: what is scheduled on the tables does not start. The next tasks run all the
same.

**Which engine.** `[engine] name` decides. With "embedded" a stage is a plain command. With "spark" it is a
spark-submit job whose driver runs where the task runs (SparkSubmitOperator, deploy mode client), on
`[engine] master`, or on the master of the connection `spark_default` where the settings name none. The
exit codes and the rows are the same.

**When.** Daily at 00:00 UTC, for the day that has just ended. A run takes everything that is new, so that
a late line of an earlier day is counted too and a day without a run is made up for by the next one
(hence no catch-up). A source that is away fails `pull`, which tries again with growing pauses.

**Compute days again**, after a rule or a definition has changed:

- one run over a range: *Trigger*, with `since` and `until` (UTC days, both included);
- a run for each day: `airflow backfill create --dag-id operator_daily__<id> --from-date … --to-date …`.

**When a task fails.** A broken rule (exit code 1) or a wrong setting (exit code 2) would end the same way
again, so Airflow does not retry the task: the log's last lines name table, rule and rows, and the tables
stay as they were. Any other failure is retried: a crash (exit code 4), and what passes by itself (exit code
5: another command writes to the lake, a source is away, the disk is full). The tasks after a failed one run
all the same, with what is there: one source that is away or held back stops neither the figures of the
others, nor the page, nor retention. `outcome` then does not run (upstream_failed), and the run fails.
Clearing a task is always safe: a stage does no work twice.

**When a run is late.** With `OBSERVATORY_DEADLINE_HOURS`, one that has not succeeded so many hours after it
was queued, whatever the reason, calls back with a text, which the command of `OBSERVATORY_ALERT` gets, as in
`observatory_health`. Backfills have no deadline.

**Connections.** Where a source's `access` names one of Airflow's connections, `pull` gets it in its
environment when it runs. One that `access` under `[lake]` names every task gets.

**What it needs.** `OBSERVATORY_CONFIG`, the settings file; `OBSERVATORY_PYTHON`, the Python of the
pipeline's environment, if that is not Airflow's own; the pseudonym key (`OBSERVATORY_PSEUDONYM_KEY_FILE`)
where the tasks run; and the pool `lake` with one slot, because the lake has one writer at a time.
`OBSERVATORY_REPORT` is the folder of the page; without it `report` beside the lake. With Spark also
Airflow's provider apache-airflow-providers-apache-spark, what `make setup-spark` installs in the pipeline's
environment, and `JAVA_HOME` where no Java from 17 to 25 is on the path.
"""

import datetime as dt
from functools import partial
from typing import Any

from airflow.sdk import DAG, Param, TriggerRule, chain, task
from airflow.sdk.definitions.timetables.interval import CronDataIntervalTimetable

from jobs.base.orchestration.deadlines import make_deadline
from jobs.base.orchestration.scheduling import (
    UnlessLasting,
    changed_since,
    choose_task,
    config_file,
    named_connections,
    pipeline_task,
    read_settings,
    report_folder,
    writer_options,
)
from jobs.base.tables.contracts import stage_tables

CONFIG = config_file()
STAGES = ("bronze", "silver", "gold")
DAY = dt.timedelta(days=1)


def arguments(step: str, operator_id: str, context: Any) -> list[str]:
    """The command line of pull or of a stage. A stage's days are those of a backfill's interval, or those of
    the trigger; without either the stage takes everything that is new."""
    own = ["--config", str(CONFIG), "--operator", operator_id]
    if step == "pull":
        return ["pull", *own]
    run, params = context["dag_run"], context["params"]
    since, until = params["since"], params["until"]
    if run.run_type == "backfill":
        since = f"{run.data_interval_start:%Y-%m-%d}"
        until = f"{run.data_interval_end - DAY:%Y-%m-%d}"
    words = ["run", *own, "--stage", step]
    for option, day in (("--since", since), ("--until", until)):
        words += [option, day] if day else []
    return words + changed_since(context)


def operator_daily(operator: dict[str, Any], settings: dict[str, Any]) -> DAG:
    """The DAG of one operator."""
    operator_id = operator["id"]
    day = Param(None, type=["null", "string"], format="date", description="A UTC day.")
    with DAG(
        dag_id=f"operator_daily__{operator_id}",
        doc_md=__doc__,
        schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        start_date=dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        catchup=False,
        max_active_runs=1,
        deadline=make_deadline(),
        params={"since": day, "until": day},
        default_args={"retries": 2, "retry_delay": dt.timedelta(minutes=1), "retry_exponential_backoff": 2.0},
        tags=["operator"],
    ) as dag:
        pull = pipeline_task(
            "pull",
            partial(arguments, "pull", operator_id),
            pool="lake",
            connections=named_connections(*operator.get("source", [])),
            # From five minutes to an hour, about six hours in all: a log may come late.
            retries=9,
            retry_delay=dt.timedelta(minutes=5),
            max_retry_delay=dt.timedelta(hours=1),
            retry_policy=UnlessLasting(),
        )
        # A task that follows one that had nothing to do, or failed, still runs.
        follows = {"trigger_rule": TriggerRule.ALL_DONE}
        stage = choose_task(settings)
        stages = [
            stage(
                name,
                partial(arguments, name, operator_id),
                **writer_options(stage_tables(name), settings),
                **follows,
            )
            for name in STAGES
        ]
        suites = ["validate", "--changed", "--config", str(CONFIG), "--operator", operator_id]
        page = ["report", "--config", str(CONFIG), "--output", str(report_folder(settings))]
        remove = ["vacuum", "--config", str(CONFIG), "--operator", operator_id]
        # In the pool, so that no two tasks draw the page or write to the lake at once.
        last = {"pool": "lake", "retry_policy": UnlessLasting(), **follows}
        validate = pipeline_task("validate", lambda context: suites, **last)
        report = pipeline_task("report", lambda context: page, **last)
        # Last: what it removes no later task needs.
        vacuum = pipeline_task("vacuum", lambda context: remove, **last)
        row = [pull, *stages, validate, report, vacuum]
        chain(*row)
        # The last task's state is the run's, and vacuum runs whatever failed before it. A task that was
        # skipped had nothing to do, and did not fail.
        row >> outcome.override(trigger_rule=TriggerRule.NONE_FAILED)()
    return dag


@task(retries=0)
def outcome() -> None:
    """Succeed where no other task failed. Else it does not run, and the run fails: the log of the task that
    failed says why, and what to do."""


settings = read_settings()
# A study node has no operators of its own.
for each in settings.get("operator", []):
    operator_daily(each, settings)

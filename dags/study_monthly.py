"""study_monthly: a study node's month, from operators' packages to validated, unprotected estimates.

One DAG, where the settings have `[study] inbox` and `[study] files`, with two tasks in a row:

    load ─► estimate

`load` verifies the packages that lie in the inbox and takes what is new into `study.submission`. `estimate`
computes all of the study's tables from all submissions and answers, validates them, and writes them. The
tasks are the commands `observatory study load` and `observatory study estimate`.

Its end is the **unprotected** study tables, for the study's own team. Nothing here publishes: the DAG
`study_release` does, by trigger and after a human's approval.

**When.** Monthly, on the fifth at 06:00 UTC, when operators have had time to submit the month before; at any
time by *Trigger*. The outlets are the study's tables, so that what follows can wait for them.

**When a task fails.** A package that is refused fails `load` after all others were loaded, and nothing is
estimated until it is mended, replaced by a newer one or taken out of the inbox: the log's last lines say what
is wrong with it. Refusals, broken rules and wrong settings are not retried; anything else is. Clearing a task
is always safe: a package that was loaded before is not taken again.

**When a run is late.** As in `operator_daily`, after `OBSERVATORY_DEADLINE_HOURS`.

**What it needs.** What `operator_daily` needs, but the pseudonym key; GnuPG where packages are signed or
encrypted, with the study's secret key in the GnuPG home of the user that runs the tasks.
"""

import datetime as dt
from functools import partial
from typing import Any

from airflow.sdk import DAG, chain
from airflow.sdk.definitions.timetables.interval import CronDataIntervalTimetable

from jobs.base.orchestration.deadlines import make_deadline
from jobs.base.orchestration.scheduling import (
    config_file,
    named_connections,
    pipeline_task,
    read_settings,
    writer_options,
)
from jobs.base.tables.contracts import list_tables, read_contract

CONFIG = config_file()
LOADED = [
    "study.submission",
    "study.submission_cost",
    "study.submission_quality",
    "study.submission_receipt",
    "study.submission_route",
    "study.submission_source",
    "study.submission_type",
]


def arguments(step: str, context: Any) -> list[str]:
    """The command line of a step."""
    return ["study", step, "--config", str(CONFIG)]


def estimated() -> list[str]:
    """The tables that are computed: those of the study that read others."""
    return [table for table in list_tables() if table.startswith("study.") and read_contract(table).reads]


def study_monthly(settings: dict[str, Any]) -> DAG:
    """The DAG of the study node."""
    written = {"load": LOADED, "estimate": estimated()}
    with DAG(
        dag_id="study_monthly",
        doc_md=__doc__,
        schedule=CronDataIntervalTimetable("0 6 5 * *", timezone="UTC"),
        start_date=dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        catchup=False,
        max_active_runs=1,
        deadline=make_deadline(),
        default_args={"retries": 2, "retry_delay": dt.timedelta(minutes=1), "retry_exponential_backoff": 2.0},
        tags=["study"],
    ) as dag:
        # The study is small: it needs no Spark, whatever the engine.
        chain(
            *(
                pipeline_task(
                    step,
                    partial(arguments, step),
                    connections=named_connections(settings["study"]) if step == "load" else (),
                    **writer_options(tables, settings),
                )
                for step, tables in written.items()
            )
        )
    return dag


settings = read_settings()
if {"inbox", "files"} <= settings.get("study", {}).keys():
    study_monthly(settings)

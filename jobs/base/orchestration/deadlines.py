"""Runs that are late: Airflow calls send_late() where a run has not succeeded in time.

A task that hangs, a pool that nobody gives back, a scheduler that was down: no task fails, and no other check
of a run sees it. Airflow's scheduler asks after the deadline, and its executor calls back (LocalExecutor and
CeleryExecutor can).
"""

import datetime as dt
import os
from typing import Any

from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from jobs.base.core.numbers import format_number
from jobs.base.orchestration.scheduling import NoSettings, pass_on

HOURS = "OBSERVATORY_DEADLINE_HOURS"


def deadline_hours() -> float:
    """Hours in which a run should have succeeded; 0, as without the variable, asks for none."""
    given = os.environ.get(HOURS) or "0"
    try:
        hours = float(given)
    except ValueError:
        hours = -1.0
    if not 0 <= hours <= 24 * 366:
        raise NoSettings(f"{HOURS}: '{given}' is no number of hours from 0, which asks for no deadline, up")
    return hours


def make_deadline() -> DeadlineAlert | None:
    """The deadline of a DAG's runs, from when they were queued: a backfill's days are long past."""
    hours = deadline_hours()
    if not hours:
        return None
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=dt.timedelta(hours=hours),
        callback=SyncCallback(send_late, kwargs={"hours": hours}),
        name="late",
    )


def send_late(context: Any, hours: float) -> None:
    """Give the text of a late run, and what to do, to the command of OBSERVATORY_ALERT, and to the log;
    nothing of a backfill, whose runs wait for each other."""
    run = context["dag_run"]
    if run["run_type"] == "backfill":
        return
    dag, name, state = run["dag_id"], run["dag_run_id"], run["state"]
    pass_on(
        f"Spam Observatory, {dag}\n\nThe run {name} has not succeeded {format_number(hours)} hours after it"
        f" was queued: it is {state}. Look at its tasks in Airflow: one that waits for the pool `lake` is"
        " kept by another, and one that runs says in its log what it is at.\n"
    )

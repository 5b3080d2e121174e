"""operator_monthly: one operator's month, from its gold tables to the study's receipt.

One DAG for each operator of a settings file with `[submission] inbox`, `operator_monthly__<id>`, with three
tasks in a row:

    audit_reminder ─► submit ─► receipt

`audit_reminder` runs `observatory audit due` and passes on which channels of the month lack an audit, and
what to do; it never fails for that. `submit` runs `observatory submit`: Great Expectations evaluates the
month's gold, the package is made and signed by `[submission] sign`, and delivered to the study's inbox.
`receipt` is a sensor: each hour it runs `observatory receipts`, until the study has answered. It **fails if
the study refused the package**, with the reasons, and if no answer came within `[submission] answer_days`
(14). `OBSERVATORY_RECEIPT_MINUTES` is another time between two looks.

**When.** Monthly, on the third at 06:00 UTC, for the month that has ended, two days before a study loads; at
any time by *Trigger*, with a `period`: a month, a quarter or a year.

**When a task fails.** Broken expectations, wrong settings and refusals are not retried; an inbox that is away
is, for about six hours. What a task fails with goes to the command of `OBSERVATORY_ALERT`, as in
`observatory_health`. Clearing tasks, and runs of the same month, are always safe: the same counts are sent
once, and counts that late logs changed replace those before.

**What it needs.** What `operator_daily` needs, but the pseudonym key; GnuPG with the operator's secret key in
the home of the user that runs the tasks, where packages are signed. Where `access` under `[submission]` names
one of Airflow's connections, the tasks get it in their environment when they run. `OBSERVATORY_SUBMISSION` is
the folder of the packages; without it `submission` beside the lake.
"""

import datetime as dt
import os
from functools import partial
from typing import Any

from airflow.sdk import DAG, Param, TriggerRule, chain, task
from airflow.sdk.definitions.timetables.interval import CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowFailException

from jobs.base.orchestration.exit_codes import CommandFailed
from jobs.base.orchestration.scheduling import (
    UnlessLasting,
    command_output,
    config_file,
    folder_beside,
    named_connections,
    pass_on,
    pipeline_task,
    read_settings,
    send_alert,
)

CONFIG = config_file()
PERIOD = r"^20[0-9]{2}(-(Q[1-4]|0[1-9]|1[0-2]))?$"
ANSWER_DAYS = 14
# Exit codes of `observatory receipts`: the study refused a package, and it has not answered yet.
REFUSED, NOT_YET = 1, 5


def chosen_period(context: Any) -> str:
    """The period of the trigger; without one the month in which the run's interval begins, the last whole
    one."""
    if given := context["params"]["period"]:
        return str(given)
    run = context["dag_run"]
    if run.data_interval_start is not None:
        return f"{run.data_interval_start:%Y-%m}"
    return f"{run.run_after.replace(day=1) - dt.timedelta(days=1):%Y-%m}"


def arguments(command: list[str], operator_id: str, context: Any) -> list[str]:
    """The command line of a step."""
    return [*command, "--period", chosen_period(context), "--operator", operator_id, "--config", str(CONFIG)]


@task(retries=2, retry_policy=UnlessLasting())
def audit_reminder(operator_id: str, **context: Any) -> None:
    """Pass on what is missing of the month's audits."""
    rows = command_output(arguments(["audit", "due", "--json"], operator_id, context))
    due = [f"{each['period_code']} {each['channel_code']}: {each['step']}" for each in rows if each["step"]]
    if due:
        pass_on("\n".join([f"Spam Observatory, audits of operator '{operator_id}' are due", "", *due, ""]))


def read_answer(operator_id: str, connections: list[str], **context: Any) -> bool:
    """Return whether the study received the package. Fails where the study refused it."""
    words = arguments(["receipts", "--json"], operator_id, context)
    try:
        rows = command_output(words, may_end_with={REFUSED}, connections=connections)
    except CommandFailed as error:
        if error.exit_code == NOT_YET:
            return False
        raise
    refused = [
        f"the study refused {each['file_name']}: {reason}"
        for each in rows
        if each["delivery_code"] == "refused"
        for reason in each["answer_reasons"]
    ]
    if refused:
        todo = "Mend this, then clear `submit`, or trigger the month anew"
        raise AirflowFailException("\n".join([*refused, todo]))
    return True


def operator_monthly(operator_id: str, settings: dict[str, Any]) -> DAG:
    """The DAG of one operator."""
    period = Param(None, type=["null", "string"], pattern=PERIOD, description="As 2026-11, 2026-Q4 or 2026.")
    connections = named_connections(settings["submission"])
    answer_days = settings["submission"].get("answer_days", ANSWER_DAYS)
    folder = str(folder_beside(settings, "submission", "OBSERVATORY_SUBMISSION"))
    with DAG(
        dag_id=f"operator_monthly__{operator_id}",
        doc_md=__doc__,
        schedule=CronDataIntervalTimetable("0 6 3 * *", timezone="UTC"),
        start_date=dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        catchup=False,
        max_active_runs=1,
        params={"period": period},
        default_args={"retry_delay": dt.timedelta(minutes=5), "on_failure_callback": send_alert},
        tags=["operator"],
    ) as dag:
        submit = pipeline_task(
            "submit",
            partial(arguments, ["submit", "--output", folder], operator_id),
            connections=connections,
            pool="lake",
            # An audit that nobody was reminded of holds nothing up.
            trigger_rule=TriggerRule.ALL_DONE,
            # As `pull` of operator_daily: the inbox may be away.
            retries=9,
            retry_exponential_backoff=2.0,
            max_retry_delay=dt.timedelta(hours=1),
            retry_policy=UnlessLasting(),
        )
        receipt = task.sensor(
            task_id="receipt",
            # Between two looks it takes no worker's slot.
            mode="reschedule",
            poke_interval=dt.timedelta(minutes=float(os.environ.get("OBSERVATORY_RECEIPT_MINUTES") or 60)),
            timeout=dt.timedelta(days=answer_days),
            retries=2,
            retry_policy=UnlessLasting(),
        )(read_answer)
        chain(audit_reminder(operator_id), submit, receipt(operator_id, connections))
    return dag


settings = read_settings()
if settings.get("submission", {}).get("inbox"):
    for each in settings.get("operator", []):
        operator_monthly(each["id"], settings)

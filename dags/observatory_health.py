"""observatory_health: every day, whether sources still come, days are missing, a validation holds back, or
the study lacks a package.

One DAG, where the settings have operators:

    status ─┬► stale_sources
            ├► missing_days
            ├► jumps
            ├► held_validations
            └► packages

`status` runs `observatory status --json`. Each of the others **fails if something is wrong**: the grid shows
what it is, and the task's log names each source or rule with what to do.

- `stale_sources`: a source's last record is older than its `stale_days`.
- `missing_days`: a source has no records of a day within the week before its last record.
- `jumps`: a day's traffic, share of spam or share that others refuse is far from that of the same weekday
  before.
- `held_validations`: a rule was broken when it was last checked, and the operator's tables stay as they were.
- `packages`: where `[submission] inbox` is set, a package is overdue (`due_days`), was refused, or has had no
  answer for `answer_days`.

**Who is told.** A task that fails calls back with its text. `OBSERVATORY_ALERT` is a shell command that reads
the text, such as `mail -s "Spam Observatory" noc@example.net`; without it the text stands in the log alone.
To use one of Airflow's notifiers, add it to `on_failure_callback` below: `alert_text(context)` is the text.

**When.** Daily at 07:00 UTC, when operator_daily has made its last try at what came late. Nothing is written:
this DAG needs no slot of the pool `lake`.

**What it needs.** What `operator_daily` needs, but the pseudonym key.
"""

import datetime as dt
from typing import Any

from airflow.sdk import DAG, task
from airflow.sdk.definitions.timetables.interval import CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowFailException

from jobs.base.orchestration.scheduling import (
    UnlessLasting,
    command_output,
    config_file,
    read_settings,
    send_alert,
)
from jobs.operators.state import health

CONFIG = config_file()


@task(retries=2, retry_delay=dt.timedelta(minutes=5), retry_policy=UnlessLasting())
def status() -> list[dict[str, Any]]:
    """One row for each source."""
    rows: list[dict[str, Any]] = command_output(
        ["status", "--json", "--config", str(CONFIG)], may_end_with={3}
    )
    return rows


@task(retries=0)
def look(check: str, rows: list[dict[str, Any]]) -> None:
    """Fail with the text of what is wrong, if anything is."""
    if text := health.format_check(check, rows):
        raise AirflowFailException(text)


def observatory_health() -> DAG:
    """The DAG of all operators."""
    with DAG(
        dag_id="observatory_health",
        doc_md=__doc__,
        schedule=CronDataIntervalTimetable("0 7 * * *", timezone="UTC"),
        start_date=dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        catchup=False,
        max_active_runs=1,
        default_args={"on_failure_callback": send_alert},
        tags=["operator"],
    ) as dag:
        rows = status()
        for check in health.CHECKS:
            look.override(task_id=check)(check, rows)
    return dag


if read_settings().get("operator"):
    observatory_health()

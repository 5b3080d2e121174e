"""study_release: a quarter's release, from estimates to publication, by trigger with a period.

One DAG, where the settings have `[release] public_root` and `[release] signers`, with four tasks in a row:

    make ─► clear ─► approve ─► publish

`make` protects the study's tables, attacks what would leave, validates it, and writes the release; nothing of
it is written if one of these fails, which is why they are one task. `clear` writes a sheet for each
administration. `approve` waits for a human in Airflow's *Required Actions*: it shows the headline figures,
what changed since the last release, what the attack found, and the digest. `publish` publishes exactly the
version and digest that the human approved, also where another release of the period was made meanwhile; it
demands a signature by one of the signers and no open objection, and then moves the release at once or not at
all. The tasks are the commands `observatory release make`, `clear make` and `publish`.

**Between `clear` and `approve`** the officer sends the sheets, loads the answers (`observatory release clear
load`), records decisions on countries without an administration (`clear unasked`) and on objections (`clear
decide`), and signs the release on her own machine (`observatory release sign`). A worker never holds her key:
she puts the signature beside the release, and `publish` verifies it.

**Rejected, timed out or wrongly signed** the run is red, and nothing is published. Clear `approve` to ask
again, `publish` after the signature was mended.

**When.** By *Trigger* alone, with `period` (as 2026-Q4), `deadline` for the administrations' answers and
`by`, who publishes; with `leave_out_areas` where `make` was red because groups or regions reveal a
contribution, and they are to be left out. The approval waits for ninety days.

**What it needs.** What `study_monthly` needs, and p of the p% rule, by OBSERVATORY_P_PCT_FILE in the
environment of the worker that runs `make`.
"""

import datetime as dt
import json
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, Param, chain
from airflow.sdk.exceptions import AirflowFailException

from jobs.base.orchestration.scheduling import (
    UnlessLasting,
    command_output,
    config_file,
    pipeline_task,
    read_settings,
)

CONFIG = config_file()
# How long a human may take to approve.
LONGEST = dt.timedelta(days=90)
NEEDED = ("public_root", "signers")
# The XCom of each task that hands on which release it is: what `make` printed, and what a human approved.
HANDED_ON = {"make": "return_value", "approve": "approved"}


def given(context: Any, name: str) -> str:
    """A parameter of the run."""
    return str(context["params"][name])


def handed_on(context: Any, task: str) -> dict[str, str]:
    """Name and digest of the run's release, as a task before handed them on."""
    found: dict[str, str] = context["ti"].xcom_pull(task_ids=task, key=HANDED_ON[task])
    return found


def making(context: Any) -> list[str]:
    leaving_out = ["--leave-out-areas"] if context["params"]["leave_out_areas"] else []
    of_period = ["--period", given(context, "period"), *leaving_out]
    return ["release", "make", *of_period, "--json", "--config", str(CONFIG)]


def clearing(context: Any) -> list[str]:
    name, deadline = handed_on(context, "make")["name"], given(context, "deadline")
    return ["release", "clear", "make", name, "--deadline", deadline, "--config", str(CONFIG)]


def publishing(context: Any) -> list[str]:
    approved = handed_on(context, "approve")
    of_release = [approved["name"], "--digest", approved["digest"], "--by", given(context, "by")]
    return ["release", "publish", *of_release, "--config", str(CONFIG)]


class ApproveRelease(ApprovalOperator):
    """Ask a human about the release that `make` made; its name and digest are handed on to `publish`, which
    publishes no other one."""

    def execute(self, context: Any) -> Any:
        made = handed_on(context, "make")
        shown = command_output(["release", "show", made["name"], "--json", "--config", str(CONFIG)])
        if shown["digest"] != made["digest"]:
            raise AirflowFailException(
                f"{made['name']} is not the release that this run made: its digest is {shown['digest']}, and"
                f" {made['digest']} was made"
            )
        self.body = shown["text"]
        context["ti"].xcom_push(key=HANDED_ON["approve"], value=made)
        return super().execute(context)


def study_release() -> DAG:
    """The DAG of a release."""
    with DAG(
        dag_id="study_release",
        doc_md=__doc__,
        schedule=None,
        start_date=dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        catchup=False,
        max_active_runs=1,
        params={
            "period": Param(type="string", pattern=r"^20\d\d-Q[1-4]$", description="A quarter, as 2026-Q4"),
            "deadline": Param(
                type="string", format="date", description="Last day of administrations' answers"
            ),
            "by": Param(
                type="string", minLength=1, description="Who publishes: a name, kept with the release"
            ),
            "leave_out_areas": Param(
                default=False,
                type="boolean",
                description="Leave out groups and regions whose figures reveal a contribution",
            ),
        },
        default_args={"retries": 2, "retry_delay": dt.timedelta(minutes=1), "retry_policy": UnlessLasting()},
        tags=["study"],
    ) as dag:
        chain(
            # The command's last line is name and digest.
            pipeline_task("make", making, pool="lake", do_xcom_push=True, output_processor=json.loads),
            pipeline_task("clear", clearing),
            ApproveRelease(
                task_id="approve",
                subject="Publish this release of the spam study?",
                fail_on_reject=True,
                response_timeout=LONGEST,
                retries=0,
            ),
            pipeline_task("publish", publishing),
        )
    return dag


if set(NEEDED) <= read_settings().get("release", {}).keys():
    study_release()

"""Airflow's own connections, handed to a command of the pipeline in its environment.

The settings name a connection by its id; which of Airflow's backends has it does not matter. What it holds is
asked for when the task runs, and is never a part of a task's fields, which Airflow stores and shows, nor of a
command line or a log. A stage as a job of Spark gets them, too, and can end as skipped, as BashOperator's
tasks can.
"""

import json
from collections.abc import Sequence
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Connection
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
)

from jobs.base.core.errors import NOTHING_CHANGED
from jobs.base.orchestration.exit_codes import exit_code
from jobs.base.places.connections import variable_of

FIELDS = ("conn_type", "host", "port", "login", "password", "schema", "extra")


def connection_variables(connections: Sequence[str]) -> dict[str, str]:
    """The variable of each connection, as read_connection() of jobs/base/places/connections.py reads
    it."""
    found = {}
    for name in connections:
        try:
            connection = Connection.get(name)
        except AirflowNotFoundException:
            raise AirflowFailException(
                f"the settings name the connection '{name}', which Airflow does not have: make it under"
                f" Admin, Connections, or with `airflow connections add {name} …`"
            ) from None
        fields = {field: getattr(connection, field) for field in FIELDS}
        found[variable_of(name)] = json.dumps(
            {field: value for field, value in fields.items() if value not in (None, "")}
        )
    return found


class PipelineCommand(BashOperator):
    """BashOperator whose command has the connections with these ids in its environment."""

    def __init__(self, *, connections: Sequence[str] = (), **options: Any) -> None:
        super().__init__(**options)
        self.connections = list(connections)

    def get_env(self, context: Any) -> dict[str, str]:
        env: dict[str, str] = super().get_env(context)
        return env | connection_variables(self.connections)


class SubmitStage(SparkSubmitOperator):
    """SparkSubmitOperator, but skipped where the command ends with NOTHING_CHANGED."""

    def execute(self, context: Any) -> None:
        try:
            super().execute(context)
        except AirflowException as error:
            if exit_code(error) == NOTHING_CHANGED:
                raise AirflowSkipException("No table has changed.") from None
            raise

"""A stage as a job of Spark that can end as skipped, as BashOperator's tasks can."""

from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from jobs.base.core.errors import NOTHING_CHANGED
from jobs.base.orchestration.exit_codes import exit_code


class SubmitStage(SparkSubmitOperator):
    """SparkSubmitOperator, but skipped where the command ends with NOTHING_CHANGED."""

    def execute(self, context: Any) -> None:
        try:
            super().execute(context)
        except AirflowException as error:
            if exit_code(error) == NOTHING_CHANGED:
                raise AirflowSkipException("No table has changed.") from None
            raise

"""An Airflow of its own, for tests that run DAGs."""

import os
from pathlib import Path

from tests.support.commands import BIN, ROOT, run


def new_airflow(home: Path, **more: str) -> dict[str, str]:
    """The environment of an Airflow in an empty folder, with its database made. more: what its tasks need."""
    environment = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        **more,
    }
    run("airflow", "db", "migrate", **environment)
    return environment

"""Airflow writes its settings file at its first import: under build/, not in the user's home."""

import os
from pathlib import Path

AIRFLOW = {
    "AIRFLOW_HOME": str(Path(__file__).resolve().parents[2] / "build" / "airflow-tests"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
}
os.environ.update(AIRFLOW)

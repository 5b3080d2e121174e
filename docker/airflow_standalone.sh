#!/bin/sh
# Airflow on this machine, on the sample study: web interface, scheduler and two workers, all of it under
# build/airflow. It listens on this machine only, because everyone who reaches it is admin.
# Another settings file: OBSERVATORY_CONFIG=... ; another port: PORT=...
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
port=${PORT:-8080}
PATH=$root/.venv/bin:$PATH

export PATH
export PYTHONPATH="$root"
export OBSERVATORY_CONFIG="${OBSERVATORY_CONFIG:-$root/sample_data/observatory.toml}"
if [ -z "${OBSERVATORY_PSEUDONYM_KEY:-}${OBSERVATORY_PSEUDONYM_KEY_FILE:-}" ]; then
    # The same key as the demo's: both write the same lake.
    OBSERVATORY_PSEUDONYM_KEY_FILE=$(python -c '
import os
from jobs.cli.demo import use_demo_key
use_demo_key()
print(os.environ["OBSERVATORY_PSEUDONYM_KEY_FILE"])')
    export OBSERVATORY_PSEUDONYM_KEY_FILE
fi

if [ "${OBSERVATORY_ENGINE_NAME:-}" = spark ]; then
    # Without a master SparkSubmitOperator would ask for a connection.
    export OBSERVATORY_ENGINE_MASTER="${OBSERVATORY_ENGINE_MASTER:-local[2]}"
fi

export AIRFLOW_HOME="$root/build/airflow"
export AIRFLOW__CORE__DAGS_FOLDER="$root/dags"
export AIRFLOW__CORE__LOAD_EXAMPLES=False
export AIRFLOW__CORE__PARALLELISM=2
export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS=True
export AIRFLOW__API__HOST=127.0.0.1
export AIRFLOW__API__PORT="$port"
export AIRFLOW__API__BASE_URL="http://localhost:$port"
export AIRFLOW__API__WORKERS=1
export AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES=1
# Of full length, and new at each start: it signs what Airflow's parts say to each other.
AIRFLOW__API_AUTH__JWT_SECRET=$(od -An -N 64 -t x1 /dev/urandom | tr -d ' \n')
export AIRFLOW__API_AUTH__JWT_SECRET

# Whether the web interface answers, asked so many times.
answers() {
    python -c '
import sys, time, urllib.error, urllib.request
for _ in range(int(sys.argv[2])):
    try:
        urllib.request.urlopen(sys.argv[1], timeout=5)
        sys.exit(0)
    except urllib.error.HTTPError:
        sys.exit(0)
    except OSError:
        time.sleep(2)
sys.exit(1)' "http://127.0.0.1:$port/api/v2/monitor/health" "$1"
}
if answers 1; then
    echo "Port $port is taken: end what runs there, or choose another with PORT=..." >&2
    exit 2
fi

mkdir -p "$AIRFLOW_HOME"
echo "Starting Airflow; its own log is build/airflow/standalone.log ..."
airflow db migrate > "$AIRFLOW_HOME/standalone.log" 2>&1 || { cat "$AIRFLOW_HOME/standalone.log"; exit 1; }
airflow pools set lake 1 "The lake has one writer at a time." > /dev/null
(answers 120 && echo "Ready, without a login: http://localhost:$port . Trigger a DAG there. Ctrl-C here ends Airflow, once a running task is done.") &
exec airflow standalone >> "$AIRFLOW_HOME/standalone.log" 2>&1

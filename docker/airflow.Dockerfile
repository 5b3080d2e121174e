# Airflow with the pipeline in an environment of its own: Airflow starts spark-submit there, and neither's
# packages bind the other's. docker/compose.yaml builds it.
FROM apache/airflow:3.3.2-python3.11

ENV PYTHONPATH=/opt/observatory \
    OBSERVATORY_HOME=/opt/observatory/build \
    OBSERVATORY_LAKE_ROOT=/lake \
    OBSERVATORY_PYTHON=/opt/pipeline/bin/python \
    JAVA_HOME=/opt/observatory/build/java \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/observatory/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False

USER 0
# GnuPG signs and encrypts packages for the study; Debian's present version will do.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gnupg && rm -rf /var/lib/apt/lists/*
RUN mkdir -p /opt/observatory/build /opt/pipeline /lake \
    && chown -R airflow:0 /opt/observatory /opt/pipeline /lake

USER 50000:0
WORKDIR /opt/observatory
COPY requirements.lock requirements-java.lock docker/airflow.lock ./
# --no-deps: the image has the provider's own needs, except a Spark client that only its Connect hook uses.
RUN pip install --no-cache-dir --no-deps --require-hashes -r airflow.lock
RUN python -m venv /opt/pipeline \
    && PIP_USER=false /opt/pipeline/bin/python -m pip install --no-cache-dir --require-hashes \
        -r requirements.lock -r requirements-java.lock

COPY schemas schemas
COPY expectations expectations
COPY jobs jobs
COPY dags dags
RUN JAVA_HOME='' /opt/pipeline/bin/python -m jobs.toolchain \
    && JAVA_HOME='' /opt/pipeline/bin/python -c "from jobs.toolchain import java_home; java_home()"

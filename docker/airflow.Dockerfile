# Airflow, and the pipeline in an environment of its own: Airflow's tasks run the pipeline's commands there, so
# that neither restricts the other's package versions. docker/compose.yaml builds it.
# By tag, as nothing that could be read names its digest. By digest: --build-arg
# AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.11@sha256:... (see pipeline.Dockerfile).
ARG AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.11
FROM ${AIRFLOW_IMAGE} AS packages
USER 0
RUN mkdir /opt/pipeline && chown 50000:0 /opt/pipeline
USER 50000:0
WORKDIR /opt/observatory
COPY requirements/sources.lock requirements/sources.lock
RUN python -m venv /opt/pipeline \
    && PIP_USER=false /opt/pipeline/bin/python -m pip install --no-cache-dir --require-hashes \
        -r requirements/sources.lock

FROM ${AIRFLOW_IMAGE}
ENV PYTHONPATH=/opt/observatory \
    OBSERVATORY_HOME=/opt/observatory/build \
    OBSERVATORY_LAKE_ROOT=/lake \
    OBSERVATORY_REPORT=/report \
    OBSERVATORY_PYTHON=/opt/pipeline/bin/python \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/observatory/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False

USER 0
# GnuPG signs and encrypts packages for the study; Debian's present version will do.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gnupg && rm -rf /var/lib/apt/lists/*
RUN mkdir -p /opt/observatory/build /lake /report \
    && chown 50000:0 /opt/observatory/build /lake /report

USER 50000:0
WORKDIR /opt/observatory
COPY --from=packages /opt/pipeline /opt/pipeline
COPY schemas schemas
COPY expectations expectations
COPY jobs jobs
COPY dags dags

# Airflow, and the pipeline in an environment of its own: Airflow's tasks run the pipeline's commands there, so
# that neither restricts the other's package versions. docker/compose.yaml builds it, on the image that
# pipeline.Dockerfile names by digest.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d
FROM ${PYTHON_IMAGE} AS packages
WORKDIR /opt/observatory
COPY requirements/sources.lock requirements/sources.lock
RUN python -m venv /opt/pipeline \
    && /opt/pipeline/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/sources.lock

FROM ${PYTHON_IMAGE} AS airflow-packages
WORKDIR /opt/observatory
COPY requirements/airflow.lock requirements/airflow.lock
RUN python -m venv /opt/airflow/environment \
    && /opt/airflow/environment/bin/python -m pip install --no-cache-dir --require-hashes \
        -r requirements/airflow.lock

FROM ${PYTHON_IMAGE}
ENV PYTHONUNBUFFERED=1 \
    PYTHONPATH=/opt/observatory \
    PATH=/opt/airflow/environment/bin:$PATH \
    OBSERVATORY_HOME=/opt/observatory/build \
    OBSERVATORY_LAKE_ROOT=/lake \
    OBSERVATORY_REPORT=/report \
    OBSERVATORY_PYTHON=/opt/pipeline/bin/python \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/observatory/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False

WORKDIR /opt/observatory
# GnuPG signs and encrypts packages for the study; Debian's present version will do.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gnupg && rm -rf /var/lib/apt/lists/*
# Volumes take over whose the folders are.
RUN useradd --uid 50000 --gid 0 --create-home airflow \
    && mkdir --parents build /lake /report /opt/airflow/logs \
    && chown 50000:0 build /lake /report /opt/airflow /opt/airflow/logs

COPY --from=packages /opt/pipeline /opt/pipeline
COPY --from=airflow-packages /opt/airflow/environment /opt/airflow/environment
COPY schemas schemas
COPY expectations expectations
COPY jobs jobs
COPY dags dags
USER 50000:0
ENTRYPOINT []
CMD ["airflow", "version"]

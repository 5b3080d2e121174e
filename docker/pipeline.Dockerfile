# The pipeline, in two images; a run of either needs no network. The packages of the one without Java are
# fetched as 0.4 GB and take 1.1 GB of disk with bytecode (November 2026).
#   docker build -f docker/pipeline.Dockerfile -t spam-observatory .
#   docker build -f docker/pipeline.Dockerfile -t spam-observatory-spark --target spark .
#   docker run --rm -v /etc/observatory:/etc/observatory:ro -v /var/log:/logs:ro -v lake:/lake \
#     -e OBSERVATORY_PSEUDONYM_KEY_FILE=/etc/observatory/pseudonym.key \
#     spam-observatory run --config /etc/observatory/observatory.toml
# The image's user, 50000, has to own the key, and nobody else may read it:
#   chown 50000 /etc/observatory/pseudonym.key && chmod 600 /etc/observatory/pseudonym.key
# A tag may name another image tomorrow, a digest cannot. This one is the index of all architectures, as several
# public repositories pin it for this tag (read in November 2026). To renew it, here and in compose.yaml, take
# the digest that `docker buildx imagetools inspect python:3.11.14-slim-bookworm` prints first.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d
FROM ${PYTHON_IMAGE} AS base

ENV PYTHONUNBUFFERED=1 \
    PYTHONPATH=/opt/observatory \
    PATH=/opt/pipeline/bin:$PATH \
    OBSERVATORY_HOME=/opt/observatory/build \
    OBSERVATORY_LAKE_ROOT=/lake

WORKDIR /opt/observatory
# GnuPG signs and encrypts packages for the study; Debian's present version will do.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gnupg && rm -rf /var/lib/apt/lists/*
# Volumes take over whose the folders are.
RUN useradd --uid 50000 --gid 0 --create-home observatory \
    && mkdir build /lake /report && chown 50000:0 build /lake /report

FROM base AS packages
COPY requirements/sources.lock requirements/sources.lock
RUN python -m venv /opt/pipeline \
    && /opt/pipeline/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/sources.lock

FROM base AS java
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends default-jre-headless \
    && rm -rf /var/lib/apt/lists/*
ENV JAVA_HOME=/usr/lib/jvm/default-java

# Spark, and the Delta jars, which it fetches here, once.
FROM java AS spark-packages
COPY requirements/spark.lock requirements/spark.lock
RUN python -m venv /opt/pipeline \
    && /opt/pipeline/bin/python -m pip install --no-cache-dir --require-hashes -r requirements/spark.lock
COPY jobs jobs
RUN python -m jobs.base.engine.java

FROM java AS spark
COPY --from=spark-packages /opt/pipeline /opt/pipeline
COPY --from=spark-packages /opt/observatory/build/jars build/jars
COPY schemas schemas
COPY expectations expectations
COPY jobs jobs
USER 50000:0
ENV OBSERVATORY_ENGINE_NAME=spark
ENTRYPOINT ["python", "-m", "jobs"]
CMD ["--help"]

FROM base AS pipeline
COPY --from=packages /opt/pipeline /opt/pipeline
COPY schemas schemas
COPY expectations expectations
COPY jobs jobs
USER 50000:0
ENTRYPOINT ["python", "-m", "jobs"]
CMD ["--help"]

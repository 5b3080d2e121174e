# The pipeline: Python and the packages of its default set. A run needs no network.
#   docker build -f docker/pipeline.Dockerfile -t spam-observatory .
#   docker run --rm -v /etc/observatory:/etc/observatory:ro -v lake:/lake \
#     -e OBSERVATORY_PSEUDONYM_KEY_FILE=/etc/observatory/pseudonym.key \
#     spam-observatory run --config /etc/observatory/observatory.toml
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PYTHONPATH=/opt/observatory \
    OBSERVATORY_HOME=/opt/observatory/build \
    OBSERVATORY_LAKE_ROOT=/lake

WORKDIR /opt/observatory
# GnuPG signs and encrypts packages for the study; Debian's present version will do.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends gnupg && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 50000 --gid 0 --create-home observatory && mkdir build /lake && chown 50000:0 build /lake

COPY requirements requirements
RUN python -m pip install --no-cache-dir --require-hashes -r requirements/run.lock

COPY LICENSE NOTICE ./
COPY schemas schemas
COPY expectations expectations
COPY jobs jobs

USER 50000:0

ENTRYPOINT ["python", "-m", "jobs"]
CMD ["--help"]
